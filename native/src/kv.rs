//! The exact tokens under which a span is found, as `timeline.search.fact_tokens` and `timeline.store.fields` make them.

use pyo3::prelude::*;

use crate::keys::Key;
use crate::made::Shared;
use crate::maker::{child, Known, Maker};
use crate::promote::{Found, CAUSATION, CORRELATION, ID, SYSTEM};
use crate::tokens::{bare, hex, id_shaped, ordered, plain, repr, safe};
use crate::wire::Value;

impl Maker {
    /// All exact tokens: of the built-in fields, the attributes, what they promote to, resource and scope.
    pub fn kv(&self, py: Python<'_>, out: &mut String, shared: &Shared, known: &Known<'_>) -> PyResult<()> {
        let attributes = &known.attributes;
        self.fields(py, out, shared, known)?;
        for (name, value, key) in attributes {
            out.push(' ');
            self.leaf(py, out, name, *value, key)?;
        }
        if !shared.tokens.is_empty() {
            out.push(' ');
            out.push_str(&shared.tokens);
        } else if attributes.is_empty() {
            out.push(' ');
        }
        // then nothing stands between the fields and what comes of links and annotations
        let mut bare_fields = shared.tokens.is_empty() && attributes.is_empty();
        let kafka = known.promoted.text(SYSTEM) == Some("kafka");
        for ((name, key), slot) in self.names[usize::from(kafka)].iter().zip(&known.promoted.fields) {
            let Some((_, found)) = slot else { continue };
            if name.is_empty() || attributes.iter().any(|(key, value, _)| key == name && same(*value, found))
            {
                continue;
            }
            let value = match found {
                Found::Text(text) => Value::Text(text),
                Found::Int(number) => Value::Int(*number),
            };
            out.push(' ');
            match key {
                Some(key) => self.leaf(py, out, name, value, key)?,
                None => self.asked(py, out, name, value)?,
            }
        }
        let linked = known.links.iter().flat_map(|(_, attributes)| attributes);
        for (name, value, key) in linked.chain(known.notes.iter().flat_map(|(_, attributes)| attributes)) {
            if !bare_fields {
                out.push(' ');
            }
            bare_fields = false;
            self.leaf(py, out, name, *value, key)?;
        }
        Ok(())
    }

    fn fields(&self, py: Python<'_>, out: &mut String, shared: &Shared, known: &Known<'_>) -> PyResult<()> {
        let (affixes, span) = (&self.tables.fields, &known.span);
        out.push_str(&shared.fields);
        let parent: &[u8] = if child(span) { span.parent } else { &[] };
        for ((head, end), id) in affixes.iter().zip([span.trace_id, span.span_id, parent]) {
            if !id.is_empty() {
                out.push(' ');
                out.push_str(head);
                hex(out, id);
                out.push_str(end);
            }
        }
        for (link, _) in &known.links {
            let (mut trace, mut address) = (String::new(), String::new());
            hex(&mut trace, link.trace_id);
            hex(&mut address, link.span_id);
            let address = format!("{trace}/{address}");
            self.field(py, out, &affixes[3].0, &trace)?;
            self.field(py, out, &affixes[3].0, &address)?;
        }
        for ((head, _), field) in affixes[4..].iter().zip([ID, CORRELATION, CAUSATION]) {
            if let Some(text) = known.promoted.text(field) {
                self.field(py, out, head, text)?;
            }
        }
        for ((head, _), entities) in affixes[7..].iter().zip([&known.subjects, &known.context]) {
            for (kind, id) in entities {
                self.field(py, out, head, &format!("{kind}:{id}"))?;
            }
        }
        Ok(())
    }

    fn field(&self, py: Python<'_>, out: &mut String, head: &str, value: &str) -> PyResult<()> {
        out.push(' ');
        out.push_str(head);
        if plain(value) {
            safe(out, value);
        } else {
            out.push_str(&self.ask.safe.call1(py, (value,))?.extract::<String>(py)?);
        }
        Ok(())
    }

    /// The tokens of one attribute.
    fn leaf(
        &self,
        py: Python<'_>,
        out: &mut String,
        name: &str,
        value: Value<'_>,
        key: &Key,
    ) -> PyResult<()> {
        match value {
            Value::Text(text) if !plain(text) => self.asked(py, out, name, value)?,
            Value::Text(text) => {
                out.push_str(&key.head);
                safe(out, text);
                if !key.named_id && id_shaped(text) {
                    out.push(' ');
                    bare(out, text);
                }
            }
            Value::Bool(flag) => {
                out.push_str(&key.head);
                out.push_str(if flag { "true" } else { "false" });
            }
            Value::Int(number) => {
                let digits = number.to_string();
                out.push_str(&key.head);
                out.push_str(&digits);
                if !key.named_id && id_shaped(&digits) {
                    out.push(' ');
                    bare(out, &digits);
                }
                places(out, key, number as f64);
            }
            Value::Double(number) => {
                out.push_str(&key.head);
                repr(out, number);
                if number.fract() == 0.0 && number.abs() < 1e16 {
                    out.push(' ');
                    out.push_str(&key.value);
                    out.push_str(&(number as i64).to_string());
                }
                places(out, key, number);
            }
        }
        Ok(())
    }

    fn asked(&self, py: Python<'_>, out: &mut String, name: &str, value: Value<'_>) -> PyResult<()> {
        let asked = &self.ask.attribute;
        let tokens = match value {
            Value::Text(value) => asked.call1(py, (name, value))?,
            Value::Bool(value) => asked.call1(py, (name, value))?,
            Value::Int(value) => asked.call1(py, (name, value))?,
            Value::Double(value) => asked.call1(py, (name, value))?,
        };
        out.push_str(&tokens.extract::<String>(py)?);
        Ok(())
    }
}

/// The tokens by which ranges find a number.
fn places(out: &mut String, key: &Key, number: f64) {
    let digits = format!("{:016x}", ordered(number));
    out.push(' ');
    out.push_str(&key.fine);
    out.push_str(&digits);
    out.push(' ');
    out.push_str(&key.coarse);
    out.push_str(&digits[..5]);
}

/// Whether an attribute says what was promoted, as Python compares.
fn same(value: Value<'_>, found: &Found<'_>) -> bool {
    match (value, found) {
        (Value::Text(value), Found::Text(found)) => value == found,
        (Value::Int(value), Found::Int(found)) => value == *found,
        (Value::Bool(value), Found::Int(found)) => i64::from(value) == *found,
        (Value::Double(value), Found::Int(found)) => value.abs() < 9e15 && value == *found as f64,
        _ => false,
    }
}
