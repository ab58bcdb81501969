//! Gives every record a wall-clock time from one monotonic clock, so that a clock step never makes a span negative.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the engine started.
pub type Nanos = u64;

/// The wall clock is read once; everything after is the monotonic distance from there.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_unix: u64,
}

impl Clock {
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            start_unix: unix_now(),
        }
    }

    #[must_use]
    pub fn now(&self) -> Nanos {
        saturate(self.start.elapsed().as_nanos())
    }

    /// Nanoseconds since 1970 of a moment this clock has given.
    #[must_use]
    pub fn unix(&self, at: Nanos) -> u64 {
        self.start_unix + at
    }
}

/// Nanoseconds since 1970 by the wall clock.
#[must_use]
pub fn unix_now() -> u64 {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    saturate(unix.as_nanos())
}

fn saturate(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// Whole microseconds between two moments; zero when they are out of order.
#[must_use]
pub fn micros(from: Nanos, to: Nanos) -> u64 {
    to.saturating_sub(from) / 1_000
}
