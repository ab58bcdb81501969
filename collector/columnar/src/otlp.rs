//! OTLP as it comes in: protobuf in place, JSON turned into protobuf first.

pub mod body;
pub mod count;
pub mod json;
pub mod schema;
pub mod span;
pub mod traces;
pub mod value;
pub mod wire;
