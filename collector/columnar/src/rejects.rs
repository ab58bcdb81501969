//! Spans that cannot be kept, counted by cause and told in one sentence.

use crate::otlp::span::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    TraceId,
    SpanId,
    ParentSpanId,
    Time,
    Days,
}

impl Cause {
    pub const ALL: [Self; 5] = [Self::TraceId, Self::SpanId, Self::ParentSpanId, Self::Time, Self::Days];

    /// The label under which it is counted.
    pub fn code(self) -> &'static str {
        match self {
            Self::TraceId => "bad_trace_id",
            Self::SpanId => "bad_span_id",
            Self::ParentSpanId => "bad_parent_span_id",
            Self::Time => "bad_time",
            Self::Days => "too_many_days",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::TraceId => "trace_id must be 16 bytes, not all zero",
            Self::SpanId => "span_id must be 8 bytes, not all zero",
            Self::ParentSpanId => "parent_span_id must be 8 bytes or absent",
            Self::Time => {
                "the span's start and its events' times must lie in 1970 to 2106, the start not at 0"
            }
            Self::Days => {
                "one request may hold spans of at most 64 different days: send old spans in order of time"
            }
        }
    }
}

#[derive(Debug, Default)]
pub struct Rejects {
    counts: [usize; Cause::ALL.len()],
    first: [Option<String>; Cause::ALL.len()],
}

impl Rejects {
    pub fn count(&mut self, cause: Cause, span: &Span<'_>) {
        let place = cause as usize;
        self.counts[place] += 1;
        self.first[place].get_or_insert_with(|| {
            let name: String = String::from_utf8_lossy(span.name).chars().take(60).collect();
            format!("{name:?}, start {}", span.start)
        });
    }

    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Cause and number, of those that happened.
    pub fn causes(&self) -> impl Iterator<Item = (&'static str, usize)> {
        Cause::ALL
            .iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| (cause.code(), count))
    }

    /// What the sender is told; empty when everything was kept.
    #[must_use]
    pub fn message(&self) -> String {
        let told =
            Cause::ALL.iter().zip(&self.counts).zip(&self.first).filter_map(|((cause, count), first)| {
                first.as_ref().map(|first| format!("{count} spans: {} (first: {first})", cause.sentence()))
            });
        told.collect::<Vec<_>>().join("; ")
    }
}
