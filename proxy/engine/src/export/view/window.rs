//! Hands lines from the exporter to one onlooker.
//!
//! In: lines. Out: the same in order, many at a time. Never: more than its room; what does not fit is counted, and the
//! onlooker hears of it in a line of its own.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of lines that wait to be read.
pub const ROOM: usize = 2 << 20;

pub struct Window {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    closed: AtomicBool,
    /// One for each window there is.
    _ticket: Arc<()>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    missed: u64,
    ended: bool,
}

// === impl Window ===

impl Window {
    /// A window that counts under `tickets` for as long as either side holds it.
    #[must_use]
    pub fn open(tickets: &Arc<()>) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            closed: AtomicBool::new(false),
            _ticket: Arc::clone(tickets),
        })
    }

    /// Adds a line.
    pub fn put(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.lines.len() + line.len() > ROOM {
            waiting.missed += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        self.filled.notify_one();
    }

    /// Counts lines that are not shown.
    pub fn miss(&self, lines: u64) {
        self.waiting().missed += lines;
    }

    /// Nothing more will come.
    pub fn end(&self) {
        self.waiting().ended = true;
        self.filled.notify_one();
    }

    /// The lines since the last call, as soon as there are any; empty when the time is over, `None` after the end.
    #[must_use]
    pub fn take(&self, patience: Duration) -> Option<Vec<u8>> {
        let quiet = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.ended;
        let (mut waiting, _) = self
            .filled
            .wait_timeout_while(self.waiting(), patience, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        let missed = std::mem::take(&mut waiting.missed);
        let mut lines = std::mem::take(&mut waiting.lines);
        if missed > 0 {
            lines.extend_from_slice(format!("{{\"missed\":{missed}}}\n").as_bytes());
        }
        (!lines.is_empty() || !waiting.ended).then_some(lines)
    }

    /// The onlooker has left.
    pub fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_said_once() {
        let tickets = Arc::new(());
        let window = Window::open(&tickets);
        let line = vec![b'x'; ROOM / 2];
        for _ in 0..5 {
            window.put(&line);
        }
        let told = window.take(Duration::ZERO).unwrap();
        assert_eq!(&told[ROOM..], b"{\"missed\":3}\n");
        assert_eq!(window.take(Duration::ZERO), Some(Vec::new()));
        window.end();
        assert_eq!(window.take(Duration::from_secs(5)), None);
        drop(window);
        assert_eq!(Arc::strong_count(&tickets), 1);
    }
}
