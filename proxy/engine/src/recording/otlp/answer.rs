//! What a collector's answers say: the few messages that an exporter has to read.

use std::time::Duration;

use super::wire::read_varint;

const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";

/// `ExportTraceServiceResponse.partial_success.rejected_spans`; 0 for anything unreadable.
#[must_use]
pub fn rejected_spans(response: &[u8]) -> u64 {
    message(response, 1)
        .and_then(|partial| number(partial, 1))
        .unwrap_or(0)
}

/// `RetryInfo.retry_delay` among the details of a `google.rpc.Status`.
#[must_use]
pub fn retry_delay(status: &[u8]) -> Option<Duration> {
    find(status, 3, |value| match value {
        Value::Bytes(any) if message(any, 1) == Some(RETRY_INFO) => {
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
        Value::Bytes(bytes) => Some(bytes),
        Value::Number(_) => None,
    })
}

fn number(of: &[u8], field: u64) -> Option<u64> {
    find(of, field, |value| match value {
        Value::Number(number) => Some(number),
        Value::Bytes(_) => None,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of that number which `read` makes something of.
fn find<'a, T>(
    mut message: &'a [u8],
    wanted: u64,
    read: impl Fn(Value<'a>) -> Option<T>,
) -> Option<T> {
    while !message.is_empty() {
        let (key, rest) = read_varint(message)?;
        let (value, rest) = match key & 7 {
            0 => read_varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
            1 => (Value::Bytes(rest.get(..8)?), rest.get(8..)?),
            2 => {
                let (length, rest) = read_varint(rest)?;
                let length = usize::try_from(length).ok()?;
                (Value::Bytes(rest.get(..length)?), rest.get(length..)?)
            }
            5 => (Value::Bytes(rest.get(..4)?), rest.get(4..)?),
            _ => return None,
        };
        if key >> 3 == wanted
            && let Some(found) = read(value)
        {
            return Some(found);
        }
        message = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::wire::{bytes, number};
    use super::*;

    #[test]
    fn rejected_spans_are_read_from_a_partial_success() {
        let mut partial = Vec::new();
        bytes(&mut partial, 2, b"too old");
        number(&mut partial, 1, 17);
        let mut response = Vec::new();
        bytes(&mut response, 1, &partial);
        assert_eq!(rejected_spans(&response), 17);
        for odd in [&b""[..], b"\x0a", b"\xff\xff\xff", b"<html>"] {
            assert_eq!(rejected_spans(odd), 0);
        }
    }
}
