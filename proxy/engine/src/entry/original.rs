//! Where an intercepted connection was going before the kernel redirected it here.

use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

/// `SO_ORIGINAL_DST` of IPv4 or IPv6; `None` when the connection was made to this proxy itself.
#[must_use]
pub fn destination(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let local = plain(stream.local_addr().ok()?);
    // An IPv4 connection may have come to a socket of IPv6: the kernel then knows it by its IPv4 address only.
    let asked = if local.is_ipv4() {
        socket.original_dst_v4()
    } else {
        socket.original_dst_v6()
    };
    let original = plain(asked.ok()?.as_socket()?);
    (original != local).then_some(original)
}

/// An IPv4 address written as one of IPv6 is that IPv4 address.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
