//! What becomes of a batch after each attempt to send it (OTLP 1.11, "Failures").

use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A collector cannot make a proxy wait longer than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken; this many spans of the batch were refused for good.
    Taken { rejected: u64 },
    /// Refused for good.
    Rejected { problem: String },
    /// The collector does not read this compression; the batch itself is not to blame.
    Recode,
    /// Not now; the collector may have said when.
    Retry {
        after: Option<Duration>,
        problem: String,
    },
}

/// The wait before attempt `attempt + 1`: doubling, with half of it random so that proxies do not return together.
#[must_use]
pub fn wait(attempt: u32, after: Option<Duration>, rng: &mut fastrand::Rng) -> Duration {
    let longest = FIRST_WAIT
        .saturating_mul(1 << attempt.min(10))
        .min(LONGEST_WAIT);
    after
        .unwrap_or_default()
        .min(LONGEST_RETRY_AFTER)
        .max(longest.mul_f64(0.5 + rng.f64() / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds_and_obey_the_collector() {
        let mut rng = fastrand::Rng::with_seed(1);
        for attempt in 0..40 {
            let wait = wait(attempt, None, &mut rng);
            assert!(wait >= FIRST_WAIT / 2 && wait <= LONGEST_WAIT);
        }
        let after = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(0, after(9), &mut rng), Duration::from_secs(9));
        assert_eq!(wait(0, after(86_400), &mut rng), LONGEST_RETRY_AFTER);
    }
}
