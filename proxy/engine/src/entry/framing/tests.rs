use super::*;
use crate::reasons::Reason;

/// What is cleared and why it stopped must not depend on how the bytes were cut.
fn follow(bytes: &[u8]) -> (usize, Option<Stop>) {
    let whole = in_pieces(bytes, bytes.len().max(1));
    for size in [1, 2, 7] {
        let pieces = in_pieces(bytes, size);
        assert_eq!(
            pieces.1,
            whole.1,
            "in pieces of {size}: {:?}",
            String::from_utf8_lossy(bytes)
        );
        assert_eq!(
            pieces.0,
            whole.0,
            "in pieces of {size}: {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    whole
}

fn in_pieces(bytes: &[u8], size: usize) -> (usize, Option<Stop>) {
    let mut framing = Framing::new(HeadLimits::default());
    let (mut done, mut shown) = (0, 0);
    while shown < bytes.len() {
        shown = (shown + size).min(bytes.len());
        let cleared = framing.clear(&bytes[done..shown]);
        done += cleared.bytes;
        if cleared.stop.is_some() {
            return (done, cleared.stop);
        }
    }
    (done, None)
}

const SMUGGLED: &str = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn an_ambiguous_head_is_cleared_and_nothing_after_it() {
    let bytes = [SMUGGLED, "4\r\nbody"].concat();
    let (cleared, stop) = follow(bytes.as_bytes());
    assert_eq!(cleared, SMUGGLED.len());
    assert!(matches!(stop, Some(Stop::Answer(fault)) if fault.text.starts_with("both")));
}

#[test]
fn an_unreadable_head_is_withheld_with_all_behind_it() {
    let first = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let bytes = [first, "GET / HTTP/1.1\r\nhost : a\r\n\r\n", first].concat();
    let (cleared, stop) = follow(bytes.as_bytes());
    assert_eq!(cleared, first.len());
    assert!(matches!(stop, Some(Stop::Withhold(_))));
}

#[test]
fn bodies_are_not_taken_for_requests() {
    let length = SMUGGLED.len();
    let sized = format!(
        "POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}GET / HTTP/1.1\r\n\r\n"
    );
    assert_eq!(follow(sized.as_bytes()), (sized.len(), None));
    let chunks =
        format!("{length:x};x=y\r\n{SMUGGLED}\r\n0\r\ncontent-length: 1\r\ntrailer: x\r\n\r\n");
    let chunked = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(follow(chunked.as_bytes()), (chunked.len(), None));
    for before in [&sized, &chunked] {
        let (cleared, stop) = follow([before, SMUGGLED].concat().as_bytes());
        assert_eq!(cleared, before.len() + SMUGGLED.len());
        assert!(matches!(stop, Some(Stop::Answer(_))));
    }
}

#[test]
fn a_body_that_loses_its_framing_breaks() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "xyz\r\n",
        "5\r\nhelloo\r\n",
        "5\nhello",
        "0\r\nbad trailer\r\n",
        "5\r\nhello\n",
    ] {
        let (cleared, stop) = follow([head, chunks].concat().as_bytes());
        assert!(cleared >= head.len());
        assert!(
            matches!(stop, Some(Stop::Break(fault)) if fault.reason == Reason::BadRequest),
            "{chunks}"
        );
    }
}

#[test]
fn lines_end_in_both_characters() {
    for bytes in [
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
    ] {
        let (cleared, stop) = follow(bytes.as_bytes());
        assert_eq!(cleared, bytes.len());
        assert!(matches!(stop, Some(Stop::Answer(fault)) if fault.text.contains("CR LF")));
    }
}

#[test]
fn one_empty_line_may_lead() {
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let led = ["\r\n", request, "\r\n", request].concat();
    assert_eq!(follow(led.as_bytes()), (led.len(), None));
    for lead in ["\r\n\r\n", "\n"] {
        let (_, stop) = follow([lead, request].concat().as_bytes());
        assert!(matches!(stop, Some(Stop::Withhold(_))));
    }
}

#[test]
fn garbage_is_seen_at_once() {
    for garbage in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"\0",
        &[b'A'; 40],
        "\u{e9}".as_bytes(),
    ] {
        assert!(matches!(follow(garbage).1, Some(Stop::Withhold(_))));
    }
    assert_eq!(follow(b"GE"), (0, None));
}

#[test]
fn heads_are_bounded_before_their_end() {
    let long = |target: usize, cookie: usize| {
        format!(
            "GET /{} HTTP/1.1\r\ncookie: {}",
            "a".repeat(target),
            "b".repeat(cookie)
        )
    };
    let reason = |text: String| match in_pieces(text.as_bytes(), 1_000).1 {
        Some(Stop::Withhold(fault)) => Some(fault.reason),
        _ => None,
    };
    assert_eq!(
        reason("GET /".to_owned() + &"a".repeat(20_000)),
        Some(Reason::UriTooLong)
    );
    assert_eq!(
        reason(long(20_000, 0) + "\r\n\r\n"),
        Some(Reason::UriTooLong)
    );
    assert_eq!(reason(long(9, 70_000)), Some(Reason::HeadersTooLarge));
    assert_eq!(
        reason(long(9, 10) + &"\r\na: b".repeat(200)),
        Some(Reason::HeadersTooLarge)
    );
    assert_eq!(reason(long(9, 60_000)), None);
}
