//! Says whether a request is what a route is for (Gateway API, `HTTPRouteMatch`).
//!
//! In: the head of a request. Out: yes or no. Never: an allocation for requests that a path, method or header decides.

use std::borrow::Cow;

use http::header::HeaderName;
use http::{HeaderMap, Method, Uri};
use regex_lite::Regex;

use crate::snapshot::routes::{PathKind, PathMatch, Route, ValueKind, ValueMatch};

/// Compiled expressions use at most this much memory.
const EXPRESSION_BYTES: usize = 1 << 20;

pub struct Match {
    path: Path,
    method: Option<Method>,
    headers: Vec<(HeaderName, Value)>,
    query: Vec<(String, Value)>,
}

enum Path {
    Any,
    Exact(String),
    Prefix(String),
    /// Each segment; `None` stands for any one.
    Template(Vec<Option<Box<str>>>),
    /// What it begins with in any case, and the expression.
    Regex(Box<str>, Regex),
}

enum Value {
    Exact(String),
    Regex(Regex),
}

/// An expression that has to match all of a text.
pub fn expression(pattern: &str) -> Result<Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(EXPRESSION_BYTES)
        .build()
}

// === impl Match ===

impl Match {
    /// What a checked route matches; `None` when it could never match.
    pub fn of(route: &Route) -> Option<Self> {
        let (path, method) = (route.path.as_ref(), route.method.as_deref());
        Self::new(path, method, &route.headers, &route.query)
    }

    /// The same of what has been checked elsewhere.
    pub fn new(
        path: Option<&PathMatch>,
        method: Option<&str>,
        headers: &[ValueMatch],
        query: &[ValueMatch],
    ) -> Option<Self> {
        Some(Self {
            path: Path::of(path)?,
            method: method.map(str::parse).transpose().ok()?,
            headers: values(headers, |name| HeaderName::try_from(name).ok())?,
            query: values(query, |name| Some(name.to_owned()))?,
        })
    }

    pub fn holds(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        self.asks(method, uri.path(), uri.query().unwrap_or(""), headers)
    }

    /// The same of a path that may be read in another way than it is written.
    pub fn asks(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> bool {
        self.path.holds(path)
            && self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self
                .headers
                .iter()
                .all(|(name, value)| header(headers, name).is_some_and(|text| value.holds(&text)))
            && self
                .query
                .iter()
                .all(|(name, value)| parameter(query, name).is_some_and(|text| value.holds(&text)))
    }
}

impl Path {
    fn of(path: Option<&PathMatch>) -> Option<Self> {
        let Some(path) = path else {
            return Some(Self::Any);
        };
        Some(match path.kind {
            PathKind::Exact => Self::Exact(path.value.clone()),
            PathKind::Prefix => Self::Prefix(path.value.clone()),
            PathKind::Template => Self::Template(path.value.split('/').map(segment).collect()),
            PathKind::Regex => {
                let regex = expression(&path.value).ok()?;
                Self::Regex(beginning(&path.value).into(), regex)
            }
        })
    }

    fn holds(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => beyond(path, prefix).is_some(),
            Self::Template(segments) => fits(path, segments),
            // The expression is tried only where it may match: that takes longer than all the rest.
            Self::Regex(begins, regex) => path.starts_with(&**begins) && regex.is_match(path),
        }
    }
}

/// `{id}` stands for any segment.
fn segment(text: &str) -> Option<Box<str>> {
    let any = text.starts_with('{') && text.ends_with('}');
    (!any).then(|| text.into())
}

fn fits(path: &str, segments: &[Option<Box<str>>]) -> bool {
    let mut wanted = segments.iter();
    let each = path.split('/').all(|segment| match wanted.next() {
        Some(Some(exact)) => segment == &**exact,
        Some(None) => !segment.is_empty(),
        None => false,
    });
    each && wanted.next().is_none()
}

/// The plain characters that every match of an expression begins with.
fn beginning(pattern: &str) -> &str {
    if pattern.contains('|') {
        return "";
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let plain = pattern.bytes().take_while(|byte| is_plain(*byte)).count();
    // What follows may say how often the last of them comes.
    let sure = if plain == pattern.len() {
        plain
    } else {
        plain.saturating_sub(1)
    };
    &pattern[..sure]
}

impl Value {
    fn of(value: &ValueMatch) -> Option<Self> {
        Some(match value.kind {
            ValueKind::Exact => Self::Exact(value.value.clone()),
            ValueKind::Regex => Self::Regex(expression(&value.value).ok()?),
        })
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

fn values<N>(from: &[ValueMatch], name: impl Fn(&str) -> Option<N>) -> Option<Vec<(N, Value)>> {
    from.iter()
        .map(|value| Some((name(&value.name)?, Value::of(value)?)))
        .collect()
}

/// What follows a prefix of whole segments: empty, or from a slash on.
#[must_use]
pub fn beyond<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A header's value; several lines are one list (RFC 9110, 5.3).
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return Some(Cow::Borrowed(first));
    };
    let mut list = format!("{first},{second}");
    for line in lines {
        list.push(',');
        list.push_str(line);
    }
    Some(Cow::Owned(list))
}

/// The first value of a query parameter, decoded; a name must be written as it is.
fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(decoded(value))
}

/// `%41` and `+` as the characters they stand for; what is no such thing stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, left @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = left;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(json: &serde_json::Value) -> Match {
        let mut whole = serde_json::json!({"name": "r"});
        whole
            .as_object_mut()
            .unwrap()
            .extend(json.as_object().unwrap().clone());
        Match::of(&serde_json::from_value(whole).unwrap()).unwrap()
    }

    fn get(found: &Match, target: &str) -> bool {
        found.holds(&Method::GET, &target.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn a_prefix_goes_by_whole_segments() {
        let found = route(&serde_json::json!({"path": {"kind": "prefix", "value": "/shop"}}));
        for (target, holds) in [
            ("/shop", true),
            ("/shop/", true),
            ("/shop/cart?x=1", true),
            ("http://a/shop/cart", true),
            ("/shopping", false),
            ("/", false),
        ] {
            assert_eq!(get(&found, target), holds, "{target}");
        }
    }

    #[test]
    fn exact_is_exact_and_an_expression_matches_all() {
        let exact = route(&serde_json::json!({"path": {"kind": "exact", "value": "/a"}}));
        assert!(get(&exact, "/a?b"));
        assert!(!get(&exact, "/a/"));
        let regex = route(&serde_json::json!({"path": {"kind": "regex", "value": "/a|/b/[0-9]+"}}));
        assert!(get(&regex, "/b/12"));
        assert!(!get(&regex, "/a/c"));
        assert!(!get(&regex, "/x/b/12"));
    }

    #[test]
    fn a_template_asks_for_as_many_segments() {
        let found = route(
            &serde_json::json!({"path": {"kind": "template", "value": "/orders/{id}/items"}}),
        );
        for (target, holds) in [
            ("/orders/17/items", true),
            ("/orders/17/items?x", true),
            ("/orders//items", false),
            ("/orders/17/items/", false),
            ("/orders/17", false),
            ("/orders/17/lines", false),
        ] {
            assert_eq!(get(&found, target), holds, "{target}");
        }
    }

    #[test]
    fn an_expression_is_not_judged_by_its_beginning_alone() {
        let paths = ["/", "/a", "/ab", "/abb", "/b", "/A", "/ab/1", "/ab.1", ""];
        for pattern in [
            "/ab",
            "/ab?",
            "/ab*",
            "/ab+",
            "/ab{0}",
            "/ab{2}",
            "/a|/b",
            "/ab/[0-9]",
            "(?i)/a",
            "/(?i)A",
            "(/ab)?",
            "/ab.1",
            "/?",
            "",
            "^/ab$",
            "/[ab]",
        ] {
            let found = route(&serde_json::json!({"path": {"kind": "regex", "value": pattern}}));
            let regex = expression(pattern).unwrap();
            for path in paths {
                assert_eq!(
                    found.path.holds(path),
                    regex.is_match(path),
                    "{pattern} {path}"
                );
            }
        }
        assert_eq!(beginning("/users/[0-9]+"), "/users");
    }

    #[test]
    fn headers_and_parameters_must_all_hold() {
        let found = route(&serde_json::json!({
            "method": "POST",
            "headers": [{"name": "x-list", "value": "a,b"}, {"name": "x-n", "kind": "regex", "value": "[0-9]+"}],
            "query": [{"name": "q", "value": "a b&c"}],
        }));
        let mut headers = HeaderMap::new();
        headers.append("x-list", "a".parse().unwrap());
        headers.append("x-list", "b".parse().unwrap());
        headers.append("x-n", "42".parse().unwrap());
        let uri: Uri = "/?p&q=a+b%26c&q=other".parse().unwrap();
        assert!(found.holds(&Method::POST, &uri, &headers));
        assert!(!found.holds(&Method::GET, &uri, &headers));
        assert!(!found.holds(&Method::POST, &"/?q=b".parse().unwrap(), &headers));
        headers.insert("x-n", "4x2".parse().unwrap());
        assert!(!found.holds(&Method::POST, &uri, &headers));
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for (text, plain) in [
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%", "%"),
            ("%41%", "A%"),
            ("a%2Fb", "a/b"),
        ] {
            assert_eq!(decoded(text), plain);
        }
    }
}
