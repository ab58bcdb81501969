//! RECORD -> LOG LINE: writes finished requests as lines, beside their export as spans.
//!
//! In: every page of records, before any is thinned or kept back. Out: lines for a writer of its own thread.
//! Never: anything on the path of a request, or a wait for whoever reads the lines.

use std::sync::Arc;

use self::writer::Writer;
pub use self::writer::Written;
use super::line;
use crate::recording::otlp::encoded;
use crate::recording::queue::Page;
use crate::recording::record::Record;
use crate::recording::verdict::failed;
use crate::snapshot;

mod place;
mod writer;

pub struct AccessLog {
    settings: snapshot::AccessLog,
    /// Where lines go; `None` while they go nowhere.
    writer: Option<Writer>,
    written: Arc<Written>,
}

impl AccessLog {
    #[must_use]
    pub fn new(settings: &snapshot::AccessLog, written: Arc<Written>) -> Self {
        Self {
            writer: Writer::start(settings, &written),
            settings: settings.clone(),
            written,
        }
    }

    /// Keeps to other settings from the next page on; what was handed to the writer before is still written.
    pub fn follow(&mut self, next: &snapshot::AccessLog) {
        if *next != self.settings {
            *self = Self::new(next, Arc::clone(&self.written));
        }
    }

    /// Writes those records of a page that are wanted.
    pub fn tell(&self, page: &Page) {
        let Some(writer) = &self.writer else { return };
        let (mut text, mut lines) = (Vec::new(), 0);
        for (record, names, identity) in page.records() {
            if wanted(&self.settings, record) {
                text.extend_from_slice(&line::of(&encoded(record, names, identity)));
                lines += 1;
            }
        }
        writer.put(text, lines);
    }
}

/// Whether a record is one of those to log: all of them unless some are chosen.
fn wanted(settings: &snapshot::AccessLog, record: &Record) -> bool {
    let all = !settings.errors && settings.slow_ms == 0;
    let wrong = settings.errors && (record.reason.is_some() || failed(record));
    let slow = settings.slow_ms > 0 && record.whole_us() / 1_000 >= settings.slow_ms;
    all || wrong || slow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons::Reason;

    #[test]
    fn errors_and_the_slow_can_be_chosen() {
        let fine = Record::sample();
        let failing = Record {
            status: 503,
            ..Record::sample()
        };
        let explained = Record {
            reason: Some(Reason::RouteAnswer),
            ..Record::sample()
        };
        let slow = Record {
            end_unix: 2_000_000_010,
            ..Record::sample()
        };
        let those = |errors, slow_ms| {
            let settings = snapshot::AccessLog {
                errors,
                slow_ms,
                ..Default::default()
            };
            [&fine, &failing, &explained, &slow].map(|record| wanted(&settings, record))
        };
        assert_eq!(those(false, 0), [true; 4]);
        assert_eq!(those(true, 0), [false, true, true, false]);
        assert_eq!(those(false, 2_000), [false, false, false, true]);
        assert_eq!(those(true, 2_001), [false, true, true, false]);
        assert_eq!(those(true, 1), [false, true, true, true]);
    }
}
