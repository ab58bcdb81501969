//! REQUEST -> SPAN AND COUNTS: what is known of a request afterwards.

pub(crate) mod b3;
pub(crate) mod clock;
pub(crate) mod flags;
pub(crate) mod flight;
pub(crate) mod identity;
pub mod otlp;
pub(crate) mod pad;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod request_id;
pub(crate) mod ring;
pub(crate) mod slots;
pub(crate) mod slow;
pub(crate) mod tally;
pub(crate) mod trace;
pub(crate) mod tunnel;
pub(crate) mod tunnels;
pub(crate) mod verdict;
