//! The batch that is being sent, from memory or from disk, and the answer that is waited for.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::batch::{Batch, BatchId};
use super::coding::Coding;
use super::connection::Connection;
use super::retry::Verdict;
use super::spool::Stored;

/// No batch is larger once decompressed, whatever a file says (OTLP 1.11 recommends this limit to servers).
const MAX_BATCH: usize = 64 << 20;

/// A batch on its way to the collector, and where it is kept meanwhile.
pub struct UnderWay {
    pub answer: Pin<Box<dyn Future<Output = (Connection, Verdict)>>>,
    pub cargo: Cargo,
    pub coding: Coding,
}

pub enum Cargo {
    Memory(Batch),
    Disk(Stored),
}

impl Cargo {
    #[must_use]
    pub fn records(&self) -> u64 {
        match self {
            Self::Memory(batch) => batch.records,
            Self::Disk(stored) => stored.records,
        }
    }

    #[must_use]
    pub fn id(&self) -> BatchId {
        match self {
            Self::Memory(batch) => batch.id,
            Self::Disk(stored) => stored.id,
        }
    }

    /// The batch as it was encoded.
    pub fn raw(&self) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(batch) => Ok(batch.raw.clone()),
            Self::Disk(stored) => stored.coding.decode(&stored.body, MAX_BATCH),
        }
    }
}

/// The answer to what is under way; never, when nothing is.
pub async fn answer(under_way: &mut Option<UnderWay>) -> (Connection, Verdict) {
    match under_way {
        Some(under_way) => under_way.answer.as_mut().await,
        None => std::future::pending().await,
    }
}
