//! Keeps a caller with its backend: by a token that it shows with every request, and is given if it has none
//! (Gateway API, `SessionPersistence`).

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::mark::{Mark, fnv};
use crate::entry::caller::Caller;
use crate::snapshot::routes::{Sticky, StickyKind};

pub struct Session {
    mark: Mark,
    /// How a token is given; `None` when the application does that.
    given: Option<Given>,
}

enum Given {
    Header(HeaderName),
    /// What stands before and after the token in `Set-Cookie`.
    Cookie(String, String),
}

/// What a request shows of its session.
#[derive(Default)]
pub struct Shown {
    /// The same for all requests of a session.
    pub mark: Option<u64>,
    /// The token of a session that begins.
    new: Option<u64>,
}

// === impl Session ===

impl Session {
    #[must_use]
    pub fn of(from: &Sticky) -> Option<Self> {
        let (mark, given) = match from.kind {
            StickyKind::Header => {
                let name = HeaderName::try_from(&from.name).ok()?;
                (Mark::Header(name.clone()), Given::Header(name))
            }
            StickyKind::Cookie => {
                let age = from.max_age_s.map(|age| format!("; Max-Age={age}"));
                let rest = format!("; Path=/; HttpOnly{}", age.unwrap_or_default());
                let cookie = Given::Cookie(format!("{}=", from.name), rest);
                (Mark::Cookie(from.name.clone()), cookie)
            }
        };
        Some(Self {
            mark,
            given: from.given.then_some(given),
        })
    }

    /// The session of a request; `chance` makes the token of a new one.
    pub fn shown<B>(
        &self,
        request: &Request<B>,
        caller: &Caller,
        chance: impl Fn() -> u64,
    ) -> Shown {
        let mark = self.mark.of(request, caller);
        if mark.is_some() || self.given.is_none() {
            return Shown { mark, new: None };
        }
        let token = chance();
        Shown {
            mark: Some(fnv(written(token).as_bytes())),
            new: Some(token),
        }
    }

    /// Gives the token of a session that begins.
    pub fn give(&self, shown: &Shown, headers: &mut HeaderMap) {
        let (Some(given), Some(token)) = (&self.given, shown.new) else {
            return;
        };
        let token = written(token);
        let (name, text) = match given {
            Given::Header(name) => (name, token),
            Given::Cookie(before, after) => (&SET_COOKIE, format!("{before}{token}{after}")),
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(name, value);
        }
    }
}

fn written(token: u64) -> String {
    format!("{token:016x}")
}
