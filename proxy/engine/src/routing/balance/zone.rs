//! Keeps requests in the proxy's own zone while enough of the endpoints there are healthy.
//!
//! In: how many endpoints are near, and how many of those are healthy. Out: whether a request stays. Pure.

/// The part of its near endpoints, in percent, that a zone needs to serve all of its requests itself.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    threshold: u32,
}

impl Zone {
    #[must_use]
    pub fn new(threshold: u32) -> Self {
        Self { threshold }
    }

    /// Whether a request stays in the zone. Below the threshold as many leave as there are endpoints missing: with half of
    /// the healthy ones that are needed, half of the requests. `chance` is from 0 to 1.
    #[must_use]
    pub fn stays(self, near: usize, healthy: usize, chance: impl FnOnce() -> f64) -> bool {
        if self.serves(near, healthy) {
            return near > 0;
        }
        let (has, needs) = self.has_and_needs(near, healthy);
        #[expect(clippy::cast_precision_loss, reason = "numbers of endpoints")]
        let part = has as f64 / needs as f64;
        chance() < part
    }

    /// Whether the near endpoints are healthy enough to serve everything.
    #[must_use]
    pub fn serves(self, near: usize, healthy: usize) -> bool {
        let (has, needs) = self.has_and_needs(near, healthy);
        has >= needs
    }

    fn has_and_needs(self, near: usize, healthy: usize) -> (usize, usize) {
        (healthy * 100, near * self.threshold as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_healthy_ones_keep_every_request() {
        let zone = Zone::new(70);
        for (near, healthy) in [(1, 1), (10, 7), (4, 3)] {
            assert!(
                zone.stays(near, healthy, || unreachable!()),
                "{healthy} of {near}"
            );
        }
        assert!(
            !zone.stays(0, 0, || unreachable!()),
            "there is nothing to stay for"
        );
        assert!(!zone.stays(4, 0, || 0.0));
    }

    #[test]
    fn with_fewer_the_requests_leave_in_proportion() {
        let (zone, mut rng) = (Zone::new(80), fastrand::Rng::with_seed(3));
        let stayed = (0..10_000)
            .filter(|_| zone.stays(4, 1, || rng.f64()))
            .count();
        // One of four is 25 % where 80 % are needed.
        assert!(stayed.abs_diff(10_000 * 25 / 80) < 200, "{stayed}");
    }
}
