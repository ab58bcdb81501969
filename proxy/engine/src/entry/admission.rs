//! Lets connections in up to the limits, of the proxy and of each client address, and counts them out again.

use std::net::IpAddr;
use std::sync::Arc;

use crate::entry::limits::Limits;
use crate::reasons::Reason;
use crate::recording::tally::Direction;
use crate::runtime::totals::Totals;

/// A connection that was let in, for as long as it is held.
pub struct Admission {
    totals: Arc<Totals>,
    direction: Direction,
    /// Whose connections are counted.
    client: Option<IpAddr>,
}

/// Why a connection was not let in, and how many there are.
pub struct TurnedAway {
    pub reason: Reason,
    pub connections: usize,
}

impl Admission {
    pub fn of(
        totals: &Arc<Totals>,
        direction: Direction,
        client: IpAddr,
        limits: &Limits,
    ) -> Result<Self, TurnedAway> {
        let connections = totals.enter(direction);
        let mut admission = Self {
            totals: Arc::clone(totals),
            direction,
            client: None,
        };
        if connections > limits.connections {
            return Err(TurnedAway {
                reason: Reason::ConnectionLimit,
                connections: limits.connections,
            });
        }
        if let Some(limit) = limits.connections_per_client {
            let connections = totals.enter_client(client);
            admission.client = Some(client);
            if connections > limit {
                return Err(TurnedAway {
                    reason: Reason::ClientConnectionLimit,
                    connections: limit,
                });
            }
        }
        Ok(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.totals.leave(self.direction);
        if let Some(client) = self.client {
            self.totals.leave_client(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot;

    #[test]
    fn each_client_has_its_own_limit_within_that_of_all() {
        let totals = Arc::new(Totals::default());
        let settings = snapshot::Limits {
            connections: 3,
            connections_per_client: Some(2),
            ..snapshot::Limits::default()
        };
        let limits = Limits::of(&settings, 1);
        let admit = |host: u8| {
            Admission::of(
                &totals,
                Direction::Inbound,
                IpAddr::from([10, 0, 0, host]),
                &limits,
            )
            .map_err(|away| away.reason)
        };
        let (first, second) = (admit(1), admit(1));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(admit(1).err(), Some(Reason::ClientConnectionLimit));
        let other = admit(2);
        assert!(other.is_ok());
        assert_eq!(admit(2).err(), Some(Reason::ConnectionLimit));
        drop(first);
        assert!(admit(1).is_ok(), "one has left");
        drop((second, other));
        assert_eq!(totals.connections(Direction::Inbound), 0);
        assert_eq!(totals.clients(), 0);
    }
}
