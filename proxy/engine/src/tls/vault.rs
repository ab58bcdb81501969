//! The certificates of the workloads that one engine stands beside, by service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::credential::Credential;

#[derive(Default)]
pub struct Vault(Mutex<HashMap<Box<str>, Arc<Credential>>>);

impl Vault {
    /// In the place of what was known of the service before.
    pub fn keep(&self, service: &str, credential: Credential) {
        self.known().insert(service.into(), Arc::new(credential));
    }

    #[must_use]
    pub fn find(&self, service: &str) -> Option<Arc<Credential>> {
        self.known().get(service).cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Credential>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
