//! Until when a request has to be answered, as its caller and its route say, and what that leaves for the next hop.
//!
//! In: `grpc-timeout` (gRPC over HTTP/2, "Requests") and `mesh-timeout-ms` of a request, the deadline of the request that
//! its caller is serving, the time. Out: the soonest of them, and the same headers with what is left. Times pass from hop to
//! hop and clocks do not. Never: more time than any of them gives.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::recording::otlp::Attributes;
use crate::upstream::forward::Terms;

static MESH_TIMEOUT: HeaderName = HeaderName::from_static("mesh-timeout-ms");
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Both headers: longer numbers are not meant.
const DIGITS: usize = 8;
const MS: Nanos = 1_000_000;
/// An attempt that is made at all has this long.
const LEAST: Duration = Duration::from_millis(1);
/// A callee waits so much longer: who has asked gives up first, and knows best why.
const GRACE: Nanos = 10 * MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: Nanos,
    /// What it means when it passes.
    pub reason: Reason,
}

// === impl Deadline ===

impl Deadline {
    /// What the headers of a request ask for; what cannot be read asks for nothing.
    #[must_use]
    pub fn asked(headers: &HeaderMap, is_call: bool, now: Nanos) -> Option<Self> {
        let told = headers.get(&MESH_TIMEOUT).and_then(milliseconds);
        let called = if is_call {
            headers.get(&GRPC_TIMEOUT).and_then(grpc_timeout)
        } else {
            None
        };
        let left = told.into_iter().chain(called).min()?;
        Some(Self::of_caller(now.saturating_add(left)))
    }

    #[must_use]
    pub fn of_caller(at: Nanos) -> Self {
        let reason = Reason::DeadlineExceeded;
        Self { at, reason }
    }

    #[must_use]
    pub fn of_route(at: Nanos) -> Self {
        let reason = Reason::RouteTimeout;
        Self { at, reason }
    }

    #[must_use]
    pub fn sooner(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.at < self.at => other,
            _ => self,
        }
    }

    #[must_use]
    pub fn has_passed(self, now: Nanos) -> bool {
        now >= self.at
    }

    /// What an exchange that begins now may take.
    #[must_use]
    pub fn within(self, mut terms: Terms, now: Nanos) -> Terms {
        let left = Duration::from_nanos(self.at.saturating_sub(now)).max(LEAST);
        terms.first_byte = terms.first_byte.min(left);
        terms.connect.connect = terms.connect.connect.min(left);
        terms
    }

    /// The same on the side of the callee.
    #[must_use]
    pub fn at_callee(self, terms: Terms, now: Nanos) -> Terms {
        let at = self.at.saturating_add(GRACE);
        Self { at, ..self }.within(terms, now)
    }

    /// What a span says of it.
    #[must_use]
    pub fn note(self, started: Nanos) -> Attributes {
        let mut told = Attributes::default();
        told.number("mesh.deadline_ms", self.at.saturating_sub(started) / MS);
        told
    }
}

/// Tells the next hop how long an answer is waited for.
pub fn tell(headers: &mut HeaderMap, is_call: bool, left: Duration) {
    let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
    headers.insert(&MESH_TIMEOUT, HeaderValue::from(ms));
    let in_words = if ms < 10_u64.pow(8) {
        format!("{ms}m")
    } else {
        format!("{}S", (ms / 1_000).min(99_999_999))
    };
    if is_call && let Ok(value) = HeaderValue::try_from(in_words) {
        headers.insert(&GRPC_TIMEOUT, value);
    }
}

fn milliseconds(value: &HeaderValue) -> Option<Nanos> {
    number(value.as_bytes()).map(|ms| ms * MS)
}

fn grpc_timeout(value: &HeaderValue) -> Option<Nanos> {
    let (unit, digits) = value.as_bytes().split_last()?;
    let unit = match unit {
        b'H' => 3_600_000 * MS,
        b'M' => 60_000 * MS,
        b'S' => 1_000 * MS,
        b'm' => MS,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    number(digits).map(|value| value.saturating_mul(unit))
}

fn number(digits: &[u8]) -> Option<u64> {
    let fits = (1..=DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| {
        digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn left(pairs: &[(&'static str, &'static str)], is_call: bool) -> Option<Nanos> {
        Deadline::asked(&headers(pairs), is_call, 7).map(|deadline| deadline.at - 7)
    }

    #[test]
    fn every_unit_of_grpc_is_read() {
        for (value, nanos) in [
            ("1H", 3_600_000 * MS),
            ("2M", 120_000 * MS),
            ("3S", 3_000 * MS),
            ("40m", 40 * MS),
            ("5u", 5_000),
            ("99999999n", 99_999_999),
            ("0m", 0),
        ] {
            assert_eq!(
                left(&[("grpc-timeout", value)], true),
                Some(nanos),
                "{value}"
            );
            assert_eq!(left(&[("grpc-timeout", value)], false), None);
        }
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        for value in [
            "",
            "5",
            "S",
            "-1S",
            "1.5S",
            "123456789m",
            "5s",
            "5 S",
            "1Sm",
        ] {
            assert_eq!(left(&[("grpc-timeout", value)], true), None, "{value}");
        }
        for value in ["", "1s", "-1", "1.5", "123456789", " 1"] {
            assert_eq!(left(&[("mesh-timeout-ms", value)], false), None, "{value}");
        }
    }

    #[test]
    fn the_soonest_holds() {
        let both = [("grpc-timeout", "2S"), ("mesh-timeout-ms", "1500")];
        assert_eq!(left(&both, true), Some(1_500 * MS));
        let (route, caller) = (Deadline::of_route(5), Deadline::of_caller(9));
        assert_eq!(caller.sooner(Some(route)).reason, Reason::RouteTimeout);
        assert_eq!(route.sooner(Some(caller)).at, 5);
        assert_eq!(caller.sooner(None), caller);
        assert!(caller.has_passed(9) && !caller.has_passed(8));
    }

    #[test]
    fn what_is_told_is_read_again() {
        for (ms, grpc) in [(250, "250m"), (200_000_000, "200000S")] {
            let mut told = headers(&[("grpc-timeout", "9H")]);
            tell(&mut told, true, Duration::from_millis(ms));
            assert_eq!(told[&GRPC_TIMEOUT], grpc);
            let asked = Deadline::asked(&told, true, 0).map(|deadline| deadline.at);
            assert_eq!(asked, Some(ms * MS));
        }
        let mut told = HeaderMap::new();
        tell(&mut told, false, Duration::from_micros(10));
        assert_eq!(told, headers(&[("mesh-timeout-ms", "1")]));
    }
}
