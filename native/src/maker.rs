//! A plain span, from its bytes on the wire to all that a store needs of it, in one pass.

use ahash::AHashMap;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::Ids;
use crate::keys::{Key, Keys};
use crate::made::{Made, Shared};
use crate::pack::Out;
use crate::promote::{promote, Promoted, DESTINATION, FIELDS, KEY, SEQUENCE, SOURCE, SUBJECT, TYPE};
use crate::rest;
use crate::wire::{self, Link, Note, Pairs, Span, Value, Whole};

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];
const FIRST_NS: u64 = 946_684_800_000_000_000; // as timeline.ingest.identity has them
const LAST_NS: u64 = 4_102_444_800_000_000_000;
const MAX_NAME: usize = 199;
const MAX_KNOWN: usize = 4_096;
const MAX_ENTITY: usize = 1024; // characters
const MAX_ENTITIES: usize = 256;
// built-in fields with tokens, in order: trace, span, parent, link, event id, correlation, causation, entity, context
const FIELD_COUNT: usize = 9;

/// An attribute and what its key means.
pub type Attribute<'a> = (&'a str, Value<'a>, Arc<Key>);
/// Type and name of an entity.
pub type Entity = (String, String);

/// What is asked of Python, for what is met for the first time or seldom.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    pub attribute: Py<PyAny>, // tokens of an attribute
    pub safe: Py<PyAny>,      // a value as it stands in a token
    text: Py<PyAny>,          // words of these texts, and whether they are not all
    facets: Py<PyAny>,        // facet fields of their values
    readers: Vec<Py<PyAny>>,  // of promoted fields
    subject: Py<PyAny>,       // type and name of a CloudEvents subject
    samples: Py<PyAny>,       // whether a trace state says so
}

/// Tables that never change.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Tables {
    message: Vec<String>,              // under which names the fields of a message are found,
    kafka: Vec<String>,                // and of one of Kafka
    event: Vec<String>,                // and of an event
    pub fields: Vec<(String, String)>, // what the tokens of built-in fields start and end with, by FIELD
    undropped: Vec<u8>,                // packed: nothing was dropped
    keyed: HashMap<String, String>,    // destination to the entity type of its message keys
}

/// Makes spans ready by one set of entity rules. One thread has one.
#[pyclass]
pub struct Maker {
    keys: Keys,
    pub ask: Asked,
    pub tables: Tables,
    pub names: [Vec<(String, Option<Arc<Key>>)>; 2], // of promoted fields; second: where the message is one of Kafka
    words: AHashMap<(usize, String), Option<String>>,
    texts: AHashMap<String, Arc<str>>,
    facets: AHashMap<String, Arc<str>>,
    tokens: String, // written and copied at their length, span after span
    bytes: Out,
}

#[pymethods]
impl Maker {
    #[new]
    fn new(py: Python<'_>, describe: Py<PyAny>, ask: Asked, tables: Tables) -> PyResult<Self> {
        let mut keys = Keys::new(describe);
        let mut named = |message: &Vec<String>| -> PyResult<Vec<_>> {
            let every = message.iter().chain(&tables.event);
            every.map(|name| Ok((name.clone(), keys.get(py, name)?))).collect()
        };
        let names = [named(&tables.message)?, named(&tables.kafka)?];
        if names.iter().any(|names| names.len() != FIELDS) || tables.fields.len() != FIELD_COUNT {
            return Err(PyValueError::new_err("these tables are those of another version"));
        }
        Ok(Maker {
            keys,
            ask,
            names,
            tables,
            words: AHashMap::new(),
            texts: AHashMap::new(),
            facets: AHashMap::new(),
            tokens: String::new(),
            bytes: Out::default(),
        })
    }

    /// Each span ready, or `None` where it is not plain; the first stands at `position` of its request.
    fn make(
        &mut self,
        py: Python<'_>,
        spans: &Bound<'_, PyList>,
        position: usize,
        shared: Py<Shared>,
    ) -> PyResult<Vec<Option<Made>>> {
        let mut made = Vec::with_capacity(spans.len());
        for (place, raw) in spans.iter().enumerate() {
            let raw = raw.cast_into::<PyBytes>()?;
            // where Python cannot say what it is asked, the way that knows every case finds out why
            made.push(self.one(py, raw.as_bytes(), position + place, &shared).unwrap_or(None));
        }
        Ok(made)
    }
}

/// A span, what its keys mean, and what that makes of it.
pub struct Known<'a> {
    pub span: Span<'a>,
    pub kind: &'static str,
    pub status: &'static str,
    pub attributes: Vec<Attribute<'a>>,
    pub links: Vec<(Link<'a>, Vec<Attribute<'a>>)>,
    pub notes: Vec<(Note<'a>, Vec<Attribute<'a>>)>,
    pub promoted: Promoted<'a>,
    pub subjects: Vec<Entity>,
    pub context: Vec<Entity>,
}

impl Maker {
    fn one(
        &mut self,
        py: Python<'_>,
        raw: &[u8],
        position: usize,
        of: &Py<Shared>,
    ) -> PyResult<Option<Made>> {
        let shared = of.get();
        let Some(whole) = wire::span(raw).filter(usual) else { return Ok(None) };
        let Some(known) = self.known(py, whole)? else { return Ok(None) };
        let Some(text) = self.text(py, &known)? else { return Ok(None) };
        let span = &known.span;
        let content = rest::content(&mut self.bytes, shared, &known, &self.tables.undropped);
        let ids = Ids::new(shared, span, known.kind, content, known.promoted.text(SEQUENCE), position);
        let sampled = span.state.contains("ot=") && self.ask.samples.call1(py, (span.state,))?.extract(py)?;
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.clear();
        self.kv(py, &mut tokens, shared, &known)?;
        let kv = tokens.clone();
        self.tokens = tokens;
        let names = known.subjects.iter().map(|(kind, name)| format!("{kind}:{name}"));
        Ok(Some(Made {
            at: span.start as i64,
            until: span.end as i64,
            names: names.collect(),
            kv,
            text,
            facets: self.facets(py, shared, &known)?,
            ids,
            rest: rest::packed(&mut self.bytes, shared, &known, position, sampled),
            position,
            sampled,
            receipt: PyOnceLock::new(),
            shared: of.clone_ref(py),
        }))
    }

    /// A span with what its keys mean; `None` where something of it is not for us.
    fn known<'a>(&mut self, py: Python<'_>, whole: Whole<'a>) -> PyResult<Option<Known<'a>>> {
        let Some(attributes) = self.attributes(py, whole.pairs)? else { return Ok(None) };
        let mut links = Vec::with_capacity(whole.links.len());
        for (link, pairs) in whole.links {
            let Some(attributes) = self.attributes(py, pairs)? else { return Ok(None) };
            links.push((link, attributes));
        }
        let mut notes = Vec::with_capacity(whole.notes.len());
        for (note, pairs) in whole.notes {
            let Some(attributes) = self.attributes(py, pairs)? else { return Ok(None) };
            notes.push((note, attributes));
        }
        let span = whole.span;
        let (kind, status) = (KINDS[span.kind as usize], STATUSES[span.status as usize]);
        let promoted = promote(py, &attributes, kind, span.name, &self.ask.readers, &mut self.words)?;
        let Some(promoted) = promoted else { return Ok(None) };
        let (subjects, context) = self.entities(py, &attributes, &links, &promoted)?;
        Ok(Some(Known { span, kind, status, attributes, links, notes, promoted, subjects, context }))
    }

    /// The attributes with what their keys mean; `None` where one comes twice.
    fn attributes<'a>(&mut self, py: Python<'_>, pairs: Pairs<'a>) -> PyResult<Option<Vec<Attribute<'a>>>> {
        let mut made: Vec<Attribute<'a>> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let Some(key) = self.keys.get(py, name)? else { return Ok(None) };
            if made.iter().any(|(other, _, _)| *other == name) {
                return Ok(None);
            }
            made.push((name, value, key));
        }
        Ok(Some(made))
    }

    /// Subjects and context, in the order of `timeline.ingest.entities.entities_of`.
    fn entities(
        &self,
        py: Python<'_>,
        attributes: &[Attribute<'_>],
        links: &[(Link<'_>, Vec<Attribute<'_>>)],
        promoted: &Promoted<'_>,
    ) -> PyResult<(Vec<Entity>, Vec<Entity>)> {
        let (mut subjects, mut context) = (Vec::new(), Vec::new());
        let linked = || links.iter().flat_map(|(_, attributes)| attributes);
        for (_, value, key) in attributes.iter().chain(linked()) {
            if let Some((only_context, kind)) = &key.declared {
                add(if *only_context { &mut context } else { &mut subjects }, kind, *value);
            }
        }
        if let Some(subject) = promoted.text(SUBJECT) {
            let asked = (promoted.text(TYPE), promoted.text(SOURCE), subject);
            let (kind, name): Entity = self.ask.subject.call1(py, asked)?.extract(py)?;
            add(&mut subjects, &kind, Value::Text(&name));
        }
        for (_, value, key) in attributes {
            if let Some(kind) = &key.entity {
                add(&mut subjects, kind, *value);
            }
        }
        let keyed = promoted.text(DESTINATION).and_then(|name| self.tables.keyed.get(name));
        if let (Some(kind), Some(key)) = (keyed, promoted.text(KEY)) {
            add(&mut subjects, kind, Value::Text(key));
        }
        for (_, value, key) in linked() {
            let of_key = key.source.as_ref().is_some_and(|source| source.field == KEY);
            if let Some(kind) = key.entity.as_ref().or(keyed.filter(|_| of_key)) {
                add(&mut subjects, kind, *value);
            }
        }
        context.retain(|entity| !subjects.contains(entity));
        Ok((subjects, context))
    }

    /// The words of a span; `None` where they are too many.
    fn text(&mut self, py: Python<'_>, known: &Known<'_>) -> PyResult<Option<Arc<str>>> {
        let name = known.span.name;
        let mut sources = vec![name];
        exceptions(&mut sources, &known.attributes);
        sources.push(known.span.message);
        for (note, attributes) in &known.notes {
            sources.push(note.name);
            exceptions(&mut sources, attributes);
        }
        let usual = sources.len() == 2 && sources[1].is_empty() && name.len() <= MAX_NAME;
        if let (true, Some(made)) = (usual, self.texts.get(name)) {
            return Ok(Some(Arc::clone(made)));
        }
        let (made, partial): (String, bool) = self.ask.text.call1(py, (sources,))?.extract(py)?;
        if partial {
            return Ok(None);
        }
        let made: Arc<str> = made.into();
        if usual {
            if self.texts.len() >= MAX_KNOWN {
                self.texts.clear();
            }
            self.texts.insert(name.to_owned(), Arc::clone(&made));
        }
        Ok(Some(made))
    }

    fn facets(&mut self, py: Python<'_>, shared: &Shared, known: &Known<'_>) -> PyResult<Arc<str>> {
        let values = [
            "span",
            known.promoted.text(TYPE).unwrap_or(""),
            &shared.service,
            known.span.name,
            known.promoted.text(DESTINATION).unwrap_or(""),
            known.status,
            known.kind,
            &shared.environment,
        ];
        let mut asked = String::with_capacity(128);
        for value in values {
            asked.push_str(value);
            asked.push('\0');
        }
        // a value that holds what separates them could pass for another one's
        let usual = asked.len() <= 512 && asked.bytes().filter(|byte| *byte == 0).count() == values.len();
        if let (true, Some(known)) = (usual, self.facets.get(&asked)) {
            return Ok(Arc::clone(known));
        }
        let made = self.ask.facets.call1(py, (PyTuple::new(py, values)?,))?;
        let made: Arc<str> = made.extract::<String>(py)?.into();
        if usual {
            if self.facets.len() >= MAX_KNOWN {
                self.facets.clear();
            }
            self.facets.insert(asked, Arc::clone(&made));
        }
        Ok(made)
    }
}

fn exceptions<'a>(sources: &mut Vec<&'a str>, attributes: &[Attribute<'a>]) {
    let mut found: Vec<_> = attributes.iter().filter(|(_, _, key)| key.exception.is_some()).collect();
    found.sort_by_key(|(_, _, key)| key.exception);
    for (_, value, _) in found {
        if let Value::Text(text) = value {
            sources.push(text);
        }
    }
}

/// Whether a span has what nearly all have: ids, times that can be used, a kind and a status that are known.
fn usual(whole: &Whole<'_>) -> bool {
    let span = &whole.span;
    let usable = |at: u64| (FIRST_NS..LAST_NS).contains(&at);
    span.trace_id.len() == 16
        && span.span_id.len() == 8
        && matches!(span.parent.len(), 0 | 8)
        && usable(span.start)
        && usable(span.end)
        && span.kind < KINDS.len() as u64
        && span.status < STATUSES.len() as u64
}

/// Whether a span has a parent.
pub fn child(span: &Span<'_>) -> bool {
    span.parent.iter().any(|byte| *byte != 0)
}

fn add(into: &mut Vec<Entity>, kind: &str, value: Value<'_>) {
    let name = match value {
        Value::Text(text) if !text.is_empty() && text.chars().count() <= MAX_ENTITY => text.to_owned(),
        Value::Int(number) => number.to_string(),
        _ => return,
    };
    let entity = (kind.to_owned(), name);
    if into.len() < MAX_ENTITIES && !into.contains(&entity) {
        into.push(entity);
    }
}
