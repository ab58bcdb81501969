//! Tells callers apart by what their requests carry, as a number that is the same in every process.

use http::header::COOKIE;
use http::{HeaderName, Request};

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
            Self::Cookie(name) => {
                let lines = request.headers().get_all(COOKIE).iter();
                let pairs = lines
                    .filter_map(|line| line.to_str().ok())
                    .flat_map(|line| line.split(';'));
                let value = pairs
                    .filter_map(|pair| pair.trim().split_once('='))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))?
                    .1;
                Some(fnv(value.as_bytes()))
            }
        }
    }
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
