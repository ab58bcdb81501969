//! The answers the mesh itself gives: a status, a `mesh-reason`, and a sentence for people.

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::reasons::Reason;
use crate::upstream::headers::MESH_REASON;
use crate::upstream::response_body::ResponseBody;

/// Answers a request that was not, or could not be, forwarded; `place` says where it ended.
#[must_use]
pub fn answer(reason: Reason, place: &str) -> Response<ResponseBody> {
    answer_as(reason.status(), reason, place)
}

/// The same with the status that the configuration gives it.
#[must_use]
pub fn answer_as(status: StatusCode, reason: Reason, place: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(reason.explain(place)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(&MESH_REASON, HeaderValue::from_static(reason.code()));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if reason.ends_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The same as bytes, for a connection that never gets as far as a request.
#[must_use]
pub fn raw(reason: Reason, place: &str) -> Vec<u8> {
    let status = reason.status();
    let text = reason.explain(place);
    let head = format!(
        "HTTP/1.1 {status}\r\nmesh-reason: {}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        reason.code(),
        text.len()
    );
    [head, text].concat().into_bytes()
}
