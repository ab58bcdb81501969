//! Requests wait until the traces in them had time to come in; then each trace is decided, once.
//!
//! In: what is known of the spans of requests that are on disk, and the time. Out: requests with what becomes of each
//! of their spans, in the order in which they came. Never: a trace decided twice while it is remembered; more spans or
//! bytes waiting than the bounds, beyond which the oldest request is decided early.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use serde::Deserialize;

use super::chance::stays;
use super::decided::Decided;
use super::facts::{Facts, Why};
use super::operations::Operations;
use super::verdict::{Fate, Verdict};

/// Of traces that an incident or a person names.
const MOST_NAMED: usize = 100_000;

/// What the operator wants.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Nanoseconds.
    pub wait: u64,
    /// Share of ordinary traces that stays, and what each of their spans stands for then.
    pub sample: f64,
    pub weight: String,
    pub slow: f64,
    pub rare: u32,
    /// What may wait.
    pub spans: usize,
    pub bytes: u64,
    /// Decisions that are remembered.
    pub traces: usize,
}

/// What was decided since it was asked last; spans by what became of them, traces by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub kept: [u64; Why::ALL.len()],
    pub sampled: u64,
    pub left_out: u64,
    pub early: u64,
    pub late_spans: u64,
    pub kept_spans: u64,
    pub sampled_spans: u64,
    pub left_out_spans: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    bytes: u64,
    until: u64,
    /// The trace of each span, and why the span matters by itself.
    spans: Vec<(u128, Option<Why>)>,
}

#[derive(Debug)]
pub struct Tail {
    terms: Terms,
    operations: Operations,
    named: HashSet<u128, RandomState>,
    /// Traces that are not decided, and why each of them stays, as far as is known.
    traces: HashMap<u128, Option<Why>, RandomState>,
    requests: VecDeque<Waiting>,
    decided: Decided,
    spans: usize,
    bytes: u64,
    tally: Tally,
}

impl Tail {
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            operations: Operations::new(terms.slow, terms.rare),
            decided: Decided::new(terms.traces),
            terms,
            named: HashSet::default(),
            traces: HashMap::default(),
            requests: VecDeque::new(),
            spans: 0,
            bytes: 0,
            tally: Tally::default(),
        }
    }

    /// Takes a request of `bytes` that is on disk under this number. Times are nanoseconds of a clock that only runs.
    pub fn see(&mut self, number: u64, bytes: u64, facts: &Facts, now: u64) {
        self.operations.pass(now);
        let mut spans = Vec::with_capacity(facts.spans.len());
        for fact in &facts.spans {
            let seen = self.operations.see(fact);
            let named = self.named.contains(&fact.trace).then_some(Why::Named);
            let why = [fact.why, named, seen].into_iter().flatten().min();
            spans.push((fact.trace, why));
            if self.decided.get(fact.trace).is_some() {
                self.tally.late_spans += 1;
                continue;
            }
            let known = self.traces.entry(fact.trace).or_default();
            *known = [*known, why].into_iter().flatten().min();
        }
        self.spans += spans.len();
        self.bytes += bytes;
        self.requests.push_back(Waiting { number, bytes, until: now.saturating_add(self.terms.wait), spans });
    }

    /// Requests that have waited for long enough, or for which there is no room, and what becomes of their spans.
    pub fn due(&mut self, now: u64) -> Vec<(u64, Verdict)> {
        let mut due = Vec::new();
        while let Some(oldest) = self.requests.front() {
            let early = oldest.until > now;
            if early && self.spans <= self.terms.spans && self.bytes <= self.terms.bytes {
                break;
            }
            let Some(request) = self.requests.pop_front() else { break };
            self.spans -= request.spans.len();
            self.bytes -= request.bytes;
            let mut verdict = Verdict::new(&self.terms.weight);
            for (trace, why) in request.spans {
                verdict.push(self.fate(trace, why, early));
            }
            due.push((request.number, verdict));
        }
        due
    }

    /// Traces that somebody names from now on stay whole, those of before are forgotten.
    pub fn name(&mut self, traces: impl IntoIterator<Item = u128>) {
        self.named.clear();
        self.named.extend(traces.into_iter().take(MOST_NAMED));
        for trace in &self.named {
            if let Some(why) = self.traces.get_mut(trace) {
                why.get_or_insert(Why::Named);
            }
        }
    }

    /// Requests, spans, traces and bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> [u64; 4] {
        [self.requests.len() as u64, self.spans as u64, self.traces.len() as u64, self.bytes]
    }

    /// What was decided since the last call.
    pub fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn fate(&mut self, trace: u128, why: Option<Why>, early: bool) -> Fate {
        let known = self.decided.get(trace);
        let fate = known.unwrap_or_else(|| self.decide(trace, early));
        // A late span that matters is never left out, nor is what comes of its trace from then on.
        let fate = if why.is_some() { Fate::Kept } else { fate };
        if known != Some(fate) {
            self.decided.set(trace, fate);
        }
        *match fate {
            Fate::Kept => &mut self.tally.kept_spans,
            Fate::Sampled => &mut self.tally.sampled_spans,
            Fate::LeftOut => &mut self.tally.left_out_spans,
        } += 1;
        fate
    }

    fn decide(&mut self, trace: u128, early: bool) -> Fate {
        self.tally.early += u64::from(early);
        if let Some(why) = self.traces.remove(&trace).flatten() {
            self.tally.kept[why as usize] += 1;
            Fate::Kept
        } else if stays(trace, self.terms.sample) {
            self.tally.sampled += 1;
            if self.terms.weight == "1" { Fate::Kept } else { Fate::Sampled }
        } else {
            self.tally.left_out += 1;
            Fate::LeftOut
        }
    }
}

#[cfg(test)]
mod tests;
