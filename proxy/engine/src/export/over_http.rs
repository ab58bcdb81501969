//! OTLP/HTTP: one POST a batch, and what its answer means (OTLP 1.11, "OTLP/HTTP Response").

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;

use super::batch::{BATCH_HEADER, BatchId};
use super::coding::Coding;
use super::retry::Verdict;
use super::url::Url;
use crate::recording::otlp;

pub fn request(
    url: &Url,
    id: BatchId,
    coding: Coding,
    body: Bytes,
) -> http::Result<Request<Full<Bytes>>> {
    let mut builder = Request::post(&url.path)
        .header(HOST, url.address.to_string())
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(&BATCH_HEADER, id.to_string());
    if coding != Coding::None {
        builder = builder.header(CONTENT_ENCODING, coding.name());
    }
    builder.body(Full::new(body))
}

/// Reads an answer: only 429, 502, 503 and 504 may be tried again; 415 to a compressed batch speaks of its coding.
#[must_use]
pub fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    coding: Coding,
    now: SystemTime,
) -> Verdict {
    let problem = || format!("the collector answered {status}");
    match status.as_u16() {
        200..=299 => Verdict::Taken {
            rejected: otlp::rejected(body),
        },
        429 | 502 | 503 | 504 => Verdict::Retry {
            after: headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value, now)),
            problem: problem(),
        },
        415 if coding != Coding::None => Verdict::Recode,
        _ => Verdict::Rejected { problem: problem() },
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, coding: Coding) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, &HeaderMap::new(), b"", coding, SystemTime::now())
    }

    #[test]
    fn only_overload_is_tried_again() {
        assert_eq!(of(200, Coding::None), Verdict::Taken { rejected: 0 });
        for status in [429, 502, 503, 504] {
            assert!(matches!(
                of(status, Coding::None),
                Verdict::Retry { after: None, .. }
            ));
        }
        for status in [301, 400, 404, 408, 413, 415, 500] {
            assert!(
                matches!(of(status, Coding::None), Verdict::Rejected { .. }),
                "{status}"
            );
        }
        assert_eq!(of(415, Coding::Zstd), Verdict::Recode);
    }

    #[test]
    fn the_collector_may_say_when_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
        let after = |text: &str| retry_after(&HeaderValue::from_str(text).unwrap(), now);
        assert_eq!(after("9"), Some(Duration::from_secs(9)));
        assert_eq!(
            after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(7))
        );
        assert_eq!(after("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }
}
