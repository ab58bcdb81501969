//! CONNECTION -> REQUESTS: what is accepted, refused and cut off before a request is looked at.

mod admission;
mod arrival;
mod begun;
pub mod caller;
mod calm;
pub mod chunk;
pub mod client_hello;
pub mod conduct;
mod connection;
pub mod cut;
pub mod detect;
pub mod entrance;
mod farewell;
pub mod fault;
pub mod frames;
pub mod framing;
pub mod guard;
pub mod head;
pub mod limits;
pub mod listen;
mod original;
mod paced;
pub mod secure;
pub mod strict;
mod tap;
pub mod way;
pub mod wire;
