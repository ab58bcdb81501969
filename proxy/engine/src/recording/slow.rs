//! Says which requests are slow: longer than a fixed time, or than all but a hundredth of the requests of their route.
//!
//! In: durations by route. Out: slow or not. Never: more than a bounded number of routes, or more than one finding a second
//! of the adaptive kind, which by its nature always finds some.

use std::collections::HashMap;

use crate::recording::record::{Kind, Record};
use crate::snapshot::Telemetry;

const ROUTES: usize = 1_024;
/// Requests of a route before its threshold means anything.
const LEAST: u32 = 500;
const QUANTILE: f64 = 0.99;
/// How far one request moves the logarithm of a threshold.
const STEP: f64 = 0.05;
const PAUSE_NS: u64 = 1_000_000_000;

pub struct Slow {
    fixed_us: Option<u64>,
    routes: Option<HashMap<(Kind, Box<str>), Threshold>>,
    /// When the adaptive kind may find another one.
    again: u64,
}

/// An estimate that moves up a little when exceeded and down much less when not, so that it rests at the quantile
/// (Robbins and Monro, "A Stochastic Approximation Method", 1951).
struct Threshold {
    log_us: f64,
    seen: u32,
}

impl Slow {
    #[must_use]
    pub fn of(telemetry: &Telemetry) -> Self {
        Self {
            fixed_us: (telemetry.slow_ms > 0).then_some(telemetry.slow_ms * 1_000),
            routes: telemetry.slow_adaptive.then(HashMap::new),
            again: 0,
        }
    }

    /// Whether a request is slow. A tunnel lasts as long as both sides like, and so does a gRPC stream: of a call the time to
    /// its first byte counts, which of one with a single answer is nearly all of it.
    pub fn is(&mut self, record: &Record, route: &str) -> bool {
        if record.status == 101 || record.tunnel.is_some() {
            return false;
        }
        let whole = record.whole_us();
        let took = match record.grpc {
            Some(_) => record.first_byte_us.unwrap_or(whole),
            None => whole,
        };
        let beyond = self.beyond_usual(record, route, took);
        self.fixed_us.is_some_and(|limit| took >= limit) || beyond
    }

    fn beyond_usual(&mut self, record: &Record, route: &str, took: u64) -> bool {
        let Some(routes) = &mut self.routes else {
            return false;
        };
        let key = (record.kind, route.into());
        if routes.len() >= ROUTES && !routes.contains_key(&key) {
            return false;
        }
        let beyond = routes.entry(key).or_default().exceeded(took);
        if !beyond || record.end_unix < self.again {
            return false;
        }
        self.again = record.end_unix + PAUSE_NS;
        true
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            log_us: 0.0,
            seen: 0,
        }
    }
}

impl Threshold {
    fn exceeded(&mut self, took: u64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a request")]
        let log_us = (took.max(1) as f64).ln();
        if self.seen == 0 {
            self.log_us = log_us;
        }
        let beyond = log_us > self.log_us;
        // A young estimate moves faster.
        let step = STEP * (1.0 + f64::from(LEAST) / f64::from(10 + self.seen)).min(20.0);
        self.log_us += if beyond {
            step * QUANTILE
        } else {
            step * (QUANTILE - 1.0)
        };
        self.seen = self.seen.saturating_add(1);
        beyond && self.seen > LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(took_us: u64, end_s: u64) -> Record {
        Record {
            start_unix: end_s * 1_000_000_000,
            end_unix: end_s * 1_000_000_000 + took_us * 1_000,
            ..Record::sample()
        }
    }

    fn slow(slow_ms: u64, slow_adaptive: bool) -> Slow {
        Slow::of(&Telemetry {
            slow_ms,
            slow_adaptive,
            ..Telemetry::default()
        })
    }

    #[test]
    fn a_fixed_limit_counts_for_all_but_tunnels() {
        let mut slow = slow(10, false);
        assert!(slow.is(&record(10_000, 1), "/") && !slow.is(&record(9_999, 1), "/"));
        let tunnel = Record {
            status: 101,
            ..record(50_000_000, 1)
        };
        assert!(!slow.is(&tunnel, "/"));
    }

    #[test]
    fn the_threshold_of_a_route_rests_where_a_hundredth_lies_above() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut threshold = Threshold::default();
        for _ in 0..20_000 {
            threshold.exceeded(rng.u64(1_000..2_000));
        }
        let over = (0..20_000)
            .filter(|_| threshold.exceeded(rng.u64(1_000..2_000)))
            .count();
        assert!((100..400).contains(&over), "{over} of 20 000");
        assert!(threshold.exceeded(5_000));
    }

    #[test]
    fn at_most_one_a_second_is_slow_for_its_route() {
        let mut slow = slow(0, true);
        let found = |slow: &mut Slow, second| {
            (0..2_000)
                .filter(|n| slow.is(&record(1_000 + n % 100, second), "/"))
                .count()
        };
        assert!(found(&mut slow, 1) <= 1);
        assert!(slow.is(&record(9_000, 5), "/") && !slow.is(&record(9_000, 5), "/"));
        assert!(slow.is(&record(9_000, 7), "/"));
    }
}
