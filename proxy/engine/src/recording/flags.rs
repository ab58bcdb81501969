//! Remembers which traces are to be told of in full, and hands on those that were found here.
//!
//! In: trace ids, from this proxy's own spans and from others. Out: whether a trace is flagged, and what to tell the others.
//! Never: more than a bounded number of either; what is too much is counted, and its spans are judged one by one.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::recording::ring::LONGEST_NS;

/// Flagged traces in one half of the memory; a half lasts as long as the ring may keep their records.
const HALF: usize = 32_768;
/// Traces found here that wait to be told to others.
const OUTBOX: usize = 4_096;

/// The flagged traces: a half that fills, and the one before.
#[derive(Default)]
pub struct Flags {
    young: HashSet<u128>,
    old: HashSet<u128>,
    since: u64,
}

/// What this proxy found and others should know: filled by the exporter, emptied by whoever asks.
#[derive(Default)]
pub struct Outbox {
    waiting: Mutex<VecDeque<u128>>,
    filled: Condvar,
}

// === impl Flags ===

impl Flags {
    /// Flags a trace; true when it was not flagged before. `now` in nanoseconds.
    pub fn add(&mut self, trace: u128, now: u64) -> bool {
        if self.has(trace) {
            return false;
        }
        if self.young.len() >= HALF || now.saturating_sub(self.since) > LONGEST_NS {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(trace);
        true
    }

    #[must_use]
    pub fn has(&self, trace: u128) -> bool {
        self.young.contains(&trace) || self.old.contains(&trace)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }
}

// === impl Outbox ===

impl Outbox {
    /// Adds a trace; false when too many wait already.
    pub fn put(&self, trace: u128) -> bool {
        let mut waiting = self.waiting();
        if waiting.len() >= OUTBOX {
            return false;
        }
        waiting.push_back(trace);
        self.filled.notify_one();
        true
    }

    /// Up to `most` traces, as soon as there is one; none when the time is over.
    #[must_use]
    pub fn take(&self, most: usize, patience: Duration) -> Vec<u128> {
        let (mut waiting, _) = self
            .filled
            .wait_timeout_while(self.waiting(), patience, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<u128>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_lasts_as_long_as_records_do() {
        let mut flags = Flags::default();
        assert!(flags.add(1, 0) && !flags.add(1, LONGEST_NS));
        assert!(flags.add(2, LONGEST_NS + 1) && flags.has(1));
        assert!(flags.add(3, 2 * LONGEST_NS + 2));
        assert!(!flags.has(1) && flags.has(2) && flags.has(3));
        for trace in 10..100_000 {
            flags.add(trace, 2 * LONGEST_NS + 3);
        }
        assert!(flags.young.len() + flags.old.len() <= 2 * HALF);
    }

    #[test]
    fn what_is_found_waits_for_whoever_asks() {
        let outbox = Outbox::default();
        assert!(outbox.take(10, Duration::ZERO).is_empty());
        let put = (0..10_000).filter(|trace| outbox.put(*trace)).count();
        assert_eq!(put, OUTBOX);
        assert_eq!(outbox.take(2, Duration::ZERO), [0, 1]);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| outbox.take(OUTBOX, Duration::from_secs(5)));
            assert_eq!(asked.join().expect("it does not panic").len(), OUTBOX - 2);
            let asked = scope.spawn(|| outbox.take(1, Duration::from_secs(5)));
            outbox.put(7);
            assert_eq!(asked.join().expect("it does not panic"), [7]);
        });
    }
}
