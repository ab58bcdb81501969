//! What a listener is for.

use crate::recording::tally::Direction;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Others reach the application through it.
    Inbound,
    /// The application's HTTP proxy.
    Outbound,
    /// The one at this place among `outbound.listeners`: it means one service, or the one a TLS client names.
    Listener(usize),
    /// The one at this place among `gateway.doors`: whoever comes from outside the mesh.
    Door(usize),
}

impl Way {
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Inbound | Self::Door(_) => Direction::Inbound,
            Self::Outbound | Self::Listener(_) => Direction::Outbound,
        }
    }

    /// Its field in a workload of the snapshot.
    #[must_use]
    pub fn field(self) -> String {
        match self {
            Self::Inbound => "inbound.listen".into(),
            Self::Outbound => "outbound.listen".into(),
            Self::Listener(place) => format!("outbound.listeners[{place}].listen"),
            Self::Door(place) => format!("gateway.doors[{place}].listen"),
        }
    }
}
