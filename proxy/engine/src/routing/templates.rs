//! Learns route templates from paths: segments that look like identifiers become `{id}`.
//!
//! In: request paths of one service. Out: a template such as `/orders/{id}`, or `{other}` once the service has too many.
//! Never: an unbounded set of names, whatever paths arrive.

use std::collections::HashSet;
use std::rc::Rc;

use http::Request;

use crate::grpc::is_call;
use crate::hash::Quick;

/// Templates one worker remembers for one service.
const MAX_TEMPLATES: usize = 200;
/// A longer template is `{other}`.
pub const MAX_LENGTH: usize = 120;
const OTHER: &str = "{other}";

pub struct Templates {
    known: HashSet<Rc<str>, Quick>,
    other: Rc<str>,
    scratch: String,
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            known: HashSet::default(),
            other: OTHER.into(),
            scratch: String::new(),
        }
    }
}

impl Templates {
    /// The template of a path (without its query).
    pub fn of(&mut self, path: &str) -> Rc<str> {
        self.scratch.clear();
        for segment in path.split('/').skip(usize::from(path.starts_with('/'))) {
            self.scratch.push('/');
            self.scratch.push_str(if is_identifier(segment) {
                "{id}"
            } else {
                segment
            });
            if self.scratch.len() > MAX_LENGTH {
                return Rc::clone(&self.other);
            }
        }
        let template = std::mem::take(&mut self.scratch);
        let known = self.learned(&template);
        self.scratch = template;
        known
    }

    /// The template of a gRPC call's path: all of it, since it names a method and nothing else.
    pub fn of_call(&mut self, path: &str) -> Rc<str> {
        if path.len() > MAX_LENGTH {
            return Rc::clone(&self.other);
        }
        self.learned(path)
    }

    /// The template of a request's path.
    pub fn of_request<B>(&mut self, request: &Request<B>) -> Rc<str> {
        let path = request.uri().path();
        if is_call(request.version(), request.headers()) {
            self.of_call(path)
        } else {
            self.of(path)
        }
    }

    fn learned(&mut self, template: &str) -> Rc<str> {
        if let Some(known) = self.known.get(template) {
            return Rc::clone(known);
        }
        if self.known.len() >= MAX_TEMPLATES {
            return Rc::clone(&self.other);
        }
        let learned: Rc<str> = template.into();
        self.known.insert(Rc::clone(&learned));
        learned
    }
}

/// Whether a path segment names one thing among many: a number, a UUID, a long hexadecimal or mixed token.
fn is_identifier(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    if digits == 0 {
        return bytes.len() >= 32 && is_mixed_case(bytes);
    }
    let hexadecimal = bytes
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    letters == 0
        || (hexadecimal && bytes.len() >= 8)
        || (bytes.len() >= 16 && digits >= 2)
        || (bytes.len() >= 10 && digits >= 3 && is_mixed_case(bytes))
        || digits * 2 > bytes.len()
}

fn is_mixed_case(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_lowercase) && bytes.iter().any(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_a_placeholder() {
        let mut templates = Templates::default();
        let cases = [
            ("/", "/"),
            ("/cart", "/cart"),
            ("/orders/17", "/orders/{id}"),
            ("/orders/17/items/3", "/orders/{id}/items/{id}"),
            ("/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/users/{id}"),
            ("/blob/deadbeef01", "/blob/{id}"),
            ("/t/dQw4w9WgXcQ123", "/t/{id}"),
            ("/sku/SKU-12345", "/sku/{id}"),
            ("/api/v1/products", "/api/v1/products"),
            ("/oauth2/token", "/oauth2/token"),
            ("/recommendations", "/recommendations"),
            ("/facade", "/facade"),
        ];
        for (path, template) in cases {
            assert_eq!(&*templates.of(path), template, "{path}");
        }
    }

    #[test]
    fn a_flood_of_paths_ends_in_other() {
        let mut templates = Templates::default();
        let word = |n: usize| -> String {
            (0..4)
                .map(|place| char::from(b'a' + u8::try_from(n >> (place * 4) & 15).unwrap()))
                .collect()
        };
        for n in 0..10_000 {
            templates.of(&format!("/{}", word(n)));
        }
        assert_eq!(templates.known.len(), MAX_TEMPLATES);
        assert_eq!(
            *templates.of(&format!("/{}", word(0))),
            format!("/{}", word(0))
        );
        assert_eq!(&*templates.of("/never-seen"), OTHER);
        assert_eq!(&*templates.of_call("/never.Seen/Either"), OTHER);
        assert_eq!(&*templates.of(&"/long".repeat(100)), OTHER);
    }
}
