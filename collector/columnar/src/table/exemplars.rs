//! The nested columns `Exemplars.*` of the metrics tables.

use super::{id_or_empty, push_attributes};
use crate::error::Result;
use crate::native::block::Block;
use crate::native::column::{Map, Strings, Words};
use crate::otlp::point::Point;
use crate::redact::screen::Scratch;

pub const COLUMNS: usize = 5;

#[derive(Debug, Default)]
pub struct Exemplars {
    ends: Words,
    count: u64,
    attributes: Map,
    time: Words,
    value: Words,
    span_id: Strings,
    trace_id: Strings,
}

impl Exemplars {
    pub fn push(&mut self, point: &Point<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        for exemplar in &point.exemplars {
            push_attributes(&mut self.attributes, &point.nested[exemplar.attributes.clone()], scratch)?;
            self.time.push(exemplar.time);
            self.value.push_double(exemplar.value);
            self.span_id.push_hex(id_or_empty(exemplar.span_id, 8));
            self.trace_id.push_hex(id_or_empty(exemplar.trace_id, 16));
            self.count += 1;
        }
        self.ends.push(self.count);
        Ok(())
    }

    pub fn size(&self) -> usize {
        self.ends.bytes().len()
            + self.attributes.size()
            + self.time.bytes().len() * 2
            + self.span_id.bytes().len()
            + self.trace_id.bytes().len()
    }

    pub fn put(&self, block: &mut Block) {
        let ends = self.ends.bytes();
        block.put_map_arrays("Exemplars.FilteredAttributes", ends, &self.attributes);
        block.put("Exemplars.TimeUnix", "Array(DateTime64(9))", &[ends, self.time.bytes()]);
        block.put("Exemplars.Value", "Array(Float64)", &[ends, self.value.bytes()]);
        block.put("Exemplars.SpanId", "Array(String)", &[ends, self.span_id.bytes()]);
        block.put("Exemplars.TraceId", "Array(String)", &[ends, self.trace_id.bytes()]);
    }
}
