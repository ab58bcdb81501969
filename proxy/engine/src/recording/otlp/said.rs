//! What a span says, read from its encoding, for those who tell of it in another form.

use std::fmt::Write;

use super::wire::{Field, fields};

#[derive(Default)]
pub struct Said<'a> {
    pub trace: &'a [u8],
    pub span: &'a [u8],
    pub parent: &'a [u8],
    pub name: &'a [u8],
    pub client: bool,
    pub start: u64,
    pub end: u64,
    pub failed: bool,
    /// Each a `KeyValue`.
    pub attributes: Vec<&'a [u8]>,
}

impl<'a> Said<'a> {
    /// Reads a span (opentelemetry-proto, trace/v1) as far as it can be read.
    #[must_use]
    pub fn by(span: &'a [u8]) -> Self {
        let mut said = Self::default();
        for (number, value) in fields(span) {
            match (number, value) {
                (1, Field::Bytes(id)) => said.trace = id,
                (2, Field::Bytes(id)) => said.span = id,
                (4, Field::Bytes(id)) => said.parent = id,
                (5, Field::Bytes(name)) => said.name = name,
                (6, Field::Number(kind)) => said.client = kind == 3,
                (7, Field::Bytes(time)) => said.start = fixed(time),
                (8, Field::Bytes(time)) => said.end = fixed(time),
                (9, Field::Bytes(pair)) => said.attributes.push(pair),
                (15, Field::Bytes(_)) => said.failed = true,
                _ => {}
            }
        }
        said
    }

    #[must_use]
    pub fn direction(&self) -> &'static str {
        if self.client { "outbound" } else { "inbound" }
    }

    #[must_use]
    pub fn duration_us(&self) -> u64 {
        self.end.saturating_sub(self.start) / 1_000
    }
}

/// An id as it is written in text.
#[must_use]
pub fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn fixed(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
