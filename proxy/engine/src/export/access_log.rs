//! RECORD -> LOG LINE: writes finished requests as lines, or sends them as log records, beside their export as spans.
//!
//! In: every page of records, before any is thinned or kept back. Out: lines for a writer of its own thread, log records
//! for a task that sends them. Never: anything on the path of a request, or a wait for whoever reads the lines.

use std::sync::Arc;

use tokio::sync::watch;

use self::shipper::Shipper;
use self::writer::Writer;
pub use self::writer::Written;
use super::line;
use crate::recording::otlp::encoded;
use crate::recording::queue::Page;
use crate::recording::record::Record;
use crate::recording::verdict::failed;
use crate::snapshot::{self, Telemetry};

mod place;
mod shipped;
mod shipper;
mod writer;

pub struct AccessLog {
    settings: snapshot::AccessLog,
    /// Where lines go; `None` while they go nowhere.
    writer: Option<Writer>,
    /// Where log records go; `None` while none are sent.
    shipper: Option<Shipper>,
    telemetry: watch::Receiver<Telemetry>,
    written: Arc<Written>,
}

impl AccessLog {
    #[must_use]
    pub fn new(telemetry: &watch::Receiver<Telemetry>, written: Arc<Written>) -> Self {
        let mut log = Self {
            settings: snapshot::AccessLog::default(),
            writer: None,
            shipper: None,
            telemetry: telemetry.clone(),
            written,
        };
        let settings = telemetry.borrow().log.clone();
        log.follow(&settings);
        log
    }

    /// Keeps to other settings from the next page on; what was handed on before is still written, and sent.
    pub fn follow(&mut self, next: &snapshot::AccessLog) {
        if *next == self.settings {
            return;
        }
        if next.otlp != self.settings.otlp {
            let shipper = || Shipper::start(&self.telemetry, &self.written);
            self.shipper = next.otlp.then(shipper);
        }
        self.writer = Writer::start(next, &self.written);
        self.settings = next.clone();
    }

    /// Writes and sends those records of a page that are wanted.
    pub fn tell(&mut self, page: &Page) {
        if self.writer.is_none() && self.shipper.is_none() {
            return;
        }
        let (mut text, mut lines) = (Vec::new(), 0);
        for (record, names, identity) in page.records() {
            if wanted(&self.settings, record) {
                let span = encoded(record, names, identity);
                if self.writer.is_some() {
                    text.extend_from_slice(&line::of(&span));
                }
                if let Some(shipper) = &mut self.shipper {
                    shipper.add(&span, record.told(), identity);
                }
                lines += 1;
            }
        }
        if let Some(writer) = &self.writer {
            writer.put(text, lines);
        }
        if let Some(shipper) = &mut self.shipper {
            shipper.put(lines, page.due);
        }
    }

    /// Nothing more will be told: waits for what is being sent.
    pub async fn end(&mut self) {
        if let Some(shipper) = self.shipper.take() {
            shipper.end().await;
        }
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
