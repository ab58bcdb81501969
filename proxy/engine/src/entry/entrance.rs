//! A place where connections come in: an open address of the proxy, and where it leads under the plan in force.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::runtime::workload::Lead;

/// How long a connection of HTTP/1 without a request stays: its client may have one on the way, which would be lost.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What hears that an entrance closes.
pub struct Closing(watch::Receiver<Option<Instant>>);

pub struct Entrance {
    pub address: Box<str>,
    lead: RefCell<Lead>,
    closed: Cell<bool>,
    closing: watch::Sender<Option<Instant>>,
}

impl Entrance {
    #[must_use]
    pub fn new(address: &str, lead: Lead) -> Rc<Self> {
        Rc::new(Self {
            address: address.into(),
            lead: RefCell::new(lead),
            closing: watch::channel(None).0,
            closed: Cell::new(false),
        })
    }

    /// Where it leads now.
    #[must_use]
    pub fn lead(&self) -> Lead {
        self.lead.borrow().clone()
    }

    /// Leads elsewhere from the next request on.
    pub fn turn(&self, lead: Lead) {
        self.lead.replace(lead);
    }

    /// Lets nothing more in; connections end with a request they have, or without one a moment before `deadline`.
    pub fn close(&self, deadline: Instant) {
        self.closed.set(true);
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        self.closing
            .send_replace(Some(now + LAST_CALL.min(left / 2)));
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Says when it closes.
    #[must_use]
    pub fn closing(&self) -> Closing {
        Closing(self.closing.subscribe())
    }
}

impl Closing {
    /// Returns once it closes: until when to wait for what is on the way.
    pub async fn begins(&mut self) -> Instant {
        let closing = self.0.wait_for(Option::is_some).await;
        // An entrance that is gone closed long ago.
        closing
            .ok()
            .and_then(|moment| *moment)
            .unwrap_or_else(Instant::now)
    }

    /// Returns when nothing more is waited for.
    pub async fn ends(&mut self) {
        let moment = self.begins().await;
        tokio::time::sleep_until(moment.into()).await;
    }
}
