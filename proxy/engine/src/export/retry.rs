//! What becomes of a batch after each attempt to send it (OTLP 1.11, "Failures" of OTLP/HTTP).

use std::time::Duration;

use http::StatusCode;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A collector cannot make a proxy wait longer than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken; this many spans of the batch were refused for good.
    Taken { rejected: u64 },
    /// Refused for good.
    Rejected,
    /// Not now; the collector may have said when.
    Retry { after: Option<Duration> },
}

/// Reads an answer: only 429, 502, 503 and 504 may be tried again.
#[must_use]
pub fn judge(status: StatusCode, retry_after: Option<&str>, rejected: u64) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Taken { rejected },
        429 | 502 | 503 | 504 => {
            let seconds = retry_after
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs);
            Verdict::Retry {
                after: seconds.map(|wait| wait.min(LONGEST_RETRY_AFTER)),
            }
        }
        _ => Verdict::Rejected,
    }
}

/// The wait before attempt `attempt + 1`: doubling, with half of it random so that proxies do not return together.
#[must_use]
pub fn wait(attempt: u32, after: Option<Duration>, rng: &mut fastrand::Rng) -> Duration {
    let longest = FIRST_WAIT
        .saturating_mul(1 << attempt.min(10))
        .min(LONGEST_WAIT);
    after
        .unwrap_or_default()
        .max(longest.mul_f64(0.5 + rng.f64() / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_overload_is_tried_again() {
        let of = |status| judge(StatusCode::from_u16(status).unwrap(), None, 0);
        assert_eq!(of(200), Verdict::Taken { rejected: 0 });
        for status in [429, 502, 503, 504] {
            assert_eq!(of(status), Verdict::Retry { after: None });
        }
        for status in [301, 400, 404, 413, 415, 500] {
            assert_eq!(of(status), Verdict::Rejected, "{status}");
        }
    }

    #[test]
    fn waits_double_within_bounds_and_obey_the_collector() {
        let mut rng = fastrand::Rng::with_seed(1);
        for attempt in 0..40 {
            let wait = wait(attempt, None, &mut rng);
            assert!(wait >= FIRST_WAIT / 2 && wait <= LONGEST_WAIT);
        }
        let after = Some(Duration::from_secs(9));
        assert_eq!(wait(0, after, &mut rng), Duration::from_secs(9));
        assert_eq!(
            judge(StatusCode::SERVICE_UNAVAILABLE, Some("9"), 0),
            Verdict::Retry { after }
        );
    }
}
