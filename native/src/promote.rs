//! Attributes as the fields of a message and of an event, as `timeline.ingest.normalise` reads them.

use ahash::AHashMap;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::borrow::Cow;
use std::sync::Arc;

use crate::keys::{Key, Reader};
use crate::wire::Value;

pub const MESSAGE: usize = 15; // fields of a message; those of an event follow
pub const FIELDS: usize = MESSAGE + 8;
const SLOTS: usize = FIELDS + 5; // what something is concluded from stands last
                                 // of a message
pub const SYSTEM: usize = 0;
pub const OPERATION: usize = 1;
pub const DESTINATION: usize = 2;
pub const KEY: usize = 4;
const BODY_SIZE: usize = 9;
const HEADER_BYTES: usize = 10;
const SCHEMA: usize = 11;
const ATTEMPT: usize = 12;
// of an event
pub const SOURCE: usize = MESSAGE;
pub const ID: usize = MESSAGE + 1;
pub const TYPE: usize = MESSAGE + 2;
pub const SUBJECT: usize = MESSAGE + 3;
pub const CORRELATION: usize = MESSAGE + 5;
pub const CAUSATION: usize = MESSAGE + 6;
pub const SEQUENCE: usize = MESSAGE + 7;
// hints
const ENVELOPE: usize = FIELDS;
const ROUTING_KEY: usize = FIELDS + 1;
const QUEUE_URL: usize = FIELDS + 2;
const URL: usize = FIELDS + 3;
const CELERY: usize = FIELDS + 4;
const EXACT: f64 = 9_007_199_254_740_992.0; // doubles below are the integers they seem

const MAX_KNOWN: usize = 4_096;

/// The value of a promoted field.
#[derive(Clone, PartialEq)]
pub enum Found<'a> {
    Text(Cow<'a, str>),
    Int(i64),
}

impl Found<'_> {
    pub fn text(&self) -> Option<&str> {
        match self {
            Found::Text(text) => Some(text),
            Found::Int(_) => None,
        }
    }
}

/// What attributes promote to: fields of a message, then of an event.
pub struct Promoted<'a> {
    pub fields: [Option<(u32, Found<'a>)>; SLOTS],
    pub message: bool,
    pub event: bool,
}

impl Promoted<'_> {
    pub fn text(&self, field: usize) -> Option<&str> {
        self.fields[field].as_ref().and_then(|(_, found)| found.text())
    }
}

/// Reads what can be read; `None` where it is not for us.
pub fn promote<'a>(
    py: Python<'_>,
    attributes: &[(&'a str, Value<'a>, Arc<Key>)],
    kind: &str,
    name: &str,
    readers: &[Py<PyAny>],
    words: &mut AHashMap<(usize, String), Option<String>>,
) -> PyResult<Option<Promoted<'a>>> {
    let mut made = Promoted { fields: std::array::from_fn(|_| None), message: false, event: false };
    for (_, value, key) in attributes {
        let Some(source) = &key.source else { continue };
        if source.field >= SLOTS {
            return Ok(None);
        }
        let found = match source.reader {
            Reader::Text => text(*value),
            Reader::Number => number(*value),
            Reader::Attempt => number(*value).map(|found| found.filter(|found| *found != Found::Int(0))),
            Reader::Retries => match number(*value) {
                Some(Some(Found::Int(i64::MAX))) => None, // one more is no number of ours
                Some(Some(Found::Int(count))) => Some(Some(Found::Int(count + 1))),
                other => other,
            },
            Reader::Word(which) => word(py, *value, which, readers, words)?,
            Reader::Call(which) => call(py, *value, which, readers)?,
        };
        let Some(found) = found else { return Ok(None) };
        let Some(found) = found else { continue };
        let slot = &mut made.fields[source.field];
        if slot.as_ref().is_none_or(|(rank, _)| source.rank < *rank) {
            *slot = Some((source.rank, found));
        }
    }
    conclude(&mut made, kind, name);
    Ok(Some(made))
}

fn conclude(made: &mut Promoted<'_>, kind: &str, name: &str) {
    hints(made);
    made.event = made.fields[MESSAGE..FIELDS].iter().any(Option::is_some);
    let filled = |(field, slot): (usize, &Option<_>)| field != SCHEMA && slot.is_some();
    made.message = made.fields[..MESSAGE].iter().enumerate().any(filled);
    if !made.message {
        made.fields[SCHEMA] = None; // a schema alone is no message
    } else if made.fields[OPERATION].is_none() && matches!(kind, "producer" | "consumer") {
        let taken = if name.ends_with(" receive") { "receive" } else { "process" };
        let operation = if kind == "producer" { "send" } else { taken };
        made.fields[OPERATION] = Some((0, Found::Text(Cow::Borrowed(operation))));
    }
}

/// Fill in what is not said outright.
fn hints(made: &mut Promoted<'_>) {
    let fields = &mut made.fields;
    fn default<'a>(slot: &mut Option<(u32, Found<'a>)>, found: Found<'a>) {
        slot.get_or_insert((0, found));
    }
    let word = |text: &'static str| Found::Text(Cow::Borrowed(text));
    if let Some((_, action)) = fields[CELERY].take() {
        let run = action.text() == Some("run");
        default(&mut fields[SYSTEM], word("celery"));
        default(&mut fields[OPERATION], word(if run { "process" } else { "send" }));
        if run {
            default(&mut fields[ATTEMPT], Found::Int(1)); // its instrumentation leaves out a retry count of 0
        }
    }
    let sqs = fields[SYSTEM].as_ref().is_some_and(|(_, system)| system.text() == Some("aws_sqs"));
    let (routing, queue, url) = (fields[ROUTING_KEY].take(), fields[QUEUE_URL].take(), fields[URL].take());
    if let Some((_, other)) = queue.or(url.filter(|_| sqs)).or(routing) {
        default(&mut fields[DESTINATION], other);
    }
    let size = fields[BODY_SIZE].as_ref().map(|(_, size)| size.clone());
    if let (Some((_, Found::Int(envelope))), Some(Found::Int(size))) = (fields[ENVELOPE].take(), size) {
        if envelope >= size {
            default(&mut fields[HEADER_BYTES], Found::Int(envelope - size));
        }
    }
}

type Read<'a> = Option<Option<Found<'a>>>; // outer: whether it is for us; inner: whether it says something

fn text(value: Value<'_>) -> Read<'_> {
    Some(match value {
        Value::Text("") | Value::Bool(_) => None,
        Value::Text(found) => Some(Found::Text(Cow::Borrowed(found))),
        Value::Int(found) => Some(Found::Text(Cow::Owned(found.to_string()))),
        Value::Double(found) if found.fract() != 0.0 => None,
        Value::Double(found) if found.abs() < EXACT => {
            Some(Found::Text(Cow::Owned((found as i64).to_string())))
        }
        Value::Double(_) => return None,
    })
}

fn number(value: Value<'_>) -> Read<'_> {
    Some(match value {
        Value::Bool(_) => None,
        Value::Int(found) => (found >= 0).then_some(Found::Int(found)),
        Value::Double(found) if found.fract() != 0.0 => None,
        Value::Double(found) if found.abs() < EXACT => {
            let found = found as i64;
            (found >= 0).then_some(Found::Int(found))
        }
        Value::Double(_) => return None,
        Value::Text(found) => {
            let digits = !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit());
            (digits && found.len() < 20).then(|| found.parse().ok()).flatten().map(Found::Int)
        }
    })
}

fn word<'a>(
    py: Python<'_>,
    value: Value<'a>,
    which: usize,
    readers: &[Py<PyAny>],
    words: &mut AHashMap<(usize, String), Option<String>>,
) -> PyResult<Read<'a>> {
    let (Value::Text(text), Some(reader)) = (value, readers.get(which)) else { return Ok(None) };
    let asked = (which, text.to_owned());
    if let Some(known) = words.get(&asked) {
        return Ok(Some(known.clone().map(|found| Found::Text(Cow::Owned(found)))));
    }
    let found: Option<String> = reader.call1(py, (text,))?.extract(py)?;
    if text.len() <= 256 {
        if words.len() >= MAX_KNOWN {
            words.clear();
        }
        words.insert(asked, found.clone());
    }
    Ok(Some(found.map(|found| Found::Text(Cow::Owned(found)))))
}

fn call<'a>(py: Python<'_>, value: Value<'a>, which: usize, readers: &[Py<PyAny>]) -> PyResult<Read<'a>> {
    let (Value::Text(text), Some(reader)) = (value, readers.get(which)) else { return Ok(None) };
    let found = reader.call1(py, (PyString::new(py, text),))?;
    let found: Option<i64> = found.extract(py)?;
    Ok(Some(found.map(Found::Int)))
}
