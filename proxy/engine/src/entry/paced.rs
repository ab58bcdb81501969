//! Runs the streams of one HTTP/2 connection, each until it ends or its reader has stalled.
//!
//! A reader that opens no window keeps a response, and the connection to the callee behind it, for as long as it likes;
//! the socket shows nothing of it, and hyper asks such a response for nothing more.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::entry::caller::Caller;
use crate::entry::cut::Cut;
use crate::reasons::Reason;
use crate::runtime::caught::spawn;
use crate::runtime::totals::Totals;
use crate::upstream::response_body::{Broken, ResponseBody};

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

    /// The stream whose task comes next, and its response.
    pub fn asked<F>(&self, response: F) -> Pacing<F> {
        let pace = Rc::clone(self.asked.borrow_mut().insert(Rc::default()));
        Pacing { response, pace }
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        let stream = Stream {
            task: Some(task),
            pace: self.asked.take().unwrap_or_default(),
            timer: None,
            streams: self.clone(),
        };
        spawn(&self.totals, stream);
    }
}

pin_project! {
    /// The task of one stream.
    struct Stream<F> {
        #[pin]
        task: Option<F>,
        pace: Rc<Pace>,
        timer: Option<Pin<Box<Sleep>>>,
        streams: Streams,
    }
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(task) = this.task.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        if task.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        ready!(this.pace.poll_stalled(cx, this.timer, this.streams.limit));
        // What the task holds ends with it, for this reason.
        let Streams { caller, totals, .. } = this.streams;
        caller.conduct.cut(Reason::ReaderStalled);
        this.task.set(None);
        caller.conduct.spare();
        totals.refuse(Reason::ReaderStalled);
        Poll::Ready(())
    }
}

impl Pace {
    /// Ready when the reader has let it wait for too long.
    fn poll_stalled(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Option<Pin<Box<Sleep>>>,
        limit: Duration,
    ) -> Poll<()> {
        while let Some(since) = self.0.get() {
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
            ready!(timer.as_mut().poll(cx));
            if since + limit <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(since + limit);
        }
        Poll::Pending
    }
}

pin_project! {
    /// The response of a stream, on its way to be paced.
    pub struct Pacing<F> {
        #[pin]
        response: F,
        pace: Rc<Pace>,
    }
}

impl<F: Future<Output = Result<Response<ResponseBody>, Cut>>> Future for Pacing<F> {
    type Output = Result<Response<Paced>, Cut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        Poll::Ready(Ok(
            response.map(|body| Paced::new(body, Rc::clone(this.pace)))
        ))
    }
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
