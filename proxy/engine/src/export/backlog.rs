//! Pages that wait in memory, and the batches made of them.
//!
//! In: pages, oldest first. Out: batches within bounds of records and bytes, thinned to the budget.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, BatchId};
use super::budget::{Budget, Choice};
use crate::recording::otlp::Encoder;
use crate::recording::queue::{Ledger, Page};
use crate::recording::record::Record;
use crate::recording::verdict::failed;

/// Bounds of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub records: usize,
    pub bytes: usize,
}

#[derive(Default)]
pub struct Backlog {
    pages: VecDeque<Rc<Page>>,
    /// Records of the first page that are in a batch already.
    taken: usize,
    waiting: usize,
}

/// A batch, and the records that were left out of it to save bytes.
pub struct Made {
    pub batch: Batch,
    pub over_budget: u64,
}

impl Backlog {
    pub fn push(&mut self, page: Rc<Page>) {
        self.waiting += page.len();
        self.pages.push_back(page);
    }

    /// Records that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes everything that waits, unread.
    pub fn clear(&mut self) -> Vec<(Arc<Ledger>, u64)> {
        let first = std::mem::take(&mut self.taken);
        self.waiting = 0;
        let mut skip = first;
        let owed = |page: Rc<Page>| {
            (
                Arc::clone(&page.ledger),
                (page.len() - std::mem::take(&mut skip)) as u64,
            )
        };
        self.pages.drain(..).map(owed).collect()
    }

    /// Encodes the oldest records, at least one of them, as many as fit.
    pub fn batch(
        &mut self,
        encoder: &mut Encoder,
        budget: &mut Budget,
        size: Size,
        id: BatchId,
        now: Duration,
    ) -> Made {
        let (mut kept, mut over_budget) = (0, 0);
        let mut owed = Vec::new();
        'full: while let Some(page) = self.pages.front() {
            budget.tick(now);
            let before = self.taken;
            for (record, text, identity) in page.records().skip(before) {
                if kept >= size.records || encoder.len() >= size.bytes {
                    owed.push((Arc::clone(&page.ledger), (self.taken - before) as u64));
                    break 'full;
                }
                let matters = budget.limits() && (page.flagged || matters(record));
                match budget.choice(record.trace, matters) {
                    Choice::Keep(threshold) => {
                        let length = encoder.add(record, text, identity, threshold);
                        budget.charge(length, matters);
                        kept += 1;
                    }
                    Choice::LeaveOut => over_budget += 1,
                }
                self.taken += 1;
            }
            owed.push((Arc::clone(&page.ledger), (self.taken - before) as u64));
            self.taken = 0;
            self.pages.pop_front();
        }
        self.waiting -= kept + over_budget;
        Made {
            batch: Batch {
                id,
                raw: encoder.finish().into(),
                records: kept as u64,
                owed,
            },
            over_budget: over_budget as u64,
        }
    }
}

/// Whether a span must be sent whatever it costs: it failed, was refused, or says why something happened to it.
fn matters(record: &Record) -> bool {
    record.reason.is_some() || record.outcome() >= 400 || failed(record)
}
