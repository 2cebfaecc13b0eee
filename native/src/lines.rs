//! Spans as the start of their two lines in a bulk request: `timeline.store.elasticsearch.document`, natively.

use ahash::AHashMap;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::fmt::Write;

use crate::heads::{Head, Heads};
use crate::made::Made;

const LONGEST: usize = 255; // bytes of a token that the cluster keeps whole for certain
const MS: i64 = 1_000_000;
const DAY: i64 = 86_400_000; // ms
const MAX_KNOWN: usize = 4_096;
const MAX_TEXT: usize = 1_000; // bytes of a field that is remembered

/// Makes lines for one cluster. One thread has one.
#[pyclass]
pub struct Lines {
    start: String,    // of the first line, up to the day
    identity: String, // what the token of an identity starts with
    text: Py<PyAny>,  // the field of these words
    day: Py<PyAny>,   // of a time in ms
    texts: AHashMap<String, String>,
    days: AHashMap<i64, Py<PyString>>,
}

#[pymethods]
impl Lines {
    #[new]
    fn new(start: String, identity: String, text: Py<PyAny>, day: Py<PyAny>) -> Self {
        Lines { start, identity, text, day, texts: AHashMap::new(), days: AHashMap::new() }
    }

    /// Day and start of the lines of each fact that is a `Made`, nothing for any other and for one with tokens
    /// that are too long.
    fn heads(&mut self, py: Python<'_>, facts: &Bound<'_, PyList>) -> PyResult<Heads> {
        let heads = facts.iter().map(|fact| self.head(py, fact));
        Ok(Heads::new(heads.collect::<PyResult<_>>()?))
    }
}

impl Lines {
    fn head(&mut self, py: Python<'_>, fact: Bound<'_, PyAny>) -> PyResult<Option<Head>> {
        let Ok(fact) = fact.cast_into::<Made>() else { return Ok(None) };
        let made = fact.get();
        if made.kv.split(' ').any(|token| token.len() > LONGEST) {
            return Ok(None);
        }
        let day = self.day_of(py, made.at / MS)?;
        let ids = &made.ids;
        let (high, low) = ranks(&ids.id);
        let mut out = String::with_capacity(made.kv.len() + 768);
        for part in [&self.start, day.bind(py).to_str()?, r#"","_id":""#, &ids.id] {
            out.push_str(part);
        }
        for part in ["\"}}\n{\"kv\":\"", &self.identity, &ids.identity, " ", &made.kv, "\","] {
            out.push_str(part);
        }
        self.text_of(py, &mut out, &made.text)?;
        out.push_str(&made.facets);
        let (at, received) = (made.at, made.shared.get().received);
        let took = made.until - at;
        let _ = write!(
            out,
            r#""duration":{took},"placed":{at},"ms":{},"received":{received},"tie":{},"high":{high},"low":{low},"whole":""#,
            at / MS,
            ids.tie,
        );
        Ok(Some(Head { fact: fact.unbind(), day, text: out }))
    }

    fn day_of(&mut self, py: Python<'_>, ms: i64) -> PyResult<Py<PyString>> {
        if let Some(known) = self.days.get(&(ms / DAY)) {
            return Ok(known.clone_ref(py));
        }
        let made: Py<PyString> = self.day.call1(py, (ms,))?.extract(py)?;
        if self.days.len() >= MAX_KNOWN {
            self.days.clear();
        }
        self.days.insert(ms / DAY, made.clone_ref(py));
        Ok(made)
    }

    fn text_of(&mut self, py: Python<'_>, out: &mut String, words: &str) -> PyResult<()> {
        if let Some(known) = self.texts.get(words) {
            out.push_str(known);
            return Ok(());
        }
        let made: String = self.text.call1(py, (words,))?.extract(py)?;
        out.push_str(&made);
        if made.len() <= MAX_TEXT {
            if self.texts.len() >= MAX_KNOWN {
                self.texts.clear();
            }
            self.texts.insert(words.to_owned(), made);
        }
        Ok(())
    }
}

/// Two 60-bit numbers that order as ids do.
fn ranks(id: &str) -> (u64, u64) {
    let mut halves =
        id.as_bytes().chunks(10).map(|half| half.iter().fold(0, |sum, byte| sum << 6 | rank(*byte)));
    (halves.next().unwrap_or(0), halves.next().unwrap_or(0))
}

/// The place of a digit of base64url in the order of text.
fn rank(digit: u8) -> u64 {
    u64::from(match digit {
        b'0'..=b'9' => digit - b'0' + 1,
        b'A'..=b'Z' => digit - b'A' + 11,
        b'_' => 37,
        b'a'..=b'z' => digit - b'a' + 38,
        _ => 0, // '-'
    })
}
