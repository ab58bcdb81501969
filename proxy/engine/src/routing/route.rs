//! Finds the service a request means by its authority.
//!
//! In: an authority as a caller wrote it. Out: a service. Never: a service for an authority that no one declared.

use std::borrow::Cow;
use std::collections::HashMap;

const DEFAULT_PORT: &str = ":80";

/// The one spelling of an authority: lower case, without the default port. `None` when it is not host or host:port.
#[must_use]
pub fn normal(authority: &str) -> Option<Cow<'_, str>> {
    let plain = authority.strip_suffix(DEFAULT_PORT).unwrap_or(authority);
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
    };
    if plain.is_empty() || plain.len() > 255 || !plain.bytes().all(allowed) {
        return None;
    }
    if plain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(plain.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(plain))
}

/// Services by every authority that means them.
pub struct Routes<T>(HashMap<Box<str>, T>);

impl<T: Clone> Routes<T> {
    pub fn new<'a>(entries: impl Iterator<Item = (&'a str, T)>) -> Self {
        let known = |(authority, service): (&str, T)| Some((normal(authority)?.into(), service));
        Self(entries.filter_map(known).collect())
    }

    #[must_use]
    pub fn find(&self, authority: &str) -> Option<&T> {
        self.0.get(normal(authority)?.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_one_spelling() {
        let routes =
            Routes::new([("payments", 1), ("payments:8080", 2), ("[::1]:80", 3)].into_iter());
        for (authority, service) in [
            ("payments", Some(1)),
            ("Payments:80", Some(1)),
            ("PAYMENTS:8080", Some(2)),
            ("[::1]", Some(3)),
            ("payments:81", None),
            ("user@payments", None),
            ("", None),
        ] {
            assert_eq!(routes.find(authority).copied(), service, "{authority}");
        }
    }
}
