//! Says of each endpoint why it gets the requests it gets.
//!
//! In: what the choice knows of them, and the time. Out: their states, as an operator reads them. Pure.

use super::{Balancer, Load, is_fit};
use crate::recording::clock::Nanos;

/// Where an endpoint stands, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Healthy,
    /// It is new, or back, and gets a part of its share.
    SlowStart,
    /// It would do, but callers stay in their own zone.
    OtherZone,
    /// Connections to it failed a moment ago.
    Unreachable,
    /// It did worse than the policy allows.
    Ejected,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    pub state: State,
    /// How long this lasts; 0 when that depends on others.
    pub left: Nanos,
    /// Of what an equal endpoint gets.
    pub share: f64,
}

impl State {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::SlowStart => "slow_start",
            Self::OtherZone => "other_zone",
            Self::Unreachable => "unreachable",
            Self::Ejected => "ejected",
        }
    }
}

impl Balancer {
    /// The standing of every endpoint, in their order. While the balancer panics, those that are out are used all the same.
    pub fn standings<T: Load>(
        &self,
        endpoints: &[T],
        now: Nanos,
    ) -> impl Iterator<Item = Standing> {
        let panicking = self.panics(endpoints, now);
        let near = endpoints.iter().filter(|endpoint| endpoint.is_near());
        let well = near.clone().filter(|near| is_fit(*near, now, panicking));
        let (near, well) = (near.count(), well.count());
        let stays = near > 0 && self.zone.is_some_and(|zone| zone.serves(near, well));
        endpoints.iter().map(move |endpoint| {
            let (ejected, avoided) = (endpoint.ejected_until(), endpoint.avoided_until());
            let share = self.share(endpoint, now);
            let (state, until) = if ejected > now {
                (State::Ejected, ejected)
            } else if avoided > now {
                (State::Unreachable, avoided)
            } else if stays && !endpoint.is_near() {
                (State::OtherZone, now)
            } else if share < 1.0 {
                (State::SlowStart, endpoint.joined() + self.slow_start)
            } else {
                (State::Healthy, now)
            };
            let gets = match state {
                State::Healthy | State::SlowStart => share,
                State::Ejected if panicking => share,
                _ => 0.0,
            };
            Standing {
                state,
                left: until - now,
                share: gets,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Zone;
    use super::super::tests::{Fixed, IDLE, NOW};
    use super::*;
    use crate::snapshot::policies::BalancerKind;

    fn states(balancer: &Balancer, endpoints: &[Fixed]) -> Vec<(State, Nanos, f64)> {
        balancer
            .standings(endpoints, NOW)
            .map(|one| (one.state, one.left, one.share))
            .collect()
    }

    fn balancer() -> Balancer {
        Balancer::new(BalancerKind::PeakEwma, 1_000, 50)
    }

    const EJECTED: Fixed = Fixed {
        ejected: NOW + 70,
        ..IDLE
    };
    const AVOIDED: Fixed = Fixed {
        avoided: NOW + 30,
        ..IDLE
    };

    #[test]
    fn each_says_why_and_for_how_long() {
        let young = Fixed {
            joined: NOW - 500,
            ..IDLE
        };
        assert_eq!(
            states(&balancer(), &[IDLE, young, AVOIDED, EJECTED]),
            [
                (State::Healthy, 0, 1.0),
                (State::SlowStart, 500, 0.5),
                (State::Unreachable, 30, 0.0),
                (State::Ejected, 70, 0.0),
            ]
        );
    }

    #[test]
    fn in_a_panic_the_ejected_have_their_share() {
        let three = states(&balancer(), &[IDLE, EJECTED, EJECTED]);
        assert_eq!(three[1], (State::Ejected, 70, 1.0));
    }

    #[test]
    fn others_zones_wait_while_the_own_one_is_well() {
        let near = Fixed { near: true, ..IDLE };
        let zoned = balancer().keeping_to(Some(Zone::new(50)));
        assert_eq!(states(&zoned, &[near, IDLE])[1], (State::OtherZone, 0, 0.0));
        let broken = Fixed {
            near: true,
            ..AVOIDED
        };
        assert_eq!(states(&zoned, &[broken, IDLE])[1].0, State::Healthy);
        assert_eq!(states(&zoned, &[IDLE])[0].0, State::Healthy, "no near one");
    }
}
