//! One place a worker sends requests to: an instance of a service, or the application. Holds what is known of it here.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use http::HeaderValue;

use crate::address::Address;
use crate::recording::clock::Nanos;
use crate::recording::otlp::{Attributes, peer};
use crate::recording::record::Encoded;
use crate::routing::balance::Load;
use crate::routing::mark::fnv;
use crate::routing::outlier::{Cause, Judged, Outcome};
use crate::snapshot::{self, Protocol};
use crate::tls::security::Seal;
use crate::upstream::names::Names;
use crate::upstream::place::Place;
use crate::upstream::pool::Pool;

/// How long an endpoint that could not be connected to is left out while others are there.
const AVOID_FOR: Nanos = 2_000_000_000;
/// Time after which a latency counts for a third of what it did.
const DECAY: f64 = 10e9;

pub struct Endpoint {
    pub place: Place,
    pub protocol: Protocol,
    /// Its name for a request that came without one.
    pub host: Option<HeaderValue>,
    pub version: Rc<str>,
    /// Its name among the instances of its service.
    pub instance: Box<str>,
    pub zone: Option<Box<str>>,
    /// Span attributes that name it.
    pub attributes: Encoded,
    pub pool: Pool,
    pub names: Rc<Names>,
    mark: u64,
    near: bool,
    in_flight: Cell<u32>,
    pending: Cell<u32>,
    connections: Rc<Cell<u32>>,
    avoided_until: Cell<Nanos>,
    joined: Cell<Nanos>,
    latency: Cell<(f64, Nanos)>,
    book: Book,
    seal: RefCell<Seal>,
}

/// How it did of late.
#[derive(Default)]
struct Book {
    failures_in_a_row: Cell<u32>,
    interval: Cell<(u32, u32)>,
    ejected_until: Cell<Nanos>,
    ejections: Cell<u32>,
    /// Of the last ejection.
    cause: Cell<Option<Cause>>,
}

/// Counts something as long as it is held.
pub struct Counted<'a>(&'a Cell<u32>);

/// An open connection.
pub struct Connected(Rc<Cell<u32>>);

impl Endpoint {
    /// An instance of a service, as its client spans name it, seen from a proxy in `zone`. `None` when the address is not one.
    #[must_use]
    pub fn instance(
        service: &str,
        protocol: Protocol,
        from: &snapshot::Endpoint,
        zone: Option<&str>,
        identity: Option<&str>,
        tls: Option<&snapshot::Origination>,
    ) -> Option<Self> {
        let address = Address::parse(&from.address)?;
        let mut attributes = peer("destination", [service, &from.version, &from.instance]);
        peer_address(&mut attributes, address.host(), address.port());
        if let Some(zone) = &from.zone {
            attributes.text("mesh.destination.zone", zone);
        }
        if let Some(identity) = identity {
            attributes.text("mesh.destination.identity", identity);
            attributes.text("mesh.tls", "mutual");
        }
        if let Some(tls) = tls {
            let proves = tls.certificate.is_some();
            attributes.text("mesh.tls", if proves { "mutual" } else { "one_way" });
        }
        let attributes = attributes.bytes().into();
        Some(Self {
            near: zone.is_some() && zone == from.zone.as_deref(),
            instance: from.instance.as_str().into(),
            zone: from.zone.as_deref().map(Into::into),
            ..Self::new(Place::At(address), protocol, &from.version, attributes)
        })
    }

    /// The application beside this proxy.
    #[must_use]
    pub fn application(from: &snapshot::Inbound) -> Option<Self> {
        Some(Self::new(
            Place::parse(&from.app)?,
            from.protocol,
            "",
            Encoded::from([]),
        ))
    }

    /// An address that is no instance of any service.
    #[must_use]
    pub fn outside(at: SocketAddr) -> Self {
        let mut attributes = Attributes::default();
        peer_address(&mut attributes, &at.ip().to_string(), at.port());
        let attributes = attributes.bytes().into();
        Self::new(Place::At(at.into()), Protocol::Tcp, "", attributes)
    }

    fn new(place: Place, protocol: Protocol, version: &str, attributes: Encoded) -> Self {
        Self {
            mark: fnv(place.to_string().as_bytes()),
            near: false,
            host: HeaderValue::try_from(place.host()).ok(),
            place,
            protocol,
            version: version.into(),
            instance: Box::default(),
            zone: None,
            attributes,
            pool: Pool::default(),
            names: Rc::default(),
            in_flight: Cell::new(0),
            pending: Cell::new(0),
            connections: Rc::default(),
            avoided_until: Cell::new(0),
            joined: Cell::new(0),
            latency: Cell::new((0.0, 0)),
            book: Book::default(),
            seal: RefCell::default(),
        }
    }

    /// Whether it stands for the same place, so that what is known of it stays true.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.place == other.place
            && self.protocol == other.protocol
            && self.attributes == other.attributes
    }

    /// Connects like this from now on; connections that were made otherwise take no more requests.
    pub fn secure(&self, seal: Seal) {
        let keeps = seal.keeps(&self.seal.borrow());
        self.seal.replace(seal);
        if !keeps {
            self.pool.renew();
        }
    }

    /// How connections to it are made.
    #[must_use]
    pub fn seal(&self) -> Seal {
        self.seal.borrow().clone()
    }

    /// Whether it is outside of the mesh and takes TLS.
    #[must_use]
    pub fn begins_tls(&self) -> bool {
        matches!(*self.seal.borrow(), Seal::Outside(_))
    }

    /// Whether it listens at a path, not at an address.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        matches!(self.place, Place::Socket(_))
    }

    /// It serves from now on, beside others that did before.
    pub fn join(&self, now: Nanos) {
        self.joined.set(now);
    }

    /// Leaves it out of the choice for a while.
    pub fn avoid(&self, now: Nanos) {
        self.avoided_until.set(now + AVOID_FOR);
    }

    /// It answered: whatever kept connections from it is over.
    pub fn reached(&self) {
        self.avoided_until.set(0);
    }

    /// A response began after so many nanoseconds. Peaks count at once and fade; a failure is no proof of speed.
    pub fn answered(&self, after: Nanos, now: Nanos, outcome: Outcome) {
        self.reached();
        if self.peaks(after, now) || outcome != Outcome::Served {
            return;
        }
        let (known, (_, at)) = (self.latency(now), self.latency.get());
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a request")]
        let fresh = after as f64 * (1.0 - fading(now.saturating_sub(at)));
        self.latency.set((known + fresh, now));
    }

    /// Nobody waits any longer for a response that has not begun after so many nanoseconds: whether that is a peak.
    pub fn peaks(&self, after: Nanos, now: Nanos) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a request")]
        let after = after as f64;
        let higher = after > self.latency(now);
        if higher {
            self.latency.set((after, now));
        }
        higher
    }

    pub fn enter(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    pub fn leave(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Counts a connection that is being opened.
    pub fn opening(&self) -> Counted<'_> {
        self.pending.set(self.pending.get() + 1);
        Counted(&self.pending)
    }

    /// Counts an open connection.
    pub fn connected(&self) -> Connected {
        self.connections.set(self.connections.get() + 1);
        Connected(Rc::clone(&self.connections))
    }

    /// Why it was ejected last.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.book.cause.get()
    }

    #[must_use]
    pub fn requests(&self) -> u32 {
        self.in_flight.get()
    }

    #[must_use]
    pub fn pending(&self) -> u32 {
        self.pending.get()
    }

    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections.get()
    }
}

fn fading(nanos: Nanos) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a duration against ten seconds")]
    let passed = nanos as f64;
    (-passed / DECAY).exp()
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Load for Rc<Endpoint> {
    fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    /// What is known of a busy one does not fade: its silence is no sign of speed.
    fn latency(&self, now: Nanos) -> f64 {
        match self.in_flight.get() {
            0 => Endpoint::latency(self, now),
            _ => self.latency.get().0,
        }
    }

    fn avoided_until(&self) -> Nanos {
        self.avoided_until.get()
    }

    fn ejected_until(&self) -> Nanos {
        self.book.ejected_until.get()
    }

    fn joined(&self) -> Nanos {
        self.joined.get()
    }

    fn is_near(&self) -> bool {
        self.near
    }

    fn mark(&self) -> u64 {
        self.mark
    }
}

impl Endpoint {
    fn latency(&self, now: Nanos) -> f64 {
        let (known, at) = self.latency.get();
        if known == 0.0 {
            return 0.0;
        }
        known * fading(now.saturating_sub(at))
    }
}

impl Judged for Rc<Endpoint> {
    fn count(&self, outcome: Outcome) -> u32 {
        let bad = u32::from(outcome == Outcome::Failed);
        let (requests, failed) = self.book.interval.get();
        self.book.interval.set((requests + 1, failed + bad));
        let row = if bad == 1 {
            self.book.failures_in_a_row.get() + 1
        } else {
            0
        };
        self.book.failures_in_a_row.set(row);
        row
    }

    fn interval(&self) -> (u32, u32) {
        self.book.interval.replace((0, 0))
    }

    fn latency(&self, now: Nanos) -> f64 {
        Endpoint::latency(self, now)
    }

    fn is_ejected(&self, now: Nanos) -> bool {
        self.book.ejected_until.get() > now
    }

    fn ejections(&self) -> u32 {
        self.book.ejections.get()
    }

    fn eject(&self, until: Nanos, cause: Cause) {
        self.book.cause.set(Some(cause));
        self.book.ejected_until.set(until);
        self.book.ejections.set(self.book.ejections.get() + 1);
        self.book.failures_in_a_row.set(0);
        // Whatever it is like when it comes back is new, and it comes back slowly.
        self.latency.set((0.0, until));
        self.joined.set(until);
    }

    fn forgive(&self) {
        let times = self.book.ejections.get();
        self.book.ejections.set(times.saturating_sub(1));
    }
}

/// `network.peer.*` of a span.
pub fn peer_address(attributes: &mut Attributes, host: &str, port: u16) {
    attributes.text("network.peer.address", host);
    attributes.number("network.peer.port", u64::from(port));
}
