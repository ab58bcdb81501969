//! REQUEST -> ENDPOINT: where each request goes.

mod attempts;
pub mod balance;
pub mod inbound;
pub mod outbound;
pub mod route;
pub mod templates;
