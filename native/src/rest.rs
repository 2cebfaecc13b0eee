//! A span as `timeline.store.packing` packs it, and the hash of what it says.

use xxhash_rust::xxh3::xxh3_128;

use crate::made::Shared;
use crate::maker::{Attribute, Known};
use crate::pack::Out;
use crate::promote::{Found, FIELDS as PROMOTED, MESSAGE};
use crate::wire::{Link, Note, Value};

const SAMPLED: i64 = 4; // marks
const LATER: i64 = 8;
const FIELDS: usize = 26; // of a packed fact
const EVENT: usize = PROMOTED - MESSAGE;

/// The content hash, as `identity.content_of` makes it of the same parts.
pub fn content(out: &mut Out, shared: &Shared, known: &Known<'_>, undropped: &[u8]) -> [u8; 16] {
    let span = &known.span;
    out.0.clear();
    out.array(16);
    out.bytes(&shared.digest);
    out.hex(span.trace_id);
    out.hex(span.span_id);
    out.bytes(span.parent);
    out.text(span.name);
    out.uint(span.kind);
    out.uint(span.start);
    out.uint(span.end);
    out.uint(span.status);
    out.text(span.message);
    out.text(span.state);
    out.uint(u64::from(span.flags));
    sorted(out, &known.attributes);
    out.array(known.links.len());
    for (link, attributes) in &known.links {
        linked(out, link, attributes);
    }
    out.array(known.notes.len());
    for (note, attributes) in &known.notes {
        noted(out, note, attributes);
    }
    out.raw(undropped);
    xxh3_128(&out.0).to_be_bytes()
}

/// A link as its fields by name, in order, without those that say nothing.
fn linked(out: &mut Out, link: &Link<'_>, attributes: &[Attribute<'_>]) {
    let (any, flagged, state) = (!attributes.is_empty(), link.flags != 0, !link.state.is_empty());
    out.map(1 + usize::from(any) + usize::from(flagged) + usize::from(state));
    if any {
        out.text("attributes");
        sorted(out, attributes);
    }
    if flagged {
        out.text("flags");
        out.uint(u64::from(link.flags));
    }
    out.text("ref");
    out.map(2);
    out.text("span_id");
    out.hex(link.span_id);
    out.text("trace_id");
    out.hex(link.trace_id);
    if state {
        out.text("trace_state");
        out.text(link.state);
    }
}

/// An annotation in the same way.
fn noted(out: &mut Out, note: &Note<'_>, attributes: &[Attribute<'_>]) {
    out.map(2 + usize::from(!attributes.is_empty()));
    out.text("at");
    moment(out, note.at);
    if !attributes.is_empty() {
        out.text("attributes");
        sorted(out, attributes);
    }
    out.text("name");
    out.text(note.name);
}

/// Everything but the ids.
pub fn packed(out: &mut Out, shared: &Shared, known: &Known<'_>, position: usize, sampled: bool) -> Vec<u8> {
    let span = &known.span;
    out.0.clear();
    out.array(FIELDS);
    out.int(shared.received - span.start as i64);
    out.uint(position as u64);
    out.int(LATER | if sampled { SAMPLED } else { 0 });
    out.raw(&shared.before);
    out.text(known.kind);
    out.text(span.name);
    out.raw(&shared.origin);
    out.uint(u64::from(span.flags));
    out.uint(span.start);
    out.int(span.end as i64 - span.start as i64);
    out.nil(); // its ids stand apart
    out.nil(); // nothing was dropped
    let (message, others) = known.promoted.fields.split_at(MESSAGE);
    fields(out, known.promoted.message, message);
    fields(out, known.promoted.event, &others[..EVENT]);
    for entities in [&known.subjects, &known.context] {
        out.array(2 * entities.len());
        for (kind, name) in entities {
            out.text(kind);
            out.text(name);
        }
    }
    as_sent(out, &known.attributes);
    more(out, known);
    out.0.clone()
}

/// The fields of a message or event up to its last one.
fn fields(out: &mut Out, any: bool, fields: &[Option<(u32, Found<'_>)>]) {
    if !any {
        return out.nil();
    }
    let size = fields.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    out.array(size);
    for field in &fields[..size] {
        match field {
            None => out.nil(),
            Some((_, Found::Text(text))) => out.text(text),
            Some((_, Found::Int(number))) => out.int(*number),
        }
    }
}

/// What few spans have.
fn more(out: &mut Out, known: &Known<'_>) {
    let span = &known.span;
    let said = !(span.state.is_empty() && span.message.is_empty());
    if known.status == "unset" && !said && known.links.is_empty() && known.notes.is_empty() {
        return out.nil();
    }
    out.array(8);
    out.int(0); // of a span
    out.nil(); // its end follows from how long it took
    out.nil(); // its parent stands among the ids
    out.text(known.status);
    out.text(span.message);
    out.text(span.state);
    out.array(known.links.len());
    for (link, attributes) in &known.links {
        out.array(6);
        out.hex(link.trace_id);
        out.hex(link.span_id);
        as_sent(out, attributes);
        out.text(link.state);
        out.uint(u64::from(link.flags));
        out.int(0); // nothing was dropped
    }
    out.array(known.notes.len());
    for (note, attributes) in &known.notes {
        out.array(4);
        moment(out, note.at);
        out.text(note.name);
        as_sent(out, attributes);
        out.int(0); // nothing was dropped
    }
}

fn moment(out: &mut Out, at: u64) {
    if at == 0 {
        out.nil();
    } else {
        out.uint(at);
    }
}

fn as_sent(out: &mut Out, attributes: &[Attribute<'_>]) {
    out.map(attributes.len());
    for (name, value, _) in attributes {
        out.text(name);
        scalar(out, *value);
    }
}

fn sorted(out: &mut Out, attributes: &[Attribute<'_>]) {
    let mut every: Vec<_> = attributes.iter().collect();
    every.sort_unstable_by_key(|(name, _, _)| *name);
    out.map(every.len());
    for (name, value, _) in every {
        out.text(name);
        scalar(out, *value);
    }
}

fn scalar(out: &mut Out, value: Value<'_>) {
    match value {
        Value::Text(text) => out.text(text),
        Value::Bool(flag) => out.bool(flag),
        Value::Int(number) => out.int(number),
        Value::Double(number) => out.double(number),
    }
}
