//! Lines that lack the facts themselves, until those are compressed.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::made::Made;
use crate::tokens::four;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const END: &[u8] = b"\"}\n";

type Sizes = Vec<(usize, usize)>; // bytes before and after

/// The start of a fact's lines.
pub struct Head {
    pub fact: Py<Made>,
    pub day: Py<PyString>,
    pub text: String, // up to the fact itself
}

/// A fact ready to be sent, as `timeline.store.elasticsearch.document.Line`.
#[pyclass(frozen, get_all)]
pub struct Line {
    stored: Py<Made>,
    day: Py<PyString>,
    data: Py<PyBytes>,
}

/// The starts of the lines of some facts; nothing in the place of a fact that is not for us.
#[pyclass(frozen)]
pub struct Heads {
    heads: Vec<Option<Head>>,
}

#[pymethods]
impl Heads {
    /// How many there are.
    fn __len__(&self) -> usize {
        self.every().count()
    }

    /// What is to be compressed: the rests of the facts one after the other, and offset and length of each
    /// as `zstandard.BufferWithSegments` wants them.
    fn rests<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let size = self.every().map(|head| head.fact.get().rest.len()).sum();
        let mut segments = Vec::with_capacity(16 * self.heads.len());
        let data = PyBytes::new_with(py, size, |out| {
            let mut start = 0;
            for head in self.every() {
                let rest = &head.fact.get().rest;
                out[start..start + rest.len()].copy_from_slice(rest);
                segments.extend_from_slice(&(start as u64).to_ne_bytes());
                segments.extend_from_slice(&(rest.len() as u64).to_ne_bytes());
                start += rest.len();
            }
            Ok(())
        })?;
        Ok((data, PyBytes::new(py, &segments)))
    }

    /// The lines of each fact, by its rest as dictionary `number` compressed it; and bytes before and after.
    fn lines(
        &self,
        py: Python<'_>,
        number: u8,
        packed: &Bound<'_, PyAny>,
    ) -> PyResult<(Vec<Option<Line>>, Sizes)> {
        let (mut made, mut sizes) = (Vec::with_capacity(self.heads.len()), Vec::new());
        let mut blob = Vec::new();
        for head in &self.heads {
            let Some(head) = head else {
                made.push(None);
                continue;
            };
            let fact = head.fact.get();
            let ids = &fact.ids.joined;
            blob.clear();
            blob.extend_from_slice(&[number, ids.len() as u8]);
            blob.extend_from_slice(ids);
            let rest = packed.get_item(sizes.len())?.call_method0(intern!(py, "tobytes"))?;
            blob.extend_from_slice(rest.cast::<PyBytes>()?.as_bytes());
            sizes.push((fact.rest.len(), blob.len()));
            made.push(Some(line(py, head, &blob)?));
        }
        if packed.len()? != sizes.len() {
            return Err(PyValueError::new_err("more was compressed than there are facts"));
        }
        Ok((made, sizes))
    }

    /// The rest of the fact at this place among those that are here.
    fn rest<'py>(&self, py: Python<'py>, place: usize) -> Option<Bound<'py, PyBytes>> {
        self.every().nth(place).map(|head| PyBytes::new(py, &head.fact.get().rest))
    }
}

impl Heads {
    pub fn new(heads: Vec<Option<Head>>) -> Self {
        Heads { heads }
    }

    fn every(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter().flatten()
    }
}

fn line(py: Python<'_>, head: &Head, blob: &[u8]) -> PyResult<Line> {
    let text = head.text.as_bytes();
    let end = text.len() + blob.len().div_ceil(3) * 4;
    let data = PyBytes::new_with(py, end + END.len(), |out| {
        out[..text.len()].copy_from_slice(text);
        for (to, three) in out[text.len()..end].chunks_exact_mut(4).zip(blob.chunks(3)) {
            to.copy_from_slice(&four(STANDARD, three));
        }
        out[end..].copy_from_slice(END);
        Ok(())
    })?;
    Ok(Line { stored: head.fact.clone_ref(py), day: head.day.clone_ref(py), data: data.unbind() })
}
