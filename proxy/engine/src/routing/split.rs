//! Divides requests between several backends in proportion to their weights.

/// Backends with the ends of their shares: `[(90, a), (100, b)]` is 90 to 10.
pub struct Split<T>(Vec<(u64, T)>);

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
        (!shares.is_empty()).then_some(Self(shares))
    }

    /// The backend for a number taken at random, which is not asked for when there is no choice.
    pub fn choose(&self, number: impl FnOnce() -> u64) -> &T {
        let shares = self.0.as_slice();
        let last = &shares[shares.len() - 1];
        if shares.len() == 1 {
            return &last.1;
        }
        // The high bits of the product: no remainder, hence no bias worth the name.
        let place = (u128::from(number()) * u128::from(last.0)) >> 64;
        let chosen = shares.partition_point(|(end, _)| u128::from(*end) <= place);
        &shares[chosen].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_the_weights() {
        let split = Split::new([(99, "old"), (0, "none"), (1, "new")].into_iter()).unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        let new = (0..100_000)
            .filter(|_| split.choose(|| rng.u64(..)) == &"new")
            .count();
        assert!((850..1_150).contains(&new), "{new}");
        assert_eq!(split.choose(|| u64::MAX), &"new");
        assert_eq!(split.choose(|| 0), &"old");
    }

    #[test]
    fn without_a_choice_no_number_is_asked_for() {
        let only = Split::new([(0, "none"), (7, "only")].into_iter()).unwrap();
        assert_eq!(only.choose(|| unreachable!()), &"only");
        assert!(Split::new([(0, "none")].into_iter()).is_none());
    }
}
