//! Attribute values as text, as the OpenTelemetry exporter writes them into `Map(LowCardinality(String), String)`.
//!
//! Strings as they are, `true` and `false`, decimal integers, doubles as ECMAScript prints numbers, bytes as base64,
//! arrays and key-value lists as compact JSON with sorted keys; no value is the empty string (`null` inside JSON).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::wire::Reader;
use crate::error::{Error, Result};
use crate::native::column::Strings;

/// Arrays and key-value lists deeper than this are refused, so that a hostile body cannot exhaust the stack.
const DEEPEST: usize = 64;

#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Empty,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Array(Reader<'a>),
    Map(Reader<'a>),
}

#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    pub key: &'a [u8],
    pub value: Value<'a>,
}

impl<'a> Value<'a> {
    #[inline]
    pub fn read(mut message: Reader<'a>) -> Result<Self> {
        let mut value = Self::Empty;
        while let Some(field) = message.field()? {
            value = match field.number {
                1 => Self::Text(field.bytes()?),
                2 => Self::Bool(field.varint()? != 0),
                3 => Self::Int(field.varint()?.cast_signed()),
                4 => Self::Double(f64::from_bits(field.fixed64()?)),
                5 => Self::Array(field.message()?),
                6 => Self::Map(field.message()?),
                7 => Self::Bytes(field.bytes()?),
                _ => value,
            };
        }
        Ok(value)
    }

    /// Appends the value as it stands in a map column.
    pub fn write_text(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Empty => {}
            Self::Text(text) => out.extend_from_slice(&readable(text)),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(value) => write_int(*value, out),
            Self::Double(value) => write_double(*value, out),
            Self::Bytes(bytes) => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
            Self::Array(_) | Self::Map(_) => self.write_json(out, 0, &mut Unchanged)?,
        }
        Ok(())
    }

    /// Appends the value to a column of strings; text goes there directly, the rest by way of `scratch`.
    #[inline]
    pub fn push_text(&self, column: &mut Strings, scratch: &mut Vec<u8>) -> Result<()> {
        if let Self::Text(text) = self {
            column.push(&readable(text));
        } else {
            scratch.clear();
            self.write_text(scratch)?;
            column.push(scratch);
        }
        Ok(())
    }

    /// Appends the value as JSON; `inside` is asked about each text and number in it.
    pub fn write_json(&self, out: &mut Vec<u8>, depth: usize, inside: &mut impl Inside) -> Result<()> {
        match self {
            Self::Empty => out.extend_from_slice(b"null"),
            Self::Array(items) => write_array(*items, out, depth, inside)?,
            Self::Map(entries) => write_object(*entries, out, depth, inside)?,
            Self::Text(text) => {
                let text = readable(text);
                let instead = inside.scalar(&text);
                write_quoted(instead.as_deref().unwrap_or(&text), out);
            }
            Self::Bytes(_) | Self::Bool(_) | Self::Int(_) | Self::Double(_) => {
                self.write_bare(out, inside)?;
            }
        }
        Ok(())
    }

    /// What JSON writes without escapes; quoted when it has no word for it.
    fn write_bare(&self, out: &mut Vec<u8>, inside: &mut impl Inside) -> Result<()> {
        let quote = match self {
            Self::Bytes(_) => &b"\""[..],
            Self::Double(value) if !value.is_finite() => b"\"",
            _ => b"",
        };
        let from = out.len();
        self.write_text(out)?;
        if let Some(instead) = inside.scalar(&out[from..]) {
            out.truncate(from);
            write_quoted(&instead, out);
        } else if !quote.is_empty() {
            out.splice(from..from, quote.iter().copied());
            out.extend_from_slice(quote);
        }
        Ok(())
    }
}

/// Is asked about what is inside a value while that is written.
pub trait Inside {
    /// What is written instead of a text or number; None: itself.
    fn scalar(&mut self, text: &[u8]) -> Option<Vec<u8>>;
    /// Before an entry of a key-value list.
    fn enter(&mut self, entry: &Attribute<'_>) -> Result<Entry>;
    /// After an entry that was open, with what `enter` gave.
    fn leave(&mut self, outer: u64);
}

/// What becomes of an entry of a key-value list.
pub enum Entry {
    Open(u64),
    Instead(Vec<u8>),
    Gone,
}

/// Everything stays as it is.
struct Unchanged;

impl Inside for Unchanged {
    #[inline]
    fn scalar(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    #[inline]
    fn enter(&mut self, _: &Attribute<'_>) -> Result<Entry> {
        Ok(Entry::Open(0))
    }

    #[inline]
    fn leave(&mut self, _: u64) {}
}

impl<'a> Attribute<'a> {
    #[inline]
    pub fn read(mut message: Reader<'a>) -> Result<Self> {
        let mut attribute = Self { key: b"", value: Value::Empty };
        while let Some(field) = message.field()? {
            match field.number {
                1 => attribute.key = field.bytes()?,
                2 => attribute.value = Value::read(field.message()?)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// Sorts by key and keeps the last of those that share one.
pub fn sort_last_wins(attributes: &mut Vec<Attribute<'_>>) {
    attributes.sort_by(|one, other| one.key.cmp(other.key));
    attributes.dedup_by(|later, kept| {
        let same = later.key == kept.key;
        if same {
            *kept = *later;
        }
        same
    });
}

/// The text with bytes that are not UTF-8 replaced by U+FFFD: one bad attribute must not cost a request.
#[inline]
pub fn readable(text: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(String::from_utf8_lossy(text).into_owned().into_bytes()),
    }
}

fn write_array(
    mut items: Reader<'_>,
    out: &mut Vec<u8>,
    depth: usize,
    inside: &mut impl Inside,
) -> Result<()> {
    check_depth(depth, &items)?;
    out.push(b'[');
    let mut first = true;
    while let Some(field) = items.field()? {
        if field.number == 1 {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            Value::read(field.message()?)?.write_json(out, depth + 1, inside)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn write_object(
    mut entries: Reader<'_>,
    out: &mut Vec<u8>,
    depth: usize,
    inside: &mut impl Inside,
) -> Result<()> {
    check_depth(depth, &entries)?;
    let mut attributes = Vec::new();
    while let Some(field) = entries.field()? {
        if field.number == 1 {
            attributes.push(Attribute::read(field.message()?)?);
        }
    }
    sort_last_wins(&mut attributes);
    out.push(b'{');
    let mut first = true;
    for attribute in &attributes {
        let entry = inside.enter(attribute)?;
        if matches!(entry, Entry::Gone) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_quoted(&readable(attribute.key), out);
        out.push(b':');
        match entry {
            Entry::Open(outer) => {
                attribute.value.write_json(out, depth + 1, inside)?;
                inside.leave(outer);
            }
            Entry::Instead(text) => write_quoted(&text, out),
            Entry::Gone => {}
        }
    }
    out.push(b'}');
    Ok(())
}

fn check_depth(depth: usize, message: &Reader<'_>) -> Result<()> {
    if depth < DEEPEST {
        return Ok(());
    }
    let what = format!("expected attribute values nested at most {DEEPEST} deep, found a deeper one");
    Err(Error::malformed(what, message.address()))
}

fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// As ECMAScript prints numbers: shortest digits that read back the same, an exponent from 1e21 up and below 1e-6.
fn write_double(value: f64, out: &mut Vec<u8>) {
    let text = if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if value != 0.0 && (value.abs() < 1e-6 || value.abs() >= 1e21) {
        let text = scientific(value);
        if text.contains("e-") { text } else { text.replace('e', "e+") }
    } else {
        plain(value)
    };
    out.extend_from_slice(text.as_bytes());
}

/// The shortest digits, and of two equally near ones the even (ECMA-262, `Number::toString`, note 2). There are two only
/// where a double is the middle of both: its own digits are one more than these, 17.
fn plain(value: f64) -> String {
    let shortest = format!("{value}");
    match shortest.split_once('.') {
        Some((_, decimals)) if shortest.len() > DIGITS_OF_TWO => {
            of_two(value, format!("{value:.*}", decimals.len()), shortest)
        }
        _ => shortest,
    }
}

/// The same with an exponent.
fn scientific(value: f64) -> String {
    let shortest = format!("{value:e}");
    let digits = shortest.split('e').next().unwrap_or_default();
    match digits.split_once('.') {
        Some((_, decimals)) if digits.len() > DIGITS_OF_TWO => {
            of_two(value, format!("{value:.*e}", decimals.len()), shortest)
        }
        _ => shortest,
    }
}

const DIGITS_OF_TWO: usize = 16;

/// The even one, if it reads back the same.
fn of_two(value: f64, even: String, shortest: String) -> String {
    if even.parse() == Ok(value) { even } else { shortest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::column::put_text;

    fn text(value: Value<'_>) -> String {
        let mut out = Vec::new();
        value.write_text(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scalars() {
        assert_eq!(text(Value::Empty), "");
        assert_eq!(text(Value::Text(b"as \"it\" is")), "as \"it\" is");
        assert_eq!(text(Value::Text(b"caf\xe9")), "caf\u{fffd}");
        assert_eq!(text(Value::Bool(true)), "true");
        assert_eq!(text(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(Value::Int(0)), "0");
        assert_eq!(text(Value::Bytes(b"\xff\x00")), "/wA=");
    }

    #[test]
    fn doubles_as_ecmascript_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (-2.5e-6, "-0.0000025"),
            (1e-7, "1e-7"),
            (1.5e300, "1.5e+300"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (2_f64.powi(49) + 0.25, "562949953421312.2"),
            (2_f64.powi(49) + 0.75, "562949953421312.8"),
            (2_f64.powi(43) + 0.3125, "8796093022208.312"),
            (8.0 + 2_f64.powi(-16), "8.000015258789062"),
            (-8.0 - 2_f64.powi(-16), "-8.000015258789062"),
            (2_f64.powi(-24), "5.960464477539063e-8"),
            (2_f64.powi(46) + 0.015_625, "70368744177664.02"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(Value::Double(value)), expected);
        }
    }

    #[test]
    fn arrays_and_lists_are_json_with_sorted_keys_and_the_last_of_two() {
        // {values: [{int: 1}, {}, {string: "a\n\""}, {double: NaN}]}
        let mut array = vec![0x0a, 2, 0x18, 1, 0x0a, 0, 0x0a, 5, 0x0a, 3, b'a', b'\n', b'"', 0x0a, 9, 0x21];
        array.extend_from_slice(&f64::NAN.to_le_bytes());
        assert_eq!(text(Value::Array(Reader::new(&array))), r#"[1,null,"a\n\"","NaN"]"#);
        // {values: [{b: true}, {a: 1}, {b: false}]}
        let entry = |key: u8, value: [u8; 2]| [&[0x0a, 7, 0x0a, 1, key, 0x12, 2][..], &value].concat();
        let list = [entry(b'b', [0x10, 1]), entry(b'a', [0x18, 1]), entry(b'b', [0x10, 0])].concat();
        assert_eq!(text(Value::Map(Reader::new(&list))), r#"{"a":1,"b":false}"#);
    }

    #[test]
    fn depth_is_bounded() {
        let mut body = Vec::new();
        for _ in 0..200 {
            let mut outer = vec![0x0a];
            let mut wrapped = vec![0x2a];
            put_text(&mut wrapped, &body);
            put_text(&mut outer, &wrapped);
            body = outer;
        }
        let mut out = Vec::new();
        let error = Value::Array(Reader::new(&body)).write_text(&mut out).unwrap_err();
        assert!(error.to_string().contains("nested at most 64 deep"), "{error}");
    }
}
