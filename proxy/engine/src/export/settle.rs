//! What an answer means for its batch: each record is exported, dropped with a cause, or kept for another attempt.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::Exporter;
use super::cargo::{Cargo, UnderWay};
use super::connection::Connection;
use super::retry::{self, Verdict};

impl Exporter {
    /// Closes the account of what was under way.
    pub(super) fn settle(&mut self, connection: Connection, verdict: Verdict) {
        self.route.connection = Some(connection);
        let Some(UnderWay { cargo, coding, .. }) = self.under_way.take() else {
            return;
        };
        match verdict {
            Verdict::Taken { rejected } => {
                let rejected = rejected.min(cargo.records());
                let taken = cargo.records() - rejected;
                self.account.exported.fetch_add(taken, Relaxed);
                self.answered(cargo, rejected, String::new());
            }
            Verdict::Rejected { problem } => {
                let rejected = cargo.records();
                self.answered(cargo, rejected, problem);
            }
            Verdict::Recode => {
                self.route.avoid(coding);
                self.say_compression();
                self.keep(cargo);
            }
            Verdict::Retry { after, problem } => {
                let wait = retry::wait(self.failures, after, &mut self.rng);
                self.failures += 1;
                self.not_before = Instant::now() + wait;
                self.account.away.store(true, Relaxed);
                self.account.retries.fetch_add(1, Relaxed);
                self.account.say(problem);
                self.keep(cargo);
            }
        }
    }

    /// The collector has dealt with a batch.
    fn answered(&mut self, cargo: Cargo, rejected: u64, problem: String) {
        let refused = &self.account.dropped.rejected;
        refused.fetch_add(rejected, Relaxed);
        match cargo {
            Cargo::Memory(mut batch) => batch.release(),
            Cargo::Disk(stored) => self.shelf.done(&stored, self.started.elapsed()),
        }
        if self.failures > 0 || !problem.is_empty() {
            self.account.say(problem);
        }
        self.failures = 0;
        self.account.away.store(false, Relaxed);
    }

    /// A batch must be sent again.
    pub(super) fn keep(&mut self, cargo: Cargo) {
        match cargo {
            Cargo::Memory(batch) => self.held = Some(batch),
            Cargo::Disk(stored) => self.shelf.again(&stored),
        }
    }

    /// A batch cannot be compressed, or a file holds something that is none though its checksum fits.
    pub(super) fn unreadable(&mut self, cargo: Cargo) {
        match cargo {
            Cargo::Memory(mut batch) => {
                let dropped = &self.account.dropped.unsendable;
                dropped.fetch_add(batch.records, Relaxed);
                batch.release();
            }
            Cargo::Disk(stored) => self.shelf.discard(&stored, self.started.elapsed()),
        }
    }

    /// Nothing is to be sent: what is in memory is counted and let go, what is on disk stays.
    pub(super) fn give_up_memory(&mut self) {
        let dropped = &self.account.dropped.unsendable;
        if let Some(mut held) = self.held.take() {
            dropped.fetch_add(held.records, Relaxed);
            held.release();
        }
        for (ledger, records) in self.backlog.clear() {
            dropped.fetch_add(records, Relaxed);
            ledger.done.fetch_add(records, Relaxed);
        }
    }
}
