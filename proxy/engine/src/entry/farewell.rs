//! Ends a connection so that the client hears why: what is due is said, and what it still sends is read for a moment.
//!
//! In: the socket that hyper has left. Never: more than a second, or than a bounded number of bytes, of reading; a socket
//! closed on bytes that nobody read would be reset, and the answer with it (RFC 9112, 9.6).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::entry::conduct::Remains;
use crate::entry::frames::Boundary;
use crate::upstream::answer::raw;

const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 << 20;
/// `GOAWAY` with `ENHANCE_YOUR_CALM`: 8 bytes, stream 0, no stream was the last (RFC 9113, 6.8 and 7).
const GO_AWAY: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb,
];

pub async fn say(remains: Remains) {
    let Remains {
        stream,
        farewell,
        unread,
        sent,
    } = remains;
    if farewell.is_none() && !unread {
        return;
    }
    let last = match (farewell, sent) {
        (Some(_), Some(sent)) => go_away(sent),
        (Some(fault), None) => raw(fault.reason, fault.text),
        (None, _) => Vec::new(),
    };
    part(stream, &last).await;
}

/// Says the last, ends our side, and reads what still comes so that it is heard.
pub async fn part(stream: impl AsyncRead + AsyncWrite + Unpin, last: &[u8]) {
    // A client that does not wait for the answer has what it wanted: no connection.
    drop(timeout(LINGER, say_and_listen(stream, last)).await);
}

fn go_away(sent: Boundary) -> Vec<u8> {
    if sent.is_clean() {
        GO_AWAY.to_vec()
    } else {
        Vec::new()
    }
}

async fn say_and_listen(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    last: &[u8],
) -> std::io::Result<()> {
    stream.write_all(last).await?;
    stream.shutdown().await?;
    let mut left = LINGER_BYTES;
    let mut unread = [0; 4_096];
    loop {
        let read = stream.read(&mut unread).await?;
        left = left.saturating_sub(read);
        if read == 0 || left == 0 {
            return Ok(());
        }
    }
}
