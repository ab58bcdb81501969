//! How many items a request of a signal holds that is not stored.

use super::body::{self, Form};
use super::json::{self, Message};
use super::wire::Reader;
use crate::error::Result;

/// The fields that lead from a request to its items.
const LOG_RECORDS: &[&[u64]] = &[&[1], &[2], &[2]];
const DATA_POINTS: &[&[u64]] = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Metrics,
    Logs,
}

pub fn count(signal: Signal, body: &[u8], form: Form) -> Result<usize> {
    let (message, path): (&'static Message, _) = match signal {
        Signal::Metrics => (&json::METRICS, DATA_POINTS),
        Signal::Logs => (&json::LOGS, LOG_RECORDS),
    };
    let body = body::open(body, form, message)?;
    descend(Reader::new(&body), path).map_err(|error| error.within(&body))
}

fn descend(mut message: Reader<'_>, path: &[&[u64]]) -> Result<usize> {
    let Some((numbers, rest)) = path.split_first() else {
        return Ok(1);
    };
    let mut found = 0;
    while let Some(field) = message.field()? {
        if numbers.contains(&field.number) {
            found += descend(field.message()?, rest)?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::body::Coding;
    use super::*;

    fn counted(signal: Signal, text: &str) -> usize {
        count(signal, text.as_bytes(), Form { json: true, coding: Coding::Identity, limit: 1000 }).unwrap()
    }

    #[test]
    fn points_of_every_kind_and_records() {
        let metrics = r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "a", "gauge": {"dataPoints": [{"asInt": 1}, {}]}},
            {"sum": {"dataPoints": [{}], "isMonotonic": true}}, {"summary": {"dataPoints": [{}]}}]}]}]}"#;
        assert_eq!(counted(Signal::Metrics, metrics), 4);
        let logs = r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}, {}]}, {}]}, {}]}"#;
        assert_eq!(counted(Signal::Logs, logs), 2);
        assert_eq!(counted(Signal::Logs, "{}"), 0);
    }
}
