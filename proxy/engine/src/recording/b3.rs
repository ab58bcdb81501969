//! Reads and writes B3 (<https://github.com/openzipkin/b3-propagation>), beside W3C Trace Context, which counts when both came.
//!
//! In: `b3`, or `x-b3-*`, as they came. Out: the caller's place in its trace, and ours in the forms that are configured.
//! Never: a trace continued from headers that are not exactly what the specification allows, or two forms that differ.

use http::{HeaderMap, HeaderName};

use crate::recording::pad::Pad;
use crate::recording::trace::{Context, SAMPLED, hex, unhex};
use crate::snapshot::B3;

pub static SINGLE: HeaderName = HeaderName::from_static("b3");
pub static TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
pub static SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
pub static PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
pub static SAMPLE: HeaderName = HeaderName::from_static("x-b3-sampled");
pub static DEBUG: HeaderName = HeaderName::from_static("x-b3-flags");

/// Every header of it.
pub static NAMES: [&HeaderName; 6] = [&SINGLE, &TRACE, &SPAN, &PARENT, &SAMPLE, &DEBUG];

/// What a caller said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    /// Its trace and span; without them it only said whether to sample.
    ids: Option<(u128, u64)>,
    /// The parent of its span.
    above: Option<u64>,
    sampled: bool,
}

/// The place in a trace that a caller told; `None` when it told none.
pub fn read(headers: &HeaderMap, rng: &mut fastrand::Rng) -> Option<Context> {
    let said = said(headers)?;
    let (trace, parent) = said.ids.unwrap_or_else(|| (Context::fresh(rng).trace, 0));
    Some(Context {
        trace,
        parent,
        flags: if said.sampled { SAMPLED } else { 0 },
    })
}

/// The parent of the caller's span: a B3 library in an application makes calls whose parent is the span we gave it.
#[must_use]
pub fn above(headers: &HeaderMap) -> Option<u64> {
    said(headers)?.above
}

/// Says that `span` is the parent of what comes next, in the configured forms only.
pub fn write(form: B3, headers: &mut HeaderMap, context: Context, span: u64, pad: &Pad) {
    if form == B3::None {
        return;
    }
    for name in NAMES {
        headers.remove(name);
    }
    let sampled = context.flags & SAMPLED != 0;
    // 32 digits of the trace, 16 of the span, whether it is sampled, 16 of the parent.
    let mut text = *b"00000000000000000000000000000000-0000000000000000-0-0000000000000000";
    hex(&mut text[..32], &context.trace.to_be_bytes());
    hex(&mut text[33..49], &span.to_be_bytes());
    text[50] = if sampled { b'1' } else { b'0' };
    hex(&mut text[52..], &context.parent.to_be_bytes());
    let orphan = context.parent == 0;
    let mut put = |name: &HeaderName, text: &[u8]| {
        let value = pad.value(text).expect("hexadecimal digits and dashes");
        headers.insert(name, value);
    };
    if matches!(form, B3::Single | B3::Both) {
        put(&SINGLE, if orphan { &text[..51] } else { &text });
    }
    if matches!(form, B3::Multi | B3::Both) {
        put(&TRACE, &text[..32]);
        put(&SPAN, &text[33..49]);
        put(&SAMPLE, &text[50..51]);
        if !orphan {
            put(&PARENT, &text[52..]);
        }
    }
}

/// The single header counts before the many.
fn said(headers: &HeaderMap) -> Option<Said> {
    only(headers, &SINGLE)
        .and_then(single)
        .or_else(|| many(headers))
}

/// The value of a header that came once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

fn single(text: &[u8]) -> Option<Said> {
    if let Some(sampled) = decision(text) {
        return Some(Said {
            ids: None,
            above: None,
            sampled,
        });
    }
    let mut parts = text.split(|byte| *byte == b'-');
    let ids = (trace_id(parts.next()?)?, span_id(parts.next()?)?);
    let sampled = parts.next().map_or(Some(true), decision)?;
    let above = match parts.next() {
        None => None,
        Some(part) => Some(span_id(part)?),
    };
    parts.next().is_none().then_some(Said {
        ids: Some(ids),
        above,
        sampled,
    })
}

fn many(headers: &HeaderMap) -> Option<Said> {
    let has = |name| headers.contains_key(name);
    let (traced, decided, debug) = (has(&TRACE) || has(&SPAN), has(&SAMPLE), has(&DEBUG));
    if !(traced || decided || debug) {
        return None;
    }
    let ids = if traced {
        Some((
            trace_id(only(headers, &TRACE)?)?,
            span_id(only(headers, &SPAN)?)?,
        ))
    } else {
        None
    };
    let above = if has(&PARENT) {
        Some(span_id(only(headers, &PARENT)?)?)
    } else {
        None
    };
    // "Debug" means that it is sampled, whatever else is said.
    let sampled = if debug && only(headers, &DEBUG)? == b"1" {
        true
    } else if decided {
        match only(headers, &SAMPLE)? {
            b"1" | b"true" => true,
            b"0" | b"false" => false,
            _ => return None,
        }
    } else {
        true
    };
    Some(Said {
        ids,
        above,
        sampled,
    })
}

/// Sampled, not sampled, or debug.
fn decision(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"d" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// 128 bits, or the lower 64 of them.
fn trace_id(text: &[u8]) -> Option<u128> {
    if !matches!(text.len(), 16 | 32) {
        return None;
    }
    unhex(text).filter(|id| *id != 0)
}

fn span_id(text: &[u8]) -> Option<u64> {
    if text.len() != 16 {
        return None;
    }
    u64::try_from(unhex(text)?).ok().filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0af7651916cd43dd8448eb211c80319c";
    const SHORT: &str = "8448eb211c80319c";
    const CALLER: &str = "b7ad6b7169203331";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        map
    }

    fn told(pairs: &[(&'static str, &str)]) -> Option<Said> {
        said(&headers(pairs))
    }

    fn whole(trace: u128, sampled: bool, above: Option<u64>) -> Said {
        Said {
            ids: Some((trace, 0xb7ad_6b71_6920_3331)),
            above,
            sampled,
        }
    }

    const TRACE_LONG: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
    const TRACE_SHORT: u128 = 0x8448_eb21_1c80_319c;

    #[test]
    fn one_header_tells_ids_decision_and_parent() {
        let b3 = |text: &str| told(&[("b3", text)]);
        assert_eq!(
            b3(&format!("{LONG}-{CALLER}")),
            Some(whole(TRACE_LONG, true, None))
        );
        assert_eq!(
            b3(&format!("{SHORT}-{CALLER}-0")),
            Some(whole(TRACE_SHORT, false, None))
        );
        assert_eq!(
            b3(&format!("{LONG}-{CALLER}-d-00000000000000ff")),
            Some(whole(TRACE_LONG, true, Some(255)))
        );
        for (text, sampled) in [("0", false), ("1", true), ("d", true)] {
            let said = b3(text).unwrap();
            assert_eq!((said.ids, said.sampled), (None, sampled));
        }
    }

    #[test]
    fn many_headers_tell_the_same() {
        let ids = [("x-b3-traceid", SHORT), ("x-b3-spanid", CALLER)];
        assert_eq!(told(&ids), Some(whole(TRACE_SHORT, true, None)));
        let with = |more: &[(&'static str, &str)]| told(&[&ids, more].concat());
        for (text, sampled) in [("1", true), ("true", true), ("0", false), ("false", false)] {
            assert_eq!(
                with(&[("x-b3-sampled", text)]),
                Some(whole(TRACE_SHORT, sampled, None))
            );
        }
        let debug = [("x-b3-sampled", "0"), ("x-b3-flags", "1")];
        assert_eq!(with(&debug), Some(whole(TRACE_SHORT, true, None)));
        let parent = [("x-b3-parentspanid", "00000000000000ff")];
        assert_eq!(with(&parent), Some(whole(TRACE_SHORT, true, Some(255))));
        assert_eq!(
            told(&[("x-b3-sampled", "0")]).map(|said| (said.ids, said.sampled)),
            Some((None, false))
        );
        let both = [("b3", "0"), ("x-b3-sampled", "1")];
        assert!(!told(&both).unwrap().sampled, "the single one counts");
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn what_is_not_exactly_b3_tells_nothing() {
        let zero_trace = format!("{}-{CALLER}", "0".repeat(32));
        let bad = [
            "",
            "-",
            "2",
            LONG,
            "deny",
            &zero_trace,
            &format!("{LONG}-{}", "0".repeat(16)),
            &format!("{}-{CALLER}", LONG.to_uppercase()),
            &format!("{}-{CALLER}", &LONG[1..]),
            &format!("{}-{CALLER}", &LONG[8..]),
            &format!("{LONG}-{}", &CALLER[1..]),
            &format!("{LONG}-{CALLER}-"),
            &format!("{LONG}-{CALLER}-2"),
            &format!("{LONG}-{CALLER}-1-"),
            &format!("{LONG}-{CALLER}-1-{CALLER}-1"),
            &format!("{LONG}-{CALLER}-1-xyz"),
            &format!("{LONG}{LONG}-{CALLER}"),
            &format!("+{}-{CALLER}", &LONG[1..]),
        ];
        for text in bad {
            assert_eq!(told(&[("b3", text)]), None, "{text:?}");
        }
        let good = format!("{LONG}-{CALLER}");
        assert_eq!(told(&[("b3", &good), ("b3", &good)]), None, "twice");
        for many in [
            &[("x-b3-traceid", LONG)][..],
            &[("x-b3-spanid", CALLER)],
            &[
                ("x-b3-traceid", LONG),
                ("x-b3-traceid", LONG),
                ("x-b3-spanid", CALLER),
            ],
            &[
                ("x-b3-traceid", LONG),
                ("x-b3-spanid", CALLER),
                ("x-b3-sampled", "yes"),
            ],
            &[
                ("x-b3-traceid", LONG),
                ("x-b3-spanid", CALLER),
                ("x-b3-parentspanid", "1"),
            ],
        ] {
            assert_eq!(told(many), None, "{many:?}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same_and_nothing_else_is_left() {
        let context = Context {
            trace: TRACE_SHORT,
            parent: 255,
            flags: 1,
        };
        let stale = [("b3", "0"), ("x-b3-sampled", "0"), ("x-b3-flags", "1")];
        for form in [B3::Single, B3::Multi, B3::Both] {
            for (parent, flags) in [(255, 1), (0, 1), (255, 0)] {
                let context = Context {
                    parent,
                    flags,
                    ..context
                };
                let mut map = headers(&stale);
                write(form, &mut map, context, 9, &Pad::default());
                let said = said(&map).unwrap();
                assert_eq!(said.ids, Some((TRACE_SHORT, 9)));
                assert_eq!(said.sampled, flags == 1);
                assert_eq!(said.above, (parent != 0).then_some(parent));
                assert_eq!(map.contains_key(&SINGLE), form != B3::Multi);
                assert_eq!(map.contains_key(&TRACE), form != B3::Single);
                assert!(!map.contains_key(&DEBUG));
            }
        }
        let mut map = headers(&stale);
        write(B3::None, &mut map, context, 9, &Pad::default());
        assert_eq!(map, headers(&stale), "what is none of our business passes");
    }
}
