//! Keeps what it takes to send a request again.

use std::rc::Rc;

use http::{HeaderMap, Method, Request, Uri, Version};

use crate::upstream::kept_body::Kept;
use crate::upstream::request_body::RequestBody;

/// A copy of the head of a request, and as much of its body as may be kept.
pub struct Spare {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: Rc<Kept>,
}

impl Spare {
    /// Of a request about to be sent.
    pub fn of(request: &mut Request<RequestBody>, body_bytes: usize) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
            body: request.body_mut().keep(body_bytes),
        }
    }

    /// The request once more; `None` when its body was too long, or has not all come.
    #[must_use]
    pub fn request(&self) -> Option<Request<RequestBody>> {
        let mut copy = Request::new(RequestBody::Replayed(self.body.replay()?));
        *copy.method_mut() = self.method.clone();
        *copy.uri_mut() = self.uri.clone();
        *copy.version_mut() = self.version;
        *copy.headers_mut() = self.headers.clone();
        Some(copy)
    }
}

/// A copy to send again in case a kept connection dies before it answers: only of requests that are safe to repeat
/// (RFC 9110, 9.2.2) and have no body.
#[must_use]
pub fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !is_safe(request.method()) || !matches!(request.body(), RequestBody::Empty) {
        return None;
    }
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Methods that mean the same sent twice (RFC 9110, 9.2.2).
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> Request<RequestBody> {
        let request = Request::builder().method(method).uri("/a");
        request.body(RequestBody::Empty).unwrap()
    }

    #[test]
    fn only_what_is_safe_to_repeat_is_kept() {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(spare(&request(method)).unwrap().method(), method);
        }
        for method in ["POST", "PATCH", "REPORT"] {
            assert!(spare(&request(method)).is_none(), "{method}");
        }
    }
}
