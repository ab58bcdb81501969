//! The answers the mesh itself gives: a status, a `mesh-reason`, and a sentence for people.

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::grpc::{self, Code};
use crate::reasons::Reason;
use crate::upstream::headers::MESH_REASON;
use crate::upstream::relay::relayed_reason;
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

/// The same for the caller of a gRPC call, who looks for a code ("Trailers-Only" of gRPC over HTTP/2).
#[must_use]
pub fn answer_call(code: Code, reason: Reason, place: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    let headers = response.headers_mut();
    *headers = ending(code, reason, &reason.explain(place));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT));
    response
}

/// An answer of the mesh in the form that the caller of a gRPC call understands. What the configuration answers stays as it
/// was written, and so does what anyone else says.
#[must_use]
pub fn for_call(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (ResponseBody::Text(Some(text)), Some(reason)) =
        (response.body(), relayed_reason(response.headers()))
    else {
        return response;
    };
    if matches!(reason, Reason::RouteAnswer | Reason::FaultAbort) {
        return response;
    }
    let words = String::from_utf8_lossy(text);
    let ending = ending(Code::of_reason(reason), reason, &words);
    let (mut head, _) = response.into_parts();
    head.status = StatusCode::OK;
    head.headers = ending;
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT));
    Response::from_parts(head, ResponseBody::Empty)
}

/// Trailers of a gRPC call that broke off.
#[must_use]
pub fn last_words(reason: Reason, place: &str) -> HeaderMap {
    ending(Code::of_reason(reason), reason, &reason.explain(place))
}

fn ending(code: Code, reason: Reason, words: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    code.write(&mut headers, words);
    headers.insert(&MESH_REASON, HeaderValue::from_static(reason.code()));
    headers
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
