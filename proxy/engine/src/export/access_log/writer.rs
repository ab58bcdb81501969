//! Writes lines from a thread of its own, so that a full disk or a reader that sleeps holds up nothing else.
//!
//! In: pieces of whole lines. Out: the same at every place, and what became of them. Never: more than a few pieces waiting.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::Place;
use super::shipped::Shipped;
use crate::snapshot;

/// Pieces that may wait, each of one page of records.
const WAITING: usize = 16;
/// The thread calls little but `write`.
const STACK: usize = 128 * 1024;
/// How long the last lines may take.
const LAST: Duration = Duration::from_secs(1);

/// What became of lines.
#[derive(Debug, Default)]
pub struct Written {
    lines: AtomicU64,
    dropped: AtomicU64,
    problem: Mutex<String>,
    /// Those that are sent to the collector.
    pub otlp: Shipped,
}

pub struct Writer {
    pieces: Option<SyncSender<Piece>>,
    ended: Receiver<()>,
    written: Arc<Written>,
}

struct Piece {
    text: Vec<u8>,
    lines: u64,
}

// === impl Writer ===

impl Writer {
    /// Starts a thread if there is a place to write to.
    #[must_use]
    pub fn start(settings: &snapshot::AccessLog, written: &Arc<Written>) -> Option<Self> {
        let stdout = settings.stdout.then_some(Place::Stdout);
        let file = settings.file.as_deref().map(Place::file);
        let places: Vec<_> = stdout.into_iter().chain(file).collect();
        if places.is_empty() {
            return None;
        }
        let (pieces, inbox) = sync_channel(WAITING);
        let (end, ended) = channel();
        let account = Arc::clone(written);
        let thread = Builder::new()
            .name("whymesh-log".into())
            .stack_size(STACK)
            .spawn(move || {
                write_all(places, &inbox, &account);
                // Whoever waited for the end may have given up.
                let _ = end.send(());
            });
        if let Err(error) = thread {
            written.say(&format!("no thread for the access log: {error}"));
            return None;
        }
        Some(Self {
            pieces: Some(pieces),
            ended,
            written: Arc::clone(written),
        })
    }

    /// Takes whole lines; counts them as dropped when too much waits already.
    pub fn put(&self, text: Vec<u8>, lines: u64) {
        let Some(pieces) = self.pieces.as_ref().filter(|_| lines > 0) else {
            return;
        };
        if let Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) =
            pieces.try_send(Piece { text, lines })
        {
            self.written.dropped.fetch_add(piece.lines, Relaxed);
        }
    }
}

impl Drop for Writer {
    /// Lets what waits be written, for a moment.
    fn drop(&mut self) {
        self.pieces = None;
        let _ = self.ended.recv_timeout(LAST);
    }
}

fn write_all(mut places: Vec<Place>, pieces: &Receiver<Piece>, account: &Written) {
    let mut failing = false;
    for piece in pieces {
        let problems: Vec<_> = places
            .iter_mut()
            .filter_map(|place| said(place, &piece.text).err())
            .collect();
        let count = if problems.is_empty() {
            &account.lines
        } else {
            &account.dropped
        };
        count.fetch_add(piece.lines, Relaxed);
        if failing || !problems.is_empty() {
            account.say(&problems.join("; "));
        }
        failing = !problems.is_empty();
    }
}

fn said(place: &mut Place, text: &[u8]) -> Result<(), String> {
    let written = place.write(text);
    written.map_err(|error| format!("the access log at {}: {error}", place.name()))
}

// === impl Written ===

impl Written {
    fn say(&self, problem: &str) {
        let mut said = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.clone_into(&mut said);
    }

    /// The `access_log` part of the statistics.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "written": self.lines.load(Relaxed),
            "dropped": self.dropped.load(Relaxed),
            "problem": *self.problem.lock().unwrap_or_else(PoisonError::into_inner),
            "otlp": self.otlp.json(),
        })
    }
}
