//! Divides requests between several backends in proportion to their weights.

use std::cell::Cell;

pub struct Split<T> {
    /// Backends with the ends of their shares: `[(90, a), (100, b)]` is 90 to 10.
    shares: Vec<(u64, T)>,
    /// From one turn to the next: near the golden ratio of the whole, so that shares interleave, and without a common
    /// divisor with it, so that as many turns as it counts visit each place of it once (Knuth, "The Art of Computer
    /// Programming", 6.4).
    step: u64,
    turn: Cell<Option<u64>>,
}

impl<T> Split<T> {
    /// Those without weight get nothing; `None` when there is no other.
    pub fn new(weighed: impl Iterator<Item = (u32, T)>) -> Option<Self> {
        let mut end = 0;
        let shares: Vec<_> = weighed
            .filter(|(weight, _)| *weight > 0)
            .map(|(weight, backend)| {
                end += u64::from(weight);
                (end, backend)
            })
            .collect();
        (!shares.is_empty()).then_some(Self {
            shares,
            step: step(end),
            turn: Cell::new(None),
        })
    }

    /// The backend of a caller with this mark, or else the next one; `chance` says only where to begin.
    pub fn choose(&self, mark: Option<u64>, chance: impl Fn() -> u64) -> &T {
        let shares = self.shares.as_slice();
        let last = &shares[shares.len() - 1];
        if shares.len() == 1 {
            return &last.1;
        }
        let place = match mark {
            Some(mark) => part(mark, last.0),
            None => self.next(last.0, chance),
        };
        &shares[shares.partition_point(|(end, _)| *end <= place)].1
    }

    fn next(&self, whole: u64, chance: impl Fn() -> u64) -> u64 {
        let turn = self.turn.get().unwrap_or_else(|| chance() % whole);
        self.turn.set(Some((turn + self.step) % whole));
        turn
    }
}

/// The part of the whole that stands at `mark` of all numbers: without a remainder, hence without a bias worth the name.
fn part(mark: u64, whole: u64) -> u64 {
    let product = u128::from(mark) * u128::from(whole);
    u64::try_from(product >> 64).expect("less than the whole")
}

fn step(whole: u64) -> u64 {
    let golden = whole * 618 / 1_000;
    (golden.max(1)..=whole)
        .find(|step| divisor(*step, whole) == 1)
        .unwrap_or(1)
}

/// The greatest one in common (Euclid).
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_hundred_in_a_row_are_divided_as_the_weights_say() {
        for start in [0, 1, 57, u64::MAX] {
            let split = Split::new([(99, "old"), (0, "none"), (1, "new")].into_iter()).unwrap();
            let chosen: Vec<_> = (0..1_000).map(|_| *split.choose(None, || start)).collect();
            for hundred in chosen.windows(100) {
                let new = hundred.iter().filter(|backend| **backend == "new");
                assert_eq!(new.count(), 1);
            }
        }
    }

    #[test]
    fn shares_interleave() {
        let split = Split::new([(500, "a"), (500, "b")].into_iter()).unwrap();
        let chosen: Vec<_> = (0..2_000).map(|_| *split.choose(None, || 0)).collect();
        assert!(
            chosen
                .windows(4)
                .all(|four| four.contains(&"a") && four.contains(&"b"))
        );
    }

    #[test]
    fn a_mark_has_one_place_whatever_came_before() {
        let split = Split::new([(99, "old"), (1, "new")].into_iter()).unwrap();
        for _ in 0..3 {
            assert_eq!(split.choose(Some(u64::MAX), || unreachable!()), &"new");
            assert_eq!(split.choose(Some(0), || unreachable!()), &"old");
            split.choose(None, || 7);
        }
    }

    #[test]
    fn growing_a_share_moves_only_those_that_have_to() {
        let split = |new| Split::new([(100 - new, "old"), (new, "new")].into_iter()).unwrap();
        let (before, after) = (split(10), split(50));
        let mut rng = fastrand::Rng::with_seed(5);
        for mark in (0..10_000).map(|_| rng.u64(..)) {
            let was = before.choose(Some(mark), || unreachable!());
            let is = after.choose(Some(mark), || unreachable!());
            assert!(was == is || (*was, *is) == ("old", "new"));
        }
    }

    #[test]
    fn without_a_choice_no_number_is_asked_for() {
        let only = Split::new([(0, "none"), (7, "only")].into_iter()).unwrap();
        assert_eq!(only.choose(None, || unreachable!()), &"only");
        assert!(Split::new([(0, "none")].into_iter()).is_none());
    }
}
