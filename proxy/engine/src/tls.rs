//! IDENTITY -> ENCRYPTION: keys, certificates and the rules by which two proxies believe each other.

pub mod credential;
pub mod key;
pub mod leaf;
mod seal;
pub mod spiffe;
pub mod vault;
