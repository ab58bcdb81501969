//! Compresses batches on their way to the collector or to disk.
//!
//! In: one encoded batch. Out: the same bytes under a content coding, and back.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;

/// The fastest setting of each: batches of spans repeat themselves so much that more effort saves little.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// A content coding of OTLP (`Content-Encoding`, `grpc-encoding`).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    #[default]
    None,
    Gzip,
    Zstd,
}

impl Coding {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What to try with a collector that does not read this one: every OTLP server reads gzip, and anyone reads none.
    #[must_use]
    pub fn simpler(self) -> Option<Self> {
        match self {
            Self::Zstd => Some(Self::Gzip),
            Self::Gzip => Some(Self::None),
            Self::None => None,
        }
    }

    /// Compresses; no failure is possible while there is memory.
    pub fn encode(self, raw: &Bytes) -> io::Result<Bytes> {
        match self {
            Self::None => Ok(raw.clone()),
            Self::Gzip => {
                let room = Vec::with_capacity(raw.len() / 8);
                let mut encoder = GzEncoder::new(room, Compression::new(GZIP_LEVEL));
                encoder.write_all(raw)?;
                Ok(encoder.finish()?.into())
            }
            Self::Zstd => Ok(zstd::bulk::compress(raw, ZSTD_LEVEL)?.into()),
        }
    }

    /// Restores what `encode` was given; more than `limit` bytes are an error, however small they were on disk.
    pub fn decode(self, coded: &Bytes, limit: usize) -> io::Result<Bytes> {
        match self {
            Self::None => Ok(coded.clone()),
            Self::Gzip => bounded(GzDecoder::new(coded.as_ref()), limit),
            Self::Zstd => bounded(zstd::stream::read::Decoder::new(coded.as_ref())?, limit),
        }
    }
}

fn bounded(mut reader: impl Read, limit: usize) -> io::Result<Bytes> {
    let mut raw = Vec::new();
    reader.by_ref().take(limit as u64).read_to_end(&mut raw)?;
    if reader.read(&mut [0])? > 0 {
        return Err(io::Error::other("larger than any batch"));
    }
    Ok(raw.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_goes_there_and_back_within_its_limit() {
        let raw = Bytes::from(b"spans repeat themselves ".repeat(1_000));
        for coding in [Coding::None, Coding::Gzip, Coding::Zstd] {
            let coded = coding.encode(&raw).unwrap();
            assert_eq!(coding.decode(&coded, raw.len()).unwrap(), raw);
            assert!(coding == Coding::None || coded.len() * 20 < raw.len());
            assert!(coding == Coding::None || coding.decode(&coded, raw.len() - 1).is_err());
        }
        assert!(Coding::Zstd.decode(&raw, 1 << 20).is_err());
    }

    #[test]
    fn a_picky_collector_is_met_in_two_steps() {
        assert_eq!(Coding::Zstd.simpler(), Some(Coding::Gzip));
        assert_eq!(Coding::Gzip.simpler(), Some(Coding::None));
        assert_eq!(Coding::None.simpler(), None);
    }
}
