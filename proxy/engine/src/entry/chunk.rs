//! Reads the lines between the chunks of a body (RFC 9112, 7.1).

use memchr::memchr;

/// Longest line with a chunk's size: extensions are not passed on, so nobody needs long ones.
const SIZE_LINE: usize = 1_024;
/// 2^60 bytes: beyond any body, and far from overflow.
const SIZE_DIGITS: usize = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its end is not there yet.
    Partial,
    /// The number it says (of a trailer: how long it is), and its length with the line end.
    Whole(u64, usize),
    Bad(&'static str),
}

/// The line that says how large the next chunk is.
#[must_use]
pub fn size(bytes: &[u8]) -> Line {
    let line = match line(bytes, SIZE_LINE) {
        Ok(line) => line,
        Err(other) => return other,
    };
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let after = line[digits..].trim_ascii_start();
    if digits == 0 || !(line.len() == digits || after.starts_with(b";")) {
        return Line::Bad("a chunk size that is not a plain hexadecimal number");
    }
    if line[..digits]
        .iter()
        .skip_while(|digit| **digit == b'0')
        .count()
        > SIZE_DIGITS
    {
        return Line::Bad("a chunk size that no body has");
    }
    if after
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Line::Bad("a control character in a chunk extension");
    }
    let value = |digit: u8| u64::from((digit as char).to_digit(16).unwrap_or(0));
    let size = line[..digits]
        .iter()
        .fold(0, |sum, digit| sum << 4 | value(*digit));
    Line::Whole(size, line.len() + 2)
}

/// One line after the last chunk; an empty one ends the body.
#[must_use]
pub fn trailer(bytes: &[u8]) -> Line {
    let line = match line(bytes, usize::MAX) {
        Ok(line) => line,
        Err(other) => return other,
    };
    if line.is_empty() {
        return Line::Whole(0, 2);
    }
    let colon = memchr(b':', line).unwrap_or(0);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if colon == 0 || !line[..colon].iter().all(token) {
        return Line::Bad("a trailer without a proper name");
    }
    if line[colon..]
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Line::Bad("a trailer with a control character");
    }
    Line::Whole(line.len() as u64, line.len() + 2)
}

/// The line up to its CR LF; one is as long as another however much of it is there yet.
fn line(bytes: &[u8], longest: usize) -> Result<&[u8], Line> {
    let end = memchr(b'\n', bytes);
    if end.unwrap_or(bytes.len()).saturating_sub(1) > longest {
        return Err(Line::Bad("a chunk extension of absurd length"));
    }
    let Some(end) = end else {
        return Err(Line::Partial);
    };
    bytes[..end]
        .strip_suffix(b"\r")
        .ok_or(Line::Bad("a line of the body that does not end in CR LF"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_hexadecimal() {
        assert_eq!(size(b"1aF\r\nrest"), Line::Whole(0x1af, 5));
        assert_eq!(size(b"0\r\n"), Line::Whole(0, 3));
        assert_eq!(size(b"5;a=b;c=\"d\"\r\n"), Line::Whole(5, 13));
        assert_eq!(size(b"5 ;a\r\n"), Line::Whole(5, 6));
        for partial in [&b""[..], b"5", b"5\r", b"5;a=b"] {
            assert_eq!(size(partial), Line::Partial);
        }
    }

    #[test]
    fn anything_else_is_bad() {
        for line in [
            &b"\r\n"[..],
            b"5\n",
            b"5 \r\n",
            b" 5\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"5,5\r\n",
            b"5\r\r\n",
            b"-1\r\n",
            b"5;a\0\r\n",
            b"5;a\rb\r\n",
            b"5;a\n\r\n",
            b"10000000000000000\r\n",
            b"zz\r\n",
        ] {
            assert!(
                matches!(size(line), Line::Bad(_)),
                "{:?}",
                String::from_utf8_lossy(line)
            );
        }
        assert!(matches!(size(&[b'1'; 2_000]), Line::Bad(_)));
    }

    #[test]
    fn trailers_are_fields() {
        assert_eq!(trailer(b"\r\n"), Line::Whole(0, 2));
        assert_eq!(trailer(b"x-sum: 1\r\n"), Line::Whole(8, 10));
        for line in [
            &b"x-sum\r\n"[..],
            b" x: 1\r\n",
            b"x : 1\r\n",
            b"x: \0\r\n",
            b"x: 1\n",
            b":\r\n",
        ] {
            assert!(
                matches!(trailer(line), Line::Bad(_)),
                "{:?}",
                String::from_utf8_lossy(line)
            );
        }
    }
}
