//! Keeps to the number of requests at once that an application serves without a queue, and shows it.

use std::cell::RefCell;
use std::sync::Arc;

use super::gradient::Gradient;
use super::{LEVEL, REFUSED};
use crate::recording::clock::Nanos;
use crate::runtime::meters::Meter;
use crate::snapshot::gate::Concurrency;

const IN_FLIGHT: usize = 2;
const BASELINE: usize = 3;

/// What the application may be asked at once, as far as is known by now.
pub struct Room {
    gradient: RefCell<Gradient>,
    pub meter: Arc<Meter>,
}

impl Room {
    #[must_use]
    pub fn of(service: &str, policy: &Concurrency, workers: usize) -> Self {
        let gradient = Gradient::of(policy, workers);
        let values = &["refused", "limit", "in_flight", "baseline_us"];
        let meter = Arc::new(Meter::new("concurrency", service, "", values));
        meter.set(LEVEL, gradient.limit());
        Self {
            gradient: RefCell::new(gradient),
            meter,
        }
    }

    /// A request begins, or there is room for so many only.
    pub fn enter(&self, expendable: bool, now: Nanos) -> Result<(), u64> {
        let mut gradient = self.gradient.borrow_mut();
        let entered = gradient.enter(expendable, now);
        self.meter.set(IN_FLIGHT, gradient.in_flight().into());
        if entered {
            return Ok(());
        }
        self.meter.add(REFUSED);
        Err(gradient.limit())
    }

    pub fn leave(&self, now: Nanos, latency: Option<Nanos>) {
        let mut gradient = self.gradient.borrow_mut();
        if gradient.leave(now, latency) {
            self.meter.set(LEVEL, gradient.limit());
            self.meter.set(BASELINE, gradient.baseline() / 1_000);
        }
        self.meter.set(IN_FLIGHT, gradient.in_flight().into());
    }
}
