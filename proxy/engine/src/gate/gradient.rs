//! Finds how many requests an application serves at once without a queue: the limit grows while latency stays near that of
//! an idle application, and shrinks in proportion when it does not.
//!
//! In: when requests begin and are answered. Out: whether one more may begin. Pure: the time is passed in. Never: a limit
//! outside its bounds, or latency under load taken for that of an idle application: it is measured anew, with few requests
//! at once, from time to time.

use super::latencies::Latencies;
use crate::recording::clock::Nanos;
use crate::snapshot::gate::Concurrency;

/// Answers in a window that are enough to go by.
const ENOUGH: u32 = 10;
/// A limit shrinks to this part at most in one window.
const STEEPEST: f64 = 0.5;

#[derive(Debug)]
pub struct Gradient {
    least: f64,
    most: f64,
    tolerance: f64,
    window: Nanos,
    measure_every: Nanos,
    limit: f64,
    in_flight: u32,
    /// Most at once in this window.
    peak: u32,
    window_ends: Nanos,
    latencies: Latencies,
    /// Latency without a queue, in nanoseconds.
    baseline: f64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Few at once, until what waited before is answered; then back to this limit.
    Draining {
        back_to: f64,
    },
    /// Few at once, and what they take is the baseline.
    Measuring {
        back_to: f64,
    },
    /// The limit was never reached, and doubles.
    Starting,
    Steady {
        measure_at: Nanos,
    },
}

// === impl Gradient ===

impl Gradient {
    /// One worker's part of the bounds.
    #[must_use]
    pub fn of(policy: &Concurrency, workers: usize) -> Self {
        let part = |limit: u32| f64::from(limit.div_ceil(u32::try_from(workers).unwrap_or(1)));
        let least = part(policy.least);
        Self {
            least,
            most: part(policy.most).max(least),
            tolerance: policy.tolerance,
            window: policy.window_ms * 1_000_000,
            measure_every: policy.measure_ms * 1_000_000,
            limit: least,
            in_flight: 0,
            peak: 0,
            window_ends: 0,
            latencies: Latencies::default(),
            baseline: 0.0,
            phase: Phase::Measuring { back_to: least },
        }
    }

    /// A request begins, if one more may; of the expendable ones, as long as a quarter of the room is left for others.
    pub fn enter(&mut self, expendable: bool, now: Nanos) -> bool {
        if self.window_ends == 0 {
            self.window_ends = now + self.window;
        }
        let limit = self.limit();
        let kept = if expendable { limit.div_ceil(4) } else { 0 };
        if u64::from(self.in_flight) >= (limit - kept).max(1) {
            return false;
        }
        self.in_flight += 1;
        self.peak = self.peak.max(self.in_flight);
        true
    }

    /// A request is answered, after a time that tells something or not; true when the limit was looked at.
    pub fn leave(&mut self, now: Nanos, latency: Option<Nanos>) -> bool {
        self.in_flight -= 1;
        if let Some(latency) = latency {
            self.latencies.add(latency);
        }
        let over = now >= self.window_ends && self.latencies.count() >= ENOUGH;
        if over {
            self.adjust(now);
        }
        over
    }

    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1 to 100000"
    )]
    pub fn limit(&self) -> u64 {
        self.limit as u64
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Latency without a queue; 0 while it is not known.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a latency"
    )]
    pub fn baseline(&self) -> Nanos {
        self.baseline as Nanos
    }

    fn adjust(&mut self, now: Nanos) {
        let latency = self.latencies.quantile(0.5);
        self.phase = match self.phase {
            Phase::Draining { back_to } => Phase::Measuring { back_to },
            Phase::Measuring { back_to } => {
                let first = self.baseline == 0.0;
                self.baseline = latency;
                self.limit = back_to;
                if first {
                    Phase::Starting
                } else {
                    self.steady(now)
                }
            }
            Phase::Starting => self.start(now, latency),
            Phase::Steady { measure_at } if now < measure_at => {
                self.follow(latency);
                self.phase
            }
            Phase::Steady { .. } => {
                let back_to = self.limit;
                // So many wait for nobody, as far as is known (Little's law); fewer, to be sure.
                let unqueued = (self.baseline / latency.max(1.0)).min(1.0 / self.tolerance);
                let used = self.limit.min(f64::from(self.peak));
                self.limit = (used * unqueued).max(self.least);
                Phase::Draining { back_to }
            }
        };
        self.latencies.clear();
        self.peak = self.in_flight;
        self.window_ends = now + self.window;
    }

    fn steady(&self, now: Nanos) -> Phase {
        Phase::Steady {
            measure_at: now + self.measure_every,
        }
    }

    fn start(&mut self, now: Nanos, latency: f64) -> Phase {
        if self.slope(latency) < 1.0 {
            self.follow(latency);
            return self.steady(now);
        }
        if self.is_used() {
            self.limit = (self.limit * 2.0).min(self.most);
        }
        Phase::Starting
    }

    /// One step towards the limit at which latency is what is tolerated.
    fn follow(&mut self, latency: f64) {
        self.baseline = self.baseline.min(latency);
        let slope = self.slope(latency);
        // Room for a small queue, so that the limit can be found to be too low.
        let next = (self.limit + self.limit.sqrt()) * slope;
        if next < self.limit || self.is_used() {
            self.limit = f64::midpoint(self.limit, next).clamp(self.least, self.most);
        }
    }

    fn slope(&self, latency: f64) -> f64 {
        (self.tolerance * self.baseline / latency.max(1.0)).clamp(STEEPEST, 1.0)
    }

    /// Whether the limit was near enough to being reached for latency to say something of it.
    fn is_used(&self) -> bool {
        f64::from(self.peak) * 2.0 >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const MS: Nanos = 1_000_000;

    /// An application that serves `servers` requests at once, each for `service` milliseconds, fed by `clients` that ask
    /// again as soon as they are answered or refused; steps of a millisecond.
    struct World {
        gradient: Gradient,
        now: Nanos,
        /// When each request began that waits or is served, and when the served ones end.
        waiting: VecDeque<Nanos>,
        served: Vec<(Nanos, Nanos)>,
        latencies: Latencies,
    }

    impl World {
        fn new(json: serde_json::Value) -> Self {
            let policy: Concurrency = serde_json::from_value(json).unwrap();
            Self {
                gradient: Gradient::of(&policy, 1),
                now: MS,
                waiting: VecDeque::new(),
                served: Vec::new(),
                latencies: Latencies::default(),
            }
        }

        fn run(&mut self, ms: u64, clients: usize, servers: usize, service: Nanos) {
            self.latencies.clear();
            for _ in 0..ms {
                self.now += MS;
                let now = self.now;
                let (over, left) = self.served.iter().partition(|(_, ends)| *ends <= now);
                self.served = left;
                let over: Vec<(Nanos, Nanos)> = over;
                for (began, _) in over {
                    self.latencies.add(now - began);
                    self.gradient.leave(now, Some(now - began));
                }
                while self.waiting.len() + self.served.len() < clients
                    && self.gradient.enter(false, now)
                {
                    self.waiting.push_back(now);
                }
                while self.served.len() < servers
                    && let Some(began) = self.waiting.pop_front()
                {
                    self.served.push((began, now + service * MS));
                }
            }
        }

        fn p50_ms(&self) -> f64 {
            self.latencies.quantile(0.5) / 1e6
        }
    }

    #[test]
    fn under_overload_latency_stays_near_that_of_an_idle_application() {
        let mut world = World::new(serde_json::json!({}));
        world.run(2_000, 4, 8, 20);
        world.run(5_000, 200, 8, 20);
        let limit = world.gradient.limit();
        assert!((8..=32).contains(&limit), "{limit}");
        assert!(world.p50_ms() < 70.0, "{}", world.p50_ms());
        let served = world.latencies.count();
        assert!(served > 1_900, "{served} of the 2000 it can serve in 5 s");
    }

    #[test]
    fn a_start_under_overload_does_not_take_the_queue_for_normal() {
        let mut world = World::new(serde_json::json!({"least": 3}));
        world.run(5_000, 100, 4, 20);
        assert!(world.p50_ms() < 80.0, "{}", world.p50_ms());
        assert!((19..24).contains(&(world.gradient.baseline() / MS)));
    }

    #[test]
    fn an_application_with_room_gets_all_it_is_asked() {
        let mut world = World::new(serde_json::json!({}));
        world.run(3_000, 300, 400, 20);
        assert!(world.gradient.limit() >= 300, "{}", world.gradient.limit());
        assert_eq!(world.gradient.in_flight(), 300);
    }

    #[test]
    fn a_limit_that_is_not_reached_does_not_grow() {
        let mut world = World::new(serde_json::json!({}));
        world.run(10_000, 4, 400, 20);
        assert!(world.gradient.limit() <= 10, "{}", world.gradient.limit());
    }

    #[test]
    fn an_application_that_became_slower_is_measured_anew() {
        let mut world = World::new(serde_json::json!({"measure_ms": 2_000}));
        world.run(2_000, 50, 20, 10);
        world.run(8_000, 50, 20, 40);
        let baseline = world.gradient.baseline() / MS;
        assert!((38..50).contains(&baseline), "{baseline}");
        assert!(world.gradient.limit() >= 20, "{}", world.gradient.limit());
    }

    #[test]
    fn expendable_requests_leave_room_for_others() {
        let policy = serde_json::json!({"least": 8, "most": 8});
        let mut gradient = Gradient::of(&serde_json::from_value(policy).unwrap(), 1);
        let mut entered = |expendable| (0..20).filter(|_| gradient.enter(expendable, MS)).count();
        assert_eq!([entered(true), entered(false), entered(true)], [6, 2, 0]);
    }

    #[test]
    fn bounds_hold() {
        let mut world = World::new(serde_json::json!({"least": 2, "most": 6}));
        world.run(3_000, 100, 100, 10);
        assert_eq!(world.gradient.limit(), 6);
        world.run(20_000, 100, 1, 100);
        assert_eq!(world.gradient.limit(), 2);
    }
}
