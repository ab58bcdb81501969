//! What became of the records that left the queues, and how the export stands: written by the exporter, read by anyone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::access_log::Written;
use super::coding::Coding;

#[derive(Debug, Default)]
pub struct Account {
    pub exported: AtomicU64,
    /// Found in the spool, recorded by an earlier process.
    pub recovered: AtomicU64,
    pub dropped: Dropped,
    pub spool: SpoolAccount,
    pub recorder: Arc<RecorderAccount>,
    pub log: Arc<Written>,
    pub batches: AtomicU64,
    pub retries: AtomicU64,
    /// Encoded, before compression.
    pub encoded_bytes: AtomicU64,
    /// Put on the wire, each attempt counted.
    pub sent_bytes: AtomicU64,
    /// The collector does not answer, or asks to wait.
    pub away: AtomicBool,
    /// Of 65 536 ordinary traces, those left out to save bytes.
    pub thinned: AtomicU64,
    words: Mutex<Words>,
}

/// Records dropped by the exporter, by cause.
#[derive(Debug, Default)]
pub struct Dropped {
    pub rejected: AtomicU64,
    pub unsendable: AtomicU64,
    pub over_budget: AtomicU64,
    pub spool_full: AtomicU64,
    pub spool_damaged: AtomicU64,
}

/// Records that are kept back, in mode `recorder`, and the traces that were flagged.
#[derive(Debug, Default)]
pub struct RecorderAccount {
    held: AtomicU64,
    forgotten: AtomicU64,
    flagged: AtomicU64,
    untold: AtomicU64,
}

#[derive(Debug, Default)]
pub struct SpoolAccount {
    pub records: AtomicU64,
    pub bytes: AtomicU64,
    pub peak_bytes: AtomicU64,
    /// Files whose last batch an earlier process did not write whole.
    pub torn: AtomicU64,
}

#[derive(Debug, Default)]
struct Words {
    problem: String,
    spool_problem: String,
    compression: Coding,
    refused: Vec<Coding>,
}

impl RecorderAccount {
    pub fn hold(&self, records: u64) {
        self.held.fetch_add(records, Relaxed);
    }

    /// They are to be sent after all.
    pub fn give_back(&self, records: u64) {
        self.held.fetch_sub(records, Relaxed);
    }

    pub fn forget(&self, records: u64) {
        self.held.fetch_sub(records, Relaxed);
        self.forgotten.fetch_add(records, Relaxed);
    }

    /// A trace was flagged here; whether there was room to tell others.
    pub fn flagged(&self, told: bool) {
        self.flagged.fetch_add(1, Relaxed);
        self.untold.fetch_add(u64::from(!told), Relaxed);
    }

    /// Records forgotten, and held: in this order, so that one that moves is not counted twice.
    #[must_use]
    pub fn kept_back(&self) -> (u64, u64) {
        (self.forgotten.load(Relaxed), self.held.load(Relaxed))
    }

    #[must_use]
    pub fn json(&self) -> Value {
        json!({"flagged": self.flagged.load(Relaxed), "untold": self.untold.load(Relaxed)})
    }
}

impl Dropped {
    /// Every cause with its name.
    pub fn causes(&self) -> [(&'static str, u64); 5] {
        [
            ("rejected", &self.rejected),
            ("unsendable", &self.unsendable),
            ("over_budget", &self.over_budget),
            ("spool_full", &self.spool_full),
            ("spool_damaged", &self.spool_damaged),
        ]
        .map(|(cause, count)| (cause, count.load(Relaxed)))
    }
}

impl Account {
    /// What went wrong last, in words; empty once a collector that was away takes batches again.
    pub fn say(&self, problem: String) {
        self.with(|words| words.problem = problem);
    }

    /// Why the spool cannot be used; empty when it can, or when there is none.
    pub fn say_of_spool(&self, problem: String) {
        self.with(|words| words.spool_problem = problem);
    }

    /// The compression in use, and those that the collector does not read.
    pub fn say_of_compression(&self, compression: Coding, refused: &[Coding]) {
        self.with(|words| {
            words.compression = compression;
            words.refused = refused.to_vec();
        });
    }

    fn with(&self, change: impl FnOnce(&mut Words)) {
        change(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The `export` part of the statistics.
    #[must_use]
    pub fn json(&self) -> Value {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss)]
        let kept = 1.0 - self.thinned.load(Relaxed) as f64 / 65_536.0;
        json!({
            "away": self.away.load(Relaxed),
            "problem": words.problem,
            "compression": words.compression.name(),
            "refused_compression": words.refused.iter().map(|coding| coding.name()).collect::<Vec<_>>(),
            "batches": self.batches.load(Relaxed),
            "retries": self.retries.load(Relaxed),
            "encoded_bytes": self.encoded_bytes.load(Relaxed),
            "sent_bytes": self.sent_bytes.load(Relaxed),
            "kept_share": kept,
            "spool": {
                "records": self.spool.records.load(Relaxed),
                "bytes": self.spool.bytes.load(Relaxed),
                "peak_bytes": self.spool.peak_bytes.load(Relaxed),
                "torn": self.spool.torn.load(Relaxed),
                "problem": words.spool_problem,
            },
        })
    }
}
