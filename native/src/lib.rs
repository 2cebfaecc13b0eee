//! Plain OTLP spans made ready for a store. `timeline.store.ready` is the only caller, and says what is plain;
//! whatever is not comes back as `None` and goes the way written in Python, which both must agree with.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

mod heads;
mod ids;
mod keys;
mod kv;
mod lines;
mod made;
mod maker;
mod pack;
mod promote;
mod rest;
mod tokens;
mod wire;

/// Whether every span is plain and can become a fact, and every attribute is plain.
#[pyfunction]
fn plain(spans: &Bound<'_, PyList>, attributes: &Bound<'_, PyList>) -> PyResult<bool> {
    let ids = |span: &wire::Span<'_>| {
        let (trace, own) = (span.trace_id, span.span_id);
        trace.len() == 16
            && own.len() == 8
            && matches!(span.parent.len(), 0 | 8)
            && trace.iter().any(|byte| *byte != 0)
            && own.iter().any(|byte| *byte != 0)
    };
    for raw in spans.iter() {
        let raw = raw.cast_into::<PyBytes>()?;
        if !wire::span(raw.as_bytes()).is_some_and(|whole| ids(&whole.span)) {
            return Ok(false);
        }
    }
    for raw in attributes.iter() {
        if wire::attribute(raw.cast_into::<PyBytes>()?.as_bytes()).is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[pymodule]
fn throughline_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", 2)?; // what timeline.store.ready expects
    module.add_function(wrap_pyfunction!(plain, module)?)?;
    module.add_class::<maker::Maker>()?;
    module.add_class::<lines::Lines>()?;
    module.add_class::<made::Shared>()?;
    module.add_class::<made::Made>()
}
