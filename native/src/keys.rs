//! What the keys of attributes mean: asked of Python once for each key, and remembered.

use ahash::AHashMap;
use pyo3::prelude::*;
use std::sync::Arc;

const MAX_KEYS: usize = 4_096;
const MAX_LENGTH: usize = 256;

/// How a promoted field is read from a value.
#[derive(Clone, Copy, PartialEq)]
pub enum Reader {
    Text,
    Number,
    Attempt,     // a count from 1
    Retries,     // a count from 0
    Word(usize), // text that says the same each time: which of the readers
    Call(usize), // anything else
}

/// Where a promoted field is read from, as `normalise.Source`; `field` counts those of a message, then of an event.
pub struct Source {
    pub field: usize,
    pub rank: u32,
    pub reader: Reader,
}

/// One key.
pub struct Key {
    pub head: String,  // what the tokens of its existence and of a value start with
    pub value: String, // what the token of another text of the same value starts with
    pub fine: String,
    pub coarse: String,
    pub named_id: bool, // its values are ids that are asked for by this key
    pub source: Option<Source>,
    pub entity: Option<String>,           // its values name entities of this type
    pub declared: Option<(bool, String)>, // so they do by the key itself; true: only as context
    pub exception: Option<u32>,           // its words are found, in this order
}

/// As `Maker.key` of the wrapper describes a key.
type Described = (
    (String, String, String),
    bool,
    Option<(usize, u32, u8, usize)>,
    Option<String>,
    Option<(bool, String)>,
    Option<u32>,
);

/// The keys that were met.
pub struct Keys {
    describe: Py<PyAny>,
    known: AHashMap<String, Arc<Key>>,
}

impl Keys {
    pub fn new(describe: Py<PyAny>) -> Self {
        Keys { describe, known: AHashMap::new() }
    }

    /// What a key means; `None` for one that is too long.
    pub fn get(&mut self, py: Python<'_>, key: &str) -> PyResult<Option<Arc<Key>>> {
        if let Some(known) = self.known.get(key) {
            return Ok(Some(Arc::clone(known)));
        }
        if key.len() > MAX_LENGTH {
            return Ok(None);
        }
        let made = Arc::new(self.ask(py, key)?);
        if self.known.len() >= MAX_KEYS {
            self.known.clear(); // hostile keys must not fill the memory
        }
        self.known.insert(key.to_owned(), Arc::clone(&made));
        Ok(Some(made))
    }

    fn ask(&self, py: Python<'_>, key: &str) -> PyResult<Key> {
        let described: Described = self.describe.call1(py, (key,))?.extract(py)?;
        let ((head, fine, coarse), named_id, source, entity, declared, exception) = described;
        let value = head.split_once(' ').map_or("", |(_, value)| value).to_owned();
        let source = source.map(|(field, rank, reader, which)| Source {
            field,
            rank,
            reader: match reader {
                0 => Reader::Text,
                1 => Reader::Number,
                2 => Reader::Attempt,
                3 => Reader::Retries,
                4 => Reader::Word(which),
                _ => Reader::Call(which),
            },
        });
        Ok(Key { head, value, fine, coarse, named_id, source, entity, declared, exception })
    }
}
