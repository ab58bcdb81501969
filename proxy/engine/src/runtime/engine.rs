//! The wiring of one engine: listeners, worker threads, the exporter thread, and the orders they take.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::entry::listen::BindError;
use crate::export::view::{self, NotAWish, View, Window, Wish};
use crate::export::{self, Account, Outlet};
use crate::recording::clock::Clock;
use crate::recording::flags::Outbox;
use crate::recording::otlp::Surroundings;
use crate::recording::queue::{Recorder, Room};
use crate::recording::slots::{FreeSlots, Slots};
use crate::recording::tally::Board;
use crate::recording::trace::read_id;
use crate::runtime::sockets::Sockets;
use crate::runtime::standings;
use crate::runtime::stats::Books;
use crate::runtime::succession::{Predecessor, Succession};
use crate::runtime::thread::{self, Listeners, Order, Outfit};
use crate::runtime::totals::Totals;
use crate::snapshot::{Refused, Snapshot, Telemetry};
use crate::tls::credential::Credential;
use crate::tls::security::Security;
use crate::tls::vault::Vault;
use crate::tls::{doors, trust};

/// The exporter gets at least this much of the time to drain: spans matter most when a proxy stops.
const LEAST_FLUSH: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("cannot take over from the proxy that runs: {0}")]
    TakeOver(io::Error),
    #[error("a thread could not be started: {0}")]
    Thread(#[from] io::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("traces: {0:?} is not 32 lower-case hexadecimal digits")]
pub struct NotATrace(String);

#[derive(Debug, thiserror::Error)]
pub enum NoView {
    #[error(transparent)]
    Unclear(#[from] NotAWish),
    #[error("{} look on already; try again when one has left", view::MOST)]
    Crowded,
}

/// Worker threads that carry traffic until drained.
pub struct Engine {
    books: Books,
    exporter: mpsc::UnboundedSender<export::Order>,
    /// Held by those who look on.
    onlookers: Arc<()>,
    /// Traces flagged here.
    flagged: Arc<Outbox>,
    /// To each worker, for questions that must not wait for an order under way.
    orders: Vec<mpsc::UnboundedSender<Order>>,
    vault: Vault,
    running: Mutex<Running>,
}

struct Running {
    snapshot: Arc<Snapshot>,
    security: Arc<Security>,
    sockets: Sockets,
    workers: Vec<WorkerThread>,
    exporter: Option<JoinHandle<io::Result<()>>>,
    telemetry: watch::Sender<Telemetry>,
    stop_exporter: watch::Sender<bool>,
}

struct WorkerThread {
    orders: mpsc::UnboundedSender<Order>,
    thread: JoinHandle<io::Result<bool>>,
}

// === impl Engine ===

impl Engine {
    /// Opens the listeners and starts serving; when it fails nothing is left behind.
    ///
    /// While the collector is away batches wait in `spool`, or in memory only without such a directory.
    /// Takes the place of the engine that waits at `replace` for its successor, if there is one.
    /// The resource of everything it records says `surroundings`, too.
    pub fn start(
        json: &str,
        workers: usize,
        spool: Option<PathBuf>,
        replace: Option<&Path>,
        vault: Vault,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let snapshot = Arc::new(Snapshot::parse(json)?);
        let security = Arc::new(Security::of(&snapshot, &vault, &Security::default()));
        let predecessor = replace
            .and_then(|path| Predecessor::at(path).transpose())
            .transpose()
            .map_err(StartError::TakeOver)?;
        let inherited = match &predecessor {
            Some(predecessor) => predecessor.sockets().map_err(StartError::TakeOver)?,
            None => Sockets::default(),
        };
        let mut sockets = Sockets::default();
        let listeners = sockets.open(&snapshot, inherited, workers.max(1))?;
        let workers = listeners.len();
        let clock = Clock::start();
        let surroundings = Arc::new(surroundings);
        let all_slots = Slots::new();
        let totals = Arc::new(Totals::default());
        let account = Arc::new(Account::default());
        let (pages, inbox) = mpsc::unbounded_channel();
        let (telemetry, settings) = watch::channel(snapshot.telemetry.clone());
        let (stop_exporter, stop) = watch::channel(false);
        let (exporter_orders, order_inbox) = mpsc::unbounded_channel();
        let flagged = Arc::new(Outbox::default());

        let outlet = Outlet {
            pages: inbox,
            settings,
            orders: order_inbox,
            flagged: Arc::clone(&flagged),
            account: Arc::clone(&account),
            spool,
        };
        let exporter = Builder::new()
            .name("whymesh-export".into())
            .spawn(move || export::run(outlet, stop))?;
        let mut running = Running {
            snapshot: Arc::clone(&snapshot),
            security: Arc::clone(&security),
            sockets,
            workers: Vec::new(),
            exporter: Some(exporter),
            telemetry,
            stop_exporter,
        };
        let mut books = Books {
            epoch: AtomicU64::new(snapshot.epoch),
            totals: Arc::clone(&totals),
            account,
            boards: Vec::new(),
            ledgers: Vec::new(),
        };
        for (place, listeners) in listeners.into_iter().enumerate() {
            let recorder = Recorder::new(pages.clone(), Room::of(&snapshot.telemetry));
            let board = Arc::new(Board::default());
            books.ledgers.push(recorder.ledger());
            books.boards.push(Arc::clone(&board));
            let (orders, order_inbox) = mpsc::unbounded_channel();
            let outfit = Outfit {
                snapshot: Arc::clone(&snapshot),
                security: Arc::clone(&security),
                surroundings: Arc::clone(&surroundings),
                workers,
                listeners,
                orders: order_inbox,
                clock,
                slots: FreeSlots::share(&all_slots, place, workers),
                all_slots: Arc::clone(&all_slots),
                totals: Arc::clone(&totals),
                board,
                recorder,
            };
            let thread = Builder::new()
                .name(format!("whymesh-{place}"))
                .spawn(move || thread::run(outfit))?;
            running.workers.push(WorkerThread { orders, thread });
        }
        if let Some(predecessor) = predecessor {
            // One that has ended meanwhile needs no word.
            let _ = predecessor.relieve();
        }
        let orders = running.workers.iter().map(|worker| worker.orders.clone());
        Ok(Self {
            books,
            exporter: exporter_orders,
            onlookers: Arc::default(),
            flagged,
            orders: orders.collect(),
            vault,
            running: Mutex::new(running),
        })
    }

    /// Serves a newer snapshot from the next request on; returns once every worker does.
    ///
    /// Opens listeners that are new, and closes those that are gone. A snapshot whose addresses cannot be opened is
    /// refused, and the one in force stays so.
    pub fn apply(&self, json: &str) -> Result<u64, Refused> {
        let snapshot = Arc::new(Snapshot::parse(json)?);
        let mut running = self.running();
        let workers = running.workers.len();
        let listeners = running
            .sockets
            .open(&snapshot, Sockets::default(), workers)?;
        running.security = Arc::new(Security::of(&snapshot, &self.vault, &running.security));
        running.turn(&snapshot, listeners);
        running.sockets.keep(&snapshot);
        running.telemetry.send_replace(snapshot.telemetry.clone());
        let epoch = snapshot.epoch;
        self.books.epoch.store(epoch, Relaxed);
        running.snapshot = snapshot;
        Ok(epoch)
    }

    #[must_use]
    pub fn stats(&self) -> String {
        let doors = self.shown();
        self.books.json(&standings::gather(&self.orders), &doors)
    }

    /// What is wrong, or soon will be, with what clients outside the mesh are shown: a sentence for each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.shown()
            .iter()
            .flat_map(doors::Standing::sentences)
            .collect()
    }

    fn shown(&self) -> Vec<doors::Standing> {
        let security = Arc::clone(&self.running().security);
        security.doors.standings(Instant::now(), trust::now())
    }

    /// Workloads of this service show this certificate from the next connection on.
    pub fn identify(&self, service: &str, credential: Credential) {
        let mut running = self.running();
        self.vault.keep(service, credential);
        let snapshot = Arc::clone(&running.snapshot);
        running.security = Arc::new(Security::of(&snapshot, &self.vault, &running.security));
        let listeners = running.workers.iter().map(|_| Listeners::default());
        running.turn(&snapshot, listeners.collect());
    }

    /// Services whose own certificate is denied by what is in force.
    #[must_use]
    pub fn denied(&self) -> Vec<String> {
        let running = self.running();
        let denied = running.security.denied();
        let shown = |service: &&String| self.vault.find(service);
        let services = running
            .snapshot
            .workloads
            .iter()
            .map(|one| &one.node.service);
        services
            .filter(|service| shown(service).is_some_and(|own| denied.has(&own.leaf)))
            .cloned()
            .collect()
    }

    /// Sends what is kept of these traces, and what is still to come of them.
    pub fn flush(&self, traces: Vec<String>) -> Result<(), NotATrace> {
        let read = |text: String| read_id(text.as_bytes()).ok_or(NotATrace(text));
        let traces = traces.into_iter().map(read).collect::<Result<_, _>>()?;
        // An exporter that has ended has nothing left to send.
        let _ = self.exporter.send(export::Order::Flush(traces));
        Ok(())
    }

    /// Lets somebody look on, as long as the window is not closed.
    pub fn view(
        &self,
        wish: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Arc<Window>, NoView> {
        let wish = Wish::of(wish)?;
        if Arc::strong_count(&self.onlookers) > view::MOST {
            return Err(NoView::Crowded);
        }
        let window = Window::open(&self.onlookers);
        let view = View {
            wish,
            window: Arc::clone(&window),
        };
        if self.exporter.send(export::Order::Show(view)).is_err() {
            window.end();
        }
        Ok(window)
    }

    /// Traces that were flagged here since the last call, as soon as there is one; none when the time is over.
    #[must_use]
    pub fn flagged(&self, most: usize, patience: Duration) -> Vec<u128> {
        self.flagged.take(most, patience)
    }

    /// Gives the listening sockets to a successor, if one comes in time; true once that serves them and this may drain.
    pub fn pass_on(&self, succession: &Succession, patience: Duration) -> io::Result<bool> {
        succession.pass(|| self.running().sockets.duplicate(), patience)
    }

    /// Stops accepting, lets requests finish, exports what is queued; true when nothing was cut off or left behind.
    pub fn drain(&self, limit: Duration) -> bool {
        let started = Instant::now();
        let deadline = started
            .checked_add(limit)
            .unwrap_or(started + Duration::from_secs(86_400));
        let mut running = self.running();
        running.sockets = Sockets::default();
        for worker in &running.workers {
            drop(worker.orders.send(Order::Drain(deadline)));
        }
        let mut clean = true;
        for worker in running.workers.drain(..) {
            clean &= matches!(worker.thread.join(), Ok(Ok(true)));
        }
        if let Some(exporter) = running.exporter.take() {
            let last = deadline.max(Instant::now() + LEAST_FLUSH);
            while !exporter.is_finished() && Instant::now() < last {
                std::thread::sleep(Duration::from_millis(2));
            }
            running.stop_exporter.send_replace(true);
            clean &= matches!(exporter.join(), Ok(Ok(())));
        }
        clean && self.books.in_memory() == 0
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Lets every worker serve this, and returns once they do.
    fn turn(&self, snapshot: &Arc<Snapshot>, listeners: Vec<Listeners>) {
        let (done, all_done) = sync_channel(self.workers.len());
        for (worker, listeners) in self.workers.iter().zip(listeners) {
            let security = Arc::clone(&self.security);
            let order = Order::Apply(Arc::clone(snapshot), security, listeners, done.clone());
            // A worker that has ended serves nothing, so nothing is served by an older plan.
            drop(worker.orders.send(order));
        }
        drop(done);
        while all_done.recv().is_ok() {}
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.drain(Duration::ZERO);
    }
}
