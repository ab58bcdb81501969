//! Where a Native block ends: walks the columns by type, since a block does not say its length.

use std::ops::Range;

use super::types::Type;
use crate::error::{Error, Result};

const HAS_KEYS: u64 = 0x200;
const GLOBAL_DICTIONARY: u64 = 0x100;

/// What keeps a walk from its end: bytes that have not come yet, or bytes that are no block.
enum Stop {
    Short,
    Bad(Error),
}

type Walked<T> = std::result::Result<T, Stop>;

/// Length of the first whole block in `data`; 0 when it is not whole yet.
pub fn native_block_length(data: &[u8]) -> Result<usize> {
    let mut walk = Walk { data, at: 0 };
    match walk.block(&mut |_, _| ()) {
        Ok(()) => Ok(walk.at),
        Err(Stop::Short) => Ok(0),
        Err(Stop::Bad(error)) => Err(error),
    }
}

/// Names and types of the columns of the first block in `data`, which has to be whole.
pub fn native_columns(data: &[u8]) -> Result<Vec<(String, String)>> {
    let mut walk = Walk { data, at: 0 };
    let mut columns = Vec::new();
    let text = |range: Range<usize>| String::from_utf8_lossy(&data[range]).into_owned();
    match walk.block(&mut |name, kind| columns.push((text(name), text(kind)))) {
        Ok(()) => Ok(columns),
        Err(Stop::Short) => Err(Error::malformed("expected a whole block", data.len())),
        Err(Stop::Bad(error)) => Err(error),
    }
}

/// Where the first block in `data` ends, and where the type of each of its columns does. It has to be whole.
pub(super) fn native_type_ends(data: &[u8]) -> Result<(usize, Vec<usize>)> {
    let mut walk = Walk { data, at: 0 };
    let mut ends = Vec::new();
    match walk.block(&mut |_, kind| ends.push(kind.end)) {
        Ok(()) => Ok((walk.at, ends)),
        Err(Stop::Short) => Err(Error::malformed("expected a whole block", walk.at)),
        Err(Stop::Bad(error)) => Err(error),
    }
}

struct Walk<'a> {
    data: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    /// `seen` is told where the name and the type of each column stand.
    fn block(&mut self, seen: &mut dyn FnMut(Range<usize>, Range<usize>)) -> Walked<()> {
        let columns = self.varint()?;
        let rows = self.varint()?;
        for _ in 0..columns {
            let name = self.text()?;
            let offset = self.at;
            let kind = self.type_name()?;
            seen(name, self.at - kind.len()..self.at);
            let kind = Type::parse(&kind, offset).map_err(Stop::Bad)?;
            if rows > 0 {
                self.prefix(&kind)?;
                self.values(&kind, rows)?;
            }
        }
        Ok(())
    }

    fn type_name(&mut self) -> Walked<String> {
        let offset = self.at;
        let length = self.varint()?;
        let bytes = self.skip(length)?;
        let name = std::str::from_utf8(bytes);
        name.map(str::to_owned)
            .map_err(|_| Stop::Bad(Error::malformed("expected the name of a type", offset)))
    }

    /// What stands before a column's values: the serialization version of each dictionary in it.
    fn prefix(&mut self, kind: &Type) -> Walked<()> {
        match kind {
            Type::Fixed(_) | Type::Text => Ok(()),
            Type::Nullable(inner) | Type::Array(inner) => self.prefix(inner),
            Type::Tuple(elements) => elements.iter().try_for_each(|element| self.prefix(element)),
            Type::LowCardinality(_) => {
                let offset = self.at;
                match self.number()? {
                    1 => Ok(()),
                    version => {
                        Err(bad(format!("expected LowCardinality version 1, found {version}"), offset))
                    }
                }
            }
        }
    }

    fn values(&mut self, kind: &Type, count: u64) -> Walked<()> {
        match kind {
            Type::Fixed(width) => self.skip(self.times(count, *width as u64)?).map(drop),
            Type::Text => (0..count).try_for_each(|_| self.text().map(drop)),
            Type::Nullable(inner) => {
                self.skip(count)?;
                self.values(inner, count)
            }
            Type::Tuple(elements) => elements.iter().try_for_each(|element| self.values(element, count)),
            Type::Array(inner) => {
                let items = self.last_end(count)?;
                self.values(inner, items)
            }
            Type::LowCardinality(inner) => self.dictionaries(inner, count),
        }
    }

    /// Skips the ends of `count` arrays and tells how many items they hold together.
    fn last_end(&mut self, count: u64) -> Walked<u64> {
        let ends = self.skip(self.times(count, 8)?)?;
        Ok(ends.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end)))
    }

    fn dictionaries(&mut self, inner: &Type, count: u64) -> Walked<()> {
        let words = if let Type::Nullable(inner) = inner { inner } else { inner };
        let mut left = count;
        while left > 0 {
            let offset = self.at;
            let flags = self.number()?;
            let width = match flags & 0xff {
                width @ 0..=3 => 1_u64 << width,
                width => {
                    return Err(bad(
                        format!("expected a LowCardinality key type of 0 to 3, found {width}"),
                        offset,
                    ));
                }
            };
            if flags & GLOBAL_DICTIONARY != 0 {
                return Err(bad("expected LowCardinality without a global dictionary".to_owned(), offset));
            }
            if flags & HAS_KEYS != 0 {
                let keys = self.number()?;
                self.values(words, keys)?;
            }
            let offset = self.at;
            let rows = self.number()?;
            if rows == 0 || rows > left {
                return Err(bad(format!("expected 1 to {left} LowCardinality keys, found {rows}"), offset));
            }
            self.skip(self.times(rows, width)?)?;
            left -= rows;
        }
        Ok(())
    }

    fn text(&mut self) -> Walked<Range<usize>> {
        let length = self.varint()?;
        let start = self.at;
        self.skip(length)?;
        Ok(start..self.at)
    }

    fn times(&self, count: u64, width: u64) -> Walked<u64> {
        count.checked_mul(width).ok_or_else(|| bad(format!("expected fewer than {count} values"), self.at))
    }

    fn skip(&mut self, count: u64) -> Walked<&[u8]> {
        let end =
            usize::try_from(count).ok().and_then(|count| self.at.checked_add(count)).ok_or(Stop::Short)?;
        let bytes = self.data.get(self.at..end).ok_or(Stop::Short)?;
        self.at = end;
        Ok(bytes)
    }

    fn number(&mut self) -> Walked<u64> {
        let bytes = self.skip(8)?;
        Ok(bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    fn varint(&mut self) -> Walked<u64> {
        let offset = self.at;
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.data.get(self.at).ok_or(Stop::Short)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(bad("expected a varint of at most 64 bits".to_owned(), offset))
    }
}

fn bad(what: String, offset: usize) -> Stop {
    Stop::Bad(Error::malformed(what, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SELECT cast([map('k','v')], 'Array(Map(LowCardinality(String), String))') AS a FROM numbers(2)` by ClickHouse.
    const NESTED: &[u8] = b"\x01\x02\x01a*Array(Map(LowCardinality(String), String))\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x00\x06\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x00\x01k\x02\0\0\0\0\0\0\0\x01\x01\x01v\x01v";

    #[test]
    fn ends_where_clickhouse_ended() {
        let followed = [NESTED, b"next"].concat();
        assert_eq!(native_block_length(&followed), Ok(NESTED.len()));
        assert_eq!(native_block_length(b"\0\0rest"), Ok(2));
    }

    #[test]
    fn a_part_of_a_block_is_not_whole() {
        for end in 0..NESTED.len() {
            assert_eq!(native_block_length(&NESTED[..end]), Ok(0), "{end}");
        }
    }

    #[test]
    fn columns_are_those_of_the_first_block() {
        let two = [b"\x02\x01\x01a\x05UInt8\x07\x03b b\x06String\x01x", NESTED].concat();
        let named = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        assert_eq!(native_columns(&two), Ok(vec![named("a", "UInt8"), named("b b", "String")]));
        assert_eq!(native_columns(b"\0\0"), Ok(vec![]));
        assert!(native_columns(&NESTED[..NESTED.len() - 1]).is_err());
    }

    #[test]
    fn counts_beyond_the_data_are_bounded() {
        let huge = b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a\x06UInt64";
        assert!(native_block_length(huge).is_err());
        let strings = b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a\x06String\x00";
        assert_eq!(native_block_length(strings), Ok(0));
    }

    #[test]
    fn an_unknown_type_is_named() {
        let error = native_block_length(b"\x01\x01\x01a\x04JSON").unwrap_err();
        assert!(error.to_string().contains("\"JSON\""), "{error}");
    }
}
