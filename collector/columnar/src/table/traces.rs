//! The columns of `otel_traces` under construction.
//!
//! Names, types and order are those of the OpenTelemetry ClickHouse exporter's INSERT (`collector/store/sql/otel_traces.sql`).

use crate::error::Result;
use crate::native::block::Block;
use crate::native::column::{LowCardinality, Map, Strings, Words};
use crate::otlp::span::Span;
use crate::otlp::value::{Attribute, readable};
use crate::redact::screen::Scratch;
use crate::rejects::Cause;
use crate::table::{LATEST, Table, TableBlock, push_attributes, push_value, unless_zero};
use crate::tail::verdict::Fate;

const KEPT: &str = "otel_traces";
/// Of the same columns; what is inserted feeds the roll-ups and goes nowhere else.
const LEFT_OUT: &str = "mesh_unkept";
const COLUMNS: usize = 22;
/// The place of a kind in its dictionary is its OTLP number and one.
const KINDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];
const STATUSES: [&str; 3] = ["Unset", "Ok", "Error"];

/// Where spans come from; `serial` differs between any two of a request and is not 0.
#[derive(Debug, Default)]
pub struct Resource<'a> {
    pub serial: usize,
    pub attributes: Vec<Attribute<'a>>,
}

/// What a resource puts on each of its rows, encoded once.
#[derive(Debug, Default)]
struct Known {
    serial: usize,
    keys: Vec<u32>,
    values: Vec<u8>,
    service: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    pub name: &'a [u8],
    pub version: &'a [u8],
}

/// The spans of one day: those to be stored, and those that are only counted.
#[derive(Debug, Default)]
pub struct Spans {
    kept: Option<Traces>,
    left_out: Option<Traces>,
}

#[derive(Debug)]
pub struct Traces {
    rows: usize,
    known: Known,
    timestamp: Words,
    trace_id: Strings,
    span_id: Strings,
    parent_span_id: Strings,
    trace_state: Strings,
    span_name: LowCardinality,
    span_kind: LowCardinality,
    service_name: LowCardinality,
    resource_attributes: Map,
    scope_name: Strings,
    scope_version: Strings,
    span_attributes: Map,
    duration: Words,
    status_code: LowCardinality,
    status_message: Strings,
    events: Events,
    links: Links,
}

#[derive(Debug, Default)]
struct Events {
    ends: Words,
    count: u64,
    timestamp: Words,
    name: LowCardinality,
    attributes: Map,
}

#[derive(Debug, Default)]
struct Links {
    ends: Words,
    count: u64,
    trace_id: Strings,
    span_id: Strings,
    trace_state: Strings,
    attributes: Map,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            rows: 0,
            known: Known::default(),
            timestamp: Words::default(),
            trace_id: Strings::default(),
            span_id: Strings::default(),
            parent_span_id: Strings::default(),
            trace_state: Strings::default(),
            span_name: LowCardinality::default(),
            span_kind: LowCardinality::of(&KINDS),
            service_name: LowCardinality::default(),
            resource_attributes: Map::default(),
            scope_name: Strings::default(),
            scope_version: Strings::default(),
            span_attributes: Map::default(),
            duration: Words::default(),
            status_code: LowCardinality::of(&STATUSES),
            status_message: Strings::default(),
            events: Events::default(),
            links: Links::default(),
        }
    }
}

/// Whether the table can hold the span, whatever its day.
pub fn check(span: &Span<'_>) -> std::result::Result<(), Cause> {
    let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|&byte| byte != 0);
    if !is_id(span.trace_id, 16) {
        return Err(Cause::TraceId);
    }
    if !is_id(span.span_id, 8) {
        return Err(Cause::SpanId);
    }
    if !matches!(span.parent_span_id.len(), 0 | 8) {
        return Err(Cause::ParentSpanId);
    }
    if span.events.iter().any(|event| event.time > LATEST) {
        return Err(Cause::Time);
    }
    Ok(())
}

impl Spans {
    /// Where a span goes.
    #[inline]
    pub fn of(&mut self, fate: Fate) -> &mut Traces {
        let table = if fate == Fate::LeftOut { &mut self.left_out } else { &mut self.kept };
        table.get_or_insert_default()
    }
}

impl Table for Spans {
    fn size(&self) -> usize {
        [&self.kept, &self.left_out].into_iter().flatten().map(Traces::size).sum()
    }

    fn into_blocks(self, day: u32) -> impl Iterator<Item = TableBlock> {
        let tables = [(KEPT, self.kept), (LEFT_OUT, self.left_out)];
        tables.into_iter().filter_map(move |(name, rows)| rows.map(|rows| rows.into_block(name, day)))
    }
}

impl Traces {
    /// Adds a checked span as one row.
    pub fn push(
        &mut self,
        span: &Span<'_>,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        scratch: &mut Scratch<'_>,
    ) -> Result<()> {
        self.enter(resource, scratch)?;
        self.rows += 1;
        self.timestamp.push(span.start);
        self.trace_id.push_hex(span.trace_id);
        self.span_id.push_hex(span.span_id);
        self.parent_span_id.push_hex(unless_zero(span.parent_span_id));
        self.trace_state.push(&readable(span.trace_state));
        self.span_name.push(&scratch.free_text(span.name));
        self.span_kind.push_place(place_of(span.kind, KINDS.len()));
        self.service_name.push_place(self.known.service);
        self.resource_attributes.keys.extend(&self.known.keys);
        self.resource_attributes.values.extend(&self.known.values);
        self.resource_attributes.end_row();
        self.scope_name.push(&readable(scope.name));
        self.scope_version.push(&readable(scope.version));
        push_attributes(&mut self.span_attributes, &span.attributes, scratch)?;
        self.duration.push(span.end.saturating_sub(span.start));
        self.status_code.push_place(place_of(span.status_code, STATUSES.len()));
        self.status_message.push(&scratch.free_text(span.status_message));
        self.events.push(span, scratch)?;
        self.links.push(span, scratch)
    }

    fn enter(&mut self, resource: &Resource<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        if self.known.serial == resource.serial {
            return Ok(());
        }
        let mut values = Strings::default();
        let mut known = Known { serial: resource.serial, ..Known::default() };
        for attribute in &resource.attributes {
            if attribute.key == b"service.name" {
                scratch.text.clear();
                attribute.value.write_text(&mut scratch.text)?;
                known.service = self.service_name.place(&scratch.text);
            }
            if push_value(&mut values, attribute, scratch)? {
                known.keys.push(self.resource_attributes.keys.place(&readable(attribute.key)));
            }
        }
        known.values = values.into_bytes();
        self.known = known;
        Ok(())
    }
}

impl Traces {
    fn size(&self) -> usize {
        let repeated = self.resource_attributes.size()
            + self.scope_name.bytes().len()
            + self.scope_version.bytes().len();
        let own = self.span_attributes.size() + self.events.attributes.size() + self.links.attributes.size();
        repeated + own + self.trace_id.bytes().len()
    }

    /// All columns as one Native block.
    fn into_block(self, table: &'static str, day: u32) -> TableBlock {
        let mut block = Block::new(COLUMNS, self.rows, self.size() + self.rows * 128);
        block.put("Timestamp", "DateTime64(9)", &[self.timestamp.bytes()]);
        block.put("TraceId", "String", &[self.trace_id.bytes()]);
        block.put("SpanId", "String", &[self.span_id.bytes()]);
        block.put("ParentSpanId", "String", &[self.parent_span_id.bytes()]);
        block.put("TraceState", "String", &[self.trace_state.bytes()]);
        block.put_words("SpanName", &self.span_name);
        block.put_words("SpanKind", &self.span_kind);
        block.put_words("ServiceName", &self.service_name);
        block.put_map("ResourceAttributes", &self.resource_attributes);
        block.put("ScopeName", "String", &[self.scope_name.bytes()]);
        block.put("ScopeVersion", "String", &[self.scope_version.bytes()]);
        block.put_map("SpanAttributes", &self.span_attributes);
        block.put("Duration", "UInt64", &[self.duration.bytes()]);
        block.put_words("StatusCode", &self.status_code);
        block.put("StatusMessage", "String", &[self.status_message.bytes()]);
        self.events.put(&mut block);
        self.links.put(&mut block);
        TableBlock { table, day, data: block.into_bytes(), rows: self.rows }
    }
}

impl Events {
    fn push(&mut self, span: &Span<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        for event in &span.events {
            self.timestamp.push(event.time);
            self.name.push(&scratch.free_text(event.name));
            push_attributes(&mut self.attributes, &span.nested[event.attributes.clone()], scratch)?;
            self.count += 1;
        }
        self.ends.push(self.count);
        Ok(())
    }

    fn put(&self, block: &mut Block) {
        let ends = self.ends.bytes();
        block.put("Events.Timestamp", "Array(DateTime64(9))", &[ends, self.timestamp.bytes()]);
        block.put_word_arrays("Events.Name", ends, &self.name);
        block.put_map_arrays("Events.Attributes", ends, &self.attributes);
    }
}

impl Links {
    fn push(&mut self, span: &Span<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        for link in &span.links {
            self.trace_id.push_hex(unless_zero(link.trace_id));
            self.span_id.push_hex(unless_zero(link.span_id));
            self.trace_state.push(&readable(link.trace_state));
            push_attributes(&mut self.attributes, &span.nested[link.attributes.clone()], scratch)?;
            self.count += 1;
        }
        self.ends.push(self.count);
        Ok(())
    }

    fn put(&self, block: &mut Block) {
        let ends = self.ends.bytes();
        block.put("Links.TraceId", "Array(String)", &[ends, self.trace_id.bytes()]);
        block.put("Links.SpanId", "Array(String)", &[ends, self.span_id.bytes()]);
        block.put("Links.TraceState", "Array(String)", &[ends, self.trace_state.bytes()]);
        block.put_map_arrays("Links.Attributes", ends, &self.attributes);
    }
}

/// An enum of OTLP as a place in its dictionary; numbers nobody defined count as the first.
fn place_of(number: u64, known: usize) -> u32 {
    u32::try_from(number).ok().filter(|&number| (number as usize) < known).unwrap_or(0) + 1
}
