//! REQUEST -> SPAN: the data plane of whymesh.
//!
//! In: one snapshot as JSON. Out: requests carried, spans exported, counters. The modules stand in the order in which a
//! request meets them: `entry` accepts it, `routing` says where it goes, `upstream` carries it, `recording` and `export` tell of it.

mod address;
mod grpc;
mod hash;
pub mod reasons;
pub mod snapshot;
pub mod tls;

pub mod runtime;

mod authz;
mod entry;
mod gate;
mod routing;
mod upstream;

mod export;
pub mod recording;

#[cfg(any(test, fuzzing))]
pub mod fuzz;

/// The boundary to Python, typed in proxy/_engine.pyi.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _engine {
    use std::collections::{BTreeMap, HashMap};
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
    use pyo3::prelude::*;

    use crate::export::view::Window;
    use crate::recording::otlp::Surroundings;
    use crate::runtime::engine::{self, NoView, StartError};
    use crate::runtime::succession;
    use crate::snapshot::{Refused, Snapshot};
    use crate::tls::anchor::Anchor;
    use crate::tls::channel;
    use crate::tls::credential::{Credential, NotUsable};
    use crate::tls::key::{self, KeyError};
    use crate::tls::vault::Vault;

    pyo3::create_exception!(proxy._engine, SnapshotRefused, PyValueError);
    pyo3::create_exception!(proxy._engine, BindError, PyOSError);

    #[pymodule_export]
    const BUILD_PROFILE: &str = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("SnapshotRefused", py.get_type::<SnapshotRefused>())?;
        module.add("BindError", py.get_type::<BindError>())?;
        module.add(
            "ATTRIBUTES",
            crate::recording::otlp::MESH_ATTRIBUTES.to_vec(),
        )?;
        module.add(
            "REASONS",
            crate::reasons::Reason::codes().collect::<Vec<_>>(),
        )
    }

    #[pyfunction]
    fn check(snapshot: &str) -> PyResult<u64> {
        Ok(Snapshot::parse(snapshot)?.epoch)
    }

    #[pyfunction]
    fn check_expression(pattern: &str) -> PyResult<()> {
        match crate::routing::matching::expression(pattern) {
            Ok(_) => Ok(()),
            Err(error) => Err(PyValueError::new_err(format!(
                "not an expression that routes can use: {error}"
            ))),
        }
    }

    #[pyfunction]
    fn check_keys(jwks: &str) -> PyResult<usize> {
        match crate::authz::tokens::keys::Keys::parse(jwks) {
            Ok(keys) => Ok(keys.len()),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    #[pyfunction]
    fn decide(authorization: &str, question: &str) -> PyResult<String> {
        Ok(crate::authz::question::decide(authorization, question)?)
    }

    /// A key and the chain of its certificate, in DER.
    type Shown = (Py<Key>, Vec<Vec<u8>>);

    #[pyfunction]
    fn route_taken(routes: &str, question: &str) -> PyResult<Option<usize>> {
        Ok(crate::routing::question::taken(routes, question)?)
    }

    #[pyclass(frozen)]
    struct Engine(engine::Engine);

    #[pymethods]
    impl Engine {
        #[new]
        #[pyo3(signature = (snapshot, workers = 1, spool = None, replace = None, identities = None, surroundings = None))]
        fn new(
            py: Python<'_>,
            snapshot: &str,
            workers: usize,
            spool: Option<PathBuf>,
            replace: Option<PathBuf>,
            identities: Option<HashMap<String, Shown>>,
            surroundings: Option<BTreeMap<String, String>>,
        ) -> PyResult<Self> {
            let vault = Vault::default();
            for (service, (key, chain)) in identities.into_iter().flatten() {
                vault.keep(&service, Credential::of(&key.get().0, chain)?);
            }
            let surroundings = Surroundings::from(surroundings.unwrap_or_default());
            Ok(Self(py.detach(move || {
                let replace = replace.as_deref();
                engine::Engine::start(snapshot, workers, spool, replace, vault, surroundings)
            })?))
        }

        fn apply(&self, py: Python<'_>, snapshot: &str) -> PyResult<u64> {
            Ok(py.detach(|| self.0.apply(snapshot))?)
        }

        fn flush(&self, traces: Vec<String>) -> PyResult<()> {
            let flushed = self.0.flush(traces);
            flushed.map_err(|error| PyValueError::new_err(error.to_string()))
        }

        fn view(&self, wish: HashMap<String, String>) -> PyResult<View> {
            match self.0.view(wish) {
                Ok(window) => Ok(View(window)),
                Err(error @ NoView::Unclear(_)) => Err(PyValueError::new_err(error.to_string())),
                Err(error @ NoView::Crowded) => Err(PyRuntimeError::new_err(error.to_string())),
            }
        }

        fn flagged(&self, py: Python<'_>, most: usize, timeout_s: f64) -> PyResult<Vec<String>> {
            let patience = seconds(timeout_s)?;
            let traces = py.detach(|| self.0.flagged(most, patience));
            Ok(traces.iter().map(|trace| format!("{trace:032x}")).collect())
        }

        fn stats(&self, py: Python<'_>) -> String {
            py.detach(|| self.0.stats())
        }

        fn problems(&self, py: Python<'_>) -> Vec<String> {
            py.detach(|| self.0.problems())
        }

        fn identify(
            &self,
            py: Python<'_>,
            service: &str,
            key: &Bound<'_, Key>,
            chain: Vec<Vec<u8>>,
        ) -> PyResult<()> {
            let credential = Credential::of(&key.get().0, chain)?;
            py.detach(|| self.0.identify(service, credential));
            Ok(())
        }

        fn denied(&self, py: Python<'_>) -> Vec<String> {
            py.detach(|| self.0.denied())
        }

        fn pass_on(
            &self,
            py: Python<'_>,
            succession: &Succession,
            timeout_s: f64,
        ) -> PyResult<bool> {
            let patience = seconds(timeout_s)?;
            Ok(py.detach(|| self.0.pass_on(&succession.0, patience))?)
        }

        fn drain(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
            let limit = seconds(timeout_s)?;
            Ok(py.detach(|| self.0.drain(limit)))
        }
    }

    #[pyclass(frozen)]
    struct View(Arc<Window>);

    #[pymethods]
    impl View {
        fn read(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<Vec<u8>>> {
            let patience = seconds(timeout_s)?;
            Ok(py.detach(|| self.0.take(patience)))
        }

        fn close(&self) {
            self.0.close();
        }
    }

    #[pyclass(frozen)]
    struct Succession(succession::Succession);

    #[pymethods]
    impl Succession {
        #[new]
        fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
            Ok(Self(
                py.detach(move || succession::Succession::open(&path))?,
            ))
        }
    }

    #[pyclass(frozen)]
    struct Key(key::Key);

    #[pymethods]
    impl Key {
        #[new]
        fn new(py: Python<'_>) -> PyResult<Self> {
            Ok(Self(py.detach(key::Key::generate)?))
        }

        #[expect(
            clippy::needless_pass_by_value,
            reason = "what Python hands over is ours"
        )]
        fn csr(&self, uris: Vec<String>) -> PyResult<Vec<u8>> {
            Ok(self.0.csr(&uris)?)
        }

        fn sign(&self, message: &[u8]) -> PyResult<Vec<u8>> {
            Ok(self.0.sign(message)?)
        }

        fn seal(&self, py: Python<'_>, secret: &[u8]) -> PyResult<Vec<u8>> {
            Ok(py.detach(|| self.0.seal(secret))?)
        }

        #[staticmethod]
        fn unseal(py: Python<'_>, sealed: &[u8], secret: &[u8]) -> PyResult<Self> {
            Ok(Self(py.detach(|| key::Key::unseal(sealed, secret))?))
        }
    }

    #[pyclass(frozen)]
    struct Channel(channel::Channel);

    #[pymethods]
    impl Channel {
        #[new]
        #[pyo3(signature = (host, port, roots, pin, shown, timeout_s))]
        fn new(
            py: Python<'_>,
            host: &str,
            port: u16,
            roots: Vec<Vec<u8>>,
            pin: Option<&[u8]>,
            shown: Option<(Bound<'_, Key>, Vec<Vec<u8>>)>,
            timeout_s: f64,
        ) -> PyResult<Self> {
            let patience = seconds(timeout_s)?;
            let anchor =
                Anchor::of(roots, pin).map_err(|error| PyValueError::new_err(error.to_string()))?;
            let shown = shown
                .map(|(key, chain)| Credential::of(&key.get().0, chain))
                .transpose()?;
            let open = || channel::Channel::open(host, port, anchor, shown.as_ref(), patience);
            Ok(Self(py.detach(open)?))
        }

        fn send(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
            Ok(py.detach(|| self.0.send(data))?)
        }

        fn read(&self, py: Python<'_>, most: usize) -> PyResult<Vec<u8>> {
            Ok(py.detach(|| self.0.read(most))?)
        }
    }

    fn seconds(number: f64) -> PyResult<Duration> {
        Duration::try_from_secs_f64(number)
            .map_err(|_| PyValueError::new_err("timeout_s must be a number of seconds, 0 or more"))
    }

    impl From<Refused> for PyErr {
        fn from(refused: Refused) -> Self {
            SnapshotRefused::new_err(refused.to_string())
        }
    }

    impl From<KeyError> for PyErr {
        fn from(error: KeyError) -> Self {
            PyValueError::new_err(error.to_string())
        }
    }

    impl From<NotUsable> for PyErr {
        fn from(error: NotUsable) -> Self {
            PyValueError::new_err(error.to_string())
        }
    }

    impl From<StartError> for PyErr {
        fn from(error: StartError) -> Self {
            match error {
                StartError::Refused(refused) => refused.into(),
                StartError::Bind(bind) => {
                    BindError::new_err((bind.source.raw_os_error(), bind.to_string()))
                }
                StartError::Thread(_) | StartError::TakeOver(_) => {
                    PyRuntimeError::new_err(error.to_string())
                }
            }
        }
    }
}
