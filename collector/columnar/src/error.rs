//! Why bytes could not be taken.

use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Bytes that are not the message they were said to be.
    #[error("{what} at byte {}", .at.0)]
    Malformed { what: String, at: Address },
    /// A body, or what it turns into, over its bound.
    #[error("{0}")]
    TooLarge(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// A place in the body. Readers know where they are in memory only, so that nothing is counted while all goes well;
/// `Error::within` makes it an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(usize);

impl Address {
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.as_ptr().addr())
    }
}

impl From<usize> for Address {
    /// An offset that is known already.
    fn from(offset: usize) -> Self {
        Self(offset)
    }
}

impl Error {
    pub fn malformed(what: impl Into<String>, at: impl Into<Address>) -> Self {
        Self::Malformed { what: what.into(), at: at.into() }
    }

    /// The error with its place counted from the begin of the body.
    #[must_use]
    pub fn within(self, body: &[u8]) -> Self {
        match self {
            Self::Malformed { what, at } => {
                Self::Malformed { what, at: Address(at.0.saturating_sub(Address::of(body).0)) }
            }
            Self::TooLarge(_) => self,
        }
    }
}
