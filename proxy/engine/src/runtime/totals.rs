//! Numbers of the whole proxy that every worker adds to: open connections and refusals before there was a request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::reasons::Reason;
use crate::recording::tally::Direction;
use crate::recording::tunnels::Tunnels;
use crate::runtime::meters::Meters;

/// Reasons that are counted as refusals, whether or not there was a request to count.
pub const REFUSALS: [Reason; 36] = [
    Reason::BadRequest,
    Reason::HeadersTooLarge,
    Reason::UriTooLong,
    Reason::BodyTooLarge,
    Reason::RequestTimeout,
    Reason::RequestStalled,
    Reason::RequestLimit,
    Reason::ConnectionLimit,
    Reason::ClientConnectionLimit,
    Reason::FrameFlood,
    Reason::ReaderStalled,
    Reason::RateLimited,
    Reason::ConcurrencyLimit,
    Reason::Overloaded,
    Reason::PolicyDenied,
    Reason::NotAllowed,
    Reason::PlaintextRefused,
    Reason::TlsNoCertificate,
    Reason::TlsUnknownAuthority,
    Reason::TlsExpired,
    Reason::TlsNotYetValid,
    Reason::TlsWrongTrustDomain,
    Reason::TlsTwoNames,
    Reason::TlsBadCertificate,
    Reason::TlsWrongPeer,
    Reason::TlsDenied,
    Reason::TlsNoIdentity,
    Reason::TlsHandshakeFailed,
    Reason::TokenMissing,
    Reason::TokenMalformed,
    Reason::TokenExpired,
    Reason::TokenTooEarly,
    Reason::TokenBadSignature,
    Reason::TokenUnknownKey,
    Reason::TokenWrongIssuer,
    Reason::TokenWrongAudience,
];

/// How often there was each of them.
#[derive(Debug)]
struct Refused([AtomicU64; REFUSALS.len()]);

#[derive(Debug, Default)]
pub struct Totals {
    pub tunnels: Tunnels,
    clients: Mutex<HashMap<IpAddr, usize>>,
    panics: AtomicU64,
    inbound: AtomicUsize,
    outbound: AtomicUsize,
    refused: Refused,
    pub meters: Meters,
    /// Callers that proved who they are: anew, and by a session of before.
    handshakes: [AtomicU64; 2],
}

impl Default for Refused {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; REFUSALS.len()])
    }
}

impl Totals {
    fn gauge(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }

    /// Counts a connection in; the total including it.
    pub fn enter(&self, direction: Direction) -> usize {
        self.gauge(direction).fetch_add(1, Relaxed);
        self.connections(Direction::Inbound) + self.connections(Direction::Outbound)
    }

    pub fn leave(&self, direction: Direction) {
        self.gauge(direction).fetch_sub(1, Relaxed);
    }

    /// Counts a connection of a client in; how many it has including this one.
    pub fn enter_client(&self, client: IpAddr) -> usize {
        let mut clients = self.by_client();
        let connections = clients.entry(client).or_default();
        *connections += 1;
        *connections
    }

    pub fn leave_client(&self, client: IpAddr) {
        let mut clients = self.by_client();
        if let Entry::Occupied(mut entry) = clients.entry(client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    /// Clients that have connections.
    #[cfg(test)]
    pub fn clients(&self) -> usize {
        self.by_client().len()
    }

    fn by_client(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a caller that has proved who it is.
    pub fn proved(&self, resumed: bool) {
        self.handshakes[usize::from(resumed)].fetch_add(1, Relaxed);
    }

    /// Those that proved it anew, and those by a session of before.
    #[must_use]
    pub fn handshakes(&self) -> [u64; 2] {
        [0, 1].map(|kind| self.handshakes[kind].load(Relaxed))
    }

    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Defects of the proxy that ended a task.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    #[must_use]
    pub fn connections(&self, direction: Direction) -> usize {
        self.gauge(direction).load(Relaxed)
    }

    /// Counts a refusal; a reason that is none changes nothing.
    pub fn refuse(&self, reason: Reason) {
        if let Some(place) = REFUSALS.iter().position(|refusal| *refusal == reason) {
            self.refused.0[place].fetch_add(1, Relaxed);
        }
    }

    pub fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        REFUSALS
            .into_iter()
            .zip(self.refused.0.iter().map(|count| count.load(Relaxed)))
    }
}
