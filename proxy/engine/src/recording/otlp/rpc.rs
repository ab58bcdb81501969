//! What a span says of a gRPC call (OpenTelemetry, "Semantic conventions for gRPC"), beside what it says of its request.

use super::wire;
use crate::grpc::Code;
use crate::recording::record::Text;

/// The name of a method that is one of too many to be known.
const OTHER: &str = "_OTHER";

/// The method of a call, `package.Service/Method`: its path, where that is a route that is known.
pub(super) fn method<'a>(text: &Text<'a>) -> Option<&'a str> {
    let known = text.route == text.path || !text.route.ends_with("{other}");
    known.then(|| text.path.trim_start_matches('/'))
}

/// The name of the span of a call.
pub(super) fn name<'a>(text: &Text<'a>) -> &'a str {
    if method(text).is_some() {
        text.route.trim_start_matches('/')
    } else {
        "grpc"
    }
}

pub(super) fn attributes(out: &mut Vec<u8>, code: Code, text: &Text<'_>) {
    wire::attribute(out, "rpc.system.name", "grpc");
    wire::attribute(out, "rpc.method", method(text).unwrap_or(OTHER));
    if method(text).is_none() {
        let asked = text.path.trim_start_matches('/');
        wire::attribute(out, "rpc.method_original", asked);
    }
    wire::attribute(out, "rpc.response.status_code", code.name());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_as_far_as_routes_are() {
        let text = |path, route| Text {
            path,
            route,
            ..Text::default()
        };
        let plain = text("/shop.Cart/Add", "/shop.Cart/Add");
        assert_eq!(
            (method(&plain), name(&plain)),
            (Some("shop.Cart/Add"), "shop.Cart/Add")
        );
        let ruled = text("/shop.Cart/Add", "/shop.Cart/*");
        assert_eq!(
            (method(&ruled), name(&ruled)),
            (Some("shop.Cart/Add"), "shop.Cart/*")
        );
        let one_of_many = text("/x.Y/Z", "{other}");
        assert_eq!((method(&one_of_many), name(&one_of_many)), (None, "grpc"));
    }
}
