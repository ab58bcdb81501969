//! Thins the traces of ordinary requests so that what is sent stays within so many bytes a minute.
//!
//! In: each span's trace id, whether it matters, and what it cost. Out: keep or not, and with which sampling threshold.
//! The choice is the trace's, the same in every proxy with the same threshold and nested between different ones
//! (OpenTelemetry, "Tracestate: Probability Sampling": keep while the last 56 bits of the trace id reach the threshold).
//! Never: a span of an error, a refusal or a failed attempt left out; those are charged, and the others thinned more.

use std::time::Duration;

/// How often the threshold is chosen anew, unless the bytes run out before.
const INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
/// Of a minute's bytes, so much may be sent at once and the rest steadily: together they are no more than the budget.
const BURST: f64 = 0.1;
/// What was saved or overdrawn is evened out over this long.
const EVEN_OUT_S: f64 = 5.0;

/// How many traces of 65 536 are left out: the first four hexadecimal digits of an OpenTelemetry threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u16);

/// What happens to one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Sent; the threshold is said when traces are thinned at the moment.
    Keep(Option<Threshold>),
    LeaveOut,
}

/// The spending of one proxy.
#[derive(Debug)]
pub struct Budget {
    /// Bytes a minute; 0 is no limit.
    limit: f64,
    /// Bytes that may be sent now; less than none when what matters took more.
    purse: f64,
    /// `None` when no ordinary trace is kept.
    threshold: Option<Threshold>,
    /// Bytes on the wire for each byte encoded.
    ratio: f64,
    filled: Duration,
    chosen: Duration,
    seen: Seen,
    /// Bytes a second of what matters, and of all that is ordinary, kept or not.
    rates: Option<(f64, f64)>,
}

/// What passed since the threshold was chosen.
#[derive(Debug, Default)]
struct Seen {
    matter_bytes: f64,
    ordinary: u64,
    kept: u64,
    kept_bytes: f64,
    /// Of the last interval that kept any.
    mean_bytes: f64,
}

// === impl Threshold ===

impl Threshold {
    const ALL: Self = Self(0);

    /// The threshold that keeps this share of traces; `None` for none at all.
    fn keeping(share: f64) -> Option<Self> {
        if share >= 1.0 {
            return Some(Self::ALL);
        }
        let left_out = ((1.0 - share.max(0.0)) * 65_536.0).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = left_out as u32;
        u16::try_from(steps).ok().map(Self)
    }

    fn keeps(self, trace: u128) -> bool {
        (trace >> 40) & 0xffff >= u128::from(self.0)
    }

    /// The `tracestate` member that tells what each kept span stands for.
    #[must_use]
    pub fn member(self) -> String {
        let digits = format!("{:04x}", self.0);
        match digits.trim_end_matches('0') {
            "" => "ot=th:0".into(),
            short => format!("ot=th:{short}"),
        }
    }
}

// === impl Budget ===

impl Budget {
    #[must_use]
    #[expect(clippy::cast_precision_loss)]
    pub fn new(bytes_per_minute: u64) -> Self {
        let limit = bytes_per_minute as f64;
        Self {
            limit,
            purse: limit * BURST,
            threshold: Some(Threshold::ALL),
            ratio: 1.0,
            filled: Duration::ZERO,
            chosen: Duration::ZERO,
            seen: Seen::default(),
            rates: None,
        }
    }

    /// Whether there is a budget to keep to.
    #[must_use]
    pub fn limits(&self) -> bool {
        self.limit > 0.0
    }

    /// Lets time pass: fills the purse, and chooses the threshold anew when it is due. `now` never goes back.
    pub fn tick(&mut self, now: Duration) {
        if !self.limits() {
            return;
        }
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = now;
        let burst = self.limit * BURST;
        self.purse = (self.purse + self.rate() * passed).min(burst);
        let since = now.saturating_sub(self.chosen);
        if since >= INTERVAL || (self.purse <= 0.0 && since >= LEAST_INTERVAL) {
            self.choose(since.as_secs_f64());
            self.chosen = now;
        }
    }

    /// Whether to send a span.
    pub fn choice(&mut self, trace: u128, matters: bool) -> Choice {
        if !self.limits() {
            return Choice::Keep(None);
        }
        let thinned = self.threshold != Some(Threshold::ALL);
        if matters {
            return Choice::Keep(thinned.then_some(Threshold::ALL));
        }
        self.seen.ordinary += 1;
        match self.threshold {
            Some(threshold) if self.purse > 0.0 && threshold.keeps(trace) => {
                Choice::Keep(thinned.then_some(threshold))
            }
            _ => Choice::LeaveOut,
        }
    }

    /// Charges a span that was kept.
    #[expect(clippy::cast_precision_loss)]
    pub fn charge(&mut self, encoded: usize, matters: bool) {
        if !self.limits() {
            return;
        }
        let bytes = encoded as f64 * self.ratio;
        self.purse -= bytes;
        if matters {
            self.seen.matter_bytes += bytes;
        } else {
            self.seen.kept += 1;
            self.seen.kept_bytes += bytes;
        }
    }

    /// Learns what compression makes of a batch.
    #[expect(clippy::cast_precision_loss)]
    pub fn compressed(&mut self, raw: usize, wire: usize) {
        if raw > 0 {
            self.ratio += (wire as f64 / raw as f64 - self.ratio) / 4.0;
        }
    }

    /// Of 65 536 ordinary traces, those left out.
    #[must_use]
    pub fn thinned(&self) -> u64 {
        self.threshold
            .map_or(65_536, |threshold| threshold.0.into())
    }

    fn rate(&self) -> f64 {
        self.limit * (1.0 - BURST) / 60.0
    }

    #[expect(clippy::cast_precision_loss)]
    fn choose(&mut self, seconds: f64) {
        let seen = std::mem::take(&mut self.seen);
        self.seen.mean_bytes = if seen.kept > 0 {
            seen.kept_bytes / seen.kept as f64
        } else {
            seen.mean_bytes
        };
        let matter = seen.matter_bytes / seconds;
        let ordinary = seen.ordinary as f64 * self.seen.mean_bytes / seconds;
        let (matter, ordinary) = match self.rates {
            Some((before, other)) => (
                f64::midpoint(before, matter),
                f64::midpoint(other, ordinary),
            ),
            None => (matter, ordinary),
        };
        self.rates = Some((matter, ordinary));
        let spare = (self.purse - self.limit * BURST / 2.0) / EVEN_OUT_S;
        let room = self.rate() + spare - matter;
        self.threshold = if ordinary <= room {
            Some(Threshold::ALL)
        } else {
            Threshold::keeping(room / ordinary)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: usize = 500;

    /// Bytes sent in each minute, and ordinary and mattering spans kept, under a steady load of spans a second.
    fn run(limit: u64, ordinary: u64, matter: u64, minutes: u64) -> (Vec<usize>, u64, u64, Budget) {
        let mut budget = Budget::new(limit);
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut sent, mut kept, mut kept_matter) = (vec![], 0, 0);
        for minute in 0..minutes {
            let mut bytes = 0;
            for step in 0..600 {
                budget.tick(Duration::from_millis((minute * 600 + step) * 100));
                for place in 0..(ordinary + matter) / 10 {
                    let matters = place < matter / 10;
                    if budget.choice(rng.u128(..), matters) != Choice::LeaveOut {
                        budget.charge(SPAN, matters);
                        bytes += SPAN;
                        *(if matters { &mut kept_matter } else { &mut kept }) += 1;
                    }
                }
            }
            sent.push(bytes);
        }
        (sent, kept, kept_matter, budget)
    }

    #[test]
    fn a_minute_stays_within_the_budget_and_uses_most_of_it() {
        let limit = 3_000_000;
        let (sent, ..) = run(limit, 2_000, 0, 5);
        for bytes in &sent {
            assert!(*bytes as u64 <= limit + 100_000, "{sent:?}");
        }
        assert!(
            sent[2..].iter().all(|bytes| *bytes as u64 > limit * 8 / 10),
            "{sent:?}"
        );
    }

    #[test]
    fn what_matters_is_never_left_out() {
        let (_, kept, matter, budget) = run(300_000, 1_000, 100, 3);
        assert_eq!(matter, 18_000);
        assert!(kept < 10_000, "{kept}");
        assert!(budget.thinned() > 65_000);
    }

    #[test]
    fn nothing_is_left_out_while_there_is_room() {
        let (_, kept, ..) = run(60_000_000, 1_000, 10, 2);
        assert_eq!(kept, 1_000 * 120);
        let mut free = Budget::new(0);
        assert_eq!(free.choice(1, false), Choice::Keep(None));
    }

    #[test]
    fn thresholds_are_nested_and_say_what_a_span_stands_for() {
        let trace = 0xabcd_u128 << 40;
        assert!(Threshold(0xabcd).keeps(trace) && !Threshold(0xabce).keeps(trace));
        let member = |share| Threshold::keeping(share).map(Threshold::member);
        assert_eq!(member(1.0).unwrap(), "ot=th:0");
        assert_eq!(member(0.5).unwrap(), "ot=th:8");
        assert_eq!(member(0.01).unwrap(), "ot=th:fd71");
        assert_eq!(member(0.0), None);
    }
}
