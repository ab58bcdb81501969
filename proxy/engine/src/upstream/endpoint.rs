//! One place a worker sends requests to: an instance of a service, or the application. Holds what is known of it here.

use std::cell::Cell;

use http::HeaderValue;

use crate::address::Address;
use crate::recording::clock::Nanos;
use crate::recording::otlp::{Attributes, peer};
use crate::recording::record::Encoded;
use crate::routing::balance::{AVOID_FOR, Load};
use crate::snapshot::{self, Protocol};
use crate::upstream::pool::Pool;

pub struct Endpoint {
    pub address: Address,
    pub protocol: Protocol,
    /// Its name for a request that came without one.
    pub host: Option<HeaderValue>,
    pub version: Box<str>,
    /// Span attributes that name it.
    pub attributes: Encoded,
    pub pool: Pool,
    in_flight: Cell<u32>,
    avoided_until: Cell<Nanos>,
}

impl Endpoint {
    /// An instance of a service, as its client spans name it. `None` when the address is not one.
    #[must_use]
    pub fn instance(service: &str, protocol: Protocol, from: &snapshot::Endpoint) -> Option<Self> {
        let address = Address::parse(&from.address)?;
        let mut attributes = peer("destination", [service, &from.version, &from.instance]);
        peer_address(&mut attributes, address.host(), address.port());
        let attributes = attributes.bytes().into();
        Some(Self::new(address, protocol, &from.version, attributes))
    }

    /// The application beside this proxy.
    #[must_use]
    pub fn application(from: &snapshot::Inbound) -> Option<Self> {
        Some(Self::new(
            Address::parse(&from.app)?,
            from.protocol,
            "",
            Encoded::from([]),
        ))
    }

    fn new(address: Address, protocol: Protocol, version: &str, attributes: Encoded) -> Self {
        Self {
            host: HeaderValue::try_from(address.to_string()).ok(),
            address,
            protocol,
            version: version.into(),
            attributes,
            pool: Pool::default(),
            in_flight: Cell::new(0),
            avoided_until: Cell::new(0),
        }
    }

    /// Whether it stands for the same place, so that what is known of it stays true.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.address == other.address
            && self.protocol == other.protocol
            && self.attributes == other.attributes
    }

    /// Leaves it out of the choice for a while.
    pub fn avoid(&self, now: Nanos) {
        self.avoided_until.set(now + AVOID_FOR);
    }

    /// It answered: whatever was wrong is over.
    pub fn answered(&self) {
        self.avoided_until.set(0);
    }

    pub fn enter(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    pub fn leave(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }
}

impl<T: std::ops::Deref<Target = Endpoint>> Load for T {
    fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    fn avoided_until(&self) -> Nanos {
        self.avoided_until.get()
    }
}

/// `network.peer.*` of a span.
pub fn peer_address(attributes: &mut Attributes, host: &str, port: u16) {
    attributes.text("network.peer.address", host);
    attributes.number("network.peer.port", u64::from(port));
}
