//! One request's worth of encoded spans, and whose records they were.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::HeaderName;

use crate::recording::queue::Ledger;

/// Names a batch to the collector, the same at each attempt, so that one repeated after a lost answer can be told.
pub static BATCH_HEADER: HeaderName = HeaderName::from_static("x-whymesh-batch");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchId(pub u128);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// An `ExportTraceServiceRequest`, not compressed.
#[derive(Debug)]
pub struct Batch {
    pub id: BatchId,
    pub raw: Bytes,
    pub records: u64,
    /// Whose memory is free again once the batch has left it.
    pub owed: Vec<(Arc<Ledger>, u64)>,
}

impl Batch {
    /// The batch is elsewhere now: its records take no room in the queues.
    pub fn release(&mut self) {
        for (ledger, records) in self.owed.drain(..) {
            ledger.done.fetch_add(records, Relaxed);
        }
    }
}
