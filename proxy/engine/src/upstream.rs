//! REQUEST -> RESPONSE: how a request gets to its endpoint and the response back.

pub mod answer;
pub mod connect;
mod copied_body;
mod dial;
pub mod endpoint;
pub mod forward;
pub mod headers;
pub mod hop;
mod kept_body;
mod names;
pub mod place;
pub mod pool;
pub mod progress;
pub mod relay;
pub mod request_body;
pub mod response_body;
pub mod secure;
pub mod spare;
pub mod splice;
pub mod stream;
mod strict;
mod upgrade;
