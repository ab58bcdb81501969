//! Blocks of `FORMAT Native` as a client of a protocol revision reads them.
//!
//! Source: ClickHouse, `src/Formats/NativeWriter.cpp`, `src/Core/ProtocolDefines.h`.

use super::length::native_type_ends;
use crate::error::Result;

/// From here on, block info stands before a block: field 1, no overflow rows; field 2, bucket -1; 0, the end.
const WITH_BLOCK_INFO: u64 = 51_903;
const BLOCK_INFO: &[u8] = b"\x01\x00\x02\xff\xff\xff\xff\x00";
/// From here on, a byte behind a column's type says how its values are serialized.
const WITH_SERIALIZATION: u64 = 54_454;
const DEFAULT_SERIALIZATION: u8 = 0;

/// The whole blocks in `data`, one after the other, with what `revision` has beside them.
pub fn native_blocks_at(data: &[u8], revision: u64) -> Result<Vec<u8>> {
    let mut written = Vec::with_capacity(data.len() + BLOCK_INFO.len());
    let mut rest = data;
    while !rest.is_empty() {
        let (length, type_ends) = native_type_ends(rest)?;
        if revision >= WITH_BLOCK_INFO {
            written.extend_from_slice(BLOCK_INFO);
        }
        let mut from = 0;
        if revision >= WITH_SERIALIZATION {
            for end in type_ends {
                written.extend_from_slice(&rest[from..end]);
                written.push(DEFAULT_SERIALIZATION);
                from = end;
            }
        }
        written.extend_from_slice(&rest[from..length]);
        rest = &rest[length..];
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x";

    #[test]
    fn each_block_gets_what_its_revision_has() {
        let two = [BLOCK, BLOCK].concat();
        assert_eq!(native_blocks_at(&two, 0).as_deref(), Ok(&*two));
        assert_eq!(native_blocks_at(BLOCK, 54_405), Ok([BLOCK_INFO, BLOCK].concat()));
        let newer = [BLOCK_INFO, b"\x02\x01\x01a\x05UInt8\x00\x07\x01b\x06String\x00\x01x"].concat();
        assert_eq!(native_blocks_at(&two, 54_460), Ok([&newer[..], &newer].concat()));
    }

    #[test]
    fn a_block_that_is_cut_short_is_an_error() {
        assert!(native_blocks_at(&BLOCK[..BLOCK.len() - 1], 54_460).is_err());
    }
}
