//! What must hold for any bytes, one function for each parser of ours.
//!
//! In: bytes from outside, as a fuzzer makes them. Out: nothing, or a panic that names the promise which was broken.
//! `cargo fuzz` runs them from `fuzz/fuzz_targets`; `cargo test` runs them on mutations of the same `fuzz/corpus`.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

use std::convert::Infallible;
use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use crate::address::Address;
use crate::authz::tokens::keys::{Keys, Signed};
use crate::authz::tokens::token::Token;
use crate::entry::chunk::{self, Line};
use crate::entry::client_hello::{self, Hello};
use crate::entry::detect::{self, Spoken};
use crate::entry::frames::{Boundary, Counted};
use crate::entry::framing::{Framing, Stop};
use crate::entry::limits::HeadLimits;
use crate::entry::{head, strict};
use crate::export::coding::Coding;
use crate::export::retry::Verdict;
use crate::export::spool::Spool;
use crate::export::url::Url;
use crate::export::{over_grpc, over_http};
use crate::reasons::Reason;
use crate::recording::b3;
use crate::recording::otlp::Surroundings;
use crate::recording::pad::Pad;
use crate::recording::trace::{Context, mark_state, unmark_state};
use crate::routing::edits::{Redirect, Rewrite};
use crate::routing::mark::cookie;
use crate::routing::matching::Match;
use crate::routing::route;
use crate::routing::templates::{MAX_LENGTH, Templates};
use crate::runtime::plan::Plan;
use crate::snapshot::routes::Route;
use crate::snapshot::{B3, Snapshot};
use crate::tls::security::Security;
use crate::upstream::headers;

/// The framing of a connection does not depend on how its bytes were cut, and the parser behind it refuses none of what was
/// cleared.
pub fn framing(bytes: &[u8]) {
    let whole = cleared_in_pieces(bytes, bytes.len().max(1));
    for size in [1, 3, 64] {
        let pieces = cleared_in_pieces(bytes, size);
        assert_eq!(
            (pieces.0, pieces.1.map(kind)),
            (whole.0, whole.1.map(kind)),
            "in pieces of {size}"
        );
    }
    let (cleared, stop) = whole;
    assert!(cleared <= bytes.len());
    let parsed = parsed_by_hyper(&bytes[..cleared]);
    let broken = matches!(stop, Some(Stop::Break(_)));
    assert!(
        broken || !parsed.refused,
        "hyper refuses what was cleared: {:?}",
        String::from_utf8_lossy(&bytes[..cleared])
    );
}

fn cleared_in_pieces(bytes: &[u8], size: usize) -> (usize, Option<Stop>) {
    let mut framing = Framing::new(HeadLimits::default());
    let (mut done, mut shown) = (0, 0);
    while shown < bytes.len() {
        shown = (shown + size).min(bytes.len());
        let cleared = framing.clear(&bytes[done..shown]);
        done += cleared.bytes;
        if cleared.stop.is_some() {
            return (done, cleared.stop);
        }
    }
    (done, None)
}

/// The words may differ: what is seen of a head first depends on how much of it is there.
fn kind(stop: Stop) -> (std::mem::Discriminant<Stop>, Reason) {
    let (Stop::Answer(fault) | Stop::Withhold(fault) | Stop::Break(fault)) = stop;
    (std::mem::discriminant(&stop), fault.reason)
}

struct Parsed {
    refused: bool,
}

/// Serves these bytes as a connection, with hyper alone.
fn parsed_by_hyper(bytes: &[u8]) -> Parsed {
    let service = service_fn(|request: Request<Incoming>| async {
        // A body that is not there to its end is no fault of the head.
        drop(request.into_body().collect().await);
        Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers");
    let ended = runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(bytes).await.expect("there is room");
        far.shutdown().await.expect("a pipe closes");
        http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(near), service)
            .await
    });
    Parsed {
        refused: ended.is_err_and(|error| error.is_parse()),
    }
}

/// A head that can be read is one for the parser and its URL parser too.
pub fn head(bytes: &[u8]) {
    if head::read(bytes, HeadLimits::default()).is_err() {
        return;
    }
    let mut room = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut room);
    assert!(request.parse(bytes).expect("was read").is_complete());
    assert!(request.path.expect("is complete").parse::<Uri>().is_ok());
    for header in request.headers {
        assert!(HeaderName::from_bytes(header.name.as_bytes()).is_ok());
        assert!(HeaderValue::from_bytes(header.value).is_ok());
    }
}

/// A line is read to its own end, whatever stands behind it.
pub fn chunk(bytes: &[u8]) {
    for read in [chunk::size, chunk::trailer] {
        if let Line::Whole(said, length) = read(bytes) {
            assert!(bytes[..length].ends_with(b"\r\n"));
            assert_eq!(read(&bytes[..length]), Line::Whole(said, length));
            assert_eq!(read(&bytes[..length - 1]), Line::Partial);
        }
    }
}

/// What the first bytes of a connection say does not change when more follow, and a name is one that can be looked up.
pub fn first_bytes(bytes: &[u8]) {
    let mut known = None;
    for end in 0..=bytes.len().min(512) {
        let now = detect::guess(&bytes[..end]);
        if known.is_some() {
            assert_eq!(now, known, "after {end} bytes");
        }
        known = now;
    }
    if let Hello::Names(name) = client_hello::read(bytes) {
        assert!(!name.is_empty() && name.is_ascii() && *name == name.to_ascii_lowercase());
        assert!(matches!(detect::guess(bytes), Some((Spoken::Tls, Some(_)))));
    }
}

/// Frames are counted the same however they were cut.
pub fn frames(bytes: &[u8]) {
    let count = |size: usize| {
        let mut boundary = Boundary::after_preface();
        let sum = bytes.chunks(size).map(|piece| boundary.follow(piece)).fold(
            Counted::default(),
            |sum, more| Counted {
                carrying: sum.carrying + more.carrying,
                idle: sum.idle + more.idle,
            },
        );
        (sum, boundary.is_clean())
    };
    let whole = count(bytes.len().max(1));
    for size in [1, 5, 9] {
        assert_eq!(count(size), whole);
    }
}

/// Whatever a caller says of its trace, the next hop gets a well-formed one.
pub fn trace(bytes: &[u8]) {
    let mut headers = fields(bytes);
    let mut rng = fastrand::Rng::with_seed(1);
    let (context, keep) = Context::of(&headers, &mut rng);
    assert_ne!(context.trace, 0);
    let written = context.header(7, &Pad::default());
    let text = written.to_str().expect("is plain text");
    assert!(text.len() == 55 && text.starts_with("00-"));
    let mut next = HeaderMap::new();
    next.insert("traceparent", written.clone());
    let (read_back, _) = Context::of(&next, &mut rng);
    assert_eq!((read_back.trace, read_back.parent), (context.trace, 7));
    b3::write(B3::Both, &mut next, context, 8, &Pad::default());
    next.remove("traceparent");
    let (read_back, _) = Context::of(&next, &mut rng);
    assert_eq!((read_back.trace, read_back.parent), (context.trace, 8));
    mark_state(&mut headers, 9, keep, &Pad::default());
    assert_eq!(unmark_state(&mut headers, true), Some(9));
}

/// `name: value` lines as headers, the values any bytes that a header may have.
fn fields(bytes: &[u8]) -> HeaderMap {
    let line = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(line[..colon].trim_ascii()).ok()?;
        Some((
            name,
            HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
        ))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in bytes.split(|byte| *byte == b'\n').filter_map(line) {
        headers.append(name, value);
    }
    headers
}

/// What is read as an address, an authority, a URL or a caller's name reads the same when written again.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(address) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()), Some(address));
    }
    if let Some(plain) = route::normal(text) {
        assert!(
            !plain
                .bytes()
                .any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_control())
        );
    }
    if strict::names_host(text) {
        assert!(
            text.parse::<http::uri::Authority>().is_ok(),
            "{text:?} is no authority"
        );
        assert!(!text.contains('@'));
    }
    if let Some(url) = Url::parse(text) {
        assert!(url.path.starts_with('/'));
    }
    if let Ok(value) = HeaderValue::from_str(text)
        && let Some(source) = headers::source(&value)
    {
        assert_eq!(source.join("/"), text);
    }
}

/// A snapshot that is accepted can be served.
pub fn snapshot(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(snapshot) = Snapshot::parse(text)
    {
        let (security, around) = (Security::default(), Surroundings::default());
        let plan = Plan::compile(&snapshot, &security, &around, None, 1, 0);
        assert_eq!(
            Plan::compile(&snapshot, &security, &around, Some(&plan), 2, 1).epoch,
            snapshot.epoch
        );
    }
}

/// The first line is the target of a request, the others its headers: what rules make of it can be sent on.
pub fn routing(bytes: &[u8]) {
    let (target, rest) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(0));
    let Ok(uri) = Uri::try_from(target) else {
        return;
    };
    let headers = fields(rest);
    if let Some(value) = cookie(&headers, "user") {
        assert!(!value.contains(&b';') && value.trim_ascii_end() == value);
    }
    let template = Templates::default().of(uri.path());
    assert!(template.len() <= MAX_LENGTH && template.starts_with(['/', '{']));
    let mut request = Request::new(());
    (*request.uri_mut(), *request.headers_mut()) = (uri.clone(), headers);
    for rule in rules() {
        let matches = Match::of(&rule).expect("is a rule");
        if !matches.holds(request.method(), &uri, request.headers()) {
            continue;
        }
        if let Some(rewrite) = &rule.rewrite {
            let mut sent = request.clone();
            Rewrite::of(rewrite).apply(&mut sent);
            assert!(sent.uri().path().starts_with('/'), "{:?}", sent.uri());
            assert_eq!(sent.uri().query(), uri.query());
        }
        if let Some(redirect) = &rule.redirect {
            let told = Redirect::of(redirect).answer(&uri, "http", "asked:8080");
            let location = told.headers()["location"].to_str().expect("is plain text");
            let location: Uri = location.parse().expect("is a URL");
            assert_eq!(
                location.authority().expect("is whole").as_str(),
                "asked:8080"
            );
        }
    }
}

/// Rules of each kind.
fn rules() -> Vec<Route> {
    let prefix = serde_json::json!({"kind": "prefix", "value": "/a"});
    let cut = serde_json::json!({"path": {"value": "/", "prefix": "/a"}});
    let regex = serde_json::json!({"kind": "regex", "value": "/[a-z]+(/[0-9]+)*"});
    let query = serde_json::json!([{"name": "q", "kind": "regex", "value": ".*"}]);
    let rules = serde_json::json!([
        {"name": "cut", "path": prefix, "rewrite": cut},
        {"name": "led", "path": prefix, "redirect": cut},
        {"name": "by expression", "path": regex, "redirect": {}},
        {"name": "by query", "query": query, "rewrite": {"path": {"value": "/new"}}},
        {"name": "by headers", "headers": [{"name": "x-a", "kind": "regex", "value": ".*"}], "redirect": {}},
    ]);
    serde_json::from_value(rules).expect("are rules")
}

/// A file that an earlier process left: what is whole in it is read back, and in the end none of it waits.
pub fn spool(bytes: &[u8]) {
    let folder = std::env::temp_dir().join(format!("whymesh-fuzz-{:016x}", fastrand::u64(..)));
    std::fs::create_dir(&folder).expect("there is room");
    std::fs::write(folder.join("0000000000000001.spool"), bytes).expect("there is room");
    let (mut spool, _) = Spool::open(&folder, 1 << 30).expect("opens");
    while let Some(read) = spool.front().expect("can be read").transpose() {
        if let Ok(stored) = read {
            assert!(stored.body.len() < bytes.len());
            spool.done(stored.id).expect("can be written");
        }
    }
    assert_eq!(spool.records(), 0);
    std::fs::remove_dir_all(&folder).expect("is ours");
}

/// The first two bytes are the collector's status, the rest its answer.
pub fn otlp_answer(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes(*status)) else {
        return;
    };
    let mut end = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        end.insert("retry-after", value.clone());
        end.insert("grpc-status", status.as_u16().into());
        end.insert("grpc-status-details-bin", value);
    }
    let http = over_http::judge(status, &end, body, Coding::None, UNIX_EPOCH);
    assert_eq!(
        matches!(http, Verdict::Retry { .. }),
        matches!(status.as_u16(), 429 | 502 | 503 | 504)
    );
    let grpc = over_grpc::judge(status, &end, body, Coding::None);
    assert_ne!(grpc, Verdict::Recode, "nothing was compressed");
}

#[cfg(test)]
mod tests;

/// A token is read in one way only, a key set as far as it can be used, and nobody's signature is taken for another's.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (set, presented) = text.split_once('\n').unwrap_or((&text, ""));
    let keys = Keys::parse(set).unwrap_or_default();
    if let Some(token) = Token::parse(presented) {
        assert!(presented.as_bytes().starts_with(token.message));
        let id = token.key.as_deref();
        let made = keys.made(token.algorithm, id, token.message, &token.signature);
        let other = [token.message, b"x"].concat();
        let forged = keys.made(token.algorithm, id, &other, &token.signature);
        assert!(made != Signed::Yes || forged == Signed::No);
    }
}
