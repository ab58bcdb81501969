//! Rewrites the headers of a message on its way through: hop-by-hop fields end here (RFC 9110, 7.6.1).

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

pub static MESH_SOURCE: HeaderName = HeaderName::from_static("x-mesh-source");
/// On a request that was sent before, in another attempt.
pub static MESH_RETRY: HeaderName = HeaderName::from_static("mesh-retry");
pub static MESH_REASON: HeaderName = HeaderName::from_static("mesh-reason");
static NOT_IN_TRAILERS: [HeaderName; 30] = [
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    UPGRADE,
    TE,
    TRAILER,
    HOST,
    EXPECT,
    RANGE,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONTENT_RANGE,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
    WWW_AUTHENTICATE,
    COOKIE,
    SET_COOKIE,
    LOCATION,
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("b3"),
    HeaderName::from_static("x-b3-traceid"),
    HeaderName::from_static("x-b3-spanid"),
    HeaderName::from_static("x-b3-parentspanid"),
    HeaderName::from_static("x-b3-sampled"),
    HeaderName::from_static("x-b3-flags"),
    HeaderName::from_static("x-mesh-source"),
    HeaderName::from_static("mesh-reason"),
];
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields that say something of one hop only.
static OF_A_HOP: [HeaderName; 9] = [
    CONNECTION,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    TE,
    EXPECT,
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
];

/// Which of those a message has: one look at its names costs less than a search for each.
#[derive(Clone, Copy)]
struct Present(u16);

impl Present {
    fn in_these(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |seen, name| seen | bit(name)))
    }

    fn has(self, name: &HeaderName) -> bool {
        self.0 & bit(name) != 0
    }

    fn remove(self, names: &[&HeaderName], from: &mut HeaderMap) {
        for name in names.iter().filter(|name| self.has(name)) {
            from.remove(*name);
        }
    }
}

fn bit(name: &HeaderName) -> u16 {
    let place = OF_A_HOP.iter().position(|field| field == name);
    place.map_or(0, |place| 1 << place)
}

/// Removes the hop-by-hop fields and what `Connection` nominates; returns the upgrade that was asked for, if any.
pub fn end_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let present = Present::in_these(headers);
    end(present, headers)
}

fn end(present: Present, headers: &mut HeaderMap) -> Option<HeaderValue> {
    let mut upgrade = None;
    if present.has(&CONNECTION) {
        let nominated: Vec<HeaderName> = nominated(headers).collect();
        if nominated.contains(&UPGRADE) {
            upgrade = headers.get(UPGRADE).cloned();
        }
        for name in nominated.iter().filter(|name| *name != TE && *name != HOST) {
            headers.remove(name);
        }
    }
    let always = [
        &CONNECTION,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ];
    present.remove(&always, headers);
    upgrade
}

/// Whether `Connection` says that `Upgrade` is meant.
#[must_use]
pub fn asks_upgrade(headers: &HeaderMap) -> bool {
    nominated(headers).any(|name| name == UPGRADE)
}

fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|option| !speaks_of_the_connection(option))
        .filter_map(|name| HeaderName::try_from(name).ok())
}

/// Options that nominate no field (RFC 9110, 7.6.1; RFC 9112, 9.3 and C.2.2).
fn speaks_of_the_connection(option: &str) -> bool {
    option.eq_ignore_ascii_case("keep-alive") || option.eq_ignore_ascii_case("close")
}

/// Ends the hop of a request. `TE: trailers` stays in force, an upgrade is asked for again, and `Expect` is met here.
pub fn end_request_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let present = Present::in_these(headers);
    let upgrade = end(present, headers);
    if present.has(&TE) {
        let trailers = headers.get_all(TE).iter().any(wants_trailers);
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    present.remove(&[&PROXY_AUTHORIZATION, &EXPECT], headers);
    // Bytes of HTTP/2 in a tunnel would be requests that nobody checks or records.
    let upgrade = upgrade.filter(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"));
    if let Some(protocol) = &upgrade {
        ask_upgrade(headers, protocol.clone());
    }
    upgrade
}

/// Ends the hop of a response, other than a switch of protocols.
pub fn end_response_hop(headers: &mut HeaderMap) {
    let present = Present::in_these(headers);
    end(present, headers);
    present.remove(&[&PROXY_AUTHENTICATE], headers);
}

/// Writes `Connection: upgrade` and the protocol.
pub fn ask_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Removes from trailers what must stand before a body, or speaks of more than the message (RFC 9110, 6.5.1): framing,
/// routing, who asks, and what the mesh says itself.
#[must_use]
pub fn end_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            for name in &NOT_IN_TRAILERS {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn wants_trailers(value: &HeaderValue) -> bool {
    let parts = value.to_str().unwrap_or("").split(',');
    parts
        .map(|part| part.split(';').next().unwrap_or("").trim())
        .any(|part| part.eq_ignore_ascii_case("trailers"))
}

/// The caller as `x-mesh-source` tells: `service/version/instance`, each a bounded plain name.
#[must_use]
pub fn source(value: &HeaderValue) -> Option<[&str; 3]> {
    let mut parts = value.to_str().ok()?.split('/');
    let source = [parts.next()?, parts.next()?, parts.next()?];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = |part: &&str| (1..=128).contains(&part.len()) && part.bytes().all(plain);
    (parts.next().is_none() && source.iter().all(fits)).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn nominated_and_known_hop_fields_end_here() {
        let mut map = headers(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip, trailers;q=0.5"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
            ("trailer", "x-sum"),
        ]);
        assert_eq!(end_request_hop(&mut map), None);
        assert_eq!(
            map,
            headers(&[("accept", "*/*"), ("trailer", "x-sum"), ("te", "trailers")])
        );
    }

    #[test]
    fn an_upgrade_is_asked_for_again() {
        let mut map = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ]);
        assert_eq!(end_request_hop(&mut map).unwrap(), "websocket");
        assert_eq!(
            map,
            headers(&[("connection", "upgrade"), ("upgrade", "websocket")])
        );
    }

    #[test]
    fn an_upgrade_to_cleartext_http2_is_not() {
        let mut map = headers(&[
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
        ]);
        assert_eq!(end_request_hop(&mut map), None);
        assert!(map.is_empty());
    }

    #[test]
    fn a_nominated_host_stays() {
        let mut map = headers(&[
            ("connection", "host, te"),
            ("host", "a"),
            ("te", "trailers"),
        ]);
        end_request_hop(&mut map);
        assert_eq!(map, headers(&[("host", "a"), ("te", "trailers")]));
    }

    #[test]
    fn trailers_say_nothing_that_counts_before_a_body() {
        let trailers = headers(&[
            ("x-sum", "1"),
            ("grpc-status", "0"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("host", "other"),
            ("authorization", "Basic x"),
            ("x-mesh-source", "a/b/c"),
        ]);
        let left = end_trailers(Frame::trailers(trailers))
            .into_trailers()
            .unwrap();
        assert_eq!(left, headers(&[("x-sum", "1"), ("grpc-status", "0")]));
    }

    #[test]
    fn a_source_is_three_plain_names() {
        assert_eq!(
            source(&HeaderValue::from_static("a/v1/a-1")),
            Some(["a", "v1", "a-1"])
        );
        for text in ["", "a", "a/v1", "a/v1/a-1/x", "a//b", "a/v 1/b", "a/<b>/c"] {
            assert_eq!(source(&text.parse().unwrap()), None, "{text}");
        }
    }
}
