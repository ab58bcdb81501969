//! What the two sides of one accepted connection know of each other: the end that reads its bytes, and its requests.
//!
//! hyper wants connections that could move between threads, hence the atomics; they never do, so no one waits.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use crate::entry::fault::Fault;
use crate::entry::frames::Boundary;
use crate::entry::wire::Wire;
use crate::reasons::Reason;

#[derive(Default)]
pub struct Conduct {
    fault: OnceLock<Fault>,
    in_flight: AtomicU32,
    awaited: AtomicBool,
    waiter: Mutex<Option<Waker>>,
    switched: AtomicBool,
    /// The reason whose code is this number less one.
    cut: AtomicU8,
    remains: Mutex<Option<Remains>>,
}

/// A request that has no response yet.
pub struct Answering(Arc<Conduct>);

/// What is left of a connection when its protocol has ended.
pub struct Remains {
    pub stream: Wire,
    /// The answer that is still due.
    pub farewell: Option<Fault>,
    /// More may be coming that nobody will read.
    pub unread: bool,
    /// Where the frames that were sent end, on an HTTP/2 connection.
    pub sent: Option<Boundary>,
}

// === impl Conduct ===

impl Conduct {
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What is wrong with the request that was read last, if it can be read in two ways.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// The first one stands; after it the connection serves nothing.
    pub fn object(&self, fault: Fault) {
        let _ = self.fault.set(fault);
    }

    /// What was wrong with the body of the request that was read last, in words.
    #[must_use]
    pub fn what_broke(&self) -> &'static str {
        self.fault().map_or("its body", |fault| fault.text)
    }

    /// A request has been read and is being answered, for as long as the answer is held.
    #[must_use]
    pub fn answering(self: &Arc<Self>) -> Answering {
        self.begin();
        Answering(Arc::clone(self))
    }

    pub fn begin(&self) {
        self.in_flight.store(self.in_flight() + 1, Relaxed);
    }

    pub fn end(&self) {
        let left = self.in_flight() - 1;
        self.in_flight.store(left, Relaxed);
        if left == 0
            && self.awaited.swap(false, Relaxed)
            && let Some(waiter) = self.waiter().take()
        {
            waiter.wake();
        }
    }

    /// Wakes a task when no request is in flight.
    pub fn await_idle(&self, waker: &Waker) {
        *self.waiter() = Some(waker.clone());
        self.awaited.store(true, Relaxed);
    }

    fn waiter(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// The connection speaks another protocol from here on, which is nobody's here to check.
    pub fn switch(&self) {
        self.switched.store(true, Relaxed);
    }

    #[must_use]
    pub fn switched(&self) -> bool {
        self.switched.load(Relaxed)
    }

    /// The connection is cut for this reason, and so are the requests on it.
    pub fn cut(&self, reason: Reason) {
        self.cut.store(reason as u8 + 1, Relaxed);
    }

    /// What was cut off goes on from here.
    pub fn spare(&self) {
        self.cut.store(0, Relaxed);
    }

    #[must_use]
    pub fn why_cut(&self) -> Option<Reason> {
        Reason::at(usize::from(self.cut.load(Relaxed).checked_sub(1)?))
    }

    /// Leaves the socket to whoever serves the connection.
    pub fn leave(&self, remains: Remains) {
        *self.remains.lock().unwrap_or_else(PoisonError::into_inner) = Some(remains);
    }

    #[must_use]
    pub fn remains(&self) -> Option<Remains> {
        self.remains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}
