//! One data point of any kind as numbers and windows on the body; one `Point` is reused for all points of a request.
//!
//! Source: opentelemetry-proto 1.x, metrics.proto. A kind leaves the fields of the others as they are by default.

use super::value::Attribute;
use super::wire::{Field, Reader};
use crate::error::Result;

/// The kinds of metrics; the value is the field of `Metric` that holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Gauge, Self::Sum, Self::Histogram, Self::Exponential, Self::Summary];

    pub fn of_field(number: u64) -> Option<Self> {
        match number {
            5 => Some(Self::Gauge),
            7 => Some(Self::Sum),
            9 => Some(Self::Histogram),
            10 => Some(Self::Exponential),
            11 => Some(Self::Summary),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
pub struct Point<'a> {
    pub attributes: Vec<Attribute<'a>>,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub time: u64,
    pub flags: u64,
    pub value: f64,
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// Numbers in these lists are bits of 64.
    pub buckets: Vec<u64>,
    pub bounds: Vec<u64>,
    pub scale: i32,
    pub zero_count: u64,
    pub positive: Buckets,
    pub negative: Buckets,
    pub quantiles: Vec<u64>,
    pub quantile_values: Vec<u64>,
    pub exemplars: Vec<Exemplar<'a>>,
    /// Attributes of exemplars; each of those holds its range.
    pub nested: Vec<Attribute<'a>>,
}

#[derive(Debug, Default)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

#[derive(Debug)]
pub struct Exemplar<'a> {
    pub attributes: std::ops::Range<usize>,
    pub time: u64,
    pub value: f64,
    pub span_id: &'a [u8],
    pub trace_id: &'a [u8],
}

impl<'a> Point<'a> {
    /// Replaces what the point held by what the message says.
    pub fn read(&mut self, kind: Kind, mut message: Reader<'a>) -> Result<()> {
        self.clear();
        while let Some(field) = message.field()? {
            match (kind, field.number) {
                (Kind::Exponential, _) => self.exponential(&field)?,
                (_, 2) => self.start = field.fixed64()?,
                (_, 3) => self.time = field.fixed64()?,
                (Kind::Gauge | Kind::Sum, _) => self.number(&field)?,
                (_, 4) => self.count = field.fixed64()?,
                (_, 5) => self.sum = field.double()?,
                (Kind::Histogram, _) => self.histogram(&field)?,
                (Kind::Summary, _) => self.summary(&field)?,
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        (self.start, self.time, self.flags, self.count, self.zero_count, self.scale) = (0, 0, 0, 0, 0, 0);
        (self.value, self.sum, self.min, self.max) = (0.0, 0.0, 0.0, 0.0);
        self.attributes.clear();
        self.buckets.clear();
        self.bounds.clear();
        self.positive.clear();
        self.negative.clear();
        self.quantiles.clear();
        self.quantile_values.clear();
        self.exemplars.clear();
        self.nested.clear();
    }

    fn number(&mut self, field: &Field<'a>) -> Result<()> {
        match field.number {
            4 => self.value = field.double()?,
            5 => self.exemplar(field.message()?)?,
            6 => self.value = integer(field)?,
            7 => self.attributes.push(Attribute::read(field.message()?)?),
            8 => self.flags = field.varint()?,
            _ => {}
        }
        Ok(())
    }

    fn histogram(&mut self, field: &Field<'a>) -> Result<()> {
        match field.number {
            6 => field.repeated_fixed64(&mut self.buckets)?,
            7 => field.repeated_fixed64(&mut self.bounds)?,
            8 => self.exemplar(field.message()?)?,
            9 => self.attributes.push(Attribute::read(field.message()?)?),
            10 => self.flags = field.varint()?,
            11 => self.min = field.double()?,
            12 => self.max = field.double()?,
            _ => {}
        }
        Ok(())
    }

    fn exponential(&mut self, field: &Field<'a>) -> Result<()> {
        match field.number {
            1 => self.attributes.push(Attribute::read(field.message()?)?),
            2 => self.start = field.fixed64()?,
            3 => self.time = field.fixed64()?,
            4 => self.count = field.fixed64()?,
            5 => self.sum = field.double()?,
            6 => self.scale = field.zigzag()?,
            7 => self.zero_count = field.fixed64()?,
            8 => self.positive.read(field.message()?)?,
            9 => self.negative.read(field.message()?)?,
            10 => self.flags = field.varint()?,
            11 => self.exemplar(field.message()?)?,
            12 => self.min = field.double()?,
            13 => self.max = field.double()?,
            _ => {}
        }
        Ok(())
    }

    fn summary(&mut self, field: &Field<'a>) -> Result<()> {
        match field.number {
            6 => self.quantile(field.message()?)?,
            7 => self.attributes.push(Attribute::read(field.message()?)?),
            8 => self.flags = field.varint()?,
            _ => {}
        }
        Ok(())
    }

    fn quantile(&mut self, mut message: Reader<'a>) -> Result<()> {
        let (mut quantile, mut value) = (0, 0);
        while let Some(field) = message.field()? {
            match field.number {
                1 => quantile = field.fixed64()?,
                2 => value = field.fixed64()?,
                _ => {}
            }
        }
        self.quantiles.push(quantile);
        self.quantile_values.push(value);
        Ok(())
    }

    fn exemplar(&mut self, mut message: Reader<'a>) -> Result<()> {
        let from = self.nested.len();
        let mut exemplar =
            Exemplar { attributes: from..from, time: 0, value: 0.0, span_id: b"", trace_id: b"" };
        while let Some(field) = message.field()? {
            match field.number {
                2 => exemplar.time = field.fixed64()?,
                3 => exemplar.value = field.double()?,
                4 => exemplar.span_id = field.bytes()?,
                5 => exemplar.trace_id = field.bytes()?,
                6 => exemplar.value = integer(&field)?,
                7 => self.nested.push(Attribute::read(field.message()?)?),
                _ => {}
            }
        }
        exemplar.attributes.end = self.nested.len();
        self.exemplars.push(exemplar);
        Ok(())
    }
}

impl Buckets {
    fn clear(&mut self) {
        self.offset = 0;
        self.counts.clear();
    }

    fn read(&mut self, mut message: Reader<'_>) -> Result<()> {
        while let Some(field) = message.field()? {
            match field.number {
                1 => self.offset = field.zigzag()?,
                2 => field.repeated_varint(&mut self.counts)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "the table has one Float64 for both kinds of numbers")]
fn integer(field: &Field<'_>) -> Result<f64> {
    Ok(field.fixed64()?.cast_signed() as f64)
}
