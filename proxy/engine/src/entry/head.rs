//! Reads the head of one HTTP/1 request and says how its body ends, or why the request goes no further.
//!
//! In: the bytes of a whole head, from the request line to the empty line (RFC 9112, 2 to 6). Out: the framing of what
//! follows. Never: a head that the parser behind it would refuse, so that every refusal is worded here.

use std::mem::MaybeUninit;

use http::Uri;
use httparse::{Header, Request};

use crate::entry::fault::Fault;
use crate::entry::limits::HeadLimits;

/// A method is shorter than this, and with it how far into garbage one must look.
pub const METHOD: usize = 32;
/// Headers that are parsed without an allocation.
const INLINE_HEADERS: usize = 128;
/// A longer number is no length that any body has.
const LENGTH_DIGITS: usize = 18;

/// How a body ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    AtOnce,
    After(u64),
    Chunked,
}

/// A head that can be read; with a fault it may be read in more than one way, so it is answered and not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub ending: Ending,
    pub fault: Option<Fault>,
}

/// What the header lines say of the body.
#[derive(Default)]
struct Said {
    lengths: u32,
    length: u64,
    encodings: u32,
    plainly_chunked: bool,
    hosts: u32,
}

/// Reads a whole head; the error is one that leaves nothing to answer in detail.
pub fn read(bytes: &[u8], limits: HeadLimits) -> Result<Head, Fault> {
    if limits.headers <= INLINE_HEADERS {
        let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; INLINE_HEADERS];
        return parse(bytes, limits, &mut room[..limits.headers]);
    }
    let mut room = vec![MaybeUninit::uninit(); limits.headers];
    parse(bytes, limits, &mut room)
}

fn parse<'b>(
    bytes: &'b [u8],
    limits: HeadLimits,
    room: &mut [MaybeUninit<Header<'b>>],
) -> Result<Head, Fault> {
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, room) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Fault::bad("an empty line too early")),
        Err(error) => return Err(worded(error)),
    }
    if request.method.is_none_or(|method| method.len() >= METHOD) {
        return Err(Fault::bad("a request that begins with no method"));
    }
    let path = request.path.unwrap_or_default();
    if path.len() > limits.uri_bytes {
        return Err(Fault::LONG_URI);
    }
    let mut fault = target(path)?;
    let said = said(request.headers)?;
    let version_10 = request.version == Some(0);
    if said.encodings > 0 && version_10 {
        return Err(Fault::bad(
            "a Transfer-Encoding in a request of version 1.0",
        ));
    }
    fault = fault.or_else(|| two_meanings(&said));
    let ending = match (said.encodings, said.length) {
        (0, 0) => Ending::AtOnce,
        (0, length) => Ending::After(length),
        _ => Ending::Chunked,
    };
    Ok(Head { ending, fault })
}

fn worded(error: httparse::Error) -> Fault {
    use httparse::Error;
    match error {
        Error::HeaderName => {
            Fault::bad("a header name with a space or another character that none may have")
        }
        Error::HeaderValue => Fault::bad("a header value with a control character"),
        Error::NewLine => Fault::bad("a line that does not end in CR LF"),
        Error::Token => Fault::bad("a request line that is not method, target and version"),
        Error::TooManyHeaders => Fault::MANY_HEADERS,
        Error::Version => Fault::bad("a version other than 1.0 and 1.1"),
        Error::Status => Fault::bad("a request that is none"),
    }
}

/// Whether the target is one for every reader.
fn target(path: &str) -> Result<Option<Fault>, Fault> {
    if path.starts_with('/') && path.bytes().all(plain) {
        return Ok(None);
    }
    if path.parse::<Uri>().is_err() {
        return Err(Fault::bad("a request target that is no URL and no path"));
    }
    let problem = if path.contains('#') {
        "a fragment in the request target"
    } else if path.is_ascii() {
        return Ok(None);
    } else {
        "a character in the request target that needs percent-encoding"
    };
    Ok(Some(Fault::bad(problem)))
}

/// Characters that mean themselves in a path or a query (RFC 3986, 3.3 and 3.4).
fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'$'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~'
        )
}

fn said(headers: &[Header<'_>]) -> Result<Said, Fault> {
    let mut said = Said::default();
    for header in headers {
        let name = header.name;
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => said.hosts += 1,
            14 | 17 if disguised(name) => {
                return Err(Fault::bad(
                    "a header name that some readers take for one of framing",
                ));
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                let length = length(header.value)?;
                if said.lengths > 0 && length != said.length {
                    return Err(Fault::bad("two Content-Lengths that differ"));
                }
                said.lengths += 1;
                said.length = length;
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                said.encodings += 1;
                said.plainly_chunked = header.value.eq_ignore_ascii_case(b"chunked");
                if !ends_chunked(header.value) {
                    return Err(Fault::bad(
                        "a Transfer-Encoding that does not end in chunked",
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(said)
}

/// Readers that turn names into variables cannot tell `_` from `-` (RFC 3875, 4.1.18).
fn disguised(name: &str) -> bool {
    name.eq_ignore_ascii_case("content_length") || name.eq_ignore_ascii_case("transfer_encoding")
}

/// Digits and nothing else (RFC 9110, 8.6).
fn length(value: &[u8]) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if !digits || value.len() > LENGTH_DIGITS {
        return Err(Fault::bad("a Content-Length that is not a plain number"));
    }
    Ok(value
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn ends_chunked(value: &[u8]) -> bool {
    let last = value
        .rsplit(|byte| *byte == b',')
        .next()
        .unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

fn two_meanings(said: &Said) -> Option<Fault> {
    let problem = match said {
        Said {
            lengths: 1..,
            encodings: 1..,
            ..
        } => "both Content-Length and Transfer-Encoding",
        Said { lengths: 2.., .. } => "more than one Content-Length",
        Said { encodings: 2.., .. } => "more than one Transfer-Encoding",
        Said {
            encodings: 1,
            plainly_chunked: false,
            ..
        } => "a Transfer-Encoding other than chunked",
        Said { hosts: 2.., .. } => "more than one Host header",
        _ => return None,
    };
    Some(Fault::bad(problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons::Reason;

    fn head(lines: &str) -> Result<Head, Fault> {
        let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
        read(text.as_bytes(), HeadLimits::default())
    }

    fn ending(lines: &str) -> Ending {
        let head = head(lines).unwrap();
        assert_eq!(head.fault, None, "{lines}");
        head.ending
    }

    #[test]
    fn the_body_ends_as_the_head_says() {
        assert_eq!(ending("GET / HTTP/1.1\nhost: a"), Ending::AtOnce);
        assert_eq!(
            ending("POST / HTTP/1.1\nhost: a\ncontent-length: 0"),
            Ending::AtOnce
        );
        assert_eq!(
            ending("POST /?a=b HTTP/1.0\nContent-Length: 12"),
            Ending::After(12)
        );
        assert_eq!(
            ending("POST http://a/ HTTP/1.1\nTRANSFER-ENCODING: Chunked"),
            Ending::Chunked
        );
    }

    #[test]
    fn what_has_two_meanings_is_named() {
        for (lines, part) in [
            (
                "POST / HTTP/1.1\ncontent-length: 4\ntransfer-encoding: chunked",
                "both",
            ),
            (
                "POST / HTTP/1.1\ncontent-length: 4\ncontent-length: 4",
                "more than one Content-Length",
            ),
            (
                "POST / HTTP/1.1\ntransfer-encoding: chunked\ntransfer-encoding: chunked",
                "more than one Transfer",
            ),
            (
                "POST / HTTP/1.1\ntransfer-encoding: gzip, chunked",
                "other than chunked",
            ),
            ("GET / HTTP/1.1\nhost: a\nhost: a", "Host"),
            ("GET /#x HTTP/1.1\nhost: a", "fragment"),
            ("GET /\u{e9} HTTP/1.1\nhost: a", "percent"),
        ] {
            assert!(
                head(lines).unwrap().fault.unwrap().text.contains(part),
                "{lines}"
            );
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for lines in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.7",
            "GET / HTTP/1.1 ",
            "G(T / HTTP/1.1",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1",
            "GET http:// HTTP/1.1",
            "GET /<> HTTP/1.1",
            "GET / HTTP/1.1\nhost : a",
            "GET / HTTP/1.1\n host: a",
            "GET / HTTP/1.1\nh\u{f6}st: a",
            "GET / HTTP/1.1\nx: a\0b",
            "GET / HTTP/1.1\nx: a\rb",
            "GET / HTTP/1.1\nx: a\n b",
            "GET / HTTP/1.1\nno colon",
            "POST / HTTP/1.1\ncontent-length: 4\ncontent-length: 5",
            "POST / HTTP/1.1\ncontent-length: +4",
            "POST / HTTP/1.1\ncontent-length: 4 4",
            "POST / HTTP/1.1\ncontent-length: 4,4",
            "POST / HTTP/1.1\ncontent-length:",
            "POST / HTTP/1.1\ncontent-length: 0x4",
            "POST / HTTP/1.1\ncontent-length: 9999999999999999999",
            "POST / HTTP/1.1\ntransfer-encoding: chunked, gzip",
            "POST / HTTP/1.1\ntransfer-encoding: \u{b}chunked",
            "POST / HTTP/1.0\ntransfer-encoding: chunked",
            "POST / HTTP/1.1\ncontent_length: 4",
        ] {
            assert_eq!(
                head(lines).unwrap_err().reason,
                Reason::BadRequest,
                "{lines}"
            );
        }
    }

    #[test]
    fn limits_have_reasons_of_their_own() {
        let limits = HeadLimits {
            uri_bytes: 10,
            headers: 2,
            ..HeadLimits::default()
        };
        let reason = |text: &str| read(text.as_bytes(), limits).unwrap_err().reason;
        assert_eq!(
            reason("GET /aaaaaaaaaa HTTP/1.1\r\n\r\n"),
            Reason::UriTooLong
        );
        assert_eq!(
            reason("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n\r\n"),
            Reason::HeadersTooLarge
        );
        assert!(read(b"GET /aaaaaaaaa HTTP/1.1\r\na:\r\nb:\r\n\r\n", limits).is_ok());
    }
}
