//! Columns under construction and their bytes in a Native block.

use super::dictionary::Dictionary;
use super::shape::Shapes;

/// Keys are 8, 16 or 32 bits wide (low byte); the dictionary travels with the block and is new in it.
const HAS_KEYS: u64 = 0x200;
const NEW_DICTIONARY: u64 = 0x400;
/// The only version of LowCardinality serialization there is.
const SHARED_DICTIONARIES: u64 = 1;

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Fixed-width numbers, all of one width: UInt64, DateTime64, Float64 and offsets; 32 bits; 8 bits.
#[derive(Debug, Default)]
pub struct Words(Vec<u8>);

impl Words {
    #[inline]
    pub fn push(&mut self, value: u64) {
        put_u64(&mut self.0, value);
    }

    #[inline]
    pub fn push_double(&mut self, value: f64) {
        self.push(value.to_bits());
    }

    #[inline]
    pub fn push_32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    pub fn push_8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// String: a length and its bytes, one after another.
#[derive(Debug, Default)]
pub struct Strings(Vec<u8>);

impl Strings {
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        put_text(&mut self.0, text);
    }

    /// Appends bytes that are strings of a column already.
    pub fn extend(&mut self, column: &[u8]) {
        self.0.extend_from_slice(column);
    }

    /// Lower-case hexadecimal.
    #[inline]
    pub fn push_hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        put_varint(&mut self.0, bytes.len() as u64 * 2);
        self.0.extend(
            bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        );
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// LowCardinality(String).
#[derive(Debug, Default)]
pub struct LowCardinality {
    dictionary: Dictionary,
    places: Vec<u32>,
}

impl LowCardinality {
    /// A column of known words: the first is at place 1, and so on.
    pub fn of(words: &[&str]) -> Self {
        let mut column = Self::default();
        for word in words {
            column.dictionary.place(word.as_bytes());
        }
        column
    }

    #[inline]
    pub fn push(&mut self, word: &[u8]) {
        let place = self.dictionary.place(word);
        self.places.push(place);
    }

    #[inline]
    pub fn push_place(&mut self, place: u32) {
        self.places.push(place);
    }

    pub fn place(&mut self, word: &[u8]) -> u32 {
        self.dictionary.place(word)
    }

    pub fn extend(&mut self, places: &[u32]) {
        self.places.extend_from_slice(places);
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn put_prefix(out: &mut Vec<u8>) {
        put_u64(out, SHARED_DICTIONARIES);
    }

    /// An empty column has no bytes at all.
    pub fn put(&self, out: &mut Vec<u8>) {
        if self.places.is_empty() {
            return;
        }
        let words = self.dictionary.len();
        let width = if words <= 1 << 8 { 0 } else { u64::from(words > 1 << 16) + 1 };
        put_u64(out, HAS_KEYS | NEW_DICTIONARY | width);
        put_u64(out, words as u64);
        out.extend_from_slice(self.dictionary.words().bytes());
        put_u64(out, self.places.len() as u64);
        match width {
            0 => out.extend(self.places.iter().map(|place| (place & 0xff) as u8)),
            1 => out.extend(self.places.iter().flat_map(|place| ((place & 0xffff) as u16).to_le_bytes())),
            _ => out.extend(self.places.iter().flat_map(|place| place.to_le_bytes())),
        }
    }
}

/// Map(LowCardinality(String), String): where each row ends, all keys, all values.
#[derive(Debug, Default)]
pub struct Map {
    ends: Words,
    pub keys: LowCardinality,
    pub values: Strings,
    pub shapes: Shapes,
}

impl Map {
    /// Ends the row: what was pushed to keys and values since the last end is its content.
    #[inline]
    pub fn end_row(&mut self) {
        self.ends.push(self.keys.len() as u64);
    }

    pub fn size(&self) -> usize {
        self.values.bytes().len() + self.keys.len() * 4 + self.ends.bytes().len()
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.ends.bytes());
        self.keys.put(out);
        out.extend_from_slice(self.values.bytes());
    }
}

/// Array(UInt64) or Array(Float64): where each row ends, all items.
#[derive(Debug, Default)]
pub struct WordArrays {
    ends: Words,
    items: Words,
    count: u64,
}

impl WordArrays {
    /// One row; the items are the bits of its numbers.
    #[inline]
    pub fn push(&mut self, items: &[u64]) {
        for &item in items {
            self.items.push(item);
        }
        self.count += items.len() as u64;
        self.ends.push(self.count);
    }

    pub fn parts(&self) -> [&[u8]; 2] {
        [self.ends.bytes(), self.items.bytes()]
    }

    pub fn size(&self) -> usize {
        self.ends.bytes().len() + self.items.bytes().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low_cardinality(words: &[&str]) -> Vec<u8> {
        let mut column = LowCardinality::default();
        for word in words {
            column.push(word.as_bytes());
        }
        let mut out = Vec::new();
        LowCardinality::put_prefix(&mut out);
        column.put(&mut out);
        out
    }

    #[test]
    fn low_cardinality_as_clickhouse_writes_it() {
        let expected = b"\x01\0\0\0\0\0\0\0\x00\x06\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x00\x010\x011\x03\0\0\0\0\0\0\0\x01\x02\x01";
        assert_eq!(low_cardinality(&["0", "1", "0"]), expected);
        assert_eq!(low_cardinality(&[]), b"\x01\0\0\0\0\0\0\0");
    }

    #[test]
    fn keys_widen_with_the_dictionary() {
        for (words, width) in [(255_usize, 0_u8), (256, 1), (65_535, 1), (65_536, 2)] {
            let words: Vec<String> = (1..=words).map(|word| word.to_string()).collect();
            let bytes = low_cardinality(&words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(bytes[8], width, "{} words", words.len());
        }
    }

    #[test]
    fn map_as_clickhouse_writes_it() {
        let mut map = Map::default();
        for _ in 0..2 {
            for (key, value) in [("k", "v"), ("k2", "w")] {
                map.keys.push(key.as_bytes());
                map.values.push(value.as_bytes());
            }
            map.end_row();
        }
        let mut out = Vec::new();
        map.put(&mut out);
        let expected = b"\x02\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x00\x06\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x00\x01k\x02k2\x04\0\0\0\0\0\0\0\x01\x02\x01\x02\x01v\x01w\x01v\x01w";
        assert_eq!(out, expected);
    }

    #[test]
    fn hex_is_lower_case() {
        let mut strings = Strings::default();
        strings.push_hex(&[0xAB, 0x01]);
        assert_eq!(strings.bytes(), b"\x04ab01");
    }
}
