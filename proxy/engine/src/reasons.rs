//! The closed catalogue of reasons: why the mesh itself answered a request, or why the request failed.
//!
//! docs/reasons.md explains each code to people; a test keeps the two equal.

use http::StatusCode;

use self::catalogue::{CATALOGUE, Entry};

mod catalogue;

/// A code of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    UnknownService,
    UnknownHost,
    NoRoute,
    NoBackends,
    RouteAnswer,
    RouteTimeout,
    BreakerOpen,
    NoEndpoints,
    ConnectRefused,
    ConnectTimeout,
    ConnectFailed,
    UpstreamTimeout,
    UpstreamReset,
    BadResponse,
    AppConnectRefused,
    AppConnectTimeout,
    AppConnectFailed,
    AppTimeout,
    AppReset,
    AppBadResponse,
    BadRequest,
    HeadersTooLarge,
    ConnectNotAllowed,
    RequestLoop,
    ConnectionLimit,
    UriTooLong,
    BodyTooLarge,
    RequestTimeout,
    RequestStalled,
    RequestLimit,
    ClientConnectionLimit,
    FrameFlood,
    ReaderStalled,
    UpstreamStalled,
    AppStalled,
    TunnelIdle,
    NotHttp,
    NoServerName,
    UnknownServerName,
    OutsideDenied,
    InternalError,
    Draining,
    ClientCancelled,
    HedgeLost,
    FaultAbort,
    FaultDelay,
    RateLimited,
    ConcurrencyLimit,
    Overloaded,
    DeadlineExceeded,
    PolicyDenied,
    NotAllowed,
    PlaintextRefused,
    TlsNoCertificate,
    TlsUnknownAuthority,
    TlsExpired,
    TlsNotYetValid,
    TlsWrongTrustDomain,
    TlsTwoNames,
    TlsBadCertificate,
    TlsWrongPeer,
    TlsDenied,
    TlsNoIdentity,
    TlsRefused,
    TlsHandshakeFailed,
    TokenMissing,
    TokenMalformed,
    TokenExpired,
    TokenTooEarly,
    TokenBadSignature,
    TokenUnknownKey,
    TokenWrongIssuer,
    TokenWrongAudience,
}

/// How many there are.
pub const COUNT: usize = CATALOGUE.len();

// === impl Reason ===

impl Reason {
    fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// The stable code, as in `mesh.reason`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.entry().code
    }

    /// The status the mesh answers with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// One plain sentence on what happened and where, and one on what to do.
    #[must_use]
    pub fn explain(self, place: &str) -> String {
        let Entry { what, next, .. } = self.entry();
        format!("{what} ({place}). {next}\n")
    }

    /// The reason behind a code that another proxy sent.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        CATALOGUE
            .iter()
            .find(|entry| entry.code.as_bytes() == code)
            .map(|entry| entry.reason)
    }

    /// The reason at a place of the catalogue.
    #[must_use]
    pub fn at(place: usize) -> Option<Self> {
        CATALOGUE.get(place).map(|entry| entry.reason)
    }

    /// After it nothing more can be read from the same client: what follows a misunderstood request is not to be trusted,
    /// and what is left of a body may never come.
    #[must_use]
    pub fn ends_connection(self) -> bool {
        use Reason::{BadRequest, BodyTooLarge, HeadersTooLarge, RequestStalled, UriTooLong};
        use Reason::{TlsDenied, TlsExpired, TlsUnknownAuthority, TlsWrongTrustDomain};
        let unreadable = matches!(
            self,
            BadRequest | HeadersTooLarge | UriTooLong | BodyTooLarge | RequestStalled
        );
        // A caller that was believed when it connected.
        let distrusted = matches!(
            self,
            TlsDenied | TlsExpired | TlsUnknownAuthority | TlsWrongTrustDomain
        );
        unreadable || distrusted
    }

    /// Every code, in catalogue order.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|entry| entry.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_finds_its_own_line() {
        for (place, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.reason as usize, place, "{}", entry.code);
            assert_eq!(Reason::from_code(entry.code.as_bytes()), Some(entry.reason));
            assert_eq!(entry.reason.status().as_u16(), entry.status);
        }
    }
}
