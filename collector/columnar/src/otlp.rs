//! OTLP as it comes in: protobuf in place, JSON turned into protobuf first.

pub mod body;
pub mod json;
pub mod logs;
pub mod metrics;
pub mod point;
pub mod record;
pub mod schema;
pub mod span;
pub mod traces;
pub mod value;
pub mod walk;
pub mod wire;
