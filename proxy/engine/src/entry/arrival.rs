//! One accepted connection: what it is for, what it speaks, and so who takes it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::entry::caller::{Caller, Known, Presence};
use crate::entry::conduct::Conduct;
use crate::entry::connection::{self, Accepted};
use crate::entry::detect::{self, Detected, Spoken};
use crate::entry::entrance::Entrance;
use crate::entry::original;
use crate::reasons::Reason;
use crate::routing::early::{self, Early};
use crate::routing::targets::{Meant, Target};
use crate::routing::tunnel::{self, Arrived};
use crate::runtime::worker::Worker;
use crate::runtime::workload::{Lead, Workload};
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
    let looked = look(&worker, &workload, &target, &mut stream).await;
    // Nothing was asked: a connection that opens and breaks needs no answer.
    let Ok(Seen {
        detected,
        held,
        early,
    }) = looked
    else {
        return;
    };
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
        early,
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

/// What the connection speaks, as far as that has to be known.
#[derive(Default)]
struct Seen {
    /// `None` where it is declared to be HTTP.
    detected: Option<Detected>,
    held: BytesMut,
    early: Option<Early>,
}

async fn look(
    worker: &Worker,
    workload: &Workload,
    target: &Target,
    stream: &mut TcpStream,
) -> io::Result<Seen> {
    let patience = worker.plan().limits.patience;
    let mut seen = Seen::default();
    seen.detected = match target.protocol(workload) {
        Protocol::Http1 | Protocol::Http2 => None,
        Protocol::Tcp => Some(Detected::declared(Spoken::Tcp)),
        Protocol::Tls => {
            // The client speaks first, and its name may decide where it goes.
            let found = detect::any(stream, &mut seen.held, patience.head).await?;
            Some(Detected {
                server_name: found.server_name,
                ..Detected::declared(Spoken::Tls)
            })
        }
        Protocol::Detect => {
            let start = Instant::now();
            tokio::select! {
                biased;
                found = detect::any(stream, &mut seen.held, patience.detect) => Some(found?),
                early = early::word(worker, workload, target) => {
                    seen.early = Some(early);
                    Some(Detected::found(Spoken::Tcp, start))
                }
            }
        }
    };
    Ok(seen)
}

fn asked(meant: Meant, detected: &Detected) -> Box<str> {
    match (&detected.server_name, meant) {
        (Some(name), _) => format!("{name}:443").into(),
        (None, Meant::Address(address)) => address.to_string().into(),
        (None, Meant::Authority | Meant::Listener(_)) => "".into(),
    }
}
