//! Walks ExportTraceServiceRequest -> ResourceSpans -> ScopeSpans -> Span and fills the table's columns.

use super::body::{self, Form};
use super::json;
use super::span::Span;
use super::walk::{EXPANSION, Encoded, attributes, check_size, last};
use super::wire::Reader;
use crate::error::Result;
use crate::redact::rules::Rules;
use crate::redact::screen::Scratch;
use crate::rejects::Rejects;
use crate::table::traces::{Resource, Scope, Traces};

pub fn encode(body: &[u8], form: Form, rules: Option<&Rules>) -> Result<Encoded> {
    let body = body::open(body, form, &json::TRACES)?;
    let mut walk = Walk {
        table: Traces::default(),
        scratch: Scratch::of(rules),
        rejects: Rejects::of("spans"),
        most: form.limit.saturating_mul(EXPANSION),
    };
    walk.request(Reader::new(&body)).map_err(|error| error.within(&body))?;
    let blocks = walk.table.into_block().into_iter().collect();
    Ok(Encoded { blocks, rejects: walk.rejects, redacted: walk.scratch.into_counts() })
}

struct Walk<'r> {
    table: Traces,
    scratch: Scratch<'r>,
    rejects: Rejects,
    most: usize,
}

impl Walk<'_> {
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
        let resource = self.table.resource(&attributes, &mut self.scratch)?;
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
                    Ok(day) => self.table.push(span, day, resource, &scope, &mut self.scratch)?,
                    Err(cause) => self.rejects.count(cause, span.name, span.start),
                }
                check_size(self.table.size(), self.most)?;
            }
        }
        Ok(())
    }
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
