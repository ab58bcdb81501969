//! Reads the server name out of the first bytes that a TLS client sends (RFC 8446, 4.1.2; RFC 6066, 3).
//!
//! In: bytes as far as they have come. Out: the name asked for, that there is none, that more is needed, or that this is
//! not TLS. Pure. Never: more than `LONGEST` bytes of handshake looked at.

/// A `ClientHello` longer than this is not waited for; with post-quantum key shares they have about 2 KiB.
pub const LONGEST: usize = 16_384;
const LONGEST_NAME: usize = 253;
const RECORD_HEAD: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const HOST_NAME: u8 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Lower case.
    Names(Box<str>),
    /// A whole one without a name that could be looked up.
    Nameless,
    /// So far it looks like one.
    Partial,
    /// Not TLS, or not a `ClientHello` that can be read.
    Other,
}

/// What the first bytes of a connection ask for; a message may be spread over several records.
#[must_use]
pub fn read(bytes: &[u8]) -> Hello {
    match whole(bytes) {
        Ok(message) => name(&message[4..]).unwrap_or(Hello::Other),
        Err(hello) => hello,
    }
}

/// Whether a whole `ClientHello` offers to speak this protocol inside (RFC 7301).
#[must_use]
pub fn offers(bytes: &[u8], protocol: &[u8]) -> bool {
    whole(bytes).is_ok_and(|message| offered(&message[4..], protocol) == Some(true))
}

/// The whole message with its head, or why there is none.
fn whole(bytes: &[u8]) -> Result<Vec<u8>, Hello> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        match wanted(&message) {
            Err(()) => return Err(Hello::Other),
            Ok(Some(length)) if message.len() >= length => {
                message.truncate(length);
                return Ok(message);
            }
            Ok(_) => {}
        }
        let Some(fragment) = record(&mut rest) else {
            return Err(Hello::Other);
        };
        if fragment.is_empty() {
            return Err(Hello::Partial);
        }
        message.extend_from_slice(fragment);
    }
}

/// The length of the handshake message with its head, once that is there; an error when it is no `ClientHello`.
fn wanted(message: &[u8]) -> Result<Option<usize>, ()> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(());
    }
    let Some([_, high, middle, low]) = message.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = 4 + u32::from_be_bytes([0, *high, *middle, *low]) as usize;
    if length > LONGEST {
        return Err(());
    }
    Ok(Some(length))
}

/// What has come of the next record's content; empty when nothing has. `None` when it is not a handshake record.
fn record<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = *rest;
    let fits = bytes.first().is_none_or(|kind| *kind == HANDSHAKE)
        && bytes.get(1).is_none_or(|major| *major == 3)
        && bytes.get(2).is_none_or(|minor| *minor <= 4);
    if !fits {
        return None;
    }
    let Some([_, _, _, high, low]) = bytes.first_chunk::<RECORD_HEAD>() else {
        *rest = &[];
        return Some(&[]);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length == 0 || length > LONGEST {
        return None;
    }
    let end = (RECORD_HEAD + length).min(bytes.len());
    *rest = &bytes[end..];
    Some(&bytes[RECORD_HEAD..end])
}

/// The name within the body of a whole `ClientHello`; `None` when its lengths do not add up.
fn name(body: &[u8]) -> Option<Hello> {
    let mut extensions = extensions(body)?;
    while !extensions.is_empty() {
        let (kind, content) = next(&mut extensions)?;
        if kind == SERVER_NAME {
            return host_name(content);
        }
    }
    Some(Hello::Nameless)
}

/// Whether the protocol is one of those in the body of a whole `ClientHello`; `None` when its lengths do not add up.
fn offered(body: &[u8], protocol: &[u8]) -> Option<bool> {
    let mut extensions = extensions(body)?;
    while !extensions.is_empty() {
        let (kind, mut content) = next(&mut extensions)?;
        if kind == PROTOCOLS {
            let mut names = vector(&mut content, 2)?;
            while !names.is_empty() {
                if vector(&mut names, 1)? == protocol {
                    return Some(true);
                }
            }
        }
    }
    Some(false)
}

fn extensions(mut body: &[u8]) -> Option<&[u8]> {
    take(&mut body, 2 + 32)?;
    vector(&mut body, 1)?;
    vector(&mut body, 2)?;
    vector(&mut body, 1)?;
    if body.is_empty() {
        return Some(body);
    }
    vector(&mut body, 2)
}

/// The kind and the content of the next extension; `None` when its length does not add up.
fn next<'a>(extensions: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let kind = take(extensions, 2)?;
    Some((
        u16::from_be_bytes([kind[0], kind[1]]),
        vector(extensions, 2)?,
    ))
}

fn host_name(mut content: &[u8]) -> Option<Hello> {
    let mut names = vector(&mut content, 2)?;
    while !names.is_empty() {
        let kind = take(&mut names, 1)?;
        let name = vector(&mut names, 2)?;
        if kind == [HOST_NAME] {
            return Some(plain(name).map_or(Hello::Nameless, Hello::Names));
        }
    }
    Some(Hello::Nameless)
}

/// A DNS name in lower case, without the dot of the root.
fn plain(name: &[u8]) -> Option<Box<str>> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.iter().all(allowed) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(name.to_ascii_lowercase().into())
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// Bytes that follow their own length, which takes `digits` bytes.
fn vector<'a>(from: &mut &'a [u8], digits: usize) -> Option<&'a [u8]> {
    let length = take(from, digits)?
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    take(from, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `ClientHello` with a server name, in records of `size` bytes.
    pub fn hello(name: &str, size: usize) -> Vec<u8> {
        let long =
            |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let entry = [&[HOST_NAME][..], &long(name.as_bytes())].concat();
        let extensions = [
            &[0x00, 0x2b][..],
            &long(&[2, 3, 4]),
            &[0, 0],
            &long(&long(&entry)),
        ]
        .concat();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &long(&[0x13, 1]),
            &[1, 0],
            &long(&extensions),
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[CLIENT_HELLO][..], &length[1..], &body].concat();
        message
            .chunks(size)
            .flat_map(|part| [&[HANDSHAKE, 3, 1][..], &long(part)].concat())
            .collect()
    }

    #[test]
    fn the_name_is_found_however_the_message_is_spread() {
        for size in [1, 3, 50, 4_096] {
            let bytes = hello("DB.Example.com.", size);
            assert_eq!(
                read(&bytes),
                Hello::Names("db.example.com".into()),
                "records of {size}"
            );
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Hello::Partial, "{end} bytes");
            }
        }
    }

    #[test]
    fn a_protocol_is_offered_or_not() {
        let plain = hello("db.example.com", 4_096);
        assert!(!offers(&plain, b"h2"));
        assert!(!offers(&plain[..40], b"h2"));
        assert!(!offers(b"GET / HTTP/1.1", b"h2"));
    }

    #[test]
    fn what_has_no_usable_name_is_nameless() {
        for name in ["", "a b", "\u{e9}.com", &"a".repeat(254)] {
            assert_eq!(read(&hello(name, 99)), Hello::Nameless, "{name}");
        }
    }

    #[test]
    fn what_is_not_tls_is_known_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1"[..],
            b"\x16\x02",
            b"\x15\x03\x01",
            b"\x16\x03\x01\0\x05\x02",
            b"\x16\x03\x01\0\0",
        ] {
            assert_eq!(read(bytes), Hello::Other, "{bytes:?}");
        }
    }
}
