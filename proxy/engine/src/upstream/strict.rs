//! Refuses HTTP/1 responses whose end two readers could find in different places (RFC 9112, 6.3); what passes has one end.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Response, Version};

/// Whether a response that could be parsed has more than one meaning.
#[must_use]
pub fn is_ambiguous<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        let old = response.version() == Version::HTTP_10;
        return old || headers.contains_key(CONTENT_LENGTH) || !is_chunked(headers);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return false;
    };
    let text = first.as_bytes();
    let is_number = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    !is_number || lengths.next().is_some()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next();
    first.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_framing_passes() {
        let (length, encoding) = ("content-length", "transfer-encoding");
        for (lines, ambiguous) in [
            (&[][..], false),
            (&[(length, "5")], false),
            (&[(encoding, "Chunked")], false),
            (&[(length, "5"), (length, "5")], true),
            (&[(length, "5, 5")], true),
            (&[(length, "+5")], true),
            (&[(length, "")], true),
            (&[(length, "9999999999999999999")], true),
            (&[(length, "5"), (encoding, "chunked")], true),
            (&[(encoding, "chunked"), (encoding, "chunked")], true),
            (&[(encoding, "gzip, chunked")], true),
            (&[(encoding, "identity")], true),
        ] {
            let mut response = Response::new(());
            for (name, value) in lines {
                response.headers_mut().append(*name, value.parse().unwrap());
            }
            assert_eq!(is_ambiguous(&response), ambiguous, "{lines:?}");
        }
    }
}
