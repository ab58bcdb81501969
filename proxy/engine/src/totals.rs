//! Numbers of the whole proxy that every worker adds to: open connections and refusals before there was a request.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::reasons::Reason;
use crate::tally::Direction;

/// Reasons that are counted as refusals, whether or not there was a request to count.
pub const REFUSALS: [Reason; 3] = [
    Reason::BadRequest,
    Reason::HeadersTooLarge,
    Reason::ConnectionLimit,
];

#[derive(Debug, Default)]
pub struct Totals {
    inbound: AtomicUsize,
    outbound: AtomicUsize,
    refused: [AtomicU64; REFUSALS.len()],
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

    #[must_use]
    pub fn connections(&self, direction: Direction) -> usize {
        self.gauge(direction).load(Relaxed)
    }

    /// Counts a refusal; a reason that is none changes nothing.
    pub fn refuse(&self, reason: Reason) {
        if let Some(place) = REFUSALS.iter().position(|refusal| *refusal == reason) {
            self.refused[place].fetch_add(1, Relaxed);
        }
    }

    pub fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        REFUSALS
            .into_iter()
            .zip(self.refused.iter().map(|count| count.load(Relaxed)))
    }
}
