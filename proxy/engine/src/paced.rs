//! Runs the streams of one HTTP/2 connection, each until it ends or its reader has stalled.
//!
//! A reader that opens no window keeps a response, and the connection to the callee behind it, for as long as it likes;
//! the socket shows nothing of it, and hyper asks such a response for nothing more.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::caller::Caller;
use crate::caught::spawn;
use crate::reasons::Reason;
use crate::response_body::{Broken, ResponseBody};
use crate::totals::Totals;

/// Since when a response waits for its reader.
#[derive(Default)]
pub struct Pace(Cell<Option<Instant>>);

/// A response that notes who waits for whom.
pub struct Paced {
    body: ResponseBody,
    pace: Rc<Pace>,
}

/// hyper hands over the task of each stream right after it has asked the service for its answer.
#[derive(Clone)]
pub struct Streams {
    caller: Rc<Caller>,
    totals: Arc<Totals>,
    limit: Duration,
    asked: Rc<RefCell<Option<Rc<Pace>>>>,
}

// === impl Streams ===

impl Streams {
    #[must_use]
    pub fn new(caller: Rc<Caller>, totals: Arc<Totals>, limit: Duration) -> Self {
        Self {
            caller,
            totals,
            limit,
            asked: Rc::default(),
        }
    }

    /// The pace of the stream whose task comes next.
    #[must_use]
    pub fn asked(&self) -> Rc<Pace> {
        Rc::clone(self.asked.borrow_mut().insert(Rc::default()))
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        let pace = self.asked.take().unwrap_or_default();
        let (caller, totals, limit) = (
            Rc::clone(&self.caller),
            Arc::clone(&self.totals),
            self.limit,
        );
        spawn(&self.totals, async move {
            if stalled(task, &pace, limit, &caller).await {
                totals.refuse(Reason::ReaderStalled);
                caller.conduct.spare();
            }
        });
    }
}

/// True when the task was given up because its reader stalled; what it held then ends for that reason.
async fn stalled<F: Future>(task: F, pace: &Pace, limit: Duration, caller: &Caller) -> bool {
    let mut task = pin!(task);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        if task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        while let Some(since) = pace.0.get() {
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
            std::task::ready!(timer.as_mut().poll(cx));
            if since + limit <= Instant::now() {
                caller.conduct.cut(Reason::ReaderStalled);
                return Poll::Ready(true);
            }
            timer.as_mut().reset(since + limit);
        }
        Poll::Pending
    })
    .await
}

// === impl Paced ===

impl Paced {
    #[must_use]
    pub fn new(body: ResponseBody, pace: Rc<Pace>) -> Self {
        pace.0.set(Some(Instant::now()));
        Self { body, pace }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let for_reader = matches!(frame, Poll::Ready(Some(Ok(_))));
        self.pace.0.set(for_reader.then(Instant::now));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
