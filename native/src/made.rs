//! What Python sees: what the spans of one scope share, and a span made ready.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::sync::Arc;

use crate::ids::Ids;

/// What every span of one scope of one request has in common.
#[pyclass(frozen)]
pub struct Shared {
    pub digest: Vec<u8>,  // of resource and scope
    pub request: Vec<u8>, // its id, 8 bytes
    pub received: i64,    // ns
    pub before: Vec<u8>,  // packed: workspace, sender, nothing irregular
    pub origin: Vec<u8>,  // packed: service to schema URL
    pub tokens: String,   // of resource and scope
    pub fields: String,   // token of the workspace
    pub workspace: String,
    pub service: String,
    pub environment: String,
    pub receipt: (Py<PyAny>, Py<PyAny>, Py<PyAny>), // workspace, request, sender
    pub maker: Py<PyAny>,                           // resource, service, version, environment
}

#[pymethods]
impl Shared {
    #[new]
    #[pyo3(signature = (*, digest, request, received, before, origin, tokens, fields, workspace, service, environment, receipt, maker))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        digest: Vec<u8>,
        request: Vec<u8>,
        received: i64,
        before: Vec<u8>,
        origin: Vec<u8>,
        tokens: String,
        fields: String,
        workspace: String,
        service: String,
        environment: String,
        receipt: (Py<PyAny>, Py<PyAny>, Py<PyAny>),
        maker: Py<PyAny>,
    ) -> Self {
        Shared {
            digest,
            request,
            received,
            before,
            origin,
            tokens,
            fields,
            workspace,
            service,
            environment,
            receipt,
            maker,
        }
    }
}

/// A span made ready: what a `timeline.domain.Stored` is, with its fact still packed.
#[pyclass(frozen)]
pub struct Made {
    #[pyo3(get)]
    pub receipt: Py<PyAny>,
    #[pyo3(get)]
    pub at: i64,
    #[pyo3(get)]
    pub until: i64,
    #[pyo3(get)]
    pub names: Py<PyTuple>,
    #[pyo3(get)]
    pub kv: String,
    pub text: Arc<str>,
    pub facets: Arc<str>,
    pub ids: Ids,
    pub rest: Vec<u8>,
    pub shared: Py<Shared>,
    pub unpack: Py<PyAny>,
}

#[pymethods]
impl Made {
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }

    #[getter]
    fn facets(&self) -> &str {
        &self.facets
    }

    /// The fact's ids and everything else, as `timeline.store.packing.pack` gives them.
    #[getter]
    fn packed<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        (PyBytes::new(py, &self.ids.joined), PyBytes::new(py, &self.rest))
    }

    /// The fact itself, unpacked anew each time.
    #[getter]
    fn fact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.whole(py)?.getattr(py, "fact")
    }

    /// Resource, service, version and environment of its sender.
    #[getter]
    fn maker(&self, py: Python<'_>) -> Py<PyAny> {
        self.shared.get().maker.clone_ref(py)
    }

    /// The same as a `Stored`.
    fn whole(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.unpack.call1(py, self.packed(py))
    }

    /// The fact with another receipt.
    #[pyo3(signature = (**receipt))]
    fn marked(&self, py: Python<'_>, receipt: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        self.whole(py)?.call_method(py, "marked", (), receipt)
    }
}
