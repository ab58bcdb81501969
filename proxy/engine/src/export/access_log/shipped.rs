//! What became of the log records of the access log: each is exported, dropped with a cause, or pending.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Bytes of log records that may wait in memory, before compression.
const ROOM: u64 = 16 << 20;

#[derive(Debug, Default)]
pub struct Shipped {
    recorded: AtomicU64,
    pub exported: AtomicU64,
    pub retries: AtomicU64,
    pub dropped: Dropped,
    /// Bytes that wait.
    waiting: AtomicU64,
    problem: Mutex<String>,
}

/// Log records dropped, by cause.
#[derive(Debug, Default)]
pub struct Dropped {
    pub queue_full: AtomicU64,
    pub rejected: AtomicU64,
    pub unsendable: AtomicU64,
    /// The log was switched off, or the process ended, while the collector was away.
    pub stopped: AtomicU64,
}

impl Shipped {
    /// Takes records into account; whether there is room for them.
    pub fn admit(&self, records: u64, bytes: usize) -> bool {
        self.recorded.fetch_add(records, Relaxed);
        let fits = self.waiting.load(Relaxed) + bytes as u64 <= ROOM;
        if fits {
            self.waiting.fetch_add(bytes as u64, Relaxed);
        } else {
            self.dropped.queue_full.fetch_add(records, Relaxed);
        }
        fits
    }

    /// So many bytes no longer wait.
    pub fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes as u64, Relaxed);
    }

    /// The end: nobody will send what waits.
    pub fn abandon(&self) {
        let gone = self.exported.load(Relaxed) + sum(&self.dropped.causes());
        let pending = self.recorded.load(Relaxed) - gone;
        self.dropped.stopped.fetch_add(pending, Relaxed);
    }

    /// What went wrong last, in words; empty once the collector takes batches again.
    pub fn say(&self, problem: String) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// The `otlp` part of the access log's statistics. Pending is what the other numbers leave; they are read before the
    /// total, so it is never negative.
    #[must_use]
    pub fn json(&self) -> Value {
        let exported = self.exported.load(Relaxed);
        let dropped = self.dropped.causes();
        let recorded = self.recorded.load(Relaxed);
        json!({
            "recorded": recorded,
            "exported": exported,
            "pending": recorded - exported - sum(&dropped),
            "dropped": BTreeMap::from(dropped),
            "retries": self.retries.load(Relaxed),
            "problem": *self.problem.lock().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

fn sum(causes: &[(&str, u64)]) -> u64 {
    causes.iter().map(|(_, count)| count).sum()
}

impl Dropped {
    /// Every cause with its name.
    fn causes(&self) -> [(&'static str, u64); 4] {
        [
            ("queue_full", &self.queue_full),
            ("rejected", &self.rejected),
            ("unsendable", &self.unsendable),
            ("stopped", &self.stopped),
        ]
        .map(|(cause, count)| (cause, count.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_nothing_is_forgotten() {
        let shipped = Shipped::default();
        let half = usize::try_from(ROOM / 2).unwrap();
        assert!(shipped.admit(3, half) && shipped.admit(4, half));
        assert!(!shipped.admit(5, 1), "there is no room");
        shipped.release(half);
        shipped.exported.fetch_add(3, Relaxed);
        assert!(shipped.admit(6, 1));
        shipped.abandon();
        let said = shipped.json();
        assert_eq!(
            (&said["recorded"], &said["pending"]),
            (&18.into(), &0.into())
        );
        assert_eq!(said["dropped"]["queue_full"], 5);
        assert_eq!(said["dropped"]["stopped"], 10);
    }
}
