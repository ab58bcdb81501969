//! SPAN -> LOG RECORD: tells a span again as an OTLP log record (opentelemetry-proto, logs/v1).

use super::said::{Said, hex};
use super::wire::{self, Attributes, Field, read_attribute};

/// `SeverityNumber` and `severity_text`.
const INFO: (u64, &str) = (9, "INFO");
const WARN: (u64, &str) = (13, "WARN");
const ERROR: (u64, &str) = (17, "ERROR");
/// `LogRecord.attributes`.
const ATTRIBUTES: u8 = 6;

/// What the outcome is read from.
struct Outcome<'a> {
    /// The HTTP status the caller saw; 0 for none.
    status: u16,
    grpc: Option<&'a [u8]>,
    reason: Option<&'a [u8]>,
}

/// The `LogRecord` of an encoded span whose caller saw `status`: it began at `time`, and was over when it was observed.
#[must_use]
pub fn log_record(span: &[u8], status: u16) -> Vec<u8> {
    let said = Said::by(span);
    let outcome = Outcome::of(&said, status);
    let (number, text) = outcome.severity(said.failed);
    let mut out = Vec::with_capacity(span.len() + 256);
    wire::fixed64(&mut out, 1, said.start);
    wire::number(&mut out, 2, number);
    wire::bytes(&mut out, 3, text.as_bytes());
    let mut body = Vec::new();
    wire::bytes(&mut body, 1, outcome.line(said.name).as_bytes());
    wire::bytes(&mut out, 5, &body);
    out.extend_from_slice(&measured(&said).retagged(ATTRIBUTES));
    for pair in &said.attributes {
        wire::bytes(&mut out, u32::from(ATTRIBUTES), pair);
    }
    wire::bytes(&mut out, 9, said.trace);
    wire::bytes(&mut out, 10, said.span);
    wire::fixed64(&mut out, 11, said.end);
    out
}

/// What a line of the access log says beside the attributes, and a log record has no field for.
fn measured(said: &Said<'_>) -> Attributes {
    let mut measured = Attributes::default();
    #[expect(clippy::cast_precision_loss)]
    measured.double("duration_ms", said.duration_us() as f64 / 1_000.0);
    measured.text("direction", said.direction());
    measured.text("name", &String::from_utf8_lossy(said.name));
    measured.text("parent_span_id", &hex(said.parent));
    measured
}

impl<'a> Outcome<'a> {
    fn of(said: &Said<'a>, status: u16) -> Self {
        let mut outcome = Self {
            status,
            grpc: None,
            reason: None,
        };
        for pair in &said.attributes {
            match read_attribute(pair) {
                Some(("rpc.response.status_code", Field::Bytes(code))) => outcome.grpc = Some(code),
                Some(("mesh.reason", Field::Bytes(code))) => outcome.reason = Some(code),
                _ => {}
            }
        }
        outcome
    }

    /// An error is one of the span; what only the caller or the mesh has to answer for is a warning.
    fn severity(&self, failed: bool) -> (u64, &'static str) {
        match (failed, self.reason.is_some() || self.status >= 400) {
            (true, _) => ERROR,
            (false, true) => WARN,
            (false, false) => INFO,
        }
    }

    /// `GET /pay 503 connect_refused`.
    fn line(&self, name: &[u8]) -> String {
        let mut line = String::from_utf8_lossy(name).into_owned();
        let status = (self.status != 0).then(|| self.status.to_string());
        let code = self
            .grpc
            .map(|code| String::from_utf8_lossy(code).into_owned());
        let reason = self
            .reason
            .map(|code| String::from_utf8_lossy(code).into_owned());
        for part in code.or(status).into_iter().chain(reason) {
            line.push(' ');
            line.push_str(&part);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::fields;
    use super::*;
    use crate::reasons::Reason;
    use crate::recording::identity::Identity;
    use crate::recording::otlp::encoded;
    use crate::recording::record::{Record, Text};

    /// Severity and body.
    fn told(record: &Record) -> (String, String) {
        let text = Text {
            path: "/pay",
            route: "/pay",
            ..Text::default()
        };
        let log = log_record(&encoded(record, text, &Identity::of_tests()), record.told());
        let held = |wanted| {
            fields(&log).find_map(|(number, value)| match value {
                Field::Bytes(bytes) if number == wanted => Some(bytes.to_vec()),
                _ => None,
            })
        };
        let body = held(5).unwrap();
        let Some((1, Field::Bytes(body))) = fields(&body).next() else {
            panic!("a body is text");
        };
        let said = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (said(&held(3).unwrap()), said(body))
    }

    #[test]
    fn the_outcome_says_how_severe_it_is() {
        let of = |status, reason| {
            told(&Record {
                status,
                reason,
                ..Record::sample()
            })
        };
        let expected = |severity: &str, body: &str| (severity.to_owned(), body.to_owned());
        assert_eq!(of(200, None), expected("INFO", "GET /pay 200"));
        assert_eq!(
            of(200, Some(Reason::RouteAnswer)),
            expected("WARN", "GET /pay 200 route_answer")
        );
        assert_eq!(
            of(0, Some(Reason::ConnectRefused)),
            expected("ERROR", "GET /pay 503 connect_refused")
        );
    }
}
