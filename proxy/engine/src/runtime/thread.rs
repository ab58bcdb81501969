//! One worker thread: its own single-threaded runtime, listeners and tasks, and the orders that reach it.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc::SyncSender};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::entry::caller::Presence;
use crate::entry::entrance::Entrance;
use crate::entry::listen;
use crate::recording::clock::Clock;
use crate::recording::otlp::Surroundings;
use crate::recording::queue::Recorder;
use crate::recording::slots::{FreeSlots, Slots};
use crate::recording::tally::{Board, Tally};
use crate::runtime::caught::spawn;
use crate::runtime::plan::Plan;
use crate::runtime::standings::{self, Standings};
use crate::runtime::totals::Totals;
use crate::runtime::worker::Worker;
use crate::snapshot::Snapshot;
use crate::tls::security::Security;

/// The sockets of one worker.
#[derive(Default)]
pub struct Listeners(pub(super) Vec<(String, std::net::TcpListener)>);

/// Time for the connections of an address that the proxy no longer listens on.
const FAREWELL: Duration = Duration::from_secs(10);

/// What an engine asks of its workers.
pub enum Order {
    /// Serve this from the next request on, also at the listeners that are new, and say so.
    Apply(Arc<Snapshot>, Arc<Security>, Listeners, SyncSender<()>),
    /// Say how the endpoints stand.
    Report(SyncSender<Vec<Standings>>),
    /// Accept nothing more, and end when every request has ended, or at this moment.
    Drain(Instant),
}

/// Everything a worker starts with.
pub struct Outfit {
    pub snapshot: Arc<Snapshot>,
    pub security: Arc<Security>,
    pub surroundings: Arc<Surroundings>,
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

/// The open entrances of one worker.
struct Entrances {
    worker: Rc<Worker>,
    presence: Rc<Presence>,
    open: Vec<Rc<Entrance>>,
}

impl Entrances {
    /// Turns those that stay, closes those that the plan in force does not have, and opens the new ones.
    fn follow(&mut self, listeners: Listeners) -> io::Result<()> {
        let plan = self.worker.plan();
        self.open.retain(|entrance| {
            let lead = plan.lead(&entrance.address);
            let stays = lead.is_some();
            match lead {
                Some(lead) => entrance.turn(lead),
                None => entrance.close(Instant::now() + FAREWELL),
            }
            stays
        });
        for (address, socket) in listeners.0 {
            let Some(lead) = plan.lead(&address) else {
                continue;
            };
            let listener = TcpListener::from_std(socket)?;
            let entrance = Entrance::new(&address, lead);
            self.open.push(Rc::clone(&entrance));
            let (worker, presence) = (Rc::clone(&self.worker), Rc::clone(&self.presence));
            let accept = listen::accept(worker, entrance, listener, presence);
            spawn(&self.worker.totals, accept);
        }
        Ok(())
    }

    fn close(self, deadline: Instant) {
        self.open
            .iter()
            .for_each(|entrance| entrance.close(deadline));
    }
}

/// Serves until drained; true when no request was cut off.
pub fn run(outfit: Outfit) -> io::Result<bool> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let plan = Plan::compile(
        &outfit.snapshot,
        &outfit.security,
        &outfit.surroundings,
        None,
        outfit.workers,
        outfit.clock.now(),
    );
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
        let (presence, gone) = Presence::new();
        let mut entrances = Entrances {
            worker: Rc::clone(&worker),
            presence,
            open: Vec::new(),
        };
        entrances.follow(outfit.listeners)?;
        let flushed = worker.clone();
        spawn(&worker.totals, async move { flushed.flush_records().await });
        let reaped = worker.clone();
        spawn(&worker.totals, async move { reaped.reap_idle().await });
        let late = worker.clone();
        spawn(&worker.totals, async move { late.lag.measure().await });

        let around = &outfit.surroundings;
        let deadline = follow_orders(&mut entrances, outfit.orders, around, outfit.workers).await?;
        entrances.close(deadline);
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
    entrances: &mut Entrances,
    mut orders: UnboundedReceiver<Order>,
    surroundings: &Surroundings,
    workers: usize,
) -> io::Result<Instant> {
    let worker = Rc::clone(&entrances.worker);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Apply(snapshot, security, listeners, done) => {
                let now = worker.clock.now();
                let before = worker.plan();
                let plan = Plan::compile(
                    &snapshot,
                    &security,
                    surroundings,
                    Some(&before),
                    workers,
                    now,
                );
                drop(before);
                worker.follow(plan);
                entrances.follow(listeners)?;
                // The engine may have stopped waiting; the plan is in force all the same.
                let _ = done.send(());
            }
            Order::Report(reply) => {
                let standings = standings::of(&worker.plan(), worker.clock.now());
                // Whoever asked may have stopped waiting.
                let _ = reply.send(standings);
            }
            Order::Drain(deadline) => return Ok(deadline),
        }
    }
    Ok(Instant::now())
}
