//! Which protocol a connection speaks, by its first bytes.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::entry::frames::PREFACE;

/// Reads just enough to tell HTTP/2 from HTTP/1.
pub async fn http(stream: &mut TcpStream) -> io::Result<BytesMut> {
    let mut held = BytesMut::with_capacity(2_048);
    while held.len() < PREFACE.len() && PREFACE.starts_with(&held) {
        if stream.read_buf(&mut held).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(held)
}
