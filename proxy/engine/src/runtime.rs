//! SNAPSHOT -> WORKERS: the wiring of one engine; threads, and what they share.

pub(crate) mod caught;
pub mod engine;
pub(crate) mod exec;
pub(crate) mod gateway;
pub(crate) mod meters;
pub(crate) mod plan;
pub(crate) mod sockets;
pub(crate) mod standings;
pub(crate) mod stats;
pub mod succession;
pub(crate) mod thread;
pub(crate) mod totals;
pub(crate) mod worker;
pub(crate) mod workload;
