//! The columns of the five metrics tables under construction: what all kinds have, and what each has of its own.
//!
//! Names and types are those of the OpenTelemetry ClickHouse exporter's tables (`collector/store/sql/otel_metrics_*.sql`).

use super::exemplars::{self, Exemplars};
use super::{LATEST, SharedMap, Table, TableBlock, push_attributes};
use crate::error::Result;
use crate::native::block::Block;
use crate::native::column::{LowCardinality, Map, Strings, WordArrays, Words};
use crate::otlp::point::{Kind, Point};
use crate::otlp::value::readable;
use crate::otlp::walk::Origin;
use crate::otlp::wire::low_32;
use crate::redact::screen::Scratch;
use crate::rejects::Cause;

/// Columns that all kinds have, Flags among them.
const SHARED: usize = 15;

/// What a metric says of all its points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metric<'a> {
    pub name: &'a [u8],
    pub description: &'a [u8],
    pub unit: &'a [u8],
    pub temporality: u64,
    pub monotonic: bool,
}

/// The table of one kind. Columns of other kinds stay empty and are not written.
#[derive(Debug)]
pub struct Points {
    kind: Kind,
    rows: usize,
    known: usize,
    service: u32,
    resource_attributes: SharedMap,
    resource_schema: Strings,
    scope_name: Strings,
    scope_version: Strings,
    scope_attributes: SharedMap,
    scope_dropped: Words,
    scope_schema: Strings,
    service_name: LowCardinality,
    name: Strings,
    description: Strings,
    unit: Strings,
    attributes: Map,
    start: Words,
    time: Words,
    flags: Words,
    exemplars: Exemplars,
    temporality: Words,
    monotonic: Words,
    value: Words,
    distribution: Distribution,
}

/// Columns of histograms and summaries.
#[derive(Debug, Default)]
struct Distribution {
    count: Words,
    sum: Words,
    min: Words,
    max: Words,
    buckets: WordArrays,
    bounds: WordArrays,
    scale: Words,
    zero_count: Words,
    positive_offset: Words,
    positive: WordArrays,
    negative_offset: Words,
    negative: WordArrays,
    quantiles: WordArrays,
    quantile_values: WordArrays,
}

/// Whether a table can hold the point, whatever its day.
pub fn check(point: &Point<'_>) -> std::result::Result<(), Cause> {
    if point.start > LATEST || point.exemplars.iter().any(|exemplar| exemplar.time > LATEST) {
        return Err(Cause::Time);
    }
    Ok(())
}

impl Points {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            rows: 0,
            known: 0,
            service: 0,
            resource_attributes: SharedMap::default(),
            resource_schema: Strings::default(),
            scope_name: Strings::default(),
            scope_version: Strings::default(),
            scope_attributes: SharedMap::default(),
            scope_dropped: Words::default(),
            scope_schema: Strings::default(),
            service_name: LowCardinality::default(),
            name: Strings::default(),
            description: Strings::default(),
            unit: Strings::default(),
            attributes: Map::default(),
            start: Words::default(),
            time: Words::default(),
            flags: Words::default(),
            exemplars: Exemplars::default(),
            temporality: Words::default(),
            monotonic: Words::default(),
            value: Words::default(),
            distribution: Distribution::default(),
        }
    }

    /// Adds a checked point as one row.
    pub fn push(
        &mut self,
        point: &Point<'_>,
        metric: &Metric<'_>,
        origin: &Origin<'_>,
        scratch: &mut Scratch<'_>,
    ) -> Result<()> {
        self.enter(origin, scratch)?;
        self.rows += 1;
        self.push_origin(origin);
        self.name.push(&readable(metric.name));
        self.description.push(&readable(metric.description));
        self.unit.push(&readable(metric.unit));
        push_attributes(&mut self.attributes, &point.attributes, scratch)?;
        self.start.push(point.start);
        self.time.push(point.time);
        self.flags.push_32(low_32(point.flags));
        match self.kind {
            Kind::Gauge | Kind::Sum => self.value.push_double(point.value),
            Kind::Histogram => self.distribution.push_histogram(point),
            Kind::Exponential => self.distribution.push_exponential(point),
            Kind::Summary => self.distribution.push_summary(point),
        }
        if self.kind == Kind::Summary {
            return Ok(());
        }
        self.temporality.push_32(low_32(metric.temporality));
        self.monotonic.push_8(u8::from(metric.monotonic));
        self.exemplars.push(point, scratch)
    }

    fn enter(&mut self, origin: &Origin<'_>, scratch: &mut Scratch<'_>) -> Result<()> {
        if self.known == origin.serial {
            return Ok(());
        }
        self.known = origin.serial;
        self.resource_attributes.set(&origin.resource, scratch)?;
        self.scope_attributes.set(&origin.scope, scratch)?;
        scratch.text.clear();
        origin.write_service(&mut scratch.text)?;
        self.service = self.service_name.place(&scratch.text);
        Ok(())
    }

    fn push_origin(&mut self, origin: &Origin<'_>) {
        self.resource_attributes.repeat();
        self.resource_schema.push(&readable(origin.resource_schema));
        self.scope_name.push(&readable(origin.scope_name));
        self.scope_version.push(&readable(origin.scope_version));
        self.scope_attributes.repeat();
        self.scope_dropped.push_32(low_32(origin.scope_dropped));
        self.scope_schema.push(&readable(origin.scope_schema));
        self.service_name.push_place(self.service);
    }

    fn put_shared(&self, block: &mut Block) {
        block.put_map("ResourceAttributes", &self.resource_attributes.map);
        block.put("ResourceSchemaUrl", "String", &[self.resource_schema.bytes()]);
        block.put("ScopeName", "String", &[self.scope_name.bytes()]);
        block.put("ScopeVersion", "String", &[self.scope_version.bytes()]);
        block.put_map("ScopeAttributes", &self.scope_attributes.map);
        block.put("ScopeDroppedAttrCount", "UInt32", &[self.scope_dropped.bytes()]);
        block.put("ScopeSchemaUrl", "String", &[self.scope_schema.bytes()]);
        block.put_words("ServiceName", &self.service_name);
        block.put("MetricName", "String", &[self.name.bytes()]);
        block.put("MetricDescription", "String", &[self.description.bytes()]);
        block.put("MetricUnit", "String", &[self.unit.bytes()]);
        block.put_map("Attributes", &self.attributes);
        block.put("StartTimeUnix", "DateTime64(9)", &[self.start.bytes()]);
        block.put("TimeUnix", "DateTime64(9)", &[self.time.bytes()]);
        block.put("Flags", "UInt32", &[self.flags.bytes()]);
    }
}

impl Table for Points {
    fn size(&self) -> usize {
        let strings = [
            &self.resource_schema,
            &self.scope_name,
            &self.scope_version,
            &self.scope_schema,
            &self.name,
            &self.description,
            &self.unit,
        ];
        strings.iter().map(|column| column.bytes().len()).sum::<usize>()
            + self.resource_attributes.map.size()
            + self.scope_attributes.map.size()
            + self.attributes.size()
            + self.exemplars.size()
            + self.distribution.size()
            + self.rows * 64
    }

    fn into_blocks(self, day: u32) -> impl Iterator<Item = TableBlock> {
        let (table, own) = match self.kind {
            Kind::Gauge => ("otel_metrics_gauge", 1 + exemplars::COLUMNS),
            Kind::Sum => ("otel_metrics_sum", 3 + exemplars::COLUMNS),
            Kind::Histogram => ("otel_metrics_histogram", 7 + exemplars::COLUMNS),
            Kind::Exponential => ("otel_metrics_exponential_histogram", 11 + exemplars::COLUMNS),
            Kind::Summary => ("otel_metrics_summary", 4),
        };
        let mut block = Block::new(SHARED + own, self.rows, self.size() + self.rows * 64);
        self.put_shared(&mut block);
        match self.kind {
            Kind::Gauge | Kind::Sum => block.put("Value", "Float64", &[self.value.bytes()]),
            Kind::Histogram => self.distribution.put_histogram(&mut block),
            Kind::Exponential => self.distribution.put_exponential(&mut block),
            Kind::Summary => self.distribution.put_summary(&mut block),
        }
        if self.kind != Kind::Summary {
            self.exemplars.put(&mut block);
        }
        if !matches!(self.kind, Kind::Gauge | Kind::Summary) {
            block.put("AggregationTemporality", "Int32", &[self.temporality.bytes()]);
        }
        if self.kind == Kind::Sum {
            block.put("IsMonotonic", "Bool", &[self.monotonic.bytes()]);
        }
        std::iter::once(TableBlock { table, day, data: block.into_bytes(), rows: self.rows })
    }
}

impl Distribution {
    fn push_totals(&mut self, point: &Point<'_>) {
        self.count.push(point.count);
        self.sum.push_double(point.sum);
    }

    fn push_extremes(&mut self, point: &Point<'_>) {
        self.min.push_double(point.min);
        self.max.push_double(point.max);
    }

    fn push_histogram(&mut self, point: &Point<'_>) {
        self.push_totals(point);
        self.push_extremes(point);
        self.buckets.push(&point.buckets);
        self.bounds.push(&point.bounds);
    }

    fn push_exponential(&mut self, point: &Point<'_>) {
        self.push_totals(point);
        self.push_extremes(point);
        self.scale.push_32(point.scale.cast_unsigned());
        self.zero_count.push(point.zero_count);
        self.positive_offset.push_32(point.positive.offset.cast_unsigned());
        self.positive.push(&point.positive.counts);
        self.negative_offset.push_32(point.negative.offset.cast_unsigned());
        self.negative.push(&point.negative.counts);
    }

    fn push_summary(&mut self, point: &Point<'_>) {
        self.push_totals(point);
        self.quantiles.push(&point.quantiles);
        self.quantile_values.push(&point.quantile_values);
    }

    fn size(&self) -> usize {
        let arrays = [
            &self.buckets,
            &self.bounds,
            &self.positive,
            &self.negative,
            &self.quantiles,
            &self.quantile_values,
        ];
        arrays.iter().map(|column| column.size()).sum()
    }

    fn put_totals(&self, block: &mut Block) {
        block.put("Count", "UInt64", &[self.count.bytes()]);
        block.put("Sum", "Float64", &[self.sum.bytes()]);
    }

    fn put_extremes(&self, block: &mut Block) {
        block.put("Min", "Float64", &[self.min.bytes()]);
        block.put("Max", "Float64", &[self.max.bytes()]);
    }

    fn put_histogram(&self, block: &mut Block) {
        self.put_totals(block);
        block.put("BucketCounts", "Array(UInt64)", &self.buckets.parts());
        block.put("ExplicitBounds", "Array(Float64)", &self.bounds.parts());
        self.put_extremes(block);
    }

    fn put_exponential(&self, block: &mut Block) {
        self.put_totals(block);
        block.put("Scale", "Int32", &[self.scale.bytes()]);
        block.put("ZeroCount", "UInt64", &[self.zero_count.bytes()]);
        block.put("PositiveOffset", "Int32", &[self.positive_offset.bytes()]);
        block.put("PositiveBucketCounts", "Array(UInt64)", &self.positive.parts());
        block.put("NegativeOffset", "Int32", &[self.negative_offset.bytes()]);
        block.put("NegativeBucketCounts", "Array(UInt64)", &self.negative.parts());
        self.put_extremes(block);
    }

    fn put_summary(&self, block: &mut Block) {
        self.put_totals(block);
        block.put("ValueAtQuantiles.Quantile", "Array(Float64)", &self.quantiles.parts());
        block.put("ValueAtQuantiles.Value", "Array(Float64)", &self.quantile_values.parts());
    }
}
