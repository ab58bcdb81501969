//! IDENTITY -> ENCRYPTION: keys, certificates and the rules by which two proxies believe each other.

pub mod anchor;
pub mod channel;
pub mod config;
pub mod credential;
pub mod denied;
pub mod doors;
mod files;
pub mod key;
pub mod leaf;
pub mod origination;
pub mod refusal;
mod roots;
mod seal;
pub mod security;
pub mod shown;
pub mod spiffe;
pub mod trust;
pub mod vault;
mod verify;
pub mod watched;
