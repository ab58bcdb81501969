//! Reads and writes W3C Trace Context (<https://www.w3.org/TR/trace-context-2/>).
//!
//! In: `traceparent` and `tracestate` as they came. Out: the same trace with our span as the parent.
//! Never: a trace continued from a header that is not exactly what the specification allows.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::recording::b3;
use crate::recording::pad::Pad;

pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Our key in `tracestate`: the server span of the request an application is working on.
const MEMBER: &str = "whymesh";
/// Members beyond this many are dropped from the right (specification, 3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// Bytes of `tracestate` carried on; the specification asks for 512 at least.
const MAX_STATE: usize = 2_048;
pub(super) const SAMPLED: u8 = 1;

/// The position of a request in a trace, as its caller told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    /// Span id of the caller; 0 when this request starts the trace.
    pub parent: u64,
    pub flags: u8,
}

impl Context {
    /// Continues the caller's trace, told in W3C's form or else in B3's, or starts one. The second value says whether the caller's `tracestate` still counts.
    pub fn of(headers: &HeaderMap, rng: &mut fastrand::Rng) -> (Self, bool) {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        match (
            values.next().and_then(|value| parse(value.as_bytes())),
            values.next(),
        ) {
            (Some(context), None) => (context, true),
            _ => (Self::told_in_b3(headers, rng), false),
        }
    }

    fn told_in_b3(headers: &HeaderMap, rng: &mut fastrand::Rng) -> Self {
        b3::read(headers, rng).unwrap_or_else(|| Self::fresh(rng))
    }

    /// The beginning of a trace.
    pub fn fresh(rng: &mut fastrand::Rng) -> Self {
        Self {
            trace: rng.u128(1..),
            parent: 0,
            flags: SAMPLED,
        }
    }

    /// The `traceparent` that makes `span` the parent of what comes next.
    #[must_use]
    pub fn header(&self, span: u64, pad: &Pad) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&mut text[3..35], &self.trace.to_be_bytes());
        hex(&mut text[36..52], &span.to_be_bytes());
        hex(&mut text[53..55], &[self.flags]);
        pad.value(&text).expect("hexadecimal digits and dashes")
    }
}

/// `None` for anything but a valid `traceparent`: all-zero ids, version ff, upper case, wrong lengths.
fn parse(text: &[u8]) -> Option<Context> {
    if text.len() < 55 || text[2] != b'-' || text[35] != b'-' || text[52] != b'-' {
        return None;
    }
    let version = unhex(&text[..2])?;
    let tail_fits = if version == 0 {
        text.len() == 55
    } else {
        text.len() == 55 || text[55] == b'-'
    };
    let trace = unhex(&text[3..35])?;
    let parent = u64::try_from(unhex(&text[36..52])?).ok()?;
    let flags = u8::try_from(unhex(&text[53..55])?).ok()?;
    (version != 0xff && tail_fits && trace != 0 && parent != 0).then_some(Context {
        trace,
        parent,
        flags,
    })
}

/// A trace id as `traceparent` spells it.
#[must_use]
pub fn read_id(text: &[u8]) -> Option<u128> {
    if text.len() != 32 {
        return None;
    }
    unhex(text)
}

/// Puts `whymesh=<span>` first in `tracestate`, before the application sees it.
pub fn mark_state(headers: &mut HeaderMap, span: u64, keep: bool, pad: &Pad) {
    let mut own_member = *b"whymesh=0000000000000000";
    hex(&mut own_member[MEMBER.len() + 1..], &span.to_be_bytes());
    let value = if keep && headers.contains_key(&TRACESTATE) {
        pad.value(&with_others(&own_member, headers))
    } else {
        pad.value(&own_member)
    };
    if let Some(value) = value {
        headers.insert(&TRACESTATE, value);
    }
}

/// Our member, and those of others as far as they fit.
fn with_others(own_member: &[u8], headers: &HeaderMap) -> Vec<u8> {
    let mut state = own_member.to_vec();
    let others = members(headers).filter(|member| own(member).is_none());
    for member in others.take(MAX_MEMBERS - 1) {
        if state.len() + member.len() < MAX_STATE {
            state.push(b',');
            state.extend_from_slice(member.as_bytes());
        }
    }
    state
}

/// Removes our member before a call leaves for another proxy, and returns the span it named.
pub fn unmark_state(headers: &mut HeaderMap, keep: bool) -> Option<u64> {
    if !headers.contains_key(&TRACESTATE) {
        return None;
    }
    let span = members(headers).find_map(own).and_then(named);
    let rest: Vec<&str> = members(headers)
        .filter(|member| own(member).is_none())
        .take(MAX_MEMBERS)
        .collect();
    let rest = rest.join(",");
    match HeaderValue::try_from(rest) {
        Ok(value) if keep && !value.is_empty() && value.len() <= MAX_STATE => {
            headers.insert(&TRACESTATE, value);
        }
        _ => {
            headers.remove(&TRACESTATE);
        }
    }
    span
}

/// Repeated headers count as one list (specification, 3.3.1.4).
fn members(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers
        .get_all(&TRACESTATE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|member| member.contains('='))
}

/// The value of a member that is ours.
fn own(member: &str) -> Option<&str> {
    member.strip_prefix(MEMBER)?.strip_prefix('=')
}

/// The span that a value names.
fn named(value: &str) -> Option<u64> {
    if value.len() != 16 {
        return None;
    }
    u64::try_from(unhex(value.as_bytes())?).ok()
}

pub(super) fn hex(into: &mut [u8], value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in into.chunks_exact_mut(2).zip(value) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Lower-case hexadecimal only, as the specification wants; at most 32 digits.
pub(super) fn unhex(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0_u128, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_valid_parent_is_continued_and_written_back() {
        let context = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(context.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.header(context.parent, &Pad::default()), GOOD);
    }

    #[test]
    fn anything_else_starts_a_trace() {
        let bad = [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        ];
        for text in bad {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let twice = headers(&[("traceparent", GOOD), ("traceparent", GOOD)]);
        let (context, keep) = Context::of(&twice, &mut fastrand::Rng::with_seed(1));
        assert!(!keep && context.parent == 0 && context.trace != 0 && context.flags == SAMPLED);
    }

    #[test]
    fn a_later_version_may_say_more() {
        assert!(parse(format!("01{}-more", &GOOD[2..]).as_bytes()).is_some());
    }

    #[test]
    fn our_member_goes_first_and_only_once() {
        let mut map = headers(&[
            ("tracestate", "a=1, whymesh=00000000000000ff"),
            ("tracestate", "b=2"),
        ]);
        mark_state(&mut map, 0xabc, true, &Pad::default());
        assert_eq!(map[&TRACESTATE], "whymesh=0000000000000abc,a=1,b=2");
        assert_eq!(unmark_state(&mut map, true), Some(0xabc));
        assert_eq!(map[&TRACESTATE], "a=1,b=2");
    }

    #[test]
    fn state_of_a_dropped_trace_is_dropped() {
        let mut map = headers(&[("tracestate", "a=1,whymesh=0000000000000abc")]);
        assert_eq!(unmark_state(&mut map, false), Some(0xabc));
        assert!(!map.contains_key(&TRACESTATE));
        let mut map = headers(&[("tracestate", "a=1")]);
        mark_state(&mut map, 1, false, &Pad::default());
        assert_eq!(map[&TRACESTATE], "whymesh=0000000000000001");
    }
}
