//! SPAN -> COLLECTOR: takes pages of records, encodes them as OTLP, and sends them until the collector has answered.
//!
//! In: pages from the workers. Out: OTLP requests, and an exact account of every record.
//! Order: what is on disk is older than what is in memory, and goes first. A batch that is not taken at once goes to disk,
//! and so do those behind it, until the collector has taken all of them.
//! Never: a record forgotten, or a worker kept waiting. Without a disk the oldest are kept in memory, and the queues fill.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use self::access_log::AccessLog;
pub use self::account::Account;
use self::backlog::{Backlog, Size};
use self::batch::{Batch, BatchId};
use self::budget::Budget;
use self::cargo::{Cargo, UnderWay, answer};
use self::route::Route;
use self::shelf::Shelf;
use self::sieve::Sieve;
use self::signal::Signal;
use self::view::{View, Views};
use crate::recording::clock::unix_now;
use crate::recording::flags::Outbox;
use crate::recording::otlp::Encoder;
use crate::recording::queue::Page;
use crate::snapshot::Telemetry;

mod access_log;
mod account;
mod backlog;
pub mod batch;
pub mod budget;
mod cargo;
pub mod coding;
mod connection;
mod line;
pub mod over_grpc;
pub mod over_http;
pub mod retry;
mod route;
mod settle;
mod shelf;
mod sieve;
pub mod signal;
pub mod spool;
pub mod url;
pub mod view;

/// While the collector is away, records gather in memory for so long before they go to disk: a collector that is back
/// takes few large batches sooner than many small ones.
const SPILL_EVERY: Duration = Duration::from_secs(2);

/// What others ask of the exporter.
pub enum Order {
    /// Send what is kept of these traces, which others have flagged.
    Flush(Vec<u128>),
    /// Let somebody look on.
    Show(View),
}

/// What the exporter works with.
pub struct Outlet {
    pub pages: mpsc::UnboundedReceiver<Page>,
    pub settings: watch::Receiver<Telemetry>,
    pub orders: mpsc::UnboundedReceiver<Order>,
    /// Traces that are flagged here.
    pub flagged: Arc<Outbox>,
    pub account: Arc<Account>,
    /// Where batches wait while the collector is away; in memory only without it.
    pub spool: Option<PathBuf>,
}

/// Runs until every worker has gone and all is sent or on disk, or until `stop` says that there is no more time.
pub fn run(outlet: Outlet, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let mut exporter = Exporter::new(outlet);
        tokio::select! {
            () = exporter.run() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        exporter.put_away();
        exporter.account.log.otlp.abandon();
    });
    Ok(())
}

struct Exporter {
    pages: mpsc::UnboundedReceiver<Page>,
    settings: watch::Receiver<Telemetry>,
    orders: mpsc::UnboundedReceiver<Order>,
    views: Views,
    sieve: Sieve,
    log: AccessLog,
    telemetry: Telemetry,
    account: Arc<Account>,
    encoder: Encoder,
    budget: Budget,
    backlog: Backlog,
    /// Encoded, and neither sent nor on disk: the oldest in memory.
    held: Option<Batch>,
    shelf: Shelf,
    route: Route,
    under_way: Option<UnderWay>,
    /// Attempts that failed since the collector last answered.
    failures: u32,
    not_before: Instant,
    spilled: Instant,
    /// The flush interval has passed: what there is should be sent.
    due: bool,
    /// Whether a worker may still send pages.
    open: bool,
    started: Instant,
    rng: fastrand::Rng,
}

// === impl Exporter ===

impl Exporter {
    fn new(outlet: Outlet) -> Self {
        let Outlet {
            pages,
            mut settings,
            orders,
            flagged,
            account,
            spool,
        } = outlet;
        let telemetry = settings.borrow_and_update().clone();
        let route = Route::of(&telemetry, Signal::Traces);
        account.say_of_compression(route.coding, &route.refused);
        Self {
            pages,
            log: AccessLog::new(&settings, Arc::clone(&account.log)),
            settings,
            orders,
            views: Views::default(),
            sieve: Sieve::new(&telemetry, flagged, Arc::clone(&account.recorder)),
            encoder: Encoder::default(),
            budget: Budget::new(telemetry.budget_bytes),
            backlog: Backlog::default(),
            held: None,
            shelf: Shelf::new(spool, telemetry.spool_bytes, Arc::clone(&account)),
            route,
            under_way: None,
            failures: 0,
            not_before: Instant::now(),
            spilled: Instant::now(),
            due: false,
            open: true,
            started: Instant::now(),
            rng: fastrand::Rng::new(),
            telemetry,
            account,
        }
    }

    async fn run(&mut self) {
        loop {
            self.spill();
            self.dispatch();
            if self.finished() {
                return self.log.end().await;
            }
            let wake = self.wake();
            tokio::select! {
                page = self.pages.recv(), if self.open => self.take(page),
                (connection, verdict) = answer(&mut self.under_way) => self.settle(connection, verdict),
                () = sleep_until(wake.unwrap_or(self.started)), if wake.is_some() => {}
                Ok(()) = self.settings.changed() => self.follow(),
                Some(order) = self.orders.recv() => self.obey(order),
            }
        }
    }

    /// When there is something to do though nothing happens: another attempt, or records for the disk.
    fn wake(&self) -> Option<Instant> {
        let attempt = self.under_way.is_none().then_some(self.not_before);
        let gathering = self.failures > 0 && self.backlog.waiting() > 0;
        let spill = gathering.then(|| self.spilled + SPILL_EVERY);
        let now = Instant::now();
        let ahead = |moment: &Instant| *moment > now;
        attempt.into_iter().chain(spill).filter(ahead).min()
    }

    /// Nothing more will come, and nothing is left or can be done about it.
    fn finished(&self) -> bool {
        let sent = self.shelf.is_empty() || self.failures > 0 || self.route.target.is_none();
        let memory = self.backlog.waiting() > 0 || self.held.is_some();
        !self.open && self.under_way.is_none() && !memory && sent
    }

    fn take(&mut self, page: Option<Page>) {
        let Some(mut page) = page else {
            self.open = false;
            self.due = true;
            return;
        };
        if self.failures > 0 {
            page.shrink();
        }
        self.sort(page);
    }

    fn sort(&mut self, page: Page) {
        self.views.show(&page);
        self.log.tell(&page);
        let pages = self.sieve.pass(page);
        self.queue(pages);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Flush(traces) => {
                let pages = self.sieve.order(&traces);
                self.queue(pages);
            }
            Order::Show(view) => {
                let now = unix_now();
                self.views.open(view, self.sieve.ring(), now);
            }
        }
    }

    fn queue(&mut self, pages: Vec<Rc<Page>>) {
        for page in pages {
            self.due |= page.due;
            self.backlog.push(page);
        }
    }

    /// Keeps to other settings; the collector may have moved, so it is tried at once.
    fn follow(&mut self) {
        let next = self.settings.borrow_and_update().clone();
        if next.budget_bytes != self.telemetry.budget_bytes {
            self.budget = Budget::new(next.budget_bytes);
        }
        self.sieve.follow(&next, &self.telemetry);
        self.log.follow(&next.log);
        if next.spool_bytes != self.telemetry.spool_bytes {
            self.shelf.resize(next.spool_bytes);
        }
        let changed = next.endpoint != self.telemetry.endpoint
            || next.protocol != self.telemetry.protocol
            || next.compression != self.telemetry.compression;
        if changed {
            // An answer under way brings its connection back; it serves the new target only if it is the same.
            let connection = self.route.connection.take();
            self.route = Route {
                connection,
                ..Route::of(&next, Signal::Traces)
            };
            self.say_compression();
            self.not_before = Instant::now();
        }
        self.telemetry = next;
    }

    /// Enough waits in memory to make a batch of it.
    fn ready(&mut self) -> bool {
        let waiting = self.backlog.waiting();
        self.due &= waiting > 0;
        self.due || waiting >= self.telemetry.batch_records
    }

    /// Moves batches from memory to disk while the collector is away, or too slow for what comes.
    fn spill(&mut self) {
        let now = self.started.elapsed();
        loop {
            let crowded = self.backlog.waiting() * 2 > self.telemetry.queue_records;
            let away = self.failures > 0 && (self.held.is_some() || self.gathered());
            if !(crowded || away) || !self.sendable() || !self.shelf.usable(now) {
                return;
            }
            let Some(batch) = self.next_in_memory() else {
                return;
            };
            if let Err(batch) = self.shelf.put(batch, now) {
                self.held = Some(batch);
                return;
            }
            if self.backlog.waiting() == 0 {
                self.spilled = Instant::now();
            }
        }
    }

    /// Enough waits in memory, or long enough, to go to disk.
    fn gathered(&self) -> bool {
        let waiting = self.backlog.waiting();
        let long = !self.open || self.spilled.elapsed() >= SPILL_EVERY;
        waiting >= self.telemetry.batch_records || (waiting > 0 && long)
    }

    /// Sends the oldest batch, unless one is under way or the collector must be left alone for now.
    fn dispatch(&mut self) {
        if self.under_way.is_some() || Instant::now() < self.not_before {
            return;
        }
        let Some(target) = self.route.target.clone() else {
            return self.give_up_memory();
        };
        let Some(cargo) = self.oldest() else { return };
        let coding = self.route.coding;
        let coded = cargo
            .raw()
            .and_then(|raw| Ok((raw.len(), coding.encode(&raw)?)));
        let Ok((raw, body)) = coded else {
            return self.unreadable(cargo);
        };
        self.budget.compressed(raw, body.len());
        self.account.encoded_bytes.fetch_add(raw as u64, Relaxed);
        self.account
            .sent_bytes
            .fetch_add(body.len() as u64, Relaxed);
        self.account.batches.fetch_add(1, Relaxed);
        let mut connection = self.route.connection.take().unwrap_or_default();
        let id = cargo.id();
        let answer = async move {
            let verdict = connection.send(&target, id, coding, body).await;
            (connection, verdict)
        };
        self.under_way = Some(UnderWay {
            answer: Box::pin(answer),
            cargo,
            coding,
        });
    }

    fn oldest(&mut self) -> Option<Cargo> {
        if let Some(stored) = self.shelf.front(self.started.elapsed()) {
            return Some(Cargo::Disk(stored));
        }
        if self.held.is_some() || self.ready() {
            return self.next_in_memory().map(Cargo::Memory);
        }
        None
    }

    /// The oldest batch in memory; `None` when everything in it was left out to save bytes.
    fn next_in_memory(&mut self) -> Option<Batch> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        while self.backlog.waiting() > 0 {
            let size = Size {
                records: self.telemetry.batch_records,
                bytes: self.telemetry.batch_bytes,
            };
            let id = BatchId(self.rng.u128(..));
            let now = self.started.elapsed();
            let mut made = self
                .backlog
                .batch(&mut self.encoder, &mut self.budget, size, id, now);
            let dropped = &self.account.dropped.over_budget;
            dropped.fetch_add(made.over_budget, Relaxed);
            self.account.thinned.store(self.budget.thinned(), Relaxed);
            if made.batch.records > 0 {
                return Some(made.batch);
            }
            made.batch.release();
        }
        None
    }

    fn sendable(&self) -> bool {
        self.route.target.is_some()
    }

    /// The end: what is left in memory goes to disk, for the next process to send.
    fn put_away(&mut self) {
        let now = self.started.elapsed();
        if let Some(UnderWay { cargo, .. }) = self.under_way.take() {
            self.keep(cargo);
        }
        while let Ok(page) = self.pages.try_recv() {
            self.sort(page);
        }
        while self.sendable() && self.shelf.usable(now) {
            let Some(batch) = self.next_in_memory() else {
                return;
            };
            if let Err(batch) = self.shelf.put(batch, now) {
                self.held = Some(batch);
                return;
            }
        }
    }

    fn say_compression(&self) {
        let Route {
            coding, refused, ..
        } = &self.route;
        self.account.say_of_compression(*coding, refused);
    }
}
