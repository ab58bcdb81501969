//! OTLP request bytes to ClickHouse Native blocks, and nothing in between: no object per item.

mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod native;
mod otlp;
mod redact;
mod rejects;
mod table;
mod tail;

pub use error::{Error, Result};
pub use native::length::{native_block_length, native_columns};
pub use native::revision::native_blocks_at;
pub use otlp::body::{Coding, Form};
pub use otlp::logs::encode as encode_logs;
pub use otlp::metrics::encode as encode_metrics;
pub use otlp::traces::{encode as encode_traces, encode_decided, encode_with_facts};
pub use otlp::walk::Encoded;
pub use redact::rules::Rules;
pub use rejects::Rejects;
pub use table::{MOST_DAYS, TableBlock};
pub use tail::facts::{Facts, Why};
pub use tail::traces::{Tail, Tally, Terms};
pub use tail::verdict::Verdict;

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
        #[pyo3(get)]
        facts: Option<Py<Facts>>,
    }

    #[pyclass(frozen, module = "collector._columnar")]
    struct Facts(crate::Facts);

    #[pyclass(frozen, module = "collector._columnar")]
    struct Rules(crate::Rules);

    #[pymethods]
    impl Rules {
        #[new]
        fn new(json: &str) -> PyResult<Self> {
            crate::Rules::read(json).map(Self).map_err(PyValueError::new_err)
        }
    }

    #[pyclass(module = "collector._columnar")]
    struct Tail(crate::Tail);

    #[pymethods]
    impl Tail {
        #[new]
        fn new(json: &str) -> PyResult<Self> {
            let terms =
                serde_json::from_str(json).map_err(|error| PyValueError::new_err(error.to_string()))?;
            Ok(Self(crate::Tail::new(terms)))
        }

        fn see(&mut self, number: u64, bytes: u64, facts: &Bound<'_, Facts>, now_ns: u64) {
            self.0.see(number, bytes, &facts.get().0, now_ns);
        }

        fn due(&mut self, py: Python<'_>, now_ns: u64) -> Vec<(u64, Py<PyBytes>)> {
            let due = py.detach(|| self.0.due(now_ns));
            due.into_iter()
                .map(|(number, verdict)| (number, PyBytes::new(py, &verdict.to_bytes()).unbind()))
                .collect()
        }

        #[expect(clippy::needless_pass_by_value, reason = "made for this call from what Python has")]
        fn name(&mut self, traces: Vec<String>) {
            self.0.name(traces.iter().filter_map(|trace| u128::from_str_radix(trace, 16).ok()));
        }

        fn waiting(&self) -> (u64, u64, u64, u64) {
            self.0.waiting().into()
        }

        /// Traces by what was decided and why; then spans by what was decided, those decided early, those late.
        fn tally<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
            let tally = self.0.tally();
            let counts = PyDict::new(py);
            for why in crate::Why::ALL {
                counts.set_item(why.code(), tally.kept[why as usize])?;
            }
            for (name, count) in [
                ("sampled", tally.sampled),
                ("left_out", tally.left_out),
                ("early", tally.early),
                ("late_spans", tally.late_spans),
                ("kept_spans", tally.kept_spans),
                ("sampled_spans", tally.sampled_spans),
                ("left_out_spans", tally.left_out_spans),
            ] {
                counts.set_item(name, count)?;
            }
            Ok(counts)
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
            facts: None,
        })
    }

    fn form(json: bool, coding: &str, limit: usize) -> PyResult<Form> {
        let coding = Coding::named(coding)
            .ok_or_else(|| PyValueError::new_err(format!("no such content coding: {coding:?}")))?;
        Ok(Form { json, coding, limit })
    }

    #[pyfunction]
    #[pyo3(signature = (body, *, json = false, coding = "identity", limit = 67_108_864, rules = None, facts = false, verdict = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn encode_traces(
        py: Python<'_>,
        body: &[u8],
        json: bool,
        coding: &str,
        limit: usize,
        rules: Option<&Bound<'_, Rules>>,
        facts: bool,
        verdict: Option<&[u8]>,
    ) -> PyResult<Encoded> {
        let rules = rules.map(|rules| &rules.get().0);
        let form = form(json, coding, limit)?;
        if let Some(verdict) = verdict {
            let verdict = crate::Verdict::read(verdict)
                .ok_or_else(|| PyValueError::new_err("these bytes are no verdict"))?;
            return encoded(py, py.detach(|| crate::encode_decided(body, form, rules, &verdict))?);
        }
        if facts {
            let (blocks, facts) = py.detach(|| crate::encode_with_facts(body, form, rules))?;
            let encoded = encoded(py, blocks)?;
            return Ok(Encoded { facts: Some(Py::new(py, Facts(facts))?), ..encoded });
        }
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
    fn native_columns(py: Python<'_>, data: &[u8]) -> PyResult<Vec<(String, String)>> {
        Ok(py.detach(|| crate::native_columns(data))?)
    }

    #[pyfunction]
    fn native_blocks_at(py: Python<'_>, data: &[u8], revision: u64) -> PyResult<Py<PyBytes>> {
        let blocks = py.detach(|| crate::native_blocks_at(data, revision))?;
        Ok(PyBytes::new(py, &blocks).unbind())
    }

    #[pyfunction]
    fn native_block_length(py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        Ok(py.detach(|| crate::native_block_length(data))?)
    }
}
