//! The body of a request: decompressed within a bound.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

use super::json;
use crate::error::{Error, Result};

/// A zstd frame may ask for a window of at most 8 MiB (RFC 9659, 3), which is held beside the plain bytes.
const LARGEST_WINDOW_LOG: u32 = 23;

/// How a body is compressed: the content codings of HTTP by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    #[default]
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::Identity),
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// How a sender wrote the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    pub json: bool,
    pub coding: Coding,
    /// Bytes, once decompressed.
    pub limit: usize,
}

/// The request as protobuf bytes. Decompression stops at the limit, so a bomb costs no more than the limit.
pub fn open<'a>(body: &'a [u8], form: Form, request: &'static json::Message) -> Result<Cow<'a, [u8]>> {
    let plain = match form.coding {
        Coding::Identity => Cow::Borrowed(body),
        Coding::Gzip => Cow::Owned(decompress("gzip", MultiGzDecoder::new(body), body.len(), form.limit)?),
        Coding::Zstd => Cow::Owned(unzstd(body, form.limit)?),
    };
    if plain.len() > form.limit {
        let what =
            format!("the body is {} bytes, the limit is {}: send smaller batches", plain.len(), form.limit);
        return Err(Error::TooLarge(what));
    }
    if form.json { json::to_protobuf(&plain, request).map(Cow::Owned) } else { Ok(plain) }
}

fn unzstd(body: &[u8], limit: usize) -> Result<Vec<u8>> {
    let not_zstd = |error: io::Error| Error::malformed(format!("expected zstd ({error})"), 0);
    if body.is_empty() {
        return Err(not_zstd(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(not_zstd)?;
    decoder.window_log_max(LARGEST_WINDOW_LOG).map_err(not_zstd)?;
    decompress("zstd", decoder, body.len(), limit)
}

fn decompress(coding: &str, decoder: impl Read, packed: usize, limit: usize) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(packed.saturating_mul(4).min(limit));
    decoder
        .take(limit as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| Error::malformed(format!("expected {coding} ({error})"), plain.len()))?;
    if plain.len() > limit {
        let what = format!("the body is more than {limit} bytes once decompressed: send smaller batches");
        return Err(Error::TooLarge(what));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        zstd::encode_all(plain, 3).unwrap()
    }

    fn opened(body: &[u8], coding: Coding, limit: usize) -> Result<Vec<u8>> {
        open(body, Form { json: false, coding, limit }, &json::TRACES).map(Cow::into_owned)
    }

    #[test]
    fn limit_holds_before_and_after_decompression() {
        let plain = vec![7; 1000];
        let forms =
            [(plain.clone(), Coding::Identity), (gzip(&plain), Coding::Gzip), (zstd(&plain), Coding::Zstd)];
        for (body, coding) in forms {
            assert_eq!(opened(&body, coding, 1000), Ok(plain.clone()));
            assert!(matches!(opened(&body, coding, 999), Err(Error::TooLarge(_))));
        }
    }

    #[test]
    fn members_and_frames_follow_one_another() {
        let members = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(opened(&members, Coding::Gzip, 100), Ok(b"onetwo".to_vec()));
        let frames = [zstd(b"one"), zstd(b"two")].concat();
        assert_eq!(opened(&frames, Coding::Zstd, 100), Ok(b"onetwo".to_vec()));
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(LARGEST_WINDOW_LOG + 1).unwrap();
        encoder.write_all(&vec![7; 20 << 20]).unwrap();
        let error = opened(&encoder.finish().unwrap(), Coding::Zstd, 32 << 20).unwrap_err();
        assert!(error.to_string().starts_with("expected zstd"), "{error}");
    }

    #[test]
    fn what_is_not_of_its_coding_says_so() {
        let packed = [("gzip", Coding::Gzip, gzip(b"cut short")), ("zstd", Coding::Zstd, zstd(b"cut short"))];
        for (name, coding, whole) in packed {
            for body in [&b"plain"[..], &whole[..whole.len() - 4], b""] {
                let error = opened(body, coding, 100).unwrap_err().to_string();
                assert!(error.starts_with(&format!("expected {name}")), "{error}");
            }
        }
    }
}
