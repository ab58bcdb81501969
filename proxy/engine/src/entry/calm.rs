//! Decides when the frames of an HTTP/2 client are a flood: much work for the proxy that carries no request on.
//!
//! In: how many frames of each sort passed, and the time. Out: whether to go on. A burst is allowed, a tenth of it again
//! each second, and two more for each frame that carried something: pings and window updates come with traffic.

use std::time::{Duration, Instant};

use crate::entry::frames::Counted;

const EARNED: u32 = 2;
/// The burst is earned again in this time.
const REFILL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Calm {
    burst: u32,
    left: u32,
    since: Instant,
}

impl Calm {
    #[must_use]
    pub fn new(burst: u32, now: Instant) -> Self {
        Self {
            burst,
            left: burst,
            since: now,
        }
    }

    /// Frames that carried something, in either direction, allow for others.
    pub fn earn(&mut self, carrying: u32) {
        self.left = self
            .left
            .saturating_add(carrying.saturating_mul(EARNED))
            .min(self.burst);
    }

    /// Takes what came in; false when it is too much. `now` is asked only when something is owed.
    pub fn bear(&mut self, counted: Counted, now: impl FnOnce() -> Instant) -> bool {
        if counted.idle == 0 {
            return true;
        }
        if counted.idle > self.left {
            self.refill(now());
        }
        match self.left.checked_sub(counted.idle) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = std::mem::replace(&mut self.since, now);
        let share = now.saturating_duration_since(since).as_secs_f64() / REFILL.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the burst"
        )]
        let earned = (f64::from(self.burst) * share.min(1.0)) as u32;
        self.left = self.left.saturating_add(earned).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(frames: u32) -> Counted {
        Counted {
            carrying: 0,
            idle: frames,
        }
    }

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let now = Instant::now();
        let mut calm = Calm::new(100, now);
        assert!((0..100).all(|_| calm.bear(idle(1), || now)));
        assert!(!calm.bear(idle(1), || now));
    }

    #[test]
    fn a_burst_is_earned_again_with_time() {
        let start = Instant::now();
        let mut calm = Calm::new(100, start);
        for second in 0..3_600 {
            let now = start + Duration::from_secs(second);
            assert!(calm.bear(idle(9), || now), "at second {second}");
        }
        let mut calm = Calm::new(100, start);
        let lasted = (0..3_600)
            .take_while(|second| calm.bear(idle(20), || start + Duration::from_secs(*second)));
        assert!(lasted.count() < 20);
    }

    #[test]
    fn traffic_allows_for_what_comes_with_it() {
        let now = Instant::now();
        let mut calm = Calm::new(100, now);
        for _ in 0..10_000 {
            calm.earn(1);
            assert!(calm.bear(idle(2), || now));
        }
    }
}
