//! Tries the addresses of one place until one takes a connection (RFC 8305, section 5).
//!
//! In: addresses in the order to try them. Out: the first connection. Never: a wait for an address that is silent while
//! another one is left.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an address may be silent before the next is tried beside it (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// The first connection that `open` makes, or why the last address failed.
pub async fn first<C, F>(addresses: &[SocketAddr], open: impl Fn(SocketAddr) -> F) -> io::Result<C>
where
    C: 'static,
    F: Future<Output = io::Result<C>> + 'static,
{
    if let [only] = addresses {
        return open(*only).await;
    }
    let mut left = addresses.iter();
    let mut trying = JoinSet::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = left.next();
        if let Some(address) = next {
            trying.spawn_local(open(*address));
        }
        let patience = if left.len() > 0 {
            STAGGER
        } else {
            Duration::MAX
        };
        match timeout(patience, trying.join_next()).await {
            Err(_) => {}
            Ok(None) => return Err(failure),
            Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(broken))) => failure = io::Error::other(broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            2 => std::future::pending().await,
            port => Ok(port),
        }
    }

    async fn dialled(ports: &[u16]) -> io::Result<u16> {
        let at = |port: &u16| SocketAddr::from(([10, 0, 0, 1], *port));
        let addresses: Vec<_> = ports.iter().map(at).collect();
        let dial = async { first(&addresses, open).await };
        tokio::task::LocalSet::new().run_until(dial).await
    }

    #[tokio::test]
    async fn the_next_address_is_tried_after_a_failure_or_a_silence() {
        assert_eq!(dialled(&[7]).await.unwrap(), 7);
        assert_eq!(dialled(&[1, 1, 7]).await.unwrap(), 7);
        assert_eq!(dialled(&[2, 1, 7]).await.unwrap(), 7);
        assert_eq!(dialled(&[2, 2, 7]).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn when_none_is_left_the_last_failure_is_told() {
        for ports in [&[1_u16][..], &[1, 1]] {
            let error = dialled(ports).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
        assert_eq!(
            dialled(&[]).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
