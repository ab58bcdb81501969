//! REQUEST -> ENDPOINT: where each request goes.

mod attempts;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod care;
mod connect;
pub mod deadline;
pub mod early;
pub mod edits;
pub mod gateway;
pub mod hosts;
pub mod inbound;
pub mod inject;
pub mod mark;
pub mod matching;
mod mirror;
pub mod outbound;
pub mod outlier;
pub mod outside;
#[cfg(any(test, feature = "python"))]
pub mod question;
pub mod retry;
pub mod route;
pub mod rules;
mod session;
mod split;
pub mod table;
pub mod targets;
pub mod templates;
pub mod tunnel;
