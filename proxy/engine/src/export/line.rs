//! A span as one line of JSON: what was measured first, then every attribute under its own name.

use std::fmt::Write;

use crate::recording::otlp::{Field, Said, hex, read_attribute};

/// The line of an encoded span (opentelemetry-proto, trace/v1), with its end.
#[must_use]
pub fn of(span: &[u8]) -> Vec<u8> {
    let said = Said::by(span);
    let mut line = measured(&said);
    for pair in &said.attributes {
        add(&mut line, pair);
    }
    line.push_str("}\n");
    line.into_bytes()
}

fn measured(said: &Said<'_>) -> String {
    let took = said.duration_us();
    format!(
        "{{\"time\":\"{}\",\"duration_ms\":{}.{:03},\"direction\":\"{}\",\"name\":{},\"error\":{},\
         \"trace_id\":\"{}\",\"span_id\":\"{}\",\"parent_span_id\":\"{}\"",
        rfc3339(said.start),
        took / 1_000,
        took % 1_000,
        said.direction(),
        quoted(said.name),
        said.failed,
        hex(said.trace),
        hex(said.span),
        hex(said.parent),
    )
}

fn add(line: &mut String, pair: &[u8]) {
    let Some((key, value)) = read_attribute(pair) else {
        return;
    };
    let value = match value {
        Field::Number(number) => number.to_string(),
        Field::Bytes(text) => quoted(text),
    };
    let _ = write!(line, ",{}:{value}", quoted(key.as_bytes()));
}

fn quoted(text: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(text)).to_string()
}

/// A moment as RFC 3339 writes it, in UTC, to the microsecond.
fn rfc3339(unix_nanos: u64) -> String {
    let (seconds, micros) = (unix_nanos / 1_000_000_000, unix_nanos / 1_000 % 1_000_000);
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a day counted from 1970-01-01 (Gregorian calendar, in eras of 400 years that begin in March).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons::Reason;
    use crate::recording::identity::Identity;
    use crate::recording::otlp::encoded;
    use crate::recording::record::{Record, Text};

    #[test]
    fn a_line_is_json_and_says_what_the_span_says() {
        let record = Record {
            start_unix: 1_790_000_000_123_456_789,
            end_unix: 1_790_000_000_125_000_000,
            status: 503,
            reason: Some(Reason::BreakerOpen),
            ..Record::sample()
        };
        let text = Text {
            path: "/a\"b\\",
            authority: "cart:81",
            route: "/{id}",
        };
        let line = of(&encoded(&record, text, &Identity::of_tests()));
        let said: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line.last(), Some(&b'\n'));
        for (name, value) in [
            ("time", "2026-09-21T14:13:20.123456Z".into()),
            ("duration_ms", 1.543.into()),
            ("direction", "outbound".into()),
            ("name", "GET /{id}".into()),
            ("error", true.into()),
            ("parent_span_id", "0000000000000003".into()),
            ("url.path", "/a\"b\\".into()),
            ("server.port", 81.into()),
            ("http.response.status_code", 503.into()),
            ("mesh.reason", serde_json::Value::from("breaker_open")),
        ] {
            assert_eq!(said[name], value, "{name}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (20_819, (2027, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(day), date, "{day}");
        }
    }
}
