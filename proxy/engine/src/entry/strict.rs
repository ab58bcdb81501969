//! Refuses requests that two readers could understand differently; what passes means one thing only.
//!
//! The bytes of HTTP/1 are checked before (head.rs, framing.rs), those of HTTP/2 by its parser; here it is what the parts of
//! a request say of each other.

use std::net::Ipv6Addr;

use http::header::{HOST, UPGRADE};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Version};
use http_body::Body;

use crate::routing::route;
use crate::upstream::headers;

/// What is wrong with a request, in words for its sender, on a connection of that scheme; `None` when it may be forwarded.
#[must_use]
pub fn objection<B: Body>(request: &Request<B>, scheme: &str) -> Option<&'static str> {
    let uri = request.uri();
    if uri.scheme_str().is_some_and(|asked| asked != scheme) {
        return Some("a URL whose scheme is not that of the connection");
    }
    if request
        .method()
        .as_str()
        .bytes()
        .any(|byte| byte.is_ascii_lowercase())
    {
        return Some("a method in small letters, which some readers take for another");
    }
    let authority = uri.authority().map(Authority::as_str);
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or("?"));
    if hosts.next().is_some() {
        return Some("more than one Host header");
    }
    if let Some(problem) = target(request, authority) {
        return Some(problem);
    }
    if !authority.into_iter().chain(host).all(names_host) {
        return Some("a Host that is not host or host:port");
    }
    match (authority, host) {
        (None, None) if request.version() != Version::HTTP_10 => Some("no Host header"),
        (Some(_), None) if request.version() == Version::HTTP_11 => Some("no Host header"),
        (Some(authority), Some(host)) if !same(authority, host) => {
            Some("a Host that differs from the URL's")
        }
        _ => upgrade_with_body(request),
    }
}

/// Each form of target has its own place (RFC 9112, 3.2).
fn target<B>(request: &Request<B>, authority: Option<&str>) -> Option<&'static str> {
    let uri = request.uri();
    let connect = request.method() == Method::CONNECT;
    if authority.is_some() && uri.scheme().is_none() && !connect {
        return Some("a host where the path belongs");
    }
    if connect {
        return None;
    }
    match uri.path() {
        "*" if request.method() != Method::OPTIONS => Some("a path of * in other than OPTIONS"),
        "*" => None,
        path if path.starts_with('/') => None,
        _ => Some("a path that does not begin with a slash"),
    }
}

/// Whether it is `host` or `host:port`, the port a number, an IPv6 address in brackets (RFC 9110, 7.2).
#[must_use]
pub fn names_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    let host_fits = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => !host.contains([':', '[', ']']) && route::normal(host).is_some(),
    };
    port_fits && host_fits
}

fn same(one: &str, other: &str) -> bool {
    one == other || route::normal(one) == route::normal(other)
}

/// Whose bytes are those after the head, the body's or the new protocol's?
fn upgrade_with_body<B: Body>(request: &Request<B>) -> Option<&'static str> {
    if request.body().is_end_stream() {
        return None;
    }
    let upgrade = request
        .headers()
        .get(UPGRADE)
        .filter(|_| headers::asks_upgrade(request.headers()));
    let taken = |protocol: &HeaderValue| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c");
    upgrade
        .is_some_and(taken)
        .then_some("an Upgrade together with a body")
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    fn said(
        method: &str,
        uri: &str,
        version: Version,
        headers: &[(&str, &str)],
    ) -> Option<&'static str> {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        objection(&request.body(Empty::<&[u8]>::new()).unwrap(), "http")
    }

    #[test]
    fn plain_requests_pass() {
        type Case<'a> = (&'a str, &'a str, Version, &'a [(&'a str, &'a str)]);
        let cases: [Case<'_>; 9] = [
            ("GET", "/a?b", Version::HTTP_11, &[("host", "payments:80")]),
            ("GET", "/a?b", Version::HTTP_11, &[("host", "[::1]:80")]),
            (
                "GET",
                "http://payments/a",
                Version::HTTP_11,
                &[("host", "payments")],
            ),
            (
                "GET",
                "http://Payments/a",
                Version::HTTP_11,
                &[("host", "payments:80")],
            ),
            ("GET", "http://payments/a", Version::HTTP_2, &[]),
            (
                "GET",
                "http://payments/a",
                Version::HTTP_2,
                &[("host", "payments")],
            ),
            ("GET", "/", Version::HTTP_10, &[]),
            ("OPTIONS", "*", Version::HTTP_11, &[("host", "payments")]),
            (
                "CONNECT",
                "payments:443",
                Version::HTTP_11,
                &[("host", "payments:443")],
            ),
        ];
        for (method, uri, version, headers) in cases {
            assert_eq!(
                said(method, uri, version, headers),
                None,
                "{uri} {headers:?}"
            );
        }
    }

    #[test]
    fn ambiguous_requests_do_not() {
        type Case<'a> = (&'a str, Version, &'a [(&'a str, &'a str)]);
        let cases: [Case<'_>; 17] = [
            ("/", Version::HTTP_11, &[]),
            ("http://a/", Version::HTTP_11, &[]),
            ("/", Version::HTTP_2, &[]),
            ("/", Version::HTTP_11, &[("host", "a"), ("host", "a")]),
            ("/", Version::HTTP_11, &[("host", "a b")]),
            ("/", Version::HTTP_11, &[("host", "a,b")]),
            ("/", Version::HTTP_11, &[("host", "a:b")]),
            ("/", Version::HTTP_11, &[("host", "a:")]),
            ("/", Version::HTTP_11, &[("host", "a:99999")]),
            ("/", Version::HTTP_11, &[("host", "a:1:2")]),
            ("/", Version::HTTP_11, &[("host", "::1")]),
            ("/", Version::HTTP_11, &[("host", "[a]")]),
            ("/", Version::HTTP_11, &[("host", "")]),
            ("http://u:p@a/", Version::HTTP_11, &[("host", "a")]),
            ("http://a/", Version::HTTP_11, &[("host", "b")]),
            ("http://a/", Version::HTTP_2, &[("host", "b")]),
            ("*", Version::HTTP_11, &[("host", "a")]),
        ];
        for (uri, version, headers) in cases {
            assert!(
                said("GET", uri, version, headers).is_some(),
                "{uri} {headers:?}"
            );
        }
        assert!(said("GET", "ftp://a/", Version::HTTP_11, &[("host", "a")]).is_some());
        let encrypted = Request::get("https://a/").body(Empty::<&[u8]>::new());
        assert!(objection(&encrypted.unwrap(), "http").is_some());
        assert!(said("get", "/", Version::HTTP_11, &[("host", "a")]).is_some());
        assert!(said("GET", "a:80", Version::HTTP_11, &[("host", "a:80")]).is_some());
    }

    #[test]
    fn an_upgrade_has_no_body() {
        let upgrade = |protocol: &str| {
            let request = Request::post("/")
                .header("host", "a")
                .header("connection", "Upgrade")
                .header("upgrade", protocol);
            objection(&request.body(Full::new(&b"x"[..])).unwrap(), "http")
        };
        assert!(upgrade("websocket").is_some());
        assert_eq!(upgrade("h2c"), None, "is not taken up");
    }
}
