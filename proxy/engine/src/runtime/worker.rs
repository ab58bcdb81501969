//! What the tasks of one worker thread share: the plan in force, its random numbers, its records and its counters.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::gate::Lag;
use crate::recording::clock::Clock;
use crate::recording::identity::Identity;
use crate::recording::pad::Pad;
use crate::recording::queue::Recorder;
use crate::recording::record::{Record, Text};
use crate::recording::slots::{FreeSlots, Slots};
use crate::recording::tally::Tally;
use crate::runtime::plan::Plan;
use crate::runtime::totals::Totals;
use crate::tls::watched;

pub struct Worker {
    pub clock: Clock,
    pub slots: FreeSlots,
    /// Every worker's requests in flight: a call may arrive at another worker than its request.
    pub all_slots: Arc<Slots>,
    pub tally: Tally,
    /// For the trace headers of what it sends.
    pub pad: Pad,
    pub totals: Arc<Totals>,
    /// The proxy stops and what is left ends now.
    pub cut_off: Cell<bool>,
    /// Requests in flight.
    pub requests: Rc<Cell<usize>>,
    pub lag: Lag,
    plan: RefCell<Rc<Plan>>,
    rng: RefCell<fastrand::Rng>,
    recorder: RefCell<Recorder>,
    first_record: Notify,
}

impl Worker {
    #[must_use]
    pub fn new(
        clock: Clock,
        slots: FreeSlots,
        all_slots: Arc<Slots>,
        totals: Arc<Totals>,
        recorder: Recorder,
        tally: Tally,
        plan: Plan,
    ) -> Rc<Self> {
        let worker = Rc::new(Self {
            clock,
            slots,
            all_slots,
            tally,
            pad: Pad::default(),
            totals,
            cut_off: Cell::new(false),
            requests: Rc::default(),
            lag: Lag::default(),
            plan: RefCell::new(Rc::new(plan)),
            rng: RefCell::new(fastrand::Rng::new()),
            recorder: RefCell::new(recorder),
            first_record: Notify::new(),
        });
        worker.attend(None);
        worker
    }

    #[must_use]
    pub fn plan(&self) -> Rc<Plan> {
        Rc::clone(&self.plan.borrow())
    }

    /// Serves another plan from the next request on.
    pub fn follow(&self, plan: Plan) {
        self.recorder.borrow_mut().resize(plan.room);
        let before = self.plan.replace(Rc::new(plan));
        before.close_endpoints_missing_from(&self.plan());
        self.attend(Some(&before));
    }

    /// Measures and shows what the policies of the plan want, in the place of those before.
    fn attend(&self, before: Option<&Plan>) {
        let plan = self.plan();
        let gone = before.into_iter().flat_map(Plan::meters);
        self.totals.meters.show(gone, plan.meters());
        self.lag.ask_for(plan.minds_lag());
        watched::deny(&plan.denied);
    }

    pub fn random(&self) -> u64 {
        self.rng.borrow_mut().u64(..)
    }

    pub fn with_rng<T>(&self, use_rng: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        use_rng(&mut self.rng.borrow_mut())
    }

    pub fn record(&self, record: Record, text: Text<'_>, identity: &Arc<Identity>) {
        if self.recorder.borrow_mut().keep(record, text, identity) {
            self.first_record.notify_one();
        }
    }

    /// Hands over what was recorded, a flush interval after the first record of each page.
    pub async fn flush_records(&self) {
        loop {
            self.first_record.notified().await;
            tokio::time::sleep(self.plan().flush).await;
            self.recorder.borrow_mut().seal(true);
        }
    }

    pub fn flush_now(&self) {
        self.recorder.borrow_mut().seal(true);
    }

    /// Closes connections to endpoints that have been idle for too long.
    pub async fn reap_idle(&self) {
        loop {
            let idle = self.plan().limits.idle;
            tokio::time::sleep((idle / 4).max(Duration::from_millis(10))).await;
            let nanos = u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
            let since = self.clock.now().saturating_sub(nanos);
            self.plan()
                .endpoints()
                .for_each(|endpoint| endpoint.pool.reap(since));
        }
    }
}
