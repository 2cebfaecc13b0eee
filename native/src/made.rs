//! What Python sees: what the spans of one scope share, and a span made ready.

use ahash::AHashSet;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
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
    pub receipt_of: Py<PyAny>,                      // makes a receipt
    pub unpack: Py<PyAny>,                          // the packed fact
}

#[pymethods]
impl Shared {
    #[new]
    #[pyo3(signature = (*, digest, request, received, before, origin, tokens, fields, workspace, service, environment, receipt, maker, receipt_of, unpack))]
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
        receipt_of: Py<PyAny>,
        unpack: Py<PyAny>,
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
            receipt_of,
            unpack,
        }
    }
}

/// A span made ready: what a `timeline.domain.Stored` is, with its fact still packed. What Python seldom asks
/// for is made when it does.
#[pyclass(frozen)]
pub struct Made {
    #[pyo3(get)]
    pub at: i64,
    #[pyo3(get)]
    pub until: i64,
    #[pyo3(get)]
    pub kv: String,
    pub text: Arc<str>,
    pub facets: Arc<str>,
    pub names: Vec<String>,
    pub ids: Ids,
    pub rest: Vec<u8>,
    pub position: usize,
    pub sampled: bool,
    pub receipt: PyOnceLock<Py<PyAny>>,
    pub shared: Py<Shared>,
}

#[pymethods]
impl Made {
    #[getter]
    fn id(&self) -> &str {
        &self.ids.id
    }

    #[getter]
    fn receipt<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        Ok(self.receipt.get_or_try_init(py, || self.new_receipt(py))?.bind(py))
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.names)
    }

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
        self.shared.get().unpack.call1(py, self.packed(py))
    }

    /// The fact with another receipt.
    #[pyo3(signature = (**receipt))]
    fn marked(&self, py: Python<'_>, receipt: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        self.whole(py)?.call_method(py, "marked", (), receipt)
    }

    /// Of the facts from `start` on that are of the same scope as this one: how many, when the last was over,
    /// whether any says that its sender samples, and their entities, each once.
    fn run<'py>(
        &self,
        py: Python<'py>,
        facts: &Bound<'py, PyList>,
        start: usize,
    ) -> PyResult<(usize, i64, bool, Bound<'py, PyList>)> {
        let (mut count, mut until, mut sampled) = (0, i64::MIN, false);
        let (mut known, names) = (AHashSet::new(), PyList::empty(py));
        for place in start..facts.len() {
            let Ok(fact) = facts.get_item(place)?.cast_into::<Made>() else { break };
            let fact = fact.get();
            if !fact.shared.is(&self.shared) {
                break;
            }
            count += 1;
            until = until.max(fact.until);
            sampled |= fact.sampled;
            for name in &fact.names {
                if !known.contains(name.as_str()) {
                    known.insert(name.clone());
                    names.append(name)?;
                }
            }
        }
        Ok((count, until, sampled, names))
    }
}

impl Made {
    fn new_receipt(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (shared, ids) = (self.shared.get(), &self.ids);
        let (workspace, request, sender) = &shared.receipt;
        let (id, identity, content, tie) = (&ids.id, &ids.identity, &ids.content, ids.tie);
        let (received, position) = (shared.received, self.position);
        shared.receipt_of.call1(
            py,
            (
                id,
                identity,
                content,
                tie,
                workspace,
                received,
                request,
                position,
                sender,
                false,
                false,
                self.sampled,
            ),
        )
    }
}
