//! Says whether a request is one of those that a part of a policy is for.

use http::{HeaderMap, Method, Uri};

use crate::routing::matching::Match;
use crate::snapshot::gate::Asked;

/// Any of them; of none, no request is one.
pub struct AnyOf(Vec<Match>);

impl AnyOf {
    #[must_use]
    pub fn of(asked: &[Asked]) -> Self {
        let matches = asked.iter().filter_map(|one| {
            let (path, method) = (one.path.as_ref(), one.method.as_deref());
            Match::new(path, method, &one.headers, &one.query)
        });
        Self(matches.collect())
    }

    #[must_use]
    pub fn holds(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        self.0.iter().any(|one| one.holds(method, uri, headers))
    }
}
