//! Follows the framing of the requests on one HTTP/1 connection and notices what the parser forgives.
//!
//! In: the bytes as they arrive, in pieces of any size. Out: the first ambiguity (RFC 9112, 6.3: both Content-Length and
//! Transfer-Encoding, or a length given twice). Never: a change to the bytes; what is not HTTP is the parser's to refuse.

/// Bytes of a line that are kept: enough for a framing header; a longer one is refused.
const LINE: usize = 128;

/// Why the end of a request could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ambiguity {
    LengthAndEncoding = 1,
    TwoLengths,
    LongFramingHeader,
}

impl Ambiguity {
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::LengthAndEncoding => "both Content-Length and Transfer-Encoding",
            Self::TwoLengths => "more than one Content-Length",
            Self::LongFramingHeader => "a Content-Length or Transfer-Encoding of absurd length",
        }
    }
}

/// Where in a request the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    RequestLine,
    Header,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailer,
    /// Not HTTP from here on: the parser refuses it, or the connection has switched protocols.
    Lost,
}

pub struct Framing {
    place: Place,
    line: Vec<u8>,
    /// The line was longer than what is kept of it.
    cut: bool,
    lengths: u32,
    length: u64,
    chunked: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            place: Place::RequestLine,
            line: Vec::new(),
            cut: false,
            lengths: 0,
            length: 0,
            chunked: false,
        }
    }
}

impl Framing {
    /// Takes the next bytes of the connection.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguity> {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Lost => return Ok(()),
                Place::Body(left) => self.skip(bytes, left, Place::Body, Place::RequestLine),
                Place::Chunk(left) => self.skip(bytes, left, Place::Chunk, Place::ChunkSize),
                _ => self.read_line(bytes)?,
            };
        }
        Ok(())
    }

    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        more: fn(u64) -> Place,
        end: Place,
    ) -> &'a [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.place = if left > 0 { more(left) } else { end };
        &bytes[taken..]
    }

    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Ambiguity> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.keep(bytes);
            return Ok(&[]);
        };
        if self.line.is_empty() {
            // The usual case: the whole line is here, and nothing is copied.
            self.cut = false;
            self.line_ended(bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]))?;
        } else {
            self.keep(&bytes[..end]);
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            self.line_ended(&line)?;
            line.clear();
            self.line = line;
            self.cut = false;
        }
        Ok(&bytes[end + 1..])
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE - self.line.len();
        self.cut |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn line_ended(&mut self, line: &[u8]) -> Result<(), Ambiguity> {
        match self.place {
            // Empty lines before a request are ignored (RFC 9112, 2.2).
            Place::RequestLine if !line.is_empty() => self.place = Place::Header,
            Place::Header if line.is_empty() => return self.head_ended(),
            Place::Header => return self.header(line),
            Place::ChunkSize => self.place = chunk(line),
            Place::Trailer if line.is_empty() => self.place = Place::RequestLine,
            _ => {}
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguity> {
        let name_end = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (name, value) = line.split_at(name_end);
        let framing = if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value)
                .unwrap_or("")
                .trim_start_matches(':')
                .trim();
            self.lengths += 1;
            self.length = digits.parse().unwrap_or(0);
            true
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
            true
        } else {
            false
        };
        if framing && (self.cut || line.len() > LINE) {
            return Err(Ambiguity::LongFramingHeader);
        }
        Ok(())
    }

    fn head_ended(&mut self) -> Result<(), Ambiguity> {
        let head = std::mem::take(self);
        if head.chunked && head.lengths > 0 {
            return Err(Ambiguity::LengthAndEncoding);
        }
        if head.lengths > 1 {
            return Err(Ambiguity::TwoLengths);
        }
        self.line = head.line;
        self.place = match (head.chunked, head.length) {
            (true, _) => Place::ChunkSize,
            (false, 0) => Place::RequestLine,
            (false, length) => Place::Body(length),
        };
        Ok(())
    }
}

/// What follows a line with a chunk's size: its bytes and the line end after them, or the trailers.
fn chunk(line: &[u8]) -> Place {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let size = std::str::from_utf8(&line[..digits]).ok();
    match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
        Some(0) => Place::Trailer,
        Some(size) => size.checked_add(2).map_or(Place::Lost, Place::Chunk),
        None => Place::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict must not depend on how the bytes were cut.
    fn verdict(bytes: &[u8]) -> Result<(), Ambiguity> {
        let whole = Framing::default().follow(bytes);
        for size in [1, 2, 7] {
            let mut framing = Framing::default();
            let pieces = bytes
                .chunks(size)
                .try_for_each(|piece| framing.follow(piece));
            assert_eq!(pieces, whole, "in pieces of {size}");
        }
        whole
    }

    const SMUGGLED: &str =
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn length_and_encoding_together_are_ambiguous() {
        assert_eq!(
            verdict(SMUGGLED.as_bytes()),
            Err(Ambiguity::LengthAndEncoding)
        );
        let turned = b"POST / HTTP/1.1\ntransfer-encoding:chunked\ncontent-LENGTH:4\n\n";
        assert_eq!(verdict(turned), Err(Ambiguity::LengthAndEncoding));
    }

    #[test]
    fn a_length_given_twice_is_ambiguous_even_when_equal() {
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n";
        assert_eq!(verdict(twice), Err(Ambiguity::TwoLengths));
    }

    #[test]
    fn a_framing_header_of_absurd_length_is_refused() {
        let long = format!(
            "POST / HTTP/1.1\r\nContent-Length: {}4\r\n\r\n",
            "0".repeat(300)
        );
        assert_eq!(verdict(long.as_bytes()), Err(Ambiguity::LongFramingHeader));
        let other = format!("GET / HTTP/1.1\r\ncookie: {}\r\n\r\n", "0".repeat(300));
        assert_eq!(verdict(other.as_bytes()), Ok(()));
    }

    #[test]
    fn bodies_are_not_taken_for_requests() {
        let length = SMUGGLED.len();
        let sized = format!(
            "POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}GET / HTTP/1.1\r\n\r\n"
        );
        assert_eq!(verdict(sized.as_bytes()), Ok(()));
        let chunks =
            format!("{length:x};x=y\r\n{SMUGGLED}\r\n0\r\ncontent-length: 1\r\ntrailer: x\r\n\r\n");
        let chunked = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(verdict(chunked.as_bytes()), Ok(()));
        assert_eq!(
            verdict([&chunked, SMUGGLED].concat().as_bytes()),
            Err(Ambiguity::LengthAndEncoding)
        );
        assert_eq!(
            verdict([&sized, SMUGGLED].concat().as_bytes()),
            Err(Ambiguity::LengthAndEncoding)
        );
    }

    #[test]
    fn noise_is_the_parsers_to_refuse() {
        for noise in [
            &b"\x16\x03\x01\x02\x00\x01\n\n\n"[..],
            b"\n\n\n\r\n",
            b"POST / HTTP/1.1\ntransfer-encoding: chunked\n\nzz\n",
        ] {
            assert_eq!(verdict(noise), Ok(()));
        }
    }
}
