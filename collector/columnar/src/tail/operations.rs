//! What is slow and what is rare, by operation (service and name of a span), as of the last minutes.
//!
//! In: a span of an operation, and the time. Out: whether it stands out. Never: more operations than the bound, however
//! many names a sender makes up; those beyond it are neither slow nor rare.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::facts::{Fact, Why};

/// Figures are of this half of a window and the one before it, so of five to ten minutes; nanoseconds.
const HALF: u64 = 300_000_000_000;
const MOST: usize = 4096;
/// Below so many spans nothing is said to be slow.
const ENOUGH: u32 = 100;
/// A limit holds for so many more spans.
const STALE: u32 = 64;
/// Eight to each power of two: a bucket is an eighth wide.
const BUCKETS: usize = 512;

#[derive(Debug)]
pub struct Operations {
    slow: f64,
    rare: u32,
    known: HashMap<u64, Operation, RandomState>,
    turned: u64,
}

#[derive(Debug, Default)]
struct Operation {
    now: Half,
    before: Half,
    last: u128,
    /// Nanoseconds; 0: not known yet.
    limit: u64,
    fresh: u32,
}

#[derive(Debug, Default)]
struct Half {
    traces: u32,
    spans: u32,
    /// Empty while no duration was seen.
    buckets: Vec<u32>,
}

impl Operations {
    /// Beyond the quantile `slow` of its operation a span is slow, among its first `rare` traces it is rare.
    pub fn new(slow: f64, rare: u32) -> Self {
        Self { slow, rare, known: HashMap::default(), turned: 0 }
    }

    /// Begins a new half when it is time: what an operation did ten minutes ago counts no more.
    pub fn pass(&mut self, now: u64) {
        let halves = now.saturating_sub(self.turned) / HALF;
        if halves == 0 {
            return;
        }
        self.turned = now;
        if halves > 1 {
            self.known.clear();
        }
        self.known.retain(|_, operation| {
            operation.before = std::mem::take(&mut operation.now);
            operation.fresh = STALE;
            operation.before.traces > 0
        });
    }

    /// Adds a span and says why it stands out, if it does.
    pub fn see(&mut self, fact: &Fact) -> Option<Why> {
        if self.known.len() >= MOST && !self.known.contains_key(&fact.operation) {
            return None;
        }
        let operation = self.known.entry(fact.operation).or_default();
        let slow = fact.took.is_some_and(|took| operation.is_slow(took, self.slow));
        if operation.last != fact.trace {
            operation.last = fact.trace;
            operation.now.traces = operation.now.traces.saturating_add(1);
        }
        let rare = operation.now.traces.saturating_add(operation.before.traces) <= self.rare;
        if slow { Some(Why::Slow) } else { rare.then_some(Why::Rare) }
    }
}

impl Operation {
    fn is_slow(&mut self, took: u64, quantile: f64) -> bool {
        if self.fresh >= STALE {
            self.limit = self.quantile(quantile);
            self.fresh = 0;
        }
        self.fresh += 1;
        self.now.add(took);
        self.limit > 0 && took > self.limit
    }

    /// The upper end of the bucket that the quantile lies in; 0 when there are too few to tell.
    fn quantile(&self, quantile: f64) -> u64 {
        let spans = self.now.spans.saturating_add(self.before.spans);
        if spans < ENOUGH {
            return 0;
        }
        let beyond = (1.0 - quantile) * f64::from(spans);
        let mut above = 0.0;
        for bucket in (0..BUCKETS).rev() {
            above += f64::from(self.now.at(bucket)) + f64::from(self.before.at(bucket));
            if above > beyond {
                return upper(bucket);
            }
        }
        0
    }
}

impl Half {
    fn add(&mut self, took: u64) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let count = &mut self.buckets[bucket_of(took)];
        *count = count.saturating_add(1);
        self.spans = self.spans.saturating_add(1);
    }

    fn at(&self, bucket: usize) -> u32 {
        self.buckets.get(bucket).copied().unwrap_or(0)
    }
}

/// The power of two below it, and the three bits behind that.
fn bucket_of(took: u64) -> usize {
    let power = took.max(8).ilog2();
    (power as usize) * 8 + ((took.max(8) >> (power - 3)) & 7) as usize
}

/// The largest duration of a bucket.
fn upper(bucket: usize) -> u64 {
    let (power, eighth) = (bucket / 8, (bucket % 8) as u64);
    let width = 1_u64 << power.saturating_sub(3);
    (8 + eighth).saturating_mul(width).saturating_add(width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn span(trace: u128, took: u64) -> Fact {
        Fact { trace, operation: 7, took: Some(took), why: None }
    }

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for took in [9, 16, 1_000, 10 * MS, 3_600_000 * MS, u64::MAX] {
            let bucket = bucket_of(took);
            assert!(took <= upper(bucket), "{took}");
            assert!(took > upper(bucket - 1), "{took}");
            assert!(bucket < BUCKETS);
        }
    }

    #[test]
    fn the_first_traces_are_rare_and_one_that_lasts_much_longer_is_slow() {
        let mut operations = Operations::new(0.99, 3);
        let seen: Vec<_> = (1..=400).map(|trace| operations.see(&span(trace, 10 * MS))).collect();
        assert_eq!(seen[..3], [Some(Why::Rare); 3]);
        assert!(seen[3..].iter().all(Option::is_none), "equal durations are not slow");
        assert_eq!(operations.see(&span(900, 90 * MS)), Some(Why::Slow));
        assert_eq!(operations.see(&Fact { took: None, ..span(901, 0) }), None);
    }

    #[test]
    fn when_everything_is_slow_nothing_stands_out_any_more() {
        let mut operations = Operations::new(0.99, 0);
        for trace in 0..1_000 {
            operations.see(&span(trace, 10 * MS));
        }
        let slow = (0..10_000).filter(|&trace| operations.see(&span(trace, 900 * MS)).is_some()).count();
        assert!(slow < 100, "{slow}");
    }

    #[test]
    fn what_was_ten_minutes_ago_is_forgotten() {
        let mut operations = Operations::new(0.99, 1);
        operations.pass(HALF);
        assert_eq!(operations.see(&span(1, MS)), Some(Why::Rare));
        operations.pass(2 * HALF);
        assert_eq!(operations.see(&span(2, MS)), None, "the half before counts");
        operations.pass(4 * HALF);
        assert_eq!(operations.see(&span(3, MS)), Some(Why::Rare));
    }

    #[test]
    fn made_up_names_are_bounded() {
        let mut operations = Operations::new(0.99, 5);
        for operation in 0..2 * MOST as u64 {
            operations.see(&Fact { operation, ..span(1, MS) });
        }
        assert_eq!(operations.known.len(), MOST);
        assert_eq!(operations.see(&Fact { operation: u64::MAX, ..span(2, MS) }), None);
    }
}
