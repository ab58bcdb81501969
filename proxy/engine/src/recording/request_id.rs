//! The id that a caller gives its request, kept on the request's first span here: who has only that id finds the trace.

use http::{HeaderMap, HeaderName};

use crate::recording::otlp::Attributes;

/// Longer ones are no ids.
const LONGEST: usize = 128;

/// The header it comes in, and the attribute it becomes.
pub struct RequestId {
    header: HeaderName,
    attribute: Box<str>,
}

impl RequestId {
    /// `None` for what is no lower-case name of a header.
    #[must_use]
    pub fn of(header: &str) -> Option<Self> {
        Some(Self {
            header: HeaderName::from_lowercase(header.as_bytes()).ok()?,
            attribute: format!("http.request.header.{header}").into(),
        })
    }

    /// The attribute, when the request has such an id.
    #[must_use]
    pub fn read(&self, headers: &HeaderMap) -> Option<Attributes> {
        let id = headers.get(&self.header)?.to_str().ok()?;
        if id.is_empty() || id.len() > LONGEST {
            return None;
        }
        let mut told = Attributes::default();
        told.text(&self.attribute, id);
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::recording::otlp::{Field, fields, read_attribute};

    fn told(value: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_bytes(value).unwrap());
        let attributes = RequestId::of("x-request-id").unwrap().read(&headers)?;
        let (_, Field::Bytes(pair)) = fields(attributes.bytes()).next()? else {
            return None;
        };
        match read_attribute(pair)? {
            ("http.request.header.x-request-id", Field::Bytes(id)) => {
                Some(std::str::from_utf8(id).unwrap().to_owned())
            }
            _ => None,
        }
    }

    #[test]
    fn an_id_becomes_an_attribute() {
        assert_eq!(told(b"6f1c-42"), Some("6f1c-42".to_owned()));
    }

    #[test]
    fn what_is_no_id_does_not() {
        assert_eq!(told(b""), None);
        assert_eq!(told(&[b'a'; LONGEST + 1]), None);
        assert_eq!(told("\u{fc}".as_bytes()), None);
        assert!(RequestId::of("X-Request-Id").is_none());
        assert!(
            RequestId::of("x-request-id")
                .unwrap()
                .read(&HeaderMap::new())
                .is_none()
        );
    }
}
