//! REQUEST -> SPAN AND COUNTS: what is known of a request afterwards.

pub(crate) mod clock;
pub(crate) mod flight;
pub mod otlp;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod slots;
pub(crate) mod tally;
pub(crate) mod trace;
