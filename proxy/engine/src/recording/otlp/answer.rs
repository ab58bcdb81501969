//! What a collector's answers say: the few messages that an exporter has to read.

use std::time::Duration;

use super::wire::{Field, fields};

const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";

/// `partial_success.rejected_spans` of an `ExportTraceServiceResponse`, or `rejected_log_records` of an
/// `ExportLogsServiceResponse`, which has the same number; 0 for anything unreadable.
#[must_use]
pub fn rejected(response: &[u8]) -> u64 {
    message(response, 1)
        .and_then(|partial| number(partial, 1))
        .unwrap_or(0)
}

/// `RetryInfo.retry_delay` among the details of a `google.rpc.Status`.
#[must_use]
pub fn retry_delay(status: &[u8]) -> Option<Duration> {
    find(status, 3, |value| match value {
        Field::Bytes(any) if message(any, 1) == Some(RETRY_INFO) => {
            let delay = message(message(any, 2)?, 1)?;
            let nanos = u32::try_from(number(delay, 2).unwrap_or(0)).ok()?;
            Some(Duration::new(
                number(delay, 1).unwrap_or(0),
                nanos.min(999_999_999),
            ))
        }
        _ => None,
    })
}

fn message(of: &[u8], field: u64) -> Option<&[u8]> {
    find(of, field, |value| match value {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    })
}

fn number(of: &[u8], field: u64) -> Option<u64> {
    find(of, field, |value| match value {
        Field::Number(number) => Some(number),
        Field::Bytes(_) => None,
    })
}

/// The first field of that number which `read` makes something of.
fn find<'a, T>(message: &'a [u8], wanted: u64, read: impl Fn(Field<'a>) -> Option<T>) -> Option<T> {
    fields(message).find_map(|(number, value)| (number == wanted).then(|| read(value))?)
}

#[cfg(test)]
mod tests {
    use super::super::wire::{bytes, number};
    use super::*;

    #[test]
    fn what_was_rejected_is_read_from_a_partial_success() {
        let mut partial = Vec::new();
        bytes(&mut partial, 2, b"too old");
        number(&mut partial, 1, 17);
        let mut response = Vec::new();
        bytes(&mut response, 1, &partial);
        assert_eq!(rejected(&response), 17);
        for odd in [&b""[..], b"\x0a", b"\xff\xff\xff", b"<html>"] {
            assert_eq!(rejected(odd), 0);
        }
    }
}
