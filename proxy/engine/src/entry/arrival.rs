//! One accepted connection: what it is for, what it speaks, and so who takes it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::net::TcpStream;

use crate::entry::caller::{Caller, Known, Presence};
use crate::entry::conduct::Conduct;
use crate::entry::connection::{self, Accepted};
use crate::entry::detect::{self, Detected, Spoken};
use crate::entry::entrance::Entrance;
use crate::entry::limits::Patience;
use crate::entry::original;
use crate::reasons::Reason;
use crate::routing::targets::{Meant, Target};
use crate::routing::tunnel::{self, Arrived};
use crate::runtime::worker::Worker;
use crate::runtime::workload::Lead;
use crate::snapshot::Protocol;

/// Serves a connection until it ends.
pub async fn serve(
    worker: Rc<Worker>,
    entrance: Rc<Entrance>,
    mut stream: TcpStream,
    remote: SocketAddr,
    presence: Rc<Presence>,
) {
    let Lead { way, workload } = entrance.lead();
    let started = worker.clock.now();
    let original = if workload.targets.intercepts(way) {
        original::destination(&stream)
    } else {
        None
    };
    let (meant, target) = workload.target(way, original);
    let patience = worker.plan().limits.patience;
    let looked = look(target.protocol(&workload), &mut stream, patience).await;
    // Nothing was asked: a connection that opens and breaks needs no answer.
    let Ok((detected, held)) = looked else { return };
    let accepted = Accepted {
        stream,
        held,
        remote,
        presence,
        entrance,
        detected,
        meant,
    };
    let carried = match target {
        // HTTP too: its requests are for nobody that the mesh knows.
        Target::Outside(_) => accepted.detected.clone(),
        _ => accepted.opaque(),
    };
    let Some(detected) = carried else {
        // A connection may outlive what is in force now.
        drop((workload, target));
        connection::serve(worker, accepted).await;
        return;
    };
    let arrived = Arrived {
        caller: Caller::new(
            accepted.remote,
            Conduct::new(),
            Rc::clone(&worker.requests),
            accepted.presence,
            accepted.entrance,
            Known::default(),
        ),
        asked: asked(meant, &detected),
        detected,
        started,
    };
    let (stream, held) = (accepted.stream, accepted.held.freeze());
    match target {
        Target::Application => tunnel::inbound(&worker, arrived, stream, held).await,
        Target::Service(destination) => {
            tunnel::outbound(&worker, &destination.service, arrived, stream, held).await;
        }
        Target::ServerName => match workload
            .targets
            .named(arrived.detected.server_name.as_deref())
        {
            Ok(service) => tunnel::outbound(&worker, service, arrived, stream, held).await,
            Err(reason) => tunnel::refuse(&worker, way.direction(), &arrived, reason),
        },
        Target::Outside(service) => {
            tunnel::outbound(&worker, &service, arrived, stream, held).await;
        }
        Target::Denied => {
            tunnel::refuse(&worker, way.direction(), &arrived, Reason::OutsideDenied);
        }
        Target::Authority => {}
    }
}

/// What the connection speaks, as far as that has to be known; `None` where it is declared to be HTTP.
async fn look(
    protocol: Protocol,
    stream: &mut TcpStream,
    patience: Patience,
) -> io::Result<(Option<Detected>, BytesMut)> {
    Ok(match protocol {
        Protocol::Http1 | Protocol::Http2 => (None, BytesMut::new()),
        Protocol::Tcp => (Some(Detected::declared(Spoken::Tcp)), BytesMut::new()),
        Protocol::Tls => {
            // The client speaks first, and its name may decide where it goes.
            let (found, held) = detect::any(stream, patience.head).await?;
            let declared = Detected {
                server_name: found.server_name,
                ..Detected::declared(Spoken::Tls)
            };
            (Some(declared), held)
        }
        Protocol::Detect => {
            let (found, held) = detect::any(stream, patience.detect).await?;
            (Some(found), held)
        }
    })
}

fn asked(meant: Meant, detected: &Detected) -> Box<str> {
    match (&detected.server_name, meant) {
        (Some(name), _) => format!("{name}:443").into(),
        (None, Meant::Address(address)) => address.to_string().into(),
        (None, Meant::Authority | Meant::Listener(_)) => "".into(),
    }
}
