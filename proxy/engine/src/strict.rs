//! Refuses requests that two readers could understand differently; what passes means one thing only.
//!
//! The parser below has already refused what is not HTTP at all (bare CR, obs-fold, space before a colon, bad chunks).

use http::header::{HOST, TRANSFER_ENCODING};
use http::{Request, Version};

use crate::framing::Ambiguity;
use crate::route;

/// What is wrong with a request, in words for its sender; `None` when it may be forwarded.
///
/// `framing` is what was found in the bytes of its connection, which the parser has made one meaning of.
#[must_use]
pub fn objection<B>(request: &Request<B>, framing: Option<Ambiguity>) -> Option<&'static str> {
    if let Some(ambiguity) = framing {
        return Some(ambiguity.text());
    }
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Some("more than one Host header");
    }
    if headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some("a Transfer-Encoding other than chunked");
    }
    if headers.get_all(TRANSFER_ENCODING).iter().nth(1).is_some() {
        return Some("more than one Transfer-Encoding");
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    if request
        .uri()
        .scheme_str()
        .is_some_and(|scheme| scheme != "http")
    {
        return Some("a URL whose scheme is not http");
    }
    let host = host.map(|host| host.to_str().unwrap_or("?"));
    for name in [authority, host].into_iter().flatten() {
        if route::normal(name).is_none() {
            return Some("a Host that is not host or host:port");
        }
    }
    match (request.version(), authority, host) {
        (Version::HTTP_11, _, None) => Some("no Host header"),
        (Version::HTTP_2, Some(authority), Some(host)) if authority != host => {
            Some("a Host that differs from :authority")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(uri: &str, version: Version, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        objection(&request.body(()).unwrap(), None)
    }

    #[test]
    fn plain_requests_pass() {
        assert_eq!(
            said("/a?b", Version::HTTP_11, &[("host", "payments:80")]),
            None
        );
        assert_eq!(
            said(
                "http://payments/a",
                Version::HTTP_11,
                &[("host", "payments")]
            ),
            None
        );
        assert_eq!(said("http://payments/a", Version::HTTP_2, &[]), None);
        assert_eq!(said("/", Version::HTTP_10, &[]), None);
    }

    #[test]
    fn ambiguous_requests_do_not() {
        type Case<'a> = (&'a str, Version, &'a [(&'a str, &'a str)]);
        let cases: [Case<'_>; 8] = [
            ("/", Version::HTTP_11, &[]),
            ("/", Version::HTTP_11, &[("host", "a"), ("host", "a")]),
            ("/", Version::HTTP_11, &[("host", "a b")]),
            ("/", Version::HTTP_11, &[("host", "")]),
            (
                "/",
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
            ),
            ("http://u:p@a/", Version::HTTP_11, &[("host", "a")]),
            ("ftp://a/", Version::HTTP_11, &[("host", "a")]),
            ("http://a/", Version::HTTP_2, &[("host", "b")]),
        ];
        for (uri, version, headers) in cases {
            assert!(said(uri, version, headers).is_some(), "{uri} {headers:?}");
        }
    }
}
