//! Finds what is there for the host that a request asks for.
//!
//! In: hosts, domains (`*.example.com`) and the authority of a request. Out: what is there for that very host, or else for its
//! longest domain, or else for any (Gateway API, `HTTPRoute.spec.hostnames`). Never: a host told apart by its port.

use std::borrow::Cow;
use std::collections::HashMap;

use super::route::normal;
use crate::snapshot::ANY_LABELS;

pub struct Hosts<T> {
    exact: HashMap<Box<str>, T>,
    /// Without the labels that stand for any.
    domains: HashMap<Box<str>, T>,
    any: Option<T>,
}

// === impl Hosts ===

impl<T> Hosts<T> {
    /// `None` is for hosts that no other is for.
    pub fn of<'a>(from: impl Iterator<Item = (Option<&'a str>, T)>) -> Self {
        let mut hosts = Self {
            exact: HashMap::new(),
            domains: HashMap::new(),
            any: None,
        };
        for (host, to) in from {
            match host.map(|host| (host, host.strip_prefix(ANY_LABELS))) {
                None => hosts.any = Some(to),
                Some((_, Some(domain))) => {
                    hosts.domains.insert(domain.into(), to);
                }
                Some((host, None)) => {
                    hosts.exact.insert(host.into(), to);
                }
            }
        }
        hosts
    }

    #[must_use]
    pub fn find(&self, authority: &str) -> Option<&T> {
        let host = host(authority)?;
        let mut domains = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        let of_domain = || domains.find_map(|domain| self.domains.get(domain));
        let found = self.exact.get(&*host).or_else(of_domain);
        found.or(self.any.as_ref())
    }
}

/// The host of an authority in its one spelling: lower case, without a port and the dot of the root.
fn host(authority: &str) -> Option<Cow<'_, str>> {
    let shorten = |text: &str| {
        let end = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host.len(),
            _ => text.len(),
        };
        text[..end].trim_end_matches('.').len()
    };
    Some(match normal(authority)? {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..shorten(text)]),
        Cow::Owned(mut text) => {
            text.truncate(shorten(&text));
            Cow::Owned(text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_host_counts() {
        let hosts = Hosts::of(
            [
                (Some("shop.example.com"), 1),
                (Some("*.example.com"), 2),
                (Some("*.eu.example.com"), 3),
                (None, 4),
            ]
            .into_iter(),
        );
        for (authority, found) in [
            ("shop.example.com", 1),
            ("SHOP.example.com.:8080", 1),
            ("a.example.com", 2),
            ("a.b.example.com:80", 2),
            ("a.eu.example.com", 3),
            ("eu.example.com", 2),
            ("example.com", 4),
            ("notexample.com", 4),
            ("[::1]:80", 4),
            ("[::1]", 4),
        ] {
            assert_eq!(hosts.find(authority), Some(&found), "{authority}");
        }
    }

    #[test]
    fn a_host_that_nothing_is_for_is_unknown() {
        let hosts = Hosts::of([(Some("*.example.com"), 1), (Some("::1"), 2)].into_iter());
        for authority in ["example.com", "", "user@a.example.com", "a.example.com@x"] {
            assert_eq!(hosts.find(authority), None, "{authority}");
        }
    }
}
