//! One span as windows on the body. One `Span` is reused for all spans of a request, so nothing is allocated per span.

use super::value::Attribute;
use super::wire::Reader;
use crate::error::Result;

#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "span_id is what OTLP calls it")]
pub struct Span<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub parent_span_id: &'a [u8],
    pub trace_state: &'a [u8],
    pub name: &'a [u8],
    pub kind: u64,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    pub status_code: u64,
    pub status_message: &'a [u8],
    pub attributes: Vec<Attribute<'a>>,
    pub events: Vec<Event<'a>>,
    pub links: Vec<Link<'a>>,
    /// Attributes of events and links; each of those holds its range.
    pub nested: Vec<Attribute<'a>>,
}

#[derive(Debug)]
pub struct Event<'a> {
    pub time: u64,
    pub name: &'a [u8],
    pub attributes: std::ops::Range<usize>,
}

#[derive(Debug)]
pub struct Link<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub trace_state: &'a [u8],
    pub attributes: std::ops::Range<usize>,
}

impl<'a> Span<'a> {
    /// Replaces what the span held by what the message says.
    pub fn read(&mut self, mut message: Reader<'a>) -> Result<()> {
        self.clear();
        while let Some(field) = message.field()? {
            match field.number {
                1 => self.trace_id = field.bytes()?,
                2 => self.span_id = field.bytes()?,
                3 => self.trace_state = field.bytes()?,
                4 => self.parent_span_id = field.bytes()?,
                5 => self.name = field.bytes()?,
                6 => self.kind = field.varint()?,
                7 => self.start = field.fixed64()?,
                8 => self.end = field.fixed64()?,
                9 => self.attributes.push(Attribute::read(field.message()?)?),
                11 => self.read_event(field.message()?)?,
                13 => self.read_link(field.message()?)?,
                15 => self.read_status(field.message()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        (self.trace_id, self.span_id, self.parent_span_id) = (b"", b"", b"");
        (self.trace_state, self.name, self.status_message) = (b"", b"", b"");
        (self.kind, self.start, self.end, self.status_code) = (0, 0, 0, 0);
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        self.nested.clear();
    }

    fn read_event(&mut self, mut message: Reader<'a>) -> Result<()> {
        let from = self.nested.len();
        let mut event = Event { time: 0, name: b"", attributes: from..from };
        while let Some(field) = message.field()? {
            match field.number {
                1 => event.time = field.fixed64()?,
                2 => event.name = field.bytes()?,
                3 => self.nested.push(Attribute::read(field.message()?)?),
                _ => {}
            }
        }
        event.attributes.end = self.nested.len();
        self.events.push(event);
        Ok(())
    }

    fn read_link(&mut self, mut message: Reader<'a>) -> Result<()> {
        let from = self.nested.len();
        let mut link = Link { trace_id: b"", span_id: b"", trace_state: b"", attributes: from..from };
        while let Some(field) = message.field()? {
            match field.number {
                1 => link.trace_id = field.bytes()?,
                2 => link.span_id = field.bytes()?,
                3 => link.trace_state = field.bytes()?,
                4 => self.nested.push(Attribute::read(field.message()?)?),
                _ => {}
            }
        }
        link.attributes.end = self.nested.len();
        self.links.push(link);
        Ok(())
    }

    fn read_status(&mut self, mut message: Reader<'a>) -> Result<()> {
        while let Some(field) = message.field()? {
            match field.number {
                2 => self.status_message = field.bytes()?,
                3 => self.status_code = field.varint()?,
                _ => {}
            }
        }
        Ok(())
    }
}
