//! CONNECTION -> REQUESTS: what is accepted, refused and cut off before a request is looked at.

mod admission;
pub mod caller;
mod calm;
pub mod chunk;
pub mod conduct;
mod connection;
pub mod cut;
mod detect;
mod farewell;
pub mod fault;
pub mod frames;
pub mod framing;
pub mod guard;
pub mod head;
pub mod limits;
pub mod listen;
mod paced;
pub mod strict;
mod tap;
