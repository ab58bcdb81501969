//! Counts every request exactly, by direction, peer, version, route, status class and reason, with a latency histogram each.
//!
//! In: finished requests of one worker. Out: numbers that any thread may read without disturbing the worker.
//! Never: more than a bounded number of series: beyond it routes, then peers, are counted as `{other}`, and it is said how often.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::hash::Quick;
use crate::reasons::{self, Reason};
use crate::recording::identity::Identity;

/// Upper bounds in microseconds: the OpenTelemetry HTTP buckets and finer ones below, where a mesh lives.
pub const BOUNDS_US: [u64; 17] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000,
];
pub const BUCKETS: usize = BOUNDS_US.len() + 1;
/// Series of one worker that name their peer. A new route may take only so many of them, so that peers that come later
/// are still told apart.
const MAX_NAMED: usize = 1_000;
const MAX_ROUTED: usize = MAX_NAMED * 3 / 4;
/// Room for every outcome that `{other}` can have: two directions, six classes, each reason or none.
const MAX_SERIES: usize = MAX_NAMED + 2 * 6 * (reasons::COUNT + 1);
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

/// Who a request was with, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The caller (inbound) or the callee (outbound); empty when the mesh does not know it.
    pub peer: Rc<str>,
    /// The peer's, as far as it is known.
    pub version: Rc<str>,
    pub route: Rc<str>,
}

/// How a request ended, and on which side of the proxy.
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
    /// Whose request it was; no one's in particular where even the peer is `{other}`.
    pub identity: Option<Arc<Identity>>,
    pub peer: Box<str>,
    pub version: Box<str>,
    pub route: Box<str>,
    pub outcome: Outcome,
    pub count: AtomicU64,
    pub sum_us: AtomicU64,
    /// Requests between each bound and the one before, and in the last place those beyond all bounds.
    pub buckets: [AtomicU64; BUCKETS],
}

/// The readable side: series in order of their first request.
pub struct Board {
    series: Box<[OnceLock<Box<Series>>]>,
    /// Requests counted under `{other}` because there was no room for their own series.
    pub folded: AtomicU64,
}

/// What tells series apart. An identity is known by its place in memory: its series keep it there.
type Key = (Option<*const Identity>, Labels, Outcome);

/// The writing side, of one worker.
pub struct Tally {
    board: Arc<Board>,
    /// Where series stand on the board.
    places: RefCell<HashMap<Key, usize, Quick>>,
    none: Rc<str>,
    other: Rc<str>,
}

// === impl Board ===

impl Default for Board {
    fn default() -> Self {
        Self {
            series: (0..MAX_SERIES).map(|_| OnceLock::new()).collect(),
            folded: AtomicU64::new(0),
        }
    }
}

impl Board {
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series
            .iter()
            .map_while(OnceLock::get)
            .map(AsRef::as_ref)
    }
}

// === impl Series ===

impl Series {
    fn new(identity: Option<&Arc<Identity>>, labels: &Labels, outcome: Outcome) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            identity: identity.cloned(),
            peer: (&*labels.peer).into(),
            version: (&*labels.version).into(),
            route: (&*labels.route).into(),
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
            none: "".into(),
            other: OTHER.into(),
        }
    }

    /// Counts one request.
    pub fn add(&self, identity: &Arc<Identity>, labels: &Labels, outcome: Outcome, micros: u64) {
        let place = self.place(Some(identity), labels, outcome, MAX_ROUTED);
        let place = place.or_else(|| {
            raise(&self.board.folded, 1);
            self.folded(identity, labels, outcome)
        });
        if let Some(series) = place.and_then(|place| self.board.series[place].get()) {
            series.add(micros);
        }
    }

    /// The series of a request that has none of its own: that of its peer, or of all the others.
    #[cold]
    fn folded(&self, identity: &Arc<Identity>, labels: &Labels, outcome: Outcome) -> Option<usize> {
        let mut labels = Labels {
            route: Rc::clone(&self.other),
            version: Rc::clone(&self.none),
            ..labels.clone()
        };
        let of_peer = self.place(Some(identity), &labels, outcome, MAX_NAMED);
        of_peer.or_else(|| {
            labels.peer = Rc::clone(&self.other);
            self.place(None, &labels, outcome, MAX_SERIES)
        })
    }

    /// Where a series stands; a new one is begun only while there are fewer than `bound`.
    fn place(
        &self,
        identity: Option<&Arc<Identity>>,
        labels: &Labels,
        outcome: Outcome,
        bound: usize,
    ) -> Option<usize> {
        let mut places = self.places.borrow_mut();
        let key = (identity.map(Arc::as_ptr), labels.clone(), outcome);
        if let Some(place) = places.get(&key) {
            return Some(*place);
        }
        let place = places.len();
        if place >= bound {
            return None;
        }
        let series = Box::new(Series::new(identity, labels, outcome));
        self.board.series[place].set(series).ok()?;
        places.insert(key, place);
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

    fn labels(peer: &str, route: &str) -> Labels {
        Labels {
            peer: peer.into(),
            version: "v1".into(),
            route: route.into(),
        }
    }

    fn counted(board: &Board) -> u64 {
        board
            .series()
            .map(|series| series.count.load(Relaxed))
            .sum()
    }

    #[test]
    fn each_request_lands_in_its_series_and_bucket() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        let me = Identity::of_tests();
        let front = labels("front", "/a");
        for micros in [1, 500, 501, 20_000_000] {
            tally.add(&me, &front, outcome(2), micros);
        }
        tally.add(&me, &front, outcome(5), 7);
        tally.add(&me, &labels("front", "/b"), outcome(5), 7);
        let series: Vec<_> = board.series().collect();
        assert_eq!(series.len(), 3);
        assert_eq!((&*series[2].route, &*series[2].version), ("/b", "v1"));
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
        assert_eq!(board.folded.load(Relaxed), 0);
    }

    #[test]
    fn peers_are_bounded_and_none_is_lost() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        let me = Identity::of_tests();
        for n in 0..5_000 {
            tally.add(&me, &labels(&format!("peer-{n}"), "/"), outcome(2), 1);
        }
        assert_eq!(counted(&board), 5_000);
        assert_eq!(board.series().count(), MAX_NAMED + 1);
        assert_eq!(board.folded.load(Relaxed), 5_000 - MAX_ROUTED as u64);
    }

    #[test]
    fn a_flood_of_routes_leaves_room_for_peers() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        let me = Identity::of_tests();
        for n in 0..5_000 {
            tally.add(&me, &labels("front", &format!("/{n}")), outcome(2), 1);
        }
        tally.add(&me, &labels("late", "/"), outcome(2), 1);
        let late = board.series().last().expect("there are some");
        assert_eq!((&*late.peer, &*late.route), ("late", "{other}"));
        assert_eq!(counted(&board), 5_001);
    }

    #[test]
    fn a_million_random_paths_take_bounded_memory() {
        let board = Arc::new(Board::default());
        let tally = Tally::new(Arc::clone(&board));
        let me = Identity::of_tests();
        let mut templates = crate::routing::templates::Templates::default();
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..1_000_000 {
            let path: String = (0..12)
                .map(|place| if place % 4 == 0 { '/' } else { rng.lowercase() })
                .collect();
            let labels = Labels {
                route: templates.of(&path),
                ..labels("front", "")
            };
            tally.add(&me, &labels, outcome(2), 1);
        }
        assert_eq!(counted(&board), 1_000_000);
        assert!(
            board.series().count() <= 201,
            "200 templates and one for the rest"
        );
    }
}
