//! The body of a request: decompressed within a bound.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;

use super::json;
use crate::error::{Error, Result};

/// How a sender wrote the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    pub json: bool,
    pub gzip: bool,
    /// Bytes, once decompressed.
    pub limit: usize,
}

/// The request as protobuf bytes. Gzip stops at the limit, so a bomb costs no more than the limit.
pub fn open<'a>(body: &'a [u8], form: Form, request: &'static json::Message) -> Result<Cow<'a, [u8]>> {
    let plain = if form.gzip { Cow::Owned(gunzip(body, form.limit)?) } else { Cow::Borrowed(body) };
    if plain.len() > form.limit {
        let what =
            format!("the body is {} bytes, the limit is {}: send smaller batches", plain.len(), form.limit);
        return Err(Error::TooLarge(what));
    }
    if form.json { json::to_protobuf(&plain, request).map(Cow::Owned) } else { Ok(plain) }
}

fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    let mut decoder = MultiGzDecoder::new(body).take(limit as u64 + 1);
    decoder
        .read_to_end(&mut plain)
        .map_err(|error| Error::malformed(format!("expected gzip ({error})"), plain.len()))?;
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

    fn opened(body: &[u8], gzip: bool, limit: usize) -> Result<Vec<u8>> {
        open(body, Form { json: false, gzip, limit }, &json::TRACES).map(Cow::into_owned)
    }

    #[test]
    fn limit_holds_before_and_after_decompression() {
        let plain = vec![7; 1000];
        assert_eq!(opened(&plain, false, 1000), Ok(plain.clone()));
        assert_eq!(opened(&gzip(&plain), true, 1000), Ok(plain.clone()));
        assert!(matches!(opened(&plain, false, 999), Err(Error::TooLarge(_))));
        assert!(matches!(opened(&gzip(&plain), true, 999), Err(Error::TooLarge(_))));
    }

    #[test]
    fn members_follow_one_another() {
        let both = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(opened(&both, true, 100), Ok(b"onetwo".to_vec()));
    }

    #[test]
    fn what_is_not_gzip_says_so() {
        let whole = gzip(b"cut short");
        for body in [&b"plain"[..], &whole[..whole.len() - 4], b""] {
            assert!(opened(body, true, 100).unwrap_err().to_string().starts_with("expected gzip"));
        }
    }
}
