//! OUTSIDE -> MESH: makes a request from outside one that services may believe.
//!
//! In: the headers of a request, its client's address. Out: the same without what only the mesh says of itself, and with
//! `x-forwarded-for`, `-proto`, `-host` and `forwarded` (RFC 7239) that say where it came from; its place in a trace. Never: more of
//! what a client says of itself than the trusted proxies before the gateway have written.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::recording::b3;
use crate::recording::trace::{Context, TRACEPARENT, TRACESTATE, unmark_state};
use crate::snapshot::Trace;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Beginnings of the names of what the mesh says itself.
const OURS: [&str; 2] = ["x-mesh-", "mesh-"];

/// What counts of what clients say.
#[derive(Clone, Copy, Debug)]
pub struct Trust {
    pub hops: usize,
    pub trace: Trace,
}

// === impl Trust ===

impl Trust {
    /// The place of a request in a trace; of a trace that is not continued nothing is left.
    pub fn context(self, headers: &mut HeaderMap, rng: &mut fastrand::Rng) -> Context {
        let (context, keep) = match self.trace {
            Trace::Continue => Context::of(headers, rng),
            Trace::Restart => (Context::fresh(rng), false),
        };
        // A client does not know our spans.
        unmark_state(headers, keep);
        if self.trace == Trace::Restart {
            for name in [&TRACEPARENT, &TRACESTATE].into_iter().chain(b3::NAMES) {
                headers.remove(name);
            }
        }
        context
    }

    /// Says where a request came from, and takes away what it may not say.
    pub fn cleanse(
        self,
        headers: &mut HeaderMap,
        client: IpAddr,
        scheme: &str,
        authority: Option<&str>,
    ) {
        remove_ours(headers);
        self.append(headers, &FOR, &client.to_string());
        self.append(headers, &FORWARDED, &element(client, scheme, authority));
        self.tell(headers, &PROTO, scheme);
        self.tell(headers, &HOST, authority.unwrap_or_default());
    }

    /// Each trusted proxy has added one element to a list; what stands before those is a client's word.
    fn append(self, headers: &mut HeaderMap, name: &HeaderName, own: &str) {
        let lines: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let told: Vec<&str> = lines.iter().flat_map(|line| elements(line)).collect();
        let kept = &told[told.len().saturating_sub(self.hops)..];
        let list = kept.iter().copied().chain([own]);
        let list = list.collect::<Vec<_>>().join(", ");
        if let Ok(value) = HeaderValue::try_from(list) {
            headers.insert(name, value);
        }
    }

    fn tell(self, headers: &mut HeaderMap, name: &HeaderName, own: &str) {
        if self.hops > 0 && headers.contains_key(name) {
            return;
        }
        match HeaderValue::try_from(own) {
            Ok(value) if !own.is_empty() => headers.insert(name, value),
            _ => headers.remove(name),
        };
    }
}

/// Removes what only the mesh says, and only to itself.
pub fn remove_ours(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_ours(name))
        .cloned()
        .collect();
    for name in &ours {
        headers.remove(name);
    }
}

fn is_ours(name: &HeaderName) -> bool {
    OURS.iter().any(|begin| name.as_str().starts_with(begin))
}

/// One hop as RFC 7239 writes it (section 4; 6 for IPv6, which is quoted).
fn element(client: IpAddr, scheme: &str, authority: Option<&str>) -> String {
    let by = match client {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    };
    match authority {
        Some(host) => format!("{by};host=\"{host}\";proto={scheme}"),
        None => format!("{by};proto={scheme}"),
    }
}

/// The elements of a list, whose commas do not count in quotes.
fn elements(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(move |c: char| {
        let ends = c == ',' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        ends
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleansed(hops: usize, told: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in told {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trace = Trace::Restart;
        let client = "10.0.0.9".parse().unwrap();
        Trust { hops, trace }.cleanse(&mut headers, client, "http", Some("shop.example.com"));
        headers
    }

    #[test]
    fn nothing_that_a_client_says_of_itself_counts() {
        let headers = cleansed(
            0,
            &[
                ("x-mesh-source", "admin/v1/admin-1"),
                ("mesh-timeout-ms", "1"),
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "admin"),
                ("forwarded", "for=1.1.1.1"),
                ("x-mine", "stays"),
            ],
        );
        assert!(!headers.contains_key("x-mesh-source") && !headers.contains_key("mesh-timeout-ms"));
        assert_eq!(headers["x-forwarded-for"], "10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "shop.example.com");
        let own = "for=10.0.0.9;host=\"shop.example.com\";proto=http";
        assert_eq!(headers["forwarded"], own);
        assert_eq!(headers["x-mine"], "stays");
    }

    #[test]
    fn of_a_trusted_proxy_its_own_word_counts_and_no_other() {
        let headers = cleansed(
            1,
            &[
                ("x-forwarded-for", "6.6.6.6, 1.1.1.1"),
                ("x-forwarded-for", "2.2.2.2"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=6.6.6.6, for=\"a, \\\"b\";proto=https"),
            ],
        );
        assert_eq!(headers["x-forwarded-for"], "2.2.2.2, 10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "https");
        let own = "for=10.0.0.9;host=\"shop.example.com\";proto=http";
        let list = format!("for=\"a, \\\"b\";proto=https, {own}");
        assert_eq!(headers["forwarded"], list.as_str());
    }

    #[test]
    fn an_address_of_ipv6_is_quoted() {
        let client = "fd00::7".parse().unwrap();
        assert_eq!(
            element(client, "http", None),
            "for=\"[fd00::7]\";proto=http"
        );
    }
}
