//! Puts a request into the form that the next hop's protocol wants, or keeps a copy of it for a second try.

use http::header::{COOKIE, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use crate::upstream::request_body::RequestBody;

/// Origin form and a `Host`, as HTTP/1.1 wants them.
pub fn for_http1(request: &mut Request<RequestBody>, unnamed: Option<&HeaderValue>) {
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str());
        *request.uri_mut() = path_only(request.uri());
        if let Ok(host) = host {
            request.headers_mut().insert(HOST, host);
        }
    } else if let (None, Some(name)) = (request.headers().get(HOST), unnamed) {
        // HTTP/1.0 knows no Host; an HTTP/1.1 request needs one.
        request.headers_mut().insert(HOST, name.clone());
    }
}

/// HTTP/2 may send each cookie as a header of its own; HTTP/1.1 knows one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}

fn path_only(uri: &Uri) -> Uri {
    let path = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(path)
}

/// Scheme and authority in the pseudo-headers, no `Host`, as HTTP/2 wants them; `begins_tls` where this proxy encrypts to
/// who knows nothing of what the application said.
pub fn for_http2(request: &mut Request<RequestBody>, begins_tls: bool) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    if request.uri().authority().is_none()
        && let Some(uri) = host.and_then(|host| absolute(request.uri(), &host))
    {
        *request.uri_mut() = uri;
    }
    if begins_tls && let Some(uri) = over_https(request.uri()) {
        *request.uri_mut() = uri;
    }
}

fn over_https(uri: &Uri) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    Uri::from_parts(parts).ok()
}

fn absolute(uri: &Uri, host: &HeaderValue) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(host.to_str().ok()?.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, host: Option<&str>) -> Request<RequestBody> {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        request.body(RequestBody::Empty).unwrap()
    }

    #[test]
    fn http1_wants_origin_form_and_a_host() {
        let name = HeaderValue::from_static("127.0.0.1:80");
        let cases = [
            ("http://a:81/b?c", Some("ignored"), "/b?c", "a:81"),
            ("http://a", None, "/", "a"),
            ("/b?c", Some("a"), "/b?c", "a"),
            ("/b", None, "/b", "127.0.0.1:80"),
            ("*", Some("a"), "*", "a"),
        ];
        for (uri, host, path, named) in cases {
            let mut request = request("GET", uri, host);
            for_http1(&mut request, Some(&name));
            assert_eq!(
                (request.uri().to_string().as_str(), &request.headers()[HOST]),
                (path, &named.parse().unwrap())
            );
        }
    }

    #[test]
    fn cookies_of_http2_become_one() {
        let mut request = request("GET", "http://a/", None);
        *request.version_mut() = Version::HTTP_2;
        for crumb in ["a=1", "b=2"] {
            request
                .headers_mut()
                .append(COOKIE, HeaderValue::from_static(crumb));
        }
        for_http1(&mut request, None);
        assert_eq!(
            request.headers().get_all(COOKIE).iter().collect::<Vec<_>>(),
            ["a=1; b=2"]
        );
    }

    #[test]
    fn http2_wants_an_authority_and_no_host() {
        for (uri, host) in [("http://a:81/b?c", None), ("/b?c", Some("a:81"))] {
            let mut request = request("GET", uri, host);
            for_http2(&mut request, false);
            assert_eq!(request.uri(), "http://a:81/b?c");
            assert!(!request.headers().contains_key(HOST));
            for_http2(&mut request, true);
            assert_eq!(request.uri(), "https://a:81/b?c");
        }
    }
}
