//! Decides whether a request that has arrived may go on: it means one thing only, and is within the limits.

use http::{Request, Version};
use http_body::Body;

use crate::entry::caller::Caller;
use crate::entry::fault::Fault;
use crate::entry::limits::{HeadLimits, Limits};
use crate::entry::strict;

/// What each header costs beside its characters (RFC 9113, 6.5.2).
const HEADER_OVERHEAD: usize = 32;

/// What stands against a request; `None` when it may be forwarded.
#[must_use]
pub fn objection<B: Body>(request: &Request<B>, caller: &Caller, limits: &Limits) -> Option<Fault> {
    if let Some(fault) = caller.conduct.fault() {
        return Some(fault);
    }
    if request.version() == Version::HTTP_2
        && let Some(fault) = large_head(request, limits.head)
    {
        return Some(fault);
    }
    if let Some(problem) = strict::objection(request, caller.scheme) {
        return Some(Fault::bad(problem));
    }
    if request.body().size_hint().lower() > limits.body.bytes {
        return Some(Fault::LARGE_BODY);
    }
    (caller.requests() > limits.requests).then_some(Fault::MANY_REQUESTS)
}

/// Of HTTP/1 the tap has measured the head before anyone parsed it.
fn large_head<B>(request: &Request<B>, limits: HeadLimits) -> Option<Fault> {
    let headers = request.headers();
    if headers.len() > limits.headers {
        return Some(Fault::MANY_HEADERS);
    }
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_OVERHEAD
    };
    if headers.iter().map(size).sum::<usize>() > limits.bytes {
        return Some(Fault::LARGE_HEAD);
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    (target > limits.uri_bytes).then_some(Fault::LONG_URI)
}
