//! Walks ExportTraceServiceRequest -> ResourceSpans -> ScopeSpans -> Span and fills the table's columns.

use super::body::{self, Form};
use super::json;
use super::span::Span;
use super::value::{Attribute, sort_last_wins};
use super::wire::Reader;
use crate::error::{Error, Result};
use crate::rejects::Rejects;
use crate::table::{Resource, Scope, Traces};

/// A resource is repeated on each of its rows; a request whose block would be this many times its limit is refused.
const EXPANSION: usize = 8;

/// One request as one block, and what of it could not be kept.
#[derive(Debug, Default)]
pub struct Encoded {
    pub block: Vec<u8>,
    pub rows: usize,
    /// Days since 1970 on which the spans start, in order.
    pub days: Vec<u32>,
    pub rejects: Rejects,
}

pub fn encode(body: &[u8], form: Form) -> Result<Encoded> {
    let body = body::open(body, form, &json::TRACES)?;
    let mut walk = Walk {
        table: Traces::default(),
        rejects: Rejects::default(),
        most: form.limit.saturating_mul(EXPANSION),
    };
    walk.request(Reader::new(&body)).map_err(|error| error.within(&body))?;
    let (rows, days) = (walk.table.rows(), walk.table.days());
    Ok(Encoded { block: walk.table.into_block(), rows, days, rejects: walk.rejects })
}

struct Walk {
    table: Traces,
    rejects: Rejects,
    most: usize,
}

impl Walk {
    fn request<'a>(&mut self, mut message: Reader<'a>) -> Result<()> {
        let mut span = Span::<'a>::default();
        while let Some(field) = message.field()? {
            if field.number == 1 {
                self.resource_spans(field.message()?, &mut span)?;
            }
        }
        Ok(())
    }

    /// Fields may come in any order, so the resource is looked up before the spans it describes.
    fn resource_spans<'a>(&mut self, message: Reader<'a>, span: &mut Span<'a>) -> Result<()> {
        let attributes = match last(message, 1)? {
            Some(resource) => attributes(resource, 1)?,
            None => Vec::new(),
        };
        let resource = self.table.resource(&attributes)?;
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if field.number == 2 {
                self.scope_spans(field.message()?, &resource, span)?;
            }
        }
        Ok(())
    }

    fn scope_spans<'a>(
        &mut self,
        message: Reader<'a>,
        resource: &Resource,
        span: &mut Span<'a>,
    ) -> Result<()> {
        let scope = match last(message, 1)? {
            Some(scope) => read_scope(scope)?,
            None => Scope::default(),
        };
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if field.number == 2 {
                span.read(field.message()?)?;
                match self.table.check(span) {
                    Ok(day) => self.table.push(span, day, resource, &scope)?,
                    Err(cause) => self.rejects.count(cause, span),
                }
                self.check_size()?;
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<()> {
        if self.table.size() <= self.most {
            return Ok(());
        }
        let what = format!("the spans take more than {} bytes as columns: send smaller batches", self.most);
        Err(Error::TooLarge(what))
    }
}

fn last(mut message: Reader<'_>, number: u64) -> Result<Option<Reader<'_>>> {
    let mut found = None;
    while let Some(field) = message.field()? {
        if field.number == number {
            found = Some(field.message()?);
        }
    }
    Ok(found)
}

fn attributes(mut message: Reader<'_>, number: u64) -> Result<Vec<Attribute<'_>>> {
    let mut attributes = Vec::new();
    while let Some(field) = message.field()? {
        if field.number == number {
            attributes.push(Attribute::read(field.message()?)?);
        }
    }
    sort_last_wins(&mut attributes);
    Ok(attributes)
}

fn read_scope(mut message: Reader<'_>) -> Result<Scope<'_>> {
    let mut scope = Scope::default();
    while let Some(field) = message.field()? {
        match field.number {
            1 => scope.name = field.bytes()?,
            2 => scope.version = field.bytes()?,
            _ => {}
        }
    }
    Ok(scope)
}
