//! Walks the points of an `ExportMetricsServiceRequest` and fills the columns of five tables, one a kind of metric.

use super::body::{self, Form};
use super::json;
use super::point::{Kind, Point};
use super::walk::{EXPANSION, Encoded, Origin, check_size, each_item};
use super::wire::Reader;
use crate::error::Result;
use crate::redact::rules::Rules;
use crate::redact::screen::Scratch;
use crate::rejects::Rejects;
use crate::table::ByDay;
use crate::table::points::{Metric, Points, check};

pub fn encode(body: &[u8], form: Form, rules: Option<&Rules>) -> Result<Encoded> {
    let body = body::open(body, form, &json::METRICS)?;
    let mut walk = Walk {
        tables: Kind::ALL.map(|_| ByDay::default()),
        scratch: Scratch::of(rules),
        rejects: Rejects::of("data points"),
        most: form.limit.saturating_mul(EXPANSION),
    };
    let mut point = Point::default();
    each_item(Reader::new(&body), |metric, origin| walk.metric(metric, origin, &mut point))
        .map_err(|error| error.within(&body))?;
    let blocks = walk.tables.into_iter().flat_map(ByDay::into_blocks).collect();
    Ok(Encoded { blocks, rejects: walk.rejects, redacted: walk.scratch.into_counts() })
}

struct Walk<'r> {
    tables: [ByDay<Points>; Kind::ALL.len()],
    scratch: Scratch<'r>,
    rejects: Rejects,
    most: usize,
}

impl Walk<'_> {
    fn metric<'a>(&mut self, message: Reader<'a>, origin: &Origin<'a>, point: &mut Point<'a>) -> Result<()> {
        let mut metric = Metric::default();
        let mut fields = message;
        while let Some(field) = fields.field()? {
            match field.number {
                1 => metric.name = field.bytes()?,
                2 => metric.description = field.bytes()?,
                3 => metric.unit = field.bytes()?,
                _ => {}
            }
        }
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if let Some(kind) = Kind::of_field(field.number) {
                self.points(kind, field.message()?, &mut metric, origin, point)?;
            }
        }
        Ok(())
    }

    fn points<'a>(
        &mut self,
        kind: Kind,
        message: Reader<'a>,
        metric: &mut Metric<'a>,
        origin: &Origin<'a>,
        point: &mut Point<'a>,
    ) -> Result<()> {
        (metric.temporality, metric.monotonic) = (0, false);
        let mut fields = message;
        while let Some(field) = fields.field()? {
            match field.number {
                2 => metric.temporality = field.varint()?,
                3 => metric.monotonic = field.varint()? != 0,
                _ => {}
            }
        }
        let all: usize = self.tables.iter().map(ByDay::size).sum();
        let tables = &mut self.tables[kind as usize];
        let others = all - tables.size();
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if field.number == 1 {
                point.read(kind, field.message()?)?;
                match check(point).and_then(|()| tables.at(point.time, || Points::of(kind))) {
                    Ok(table) => table.push(point, metric, origin, &mut self.scratch)?,
                    Err(cause) => self.rejects.count(cause, metric.name, point.time),
                }
                check_size(others + tables.size(), self.most)?;
            }
        }
        Ok(())
    }
}
