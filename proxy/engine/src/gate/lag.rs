//! How late a worker is: the time by which a timer rings after it should have, because everything else came first.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(10);
/// What timers are late anyway: they are no finer than a millisecond.
const GRAIN: Duration = Duration::from_millis(2);

#[derive(Default)]
pub struct Lag {
    now: Cell<Duration>,
    asked_for: Cell<bool>,
    ask: Notify,
}

// === impl Lag ===

impl Lag {
    /// How late the worker was of late.
    #[must_use]
    pub fn get(&self) -> Duration {
        self.now.get()
    }

    /// Whether anyone wants to know.
    pub fn ask_for(&self, asked_for: bool) {
        self.asked_for.set(asked_for);
        self.ask.notify_one();
    }

    /// Measures for as long as it is asked for, and then sleeps.
    pub async fn measure(&self) {
        loop {
            while self.asked_for.get() {
                let at = Instant::now() + EVERY;
                sleep_until(at).await;
                self.now.set(after(self.now.get(), at.elapsed()));
            }
            self.now.set(Duration::ZERO);
            self.ask.notified().await;
        }
    }
}

/// A lag holds at once, and is forgotten by halves.
fn after(before: Duration, late: Duration) -> Duration {
    late.saturating_sub(GRAIN).max(before / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_and_falls_by_halves() {
        let ms = Duration::from_millis;
        assert_eq!(after(ms(0), ms(1)), ms(0));
        assert_eq!(after(ms(0), ms(102)), ms(100));
        assert_eq!(after(ms(100), ms(1)), ms(50));
        assert_eq!(after(ms(100), ms(82)), ms(80));
    }
}
