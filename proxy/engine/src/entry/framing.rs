//! Follows the framing of the requests on one HTTP/1 connection and says which bytes a parser may have.
//!
//! In: the bytes as they arrive, in pieces of any size. Out: how many of them are cleared; the rest is shown again with
//! more behind it. Never: a part of a head before the whole head has been checked.

use memchr::memchr_iter;

use crate::entry::chunk::{self, Line};
use crate::entry::fault::Fault;
use crate::entry::head::{self, Ending, METHOD};
use crate::entry::limits::HeadLimits;

/// What a request line holds beside its method and target: two spaces, the version and the line end.
const REQUEST_LINE_REST: usize = 12;

/// Why nothing after the cleared bytes may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The head can be read, and is among the cleared bytes; its request is answered with the fault.
    Answer(Fault),
    /// The head cannot be read, and is withheld.
    Withhold(Fault),
    /// The body of a request that has begun cannot be read on.
    Break(Fault),
}

/// What a parser may have of the bytes that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared {
    pub bytes: usize,
    pub stop: Option<Stop>,
}

/// Where in a request the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
}

/// How far an incomplete head has been looked through.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    scanned: usize,
    line: usize,
    lines: usize,
    bare_line_feed: bool,
}

pub struct Framing {
    place: Place,
    limits: HeadLimits,
    look: Look,
    /// An empty line stood before the request line.
    led: bool,
    trailer_bytes: usize,
}

impl Framing {
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            place: Place::Head,
            limits,
            look: Look::default(),
            led: false,
            trailer_bytes: 0,
        }
    }

    /// Takes the bytes after those cleared last; what is not cleared comes again, with more behind it.
    pub fn clear(&mut self, bytes: &[u8]) -> Cleared {
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(0) => break,
                Ok(more) => at += more,
                Err(Stop::Answer(fault)) => {
                    let end = at + self.look.scanned;
                    return Cleared {
                        bytes: end,
                        stop: Some(Stop::Answer(fault)),
                    };
                }
                Err(stop) => {
                    return Cleared {
                        bytes: at,
                        stop: Some(stop),
                    };
                }
            }
        }
        Cleared {
            bytes: at,
            stop: None,
        }
    }

    /// No request has begun that is not cleared to its end.
    #[must_use]
    pub fn between_requests(&self) -> bool {
        self.place == Place::Head && self.look.scanned == 0
    }

    /// A head has begun, and its end has not been seen.
    #[must_use]
    pub fn within_head(&self) -> bool {
        self.place == Place::Head && self.look.scanned > 0
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        match self.place {
            Place::Head => self.head(bytes),
            Place::Body(left) => Ok(self.pass(bytes, left, Place::Body, Place::Head)),
            Place::Chunk(left) => Ok(self.pass(bytes, left, Place::Chunk, Place::ChunkEnd)),
            Place::ChunkSize => self.chunk_size(bytes),
            Place::ChunkEnd => self.chunk_end(bytes),
            Place::Trailers => self.trailer(bytes),
        }
    }

    fn pass(&mut self, bytes: &[u8], left: u64, more: fn(u64) -> Place, end: Place) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.place = if left > 0 { more(left) } else { end };
        taken
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        let from = self.look.scanned;
        for line_feed in memchr_iter(b'\n', &bytes[from..]).map(|place| from + place) {
            let line = &bytes[self.look.line..line_feed];
            let (line, bare) = match line.strip_suffix(b"\r") {
                Some(line) => (line, false),
                None => (line, true),
            };
            self.look.bare_line_feed |= bare;
            self.look.line = line_feed + 1;
            if !line.is_empty() {
                self.look.lines += 1;
            } else if self.look.lines == 0 {
                return self.leading_line(line_feed + 1, bare);
            } else {
                return self.whole_head(&bytes[..=line_feed]);
            }
        }
        self.look.scanned = bytes.len();
        self.incomplete(bytes)
            .map_or(Ok(0), |fault| Err(Stop::Withhold(fault)))
    }

    /// One empty line before a request is ignored (RFC 9112, 2.2); the parser skips it too.
    fn leading_line(&mut self, length: usize, bare: bool) -> Result<usize, Stop> {
        if bare || self.led {
            return Err(Stop::Withhold(Fault::bad(
                "empty lines where a request should begin",
            )));
        }
        self.led = true;
        self.look = Look::default();
        Ok(length)
    }

    fn whole_head(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        let look = std::mem::take(&mut self.look);
        self.led = false;
        if bytes.len() > self.limits.bytes {
            return Err(Stop::Withhold(Fault::LARGE_HEAD));
        }
        let head = head::read(bytes, self.limits).map_err(Stop::Withhold)?;
        let bare = look
            .bare_line_feed
            .then_some(Fault::bad("a line that does not end in CR LF"));
        if let Some(fault) = bare.or(head.fault) {
            self.look.scanned = bytes.len();
            return Err(Stop::Answer(fault));
        }
        self.place = match head.ending {
            Ending::AtOnce => Place::Head,
            Ending::After(length) => Place::Body(length),
            Ending::Chunked => Place::ChunkSize,
        };
        Ok(bytes.len())
    }

    /// What can be said against a head before its end is there.
    fn incomplete(&self, bytes: &[u8]) -> Option<Fault> {
        if !may_begin(bytes) {
            return Some(Fault::bad("something that is not HTTP"));
        }
        let longest = self.limits.uri_bytes + METHOD + REQUEST_LINE_REST;
        if self.look.lines == 0 && bytes.len() > longest {
            return Some(Fault::LONG_URI);
        }
        if bytes.len() > self.limits.bytes {
            return Some(Fault::LARGE_HEAD);
        }
        (self.look.lines > self.limits.headers + 1).then_some(Fault::MANY_HEADERS)
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        match chunk::size(bytes) {
            Line::Partial => Ok(0),
            Line::Whole(0, length) => {
                self.place = Place::Trailers;
                self.trailer_bytes = 0;
                Ok(length)
            }
            Line::Whole(size, length) => {
                self.place = Place::Chunk(size);
                Ok(length)
            }
            Line::Bad(problem) => Err(Stop::Break(Fault::bad(problem))),
        }
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        match bytes {
            [b'\r'] => Ok(0),
            [b'\r', b'\n', ..] => {
                self.place = Place::ChunkSize;
                Ok(2)
            }
            _ => Err(Stop::Break(Fault::bad(
                "a chunk that is longer than its size",
            ))),
        }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        match chunk::trailer(bytes) {
            Line::Partial if self.trailer_bytes + bytes.len() <= self.limits.bytes => Ok(0),
            Line::Whole(0, length) => {
                self.place = Place::Head;
                Ok(length)
            }
            Line::Whole(_, length) if self.trailer_bytes + length <= self.limits.bytes => {
                self.trailer_bytes += length;
                Ok(length)
            }
            Line::Partial | Line::Whole(..) => Err(Stop::Break(Fault::new(
                crate::reasons::Reason::HeadersTooLarge,
                "trailers of more bytes than limits.headerBytes",
            ))),
            Line::Bad(problem) => Err(Stop::Break(Fault::bad(problem))),
        }
    }
}

/// Whether a request may begin so: with a method, or with the line end that may lead it.
fn may_begin(bytes: &[u8]) -> bool {
    let method = &bytes[..bytes.len().min(METHOD)];
    match method.iter().position(|byte| !byte.is_ascii_graphic()) {
        None => method.len() < METHOD,
        Some(0) => bytes == b"\r",
        Some(end) => method[end] == b' ',
    }
}

#[cfg(test)]
mod tests;
