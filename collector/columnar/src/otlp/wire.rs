//! Protobuf wire format, read in place: each field is a number or a window on the body, nothing is copied.
//!
//! Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused; OTLP has none.

use crate::error::{Error, Result};

/// A window on the body that holds one message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Window(Reader<'a>),
}

#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub number: u64,
    at: usize,
    wire: Wire<'a>,
}

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, end: body.len() }
    }

    pub fn offset(&self) -> usize {
        self.at
    }

    pub fn bytes(&self) -> &'a [u8] {
        &self.body[self.at..self.end]
    }

    #[inline]
    pub fn field(&mut self) -> Result<Option<Field<'a>>> {
        if self.at == self.end {
            return Ok(None);
        }
        let at = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Error::malformed("expected a protobuf field, found field number 0", at));
        }
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take()?)),
            2 => Wire::Window(self.window()?),
            5 => {
                self.take::<4>()?;
                Wire::Fixed32
            }
            other => {
                return Err(Error::malformed(
                    format!("expected a wire type of 0, 1, 2 or 5, found {other}"),
                    at,
                ));
            }
        };
        Ok(Some(Field { number, at, wire }))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.body[..self.end].get(self.at) else {
                return Err(Error::malformed(
                    "expected the rest of a varint, found the end of the message",
                    start,
                ));
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                if shift == 63 && byte > 1 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(Error::malformed("expected a varint of at most 64 bits", start))
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some(bytes) = self.body[self.at..self.end].first_chunk::<N>() else {
            return Err(Error::malformed(
                format!("expected {N} bytes, found the end of the message"),
                self.at,
            ));
        };
        self.at += N;
        Ok(*bytes)
    }

    #[inline]
    fn window(&mut self) -> Result<Self> {
        let start = self.at;
        let length = self.varint()?;
        let room = self.end - self.at;
        let Some(length) = usize::try_from(length).ok().filter(|&length| length <= room) else {
            return Err(Error::malformed(format!("expected {length} bytes, only {room} are left"), start));
        };
        let window = Self { body: self.body, at: self.at, end: self.at + length };
        self.at += length;
        Ok(window)
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
    pub fn message(&self) -> Result<Reader<'a>> {
        match self.wire {
            Wire::Window(reader) => Ok(reader),
            _ => Err(self.expected("a length and its bytes")),
        }
    }

    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8]> {
        self.message().map(|reader| reader.bytes())
    }

    #[cold]
    fn expected(&self, what: &str) -> Error {
        Error::malformed(format!("expected field {} as {what}", self.number), self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &[u8]) -> Result<Vec<u64>> {
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
            (&[0x08][..], "expected the rest of a varint, found the end of the message at byte 1"),
            (&[0x1a, 5, b'h'], "expected 5 bytes, only 1 are left at byte 1"),
            (&[0x0b], "expected a wire type of 0, 1, 2 or 5, found 3 at byte 0"),
            (&[0x02, 0], "expected a protobuf field, found field number 0 at byte 0"),
            (&[0x11, 1], "expected 8 bytes, found the end of the message at byte 1"),
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
        let field = Reader::new(&[0x08, 1]).field().unwrap().unwrap();
        assert_eq!(
            field.bytes().unwrap_err().to_string(),
            "expected field 1 as a length and its bytes at byte 0"
        );
    }
}
