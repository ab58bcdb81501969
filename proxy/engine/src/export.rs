//! SPAN -> COLLECTOR: takes pages of records, encodes them as OTLP, and posts them until the collector has answered.
//!
//! In: pages from the workers. Out: OTLP/HTTP requests, and an exact account of every record.
//! Never: a record forgotten. While the collector is away the oldest are kept, and the workers' queues fill.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use self::post::Connection;
use self::retry::Verdict;
use self::url::Url;
use crate::otlp::Encoder;
use crate::queue::Page;
use crate::snapshot::{Node, Telemetry};

mod post;
pub mod retry;
pub mod url;

/// What became of the records that left the queues.
#[derive(Debug, Default)]
pub struct Account {
    pub exported: AtomicU64,
    pub rejected: AtomicU64,
    pub unsendable: AtomicU64,
}

/// Runs until every worker has gone and the backlog is sent, or until `stop` says that there is no more time.
pub fn run(
    node: &Node,
    pages: mpsc::UnboundedReceiver<Page>,
    settings: watch::Receiver<Telemetry>,
    mut stop: watch::Receiver<bool>,
    account: &Arc<Account>,
) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let exporter = Exporter {
        encoder: Encoder::new(node),
        connection: Connection::default(),
        backlog: VecDeque::new(),
        waiting: 0,
        open: true,
        rng: fastrand::Rng::new(),
        pages,
        settings,
        account: Arc::clone(account),
    };
    runtime.block_on(async {
        tokio::select! {
            () = exporter.run() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
    Ok(())
}

struct Exporter {
    encoder: Encoder,
    connection: Connection,
    backlog: VecDeque<Page>,
    /// Records in the backlog.
    waiting: usize,
    /// Whether a worker may still send pages.
    open: bool,
    rng: fastrand::Rng,
    pages: mpsc::UnboundedReceiver<Page>,
    settings: watch::Receiver<Telemetry>,
    account: Arc<Account>,
}

/// One request's worth of pages, encoded.
struct Batch {
    body: Bytes,
    pages: Vec<Page>,
    records: u64,
}

impl Exporter {
    async fn run(mut self) {
        loop {
            let due = self.gather().await;
            while self.waiting >= self.settings.borrow().batch_records || (due && self.waiting > 0)
            {
                self.send_next().await;
            }
            if !self.open {
                return;
            }
        }
    }

    /// Waits for pages; true when what there is should be sent now.
    async fn gather(&mut self) -> bool {
        loop {
            let Some(page) = self.pages.recv().await else {
                self.open = false;
                return true;
            };
            let due = self.store(page);
            if due || self.waiting >= self.settings.borrow().batch_records {
                return due;
            }
        }
    }

    fn store(&mut self, page: Page) -> bool {
        let due = page.due;
        self.waiting += page.len();
        self.backlog.push_back(page);
        due
    }

    /// Sends one batch, however long it takes.
    async fn send_next(&mut self) {
        let batch = self.next_batch();
        let mut attempt = 0;
        loop {
            let Some(url) = Url::parse(&self.settings.borrow().endpoint) else {
                self.account.unsendable.fetch_add(batch.records, Relaxed);
                return batch.done();
            };
            match self.connection.post(&url, batch.body.clone()).await {
                Verdict::Taken { rejected } => {
                    let rejected = rejected.min(batch.records);
                    self.account
                        .exported
                        .fetch_add(batch.records - rejected, Relaxed);
                    self.account.rejected.fetch_add(rejected, Relaxed);
                    return batch.done();
                }
                Verdict::Rejected => {
                    self.account.rejected.fetch_add(batch.records, Relaxed);
                    return batch.done();
                }
                Verdict::Retry { after } => {
                    let pause = retry::wait(attempt, after, &mut self.rng);
                    attempt += 1;
                    self.pause(pause).await;
                }
            }
        }
    }

    fn next_batch(&mut self) -> Batch {
        let limit = self.settings.borrow().batch_records;
        let mut pages = Vec::new();
        let mut records = 0;
        while let Some(page) = self.backlog.pop_front() {
            if records > 0 && records + page.len() > limit {
                self.backlog.push_front(page);
                break;
            }
            records += page.len();
            page.records()
                .for_each(|(record, text)| self.encoder.add(record, text));
            pages.push(page);
        }
        self.waiting -= records;
        Batch {
            body: self.encoder.finish().into(),
            pages,
            records: records as u64,
        }
    }

    /// Waits before another attempt, taking in pages meanwhile; a new endpoint ends the wait.
    async fn pause(&mut self, pause: std::time::Duration) {
        let timer = tokio::time::sleep(pause);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = &mut timer => return,
                Ok(()) = self.settings.changed() => return,
                page = self.pages.recv(), if self.open => match page {
                    Some(mut page) => {
                        page.shrink();
                        self.store(page);
                    }
                    None => self.open = false,
                },
            }
        }
    }
}

impl Batch {
    fn done(self) {
        for page in self.pages {
            page.ledger.done.fetch_add(page.len() as u64, Relaxed);
        }
    }
}
