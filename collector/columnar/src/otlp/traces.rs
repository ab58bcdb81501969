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
use crate::table::ByDay;
use crate::table::traces::{Resource, Scope, Traces, check};

pub fn encode(body: &[u8], form: Form, rules: Option<&Rules>) -> Result<Encoded> {
    let body = body::open(body, form, &json::TRACES)?;
    let mut walk = Walk {
        tables: ByDay::default(),
        scratch: Scratch::of(rules),
        rejects: Rejects::of("spans"),
        most: form.limit.saturating_mul(EXPANSION),
    };
    walk.request(Reader::new(&body)).map_err(|error| error.within(&body))?;
    let blocks = walk.tables.into_blocks().collect();
    Ok(Encoded { blocks, rejects: walk.rejects, redacted: walk.scratch.into_counts() })
}

struct Walk<'r> {
    tables: ByDay<Traces>,
    scratch: Scratch<'r>,
    rejects: Rejects,
    most: usize,
}

impl Walk<'_> {
    fn request<'a>(&mut self, mut message: Reader<'a>) -> Result<()> {
        let (mut span, mut resource) = (Span::<'a>::default(), Resource::<'a>::default());
        while let Some(field) = message.field()? {
            if field.number == 1 {
                self.resource_spans(field.message()?, &mut resource, &mut span)?;
            }
        }
        Ok(())
    }

    /// Fields may come in any order, so the resource is looked up before the spans it describes.
    fn resource_spans<'a>(
        &mut self,
        message: Reader<'a>,
        resource: &mut Resource<'a>,
        span: &mut Span<'a>,
    ) -> Result<()> {
        resource.serial += 1;
        resource.attributes = match last(message, 1)? {
            Some(found) => attributes(found, 1)?,
            None => Vec::new(),
        };
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if field.number == 2 {
                self.scope_spans(field.message()?, resource, span)?;
            }
        }
        Ok(())
    }

    fn scope_spans<'a>(
        &mut self,
        message: Reader<'a>,
        resource: &Resource<'a>,
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
                match check(span).and_then(|()| self.tables.at(span.start, Traces::default)) {
                    Ok(table) => table.push(span, resource, &scope, &mut self.scratch)?,
                    Err(cause) => self.rejects.count(cause, span.name, span.start),
                }
                check_size(self.tables.size(), self.most)?;
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
