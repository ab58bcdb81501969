//! Joins the two connections of a request that switched protocols, and ends its span when the tunnel ends.

use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::upstream::forward::Lease;
use crate::upstream::splice::{Ended, splice};

/// How a tunnel may end other than by either side's wish.
#[derive(Clone, Copy)]
pub struct Ends {
    /// It could not be joined.
    pub broken: Reason,
    /// Longest silence of both sides.
    pub idle: Duration,
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
            let (mut caller, mut target) = (TokioIo::new(caller), TokioIo::new(target));
            let ended = splice(&mut caller, &mut target, Bytes::new(), ends.idle, |_, _| {}).await;
            match ended {
                Ended::Idle => flight.fail(Reason::TunnelIdle),
                Ended::Denied => flight.fail(Reason::TlsDenied),
                // One that breaks off looks to its users like one that ends: the protocol inside says which it was.
                Ended::Closed | Ended::CallerBroke | Ended::CalleeBroke => flight.land(),
            }
        }
        Err(_) => flight.fail(ends.broken),
    }
    drop(lease);
}
