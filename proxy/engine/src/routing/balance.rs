//! Chooses an endpoint for a request.
//!
//! In: what is known of each endpoint, the time, chance, and a mark of the caller. Out: a place. Pure.
//! By default the less loaded of two taken at random, the load being peak-sensitive latency times requests in flight
//! (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; the peak EWMA of Twitter's Finagle).

use std::cell::Cell;

pub use self::standing::State;
pub use self::zone::Zone;
use crate::recording::clock::Nanos;
use crate::routing::mark::fnv;
use crate::snapshot::policies::BalancerKind;

mod standing;
mod zone;

/// Latencies below this are alike: nobody waits for the difference.
const ALIKE: f64 = 1e6;
/// What a request costs where none has been answered yet and one is waiting: such an endpoint is tried by one at a time.
const UNKNOWN: f64 = 1e12;
/// So are loads that differ by less than this factor.
const NEARLY: f64 = 1.25;
/// What a new endpoint gets of its share at first.
const LEAST_SHARE: f64 = 0.1;

/// What the choice needs to know of one endpoint.
pub trait Load {
    fn in_flight(&self) -> u32;
    /// Expected nanoseconds to the first byte of a response; 0 while nothing is known.
    fn latency(&self, now: Nanos) -> f64;
    /// Until when it is left out because it could not be connected to.
    fn avoided_until(&self) -> Nanos;
    /// Until when it is left out for how it did.
    fn ejected_until(&self) -> Nanos;
    /// When it joined those that serve.
    fn joined(&self) -> Nanos;
    /// Whether it runs in the zone of this proxy.
    fn is_near(&self) -> bool;
    /// A number of its own, the same in every process.
    fn mark(&self) -> u64;
}

pub struct Balancer {
    kind: BalancerKind,
    slow_start: Nanos,
    /// With a smaller part of healthy endpoints, in percent, ejections count for nothing.
    panic: usize,
    zone: Option<Zone>,
    turn: Cell<usize>,
}

impl Balancer {
    #[must_use]
    pub fn new(kind: BalancerKind, slow_start: Nanos, panic: u32) -> Self {
        Self {
            kind,
            slow_start,
            panic: panic as usize,
            zone: None,
            turn: Cell::new(0),
        }
    }

    /// The same, that prefers endpoints in its own zone.
    #[must_use]
    pub fn keeping_to(self, zone: Option<Zone>) -> Self {
        Self { zone, ..self }
    }

    /// The place of the chosen endpoint among those for which `open` holds; `None` when there is none.
    ///
    /// A caller that is told from others always gets the same one, while that is open.
    /// Endpoints to be avoided are chosen only when nothing else is open: a wrong guess must not take a service away.
    pub fn choose<T: Load>(
        &self,
        endpoints: &[T],
        now: Nanos,
        rng: &mut fastrand::Rng,
        caller: Option<u64>,
        open: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let panicking = self.panics(endpoints, now);
        let fit = |place: &usize| open(*place) && is_fit(&endpoints[*place], now, panicking);
        let in_zone = self.zone.and_then(|zone| {
            let near = endpoints.iter().filter(|endpoint| endpoint.is_near());
            let well = near.clone();
            let well = well
                .filter(|endpoint| is_fit(*endpoint, now, panicking))
                .count();
            let stays = zone.stays(near.count(), well, || rng.f64());
            let fit = |place: &usize| fit(place) && endpoints[*place].is_near() == stays;
            self.among(endpoints, now, rng, caller, fit)
        });
        in_zone
            .or_else(|| self.among(endpoints, now, rng, caller, fit))
            .or_else(|| self.among(endpoints, now, rng, caller, |place| open(*place)))
    }

    /// Whether too many are ejected to leave them out.
    pub fn panics<T: Load>(&self, endpoints: &[T], now: Nanos) -> bool {
        let ejected = endpoints
            .iter()
            .filter(|endpoint| endpoint.ejected_until() > now)
            .count();
        ejected > 0 && ((endpoints.len() - ejected) * 100) < self.panic * endpoints.len()
    }

    fn among<T: Load>(
        &self,
        endpoints: &[T],
        now: Nanos,
        rng: &mut fastrand::Rng,
        caller: Option<u64>,
        fit: impl Fn(&usize) -> bool,
    ) -> Option<usize> {
        // Counts first and picks by rank, so that nothing is allocated for a choice.
        let candidates = || (0..endpoints.len()).filter(&fit);
        let count = candidates().count();
        if count <= 1 {
            return candidates().next();
        }
        let ready = |place: usize, rng: &mut fastrand::Rng| {
            let share = self.share(&endpoints[place], now);
            share >= 1.0 || rng.f64() < share
        };
        let ranked = |rank: usize| candidates().nth(rank % count);
        match (self.kind, caller) {
            (_, Some(caller)) => candidates()
                .max_by_key(|place| fnv(&(caller ^ endpoints[*place].mark()).to_le_bytes())),
            (BalancerKind::RoundRobin, _) => {
                let turn = self.turn.get();
                let skip = (0..count)
                    .find(|skip| ranked(turn + skip).is_some_and(|place| ready(place, rng)))
                    .unwrap_or(0);
                self.turn.set(turn.wrapping_add(skip + 1));
                ranked(turn + skip)
            }
            (BalancerKind::Random | BalancerKind::Hash, _) => {
                let first = ranked(rng.usize(..count))?;
                if ready(first, rng) {
                    return Some(first);
                }
                ranked(rng.usize(..count))
            }
            (BalancerKind::PeakEwma | BalancerKind::LeastRequest, _) => {
                let first = rng.usize(..count);
                let second = first + 1 + rng.usize(..count - 1);
                let (a, b) = (ranked(first)?, ranked(second)?);
                let (load_a, load_b) =
                    (self.load(&endpoints[a], now), self.load(&endpoints[b], now));
                Some(if load_b * NEARLY < load_a { b } else { a })
            }
        }
    }

    fn load<T: Load>(&self, endpoint: &T, now: Nanos) -> f64 {
        let requests = f64::from(endpoint.in_flight() + 1);
        let each = match self.kind {
            BalancerKind::PeakEwma => match endpoint.latency(now) {
                0.0 if endpoint.in_flight() > 0 => UNKNOWN,
                known => known.max(ALIKE),
            },
            _ => ALIKE,
        };
        requests * each / self.share(endpoint, now)
    }

    /// The part of its share that an endpoint gets while it is new.
    fn share<T: Load>(&self, endpoint: &T, now: Nanos) -> f64 {
        let age = now.saturating_sub(endpoint.joined());
        if age >= self.slow_start {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio of durations")]
        let part = age as f64 / self.slow_start as f64;
        part.max(LEAST_SHARE)
    }
}

/// Whether it may be chosen; in a panic ejections count for nothing.
fn is_fit<T: Load>(endpoint: &T, now: Nanos, panicking: bool) -> bool {
    endpoint.avoided_until() <= now && (panicking || endpoint.ejected_until() <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Default)]
    pub(super) struct Fixed {
        pub in_flight: u32,
        pub latency: f64,
        pub avoided: Nanos,
        pub ejected: Nanos,
        pub joined: Nanos,
        pub mark: u64,
        pub near: bool,
    }

    impl Load for Fixed {
        fn in_flight(&self) -> u32 {
            self.in_flight
        }
        fn latency(&self, _: Nanos) -> f64 {
            self.latency
        }
        fn avoided_until(&self) -> Nanos {
            self.avoided
        }
        fn ejected_until(&self) -> Nanos {
            self.ejected
        }
        fn joined(&self) -> Nanos {
            self.joined
        }
        fn is_near(&self) -> bool {
            self.near
        }
        fn mark(&self) -> u64 {
            self.mark
        }
    }

    pub(super) const NOW: Nanos = 10_000;
    pub(super) const IDLE: Fixed = Fixed {
        in_flight: 0,
        latency: 0.0,
        avoided: 0,
        ejected: 0,
        joined: 0,
        mark: 0,
        near: false,
    };

    fn busy(in_flight: u32) -> Fixed {
        Fixed { in_flight, ..IDLE }
    }

    fn shares_of(
        balancer: &Balancer,
        endpoints: &[Fixed],
        open: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut counts = vec![0; endpoints.len()];
        for caller in 0..3_000 {
            let hashes = balancer.kind == BalancerKind::Hash;
            let caller = hashes.then(|| fnv(&u64::to_le_bytes(caller)));
            if let Some(place) = balancer.choose(endpoints, NOW, &mut rng, caller, &open) {
                counts[place] += 1;
            }
        }
        counts
    }

    fn shares(endpoints: &[Fixed], open: impl Fn(usize) -> bool) -> Vec<usize> {
        shares_of(
            &Balancer::new(BalancerKind::PeakEwma, 0, 50),
            endpoints,
            open,
        )
    }

    fn alike(shares: &[usize]) -> bool {
        let each = 3_000 / shares.len();
        shares
            .iter()
            .all(|share| (each * 8 / 10..each * 12 / 10).contains(share))
    }

    #[test]
    fn equal_endpoints_share_alike_whatever_the_kind() {
        let mut three = [IDLE; 3];
        for (endpoint, mark) in three.iter_mut().zip([11, 22, 33]) {
            endpoint.mark = fnv(&u64::to_le_bytes(mark));
        }
        for kind in [
            BalancerKind::PeakEwma,
            BalancerKind::LeastRequest,
            BalancerKind::RoundRobin,
            BalancerKind::Random,
            BalancerKind::Hash,
        ] {
            let shares = shares_of(&Balancer::new(kind, 0, 50), &three, |_| true);
            assert!(alike(&shares), "{kind:?} {shares:?}");
        }
    }

    #[test]
    fn the_busiest_of_three_never_wins() {
        assert_eq!(shares(&[busy(0), busy(0), busy(9)], |_| true)[2], 0);
        assert_eq!(shares(&[busy(2), busy(1)], |_| true), [0, 3_000]);
    }

    #[test]
    fn the_slow_one_gets_less_and_small_differences_do_not_count() {
        let slow = |latency| Fixed { latency, ..IDLE };
        assert_eq!(shares(&[slow(50e6), slow(10e6)], |_| true), [0, 3_000]);
        assert!(alike(&shares(&[slow(10e6), slow(11e6)], |_| true)));
        assert!(alike(&shares(&[slow(0.0), slow(0.9e6)], |_| true)));
        let least = Balancer::new(BalancerKind::LeastRequest, 0, 50);
        assert!(alike(&shares_of(&least, &[slow(50e6), slow(10e6)], |_| {
            true
        })));
    }

    #[test]
    fn what_has_never_answered_is_tried_by_one_at_a_time() {
        let slow = Fixed {
            latency: 50e6,
            ..busy(3)
        };
        assert_eq!(shares(&[slow, busy(0)], |_| true), [0, 3_000]);
        assert_eq!(shares(&[slow, busy(1)], |_| true), [3_000, 0]);
        assert_eq!(shares(&[busy(2), busy(1)], |_| true), [0, 3_000]);
    }

    #[test]
    fn avoided_tried_and_ejected_endpoints_are_left_out() {
        let avoided = Fixed {
            avoided: 2 * NOW,
            ..IDLE
        };
        let ejected = Fixed {
            ejected: 2 * NOW,
            ..IDLE
        };
        assert_eq!(shares(&[avoided, busy(50)], |_| true), [0, 3_000]);
        assert_eq!(shares(&[ejected, busy(50)], |_| true), [0, 3_000]);
        assert_eq!(shares(&[avoided, IDLE], |place| place == 0), [3_000, 0]);
        assert_eq!(shares(&[avoided], |_| true), [3_000]);
        assert_eq!(shares(&[IDLE], |_| false), [0]);
    }

    #[test]
    fn with_too_few_healthy_ones_all_are_used() {
        let ejected = Fixed {
            ejected: 2 * NOW,
            ..IDLE
        };
        assert!(alike(&shares(&[ejected, ejected, IDLE], |_| true)));
        let never = Balancer::new(BalancerKind::PeakEwma, 0, 0);
        assert_eq!(
            shares_of(&never, &[ejected, ejected, IDLE], |_| true),
            [0, 0, 3_000]
        );
    }

    #[test]
    fn requests_stay_in_their_zone_while_it_is_healthy() {
        let zoned = Balancer::new(BalancerKind::PeakEwma, 0, 50).keeping_to(Some(Zone::new(100)));
        let near = Fixed { near: true, ..IDLE };
        let ejected = Fixed {
            ejected: 2 * NOW,
            ..near
        };
        assert_eq!(
            shares_of(&zoned, &[near, IDLE, IDLE], |_| true),
            [3_000, 0, 0]
        );
        let spilled = shares_of(&zoned, &[near, ejected, IDLE], |_| true);
        assert!(alike(&[spilled[0], spilled[2]]), "{spilled:?}");
        assert_eq!(spilled[1], 0);
        assert_eq!(
            shares_of(&zoned, &[near, IDLE], |place| place == 1),
            [0, 3_000]
        );
        assert!(
            alike(&shares_of(&zoned, &[IDLE, IDLE], |_| true)),
            "none is near"
        );
    }

    #[test]
    fn a_new_endpoint_gets_little_at_first() {
        let new = Fixed {
            joined: NOW,
            ..IDLE
        };
        for kind in [BalancerKind::RoundRobin, BalancerKind::Random] {
            let slow = Balancer::new(kind, 1_000, 50);
            let share = shares_of(&slow, &[IDLE, new], |_| true)[1];
            assert!((100..1_000).contains(&share), "{kind:?} {share}");
        }
        let slow = Balancer::new(BalancerKind::PeakEwma, 1_000, 50);
        assert_eq!(
            shares_of(&slow, &[IDLE, new], |_| true)[1],
            0,
            "while the other has room"
        );
        assert!(shares_of(&slow, &[busy(20), new], |_| true)[1] > 2_900);
    }

    #[test]
    fn a_lost_endpoint_moves_its_own_callers_only() {
        let marked = |mark: u64| Fixed {
            mark: fnv(&mark.to_le_bytes()),
            ..IDLE
        };
        let hash = Balancer::new(BalancerKind::Hash, 0, 50);
        let all = [marked(1), marked(2), marked(3), marked(4)];
        let mut rng = fastrand::Rng::with_seed(1);
        for caller in 0..500_u64 {
            let caller = Some(fnv(&caller.to_le_bytes()));
            let before = hash.choose(&all, 0, &mut rng, caller, |_| true);
            let after = hash.choose(&all, 0, &mut rng, caller, |place| place != 2);
            assert!(before == after || before == Some(2));
        }
    }
}
