//! Counts every request exactly, by direction, peer, status class and reason, with a latency histogram each.
//!
//! In: finished requests of one worker. Out: numbers that any thread may read without disturbing the worker.
//! Never: more than a bounded number of series; the overflow goes to the peer `{other}`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::reasons::{self, Reason};

/// Upper bounds in microseconds: the OpenTelemetry HTTP buckets and finer ones below, where a mesh lives.
pub const BOUNDS_US: [u64; 17] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000,
];
pub const BUCKETS: usize = BOUNDS_US.len() + 1;
/// Series one worker may have.
const MAX_SERIES: usize = 1_024;
/// Beyond this many series a new peer is counted as `{other}`; the rest is kept for every outcome `{other}` can have: two
/// directions, six classes, each reason or none.
const MAX_NAMED: usize = MAX_SERIES - 2 * 6 * (reasons::COUNT + 1);
const OTHER: &str = "{other}";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Labels other than the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub direction: Direction,
    /// First digit of the status; 0 when there was no answer.
    pub class: u8,
    pub reason: Option<Reason>,
}

/// One series. A single worker writes, so plain loads and stores are exact.
#[derive(Debug)]
pub struct Series {
    pub peer: Box<str>,
    pub outcome: Outcome,
    pub count: AtomicU64,
    pub sum_us: AtomicU64,
    /// Requests between each bound and the one before, and in the last place those beyond all bounds.
    pub buckets: [AtomicU64; BUCKETS],
}

/// The readable side: series in order of their first request.
pub struct Board(Box<[OnceLock<Series>]>);

/// Where the series of one peer stand on the board.
type Places = Vec<(Outcome, usize)>;

/// The writing side, of one worker.
pub struct Tally {
    board: Arc<Board>,
    places: RefCell<HashMap<Rc<str>, Places>>,
    len: RefCell<usize>,
    other: Rc<str>,
}

// === impl Board ===

impl Default for Board {
    fn default() -> Self {
        Self((0..MAX_SERIES).map(|_| OnceLock::new()).collect())
    }
}

impl Board {
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.0.iter().map_while(OnceLock::get)
    }
}

// === impl Series ===

impl Series {
    fn new(peer: &str, outcome: Outcome) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            peer: peer.into(),
            outcome,
            count: AtomicU64::new(0),
            sum_us: AtomicU64::new(0),
            buckets,
        }
    }

    fn add(&self, micros: u64) {
        raise(&self.count, 1);
        raise(&self.sum_us, micros);
        raise(
            &self.buckets[BOUNDS_US.partition_point(|bound| *bound < micros)],
            1,
        );
    }
}

fn raise(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed) + by, Relaxed);
}

// === impl Tally ===

impl Tally {
    #[must_use]
    pub fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            places: RefCell::default(),
            len: RefCell::new(0),
            other: OTHER.into(),
        }
    }

    /// Counts one request.
    pub fn add(&self, peer: &Rc<str>, outcome: Outcome, micros: u64) {
        let place = self
            .place(peer, outcome)
            .or_else(|| self.place(&self.other, outcome));
        if let Some(series) = place.and_then(|place| self.board.0[place].get()) {
            series.add(micros);
        }
    }

    fn place(&self, peer: &Rc<str>, outcome: Outcome) -> Option<usize> {
        let mut places = self.places.borrow_mut();
        let known = places.get(peer).into_iter().flatten();
        if let Some((_, place)) = known.into_iter().find(|(other, _)| *other == outcome) {
            return Some(*place);
        }
        let mut len = self.len.borrow_mut();
        let bound = if **peer == *OTHER {
            MAX_SERIES
        } else {
            MAX_NAMED
        };
        if *len >= bound {
            return None;
        }
        let place = *len;
        self.board.0[place].set(Series::new(peer, outcome)).ok()?;
        *len += 1;
        places
            .entry(Rc::clone(peer))
            .or_default()
            .push((outcome, place));
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(class: u8) -> Outcome {
        Outcome {
            direction: Direction::Inbound,
            class,
            reason: None,
        }
    }

    #[test]
    fn each_request_lands_in_its_series_and_bucket() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        let peer: Rc<str> = "front".into();
        for micros in [1, 500, 501, 20_000_000] {
            tally.add(&peer, outcome(2), micros);
        }
        tally.add(&peer, outcome(5), 7);
        let series: Vec<_> = board.series().collect();
        assert_eq!(series.len(), 2);
        assert_eq!(series[0].count.load(Relaxed), 4);
        assert_eq!(series[0].sum_us.load(Relaxed), 20_001_002);
        let buckets: Vec<u64> = series[0]
            .buckets
            .iter()
            .map(|bucket| bucket.load(Relaxed))
            .collect();
        assert_eq!(
            (&buckets[..3], buckets.iter().sum::<u64>()),
            (&[2, 1, 0][..], 4)
        );
    }

    #[test]
    fn peers_are_bounded_and_none_is_lost() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        for n in 0..5_000 {
            tally.add(&format!("peer-{n}").into(), outcome(2), 1);
        }
        assert_eq!(
            board
                .series()
                .map(|series| series.count.load(Relaxed))
                .sum::<u64>(),
            5_000
        );
        assert_eq!(board.series().count(), MAX_NAMED + 1);
    }
}
