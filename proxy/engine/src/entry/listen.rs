//! Opens the listeners of a proxy and accepts their connections.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::address::Address;
use crate::entry::admission::{Admission, TurnedAway};
use crate::entry::arrival;
use crate::entry::caller::Presence;
use crate::entry::entrance::Entrance;
use crate::runtime::caught::spawn;
use crate::runtime::worker::Worker;
use crate::snapshot::Refused;
use crate::upstream::answer::raw;

const BACKLOG: i32 = 1_024;

/// A listener could not be opened; the text names the address and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{field} {address}: {source}")]
pub struct BindError {
    pub field: String,
    pub address: String,
    pub source: io::Error,
}

impl From<BindError> for Refused {
    fn from(error: BindError) -> Self {
        Self {
            problem: format!("cannot listen on {}: {}", error.address, error.source),
            field: error.field,
        }
    }
}

/// Opens one socket a worker on the same address, between which the kernel spreads new connections.
pub fn open(
    field: &str,
    address: &str,
    workers: usize,
) -> Result<Vec<std::net::TcpListener>, BindError> {
    let fail = |source| BindError {
        field: field.to_owned(),
        address: address.to_owned(),
        source,
    };
    let at = resolve(address).map_err(fail)?;
    // Sockets that share a port would also share it with another process, which would get half of the traffic: first
    // make sure that the port is free.
    let alone = bind(at, false).map_err(fail)?;
    if workers == 1 {
        return Ok(vec![alone]);
    }
    let at = alone.local_addr().map_err(fail)?;
    drop(alone);
    (0..workers).map(|_| bind(at, true).map_err(fail)).collect()
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    let not_found = || {
        io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "is not an address of this machine",
        )
    };
    let address = Address::parse(address).ok_or_else(not_found)?;
    (address.host(), address.port())
        .to_socket_addrs()?
        .next()
        .ok_or_else(not_found)
}

fn bind(at: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections until the entrance closes; each is served by a task of its own.
pub async fn accept(
    worker: Rc<Worker>,
    entrance: Rc<Entrance>,
    listener: TcpListener,
    presence: Rc<Presence>,
) {
    let mut closing = entrance.closing();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.begins() => break,
        };
        let Ok((stream, remote)) = accepted else {
            // Out of file descriptors, most likely: let connections end before taking more.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        admit(&worker, &entrance, &presence, stream, remote);
    }
    // Whoever has connected by now would be reset with the listener.
    let Ok(listener) = listener.into_std() else {
        return;
    };
    for (stream, remote) in (0..BACKLOG).map_while(|_| listener.accept().ok()) {
        let ready = stream.set_nonblocking(true);
        if let Ok(stream) = ready.and_then(|()| TcpStream::from_std(stream)) {
            admit(&worker, &entrance, &presence, stream, remote);
        }
    }
}

/// Serves a connection, unless there are too many.
fn admit(
    worker: &Rc<Worker>,
    entrance: &Rc<Entrance>,
    presence: &Rc<Presence>,
    stream: TcpStream,
    remote: SocketAddr,
) {
    let (worker, entrance) = (Rc::clone(worker), Rc::clone(entrance));
    let presence = Rc::clone(presence);
    let totals = Arc::clone(&worker.totals);
    spawn(&totals, async move {
        let limits = worker.plan().limits;
        let direction = entrance.lead().way.direction();
        match Admission::of(&worker.totals, direction, remote.ip(), &limits) {
            Ok(_admitted) => {
                if stream.set_nodelay(true).is_ok() {
                    arrival::serve(worker, entrance, stream, remote, presence).await;
                }
            }
            Err(away) => turn_away(&worker, &entrance, stream, &away).await,
        }
    });
}

async fn turn_away(worker: &Worker, entrance: &Entrance, mut stream: TcpStream, away: &TurnedAway) {
    worker.totals.refuse(away.reason);
    let lead = entrance.lead();
    let (_, target) = lead.workload.target(lead.way, None);
    if target.protocol(&lead.workload).is_opaque() {
        return;
    }
    let text = raw(away.reason, &format!("{} connections", away.connections));
    // A client that does not wait for the answer has what it wanted: no connection.
    drop(stream.write_all(&text).await);
    drop(stream.shutdown().await);
}
