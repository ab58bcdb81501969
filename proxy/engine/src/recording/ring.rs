//! Keeps the last records of a proxy for a while, within so many bytes.
//!
//! In: pages of records, oldest first. Out: those of named traces, each once. Never: more than its bytes, or what is older
//! than its longest age. Pure: time is what the records say.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::recording::queue::{MAX_PAGE, Page};

/// Nothing is kept for longer than this.
pub const LONGEST_NS: u64 = 300 * 1_000_000_000;

/// Records of one page, by place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places([u64; MAX_PAGE / 64]);

struct Kept {
    page: Rc<Page>,
    /// Records that were sent already, or are sent anyway.
    sent: Places,
    bytes: usize,
}

pub struct Ring {
    pages: VecDeque<Kept>,
    bytes: usize,
    limit: usize,
}

// === impl Places ===

impl Places {
    pub fn add(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    /// The first `count` places.
    #[must_use]
    pub fn first(count: usize) -> Self {
        let mut places = Self::default();
        (0..count).for_each(|place| places.add(place));
        places
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

// === impl Ring ===

impl Ring {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            pages: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    /// Keeps a page of which some records are sent anyway; how many others had to go that were never sent.
    pub fn push(&mut self, page: Rc<Page>, sent: Places) -> u64 {
        let bytes = page.bytes();
        self.bytes += bytes;
        self.pages.push_back(Kept { page, sent, bytes });
        self.make_room()
    }

    /// Keeps to another bound; how many records had to go that were never sent.
    pub fn resize(&mut self, limit: usize) -> u64 {
        self.limit = limit;
        self.make_room()
    }

    fn make_room(&mut self) -> u64 {
        let newest = self.newest();
        let mut gone = 0;
        while let Some(oldest) = self.pages.front() {
            let old = oldest.page.ended() + LONGEST_NS < newest;
            if self.bytes <= self.limit && !old {
                break;
            }
            self.bytes -= oldest.bytes;
            gone += oldest.page.len() as u64 - oldest.sent.count();
            self.pages.pop_front();
        }
        gone
    }

    /// The records of the traces that `wanted` names and that were not sent yet, in pages of their own.
    pub fn take(&mut self, wanted: impl Fn(u128) -> bool) -> Vec<Page> {
        let mut taken = Vec::new();
        for kept in &mut self.pages {
            let mut places = Places::default();
            for (place, (record, ..)) in kept.page.records().enumerate() {
                if !kept.sent.has(place) && wanted(record.trace) {
                    places.add(place);
                    kept.sent.add(place);
                }
            }
            if places.count() > 0 {
                taken.push(kept.page.part(&places));
            }
        }
        taken
    }

    /// What is kept, oldest first.
    pub fn pages(&self) -> impl DoubleEndedIterator<Item = &Rc<Page>> {
        self.pages.iter().map(|kept| &kept.page)
    }

    /// When the newest record ended; 0 without one.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.pages.back().map_or(0, |kept| kept.page.ended())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::identity::Identity;
    use crate::recording::record::{Record, Text};

    fn page(traces: &[u128], end: u64) -> Rc<Page> {
        let mut page = Page::empty();
        for trace in traces {
            let record = Record {
                trace: *trace,
                end_unix: end,
                ..Record::sample()
            };
            page.push(record, Text::default(), &Identity::of_tests());
        }
        Rc::new(page)
    }

    fn traces(pages: &[Page]) -> Vec<u128> {
        let records = pages.iter().flat_map(Page::records);
        records.map(|(record, ..)| record.trace).collect()
    }

    #[test]
    fn a_trace_is_taken_whole_and_once() {
        let mut ring = Ring::new(1 << 20);
        ring.push(page(&[1, 2, 1], 1), Places::default());
        ring.push(page(&[1, 3], 2), Places::first(1));
        assert_eq!(traces(&ring.take(|trace| trace == 1)), [1, 1]);
        assert!(ring.take(|trace| trace == 1).is_empty());
        assert_eq!(traces(&ring.take(|_| true)), [2, 3]);
    }

    #[test]
    fn the_oldest_make_room_and_are_counted_unless_sent() {
        let one = page(&[1, 2], 1).bytes();
        let mut ring = Ring::new(2 * one);
        assert_eq!(ring.push(page(&[1, 2], 1), Places::first(1)), 0);
        assert_eq!(ring.push(page(&[3, 4], 1), Places::default()), 0);
        assert_eq!(ring.push(page(&[5, 6], 1), Places::default()), 1);
        assert_eq!(ring.pages.len(), 2);
        assert_eq!(ring.push(page(&[7], LONGEST_NS + 2), Places::default()), 4);
        assert_eq!(ring.resize(0), 1);
    }
}
