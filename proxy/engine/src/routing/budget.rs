//! Bounds how many copies of requests are sent beside the requests themselves, so that they do not finish off what struggles.
//!
//! In: requests, and the wish for a copy. Out: yes or no. Pure.

use std::cell::Cell;
use std::time::Duration;

use crate::recording::clock::Nanos;
use crate::snapshot::policies;

/// The budget may save up so many seconds' worth of its steady part.
const SAVED_S: f64 = 10.0;
/// And so many copies at most from requests.
const SAVED: f64 = 100.0;

/// Copies that may still be made: each request earns a part of one, each second a few.
#[derive(Debug)]
pub struct Budget {
    part: f64,
    per_s: f64,
    left: Cell<f64>,
    at: Cell<Nanos>,
}

// === impl Budget ===

impl Budget {
    /// The budget for one of `workers`, each of which has its share of the steady part.
    #[must_use]
    pub fn of(policy: &policies::Retry, workers: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
        let per_s = f64::from(policy.budget_per_s) / workers as f64;
        Self::new(f64::from(policy.budget_percent) / 100.0, per_s)
    }

    fn new(part: f64, per_s: f64) -> Self {
        Self {
            part,
            per_s,
            left: Cell::new(per_s * SAVED_S),
            at: Cell::new(0),
        }
    }

    /// The same with no more in it than was left of the one before: a change of configuration must not fill it up.
    #[must_use]
    pub fn following(self, before: &Self) -> Self {
        self.left.set(self.most().min(before.left.get()));
        self.at.set(before.at.get());
        self
    }

    fn most(&self) -> f64 {
        SAVED.max(self.per_s * SAVED_S)
    }

    /// A request begins.
    pub fn earn(&self) {
        self.left
            .set((self.left.get() + self.part).min(self.most()));
    }

    /// Takes one out, if there is one.
    pub fn spend(&self, now: Nanos) -> bool {
        let passed = Duration::from_nanos(now.saturating_sub(self.at.replace(now)));
        // Time alone saves up its own seconds' worth and no more.
        let steady = self.left.get() + passed.as_secs_f64() * self.per_s;
        let left = steady.min(self.per_s * SAVED_S).max(self.left.get());
        self.left.set(left);
        if left < 1.0 {
            return false;
        }
        self.left.set(left - 1.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    #[test]
    fn the_budget_bounds_retries_to_a_part_of_requests() {
        let budget = Budget::new(0.2, 0.0);
        let mut made = 0;
        for _ in 0..1_000 {
            budget.earn();
            made += u32::from(budget.spend(S));
        }
        assert!((195..=200).contains(&made), "{made}");
    }

    #[test]
    fn a_few_a_second_are_always_allowed() {
        let budget = Budget::new(0.0, 2.0);
        let spent = |from: u64| (0..100).filter(|_| budget.spend(from * S)).count();
        assert_eq!(spent(0), 20, "ten seconds' worth");
        assert_eq!(spent(3), 6);
        assert_eq!(spent(1_000), 20, "no more is saved up");
    }

    #[test]
    fn a_change_of_configuration_does_not_fill_it_up() {
        let before = Budget::new(0.0, 2.0);
        while before.spend(S) {}
        let after = Budget::new(0.5, 4.0).following(&before);
        assert!(!after.spend(S));
        assert!(after.spend(2 * S));
        let less = Budget::new(0.0, 0.0).following(&Budget::new(0.0, 50.0));
        assert_eq!((0..1_000).filter(|_| less.spend(S)).count(), 100);
    }
}
