//! An answer that is not given: the connection ends instead (HTTP/1), or the stream is reset (HTTP/2).

use http::Response;

/// What hyper is told in the place of an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub struct Cut;

/// Marks an answer as one that nobody is to get.
#[must_use]
pub fn cut<B>(mut response: Response<B>) -> Response<B> {
    response.extensions_mut().insert(Cut);
    response
}

/// The answer, unless it is marked.
pub fn uncut<B>(response: Response<B>) -> Result<Response<B>, Cut> {
    match response.extensions().get::<Cut>() {
        Some(cut) => Err(*cut),
        None => Ok(response),
    }
}
