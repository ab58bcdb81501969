//! Which protocol a connection speaks, by its first bytes.
//!
//! In: a connection. Out: what it speaks, how long it took to tell, and what was read of it. Never: longer than the time
//! allowed.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout};

use crate::entry::client_hello::{self, Hello};
use crate::entry::frames::PREFACE;
use crate::recording::otlp::Attributes;

/// The longest method that HTTP/1 is recognised by, with the blank behind it.
const LONGEST_METHOD: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    Http1,
    Http2,
    Tls,
    Tcp,
}

/// What is known of a connection's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    pub protocol: Spoken,
    /// Microseconds it took to tell; `None` when it was declared.
    pub detect_us: Option<u64>,
    /// That a TLS client asked for.
    pub server_name: Option<Box<str>>,
}

// === impl Spoken ===

impl Spoken {
    /// As in `mesh.protocol`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }

    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http1 | Self::Http2)
    }
}

impl Detected {
    #[must_use]
    pub fn declared(protocol: Spoken) -> Self {
        Self {
            protocol,
            detect_us: None,
            server_name: None,
        }
    }

    /// Told since `start`.
    #[must_use]
    pub fn found(protocol: Spoken, start: Instant) -> Self {
        let took = u64::try_from(start.elapsed().as_micros());
        Self {
            detect_us: Some(took.unwrap_or(u64::MAX)),
            ..Self::declared(protocol)
        }
    }

    /// What it adds to each span of the connection's requests.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.text("mesh.protocol", self.protocol.name());
        if let Some(us) = self.detect_us {
            attributes.number("mesh.detect_us", us);
        }
        attributes
    }
}

/// The protocol that these first bytes are of; `None` while that is open.
#[must_use]
pub fn guess(bytes: &[u8]) -> Option<(Spoken, Option<Box<str>>)> {
    if bytes.starts_with(PREFACE) {
        return Some((Spoken::Http2, None));
    }
    if PREFACE.starts_with(bytes) {
        return None;
    }
    match client_hello::read(bytes) {
        Hello::Names(name) => return Some((Spoken::Tls, Some(name))),
        Hello::Nameless => return Some((Spoken::Tls, None)),
        Hello::Partial => return None,
        Hello::Other => {}
    }
    let method = bytes
        .iter()
        .take(LONGEST_METHOD)
        .position(|byte| *byte == b' ');
    let named = &bytes[..method.unwrap_or(bytes.len().min(LONGEST_METHOD))];
    let token = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    if named.is_empty() || !named.iter().all(token) {
        return Some((Spoken::Tcp, None));
    }
    match (method, bytes.len() < LONGEST_METHOD) {
        (Some(end), _) => request_line(&bytes[end + 1..]),
        (None, true) => None,
        (None, false) => Some((Spoken::Tcp, None)),
    }
}

/// What follows a method: a target, and the name of the protocol.
fn request_line(rest: &[u8]) -> Option<(Spoken, Option<Box<str>>)> {
    const NAME: &[u8] = b"HTTP/1.";
    let target = &rest[..rest.len().min(client_hello::LONGEST)];
    let Some(end) = target.iter().position(|byte| !byte.is_ascii_graphic()) else {
        // A target as long as that is hardly anything else.
        return (target.len() == client_hello::LONGEST).then_some((Spoken::Http1, None));
    };
    let named = &rest[end + 1..];
    let named = &named[..named.len().min(NAME.len())];
    if end == 0 || rest[end] != b' ' || !NAME.starts_with(named) {
        return Some((Spoken::Tcp, None));
    }
    (named == NAME).then_some((Spoken::Http1, None))
}

/// Reads into `held` until the protocol is known, or the time is over; then it is TCP, or TLS whose name never came.
/// When dropped before that, nothing that was read is lost.
pub async fn any(
    stream: &mut (impl AsyncRead + Unpin),
    held: &mut BytesMut,
    limit: Duration,
) -> io::Result<Detected> {
    let start = Instant::now();
    let found = timeout(limit, async {
        loop {
            if let Some(found) = guess(held) {
                return Ok(Some(found));
            }
            held.reserve(2_048);
            if stream.read_buf(held).await? == 0 {
                return Ok::<_, io::Error>(None);
            }
        }
    })
    .await;
    let (protocol, server_name) = match found {
        Ok(found) => found?,
        Err(_) => None,
    }
    .unwrap_or((Spoken::Tcp, None));
    Ok(Detected {
        server_name,
        ..Detected::found(protocol, start)
    })
}

/// Reads just enough to tell HTTP/2 from HTTP/1, beginning with what is there.
pub async fn http(
    stream: &mut (impl AsyncRead + Unpin),
    mut held: BytesMut,
) -> io::Result<BytesMut> {
    held.reserve(2_048);
    while held.len() < PREFACE.len() && PREFACE.starts_with(&held) {
        if stream.read_buf(&mut held).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(bytes: &[u8]) -> Option<Spoken> {
        guess(bytes).map(|(protocol, _)| protocol)
    }

    #[test]
    fn each_protocol_is_known_by_its_first_bytes() {
        let cases: [(&[u8], Option<Spoken>); 16] = [
            (b"", None),
            (b"GET /", None),
            (b"GET / HTTP/1.1", Some(Spoken::Http1)),
            (b"M-SEARCH * HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"CONNECT a:443 HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"PRI * HTTP/2.0\r\n", None),
            (PREFACE, Some(Spoken::Http2)),
            (b"\x16\x03\x01", None),
            (b"\x16\x02", Some(Spoken::Tcp)),
            (b"SSH-2.0-OpenSSH\r\n", Some(Spoken::Tcp)),
            (b"EHLO mail.example\r\n", Some(Spoken::Tcp)),
            (b"USER me\r\n", Some(Spoken::Tcp)),
            (b"GET key\r\n", Some(Spoken::Tcp)),
            (b"*1\r\n$4\r\nPING\r\n", Some(Spoken::Tcp)),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Some(Spoken::Tcp)),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(Spoken::Tcp)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(
                spoken(bytes),
                expected,
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }
}
