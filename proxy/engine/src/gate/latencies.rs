//! Counts latencies in buckets that grow by a twelfth, to know a quantile of them in little room.

use crate::recording::clock::Nanos;

/// Buckets in which a latency doubles.
const PER_DOUBLING: usize = 8;
/// Up to 2^40 ns, a quarter of an hour.
const BUCKETS: usize = 40 * PER_DOUBLING;

#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Box<[u32; BUCKETS]>,
    count: u32,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            count: 0,
        }
    }
}

// === impl Latencies ===

impl Latencies {
    pub fn add(&mut self, latency: Nanos) {
        let count = &mut self.counts[place(latency)];
        *count = count.saturating_add(1);
        self.count = self.count.saturating_add(1);
    }

    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The latency that a part of the requests did not exceed, in nanoseconds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let wanted = f64::from(self.count) * part;
        let mut below = 0.0;
        for (place, count) in self.counts.iter().enumerate() {
            below += f64::from(*count);
            if below >= wanted && *count > 0 {
                return bound(place);
            }
        }
        0.0
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a logarithm of what fits in 64 bits, cut to the buckets there are"
)]
fn place(latency: Nanos) -> usize {
    let doublings = (latency.max(1) as f64).log2();
    ((doublings * PER_DOUBLING as f64) as usize).min(BUCKETS - 1)
}

/// The middle of a bucket.
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn bound(place: usize) -> f64 {
    ((place as f64 + 0.5) / PER_DOUBLING as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_to_a_twelfth() {
        let mut latencies = Latencies::default();
        for ms in 1..=1_000 {
            latencies.add(ms * 1_000_000);
        }
        for part in [0.1, 0.5, 0.95, 0.99] {
            let ms = latencies.quantile(part) / 1e6;
            assert!((ms / (part * 1_000.0) - 1.0).abs() < 0.09, "{part}: {ms}");
        }
        assert_eq!(latencies.count(), 1_000);
        latencies.clear();
        assert_eq!((latencies.count(), place(u64::MAX)), (0, BUCKETS - 1));
    }
}
