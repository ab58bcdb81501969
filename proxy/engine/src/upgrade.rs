//! Joins the two connections of a request that switched protocols, and ends its span when the tunnel ends.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::flight::Flight;
use crate::forward::Lease;
use crate::reasons::Reason;

/// Copies bytes both ways until either side has closed.
pub async fn tunnel(
    caller: OnUpgrade,
    target: OnUpgrade,
    lease: Lease,
    flight: Flight,
    broken: Reason,
) {
    match tokio::try_join!(caller, target) {
        Ok((caller, target)) => {
            // A tunnel that breaks off looks to its users like one that ends: the protocol inside says which it was.
            drop(copy_bidirectional(&mut TokioIo::new(caller), &mut TokioIo::new(target)).await);
            flight.land();
        }
        Err(_) => flight.fail(broken),
    }
    drop(lease);
}
