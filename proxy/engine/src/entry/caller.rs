//! The other end of an accepted connection, as its requests know it.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::sync::Notify;

use crate::entry::conduct::Conduct;
use crate::entry::detect::Detected;
use crate::entry::entrance::Entrance;
use crate::entry::secure::{Guard, Secured, Verified};
use crate::entry::way::Way;
use crate::recording::otlp::{Attributes, peer};
use crate::recording::record::Encoded;
use crate::routing::mark::fnv;
use crate::routing::targets::Meant;
use crate::runtime::workload::Workload;
use crate::tls::refusal::Refusal;
use crate::tls::trust;
use crate::upstream::endpoint::peer_address;
use crate::upstream::headers::{MESH_SOURCE, source};

/// What every request of one connection shares.
pub struct Caller {
    /// Span attributes of the other end's address.
    pub attributes: Encoded,
    /// Of the other end; one of IPv4 as such.
    pub address: IpAddr,
    /// Of the addresses that it uses; the mesh's own encryption is not seen in them.
    pub scheme: &'static str,
    /// Tells its address from others.
    pub mark: u64,
    meant: Meant,
    /// Span attributes of how its protocol was found out; `None` when it was declared.
    detected: Option<Encoded>,
    /// What the end that reads its bytes has seen.
    pub conduct: Arc<Conduct>,
    /// The last `x-mesh-source` seen; one connection hardly ever carries two.
    source: RefCell<Option<Source>>,
    /// Who it has proved to be.
    proved: Option<Proved>,
    nobody: Rc<str>,
    /// Requests in flight at this worker, on all connections.
    requests: Rc<Cell<usize>>,
    begun: Cell<u64>,
    parting: Cell<bool>,
    entrance: Rc<Entrance>,
    _presence: Rc<Presence>,
}

struct Source {
    header: HeaderValue,
    claim: Claim,
}

/// Who a caller says it is.
#[derive(Clone)]
pub struct Claim {
    /// What its spans say of it.
    pub attributes: Option<Encoded>,
    /// Empty when it says nothing that can be read.
    pub service: Rc<str>,
    pub version: Rc<str>,
}

/// A caller that has shown a certificate.
struct Proved {
    verified: Verified,
    claim: Claim,
}

/// What is known of a connection before its first request.
#[derive(Default)]
pub struct Known {
    pub meant: Meant,
    pub detected: Option<Detected>,
    pub secured: Secured,
}

/// A request of this connection that has not ended.
pub struct Busy(Rc<Caller>);

/// Held by everything that must end before the worker may; the last one to go gives notice.
pub struct Presence(Rc<Notify>);

// === impl Caller ===

impl Caller {
    #[must_use]
    pub fn new(
        remote: SocketAddr,
        conduct: Arc<Conduct>,
        requests: Rc<Cell<usize>>,
        presence: Rc<Presence>,
        entrance: Rc<Entrance>,
        known: Known,
    ) -> Rc<Self> {
        let mut attributes = Attributes::default();
        let address = remote.ip().to_canonical();
        let host = address.to_string();
        attributes.text("client.address", &host);
        peer_address(&mut attributes, &host, remote.port());
        secured(&mut attributes, &known.secured);
        let scheme = match known.secured {
            Secured::OneWay => "https",
            _ => "http",
        };
        let detected = known.detected.map(|detected| detected.attributes());
        if let Some(detected) = &detected {
            attributes.append(detected);
        }
        Rc::new(Self {
            attributes: attributes.bytes().into(),
            address,
            scheme,
            meant: known.meant,
            proved: Proved::of(known.secured),
            detected: detected.map(|detected| detected.bytes().into()),
            mark: fnv(host.as_bytes()),
            conduct,
            source: RefCell::default(),
            nobody: "".into(),
            requests,
            begun: Cell::new(0),
            parting: Cell::new(false),
            entrance,
            _presence: presence,
        })
    }

    /// Which way its next request goes.
    #[must_use]
    pub fn way(&self) -> Way {
        self.entrance.lead().way
    }

    /// What tells the service that its next request is for.
    #[must_use]
    pub fn meant(&self) -> Meant {
        match (self.meant, self.entrance.lead().way) {
            (Meant::Listener(_), Way::Listener(place)) => Meant::Listener(place),
            (meant, _) => meant,
        }
    }

    /// For which workload its next request is, or which one makes it.
    #[must_use]
    pub fn workload(&self) -> Rc<Workload> {
        self.entrance.lead().workload
    }

    /// Notes that a request begins.
    #[must_use]
    pub fn busy(self: &Rc<Self>) -> Busy {
        self.conduct.begin();
        self.requests.set(self.requests.get() + 1);
        self.begun.set(self.begun.get() + 1);
        Busy(Rc::clone(self))
    }

    /// Requests begun so far, and whether one of them is still in flight.
    #[must_use]
    pub fn activity(&self) -> (u64, bool) {
        (self.begun.get(), self.conduct.in_flight() > 0)
    }

    /// Requests in flight at this worker.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.get()
    }

    /// `also`, and how the protocol was found out.
    #[must_use]
    pub fn with_detected(&self, also: Option<Encoded>) -> Option<Encoded> {
        match (&self.detected, also) {
            (None, also) => also,
            (Some(detected), None) => Some(Encoded::clone(detected)),
            (Some(detected), Some(also)) => Some([&**detected, &*also].concat().into()),
        }
    }

    /// Reads and removes the caller's claim, which counts for nothing against what it has proved.
    pub fn take_source(&self, headers: &mut HeaderMap) -> Claim {
        let claim = self.claimed(headers);
        match &self.proved {
            Some(proved) if proved.claim.service != claim.service => proved.claim.clone(),
            _ => claim,
        }
    }

    /// The SPIFFE id that it has proved; `None` of a connection in the clear.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        let proved = self.proved.as_ref()?;
        Some(proved.verified.leaf.id.as_str())
    }

    /// Who it has proved to be, as its spans and counters know it; `None` of a connection in the clear.
    #[must_use]
    pub fn proved(&self) -> Option<&Claim> {
        self.proved.as_ref().map(|proved| &proved.claim)
    }

    /// How long the certificate still holds that it has shown; `None` of a connection in the clear.
    #[must_use]
    pub fn proved_for(&self) -> Option<Duration> {
        let proved = self.proved.as_ref()?;
        Some(proved.verified.leaf.not_after.saturating_sub(trust::now()))
    }

    /// Its next answer is the last on this connection.
    pub fn part(&self) {
        self.parting.set(true);
    }

    #[must_use]
    pub fn is_parting(&self) -> bool {
        self.parting.get() || self.entrance.is_closed()
    }

    /// Whether an answer that is given now is the last. The first request may come long after the certificate was shown, and
    /// be answered before any timer that began with it.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.is_parting() || self.proved_for().is_some_and(|left| left.is_zero())
    }

    /// Why what it has proved counts no more, by the roots and denials that are in force now.
    #[must_use]
    pub fn distrusted(&self, guard: &Guard) -> Option<Refusal> {
        self.proved.as_ref()?.verified.under(guard).err()
    }

    fn claimed(&self, headers: &mut HeaderMap) -> Claim {
        let Some(header) = headers.remove(&MESH_SOURCE) else {
            return self.no_claim();
        };
        let mut last = self.source.borrow_mut();
        if last.as_ref().is_none_or(|last| last.header != header) {
            *last = source(&header).map(|names| Source {
                claim: Claim {
                    attributes: Some(peer("source", names).bytes().into()),
                    service: names[0].into(),
                    version: names[1].into(),
                },
                header: header.clone(),
            });
        }
        last.as_ref()
            .map_or_else(|| self.no_claim(), |source| source.claim.clone())
    }

    /// What a caller says that says nothing.
    #[must_use]
    pub fn no_claim(&self) -> Claim {
        Claim {
            attributes: None,
            service: self.nobody(),
            version: self.nobody(),
        }
    }

    /// The name of a caller or callee that the mesh does not know.
    #[must_use]
    pub fn nobody(&self) -> Rc<str> {
        Rc::clone(&self.nobody)
    }
}

impl Proved {
    fn of(secured: Secured) -> Option<Self> {
        let Secured::Mutual(verified) = secured else {
            return None;
        };
        let id = &verified.leaf.id;
        let service = id.service();
        let mut attributes = Attributes::default();
        attributes.text("mesh.source.service", &service);
        let claim = Claim {
            attributes: Some(attributes.bytes().into()),
            service: (*service).into(),
            version: "".into(),
        };
        Some(Self { verified, claim })
    }
}

/// What the spans of a connection say of its encryption.
fn secured(attributes: &mut Attributes, secured: &Secured) {
    match secured {
        Secured::Unasked => {}
        Secured::Plaintext => attributes.text("mesh.tls", "plaintext"),
        Secured::OneWay => attributes.text("mesh.tls", "one_way"),
        Secured::Mutual(verified) => {
            attributes.text("mesh.tls", "mutual");
            attributes.text("mesh.source.identity", verified.leaf.id.as_str());
        }
    }
}

impl Deref for Busy {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.conduct.end();
        self.0.requests.set(self.0.requests.get() - 1);
    }
}

// === impl Presence ===

impl Presence {
    /// The first holder, and what hears when the last has gone.
    #[must_use]
    pub fn new() -> (Rc<Self>, Rc<Notify>) {
        let gone = Rc::new(Notify::new());
        (Rc::new(Self(Rc::clone(&gone))), gone)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
