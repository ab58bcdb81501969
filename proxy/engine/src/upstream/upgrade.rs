//! Joins the two connections of a request that switched protocols, and ends its span when the tunnel ends.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until};

use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::upstream::forward::Lease;

/// How a tunnel may end other than by either side's wish.
#[derive(Clone, Copy)]
pub struct Ends {
    /// It could not be joined.
    pub broken: Reason,
    /// Longest silence of both sides.
    pub idle: Duration,
}

/// One end of a tunnel; notes when a byte last passed it, in either direction.
struct Lively {
    io: TokioIo<Upgraded>,
    last: Rc<Cell<Instant>>,
}

/// Copies bytes both ways until either side has closed, or both were silent for too long.
pub async fn tunnel(
    caller: OnUpgrade,
    target: OnUpgrade,
    lease: Lease,
    flight: Flight,
    ends: Ends,
) {
    match tokio::try_join!(caller, target) {
        Ok((caller, target)) => {
            if joined(caller, target, ends.idle).await {
                flight.land();
            } else {
                flight.fail(Reason::TunnelIdle);
            }
        }
        Err(_) => flight.fail(ends.broken),
    }
    drop(lease);
}

/// False when the tunnel was idle for too long.
async fn joined(caller: Upgraded, target: Upgraded, idle: Duration) -> bool {
    let last = Rc::new(Cell::new(Instant::now()));
    let mut caller = Lively {
        io: TokioIo::new(caller),
        last: Rc::clone(&last),
    };
    let mut target = TokioIo::new(target);
    let mut copied = pin!(copy_bidirectional(&mut caller, &mut target));
    loop {
        tokio::select! {
            // A tunnel that breaks off looks to its users like one that ends: the protocol inside says which it was.
            _ = &mut copied => return true,
            () = sleep_until(last.get() + idle) => {}
        }
        if last.get() + idle <= Instant::now() {
            return false;
        }
    }
}

impl Lively {
    fn io(&mut self) -> Pin<&mut TokioIo<Upgraded>> {
        Pin::new(&mut self.io)
    }
}

impl AsyncRead for Lively {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(self.io().poll_read(cx, into));
        self.last.set(Instant::now());
        Poll::Ready(read)
    }
}

impl AsyncWrite for Lively {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.io().poll_write(cx, bytes));
        self.last.set(Instant::now());
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
