//! Changes to a request or response that a route asks for (Gateway API, `HTTPRouteFilter`).

use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};

use super::matching::beyond;
use crate::snapshot::routes as snapshot;
use crate::upstream::response_body::ResponseBody;

const NOT_EDITED: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "mesh-reason",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "x-mesh-source",
];

/// Whether a header may be edited: those that say how a message is carried, or who sent it, may not.
#[must_use]
pub fn editable(name: &str) -> bool {
    !NOT_EDITED.contains(&name) && !name.starts_with("proxy-")
}

/// Headers to set, to add and to remove, in this order.
pub struct HeaderEdit {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

/// Another path, whole or in place of a prefix.
pub struct PathEdit {
    value: String,
    prefix: Option<String>,
}

/// What the callee is asked instead.
pub struct Rewrite {
    authority: Option<Authority>,
    path: Option<PathEdit>,
}

/// Where the caller is sent; what is not given stays.
pub struct Redirect {
    scheme: Option<snapshot::Scheme>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<PathEdit>,
    status: StatusCode,
}

// === impl HeaderEdit ===

impl HeaderEdit {
    #[must_use]
    pub fn of(from: &snapshot::HeaderEdit) -> Self {
        let pairs = |pairs: &[(String, String)]| {
            let pair = |(name, value): &(String, String)| {
                Some((HeaderName::try_from(name).ok()?, value.parse().ok()?))
            };
            pairs.iter().filter_map(pair).collect()
        };
        Self {
            set: pairs(&from.set),
            add: pairs(&from.add),
            remove: from
                .remove
                .iter()
                .filter_map(|name| HeaderName::try_from(name).ok())
                .collect(),
        }
    }

    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

// === impl PathEdit ===

impl PathEdit {
    fn of(from: &snapshot::PathEdit) -> Self {
        Self {
            value: from.value.clone(),
            prefix: from.prefix.clone(),
        }
    }

    /// The new path, with the query as it was.
    fn apply(&self, uri: &Uri) -> Option<PathAndQuery> {
        let rest = match &self.prefix {
            Some(prefix) => beyond(uri.path(), prefix)?,
            None => "",
        };
        let path = match (self.value.as_str(), rest) {
            ("" | "/", "") => "/".to_owned(),
            ("/", rest) => rest.to_owned(),
            (value, rest) => format!("{value}{rest}"),
        };
        let whole = uri
            .query()
            .map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        whole.parse().ok()
    }
}

// === impl Rewrite ===

impl Rewrite {
    #[must_use]
    pub fn of(from: &snapshot::Rewrite) -> Self {
        Self {
            authority: from.host.as_ref().and_then(|host| host.parse().ok()),
            path: from.path.as_ref().map(PathEdit::of),
        }
    }

    pub fn apply<B>(&self, request: &mut Request<B>) {
        let mut parts = request.uri().clone().into_parts();
        if let Some(path) = self
            .path
            .as_ref()
            .and_then(|path| path.apply(request.uri()))
        {
            parts.path_and_query = Some(path);
        }
        if let Some(authority) = &self.authority {
            parts.scheme = Some(Scheme::HTTP);
            parts.authority = Some(authority.clone());
            parts
                .path_and_query
                .get_or_insert(PathAndQuery::from_static("/"));
            request.headers_mut().remove(HOST);
        }
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

// === impl Redirect ===

impl Redirect {
    #[must_use]
    pub fn of(from: &snapshot::Redirect) -> Self {
        Self {
            scheme: from.scheme,
            host: from.host.clone(),
            port: from.port,
            path: from.path.as_ref().map(PathEdit::of),
            status: StatusCode::from_u16(from.status).unwrap_or(StatusCode::FOUND),
        }
    }

    /// The answer that sends the caller elsewhere; `asked` is the authority of its request, and `by` the scheme.
    #[must_use]
    pub fn answer(&self, uri: &Uri, by: &str, asked: &str) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::Empty);
        *response.status_mut() = self.status;
        if let Ok(location) = HeaderValue::try_from(self.location(uri, by, asked)) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    /// Without a port of its own a redirect to another scheme leads to that scheme's usual one, any other to the port that
    /// was asked (Gateway API, `HTTPRequestRedirectFilter.port`).
    fn location(&self, uri: &Uri, by: &str, asked: &str) -> String {
        let asked: Option<Authority> = asked.parse().ok();
        let scheme = match self.scheme {
            Some(snapshot::Scheme::Https) => "https",
            Some(snapshot::Scheme::Http) => "http",
            None => by,
        };
        let host = match (&self.host, &asked) {
            (Some(host), _) => host.as_str(),
            (None, Some(asked)) => asked.host(),
            (None, None) => "",
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        let inherited = match self.scheme {
            Some(_) => None,
            None => asked.as_ref().and_then(Authority::port_u16),
        };
        let port = match self.port.or(inherited) {
            Some(port) if port != usual => format!(":{port}"),
            _ => String::new(),
        };
        let edited = self.path.as_ref().and_then(|path| path.apply(uri));
        // The target of `OPTIONS *` is no path.
        let path = edited
            .as_ref()
            .or(uri.path_and_query())
            .map(PathAndQuery::as_str)
            .filter(|path| path.starts_with('/'))
            .unwrap_or("/");
        format!("{scheme}://{host}{port}{path}")
    }
}

/// An answer that a route gives itself.
#[must_use]
pub fn direct(from: &snapshot::Answer) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(from.body.clone()));
    *response.status_mut() = StatusCode::from_u16(from.status).unwrap_or_default();
    if let Ok(kind) = HeaderValue::from_str(&from.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(json: serde_json::Value, uri: &str, asked: &str) -> String {
        let redirect = Redirect::of(&serde_json::from_value(json).unwrap());
        redirect.location(&uri.parse().unwrap(), "http", asked)
    }

    #[test]
    fn a_redirect_keeps_what_it_does_not_change() {
        use serde_json::json;
        for (what, uri, asked, location) in [
            (json!({}), "/a?b=1", "shop:8080", "http://shop:8080/a?b=1"),
            (
                json!({"scheme": "https"}),
                "/a",
                "shop:8080",
                "https://shop/a",
            ),
            (
                json!({"scheme": "https", "port": 8443}),
                "/a",
                "shop",
                "https://shop:8443/a",
            ),
            (json!({"port": 80}), "/", "shop:8080", "http://shop/"),
            (
                json!({"host": "new.example"}),
                "/a",
                "[::1]:80",
                "http://new.example/a",
            ),
            (
                json!({"path": {"value": "/x"}}),
                "/a/b?q",
                "shop",
                "http://shop/x?q",
            ),
            (
                json!({"path": {"value": "/x", "prefix": "/a"}}),
                "/a/b?q",
                "shop",
                "http://shop/x/b?q",
            ),
            (
                json!({"path": {"value": "", "prefix": "/a"}}),
                "/a",
                "shop",
                "http://shop/",
            ),
            (
                json!({"path": {"value": "/", "prefix": "/a"}}),
                "/a/b",
                "shop",
                "http://shop/b",
            ),
            (
                json!({"path": {"value": "/x", "prefix": ""}}),
                "/a",
                "shop",
                "http://shop/x/a",
            ),
        ] {
            assert_eq!(redirect(what, uri, asked), location);
        }
    }

    #[test]
    fn a_rewrite_changes_whom_and_what_is_asked() {
        let rewrite = Rewrite::of(
            &serde_json::from_value(
                serde_json::json!({"host": "other", "path": {"value": "/v2", "prefix": "/api"}}),
            )
            .unwrap(),
        );
        let mut request = Request::new(());
        *request.uri_mut() = "/api/items?x=1".parse().unwrap();
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("shop"));
        rewrite.apply(&mut request);
        assert_eq!(request.uri(), "http://other/v2/items?x=1");
        assert!(!request.headers().contains_key(HOST));
    }

    #[test]
    fn headers_are_set_added_and_removed() {
        let edit = HeaderEdit::of(&snapshot::HeaderEdit {
            set: vec![("x-a".into(), "1".into())],
            add: vec![("x-b".into(), "2".into())],
            remove: vec!["x-c".into()],
        });
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "0"), ("x-b", "1"), ("x-c", "9")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        edit.apply(&mut headers);
        assert_eq!(headers.get("x-a").unwrap(), "1");
        assert_eq!(headers.get_all("x-b").iter().count(), 2);
        assert!(!headers.contains_key("x-c"));
    }
}
