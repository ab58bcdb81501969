//! OPEN CONNECTIONS -> ENDED: whatever is spoken on a connection, it breaks once the certificate behind it is denied.
//!
//! In: every encrypted connection of a worker, and who is denied by its plan. Out: an error at the next read or write. Never:
//! a lock or a call of the system while nothing is waited for.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::denied::Denied;
use super::leaf::Leaf;
use super::refusal::Refusal;

/// Those that have ended stay on the book until it has twice as many as when it was last gone through, or these.
const LEAST: usize = 64;

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

/// What one worker knows of its open connections; all of it happens on its thread.
#[derive(Default)]
struct Book {
    denied: Arc<Denied>,
    open: Vec<Weak<Connection>>,
    enough: usize,
}

struct Connection {
    leaf: Leaf,
    denied: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

/// Kept beside the bytes of one connection, for as long as that is open.
pub struct Watched(Arc<Connection>);

/// Ends what is open by a certificate that is denied from now on.
pub fn deny(denied: &Arc<Denied>) {
    BOOK.with_borrow_mut(|book| {
        if !Arc::ptr_eq(&book.denied, denied) {
            book.denied = Arc::clone(denied);
            book.go_through();
        }
    });
}

impl Watched {
    #[must_use]
    pub fn new(leaf: Leaf) -> Self {
        BOOK.with_borrow_mut(|book| {
            let connection = Arc::new(Connection {
                denied: AtomicBool::new(book.denied.has(&leaf)),
                leaf,
                waiting: Mutex::default(),
            });
            if book.open.len() >= book.enough.max(LEAST) {
                book.go_through();
            }
            book.open.push(Arc::downgrade(&connection));
            Self(connection)
        })
    }

    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.0.denied.load(Relaxed)
    }

    /// Reads or writes, unless the certificate is denied; wakes the task for that, too.
    pub fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        pass: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.is_denied() {
            return Poll::Ready(Err(Refusal::Denied.broken()));
        }
        let passed = pass(cx);
        if passed.is_pending() {
            self.0.wait(cx.waker());
        }
        passed
    }
}

impl Connection {
    fn wait(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(known) => known.clone_from(waker),
            None => *waiting = Some(waker.clone()),
        }
    }

    fn end(&self) {
        self.denied.store(true, Relaxed);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = waiting.take() {
            waker.wake();
        }
    }
}

impl Book {
    fn go_through(&mut self) {
        let denied = &self.denied;
        self.open.retain(|known| {
            let open = known.upgrade();
            let open = open.inspect(|open| {
                if denied.has(&open.leaf) {
                    open.end();
                }
            });
            open.is_some()
        });
        self.enough = self.open.len() * 2;
    }
}
