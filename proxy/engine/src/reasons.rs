//! The closed catalogue of reasons: why the mesh itself answered a request, or why the request failed.
//!
//! docs/reasons.md explains each code to people; a test keeps the two equal.

use http::StatusCode;

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

/// One line of the catalogue: the status the mesh answers with, what happened, and what to do about it.
struct Entry {
    reason: Reason,
    code: &'static str,
    status: u16,
    what: &'static str,
    next: &'static str,
}

const fn entry(
    reason: Reason,
    code: &'static str,
    status: u16,
    what: &'static str,
    next: &'static str,
) -> Entry {
    Entry {
        reason,
        code,
        status,
        what,
        next,
    }
}

const CATALOGUE: &[Entry] = &[
    entry(
        Reason::UnknownService,
        "unknown_service",
        502,
        "No service of this mesh has that authority",
        "Check the host and port in the URL, or add a Service with that name and port to the mesh configuration.",
    ),
    entry(
        Reason::UnknownHost,
        "unknown_host",
        404,
        "No route of this gateway is for that host",
        "Check the Host of the request; or add the host to hostnames of an HTTPRoute, and to a listener of the Gateway.",
    ),
    entry(
        Reason::NoRoute,
        "no_route",
        404,
        "The service or gateway has routes, and none of them is for this request",
        "Add a rule to an HTTPRoute of the service that matches it, or one without matches for all that is left.",
    ),
    entry(
        Reason::NoBackends,
        "no_backends",
        500,
        "The rule that is for this request leads nowhere",
        "Add backendRefs with a weight above 0 to the rule that mesh.rule names.",
    ),
    entry(
        Reason::RouteAnswer,
        "route_answer",
        200,
        "A route of the service answers or redirects this request itself",
        "Nothing is wrong. Look at the filters of the rule that mesh.rule names to change the answer.",
    ),
    entry(
        Reason::RouteTimeout,
        "route_timeout",
        504,
        "The request with all its attempts took longer than its route allows",
        "Look at the spans of the attempts for where the time went, or raise timeouts.request of the rule that mesh.rule names.",
    ),
    entry(
        Reason::BreakerOpen,
        "breaker_open",
        503,
        "As much is going on with the service as its TrafficPolicy allows",
        "Look at why the service is slow, or raise the limit of the breaker.",
    ),
    entry(
        Reason::NoEndpoints,
        "no_endpoints",
        503,
        "The service has no endpoint",
        "Add an endpoint to the Service, or start an instance of it.",
    ),
    entry(
        Reason::ConnectRefused,
        "connect_refused",
        503,
        "Every endpoint that was tried refused the connection",
        "Check that the callee's proxy runs and listens on this address.",
    ),
    entry(
        Reason::ConnectTimeout,
        "connect_timeout",
        504,
        "No endpoint accepted a connection in time",
        "Check the network between the two hosts, or raise connectTimeout of the Service.",
    ),
    entry(
        Reason::ConnectFailed,
        "connect_failed",
        503,
        "No connection to an endpoint could be opened",
        "Check that the address resolves and that a route to it exists.",
    ),
    entry(
        Reason::UpstreamTimeout,
        "upstream_timeout",
        504,
        "The callee sent no response in time",
        "Look at the callee's own span for where the time went, or raise timeout of the Service.",
    ),
    entry(
        Reason::UpstreamReset,
        "upstream_reset",
        502,
        "The callee closed the connection before its response was complete",
        "Look at the callee's proxy and its log for a restart or a protocol error.",
    ),
    entry(
        Reason::BadResponse,
        "bad_response",
        502,
        "The callee's response is malformed or can be read in two ways, so it was not passed on",
        "Look at what the callee sends: two lengths, a length beside an encoding, broken lines. It is not to be trusted.",
    ),
    entry(
        Reason::AppConnectRefused,
        "app_connect_refused",
        503,
        "The application beside this proxy refused the connection",
        "Check that the application runs and listens on the address that its endpoint names as `app`.",
    ),
    entry(
        Reason::AppConnectTimeout,
        "app_connect_timeout",
        504,
        "The application beside this proxy accepted no connection in time",
        "Check whether the application is overloaded: its queue of unaccepted connections is probably full.",
    ),
    entry(
        Reason::AppConnectFailed,
        "app_connect_failed",
        503,
        "No connection to the application beside this proxy could be opened",
        "Check that the address its endpoint names as `app` resolves and is reachable.",
    ),
    entry(
        Reason::AppTimeout,
        "app_timeout",
        504,
        "The application sent no response in time",
        "Look at mesh.time.own_us and mesh.children of the server span: own time is the application's, the rest its calls'.",
    ),
    entry(
        Reason::AppReset,
        "app_reset",
        502,
        "The application closed the connection before its response was complete",
        "Look at the application's log for a crash, a worker restart or a keep-alive timeout.",
    ),
    entry(
        Reason::AppBadResponse,
        "app_bad_response",
        502,
        "The application's response is malformed or can be read in two ways, so it was not passed on",
        "Correct what the application sends: two lengths, a length beside an encoding, broken lines.",
    ),
    entry(
        Reason::BadRequest,
        "bad_request",
        400,
        "The request is malformed or can be read in two ways, so it was not forwarded",
        "Correct the client.",
    ),
    entry(
        Reason::HeadersTooLarge,
        "headers_too_large",
        431,
        "The request's headers exceed what this proxy accepts",
        "Send fewer or smaller headers and cookies, or raise limits.headerBytes or limits.headers.",
    ),
    entry(
        Reason::ConnectNotAllowed,
        "connect_not_allowed",
        405,
        "CONNECT tunnels are not allowed through this proxy",
        "Call mesh services with http:// URLs, and exclude hosts outside the mesh from the proxy (NO_PROXY).",
    ),
    entry(
        Reason::RequestLoop,
        "request_loop",
        508,
        "The request has already been through this proxy's outbound listener",
        "An endpoint of the service leads back to an outbound listener: give it the inbound address.",
    ),
    entry(
        Reason::ConnectionLimit,
        "connection_limit",
        503,
        "This proxy has as many connections as it may",
        "Raise limits.connections, or find the client that opens so many.",
    ),
    entry(
        Reason::UriTooLong,
        "uri_too_long",
        414,
        "The request's URL is longer than this proxy accepts",
        "Send the data in a body, or raise limits.uriBytes.",
    ),
    entry(
        Reason::BodyTooLarge,
        "body_too_large",
        413,
        "The request's body is larger than this proxy accepts",
        "Send less at a time, or raise limits.bodyBytes.",
    ),
    entry(
        Reason::RequestTimeout,
        "request_timeout",
        408,
        "The head of the request did not arrive in time",
        "Look at the client or its network; raise limits.headerTimeout for clients that are slow by nature.",
    ),
    entry(
        Reason::RequestStalled,
        "request_stalled",
        408,
        "The body of the request stopped arriving",
        "Look at the client or its network, or raise limits.bodyTimeout.",
    ),
    entry(
        Reason::RequestLimit,
        "request_limit",
        503,
        "This proxy has as many requests in flight as it may",
        "Look for the callee that has become slow, or raise limits.requests.",
    ),
    entry(
        Reason::ClientConnectionLimit,
        "client_connection_limit",
        503,
        "This client has as many connections to the proxy as it may",
        "Let the client reuse its connections, or raise limits.connectionsPerClient.",
    ),
    entry(
        Reason::FrameFlood,
        "frame_flood",
        429,
        "The client sent more HTTP/2 frames that carry no request on than this proxy accepts",
        "Look at the client for resets or pings without end, or raise limits.controlFrames.",
    ),
    entry(
        Reason::ReaderStalled,
        "reader_stalled",
        499,
        "The caller stopped reading the response",
        "Look at what the caller does with it, or raise limits.readerTimeout.",
    ),
    entry(
        Reason::UpstreamStalled,
        "upstream_stalled",
        504,
        "The callee stopped sending in the middle of its response",
        "Look at the callee's own span, or raise limits.responseBodyTimeout for streams that are silent for long.",
    ),
    entry(
        Reason::AppStalled,
        "app_stalled",
        504,
        "The application stopped sending in the middle of its response",
        "Look at what the application does, or raise limits.responseBodyTimeout for streams that are silent for long.",
    ),
    entry(
        Reason::TunnelIdle,
        "tunnel_idle",
        504,
        "Neither side of an upgraded connection sent anything for too long",
        "Let the protocol inside send pings, or raise limits.tunnelIdleTimeout.",
    ),
    entry(
        Reason::NotHttp,
        "not_http",
        502,
        "The service is declared to speak something other than HTTP",
        "Reach it through a listener of its own or with CONNECT, or correct spec.protocol of the Service.",
    ),
    entry(
        Reason::NoServerName,
        "no_server_name",
        400,
        "The client did not say by TLS server name which service it wants",
        "Use a TLS client that sends a server name, or give the service a listener of its own.",
    ),
    entry(
        Reason::UnknownServerName,
        "unknown_server_name",
        502,
        "No service of this mesh has that TLS server name",
        "Check the host in the URL, or add it to spec.serverNames of the Service.",
    ),
    entry(
        Reason::OutsideDenied,
        "outside_denied",
        403,
        "The address is of no service of this mesh, and nothing else may be reached",
        "Add a Service with that address, or set spec.outbound.outside of the Mesh to allow.",
    ),
    entry(
        Reason::InternalError,
        "internal_error",
        500,
        "The proxy failed to handle this request",
        "Please report it with the proxy's log: it is a defect of whymesh. Other requests are not concerned.",
    ),
    entry(
        Reason::Draining,
        "draining",
        503,
        "This proxy stopped before the request was complete",
        "Retry: another instance answers. If it happens at each rollout, give the proxy longer to drain.",
    ),
    entry(
        Reason::ClientCancelled,
        "client_cancelled",
        499,
        "The caller went away before the response was complete",
        "Nothing to do here; if there are many, compare the caller's timeout with this service's latency.",
    ),
    entry(
        Reason::HedgeLost,
        "hedge_lost",
        499,
        "Another attempt of the same request answered first, so this one was given up",
        "Nothing is wrong with the request. If there are many, look at why this instance is slower than the others.",
    ),
    entry(
        Reason::FaultAbort,
        "fault_abort",
        503,
        "A FaultInjection ends this request in the place of the service, which never saw it",
        "Nothing is wrong with the service. Remove the FaultInjection when the test is over.",
    ),
    entry(
        Reason::FaultDelay,
        "fault_delay",
        200,
        "A FaultInjection kept this request waiting before it was sent",
        "Nothing is wrong with the service. Remove the FaultInjection when the test is over.",
    ),
    entry(
        Reason::RateLimited,
        "rate_limited",
        429,
        "The service gets as many requests as its TrafficPolicy allows",
        "Ask again after the seconds that Retry-After says, or raise rateLimits of the TrafficPolicy.",
    ),
    entry(
        Reason::ConcurrencyLimit,
        "concurrency_limit",
        503,
        "The service works on as many requests at once as it can without keeping them waiting",
        "Add instances, or look at why the service has become slow.",
    ),
    entry(
        Reason::Overloaded,
        "overloaded",
        503,
        "This proxy has more to do than its processor time allows, and refuses what is new",
        "Give the proxy more processor time or workers, or raise shedding.lag of the TrafficPolicy.",
    ),
    entry(
        Reason::DeadlineExceeded,
        "deadline_exceeded",
        504,
        "The caller does not wait any longer for an answer to this request",
        "Follow the trace for where its time went, or give the request more of it where it begins.",
    ),
    entry(
        Reason::PolicyDenied,
        "policy_denied",
        403,
        "A rule of an AuthorizationPolicy denies this request",
        "Look at the rule that mesh.policy names, or ask with `whymesh policy check` what it is for.",
    ),
    entry(
        Reason::NotAllowed,
        "not_allowed",
        403,
        "The service has an AuthorizationPolicy, and no rule allows this request",
        "Look at what the nearest rule (mesh.policy) asks for and this request has not (mesh.policy.missed), or add a rule.",
    ),
    entry(
        Reason::PlaintextRefused,
        "plaintext_refused",
        403,
        "Only encrypted connections are taken here, and this one was not",
        "Call through a proxy of the mesh (spec.mtls permissive lets others in), or a Gateway by https.",
    ),
    entry(
        Reason::TlsNoCertificate,
        "tls_no_certificate",
        502,
        "The other end of the connection showed no certificate",
        "Call through a proxy of the mesh; one that has not joined yet has none.",
    ),
    entry(
        Reason::TlsUnknownAuthority,
        "tls_unknown_authority",
        502,
        "No authority that is trusted here signed the certificate at the other end",
        "Compare its issuer with `whymesh ca status`: it may be of another mesh, or of a root that was rotated out.",
    ),
    entry(
        Reason::TlsExpired,
        "tls_expired",
        502,
        "The certificate at the other end has expired",
        "See why that proxy did not renew it (`whymesh ca status`), and compare the clocks of the two machines.",
    ),
    entry(
        Reason::TlsNotYetValid,
        "tls_not_yet_valid",
        502,
        "The certificate at the other end is not valid yet",
        "Compare the clocks of the two machines with that of the authority.",
    ),
    entry(
        Reason::TlsWrongTrustDomain,
        "tls_wrong_trust_domain",
        502,
        "The other end belongs to a trust domain that is not trusted here",
        "Let it join this mesh, or give both the same spec.trustDomain.",
    ),
    entry(
        Reason::TlsTwoNames,
        "tls_two_names",
        502,
        "The certificate at the other end has more than one URI name, which a SPIFFE id must not",
        "Let the authority of this mesh issue it; another one has not kept to X.509-SVID.",
    ),
    entry(
        Reason::TlsBadCertificate,
        "tls_bad_certificate",
        502,
        "The certificate at the other end breaks a rule of X.509-SVID",
        "Look at its key usage, its constraints and its URI name: openssl s_client -showcerts shows them.",
    ),
    entry(
        Reason::TlsWrongPeer,
        "tls_wrong_peer",
        502,
        "The other end is another service than the one that was called",
        "See who listens at network.peer.address: an address may have been given to another service.",
    ),
    entry(
        Reason::TlsDenied,
        "tls_denied",
        502,
        "The certificate at the other end was revoked",
        "See who revoked it and why in the audit log (`whymesh ca status`); let the service join again.",
    ),
    entry(
        Reason::TlsNoIdentity,
        "tls_no_identity",
        502,
        "This proxy has no certificate yet to show",
        "See why it has not joined: its log says. At a Gateway, whether it can read the files of spec.listeners[].tls.",
    ),
    entry(
        Reason::TlsRefused,
        "tls_refused",
        502,
        "The other end refused the certificate of this proxy",
        "The span of the other end has the cause: look for refused connections from this address.",
    ),
    entry(
        Reason::TlsHandshakeFailed,
        "tls_handshake_failed",
        502,
        "The two ends could not agree on an encrypted connection",
        "Look at who is there: the other end may not speak TLS 1.3, or may not be a proxy of this mesh.",
    ),
    entry(
        Reason::TokenMissing,
        "token_missing",
        401,
        "The service wants a token, and the request has none",
        "Send a token of an issuer that the RequestAuthentication names, as `Authorization: Bearer …`.",
    ),
    entry(
        Reason::TokenMalformed,
        "token_malformed",
        401,
        "The request's token cannot be read, is signed in a way that is not accepted, or is one of two",
        "Send one token, a JWT signed with RS256, ES256 or EdDSA.",
    ),
    entry(
        Reason::TokenExpired,
        "token_expired",
        401,
        "The request's token has expired",
        "Get a new token; if it is new, compare the clocks of the issuer and this proxy, or raise leeway.",
    ),
    entry(
        Reason::TokenTooEarly,
        "token_too_early",
        401,
        "The request's token is not valid yet",
        "Compare the clocks of the issuer and this proxy, or raise leeway.",
    ),
    entry(
        Reason::TokenBadSignature,
        "token_bad_signature",
        401,
        "The signature of the request's token is not that of its issuer's key",
        "Do not trust it. If the issuer has replaced a key under the same id, wait until the new one is fetched.",
    ),
    entry(
        Reason::TokenUnknownKey,
        "token_unknown_key",
        401,
        "The issuer has no key of the id that the request's token names",
        "If the issuer has a new key, wait until it is fetched; otherwise look at where the token comes from.",
    ),
    entry(
        Reason::TokenWrongIssuer,
        "token_wrong_issuer",
        401,
        "The request's token is of nobody whose tokens count here",
        "Get a token of an issuer that the RequestAuthentication names.",
    ),
    entry(
        Reason::TokenWrongAudience,
        "token_wrong_audience",
        401,
        "The request's token is meant for somebody else",
        "Ask the issuer for a token with an audience that the RequestAuthentication names.",
    ),
];

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
