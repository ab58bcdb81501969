//! What a request shows to those who decide about it.
//!
//! In: its head. Out: the same, with the other way in which its path can be read. Never: an allocation for a path that can be
//! read in one way only.

use std::borrow::Cow;

use http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};

use super::identity::Who;

/// Claims of a token that was checked.
pub type Claims = Map<String, Value>;

pub struct Asking<'a> {
    pub who: Who<'a>,
    /// Of the service or the gateway's door.
    pub port: u16,
    /// `None` for a tunnel, whose bytes nobody looks at.
    pub head: Option<Head<'a>>,
    pub claims: Option<&'a Claims>,
}

pub struct Head<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    /// How an application may read the path, where that is not how it is written.
    pub read: Option<String>,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
}

// === impl Head ===

impl<'a> Head<'a> {
    #[must_use]
    pub fn of(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        let path = uri.path();
        Self {
            method,
            path,
            read: is_odd(path).then(|| plain(path)),
            query: uri.query().unwrap_or(""),
            headers,
        }
    }

    /// Every way in which its path can be read.
    pub fn readings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.path).chain(self.read.as_deref())
    }
}

/// Whether there are two ways to read a path.
fn is_odd(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes
        .iter()
        .any(|byte| matches!(byte, b'%' | b';' | b'\\' | b'*'))
        || bytes
            .windows(2)
            .any(|pair| matches!(pair, [b'/', b'/' | b'.']))
}

/// A path with what applications take for the same undone: escapes, parameters of segments, empty segments and dots.
fn plain(path: &str) -> String {
    let decoded = decoded(path).replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or("") {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let slash = if decoded.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", kept.join("/"))
}

fn decoded(path: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    let hex = |byte: u8| char::from(byte).to_digit(16);
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, left @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            bytes.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
            rest = left;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_two_readings_shows_both() {
        for (path, read) in [
            ("/admin", None),
            ("/", None),
            ("/a.b/c-d_e~", None),
            ("/%61dmin", Some("/admin")),
            ("//admin", Some("/admin")),
            ("/x/../admin/", Some("/admin/")),
            ("/x/%2e%2E/admin", Some("/admin")),
            ("/admin;v=1/x", Some("/admin/x")),
            ("/a%2fb", Some("/a/b")),
            ("/x\\..\\admin", Some("/admin")),
            ("/../..", Some("/")),
            ("/a%4", Some("/a%4")),
        ] {
            assert_eq!(is_odd(path).then(|| plain(path)).as_deref(), read, "{path}");
        }
    }
}
