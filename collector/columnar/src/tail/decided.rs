//! What was decided of the last traces, for spans that come late.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::verdict::Fate;

/// The last `most` decisions, the oldest forgotten first.
#[derive(Debug)]
pub struct Decided {
    most: usize,
    fates: HashMap<u128, Fate, RandomState>,
    order: VecDeque<u128>,
}

impl Decided {
    pub fn new(most: usize) -> Self {
        Self { most, fates: HashMap::default(), order: VecDeque::new() }
    }

    pub fn get(&self, trace: u128) -> Option<Fate> {
        self.fates.get(&trace).copied()
    }

    /// Notes a decision, or another one about a trace that is known.
    pub fn set(&mut self, trace: u128, fate: Fate) {
        if self.fates.insert(trace, fate).is_none() {
            self.order.push_back(trace);
        }
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.fates.remove(&oldest);
            }
        }
    }
}
