//! The few forms of protobuf that spans need (<https://protobuf.dev/programming-guides/encoding/>).

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;
/// `Span.attributes`.
const ATTRIBUTES: u32 = 9;
const ATTRIBUTE_TAG: u8 = 9 << 3 | 2;
/// `KeyValue.key` and `KeyValue.value`.
const KEY_TAG: u8 = 1 << 3 | 2;
const VALUE_TAG: u8 = 2 << 3 | 2;

#[inline]
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn tag(out: &mut Vec<u8>, field: u32, form: u32) {
    varint(out, u64::from(field << 3 | form));
}

/// Bytes that tag (of a field below 16) and length take before `length` bytes.
pub(super) fn field_len(length: usize) -> usize {
    1 + varint_len(length as u64)
}

/// Tag and length of a field whose `length` bytes the caller writes next.
pub(super) fn head(out: &mut Vec<u8>, field: u32, length: usize) {
    tag(out, field, LENGTH);
    varint(out, length as u64);
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    head(out, field, value.len());
    out.extend_from_slice(value);
}

pub(super) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

pub(super) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `KeyValue{key, AnyValue{string_value}}` as a span attribute.
pub(super) fn attribute(out: &mut Vec<u8>, key: &str, value: &str) {
    attribute_joined(out, key, [value]);
}

/// The same with a value in several pieces.
pub(super) fn attribute_joined<const N: usize>(out: &mut Vec<u8>, key: &str, pieces: [&str; N]) {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let any = field_len(length) + length;
    key_value(out, key, any);
    head(out, 1, length);
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// `KeyValue{key, AnyValue{int_value}}` as a span attribute.
pub(super) fn attribute_number(out: &mut Vec<u8>, key: &str, value: u64) {
    key_value(out, key, 1 + varint_len(value));
    number(out, 3, value);
}

/// `KeyValue{key, AnyValue{double_value}}` as a span attribute.
pub(super) fn attribute_double(out: &mut Vec<u8>, key: &str, value: f64) {
    key_value(out, key, 9);
    fixed64(out, 4, value.to_bits());
}

fn key_value(out: &mut Vec<u8>, key: &str, any: usize) {
    let whole = field_len(key.len()) + key.len() + field_len(any) + any;
    out.reserve(field_len(whole) + whole);
    // Nearly every attribute is short, so that each length is one byte.
    if let (Some(whole_len), Some(key_len), Some(any_len)) =
        (one_byte(whole), one_byte(key.len()), one_byte(any))
    {
        out.extend_from_slice(&[ATTRIBUTE_TAG, whole_len, KEY_TAG, key_len]);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&[VALUE_TAG, any_len]);
        return;
    }
    head(out, ATTRIBUTES, whole);
    bytes(out, 1, key.as_bytes());
    head(out, 2, any);
}

fn one_byte(length: usize) -> Option<u8> {
    u8::try_from(length).ok().filter(|length| *length < 0x80)
}

/// Span attributes encoded ahead of time.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    pub fn text(&mut self, key: &str, value: &str) {
        attribute(&mut self.0, key, value);
    }

    pub fn number(&mut self, key: &str, value: u64) {
        attribute_number(&mut self.0, key, value);
    }

    pub fn double(&mut self, key: &str, value: f64) {
        attribute_double(&mut self.0, key, value);
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds all of another's.
    pub fn append(&mut self, more: &Self) {
        self.0.extend_from_slice(&more.0);
    }

    /// The same attributes under another (one-byte) field number: a resource keeps them in field 1.
    pub(super) fn retagged(&self, field: u8) -> Vec<u8> {
        let mut out = self.0.clone();
        let mut at = 0;
        while at < out.len() {
            out[at] = field << 3 | 2;
            let (length, after) = read_varint(&out[at + 1..]).expect("written by this module");
            at = out.len() - after.len() + usize::try_from(length).expect("a length in memory");
        }
        out
    }
}

pub(super) fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

/// What one field of a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in order, by number, as far as it can be read.
pub fn fields(message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let (number, value, after) = field(rest)?;
        rest = after;
        Some((number, value))
    })
}

fn field(message: &[u8]) -> Option<(u64, Field<'_>, &[u8])> {
    let (key, rest) = read_varint(message)?;
    let (value, rest) = match key & 7 {
        0 => read_varint(rest).map(|(number, rest)| (Field::Number(number), rest))?,
        1 => (Field::Bytes(rest.get(..8)?), rest.get(8..)?),
        2 => {
            let (length, rest) = read_varint(rest)?;
            let length = usize::try_from(length).ok()?;
            (Field::Bytes(rest.get(..length)?), rest.get(length..)?)
        }
        5 => (Field::Bytes(rest.get(..4)?), rest.get(4..)?),
        _ => return None,
    };
    Some((key >> 3, value, rest))
}

/// Name and value of a `KeyValue` as this module writes them: a string or a number.
#[must_use]
pub fn read_attribute(pair: &[u8]) -> Option<(&str, Field<'_>)> {
    let (mut name, mut value) = (None, None);
    for (number, held) in fields(pair) {
        match (number, held) {
            (1, Field::Bytes(key)) => name = std::str::from_utf8(key).ok(),
            (2, Field::Bytes(any)) => value = fields(any).next().map(|(_, value)| value),
            _ => {}
        }
    }
    Some((name?, value?))
}

/// The service that attributes of a peer name.
#[must_use]
pub fn service_in(attributes: &[u8]) -> Option<&str> {
    fields(attributes).find_map(|(_, pair)| match pair {
        Field::Bytes(pair) => match read_attribute(pair)? {
            ("mesh.source.service" | "mesh.destination.service", Field::Bytes(service)) => {
                std::str::from_utf8(service).ok()
            }
            _ => None,
        },
        Field::Number(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_go_there_and_back() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(
                (read_varint(&out), out.len()),
                (Some((value, &[][..])), varint_len(value))
            );
        }
    }
}
