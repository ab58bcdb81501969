//! The address of an OTLP/HTTP traces endpoint.

use crate::address::Address;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub address: Address,
    pub path: String,
}

impl Url {
    /// Reads `http://host[:port][/path]`; without a path it is `/v1/traces`, as OTLP/HTTP has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))?;
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let port = authority.port_u16().unwrap_or(80);
        let address = Address::parse(&format!("{}:{port}", authority.host()))?;
        let path = if uri.path() == "/" {
            "/v1/traces"
        } else {
            uri.path()
        };
        Some(Self {
            address,
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parts = |text| Url::parse(text).map(|url| (url.address.to_string(), url.path));
        assert_eq!(
            parts("http://h:4318/v1/traces"),
            Some(("h:4318".into(), "/v1/traces".into()))
        );
        assert_eq!(
            parts("http://[::1]"),
            Some(("[::1]:80".into(), "/v1/traces".into()))
        );
        for text in [
            "",
            "h:4318",
            "https://h",
            "http://",
            "http://u:p@h",
            "/v1/traces",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
