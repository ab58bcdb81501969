//! OTLP/JSON to OTLP/protobuf, so that both have one decoder behind them.
//!
//! Source: OTLP specification 1.x, "JSON Protobuf Encoding": ids in hexadecimal, enums as numbers, 64-bit integers as
//! strings or numbers, bytes in base64, lowerCamelCase names, unknown names ignored, null like absent.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};
use crate::native::column::{put_text, put_varint};

pub use super::schema::{LOGS, METRICS, TRACES};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Characters of a reason that are told; it may quote a whole value of the sender's.
const LONGEST_REASON: usize = 300;

/// A protobuf message: the JSON name, number and kind of each field we read.
pub struct Message(pub &'static [(&'static str, u8, Kind)]);

#[derive(Clone, Copy)]
pub enum Kind {
    Text,
    Hex,
    Base64,
    Bool,
    Integer,
    ZigZag,
    Fixed32,
    Fixed64,
    SignedFixed64,
    Double,
    /// Scalars, written one at a time, not packed.
    Each(&'static Kind),
    One(&'static Message),
    Many(&'static Message),
}

pub fn to_protobuf(text: &[u8], message: &'static Message) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut source = serde_json::Deserializer::from_slice(text);
    let read = Fields { message, out: &mut out }.deserialize(&mut source).and_then(|()| source.end());
    read.map_err(|error| {
        let told: String = error.to_string().chars().take(LONGEST_REASON).collect();
        Error::malformed(format!("expected OTLP as JSON ({told})"), offset_of(&error, text))
    })?;
    Ok(out)
}

fn offset_of(error: &serde_json::Error, text: &[u8]) -> usize {
    let lines = text.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + error.column()
}

/// Reads an object and appends its fields.
struct Fields<'o> {
    message: &'static Message,
    out: &'o mut Vec<u8>,
}

/// Reads the value of one field and appends it with its tag; appends nothing for null.
struct Value<'o> {
    number: u8,
    kind: Kind,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> std::result::Result<(), D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.message.0.iter().find(|(known, ..)| *known == name) {
                Some(&(_, number, kind)) => entries.next_value_seed(Value { number, kind, out: self.out })?,
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> std::result::Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl Value<'_> {
    fn put_tag(&mut self, wire: u8) {
        put_varint(self.out, u64::from(self.number) << 3 | u64::from(wire));
    }

    fn put_bytes(mut self, bytes: &[u8]) {
        self.put_tag(2);
        put_text(self.out, bytes);
    }

    fn put_number<E: serde::de::Error>(mut self, value: i128) -> std::result::Result<(), E> {
        let bits = if matches!(self.kind, Kind::ZigZag | Kind::Fixed32) { 32 } else { 64 };
        let too_wide = |_| E::custom(format!("{value} does not fit into {bits} bits"));
        let unsigned = u64::try_from(value);
        match self.kind {
            Kind::Integer => {
                let signed = |_| i64::try_from(value).map(i64::cast_unsigned);
                let bits = unsigned.or_else(signed).map_err(too_wide)?;
                self.put_tag(0);
                put_varint(self.out, bits);
            }
            Kind::Fixed64 => {
                let bits = unsigned.map_err(too_wide)?;
                self.put_tag(1);
                self.out.extend_from_slice(&bits.to_le_bytes());
            }
            Kind::SignedFixed64 => {
                let bits = i64::try_from(value).map_err(too_wide)?;
                self.put_tag(1);
                self.out.extend_from_slice(&bits.to_le_bytes());
            }
            Kind::Fixed32 => {
                let bits = u32::try_from(value).map_err(too_wide)?;
                self.put_tag(5);
                self.out.extend_from_slice(&bits.to_le_bytes());
            }
            Kind::ZigZag => {
                let signed = i32::try_from(value).map_err(too_wide)?;
                self.put_tag(0);
                put_varint(self.out, u64::from((signed << 1 ^ signed >> 31).cast_unsigned()));
            }
            _ => return Err(E::invalid_type(serde::de::Unexpected::Other("a number"), &self)),
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a field of type double holds the nearest one")]
    fn put_integer<E: serde::de::Error>(self, value: i128) -> std::result::Result<(), E> {
        if matches!(self.kind, Kind::Double) {
            self.put_double(value as f64);
            return Ok(());
        }
        self.put_number(value)
    }

    fn put_double(mut self, value: f64) {
        self.put_tag(1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.kind {
            Kind::Text => "a string",
            Kind::Hex => "an id in hexadecimal",
            Kind::Base64 => "bytes in base64",
            Kind::Bool => "true or false",
            Kind::Integer => "an integer (enums too are numbers in OTLP)",
            Kind::SignedFixed64 | Kind::ZigZag => "an integer",
            Kind::Fixed32 | Kind::Fixed64 => "an unsigned integer",
            Kind::Double => "a number",
            Kind::One(_) => "an object",
            Kind::Each(_) => "an array of numbers",
            Kind::Many(_) => "an array of objects",
        })
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> std::result::Result<(), E> {
        if !matches!(self.kind, Kind::Bool) {
            return Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self));
        }
        self.put_tag(0);
        self.out.push(u8::from(value));
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<(), E> {
        self.put_integer(i128::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<(), E> {
        self.put_integer(i128::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<(), E> {
        match self.kind {
            Kind::Double => self.put_double(value),
            Kind::Integer | Kind::ZigZag | Kind::Fixed32 | Kind::Fixed64 | Kind::SignedFixed64
                if value.fract() == 0.0 =>
            {
                self.put_number(integer(value))?;
            }
            _ => return Err(E::invalid_type(serde::de::Unexpected::Float(value), &self)),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<(), E> {
        match self.kind {
            Kind::Text => self.put_bytes(text.as_bytes()),
            Kind::Hex => {
                let id =
                    unhex(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                self.put_bytes(&id);
            }
            Kind::Base64 => {
                let plain = text.replace('-', "+").replace('_', "/");
                let bytes = BASE64
                    .decode(plain)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                self.put_bytes(&bytes);
            }
            Kind::Integer | Kind::ZigZag | Kind::Fixed32 | Kind::Fixed64 | Kind::SignedFixed64 => {
                let value =
                    text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                self.put_number(value)?;
            }
            Kind::Double => {
                let value =
                    text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                self.put_double(value);
            }
            Kind::Bool | Kind::Each(_) | Kind::One(_) | Kind::Many(_) => {
                return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> std::result::Result<(), A::Error> {
        let Kind::One(message) = self.kind else {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        };
        let mut inner = Vec::new();
        Fields { message, out: &mut inner }.visit_map(entries)?;
        self.put_bytes(&inner);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        let kind = match self.kind {
            Kind::Many(message) => Kind::One(message),
            Kind::Each(kind) => *kind,
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        };
        let Value { number, out, .. } = self;
        while items.next_element_seed(Value { number, kind, out })?.is_some() {}
        Ok(())
    }
}

/// 1e3 is an integer too; what is beyond 64 bits stays beyond them, for `as` saturates at 128.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and the caller checks for 64 bits")]
fn integer(value: f64) -> i128 {
    value as i128
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(fields: &str) -> Result<Vec<u8>> {
        to_protobuf(fields.as_bytes(), &super::super::schema::SPAN)
    }

    #[test]
    fn each_kind() {
        assert_eq!(span(r#"{"name": "a\u00e9", "unknown": [{}]}"#), Ok(b"\x2a\x03a\xc3\xa9".to_vec()));
        assert_eq!(span(r#"{"spanId": "00fF"}"#), Ok(vec![0x12, 2, 0, 0xff]));
        assert_eq!(span(r#"{"kind": 2}"#), Ok(vec![0x30, 2]));
        let time = vec![0x39, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(span(r#"{"startTimeUnixNano": "1"}"#), Ok(time.clone()));
        assert_eq!(span(r#"{"startTimeUnixNano": 1, "status": null}"#), Ok(time));
        assert_eq!(
            span(r#"{"attributes": [{"key": "k", "value": {"boolValue": true}}]}"#),
            Ok(b"\x4a\x07\x0a\x01k\x12\x02\x10\x01".to_vec())
        );
        assert_eq!(
            span(r#"{"attributes": [{"value": {"bytesValue": "_w"}}]}"#),
            Ok(b"\x4a\x05\x12\x03\x3a\x01\xff".to_vec())
        );
        let minus_one = [&[0x4a, 13, 0x12, 11, 0x18][..], &[0xff; 9], &[1]].concat();
        assert_eq!(span(r#"{"attributes": [{"value": {"intValue": "-1"}}]}"#), Ok(minus_one));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            (r#"{"kind": "SPAN_KIND_SERVER"}"#, "enums too are numbers"),
            (r#"{"spanId": "xyz0"}"#, "an id in hexadecimal"),
            (r#"{"spanId": "abc"}"#, "an id in hexadecimal"),
            (r#"{"startTimeUnixNano": -1}"#, "does not fit into 64 bits"),
            (r#"{"startTimeUnixNano": 1e30}"#, "does not fit into 64 bits"),
            (r#"{"attributes": {}}"#, "an array of objects"),
            (r#"{"name": 1}"#, "a string"),
            ("[]", "an object"),
            ("{", "EOF"),
            ("{} x", "trailing characters"),
        ] {
            let error = span(text).unwrap_err().to_string();
            assert!(error.starts_with("expected OTLP as JSON (") && error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_reason_does_not_repeat_a_whole_body() {
        let text = format!(r#"{{"spanId": "{}"}}"#, "x".repeat(1_000_000));
        assert!(span(&text).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn depth_is_bounded() {
        let deep =
            format!("{{\"attributes\":[{{\"value\":{}", "{\"arrayValue\":{\"values\":[".repeat(100_000));
        assert!(span(&deep).unwrap_err().to_string().contains("recursion limit"));
    }
}
