//! Items of a request that cannot be kept, counted by cause and told in one sentence.

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
                "its time must lie in 1970 to 2106 and not be 0, and so must those of its events or exemplars"
            }
            Self::Days => {
                "one request may hold items of at most 64 different days: send old ones in order of time"
            }
        }
    }
}

#[derive(Debug)]
pub struct Rejects {
    /// What the items are called, more than one of them.
    items: &'static str,
    counts: [usize; Cause::ALL.len()],
    first: [Option<String>; Cause::ALL.len()],
}

impl Rejects {
    #[must_use]
    pub fn of(items: &'static str) -> Self {
        Self { items, counts: Default::default(), first: Default::default() }
    }

    /// One item, told by its name and its time in nanoseconds.
    pub fn count(&mut self, cause: Cause, name: &[u8], time: u64) {
        let place = cause as usize;
        self.counts[place] += 1;
        self.first[place].get_or_insert_with(|| {
            let name: String = String::from_utf8_lossy(name).chars().take(60).collect();
            format!("{name:?} at {time}")
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
                first
                    .as_ref()
                    .map(|first| format!("{count} {}: {} (first: {first})", self.items, cause.sentence()))
            });
        told.collect::<Vec<_>>().join("; ")
    }
}
