//! The columns of `otel_logs` under construction.
//!
//! Names, types and order are those of the OpenTelemetry ClickHouse exporter's INSERT (`collector/store/sql/otel_logs.sql`).

use super::{SharedMap, Table, TableBlock, id_or_empty, push_attributes};
use crate::error::Result;
use crate::native::block::Block;
use crate::native::column::{LowCardinality, Map, Strings, Words};
use crate::otlp::record::Record;
use crate::otlp::value::{Value, readable};
use crate::otlp::walk::Origin;
use crate::redact::screen::Scratch;

const TABLE: &str = "otel_logs";
const COLUMNS: usize = 16;

#[derive(Debug, Default)]
pub struct Logs {
    rows: usize,
    timestamp: Words,
    trace_id: Strings,
    span_id: Strings,
    trace_flags: Words,
    severity_text: LowCardinality,
    severity_number: Words,
    service_name: LowCardinality,
    body: Strings,
    resource_schema: LowCardinality,
    resource_attributes: SharedMap,
    scope_schema: LowCardinality,
    scope_name: Strings,
    scope_version: LowCardinality,
    scope_attributes: SharedMap,
    log_attributes: Map,
    event_name: Strings,
    known: Known,
}

/// The origin whose words have their places in the dictionaries.
#[derive(Debug, Default)]
struct Known {
    serial: usize,
    service: u32,
    resource_schema: u32,
    scope_schema: u32,
    scope_version: u32,
}

impl Logs {
    /// Adds a record with a checked time as one row.
    pub fn push(
        &mut self,
        record: &Record<'_>,
        time: u64,
        origin: &Origin<'_>,
        scratch: &mut Scratch<'_>,
    ) -> Result<()> {
        self.enter(origin, scratch)?;
        self.rows += 1;
        self.timestamp.push(time);
        self.trace_id.push_hex(id_or_empty(record.trace_id, 16));
        self.span_id.push_hex(id_or_empty(record.span_id, 8));
        self.trace_flags.push_8((record.flags & 0xff) as u8);
        self.severity_text.push(&readable(record.severity_text));
        self.severity_number.push_8(u8::try_from(record.severity_number).unwrap_or(0));
        self.service_name.push_place(self.known.service);
        push_body(&mut self.body, &record.body, scratch)?;
        self.resource_schema.push_place(self.known.resource_schema);
        self.resource_attributes.repeat();
        self.scope_schema.push_place(self.known.scope_schema);
        self.scope_name.push(&readable(origin.scope_name));
        self.scope_version.push_place(self.known.scope_version);
        self.scope_attributes.repeat();
        push_attributes(&mut self.log_attributes, &record.attributes, scratch)?;
        self.event_name.push(&readable(record.event_name));
        Ok(())
    }

    fn enter(&mut self, origin: &Origin<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        if self.known.serial == origin.serial {
            return Ok(());
        }
        self.resource_attributes.set(&origin.resource, scratch)?;
        self.scope_attributes.set(&origin.scope, scratch)?;
        scratch.text.clear();
        origin.write_service(&mut scratch.text)?;
        self.known = Known {
            serial: origin.serial,
            service: self.service_name.place(&scratch.text),
            resource_schema: self.resource_schema.place(&readable(origin.resource_schema)),
            scope_schema: self.scope_schema.place(&readable(origin.scope_schema)),
            scope_version: self.scope_version.place(&readable(origin.scope_version)),
        };
        Ok(())
    }
}

impl Table for Logs {
    fn size(&self) -> usize {
        self.resource_attributes.map.size()
            + self.scope_attributes.map.size()
            + self.scope_name.bytes().len()
            + self.log_attributes.size()
            + self.body.bytes().len()
            + self.rows * 64
    }

    fn into_blocks(self, day: u32) -> impl Iterator<Item = TableBlock> {
        let mut block = Block::new(COLUMNS, self.rows, self.size() + self.rows * 64);
        block.put("Timestamp", "DateTime64(9)", &[self.timestamp.bytes()]);
        block.put("TraceId", "String", &[self.trace_id.bytes()]);
        block.put("SpanId", "String", &[self.span_id.bytes()]);
        block.put("TraceFlags", "UInt8", &[self.trace_flags.bytes()]);
        block.put_words("SeverityText", &self.severity_text);
        block.put("SeverityNumber", "UInt8", &[self.severity_number.bytes()]);
        block.put_words("ServiceName", &self.service_name);
        block.put("Body", "String", &[self.body.bytes()]);
        block.put_words("ResourceSchemaUrl", &self.resource_schema);
        block.put_map("ResourceAttributes", &self.resource_attributes.map);
        block.put_words("ScopeSchemaUrl", &self.scope_schema);
        block.put("ScopeName", "String", &[self.scope_name.bytes()]);
        block.put_words("ScopeVersion", &self.scope_version);
        block.put_map("ScopeAttributes", &self.scope_attributes.map);
        block.put_map("LogAttributes", &self.log_attributes);
        block.put("EventName", "String", &[self.event_name.bytes()]);
        std::iter::once(TableBlock { table: TABLE, day, data: block.into_bytes(), rows: self.rows })
    }
}

fn push_body(column: &mut Strings, body: &Value<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
    match &mut scratch.screen {
        None => body.push_text(column, &mut scratch.text)?,
        Some(screen) => column.push(screen.body(body)?.unwrap_or_default()),
    }
    Ok(())
}
