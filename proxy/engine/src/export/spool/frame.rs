//! One batch as it lies in a segment file: a header that can be trusted, the body, and whether it is done with.
//!
//! ```text
//! 0 magic | 4 records | 8 length | 12 batch id | 28 CRC-32 of the body | 32 coding | 36 CRC-32 of 0..36 | 40 done | 44 body
//! ```
//! Numbers are little-endian. `done` is overwritten in place, so the header's checksum leaves it out.

use flate2::Crc;

use crate::export::batch::BatchId;
use crate::export::coding::Coding;

const MAGIC: [u8; 4] = *b"WMB1";
const CHECKED: usize = 36;
/// Where in a frame it says that it is done with.
pub const DONE_AT: u64 = 40;
pub const DONE: u8 = 1;
pub const HEADER: usize = 44;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub id: BatchId,
    pub records: u32,
    pub length: u32,
    pub coding: Coding,
    pub body_crc: u32,
    pub done: bool,
}

impl Frame {
    #[must_use]
    pub fn of(id: BatchId, records: u32, coding: Coding, body: &[u8]) -> Self {
        Self {
            id,
            records,
            length: u32::try_from(body.len()).unwrap_or(u32::MAX),
            coding,
            body_crc: crc(body),
            done: false,
        }
    }

    /// Bytes of header and body.
    #[must_use]
    pub fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    #[must_use]
    pub fn header(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&self.records.to_le_bytes());
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..28].copy_from_slice(&self.id.0.to_le_bytes());
        out[28..32].copy_from_slice(&self.body_crc.to_le_bytes());
        out[32] = self.coding as u8;
        let checksum = crc(&out[..CHECKED]);
        out[CHECKED..40].copy_from_slice(&checksum.to_le_bytes());
        out[40] = u8::from(self.done);
        out
    }

    /// Reads a header; `None` when it is damaged.
    #[must_use]
    pub fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four"));
        if header[..4] != MAGIC || number(CHECKED) != crc(&header[..CHECKED]) {
            return None;
        }
        let coding = [Coding::None, Coding::Gzip, Coding::Zstd]
            .into_iter()
            .find(|coding| *coding as u8 == header[32])?;
        Some(Self {
            id: BatchId(u128::from_le_bytes(
                header[12..28].try_into().expect("sixteen"),
            )),
            records: number(4),
            length: number(8),
            coding,
            body_crc: number(28),
            done: header[40] == DONE,
        })
    }

    #[must_use]
    pub fn fits(&self, body: &[u8]) -> bool {
        body.len() as u64 == u64::from(self.length) && crc(body) == self.body_crc
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_goes_there_and_back_and_no_bit_of_it_may_change() {
        let frame = Frame::of(BatchId(7), 3, Coding::Zstd, b"body");
        let header = frame.header();
        assert_eq!(Frame::parse(&header), Some(frame));
        assert!(frame.fits(b"body") && !frame.fits(b"bodY") && !frame.fits(b"bod"));
        for place in 0..40 {
            let mut damaged = header;
            damaged[place] ^= 4;
            assert_eq!(Frame::parse(&damaged), None, "{place}");
        }
        let mut done = header;
        done[40] = DONE;
        assert!(Frame::parse(&done).unwrap().done);
    }
}
