//! A place where connections come in: an open address of the proxy, and where it leads under the plan in force.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::watch;

use crate::runtime::workload::Lead;

pub struct Entrance {
    pub address: Box<str>,
    lead: RefCell<Lead>,
    closing: watch::Sender<bool>,
}

impl Entrance {
    #[must_use]
    pub fn new(address: &str, lead: Lead) -> Rc<Self> {
        Rc::new(Self {
            address: address.into(),
            lead: RefCell::new(lead),
            closing: watch::channel(false).0,
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

    /// Lets nothing more in; connections end with the requests they have.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Says when it closes.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
}
