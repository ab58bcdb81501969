//! Tells callers apart by what their requests carry, as a number that is the same in every process.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Request};

use super::matching::header;
use crate::entry::caller::Caller;
use crate::snapshot::policies::{HashKind, HashOn};

/// By what callers are told apart.
pub enum Mark {
    Header(HeaderName),
    Cookie(String),
    Source,
}

// === impl Mark ===

impl Mark {
    /// What a consistent hash goes by.
    pub fn hashed(from: &HashOn) -> Option<Self> {
        Some(match (from.kind, &from.name) {
            (HashKind::Source, _) => Self::Source,
            (HashKind::Header, Some(name)) => Self::Header(HeaderName::try_from(name).ok()?),
            (HashKind::Cookie, Some(name)) => Self::Cookie(name.clone()),
            (_, None) => return None,
        })
    }

    /// A number that is the same for requests of one caller; `None` when the request does not tell.
    pub fn of<B>(&self, request: &Request<B>, caller: &Caller) -> Option<u64> {
        match self {
            Self::Source => Some(caller.mark),
            Self::Header(name) => Some(fnv(header(request.headers(), name)?.as_bytes())),
            Self::Cookie(name) => Some(fnv(cookie(request.headers(), name)?)),
        }
    }
}

/// The value of the first cookie of that name, whatever its case (RFC 6265, 4.2.1).
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let (key, value) = pair.split_at_checked(name.len())?;
        let value = value.strip_prefix(b"=")?;
        key.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
    })
}

/// Spreads texts evenly, the same in every process (FNV-1a, with the finalizer of `MurmurHash3`).
#[must_use]
pub fn fnv(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        for line in ["users=no; a=b", "broken; USER=a=1;user=2", "user=3"] {
            headers.append(COOKIE, line.parse().unwrap());
        }
        assert_eq!(cookie(&headers, "user"), Some(&b"a=1"[..]));
        assert_eq!(cookie(&headers, "use"), None);
        assert_eq!(cookie(&headers, "broken"), None);
    }
}
