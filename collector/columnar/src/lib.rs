//! OTLP request bytes to ClickHouse Native blocks, and nothing in between: no object per item.

mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod native;
mod otlp;
mod redact;
mod rejects;
mod table;

pub use error::{Error, Result};
pub use native::length::native_block_length;
pub use otlp::body::{Coding, Form};
pub use otlp::logs::encode as encode_logs;
pub use otlp::metrics::encode as encode_metrics;
pub use otlp::traces::encode as encode_traces;
pub use otlp::walk::Encoded;
pub use redact::rules::Rules;
pub use rejects::Rejects;
pub use table::{MOST_DAYS, TableBlock};

/// The boundary to Python: bytes in, bytes out, the GIL released while they are worked on.
#[cfg(feature = "python")]
#[pyo3::pymodule(name = "_columnar")]
mod python {
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict, PyTuple};
    use pyo3::{create_exception, intern};

    use crate::{Coding, Error, Form};

    create_exception!(collector._columnar, DecodeError, PyValueError);
    create_exception!(collector._columnar, TooLarge, PyValueError);

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("BUILD_PROFILE", if cfg!(debug_assertions) { "debug" } else { "release" })?;
        module.add("MOST_DAYS", crate::MOST_DAYS)?;
        for error in [py.get_type::<DecodeError>(), py.get_type::<TooLarge>()] {
            module.add(error.getattr(intern!(py, "__name__"))?.extract::<String>()?.as_str(), error)?;
        }
        Ok(())
    }

    impl From<Error> for PyErr {
        fn from(error: Error) -> Self {
            match error {
                Error::Malformed { .. } => DecodeError::new_err(error.to_string()),
                Error::TooLarge(what) => TooLarge::new_err(what),
            }
        }
    }

    #[pyclass(frozen, module = "collector._columnar")]
    struct Block {
        #[pyo3(get)]
        table: &'static str,
        #[pyo3(get)]
        data: Py<PyBytes>,
        #[pyo3(get)]
        rows: usize,
        #[pyo3(get)]
        day: u32,
    }

    #[pyclass(frozen, module = "collector._columnar")]
    struct Encoded {
        #[pyo3(get)]
        blocks: Py<PyTuple>,
        #[pyo3(get)]
        rejected: usize,
        #[pyo3(get)]
        causes: Py<PyDict>,
        #[pyo3(get)]
        message: String,
        #[pyo3(get)]
        redacted: Py<PyDict>,
    }

    #[pyclass(frozen, module = "collector._columnar")]
    struct Rules(crate::Rules);

    #[pymethods]
    impl Rules {
        #[new]
        fn new(json: &str) -> PyResult<Self> {
            crate::Rules::read(json).map(Self).map_err(PyValueError::new_err)
        }
    }

    fn encoded(py: Python<'_>, encoded: crate::Encoded) -> PyResult<Encoded> {
        let causes = PyDict::new(py);
        for (code, count) in encoded.rejects.causes() {
            causes.set_item(code, count)?;
        }
        let redacted = PyDict::new(py);
        for (rule, count) in encoded.redacted {
            redacted.set_item(rule, count)?;
        }
        let block = |block: crate::TableBlock| {
            let data = PyBytes::new(py, &block.data).unbind();
            Py::new(py, Block { table: block.table, data, rows: block.rows, day: block.day })
        };
        let blocks = encoded.blocks.into_iter().map(block).collect::<PyResult<Vec<_>>>()?;
        Ok(Encoded {
            blocks: PyTuple::new(py, blocks)?.unbind(),
            rejected: encoded.rejects.total(),
            causes: causes.unbind(),
            message: encoded.rejects.message(),
            redacted: redacted.unbind(),
        })
    }

    fn form(json: bool, coding: &str, limit: usize) -> PyResult<Form> {
        let coding = Coding::named(coding)
            .ok_or_else(|| PyValueError::new_err(format!("no such content coding: {coding:?}")))?;
        Ok(Form { json, coding, limit })
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864, rules = None))]
    fn encode_traces(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
        rules: Option<&Bound<'_, Rules>>,
    ) -> PyResult<Encoded> {
        let rules = rules.map(|rules| &rules.get().0);
        let form = form(json, coding, limit)?;
        encoded(py, py.detach(|| crate::encode_traces(body, form, rules))?)
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864, rules = None))]
    fn encode_metrics(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
        rules: Option<&Bound<'_, Rules>>,
    ) -> PyResult<Encoded> {
        let rules = rules.map(|rules| &rules.get().0);
        let form = form(json, coding, limit)?;
        encoded(py, py.detach(|| crate::encode_metrics(body, form, rules))?)
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, received_ns, json = false, coding = "identity", limit = 67_108_864, rules = None))]
    fn encode_logs(
        py: Python<'_>,
        body: &[u8],
        received_ns: u64,
        json: bool,
        coding: &str,
        limit: usize,
        rules: Option<&Bound<'_, Rules>>,
    ) -> PyResult<Encoded> {
        let rules = rules.map(|rules| &rules.get().0);
        let form = form(json, coding, limit)?;
        encoded(py, py.detach(|| crate::encode_logs(body, form, received_ns, rules))?)
    }

    #[pyfunction]
    fn native_block_length(py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        Ok(py.detach(|| crate::native_block_length(data))?)
    }
}
