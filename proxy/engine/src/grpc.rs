//! gRPC's own words for how a call ended (gRPC over HTTP/2, "Responses"), and what HTTP and the mesh say instead.
//!
//! In: headers, trailers, HTTP statuses, reasons. Out: one of gRPC's seventeen codes. Pure.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use crate::reasons::Reason;

pub static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub const CONTENT: &str = "application/grpc";

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u8);

/// Names and the HTTP status that means the same (google.rpc.Code), by number.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// Whether a request is a gRPC call, of any message format; gRPC-Web is another protocol.
#[must_use]
pub fn is_call(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_2
        && headers.get(CONTENT_TYPE).is_some_and(|kind| {
            let rest = kind.as_bytes().strip_prefix(CONTENT.as_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        })
}

/// The status of an answer whose body is still to come; that of the call where its code came with the head.
#[must_use]
pub fn status_of<B>(answer: &Response<B>) -> StatusCode {
    let told = Code::of(answer.headers()).and_then(|code| StatusCode::from_u16(code.http()).ok());
    told.unwrap_or(answer.status())
}

// === impl Code ===

impl Code {
    const CANCELLED: Self = Self(1);
    const UNKNOWN: Self = Self(2);
    const DEADLINE_EXCEEDED: Self = Self(4);
    const INVALID_ARGUMENT: Self = Self(3);
    const PERMISSION_DENIED: Self = Self(7);
    const RESOURCE_EXHAUSTED: Self = Self(8);
    const UNIMPLEMENTED: Self = Self(12);
    const INTERNAL: Self = Self(13);
    const UNAVAILABLE: Self = Self(14);
    const UNAUTHENTICATED: Self = Self(16);

    /// The code with this number; one that gRPC does not know means as much as `UNKNOWN`.
    #[must_use]
    pub fn at(number: u16) -> Self {
        match u8::try_from(number) {
            Ok(code) if usize::from(code) < CODES.len() => Self(code),
            _ => Self::UNKNOWN,
        }
    }

    /// What headers or trailers say.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get(&GRPC_STATUS)?.to_str().ok();
        Some(Self::at(
            said.and_then(|text| text.parse().ok()).unwrap_or(u16::MAX),
        ))
    }

    /// What an answer means that has an HTTP status only (gRPC, "HTTP to gRPC Status Code Mapping").
    #[must_use]
    pub fn of_http(status: u16) -> Self {
        match status {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// What the mesh tells the caller of a call that it ends itself.
    #[must_use]
    pub fn of_reason(reason: Reason) -> Self {
        if matches!(reason, Reason::ConnectTimeout | Reason::AppConnectTimeout) {
            // Nothing was sent: the call may be made again.
            return Self::UNAVAILABLE;
        }
        match reason.status().as_u16() {
            400 | 405 => Self::INVALID_ARGUMENT,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            408 | 499 => Self::CANCELLED,
            413 | 414 | 429 | 431 => Self::RESOURCE_EXHAUSTED,
            502 | 503 => Self::UNAVAILABLE,
            504 => Self::DEADLINE_EXCEEDED,
            500.. => Self::INTERNAL,
            _ => Self::UNKNOWN,
        }
    }

    /// How a call ended that came to its end without saying so.
    #[must_use]
    pub fn concluded(status: u16, reason: Option<Reason>) -> Self {
        match (status, reason) {
            (0 | 200, Some(reason)) => Self::of_reason(reason),
            (0 | 200, None) => Self::UNKNOWN,
            (status, _) => Self::of_http(status),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        CODES[usize::from(self.0)].0
    }

    /// The HTTP status that means the same. The codes that are the server's fault, and only those, are above 499.
    #[must_use]
    pub fn http(self) -> u16 {
        CODES[usize::from(self.0)].1
    }

    /// Headers or trailers that end a call, with a sentence for people.
    pub fn write(self, headers: &mut HeaderMap, message: &str) {
        headers.insert(&GRPC_STATUS, HeaderValue::from(u16::from(self.0)));
        if let Ok(message) = HeaderValue::try_from(percent_encoded(message.trim_end())) {
            headers.insert(&GRPC_MESSAGE, message);
        }
    }
}

/// All but printable ASCII is encoded, and `%` (gRPC over HTTP/2, "Percent-Encoded").
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => out.push(char::from(byte)),
            _ => {
                let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), value.parse().unwrap())])
    }

    #[test]
    fn a_call_is_known_by_its_content_over_http2() {
        for (kind, call) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let headers = headers(&CONTENT_TYPE, kind);
            assert_eq!(is_call(Version::HTTP_2, &headers), call, "{kind}");
            assert!(!is_call(Version::HTTP_11, &headers));
        }
    }

    #[test]
    fn a_status_is_read_and_nonsense_is_unknown() {
        for (said, name) in [
            ("0", "OK"),
            ("14", "UNAVAILABLE"),
            ("16", "UNAUTHENTICATED"),
        ] {
            assert_eq!(
                Code::of(&headers(&GRPC_STATUS, said)).map(Code::name),
                Some(name)
            );
        }
        for said in ["17", "-1", "", "x", "65536"] {
            assert_eq!(
                Code::of(&headers(&GRPC_STATUS, said)),
                Some(Code::UNKNOWN),
                "{said}"
            );
        }
        assert_eq!(Code::of(&HeaderMap::new()), None);
    }

    /// OpenTelemetry, "Semantic conventions for gRPC": which codes are errors of a server span.
    #[test]
    fn the_servers_faults_are_those_of_the_conventions() {
        let faults: Vec<_> = (0..17)
            .map(Code::at)
            .filter(|code| code.http() >= 500)
            .map(Code::name)
            .collect();
        assert_eq!(
            faults,
            [
                "UNKNOWN",
                "DEADLINE_EXCEEDED",
                "UNIMPLEMENTED",
                "INTERNAL",
                "UNAVAILABLE",
                "DATA_LOSS"
            ]
        );
    }

    #[test]
    fn every_reason_has_a_code_and_it_is_no_success() {
        for reason in (0..crate::reasons::COUNT).filter_map(Reason::at) {
            assert_ne!(Code::of_reason(reason).name(), "OK", "{}", reason.code());
        }
        let unsent = Code::of_reason(Reason::ConnectTimeout);
        assert_eq!(unsent.name(), "UNAVAILABLE");
    }

    #[test]
    fn a_call_that_never_said_how_it_ended_is_concluded() {
        let concluded = |status, reason| Code::concluded(status, reason).name();
        assert_eq!(concluded(200, None), "UNKNOWN");
        assert_eq!(concluded(503, None), "UNAVAILABLE");
        assert_eq!(concluded(0, Some(Reason::ClientCancelled)), "CANCELLED");
        assert_eq!(concluded(200, Some(Reason::UpstreamReset)), "UNAVAILABLE");
    }

    #[test]
    fn messages_are_encoded() {
        let mut map = HeaderMap::new();
        Code::INTERNAL.write(&mut map, "100 % é\n");
        assert_eq!(map[&GRPC_STATUS], "13");
        assert_eq!(map[&GRPC_MESSAGE], "100 %25 %C3%A9");
    }
}
