//! What is wrong with what a client sent: the reason for the catalogue, and the words for its sender.

use crate::reasons::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    pub text: &'static str,
}

impl Fault {
    pub const LARGE_HEAD: Self = Self::new(
        Reason::HeadersTooLarge,
        "more bytes than limits.headerBytes",
    );
    pub const MANY_HEADERS: Self =
        Self::new(Reason::HeadersTooLarge, "more lines than limits.headers");
    pub const LONG_URI: Self = Self::new(Reason::UriTooLong, "more bytes than limits.uriBytes");
    pub const LARGE_BODY: Self =
        Self::new(Reason::BodyTooLarge, "more bytes than limits.bodyBytes");
    pub const SLOW_HEAD: Self =
        Self::new(Reason::RequestTimeout, "longer than limits.headerTimeout");
    pub const MANY_REQUESTS: Self = Self::new(Reason::RequestLimit, "more than limits.requests");

    #[must_use]
    pub const fn new(reason: Reason, text: &'static str) -> Self {
        Self { reason, text }
    }

    /// A request that is malformed, or that two readers could understand differently.
    #[must_use]
    pub const fn bad(text: &'static str) -> Self {
        Self::new(Reason::BadRequest, text)
    }
}
