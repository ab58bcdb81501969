//! Leaves out endpoints that do worse than the others, for a while that grows with each time.
//!
//! In: how each request ended. Out: ejections, in the endpoints' own books. Never: more than the policy allows at once.

use std::cell::Cell;
use std::time::Duration;

use crate::recording::clock::Nanos;
use crate::snapshot::policies;

/// Deviations (of a test of two proportions) from its siblings' failure rate that are no chance …
const DEVIATIONS: f64 = 4.0;
/// … and the difference that is worth an ejection.
const WORSE: f64 = 0.1;
/// Endpoints that must have had enough requests before they are compared.
const FEWEST: usize = 2;
/// The longest ejection, in base ejections.
const LONGEST: u32 = 10;

/// How a request to an endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Served,
    Failed,
}

/// Why an endpoint is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    FailuresInARow,
    SuccessRate,
    Latency,
}

impl Cause {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FailuresInARow => "failures_in_a_row",
            Self::SuccessRate => "success_rate",
            Self::Latency => "latency",
        }
    }
}

/// What an ejection needs to know and to change of an endpoint.
pub trait Judged {
    /// Counts an outcome; how many failures there were in a row.
    fn count(&self, outcome: Outcome) -> u32;
    /// Requests and failures since the last call, and starts anew.
    fn interval(&self) -> (u32, u32);
    fn latency(&self, now: Nanos) -> f64;
    fn is_ejected(&self, now: Nanos) -> bool;
    /// How often it was ejected of late.
    fn ejections(&self) -> u32;
    fn eject(&self, until: Nanos, cause: Cause);
    /// It did well for an interval.
    fn forgive(&self);
}

pub struct Outlier {
    policy: policies::Outlier,
    interval: Nanos,
    ejection: Nanos,
    reviewed: Cell<Nanos>,
}

impl Outlier {
    #[must_use]
    pub fn of(policy: &policies::Outlier) -> Self {
        Self {
            interval: nanos(policy.interval_ms),
            ejection: nanos(policy.ejection_ms),
            policy: policy.clone(),
            reviewed: Cell::new(0),
        }
    }

    /// Takes an outcome into account, and reviews all endpoints once an interval.
    pub fn judge<T: Judged>(&self, endpoints: &[T], place: usize, outcome: Outcome, now: Nanos) {
        let failures = endpoints[place].count(outcome);
        if self.policy.consecutive > 0 && failures >= self.policy.consecutive {
            self.eject(endpoints, place, Cause::FailuresInARow, now);
        }
        if now.saturating_sub(self.reviewed.get()) >= self.interval {
            let first = self.reviewed.replace(now) == 0;
            self.review(endpoints, now, first);
        }
    }

    fn review<T: Judged>(&self, endpoints: &[T], now: Nanos, first: bool) {
        let mut counts = Vec::new();
        for (place, endpoint) in endpoints.iter().enumerate() {
            let (requests, failed) = endpoint.interval();
            if failed == 0 && requests > 0 && !endpoint.is_ejected(now) {
                endpoint.forgive();
            }
            if requests >= self.policy.least_requests {
                counts.push((place, Count { requests, failed }));
            }
        }
        if first || counts.len() < FEWEST {
            return;
        }
        let total = Count {
            requests: counts.iter().map(|(_, count)| count.requests).sum(),
            failed: counts.iter().map(|(_, count)| count.failed).sum(),
        };
        let slow = self.slow_from(endpoints, &counts, now);
        for (place, count) in &counts {
            if self.policy.success_rate && count.is_worse_than(total.without(*count)) {
                self.eject(endpoints, *place, Cause::SuccessRate, now);
            } else if slow.is_some_and(|from| endpoints[*place].latency(now) > from) {
                self.eject(endpoints, *place, Cause::Latency, now);
            }
        }
    }

    /// The latency above which an endpoint is slow: so many times the typical one.
    fn slow_from<T: Judged>(
        &self,
        endpoints: &[T],
        counts: &[(usize, Count)],
        now: Nanos,
    ) -> Option<f64> {
        let factor = self.policy.latency_factor?;
        let mut latencies: Vec<f64> = counts
            .iter()
            .map(|(place, _)| endpoints[*place].latency(now))
            .collect();
        latencies.sort_by(f64::total_cmp);
        Some(latencies[(latencies.len() - 1) / 2] * factor)
    }

    /// Ejects it unless it is out already, or too many are.
    fn eject<T: Judged>(&self, endpoints: &[T], place: usize, cause: Cause, now: Nanos) {
        let out = endpoints
            .iter()
            .filter(|endpoint| endpoint.is_ejected(now))
            .count();
        let most = self.policy.most_ejected as usize * endpoints.len() / 100;
        let endpoint = &endpoints[place];
        if !endpoint.is_ejected(now) && out < most {
            let times = (endpoint.ejections() + 1).min(LONGEST);
            endpoint.eject(now + self.ejection * Nanos::from(times), cause);
        }
    }
}

/// Requests and failures of one interval.
#[derive(Clone, Copy)]
struct Count {
    requests: u32,
    failed: u32,
}

impl Count {
    fn without(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            failed: self.failed - other.failed,
        }
    }

    fn is_worse_than(self, others: Self) -> bool {
        let share = |count: Self| f64::from(count.failed) / f64::from(count.requests);
        let (mine, theirs) = (share(self), share(others));
        let pooled =
            f64::from(self.failed + others.failed) / f64::from(self.requests + others.requests);
        let spread = pooled
            * (1.0 - pooled)
            * (1.0 / f64::from(self.requests) + 1.0 / f64::from(others.requests));
        mine - theirs >= WORSE && mine - theirs > DEVIATIONS * spread.sqrt()
    }
}

pub fn nanos(ms: u64) -> Nanos {
    Nanos::try_from(Duration::from_millis(ms).as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::clock::Nanos;

    #[derive(Default)]
    struct Book {
        row: Cell<u32>,
        seen: Cell<(u32, u32)>,
        latency: f64,
        until: Cell<Nanos>,
        times: Cell<u32>,
        cause: Cell<Option<Cause>>,
    }

    impl Judged for Book {
        fn count(&self, outcome: Outcome) -> u32 {
            let (requests, failed) = self.seen.get();
            let bad = u32::from(outcome == Outcome::Failed);
            self.seen.set((requests + 1, failed + bad));
            self.row.set(if bad == 1 { self.row.get() + 1 } else { 0 });
            self.row.get()
        }
        fn interval(&self) -> (u32, u32) {
            self.seen.replace((0, 0))
        }
        fn latency(&self, _: Nanos) -> f64 {
            self.latency
        }
        fn is_ejected(&self, now: Nanos) -> bool {
            self.until.get() > now
        }
        fn ejections(&self) -> u32 {
            self.times.get()
        }
        fn eject(&self, until: Nanos, cause: Cause) {
            self.cause.set(Some(cause));
            self.until.set(until);
            self.times.set(self.times.get() + 1);
            self.row.set(0);
        }
        fn forgive(&self) {
            self.times.set(self.times.get().saturating_sub(1));
        }
    }

    const S: Nanos = 1_000_000_000;

    fn outlier(json: serde_json::Value) -> Outlier {
        Outlier::of(&serde_json::from_value(json).unwrap())
    }

    fn books(latencies: &[f64]) -> Vec<Book> {
        latencies
            .iter()
            .map(|latency| Book {
                latency: *latency,
                ..Book::default()
            })
            .collect()
    }

    fn out(books: &[Book], now: Nanos) -> Vec<bool> {
        books.iter().map(|book| book.is_ejected(now)).collect()
    }

    #[test]
    fn failures_in_a_row_eject_for_longer_each_time() {
        let outlier = outlier(serde_json::json!({"consecutive": 3, "ejection_ms": 1_000}));
        let books = books(&[0.0, 0.0]);
        let fail = |now| (0..3).for_each(|_| outlier.judge(&books, 0, Outcome::Failed, now));
        outlier.judge(&books, 0, Outcome::Failed, S);
        outlier.judge(&books, 0, Outcome::Served, S);
        (0..2).for_each(|_| outlier.judge(&books, 0, Outcome::Failed, S));
        assert_eq!(out(&books, S), [false, false], "not in a row");
        fail(S);
        assert_eq!(books[0].until.get(), 2 * S);
        assert_eq!(books[0].cause.get(), Some(Cause::FailuresInARow));
        fail(3 * S);
        assert_eq!(books[0].until.get(), 5 * S, "twice as long");
        for _ in 0..9 {
            outlier.judge(&books, 1, Outcome::Failed, 4 * S);
        }
        assert_eq!(
            out(&books, 4 * S),
            [true, false],
            "no more than half of them"
        );
    }

    #[test]
    fn a_success_rate_far_below_the_others_ejects() {
        let outlier = outlier(serde_json::json!({"consecutive": 0, "interval_ms": 1_000}));
        let books = books(&[0.0; 5]);
        for second in 1..4 {
            for place in 0..5 {
                for request in 0..40 {
                    let bad = if place == 4 {
                        request % 2 == 0
                    } else {
                        request % 20 == 0
                    };
                    let outcome = if bad {
                        Outcome::Failed
                    } else {
                        Outcome::Served
                    };
                    outlier.judge(&books, place, outcome, second * S + request);
                }
            }
        }
        assert_eq!(out(&books, 3 * S), [false, false, false, false, true]);
        assert_eq!(books[4].cause.get(), Some(Cause::SuccessRate));
    }

    #[test]
    fn all_failing_alike_eject_nobody() {
        let outlier = outlier(serde_json::json!({"consecutive": 0, "interval_ms": 1_000}));
        let books = books(&[0.0; 4]);
        for second in 1..5 {
            for place in 0..4 {
                (0..40).for_each(|_| outlier.judge(&books, place, Outcome::Failed, second * S));
            }
        }
        assert_eq!(out(&books, 4 * S), [false; 4]);
    }

    #[test]
    fn a_latency_far_above_the_others_ejects() {
        let outlier = outlier(serde_json::json!({"interval_ms": 1_000, "latency_factor": 3.0}));
        let books = books(&[10.0, 12.0, 11.0, 50.0]);
        for second in 1..4 {
            for place in 0..4 {
                (0..40).for_each(|_| outlier.judge(&books, place, Outcome::Served, second * S));
            }
        }
        assert_eq!(out(&books, 3 * S), [false, false, false, true]);
        assert_eq!(books[3].cause.get(), Some(Cause::Latency));
    }
}
