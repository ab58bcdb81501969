//! Chooses an endpoint: the less busy of two taken at random, leaving out those that just refused a connection.

use crate::recording::clock::Nanos;

/// How long an endpoint that could not be connected to is left out while others are there.
pub const AVOID_FOR: Nanos = 2_000_000_000;

/// What the choice needs to know of one endpoint.
pub trait Load {
    fn in_flight(&self) -> u32;
    /// Until when it is left out.
    fn avoided_until(&self) -> Nanos;
}

/// The place of the chosen endpoint among those for which `open` holds; `None` when there is none.
///
/// Endpoints to be avoided are chosen only when nothing else is open: a wrong guess must not take a service away.
pub fn choose<T: Load>(
    endpoints: &[T],
    now: Nanos,
    rng: &mut fastrand::Rng,
    open: impl Fn(usize) -> bool,
) -> Option<usize> {
    let fit = |place: &usize| open(*place) && endpoints[*place].avoided_until() <= now;
    two(endpoints, rng, fit).or_else(|| two(endpoints, rng, |place| open(*place)))
}

/// Counts first and picks by rank, so that nothing is allocated for a choice.
fn two<T: Load>(
    endpoints: &[T],
    rng: &mut fastrand::Rng,
    fit: impl Fn(&usize) -> bool,
) -> Option<usize> {
    let candidates = || (0..endpoints.len()).filter(&fit);
    let count = candidates().count();
    if count <= 1 {
        return candidates().next();
    }
    let first = rng.usize(..count);
    let second = (first + 1 + rng.usize(..count - 1)) % count;
    let a = candidates().nth(first)?;
    let b = candidates().nth(second)?;
    let b_is_less_busy = endpoints[b].in_flight() < endpoints[a].in_flight();
    Some(if b_is_less_busy { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u32, Nanos);

    impl Load for Fixed {
        fn in_flight(&self) -> u32 {
            self.0
        }
        fn avoided_until(&self) -> Nanos {
            self.1
        }
    }

    fn shares(endpoints: &[Fixed], open: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut counts = vec![0; endpoints.len()];
        for _ in 0..3_000 {
            if let Some(place) = choose(endpoints, 100, &mut rng, &open) {
                counts[place] += 1;
            }
        }
        counts
    }

    #[test]
    fn equal_endpoints_share_alike() {
        let shares = shares(&[Fixed(1, 0), Fixed(1, 0), Fixed(1, 0)], |_| true);
        assert!(
            shares.iter().all(|share| (800..1_200).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn the_busiest_of_three_never_wins() {
        assert_eq!(
            shares(&[Fixed(0, 0), Fixed(0, 0), Fixed(9, 0)], |_| true)[2],
            0
        );
        assert_eq!(shares(&[Fixed(2, 0), Fixed(1, 0)], |_| true), [0, 3_000]);
    }

    #[test]
    fn avoided_and_tried_endpoints_are_left_out() {
        assert_eq!(shares(&[Fixed(0, 200), Fixed(50, 0)], |_| true), [0, 3_000]);
        assert_eq!(
            shares(&[Fixed(0, 200), Fixed(0, 100)], |place| place == 0),
            [3_000, 0]
        );
        assert_eq!(shares(&[Fixed(0, 200)], |_| true), [3_000]);
        assert_eq!(shares(&[Fixed(0, 0)], |_| false), [0]);
    }
}
