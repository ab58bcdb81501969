//! Counts the calls of each request in flight, and the time in which at least one of them was in flight.
//!
//! In: begin and end of a request (one worker) and of its calls (any worker). Out: calls, failed calls, busy microseconds.
//! Never: a lock, or a number that belongs to another request. When no slot is free the request simply has no numbers.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use crate::recording::clock::Nanos;

/// Low bits of a server span id name its slot, so a call finds its request in one step.
const INDEX_BITS: u32 = 14;
const SLOTS: usize = 1 << INDEX_BITS;

// `busy`: generation | calls in flight | microseconds (wrapping). Odd generations are in use.
const TIME_BITS: u32 = 36;
const ACTIVE_BITS: u32 = 12;
const GENERATION_SHIFT: u32 = TIME_BITS + ACTIVE_BITS;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const ACTIVE_MASK: u64 = (1 << ACTIVE_BITS) - 1;
// `calls`: generation | failed | all.
const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

#[derive(Default)]
struct Slot {
    span: AtomicU64,
    /// Until when its answer is of use to its caller; 0 when that is not known.
    deadline: AtomicU64,
    busy: AtomicU64,
    calls: AtomicU64,
}

/// What a finished request learned about its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    pub calls: u32,
    pub failed: u32,
    pub busy_us: u64,
}

/// The table all workers share; requests in flight are found in it by span id.
pub struct Slots(Box<[Slot]>);

impl Slots {
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self((0..SLOTS).map(|_| Slot::default()).collect()))
    }

    /// Notes that a call of the request with this server span begins; `None` when that request is not in flight here.
    #[must_use]
    pub fn begin_call(self: &Arc<Self>, span: u64, now: Nanos) -> Option<Call> {
        let index = index_of(span);
        let slot = &self.0[index];
        let mut seen = slot.busy.load(SeqCst);
        let generation = seen >> GENERATION_SHIFT;
        if generation & 1 == 0 || slot.span.load(SeqCst) != span {
            return None;
        }
        while seen >> GENERATION_SHIFT == generation {
            let active = seen >> TIME_BITS & ACTIVE_MASK;
            if active == ACTIVE_MASK {
                return None;
            }
            let time = if active == 0 {
                seen.wrapping_sub(micro(now))
            } else {
                seen
            } & TIME_MASK;
            match slot.busy.compare_exchange_weak(
                seen,
                pack(generation, active + 1, time),
                SeqCst,
                SeqCst,
            ) {
                Ok(_) => {
                    self.count(index, generation, 0);
                    return Some(Call {
                        slots: Arc::clone(self),
                        index,
                        generation,
                    });
                }
                Err(current) => seen = current,
            }
        }
        None
    }

    fn end_call(&self, index: usize, generation: u64, now: Nanos, failed: bool) {
        let slot = &self.0[index];
        let mut seen = slot.busy.load(SeqCst);
        while seen >> GENERATION_SHIFT == generation {
            let active = (seen >> TIME_BITS & ACTIVE_MASK) - 1;
            let time = if active == 0 {
                seen.wrapping_add(micro(now))
            } else {
                seen
            } & TIME_MASK;
            match slot.busy.compare_exchange_weak(
                seen,
                pack(generation, active, time),
                SeqCst,
                SeqCst,
            ) {
                Ok(_) => break,
                Err(current) => seen = current,
            }
        }
        if failed {
            self.count(index, generation, COUNT_BITS);
        }
    }

    /// Adds one to the counter at `shift`, which stays at its largest value once there.
    fn count(&self, index: usize, generation: u64, shift: u32) {
        let calls = &self.0[index].calls;
        let mut seen = calls.load(SeqCst);
        while seen >> GENERATION_SHIFT == generation && seen >> shift & COUNT_MASK != COUNT_MASK {
            match calls.compare_exchange_weak(seen, seen + (1 << shift), SeqCst, SeqCst) {
                Ok(_) => return,
                Err(current) => seen = current,
            }
        }
    }

    fn open(&self, index: usize, span: u64) {
        let slot = &self.0[index];
        let generation = (slot.busy.load(SeqCst) >> GENERATION_SHIFT).wrapping_add(1) & 0xffff;
        slot.span.store(span, SeqCst);
        slot.deadline.store(0, Relaxed);
        slot.calls.store(generation << GENERATION_SHIFT, SeqCst);
        slot.busy.store(pack(generation, 0, 0), SeqCst);
    }

    fn close(&self, index: usize, now: Nanos) -> Children {
        let slot = &self.0[index];
        let generation = (slot.busy.load(SeqCst) >> GENERATION_SHIFT).wrapping_add(1) & 0xffff;
        let busy = slot.busy.swap(pack(generation, 0, 0), SeqCst);
        let calls = slot.calls.swap(generation << GENERATION_SHIFT, SeqCst);
        let running = busy >> TIME_BITS & ACTIVE_MASK > 0;
        let busy_us = if running {
            busy.wrapping_add(micro(now))
        } else {
            busy
        } & TIME_MASK;
        Children {
            calls: part(calls, 0),
            failed: part(calls, COUNT_BITS),
            busy_us,
        }
    }
}

/// The slots one worker hands out; only that worker touches the list.
pub struct FreeSlots {
    slots: Arc<Slots>,
    free: RefCell<Vec<u16>>,
}

impl FreeSlots {
    /// Gives worker `worker` of `workers` its share of the table.
    #[must_use]
    pub fn share(slots: &Arc<Slots>, worker: usize, workers: usize) -> Self {
        let share = SLOTS / workers.max(1);
        let first = u16::try_from(worker * share).unwrap_or(u16::MAX);
        let free = (0..u16::try_from(share).unwrap_or(u16::MAX))
            .rev()
            .map(|offset| first + offset)
            .collect();
        Self {
            slots: Arc::clone(slots),
            free: RefCell::new(free),
        }
    }

    /// Makes a span id from `random` and a free slot; `Err` holds an id without a slot when none is free.
    pub fn open(&self, random: u64) -> Result<(u64, u16), u64> {
        let Some(index) = self.free.borrow_mut().pop() else {
            return Err(random | 1);
        };
        let span = random & !(SLOTS as u64 - 1) | 1 << 63 | u64::from(index);
        self.slots.open(usize::from(index), span);
        Ok((span, index))
    }

    /// Says until when the request in a slot has to be answered.
    pub fn expect(&self, index: u16, deadline: Nanos) {
        let slot = &self.slots.0[usize::from(index)];
        slot.deadline.store(deadline, SeqCst);
    }

    /// Ends the request in a slot and returns the slot to the list.
    pub fn close(&self, index: u16, now: Nanos) -> Children {
        let children = self.slots.close(usize::from(index), now);
        self.free.borrow_mut().push(index);
        children
    }
}

/// One call in flight. A call that outlives its request changes nothing.
pub struct Call {
    slots: Arc<Slots>,
    index: usize,
    generation: u64,
}

impl Call {
    /// Until when the request that makes the call has to be answered, where that is known and it still is in flight.
    #[must_use]
    pub fn deadline(&self) -> Option<Nanos> {
        let slot = &self.slots.0[self.index];
        let deadline = slot.deadline.load(SeqCst);
        let same = slot.busy.load(SeqCst) >> GENERATION_SHIFT == self.generation;
        (same && deadline != 0).then_some(deadline)
    }

    pub fn end(self, now: Nanos, failed: bool) {
        self.slots
            .end_call(self.index, self.generation, now, failed);
    }
}

fn index_of(span: u64) -> usize {
    usize::try_from(span).unwrap_or(0) & (SLOTS - 1)
}

fn micro(now: Nanos) -> u64 {
    (now / 1_000) & TIME_MASK
}

fn pack(generation: u64, active: u64, time: u64) -> u64 {
    generation << GENERATION_SHIFT | active << TIME_BITS | time
}

fn part(calls: u64, shift: u32) -> u32 {
    u32::try_from(calls >> shift & COUNT_MASK).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn one() -> (Arc<Slots>, FreeSlots) {
        let slots = Slots::new();
        let free = FreeSlots::share(&slots, 0, 1);
        (slots, free)
    }

    #[test]
    fn concurrent_calls_count_their_union_once() {
        let (slots, free) = one();
        let (span, index) = free.open(42).unwrap();
        let a = slots.begin_call(span, 10 * MS).unwrap();
        let b = slots.begin_call(span, 15 * MS).unwrap();
        a.end(20 * MS, false);
        b.end(30 * MS, true);
        slots.begin_call(span, 50 * MS).unwrap().end(60 * MS, false);
        assert_eq!(
            free.close(index, 70 * MS),
            Children {
                calls: 3,
                failed: 1,
                busy_us: 30_000
            }
        );
    }

    #[test]
    fn a_call_still_running_counts_until_the_end() {
        let (slots, free) = one();
        let (span, index) = free.open(1 << 40).unwrap();
        let late = slots.begin_call(span, 5 * MS).unwrap();
        assert_eq!(
            free.close(index, 9 * MS),
            Children {
                calls: 1,
                failed: 0,
                busy_us: 4_000
            }
        );
        let (other, again) = free.open(2 << 40).unwrap();
        assert_eq!(again, index);
        late.end(20 * MS, true);
        assert!(
            slots.begin_call(span, 20 * MS).is_none(),
            "the span is gone though its slot is in use"
        );
        assert!(slots.begin_call(other, 20 * MS).is_some());
        assert_eq!(
            free.close(again, 21 * MS),
            Children {
                calls: 1,
                failed: 0,
                busy_us: 1_000
            }
        );
    }

    #[test]
    fn without_a_free_slot_there_are_no_numbers() {
        let slots = Slots::new();
        let free = FreeSlots::share(&slots, 0, SLOTS);
        let (first, _) = free.open(7).unwrap();
        let without = free.open(7).unwrap_err();
        assert!(without != 0 && without != first && slots.begin_call(without, 0).is_none());
    }

    #[test]
    fn workers_never_share_a_slot() {
        let slots = Slots::new();
        let mut all: Vec<u16> = (0..3)
            .flat_map(|w| FreeSlots::share(&slots, w, 3).free.into_inner())
            .collect();
        let handed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), handed);
    }

    #[test]
    fn threads_agree_on_the_count() {
        let (slots, free) = one();
        let (span, index) = free.open(3).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let slots = Arc::clone(&slots);
                scope.spawn(move || {
                    for step in 0..5_000 {
                        let now = (thread * 7 + step) * 1_000;
                        slots.begin_call(span, now).unwrap().end(now, step % 5 == 0);
                    }
                });
            }
        });
        let children = free.close(index, 0);
        assert_eq!((children.calls, children.failed), (20_000, 4_000));
        assert_eq!(
            slots.0[usize::from(index)].busy.load(SeqCst) >> TIME_BITS & ACTIVE_MASK,
            0
        );
    }
}
