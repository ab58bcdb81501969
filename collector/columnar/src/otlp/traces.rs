//! Walks ExportTraceServiceRequest -> ResourceSpans -> ScopeSpans -> Span and fills the table's columns.

use super::body::{self, Form};
use super::json;
use super::span::Span;
use super::value::{Attribute, Value};
use super::walk::{EXPANSION, Encoded, attributes, check_size, last};
use super::wire::Reader;
use crate::error::Result;
use crate::redact::rules::Rules;
use crate::redact::screen::Scratch;
use crate::rejects::Rejects;
use crate::table::ByDay;
use crate::table::traces::{Resource, Scope, Spans, check};
use crate::tail::facts::{ADJUSTED, Facts};
use crate::tail::verdict::{Fate, Verdict};

pub fn encode(body: &[u8], form: Form, rules: Option<&Rules>) -> Result<Encoded> {
    walked(body, form, rules, None, None).map(|(encoded, _)| encoded)
}

/// Also what has to be known of the spans to decide what becomes of them.
pub fn encode_with_facts(body: &[u8], form: Form, rules: Option<&Rules>) -> Result<(Encoded, Facts)> {
    let (encoded, facts) = walked(body, form, rules, Some(Facts::default()), None)?;
    Ok((encoded, facts.unwrap_or_default()))
}

/// As it was decided.
pub fn encode_decided(body: &[u8], form: Form, rules: Option<&Rules>, verdict: &Verdict) -> Result<Encoded> {
    walked(body, form, rules, None, Some(verdict)).map(|(encoded, _)| encoded)
}

fn walked(
    body: &[u8],
    form: Form,
    rules: Option<&Rules>,
    facts: Option<Facts>,
    verdict: Option<&Verdict>,
) -> Result<(Encoded, Option<Facts>)> {
    let body = body::open(body, form, &json::TRACES)?;
    let mut walk = Walk {
        tables: ByDay::default(),
        scratch: Scratch::of(rules),
        rejects: Rejects::of("spans"),
        // What was taken is not refused for the weights that it gets later.
        most: form.limit.saturating_mul(if verdict.is_some() { 2 * EXPANSION } else { EXPANSION }),
        taken: 0,
        facts,
        verdict,
    };
    walk.request(Reader::new(&body)).map_err(|error| error.within(&body))?;
    let blocks = walk.tables.into_blocks().collect();
    let encoded = Encoded { blocks, rejects: walk.rejects, redacted: walk.scratch.into_counts() };
    Ok((encoded, walk.facts))
}

struct Walk<'r> {
    tables: ByDay<Spans>,
    scratch: Scratch<'r>,
    rejects: Rejects,
    most: usize,
    /// Spans so far; a verdict names them by their place among these.
    taken: usize,
    facts: Option<Facts>,
    verdict: Option<&'r Verdict>,
}

impl<'r> Walk<'r> {
    fn request<'a>(&mut self, mut message: Reader<'a>) -> Result<()>
    where
        'r: 'a,
    {
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
    ) -> Result<()>
    where
        'r: 'a,
    {
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
    ) -> Result<()>
    where
        'r: 'a,
    {
        let scope = match last(message, 1)? {
            Some(scope) => read_scope(scope)?,
            None => Scope::default(),
        };
        let mut fields = message;
        while let Some(field) = fields.field()? {
            if field.number == 2 {
                span.read(field.message()?)?;
                self.span(span, resource, &scope)?;
                check_size(self.tables.size(), self.most)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn span<'a>(&mut self, span: &mut Span<'a>, resource: &Resource<'a>, scope: &Scope<'a>) -> Result<()>
    where
        'r: 'a,
    {
        let spans = match check(span).and_then(|()| self.tables.at(span.start, Spans::default)) {
            Ok(spans) => spans,
            Err(cause) => {
                self.rejects.count(cause, span.name, span.start);
                return Ok(());
            }
        };
        if let Some(facts) = &mut self.facts {
            facts.push(span, resource, scope);
        }
        let mut fate = Fate::Kept;
        if let Some(verdict) = self.verdict {
            fate = verdict.fate(self.taken);
            if fate == Fate::Sampled {
                // In front of the others: limits on their number leave out the last.
                span.attributes.insert(0, Attribute { key: ADJUSTED, value: Value::Text(verdict.weight()) });
            }
        }
        self.taken += 1;
        spans.of(fate).push(span, resource, scope, &mut self.scratch)
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
