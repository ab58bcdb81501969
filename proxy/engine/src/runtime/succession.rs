//! Hot restart: a proxy passes its listening sockets on to the process that takes its place (unix(7), `SCM_RIGHTS`).
//!
//! In: a path that both know. Out: the same open sockets in another process; what waits in them is accepted by either. Never:
//! a moment in which nobody listens, or a proxy that stops before its successor serves.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::runtime::sockets::Sockets;

/// Ends the list of sockets, and says on the way back that they are served.
const DONE: &[u8] = b".";
/// An address with its port.
const LONGEST: usize = 512;
/// Longest wait for the other process; starting to serve takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a successor asks for the sockets.
pub struct Succession(Socket);

/// A connection to the proxy whose place is taken.
pub struct Predecessor(Socket);

// === impl Succession ===

impl Succession {
    /// Waits at `path` from now on, in the place of whoever did before.
    pub fn open(path: &Path) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        socket.bind(&SockAddr::unix(path)?)?;
        // Whoever may connect gets the sockets.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        socket.listen(1)?;
        Ok(Self(socket))
    }

    /// Waits for a successor and gives it the sockets; true when it serves them.
    pub fn pass(
        &self,
        sockets: impl FnOnce() -> io::Result<Sockets>,
        patience: Duration,
    ) -> io::Result<bool> {
        self.0.set_read_timeout(Some(patience))?;
        let successor = match self.0.accept() {
            Ok((successor, _)) => successor,
            Err(error) if is_silence(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        successor.set_read_timeout(Some(PATIENCE))?;
        successor.set_write_timeout(Some(PATIENCE))?;
        for (address, socket) in sockets()?.iter() {
            send(&successor, address.as_bytes(), Some(socket))?;
        }
        send(&successor, DONE, None)?;
        let mut buffer = [0; LONGEST];
        // One that ends without a word does not serve.
        Ok(receive(&successor, &mut buffer).is_ok_and(|(length, _)| &buffer[..length] == DONE))
    }
}

// === impl Predecessor ===

impl Predecessor {
    /// Whoever waits at `path`; `None` when nobody does.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        match socket.connect(&SockAddr::unix(path)?) {
            Ok(()) => {}
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Some(Self(socket)))
    }

    /// Its listening sockets.
    pub fn sockets(&self) -> io::Result<Sockets> {
        let mut sockets = Sockets::default();
        let mut buffer = [0; LONGEST];
        loop {
            let (length, socket) = receive(&self.0, &mut buffer)?;
            match (&buffer[..length], socket) {
                (DONE, None) => return Ok(sockets),
                (address, Some(socket)) => {
                    sockets.add(&String::from_utf8_lossy(address), socket);
                }
                (_, None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Tells it that its sockets are served, so that it may stop.
    pub fn relieve(self) -> io::Result<()> {
        send(&self.0, DONE, None)
    }
}

fn send(to: &Socket, text: &[u8], socket: Option<&TcpListener>) -> io::Result<()> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let sockets = socket.map(|socket| [socket.as_fd()]);
    if let Some(sockets) = &sockets {
        control.push(SendAncillaryMessage::ScmRights(sockets));
    }
    sendmsg(to, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(from: &Socket, text: &mut [u8]) -> io::Result<(usize, Option<TcpListener>)> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let parts = &mut [IoSliceMut::new(text)];
    let got = recvmsg(from, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut socket = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut sockets) = message {
            socket = sockets.next().map(TcpListener::from);
        }
    }
    Ok((got.bytes, socket))
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}
