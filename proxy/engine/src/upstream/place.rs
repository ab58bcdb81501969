//! Where an endpoint listens: `host:port`, or `unix:` and the path of a socket.

use std::fmt;

use crate::address::Address;

const UNIX: &str = "unix:";
/// The longest path that fits into a socket address, with the zero that ends it (unix(7)).
const LONGEST: usize = 107;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    At(Address),
    Socket(Box<str>),
}

impl Place {
    /// `None` unless the text is one of the two forms; the path of a socket is absolute.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some(path) = text.strip_prefix(UNIX) else {
            return Address::parse(text).map(Self::At);
        };
        let fits = path.starts_with('/') && path.len() <= LONGEST && !path.contains('\0');
        fits.then(|| Self::Socket(path.into()))
    }

    /// What a request that names no host is for.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::At(address) => address.to_string(),
            Self::Socket(_) => "localhost".into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "{UNIX}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for text in ["127.0.0.1:80", "[::1]:8080", "unix:/run/app.sock"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        let longest = format!("unix:/{}", "a".repeat(LONGEST - 1));
        assert!(Place::parse(&longest).is_some());
        assert_eq!(Place::parse(&format!("{longest}a")), None);
        for text in ["unix:", "unix:app.sock", "unix:/a\0b", "/run/app.sock"] {
            assert_eq!(Place::parse(text), None, "{text:?}");
        }
        assert_eq!(Place::parse("unix:/a").unwrap().host(), "localhost");
    }
}
