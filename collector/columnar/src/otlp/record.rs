//! One log record as windows on the body; one `Record` is reused for all records of a request.

use super::value::{Attribute, Value};
use super::wire::Reader;
use crate::error::Result;

#[derive(Debug)]
pub struct Record<'a> {
    /// Nanoseconds since 1970, 0 when not known.
    pub time: u64,
    pub observed: u64,
    pub severity_number: u64,
    pub severity_text: &'a [u8],
    pub body: Value<'a>,
    pub attributes: Vec<Attribute<'a>>,
    pub flags: u32,
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub event_name: &'a [u8],
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            time: 0,
            observed: 0,
            severity_number: 0,
            severity_text: b"",
            body: Value::Empty,
            attributes: Vec::new(),
            flags: 0,
            trace_id: b"",
            span_id: b"",
            event_name: b"",
        }
    }
}

impl<'a> Record<'a> {
    /// Replaces what the record held by what the message says.
    pub fn read(&mut self, mut message: Reader<'a>) -> Result<()> {
        let mut attributes = std::mem::take(&mut self.attributes);
        attributes.clear();
        *self = Self { attributes, ..Self::default() };
        while let Some(field) = message.field()? {
            match field.number {
                1 => self.time = field.fixed64()?,
                2 => self.severity_number = field.varint()?,
                3 => self.severity_text = field.bytes()?,
                5 => self.body = Value::read(field.message()?)?,
                6 => self.attributes.push(Attribute::read(field.message()?)?),
                8 => self.flags = field.fixed32()?,
                9 => self.trace_id = field.bytes()?,
                10 => self.span_id = field.bytes()?,
                11 => self.observed = field.fixed64()?,
                12 => self.event_name = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// When it happened; else when it was seen; else when it was received.
    pub fn when(&self, received: u64) -> u64 {
        [self.time, self.observed].into_iter().find(|&time| time > 0).unwrap_or(received)
    }
}
