//! How far a caller has come with sending a body: a slow upload is no fault of the callee, and a stalled one ends.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::limits::BodyLimits;
use crate::reasons::Reason;

pub struct Progress {
    limits: BodyLimits,
    last: Cell<Instant>,
    bytes: Cell<u64>,
    /// The next hop would take more, and the caller has sent none.
    awaiting: Cell<bool>,
    broken: Cell<Option<Reason>>,
    period: Cell<Period>,
}

/// The time in which the least number of bytes must arrive.
#[derive(Clone, Copy)]
struct Period {
    began: Instant,
    bytes: u64,
}

// === impl Progress ===

impl Progress {
    #[must_use]
    pub fn new(limits: BodyLimits) -> Self {
        let now = Instant::now();
        Self {
            limits,
            last: Cell::new(now),
            bytes: Cell::new(0),
            awaiting: Cell::new(false),
            broken: Cell::new(None),
            period: Cell::new(Period {
                began: now,
                bytes: 0,
            }),
        }
    }

    pub fn awaits(&self, awaiting: bool) {
        self.awaiting.set(awaiting);
        if !awaiting {
            self.last.set(Instant::now());
        }
    }

    /// Counts a piece; false when it is one too many.
    pub fn passed(&self, bytes: usize) -> bool {
        let sum = self.bytes.get().saturating_add(bytes as u64);
        self.bytes.set(sum);
        sum <= self.limits.bytes
    }

    /// How long to wait before looking at it.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.limits.period
    }

    pub fn broke(&self, reason: Reason) {
        self.broken.set(Some(reason));
    }

    /// Why the body broke off, when it was the caller's doing.
    #[must_use]
    pub fn broken(&self) -> Option<Reason> {
        self.broken.get()
    }

    /// How long a callee that should answer within `limit` may go on from `now`; none is left when it is zero. While the
    /// caller is the one to wait for, it is the caller's time that runs.
    pub fn left(&self, now: Instant, limit: Duration) -> Duration {
        if !self.awaiting.get() {
            return limit.saturating_sub(now.saturating_duration_since(self.last.get()));
        }
        let period = self.period.get();
        let left = self
            .limits
            .period
            .saturating_sub(now.saturating_duration_since(period.began));
        if !left.is_zero() {
            return left;
        }
        if self.bytes.get() - period.bytes < self.limits.least {
            self.broke(Reason::RequestStalled);
            return Duration::ZERO;
        }
        self.period.set(Period {
            began: now,
            bytes: self.bytes.get(),
        });
        self.limits.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);

    fn progress(least: u64) -> (Progress, Instant) {
        let limits = BodyLimits {
            bytes: 1_000,
            period: Duration::from_secs(10),
            least,
            response: LIMIT,
        };
        (Progress::new(limits), Instant::now())
    }

    #[test]
    fn a_caller_that_sends_nothing_runs_out_of_its_own_time() {
        let (progress, start) = progress(1);
        progress.awaits(true);
        assert!(progress.left(start, LIMIT) <= Duration::from_secs(10));
        assert_eq!(
            progress.left(start + Duration::from_secs(11), LIMIT),
            Duration::ZERO
        );
        assert_eq!(progress.broken(), Some(Reason::RequestStalled));
    }

    #[test]
    fn a_caller_that_drips_less_than_asked_stalls_too() {
        for (least, stalled) in [(1, false), (100, false), (101, true)] {
            let (progress, start) = progress(least);
            progress.passed(100);
            progress.awaits(true);
            let left = progress.left(start + Duration::from_secs(11), LIMIT);
            assert_eq!(left.is_zero(), stalled, "at least {least}");
        }
    }

    #[test]
    fn once_sent_it_is_the_callees_time() {
        let (progress, start) = progress(1);
        progress.awaits(false);
        assert!(progress.left(start + Duration::from_secs(11), LIMIT) > Duration::from_secs(3));
        assert_eq!(
            progress.left(start + Duration::from_secs(16), LIMIT),
            Duration::ZERO
        );
        assert_eq!(progress.broken(), None);
    }

    #[test]
    fn bytes_beyond_the_limit_do_not_pass() {
        let (progress, _) = progress(1);
        assert!(progress.passed(1_000));
        assert!(!progress.passed(1));
    }
}
