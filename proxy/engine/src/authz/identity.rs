//! Who a caller is, and which callers a rule is for.
//!
//! In: the SPIFFE id of a certificate, or a header where the mesh believes it. Out: yes or no. Never: an allocation.

use std::fmt;

use super::glob::Glob;

const SCHEME: &str = "spiffe://";
const LONGEST: usize = 2_048;
/// The namespace of services whose names say none.
const DEFAULT_NAMESPACE: &str = "default";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    Nobody,
    /// The SPIFFE id of a certificate that was checked.
    Proven(&'a str),
    /// A service of this trust domain, by its name in the mesh.
    Claimed {
        domain: &'a str,
        service: &'a str,
    },
}

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Whoever has an id.
    Anyone,
    /// The trust domain, and each segment of the path.
    Parts(Vec<Glob>),
}

// === impl Who ===

impl Who<'_> {
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::Nobody
    }

    #[must_use]
    pub fn is(self, pattern: &Pattern) -> bool {
        match (pattern, self) {
            (_, Self::Nobody) => false,
            (Pattern::Anyone, _) => true,
            (Pattern::Parts(parts), Self::Proven(id)) => id
                .strip_prefix(SCHEME)
                .is_some_and(|id| hold(parts, id.split('/'))),
            (Pattern::Parts(parts), Self::Claimed { domain, service }) => {
                let (service, namespace) = named(service);
                hold(parts, [domain, "ns", namespace, "sa", service].into_iter())
            }
        }
    }
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => to.write_str("without identity"),
            Self::Proven(id) => to.write_str(id),
            Self::Claimed { domain, service } => {
                let (service, namespace) = named(service);
                write!(to, "{SCHEME}{domain}/ns/{namespace}/sa/{service}")
            }
        }
    }
}

/// Service and namespace of a name in the mesh.
fn named(service: &str) -> (&str, &str) {
    service
        .rsplit_once('.')
        .unwrap_or((service, DEFAULT_NAMESPACE))
}

fn hold<'a>(parts: &[Glob], mut segments: impl Iterator<Item = &'a str>) -> bool {
    let each = parts
        .iter()
        .all(|part| segments.next().is_some_and(|segment| part.holds(segment)));
    each && segments.next().is_none()
}

// === impl Pattern ===

impl Pattern {
    /// `None` for what is neither `*` nor a SPIFFE id with at most one `*` in a segment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Anyone);
        }
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'*');
        let segment = |text: &str| {
            let sound = !text.is_empty() && text.bytes().all(allowed);
            sound.then(|| Glob::parse(text))?
        };
        let parts: Option<Vec<Glob>> = text.strip_prefix(SCHEME)?.split('/').map(segment).collect();
        let parts = parts.filter(|parts| parts.len() > 1 && text.len() <= LONGEST)?;
        Some(Self::Parts(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(pattern: &str, who: Who<'_>) -> bool {
        who.is(&Pattern::parse(pattern).unwrap())
    }

    #[test]
    fn a_star_stays_between_two_slashes() {
        let orders = Who::Proven("spiffe://mesh.local/ns/shop/sa/orders");
        for (pattern, holds) in [
            ("*", true),
            ("spiffe://mesh.local/ns/shop/sa/orders", true),
            ("spiffe://mesh.local/ns/shop/sa/*", true),
            ("spiffe://mesh.local/ns/*/sa/ord*", true),
            ("spiffe://*/ns/shop/sa/orders", true),
            ("spiffe://mesh.local/*", false),
            ("spiffe://mesh.local/ns/shop/sa/orders/*", false),
            ("spiffe://other/ns/shop/sa/orders", false),
        ] {
            assert_eq!(is(pattern, orders), holds, "{pattern}");
            assert!(!is(pattern, Who::Nobody));
        }
    }

    #[test]
    fn a_name_of_the_mesh_says_the_namespace_last() {
        let claimed = |service| Who::Claimed {
            domain: "mesh.local",
            service,
        };
        assert!(is(
            "spiffe://mesh.local/ns/default/sa/front",
            claimed("front")
        ));
        assert!(is(
            "spiffe://mesh.local/ns/shop/sa/front",
            claimed("front.shop")
        ));
        assert_eq!(
            claimed("front.shop").to_string(),
            "spiffe://mesh.local/ns/shop/sa/front"
        );
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for text in [
            "",
            "**",
            "orders",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/b*c*",
            "spiffe://a/b c",
        ] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}
