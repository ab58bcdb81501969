//! Parts the records that are sent from those that are only kept for a while (mode `recorder`, docs/adr/006).
//!
//! In: pages from the workers, and traces that other proxies have flagged. Out: pages to send. In mode `all` that is every
//! page; in mode `recorder` the records of traces in which something failed, was refused, was tried again or was slow.
//! Never: a record sent twice, or one that is neither sent nor counted.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::account::RecorderAccount;
use crate::recording::flags::{Flags, Outbox};
use crate::recording::queue::Page;
use crate::recording::ring::{Places, Ring};
use crate::recording::slow::Slow;
use crate::recording::verdict::calls_attention;
use crate::snapshot::{Mode, Telemetry};

pub struct Sieve {
    mode: Mode,
    ring: Ring,
    slow: Slow,
    flags: Flags,
    outbox: Arc<Outbox>,
    account: Arc<RecorderAccount>,
}

impl Sieve {
    #[must_use]
    pub fn new(telemetry: &Telemetry, outbox: Arc<Outbox>, account: Arc<RecorderAccount>) -> Self {
        Self {
            mode: telemetry.mode,
            ring: Ring::new(telemetry.ring_bytes),
            slow: Slow::of(telemetry),
            flags: Flags::default(),
            outbox,
            account,
        }
    }

    /// Keeps to other settings; what is kept stays, as far as it fits.
    pub fn follow(&mut self, next: &Telemetry, before: &Telemetry) {
        self.mode = next.mode;
        let gone = self.ring.resize(next.ring_bytes);
        self.account.forget(gone);
        if (next.slow_ms, next.slow_adaptive) != (before.slow_ms, before.slow_adaptive) {
            self.slow = Slow::of(next);
        }
    }

    /// The last records.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Takes a page; those to send.
    pub fn pass(&mut self, mut page: Page) -> Vec<Rc<Page>> {
        if self.mode == Mode::All {
            let page = Rc::new(page);
            let gone = self.ring.push(Rc::clone(&page), Places::first(page.len()));
            self.account.forget(gone);
            return vec![page];
        }
        let found = self.find(&page);
        let mut out = if found { self.release() } else { Vec::new() };
        let mut sent = Places::default();
        if !self.flags.is_empty() {
            for (place, (record, ..)) in page.records().enumerate() {
                if self.flags.has(record.trace) {
                    sent.add(place);
                }
            }
        }
        if sent.count() > 0 {
            out.push(Rc::new(page.part(&sent)));
        }
        let back = page.len() as u64 - sent.count();
        page.ledger.done.fetch_add(back, Relaxed);
        self.account.hold(back);
        page.due = false;
        page.shrink();
        let gone = self.ring.push(Rc::new(page), sent);
        self.account.forget(gone);
        out
    }

    /// Flags traces on another proxy's word; the records of them that are kept here.
    pub fn order(&mut self, traces: &[u128]) -> Vec<Rc<Page>> {
        let now = self.ring.newest();
        let mut fresh = false;
        for trace in traces {
            fresh |= self.flags.add(*trace, now);
        }
        if fresh { self.release() } else { Vec::new() }
    }

    /// Flags the traces of a page in which something happened; whether one of them is new.
    fn find(&mut self, page: &Page) -> bool {
        let mut found = false;
        for (record, text, _) in page.records() {
            // The slow are asked first: every request counts for what is usual.
            if !(self.slow.is(record, text.route) || calls_attention(record)) {
                continue;
            }
            if self.flags.add(record.trace, record.end_unix) {
                found = true;
                let told = self.outbox.put(record.trace);
                self.account.flagged(told);
            }
        }
        found
    }

    /// What is kept of the flagged traces.
    fn release(&mut self) -> Vec<Rc<Page>> {
        let pages = self.ring.take(|trace| self.flags.has(trace));
        for page in &pages {
            let records = page.len() as u64;
            page.ledger.done.fetch_sub(records, Relaxed);
            self.account.give_back(records);
        }
        pages.into_iter().map(Rc::new).collect()
    }
}
