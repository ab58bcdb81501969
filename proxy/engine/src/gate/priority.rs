//! Who is let in before others and who after them, when not all can be.

use http::Request;

use super::asked::AnyOf;
use crate::snapshot::gate::Priority as Policy;
use crate::upstream::headers::MESH_RETRY;

pub struct Priority {
    spared: AnyOf,
    expendable: AnyOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Let in whatever happens, and not counted: a health check that fails because there is much to do makes it worse.
    Spared,
    Ordinary,
    /// Refused first: requests that were sent before, and those that people named.
    Expendable,
}

impl Priority {
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self {
            spared: AnyOf::of(&policy.spared),
            expendable: AnyOf::of(&policy.expendable),
        }
    }

    #[must_use]
    pub fn class<B>(&self, request: &Request<B>) -> Class {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        if self.spared.holds(method, uri, headers) {
            Class::Spared
        } else if headers.contains_key(&MESH_RETRY) || self.expendable.holds(method, uri, headers) {
            Class::Expendable
        } else {
            Class::Ordinary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_checks_come_first_and_retries_last() {
        let policy = serde_json::json!({
            "spared": [{"path": {"kind": "exact", "value": "/healthz"}}],
            "expendable": [{"headers": [{"name": "x-kind", "value": "batch"}]}],
        });
        let priority = Priority::of(&serde_json::from_value(policy).unwrap());
        let class = |path: &str, header: &str| {
            let request = Request::builder().uri(path).header(header, "batch");
            priority.class(&request.body(()).unwrap())
        };
        assert_eq!(class("/healthz", "mesh-retry"), Class::Spared);
        assert_eq!(class("/", "accept"), Class::Ordinary);
        assert_eq!(class("/", "mesh-retry"), Class::Expendable);
        assert_eq!(class("/", "x-kind"), Class::Expendable);
    }
}
