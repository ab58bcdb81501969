//! OTLP/gRPC: one unary Export a batch over HTTP/2, and what its status means (OTLP 1.11, "OTLP/gRPC Response";
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;

use super::batch::{BATCH_HEADER, BatchId};
use super::coding::Coding;
use super::connection::Target;
use super::retry::Verdict;
use crate::recording::otlp::{self, retry_delay};

/// Compressed flag and length before each message.
const PREFIX: usize = 5;

const OK: u16 = 0;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
/// `CANCELLED`, `DEADLINE_EXCEEDED`, `ABORTED`, `OUT_OF_RANGE`, `UNAVAILABLE`, `DATA_LOSS`.
const RETRYABLE: [u16; 6] = [1, 4, 10, 11, 14, 15];

pub fn request(
    target: &Target,
    id: BatchId,
    coding: Coding,
    body: &Bytes,
) -> http::Result<Request<Full<Bytes>>> {
    let (address, method) = (&target.url.address, target.signal.method());
    let mut builder = Request::post(format!("http://{address}{method}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(&BATCH_HEADER, id.to_string());
    if coding != Coding::None {
        builder = builder.header("grpc-encoding", coding.name());
    }
    builder.body(Full::new(framed(coding, body)))
}

fn framed(coding: Coding, body: &Bytes) -> Bytes {
    let mut message = BytesMut::with_capacity(PREFIX + body.len());
    message.put_u8(u8::from(coding != Coding::None));
    message.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    message.put_slice(body);
    message.freeze()
}

/// Reads an answer. The status stands in the trailers, or in the headers of an answer without a body; an answer that is
/// not gRPC is judged by its HTTP status as gRPC clients do (doc/http-grpc-status-mapping.md).
#[must_use]
pub fn judge(status: StatusCode, end: &HeaderMap, body: &[u8], coding: Coding) -> Verdict {
    let Some(code) = number(end, "grpc-status") else {
        let problem = format!("the collector answered {status} without a gRPC status");
        return match status.as_u16() {
            // With 200 the stream ended early: nobody knows whether the batch was taken.
            200 | 429 | 502 | 503 | 504 => Verdict::Retry {
                after: None,
                problem,
            },
            _ => Verdict::Rejected { problem },
        };
    };
    let message = end.get("grpc-message").and_then(|text| text.to_str().ok());
    let problem = format!(
        "the collector answered gRPC status {code}: {}",
        message.unwrap_or("")
    );
    let after = details(end).and_then(|details| retry_delay(&details));
    match code {
        OK => Verdict::Taken {
            rejected: body.get(PREFIX..).map_or(0, otlp::rejected),
        },
        RESOURCE_EXHAUSTED if after.is_some() => Verdict::Retry { after, problem },
        UNIMPLEMENTED if coding != Coding::None => Verdict::Recode,
        // What gRPC's core answers to a `grpc-encoding` it does not know, such as zstd.
        INTERNAL if coding == Coding::Zstd => Verdict::Recode,
        _ if RETRYABLE.contains(&code) => Verdict::Retry { after, problem },
        _ => Verdict::Rejected { problem },
    }
}

fn number(end: &HeaderMap, name: &str) -> Option<u16> {
    end.get(name)?.to_str().ok()?.parse().ok()
}

/// `google.rpc.Status` in full; senders may pad the base64 or not.
fn details(end: &HeaderMap) -> Option<Vec<u8>> {
    let text = end.get("grpc-status-details-bin")?.to_str().ok()?;
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `google.rpc.Status{code: 8, details: [Any{RetryInfo{retry_delay: 1.5 s}}]}`
    const RETRY_INFO: &str =
        "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ==";

    fn of(code: u16, coding: Coding, details: Option<&str>) -> Verdict {
        let mut end = HeaderMap::new();
        end.insert("grpc-status", code.into());
        if let Some(details) = details {
            end.insert("grpc-status-details-bin", details.parse().unwrap());
        }
        judge(StatusCode::OK, &end, b"", coding)
    }

    #[test]
    fn only_the_codes_that_the_specification_names_are_tried_again() {
        assert_eq!(of(0, Coding::None, None), Verdict::Taken { rejected: 0 });
        for code in 1..=16 {
            let again = matches!(of(code, Coding::None, None), Verdict::Retry { .. });
            assert_eq!(again, RETRYABLE.contains(&code), "{code}");
        }
        assert_eq!(of(12, Coding::Gzip, None), Verdict::Recode);
        assert_eq!(of(13, Coding::Zstd, None), Verdict::Recode);
    }

    #[test]
    fn exhausted_is_tried_again_when_the_collector_says_when() {
        for text in [RETRY_INFO, RETRY_INFO.trim_end_matches('=')] {
            let Verdict::Retry { after, .. } = of(8, Coding::None, Some(text)) else {
                panic!("a delay makes it retryable");
            };
            assert_eq!(after, Some(Duration::from_millis(1_500)));
        }
        assert!(matches!(
            of(8, Coding::None, Some("%%")),
            Verdict::Rejected { .. }
        ));
    }

    #[test]
    fn a_message_has_its_flag_and_length_before_it() {
        let message = framed(Coding::Gzip, &Bytes::from_static(b"abc"));
        assert_eq!(&message[..], b"\x01\0\0\0\x03abc");
    }
}
