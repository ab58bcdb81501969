//! Keeps a panic to the task it happened in, and counts it: one request that brings out a defect must not end others.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::totals::Totals;

/// What a future returns; `None` when it panicked, which is counted and written to standard error.
pub async fn caught<F: Future>(future: F, totals: &Totals) -> Option<F::Output> {
    let mut future = pin!(future);
    let output = poll_fn(|cx| {
        // Whatever it shared is in cells that are whole between statements; it is never polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await;
    if output.is_none() {
        totals.panicked();
    }
    output
}

/// Runs a task on this worker; a panic in it is counted.
pub fn spawn(totals: &Arc<Totals>, task: impl Future<Output = ()> + 'static) {
    let totals = Arc::clone(totals);
    tokio::task::spawn_local(async move {
        caught(task, &totals).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_task_and_is_counted() {
        let totals = Arc::new(Totals::default());
        assert_eq!(caught(async { 1 }, &totals).await, Some(1));
        assert_eq!(totals.panics(), 0);
        let broken: Option<u8> = caught(async { panic!("as it should") }, &totals).await;
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
