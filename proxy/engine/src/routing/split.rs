//! Divides requests between several backends in proportion to their weights.

/// Backends with the ends of their shares: `[(90, a), (100, b)]` is 90 to 10.
pub struct Split<T>(Vec<(u64, T)>);

impl<T> Split<T> {
    /// Those without weight get nothing.
    pub fn new(weighed: impl Iterator<Item = (u32, T)>) -> Self {
        let mut end = 0;
        let shares = weighed
            .filter(|(weight, _)| *weight > 0)
            .map(|(weight, backend)| {
                end += u64::from(weight);
                (end, backend)
            });
        Self(shares.collect())
    }

    /// The backend for a number taken at random, which is not asked for when there is no choice.
    pub fn choose(&self, number: impl FnOnce() -> u64) -> Option<&T> {
        match self.0.as_slice() {
            [] => None,
            [(_, only)] => Some(only),
            shares => {
                let total = shares.last()?.0;
                // The high bits of the product: no remainder, hence no bias worth the name.
                let place = u64::try_from((u128::from(number()) * u128::from(total)) >> 64).ok()?;
                let chosen = shares.partition_point(|(end, _)| *end <= place);
                Some(&shares[chosen].1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_the_weights() {
        let split = Split::new([(99, "old"), (0, "none"), (1, "new")].into_iter());
        let mut rng = fastrand::Rng::with_seed(3);
        let new = (0..100_000)
            .filter(|_| split.choose(|| rng.u64(..)) == Some(&"new"))
            .count();
        assert!((850..1_150).contains(&new), "{new}");
        assert_eq!(split.choose(|| u64::MAX), Some(&"new"));
        assert_eq!(split.choose(|| 0), Some(&"old"));
    }

    #[test]
    fn without_a_choice_no_number_is_asked_for() {
        let only = Split::new([(0, "none"), (7, "only")].into_iter());
        assert_eq!(only.choose(|| unreachable!()), Some(&"only"));
        assert_eq!(
            Split::<u8>::new(std::iter::empty()).choose(|| unreachable!()),
            None
        );
    }
}
