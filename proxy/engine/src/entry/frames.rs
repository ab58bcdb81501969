//! Counts the frames of one direction of an HTTP/2 connection by what they do for a request (RFC 9113, 4.1 and 6).
//!
//! In: the bytes as they pass, in pieces of any size. Out: how many frames carry a request or response on, and how many
//! only cost work. Never: a look into a payload; that is the protocol's.

/// What a client sends first (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const END_STREAM: u8 = 0x1;

/// Where the frames of one direction stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boundary {
    /// Bytes of the frame (or of the preface) that are still to come.
    left: usize,
    header: [u8; HEADER],
    known: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Frames that carry something: `DATA` with bytes or an end, and `HEADERS`.
    pub carrying: u32,
    /// All others: `PING`, `SETTINGS`, `RST_STREAM`, `WINDOW_UPDATE`, `CONTINUATION`, empty `DATA` and so on.
    pub idle: u32,
}

impl Boundary {
    /// Of the direction that begins with the preface.
    #[must_use]
    pub fn after_preface() -> Self {
        Self {
            left: PREFACE.len(),
            ..Self::default()
        }
    }

    /// Whether another frame may be sent here.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left == 0 && self.known == 0
    }

    /// Takes the next bytes of this direction.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Counted {
        let mut counted = Counted::default();
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let more = (HEADER - self.known).min(bytes.len());
            self.header[self.known..self.known + more].copy_from_slice(&bytes[..more]);
            self.known += more;
            bytes = &bytes[more..];
            if self.known == HEADER {
                self.known = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                let data = kind == DATA && (self.left > 0 || flags & END_STREAM != 0);
                if data || kind == HEADERS {
                    counted.carrying += 1;
                } else {
                    counted.idle += 1;
                }
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = vec![size[1], size[2], size[3], kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + length, 0xff);
        frame
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let bytes = [
            PREFACE.to_vec(),
            frame(0x4, 0, 12),
            frame(0x1, 4, 300),
            frame(0x0, 0, 70_000),
            frame(0x0, 0, 0),
            frame(0x0, 1, 0),
            frame(0x6, 0, 8),
            frame(0x3, 0, 4),
        ]
        .concat();
        for size in [1, 3, 10, bytes.len()] {
            let mut boundary = Boundary::after_preface();
            let mut sum = Counted::default();
            for piece in bytes.chunks(size) {
                let counted = boundary.follow(piece);
                sum.carrying += counted.carrying;
                sum.idle += counted.idle;
            }
            assert_eq!(
                sum,
                Counted {
                    carrying: 3,
                    idle: 4
                },
                "in pieces of {size}"
            );
            assert!(boundary.is_clean());
        }
    }

    #[test]
    fn within_a_frame_is_no_place_for_another() {
        let mut boundary = Boundary::default();
        boundary.follow(&frame(0x0, 0, 5)[..12]);
        assert!(!boundary.is_clean());
        boundary.follow(&[0; 2]);
        assert!(boundary.is_clean());
        boundary.follow(&[0; 3]);
        assert!(!boundary.is_clean());
    }
}
