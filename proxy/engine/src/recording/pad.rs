//! Writes header values of the proxy's own, many into one piece of memory.
//!
//! In: text. Out: a value that shares its memory with those written before and after it, which is used again once all of
//! them are gone. Never: an allocation for each, or a sheet kept by a value that outlives its request's head.

use std::cell::RefCell;

use bytes::BytesMut;
use http::HeaderValue;

/// Bytes of one piece of memory: some twenty requests' worth.
const SHEET: usize = 2_048;

pub struct Pad(RefCell<BytesMut>);

impl Default for Pad {
    fn default() -> Self {
        Self(RefCell::new(BytesMut::with_capacity(SHEET)))
    }
}

impl Pad {
    /// A header value of this text; `None` when it has a character that none may have.
    pub fn value(&self, text: &[u8]) -> Option<HeaderValue> {
        let mut sheet = self.0.borrow_mut();
        sheet.extend_from_slice(text);
        HeaderValue::from_maybe_shared(sheet.split().freeze()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_was_written_however_many() {
        let pad = Pad::default();
        let values: Vec<_> = (0..1_000)
            .map(|n| pad.value(format!("value {n}").as_bytes()).unwrap())
            .collect();
        for (n, value) in values.iter().enumerate() {
            assert_eq!(value, &format!("value {n}"));
        }
        assert_eq!(pad.value(b"a\r\nb"), None);
        assert_eq!(pad.value(b"after").unwrap(), "after");
    }
}
