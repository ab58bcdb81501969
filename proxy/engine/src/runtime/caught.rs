//! Keeps a panic to the task it happened in, and counts it: one request that brings out a defect must not end others.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::runtime::totals::Totals;

pin_project! {
    /// A future that returns `None` when it panics, which is counted and written to standard error. It is not an `async fn`,
    /// which would keep two copies of what it awaits: on the path of each request that is kilobytes.
    pub struct Caught<F> {
        #[pin]
        future: F,
        totals: Arc<Totals>,
    }
}

impl<F> Caught<F> {
    #[must_use]
    pub fn new(future: F, totals: &Arc<Totals>) -> Self {
        Self {
            future,
            totals: Arc::clone(totals),
        }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Whatever it shared is in cells that are whole between statements; it is never polled again.
        if let Ok(poll) = catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            return poll.map(Some);
        }
        this.totals.panicked();
        Poll::Ready(None)
    }
}

/// Runs a task on this worker; a panic in it is counted.
pub fn spawn(totals: &Arc<Totals>, task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(Caught::new(task, totals));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_task_and_is_counted() {
        let totals = Arc::new(Totals::default());
        assert_eq!(Caught::new(async { 1 }, &totals).await, Some(1));
        assert_eq!(totals.panics(), 0);
        let broken: Option<u8> = Caught::new(async { panic!("as it should") }, &totals).await;
        assert_eq!(broken, None);
        assert_eq!(totals.panics(), 1);
        tokio::task::LocalSet::new()
            .run_until(async {
                spawn(&totals, async { panic!("as it should") });
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            })
            .await;
        assert_eq!(totals.panics(), 2);
    }
}
