//! What deciding needs to know of the spans of a request: some fifty bytes each, nothing of what they say.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::fast::FixedState;

use crate::otlp::span::Span;
use crate::otlp::value::Value;
use crate::table::traces::{Resource, Scope};

/// What a span says that stands for others already: `collector/keep/matters.py`.
pub const ADJUSTED: &[u8] = b"mesh.adjusted_count";
/// Of OTLP.
const SERVER: u64 = 2;
const CONSUMER: u64 = 5;
const ERROR: u64 = 2;
/// Of every `mesh.reason` those that tell of nothing unusual: the recorder of the proxies leaves them out as well.
const USUAL: [&[u8]; 2] = [b"client_cancelled", b"route_answer"];

/// Why a trace stays whole; the first that is found is the one that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Failed,
    Answered,
    Retried,
    Audited,
    Mesh,
    Weighted,
    Named,
    Slow,
    Rare,
}

impl Why {
    pub const ALL: [Self; 9] = [
        Self::Failed,
        Self::Answered,
        Self::Retried,
        Self::Audited,
        Self::Mesh,
        Self::Weighted,
        Self::Named,
        Self::Slow,
        Self::Rare,
    ];

    /// The label under which it is counted.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Answered => "reason",
            Self::Retried => "retried",
            Self::Audited => "audited",
            Self::Mesh => "mesh",
            Self::Weighted => "weighted",
            Self::Named => "named",
            Self::Slow => "slow",
            Self::Rare => "rare",
        }
    }
}

/// One span.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    pub trace: u128,
    /// Service and name.
    pub operation: u64,
    /// Nanoseconds; none where it says nothing of how quick the operation is.
    pub took: Option<u64>,
    pub why: Option<Why>,
}

/// The spans of one request that were taken, in order.
#[derive(Debug, Default)]
pub struct Facts {
    pub spans: Vec<Fact>,
    /// Of the resource that has this serial.
    service: Vec<u8>,
    serial: usize,
}

impl Facts {
    /// Adds a checked span.
    pub fn push(&mut self, span: &Span<'_>, resource: &Resource<'_>, scope: &Scope<'_>) {
        self.enter(resource);
        let mut trace = [0; 16];
        trace.copy_from_slice(span.trace_id);
        let (why, tunnel) = looked_at(span, scope);
        let entered =
            matches!(span.kind, SERVER | CONSUMER) || span.parent_span_id.iter().all(|&byte| byte == 0);
        self.spans.push(Fact {
            trace: u128::from_be_bytes(trace),
            operation: operation(&self.service, span.name),
            // A tunnel lasts for as long as both sides like.
            took: (entered && !tunnel).then(|| span.end.saturating_sub(span.start)),
            why,
        });
    }

    fn enter(&mut self, resource: &Resource<'_>) {
        if self.serial == resource.serial {
            return;
        }
        self.serial = resource.serial;
        self.service.clear();
        let named = resource.attributes.iter().find(|attribute| attribute.key == b"service.name");
        if let Some(Value::Text(name)) = named.map(|attribute| attribute.value) {
            self.service.extend_from_slice(name);
        }
    }
}

fn operation(service: &[u8], name: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(service);
    hasher.write_u8(0);
    hasher.write(name);
    hasher.finish()
}

/// Why the span matters by itself, and whether it is of a tunnel.
fn looked_at(span: &Span<'_>, scope: &Scope<'_>) -> (Option<Why>, bool) {
    let mut why = (span.status_code == ERROR).then_some(Why::Failed);
    let mut tunnel = false;
    let own = scope.name.starts_with(b"whymesh.") && scope.name != b"whymesh.proxy";
    let mut found = |reason| why = Some(why.map_or(reason, |known: Why| known.min(reason)));
    if own || span.name == b"mesh.change" {
        found(Why::Mesh);
    }
    for attribute in &span.attributes {
        match (attribute.key, attribute.value) {
            (b"mesh.reason", Value::Text(reason)) if !reason.is_empty() && !USUAL.contains(&reason) => {
                found(Why::Answered);
            }
            (b"mesh.attempt", Value::Int(attempt)) if attempt > 1 => found(Why::Retried),
            (b"mesh.policy.audit", _) => found(Why::Audited),
            (b"mesh.sent_bytes", _) => tunnel = true,
            (ADJUSTED, _) => found(Why::Weighted),
            _ => {}
        }
    }
    (why, tunnel)
}
