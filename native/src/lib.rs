//! Plain OTLP spans made ready for a store. `timeline.store.ready` is the only caller, and says what is plain;
//! whatever is not comes back as `None` and goes the way written in Python, which both must agree with.

use pyo3::prelude::*;

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

#[pymodule]
fn throughline_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", 1)?; // what timeline.store.ready expects
    module.add_class::<maker::Maker>()?;
    module.add_class::<lines::Lines>()?;
    module.add_class::<made::Shared>()?;
    module.add_class::<made::Made>()
}
