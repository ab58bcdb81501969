//! SPIFFE ids: `spiffe://<trust domain>/<path>` (SPIFFE-ID, section 2).
//!
//! In: text. Out: an id whose parts can be compared byte by byte. Pure. Never: an id that two readers could read in two ways.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

const SCHEME: &str = "spiffe://";
const DEFAULT_NAMESPACE: &str = "default";
const LONGEST: usize = 2_048;
const LONGEST_DOMAIN: usize = 255;

/// Who a proxy is: checked once, then cheap to share.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    /// Where the path begins.
    path: usize,
}

impl SpiffeId {
    /// `None` when it breaks a rule of the standard, or names a trust domain and nobody in it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(SCHEME)?;
        let (domain, path) = rest.split_once('/')?;
        let sound =
            text.len() <= LONGEST && is_trust_domain(domain) && path.split('/').all(is_segment);
        sound.then(|| Self {
            text: text.into(),
            path: SCHEME.len() + domain.len(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// From its first slash on.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }

    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.text[SCHEME.len()..self.path]
    }

    /// The namespace and the service that it names, where it has the form of the mesh's own:
    /// `/ns/<namespace>/sa/<service>`.
    fn workload(&self) -> Option<(&str, &str)> {
        let mut segments = self.text[self.path + 1..].split('/');
        let mut next = || segments.next();
        match (next(), next(), next(), next(), next()) {
            (Some("ns"), Some(namespace), Some("sa"), Some(service), None) => {
                Some((namespace, service))
            }
            _ => None,
        }
    }

    /// Its name among the services of the mesh: bare in the default namespace, with the namespace behind it elsewhere;
    /// the whole id where it is none of the mesh's.
    #[must_use]
    pub fn service(&self) -> Cow<'_, str> {
        match self.workload() {
            None => Cow::Borrowed(&self.text),
            Some((DEFAULT_NAMESPACE, service)) => Cow::Borrowed(service),
            Some((namespace, service)) => Cow::Owned(format!("{service}.{namespace}")),
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

/// Whether it may be the name of a trust domain.
#[must_use]
pub fn is_trust_domain(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    !name.is_empty() && name.len() <= LONGEST_DOMAIN && name.bytes().all(allowed)
}

fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(text, "" | "." | "..") && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_of_the_mesh_is_named_by_namespace_and_service() {
        let id = SpiffeId::parse("spiffe://mesh.local/ns/shop/sa/pay").unwrap();
        assert_eq!(id.trust_domain(), "mesh.local");
        assert_eq!(id.workload(), Some(("shop", "pay")));
        assert_eq!(id.service(), "pay.shop");
        let id = SpiffeId::parse("spiffe://mesh.local/ns/default/sa/pay").unwrap();
        assert_eq!(id.service(), "pay");
        for other in ["/ns/shop/sa/pay/x", "/ns/shop", "/sa/pay/ns/shop"] {
            let id = SpiffeId::parse(&format!("spiffe://mesh.local{other}")).unwrap();
            assert_eq!(id.workload(), None);
            assert_eq!(id.service(), id.as_str());
        }
    }

    #[test]
    fn what_breaks_a_rule_is_no_id() {
        let long = format!("spiffe://a/{}", "b".repeat(LONGEST));
        for text in [
            "",
            "https://a/b",
            "SPIFFE://a/b",
            "spiffe://a",
            "spiffe://a/",
            "spiffe:///b",
            "spiffe://A/b",
            "spiffe://a:1/b",
            "spiffe://u@a/b",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/../b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/%41",
            &long,
            &format!("spiffe://{}/b", "a".repeat(256)),
        ] {
            assert_eq!(SpiffeId::parse(text), None, "{text:?}");
        }
    }
}
