//! Keeps records until the exporter takes them.
//!
//! In: one record per span. Out: pages of records for the exporter thread. Never: a lock, a wait, or more records than
//! the queue may hold; what does not fit is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc::UnboundedSender;

use crate::recording::identity::Identity;
use crate::recording::record::{Record, Text};
use crate::recording::ring::Places;
use crate::snapshot::Telemetry;

/// Records in one page at most, however large a batch may be.
pub const MAX_PAGE: usize = 256;
/// Bytes of path, authority and route kept of one record.
const MAX_TEXT: usize = 1_024;

/// Records on their way to the exporter.
#[derive(Debug)]
pub struct Page {
    pub ledger: Arc<Ledger>,
    /// The flush interval has passed: send what there is.
    pub due: bool,
    /// They are of flagged traces, which are told whole.
    pub flagged: bool,
    records: Vec<Entry>,
    text: String,
    /// Whose records they are, in order of the first.
    identities: Vec<Arc<Identity>>,
}

/// One record of a page, the lengths of its texts, and whose it is.
#[derive(Debug)]
struct Entry {
    record: Record,
    lengths: [u16; 3],
    identity: u16,
}

/// The exact account of one worker's records. Every record is in exactly one of: dropped here, done, pending.
#[derive(Debug, Default)]
pub struct Ledger {
    pub recorded: AtomicU64,
    pub queue_full: AtomicU64,
    /// Left the queue: exported, or dropped by the exporter.
    pub done: AtomicU64,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Records of one worker; also what bounds the channel, since a page holds at least one.
    pub queue: u64,
    /// Records the exporter may send at once: a page is never more.
    pub batch: usize,
}

/// Where a worker puts its records.
pub struct Recorder {
    ledger: Arc<Ledger>,
    page: Page,
    exporter: UnboundedSender<Page>,
    room: Room,
}

// === impl Room ===

impl Room {
    #[must_use]
    pub fn of(telemetry: &Telemetry) -> Self {
        Self {
            queue: telemetry.queue_records as u64,
            batch: telemetry.batch_records,
        }
    }
}

// === impl Page ===

impl Page {
    fn new(ledger: &Arc<Ledger>) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            due: false,
            flagged: false,
            records: Vec::new(),
            text: String::new(),
            identities: Vec::new(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A page with no records, of a worker that has none.
    #[cfg(test)]
    pub fn empty() -> Self {
        Self::new(&Arc::default())
    }

    /// The records of flagged traces, at some places, to be sent without waiting for more.
    #[must_use]
    pub fn part(&self, places: &Places) -> Self {
        let mut part = Self::new(&self.ledger);
        part.due = true;
        part.flagged = true;
        let chosen = self.records().enumerate();
        for (_, (record, text, identity)) in chosen.filter(|(place, _)| places.has(*place)) {
            part.push(record.clone(), text, identity);
        }
        part
    }

    /// Memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.records.len() * size_of::<Entry>() + self.text.len()
    }

    /// When the last of its records ended, in nanoseconds since 1970.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.records.last().map_or(0, |last| last.record.end_unix)
    }

    pub fn push(&mut self, record: Record, text: Text<'_>, identity: &Arc<Identity>) {
        let parts = [text.path, text.authority, text.route].map(bounded);
        let lengths = parts.map(|part| u16::try_from(part.len()).unwrap_or(0));
        for part in parts {
            self.text.push_str(part);
        }
        let identity = self.place_of(identity);
        self.records.push(Entry {
            record,
            lengths,
            identity,
        });
    }

    fn place_of(&mut self, identity: &Arc<Identity>) -> u16 {
        let mut known = self.identities.iter();
        let place = known.position(|known| Arc::ptr_eq(known, identity));
        let place = place.unwrap_or_else(|| {
            self.identities.push(Arc::clone(identity));
            self.identities.len() - 1
        });
        u16::try_from(place).expect("no more identities than records of a page")
    }

    pub fn records(&self) -> impl Iterator<Item = (&Record, Text<'_>, &Arc<Identity>)> {
        let mut rest = self.text.as_str();
        self.records.iter().map(move |entry| {
            let [path, authority, route] = entry.lengths.map(|length| {
                let (part, after) = rest.split_at(usize::from(length));
                rest = after;
                part
            });
            let text = Text {
                path,
                authority,
                route,
            };
            let identity = &self.identities[usize::from(entry.identity)];
            (&entry.record, text, identity)
        })
    }

    /// Gives back memory that a waiting page does not need.
    pub fn shrink(&mut self) {
        self.records.shrink_to_fit();
        self.text.shrink_to_fit();
    }
}

fn bounded(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

// === impl Recorder ===

impl Recorder {
    #[must_use]
    pub fn new(exporter: UnboundedSender<Page>, room: Room) -> Self {
        let ledger = Arc::new(Ledger::default());
        Self {
            page: Page::new(&ledger),
            ledger,
            exporter,
            room,
        }
    }

    /// Keeps to other bounds from the next record on.
    pub fn resize(&mut self, room: Room) {
        self.room = room;
    }

    #[must_use]
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Keeps one record; true when it is the first of a page, whose flush must then be arranged.
    pub fn keep(&mut self, record: Record, text: Text<'_>, identity: &Arc<Identity>) -> bool {
        let Ledger {
            recorded,
            queue_full,
            done,
        } = &*self.ledger;
        let before = recorded.fetch_add(1, Relaxed);
        if before - queue_full.load(Relaxed) - done.load(Relaxed) >= self.room.queue {
            queue_full.fetch_add(1, Relaxed);
            return false;
        }
        self.page.push(record, text, identity);
        if self.page.len() >= self.room.batch.min(MAX_PAGE) {
            self.seal(false);
            return false;
        }
        self.page.len() == 1
    }

    /// Hands the current page over; `due` asks the exporter to send without waiting for more.
    pub fn seal(&mut self, due: bool) {
        if self.page.is_empty() {
            return;
        }
        let mut page = std::mem::replace(&mut self.page, Page::new(&self.ledger));
        page.due = due;
        if let Err(refused) = self.exporter.send(page) {
            self.ledger
                .queue_full
                .fetch_add(refused.0.len() as u64, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (sender, mut pages) = tokio::sync::mpsc::unbounded_channel();
        let mut recorder = Recorder::new(
            sender,
            Room {
                queue: 300,
                batch: 4_096,
            },
        );
        let me = Identity::of_tests();
        for _ in 0..1_000 {
            recorder.keep(
                Record::sample(),
                Text {
                    path: "/a",
                    authority: "b",
                    route: "/c",
                },
                &me,
            );
        }
        recorder.seal(true);
        let mut kept = 0;
        while let Ok(page) = pages.try_recv() {
            assert!(page.records().all(|(_, text, _)| text
                == Text {
                    path: "/a",
                    authority: "b",
                    route: "/c"
                }));
            kept += page.len() as u64;
            page.ledger.done.fetch_add(page.len() as u64, Relaxed);
        }
        assert_eq!((kept, recorder.ledger.queue_full.load(Relaxed)), (300, 700));
        recorder.keep(Record::sample(), Text::default(), &me);
        assert_eq!(
            recorder.ledger.queue_full.load(Relaxed),
            700,
            "room again once the exporter is done with some"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let (sender, mut pages) = tokio::sync::mpsc::unbounded_channel();
        let mut recorder = Recorder::new(
            sender,
            Room {
                queue: 10,
                batch: 10,
            },
        );
        let path = "é".repeat(MAX_TEXT);
        assert!(recorder.keep(
            Record::sample(),
            Text {
                path: &path,
                authority: "",
                route: "r"
            },
            &Identity::of_tests()
        ));
        recorder.seal(true);
        let page = pages.try_recv().unwrap();
        let (_, text, _) = page.records().next().unwrap();
        assert_eq!((text.path.len(), text.route), (MAX_TEXT, "r"));
    }
}
