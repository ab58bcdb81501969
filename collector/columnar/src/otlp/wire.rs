//! Protobuf wire format, read in place: each field is a number or a window on the body, nothing is copied.
//!
//! Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused; OTLP has none.

use crate::error::{Address, Error, Result};

/// What is left to read of one message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Window(&'a [u8]),
}

#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub number: u64,
    wire: Wire<'a>,
    at: Address,
}

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// Where it begins, for errors.
    #[inline]
    pub fn address(&self) -> Address {
        Address::of(self.rest)
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "left to itself the compiler calls it, which halves the encoder's speed"
    )]
    pub fn field(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let at = self.address();
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(*self.take()?)),
            2 => Wire::Window(self.window()?),
            5 => Wire::Fixed32(u32::from_le_bytes(*self.take()?)),
            other => {
                let what = format!("expected a field of wire type 0, 1, 2 or 5, found {other}");
                return Err(Error::malformed(what, at));
            }
        };
        let number = tag >> 3;
        if number == 0 {
            return Err(Error::malformed("expected a field, found number 0", at));
        }
        Ok(Some(Field { number, wire, at }))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 && (place < 9 || byte <= 1) {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(self.error(if self.rest.len() < 10 {
            "expected a whole varint, found the end of the message"
        } else {
            "expected a varint of at most 64 bits"
        }))
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(&format!("expected {N} bytes, found {}", self.rest.len())));
        };
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn window(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((window, rest)) = split else {
            return Err(self.error(&format!("expected {length} bytes, found {}", self.rest.len())));
        };
        self.rest = rest;
        Ok(window)
    }

    #[cold]
    fn error(&self, what: &str) -> Error {
        Error::malformed(what, self.address())
    }
}

impl<'a> Field<'a> {
    #[inline]
    pub fn varint(&self) -> Result<u64> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.expected("a varint")),
        }
    }

    #[inline]
    pub fn fixed64(&self) -> Result<u64> {
        match self.wire {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(self.expected("8 fixed bytes")),
        }
    }

    #[inline]
    pub fn fixed32(&self) -> Result<u32> {
        match self.wire {
            Wire::Fixed32(value) => Ok(value),
            _ => Err(self.expected("4 fixed bytes")),
        }
    }

    #[inline]
    pub fn double(&self) -> Result<f64> {
        self.fixed64().map(f64::from_bits)
    }

    /// sint32: zigzag, the lowest bit is the sign.
    pub fn zigzag(&self) -> Result<i32> {
        let bits = low_32(self.varint()?);
        Ok((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()))
    }

    /// Adds repeated fixed64 or double, packed or one at a time, as bits.
    pub fn repeated_fixed64(&self, items: &mut Vec<u64>) -> Result<()> {
        let Wire::Window(packed) = self.wire else {
            items.push(self.fixed64()?);
            return Ok(());
        };
        let (whole, rest) = packed.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(self.expected("packed numbers of 8 bytes each"));
        }
        items.extend(whole.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        Ok(())
    }

    /// Adds repeated uint64, packed or one at a time.
    pub fn repeated_varint(&self, items: &mut Vec<u64>) -> Result<()> {
        let Wire::Window(packed) = self.wire else {
            items.push(self.varint()?);
            return Ok(());
        };
        let mut reader = Reader::new(packed);
        while !reader.rest.is_empty() {
            items.push(reader.varint()?);
        }
        Ok(())
    }

    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8]> {
        match self.wire {
            Wire::Window(bytes) => Ok(bytes),
            _ => Err(self.expected("a length and its bytes")),
        }
    }

    #[inline]
    pub fn message(&self) -> Result<Reader<'a>> {
        self.bytes().map(|rest| Reader { rest })
    }

    #[cold]
    fn expected(&self, what: &str) -> Error {
        Error::malformed(format!("expected {what} in field {}", self.number), self.at)
    }
}

/// Fields of 32 bits travel as varints; of wider ones protobuf keeps the low bits.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
pub fn low_32(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &[u8]) -> Result<Vec<u64>> {
        walk(body).map_err(|error| error.within(body))
    }

    fn walk(body: &[u8]) -> Result<Vec<u64>> {
        let mut reader = Reader::new(body);
        let mut numbers = Vec::new();
        while let Some(field) = reader.field()? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn reads_each_wire_type() {
        let body = [&[0x08, 0x96, 0x01, 0x11][..], &[1; 8], &[0x1a, 2, b'h', b'i', 0x25], &[0; 4]].concat();
        assert_eq!(fields(&body), Ok(vec![1, 2, 3, 4]));
        let mut reader = Reader::new(&body);
        assert_eq!(reader.field().unwrap().unwrap().varint(), Ok(150));
        assert_eq!(reader.field().unwrap().unwrap().fixed64(), Ok(0x0101_0101_0101_0101));
        assert_eq!(reader.field().unwrap().unwrap().bytes(), Ok(&b"hi"[..]));
    }

    #[test]
    fn says_what_was_expected_and_where() {
        for (body, message) in [
            (&[0x08][..], "expected a whole varint, found the end of the message at byte 1"),
            (&[0x1a, 5, b'h'], "expected 5 bytes, found 1 at byte 2"),
            (&[0x0b], "expected a field of wire type 0, 1, 2 or 5, found 3 at byte 0"),
            (&[0x02, 0], "expected a field, found number 0 at byte 0"),
            (&[0x11, 1], "expected 8 bytes, found 1 at byte 1"),
        ] {
            assert_eq!(fields(body).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn holds_64_bits_and_no_more() {
        let widest = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
        assert_eq!(Reader::new(&widest).field().unwrap().unwrap().varint(), Ok(u64::MAX));
        let wider = [&[0x08][..], &[0xff; 9], &[0x02]].concat();
        assert!(Reader::new(&wider).field().is_err());
    }

    #[test]
    fn a_field_of_another_type_is_an_error() {
        let body = [0x08, 1];
        let field = Reader::new(&body).field().unwrap().unwrap();
        let error = field.bytes().unwrap_err().within(&body);
        assert_eq!(error.to_string(), "expected a length and its bytes in field 1 at byte 0");
    }
}
