//! Why bytes could not be taken.

use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Bytes that are not the message they were said to be.
    #[error("{what} at byte {offset}")]
    Malformed { what: String, offset: usize },
    /// A body, or what it turns into, over its bound.
    #[error("{0}")]
    TooLarge(String),
}

impl Error {
    pub fn malformed(what: impl Into<String>, offset: usize) -> Self {
        Self::Malformed { what: what.into(), offset }
    }
}

pub type Result<T> = std::result::Result<T, Error>;
