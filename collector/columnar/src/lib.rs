//! OTLP request bytes to ClickHouse Native blocks, and nothing in between: no object per span.

mod error;
mod native;
mod otlp;
mod rejects;
mod table;

pub use error::{Error, Result};
pub use native::length::native_block_length;
pub use otlp::body::{Coding, Form};
pub use otlp::count::{Signal, count};
pub use otlp::traces::{Encoded, encode};
pub use rejects::Rejects;
pub use table::MOST_DAYS;

/// The boundary to Python: bytes in, bytes out, the GIL released while they are worked on.
#[cfg(feature = "python")]
#[pyo3::pymodule(name = "_columnar")]
mod python {
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict, PyTuple};
    use pyo3::{create_exception, intern};

    use crate::{Coding, Error, Form, Signal};

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
    struct Encoded {
        #[pyo3(get)]
        block: Py<PyBytes>,
        #[pyo3(get)]
        rows: usize,
        #[pyo3(get)]
        days: Py<PyTuple>,
        #[pyo3(get)]
        rejected: usize,
        #[pyo3(get)]
        causes: Py<PyDict>,
        #[pyo3(get)]
        message: String,
    }

    fn form(json: bool, coding: &str, limit: usize) -> PyResult<Form> {
        let coding = Coding::named(coding)
            .ok_or_else(|| PyValueError::new_err(format!("no such content coding: {coding:?}")))?;
        Ok(Form { json, coding, limit })
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864))]
    fn encode_traces(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
    ) -> PyResult<Encoded> {
        let form = form(json, coding, limit)?;
        let encoded = py.detach(|| crate::encode(body, form))?;
        let causes = PyDict::new(py);
        for (code, count) in encoded.rejects.causes() {
            causes.set_item(code, count)?;
        }
        Ok(Encoded {
            block: PyBytes::new(py, &encoded.block).unbind(),
            rows: encoded.rows,
            days: PyTuple::new(py, encoded.days)?.unbind(),
            rejected: encoded.rejects.total(),
            causes: causes.unbind(),
            message: encoded.rejects.message(),
        })
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864))]
    fn count_data_points(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
    ) -> PyResult<usize> {
        let form = form(json, coding, limit)?;
        Ok(py.detach(|| crate::count(Signal::Metrics, body, form))?)
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864))]
    fn count_log_records(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
    ) -> PyResult<usize> {
        let form = form(json, coding, limit)?;
        Ok(py.detach(|| crate::count(Signal::Logs, body, form))?)
    }

    #[pyfunction]
    fn native_block_length(py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        Ok(py.detach(|| crate::native_block_length(data))?)
    }
}
