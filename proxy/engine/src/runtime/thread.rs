//! One worker thread: its own single-threaded runtime, listeners and tasks, and the orders that reach it.

use std::io;
use std::sync::{Arc, mpsc::SyncSender};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use crate::entry::caller::Presence;
use crate::entry::listen::{self, BindError};
use crate::entry::way::Way;
use crate::recording::clock::Clock;
use crate::recording::queue::Recorder;
use crate::recording::slots::{FreeSlots, Slots};
use crate::recording::tally::{Board, Tally};
use crate::runtime::caught::spawn;
use crate::runtime::plan::Plan;
use crate::runtime::standings::{self, Standings};
use crate::runtime::totals::Totals;
use crate::runtime::worker::Worker;
use crate::snapshot::Snapshot;

/// The sockets of one worker.
pub struct Listeners(Vec<(Way, std::net::TcpListener)>);

/// What an engine asks of its workers.
pub enum Order {
    /// Serve this from the next request on, and say so.
    Apply(Arc<Snapshot>, SyncSender<()>),
    /// Say how the endpoints stand.
    Report(SyncSender<Vec<Standings>>),
    /// Accept nothing more, and end when every request has ended, or at this moment.
    Drain(Instant),
}

/// Everything a worker starts with.
pub struct Outfit {
    pub snapshot: Arc<Snapshot>,
    /// How many workers there are.
    pub workers: usize,
    pub listeners: Listeners,
    pub orders: UnboundedReceiver<Order>,
    pub clock: Clock,
    pub slots: FreeSlots,
    pub all_slots: Arc<Slots>,
    pub totals: Arc<Totals>,
    pub board: Arc<Board>,
    pub recorder: Recorder,
}

// === impl Listeners ===

impl Listeners {
    /// Opens every listener of a snapshot, once for each worker.
    pub fn open(snapshot: &Snapshot, workers: usize) -> Result<Vec<Self>, BindError> {
        let inbound = snapshot
            .inbound
            .as_ref()
            .map(|part| (Way::Inbound, "inbound.listen", &*part.listen));
        let outbound = snapshot.outbound.iter().flat_map(|part| {
            let place_of = |place| match place {
                0 => (Way::Outbound, "outbound.listen"),
                place => (Way::Listener(place - 1), "outbound.listeners"),
            };
            part.addresses()
                .into_iter()
                .enumerate()
                .map(move |(place, address)| {
                    let (way, field) = place_of(place);
                    (way, field, address)
                })
        });
        let mut all: Vec<Self> = (0..workers).map(|_| Self(Vec::new())).collect();
        for (way, field, address) in inbound.into_iter().chain(outbound) {
            for (of_worker, socket) in all.iter_mut().zip(listen::open(field, address, workers)?) {
                of_worker.0.push((way, socket));
            }
        }
        Ok(all)
    }
}

/// Serves until drained; true when no request was cut off.
pub fn run(outfit: Outfit) -> io::Result<bool> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let plan = Plan::compile(&outfit.snapshot, None, outfit.workers, outfit.clock.now());
    let tally = Tally::new(outfit.board);
    let worker = Worker::new(
        outfit.clock,
        outfit.slots,
        outfit.all_slots,
        outfit.totals,
        outfit.recorder,
        tally,
        plan,
    );
    let clean = runtime.block_on(async {
        let (stop, drain) = watch::channel(false);
        let (presence, gone) = Presence::new();
        for (way, socket) in outfit.listeners.0 {
            let listener = TcpListener::from_std(socket)?;
            let accept = listen::accept(
                worker.clone(),
                way,
                listener,
                presence.clone(),
                drain.clone(),
            );
            spawn(&worker.totals, accept);
        }
        let flushed = worker.clone();
        spawn(&worker.totals, async move { flushed.flush_records().await });
        let reaped = worker.clone();
        spawn(&worker.totals, async move { reaped.reap_idle().await });
        let late = worker.clone();
        spawn(&worker.totals, async move { late.lag.measure().await });
        drop((presence, drain));

        let deadline = follow_orders(&worker, outfit.orders, outfit.workers).await;
        stop.send_replace(true);
        Ok::<bool, io::Error>(
            tokio::time::timeout_at(deadline.into(), gone.notified())
                .await
                .is_ok(),
        )
    })?;
    // What is still in flight ends with the runtime, and is recorded as cut off.
    worker.cut_off.set(true);
    drop(runtime);
    worker.flush_now();
    Ok(clean)
}

/// Applies plans until the order to drain, or until the engine is gone; returns when to be done by.
async fn follow_orders(
    worker: &Worker,
    mut orders: UnboundedReceiver<Order>,
    workers: usize,
) -> Instant {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Apply(snapshot, done) => {
                let now = worker.clock.now();
                worker.follow(Plan::compile(&snapshot, Some(&worker.plan()), workers, now));
                // The engine may have stopped waiting; the plan is in force all the same.
                let _ = done.send(());
            }
            Order::Report(reply) => {
                let standings = standings::of(&worker.plan(), worker.clock.now());
                // Whoever asked may have stopped waiting.
                let _ = reply.send(standings);
            }
            Order::Drain(deadline) => return deadline,
        }
    }
    Instant::now()
}
