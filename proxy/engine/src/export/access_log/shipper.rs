//! LOG RECORD -> COLLECTOR: sends the access log beside the spans, by a task of its own on the exporter's thread.
//!
//! In: log records a page at a time. Out: batches to the collector's logs endpoint, and an exact account of every record.
//! Never: a disk, or more than so many bytes in memory: what is more is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until};

use super::writer::Written;
use crate::export::batch::BatchId;
use crate::export::retry::{self, Verdict};
use crate::export::route::Route;
use crate::export::signal::Signal;
use crate::recording::identity::Identity;
use crate::recording::otlp::{Encoder, log_record};
use crate::snapshot::Telemetry;

/// Hands log records to the task.
pub struct Shipper {
    encoder: Encoder,
    pieces: mpsc::UnboundedSender<Piece>,
    task: JoinHandle<()>,
    written: Arc<Written>,
}

/// The log records of one page as an `ExportLogsServiceRequest`: two of these, one behind the other, are one again.
struct Piece {
    raw: Vec<u8>,
    records: u64,
    /// What waits should be sent.
    due: bool,
}

/// What is sent at once.
struct Batch {
    id: BatchId,
    raw: Bytes,
    records: u64,
}

/// What the task works with.
struct Sending {
    pieces: mpsc::UnboundedReceiver<Piece>,
    waiting: VecDeque<Piece>,
    settings: watch::Receiver<Telemetry>,
    route: Route,
    written: Arc<Written>,
    due: bool,
    /// Whether more may come.
    open: bool,
    failures: u32,
    rng: fastrand::Rng,
}

// === impl Shipper ===

impl Shipper {
    #[must_use]
    pub fn start(settings: &watch::Receiver<Telemetry>, written: &Arc<Written>) -> Self {
        let (pieces, inbox) = mpsc::unbounded_channel();
        let mut settings = settings.clone();
        let route = Route::of(&settings.borrow_and_update(), Signal::Logs);
        let sending = Sending {
            pieces: inbox,
            waiting: VecDeque::new(),
            settings,
            route,
            written: Arc::clone(written),
            due: false,
            open: true,
            failures: 0,
            rng: fastrand::Rng::new(),
        };
        Self {
            encoder: Encoder::default(),
            pieces,
            task: spawn_local(sending.run()),
            written: Arc::clone(written),
        }
    }

    /// Adds an encoded span, whose caller saw `status`, to what is put next.
    pub fn add(&mut self, span: &[u8], status: u16, identity: &Arc<Identity>) {
        self.encoder.put(&log_record(span, status), identity);
    }

    /// Hands over what was added, if there is room; `due` when nothing should wait for more.
    pub fn put(&mut self, records: u64, due: bool) {
        let mut piece = Piece {
            raw: self.encoder.finish(),
            records,
            due,
        };
        if !self.written.otlp.admit(piece.records, piece.raw.len()) {
            (piece.raw, piece.records) = (Vec::new(), 0);
        }
        if piece.records > 0 || due {
            // The task ends after its sender only.
            let _ = self.pieces.send(piece);
        }
    }

    /// Waits until the rest is sent, or dropped because the collector is away.
    pub async fn end(self) {
        drop(self.pieces);
        // It was cancelled, or a defect ended it, which is counted where all are.
        let _ = self.task.await;
    }
}

// === impl Sending ===

impl Sending {
    async fn run(mut self) {
        while self.gather().await {
            let Some(batch) = self.batch() else { continue };
            if !self.deliver(&batch).await {
                return self.give_up(&batch);
            }
            self.written.otlp.release(batch.raw.len());
        }
    }

    /// Waits until a batch is full or due; false at the end.
    async fn gather(&mut self) -> bool {
        while self.open && !(self.due || self.full()) {
            let piece = self.pieces.recv().await;
            self.take(piece);
        }
        self.open || !self.waiting.is_empty()
    }

    fn take(&mut self, piece: Option<Piece>) {
        let Some(piece) = piece else {
            (self.open, self.due) = (false, true);
            return;
        };
        self.due |= piece.due;
        if piece.records > 0 {
            self.waiting.push_back(piece);
        }
    }

    fn full(&self) -> bool {
        let records: u64 = self.waiting.iter().map(|piece| piece.records).sum();
        records >= self.settings.borrow().batch_records as u64
    }

    /// The oldest pieces, as many as fit into one batch.
    fn batch(&mut self) -> Option<Batch> {
        let Telemetry {
            batch_records,
            batch_bytes,
            ..
        } = *self.settings.borrow();
        let first = self.waiting.pop_front();
        let (mut raw, mut records) =
            first.map_or_else(Default::default, |piece| (piece.raw, piece.records));
        while let Some(next) = self.waiting.front()
            && raw.len() + next.raw.len() <= batch_bytes
            && records + next.records <= batch_records as u64
        {
            raw.extend_from_slice(&next.raw);
            records += next.records;
            self.waiting.pop_front();
        }
        self.due &= !self.waiting.is_empty();
        (records > 0).then(|| Batch {
            id: BatchId(self.rng.u128(..)),
            raw: raw.into(),
            records,
        })
    }

    /// Sends a batch until the collector has dealt with it; false when it does not, and nothing more will come.
    async fn deliver(&mut self, batch: &Batch) -> bool {
        loop {
            self.follow();
            let coding = self.route.coding;
            let (Some(target), Ok(body)) = (self.route.target.clone(), coding.encode(&batch.raw))
            else {
                let dropped = &self.written.otlp.dropped.unsendable;
                dropped.fetch_add(batch.records, Relaxed);
                return true;
            };
            let connection = self.route.connection.get_or_insert_default();
            match connection.send(&target, batch.id, coding, body).await {
                Verdict::Taken { rejected } => {
                    self.answered(batch, rejected.min(batch.records), String::new());
                    return true;
                }
                Verdict::Rejected { problem } => {
                    self.answered(batch, batch.records, problem);
                    return true;
                }
                Verdict::Recode => self.route.avoid(coding),
                Verdict::Retry { after, problem } => {
                    self.written.otlp.retries.fetch_add(1, Relaxed);
                    self.written.otlp.say(problem);
                    if !self.open {
                        return false;
                    }
                    let wait = retry::wait(self.failures, after, &mut self.rng);
                    self.failures += 1;
                    self.pause(wait).await;
                }
            }
        }
    }

    /// The collector has dealt with a batch.
    fn answered(&mut self, batch: &Batch, rejected: u64, problem: String) {
        let shipped = &self.written.otlp;
        shipped
            .exported
            .fetch_add(batch.records - rejected, Relaxed);
        shipped.dropped.rejected.fetch_add(rejected, Relaxed);
        if self.failures > 0 || !problem.is_empty() {
            shipped.say(problem);
        }
        self.failures = 0;
    }

    /// Leaves the collector alone for a while, unless it may have moved or the end has come.
    async fn pause(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        while self.open {
            tokio::select! {
                () = sleep_until(until) => return,
                Ok(()) = self.settings.changed() => {
                    self.settings.mark_changed();
                    return;
                }
                piece = self.pieces.recv() => self.take(piece),
            }
        }
    }

    /// Keeps to other settings; an open connection serves the new target only if it is the same.
    fn follow(&mut self) {
        if !self.settings.has_changed().unwrap_or(false) {
            return;
        }
        let next = Route::of(&self.settings.borrow_and_update(), Signal::Logs);
        if next.target != self.route.target || next.wanted != self.route.wanted {
            self.route = next;
        }
    }

    fn give_up(self, batch: &Batch) {
        let shipped = &self.written.otlp;
        shipped.release(batch.raw.len());
        shipped.dropped.stopped.fetch_add(batch.records, Relaxed);
        for piece in self.waiting {
            shipped.release(piece.raw.len());
            shipped.dropped.stopped.fetch_add(piece.records, Relaxed);
        }
    }
}
