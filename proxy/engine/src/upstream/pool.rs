//! Keeps the connections of one endpoint for reuse, within bounds.
//!
//! In: connections whose response has ended. Out: one that is ready for a request. Never: more idle connections than
//! allowed, one that is closed, or one that has been idle too long.

use std::cell::{Cell, RefCell};

use hyper::client::conn::{http1, http2};

use crate::recording::clock::Nanos;
use crate::upstream::request_body::RequestBody;

/// The sending half of a connection.
pub enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

#[derive(Default)]
pub struct Pool {
    /// Oldest first; the youngest is reused, so that the others can age out.
    idle: RefCell<Vec<(http1::SendRequest<RequestBody>, Nanos)>>,
    shared: RefCell<Option<http2::SendRequest<RequestBody>>>,
    closed: Cell<bool>,
    /// How often all connections were replaced.
    generation: Cell<u32>,
}

impl Pool {
    /// A connection that can take a request now.
    pub fn take(&self) -> Option<Sender> {
        if let Some(shared) = &*self.shared.borrow()
            && shared.is_ready()
        {
            return Some(Sender::Http2(shared.clone()));
        }
        self.take_http1().map(Sender::Http1)
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let shared = self.shared.borrow();
        let idle = self.idle.borrow();
        shared.as_ref().is_some_and(http2::SendRequest::is_ready)
            || idle.iter().any(|(sender, _)| sender.is_ready())
    }

    /// The same, of the kind that can switch protocols.
    pub fn take_http1(&self) -> Option<http1::SendRequest<RequestBody>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|(sender, _)| !sender.is_closed());
        let place = idle.iter().rposition(|(sender, _)| sender.is_ready())?;
        Some(idle.remove(place).0)
    }

    /// Takes back a connection whose response has been read to its end, unless all were replaced since `generation`.
    pub fn give(
        &self,
        sender: http1::SendRequest<RequestBody>,
        generation: u32,
        now: Nanos,
        limit: usize,
    ) {
        let mut idle = self.idle.borrow_mut();
        let wanted = !self.closed.get() && generation == self.generation.get();
        if wanted && !sender.is_closed() && limit > 0 {
            if idle.len() >= limit {
                idle.remove(0);
            }
            idle.push((sender, now));
        }
    }

    /// Shares an HTTP/2 connection with the requests that follow.
    pub fn share(&self, sender: &http2::SendRequest<RequestBody>) {
        if !self.closed.get() {
            *self.shared.borrow_mut() = Some(sender.clone());
        }
    }

    /// Closes what has been idle since before `since`.
    pub fn reap(&self, since: Nanos) {
        self.idle
            .borrow_mut()
            .retain(|(sender, at)| *at >= since && !sender.is_closed());
    }

    /// Those that are made from now on take the place of all there are; requests that are in flight end.
    pub fn renew(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().take();
    }

    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// Closes every idle connection and keeps none from now on; those in use end with their requests.
    pub fn close(&self) {
        self.closed.set(true);
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().take();
    }
}
