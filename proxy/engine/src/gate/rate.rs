//! A token bucket kept as the moment at which it is full again ("virtual scheduling" of the generic cell rate algorithm,
//! ITU-T I.371).

use crate::recording::clock::Nanos;
use crate::snapshot::gate as policy;

#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Until one more token is there.
    token: Nanos,
    /// Until an empty bucket is full.
    whole: Nanos,
}

impl Rate {
    /// One worker's share.
    #[must_use]
    pub fn of(rate: &policy::Rate, workers: usize) -> Self {
        let workers = workers as u64;
        let period = rate.per_ms.saturating_mul(1_000_000 * workers);
        let token = (period / rate.requests).max(1);
        let burst = rate.burst.div_ceil(workers);
        Self {
            token,
            whole: token.saturating_mul(burst),
        }
    }

    /// When a bucket is full again after one more token is taken from it, or how long until one can be.
    pub fn take(self, full_at: Nanos, now: Nanos) -> Result<Nanos, Nanos> {
        let after = full_at.max(now).saturating_add(self.token);
        let over = (after - now).saturating_sub(self.whole);
        if over == 0 { Ok(after) } else { Err(over) }
    }

    /// The same after a token that was taken is put back.
    #[must_use]
    pub fn put_back(self, full_at: Nanos) -> Nanos {
        full_at.saturating_sub(self.token)
    }
}
