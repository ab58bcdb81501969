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
use crate::entry::farewell;
use crate::entry::original;
use crate::entry::secure::{self, Barred, Entered, Secured};
use crate::entry::wire::Wire;
use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::recording::tally::Direction;
use crate::routing::early::{self, Early};
use crate::routing::targets::{Meant, Target};
use crate::routing::tunnel::{self, Arrived};
use crate::runtime::worker::Worker;
use crate::runtime::workload::{Lead, Workload};
use crate::snapshot::{Demand, Protocol};
use crate::upstream::answer::raw;

/// Serves a connection until it ends.
pub async fn serve(
    worker: Rc<Worker>,
    entrance: Rc<Entrance>,
    stream: TcpStream,
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
    let entered = match enter(&worker, &entrance, &workload, &target, stream).await {
        Ok(entered) => entered,
        Err(barred) => {
            let caller = |known| {
                let (conduct, requests) = (Conduct::new(), Rc::clone(&worker.requests));
                Caller::new(remote, conduct, requests, presence, entrance, known)
            };
            turned_away(&worker, way.direction(), barred, caller, started).await;
            return;
        }
    };
    let Entered {
        mut wire,
        held,
        secured,
    } = entered;
    if let Secured::Mutual(verified) = &secured {
        worker.totals.proved(verified.resumed);
    }
    let looked = look(&worker, &workload, &target, &mut wire, held).await;
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
        stream: wire,
        secured,
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
            Known {
                secured: accepted.secured,
                ..Known::default()
            },
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

/// Lets a connection in as its application asks for, unless the entrance closes first.
async fn enter(
    worker: &Worker,
    entrance: &Entrance,
    workload: &Workload,
    target: &Target,
    stream: TcpStream,
) -> Result<Entered, Barred> {
    let limits = worker.plan().limits;
    let mut closing = entrance.closing();
    let gateway = workload.gateway.as_ref();
    if let Some(door) = gateway.and_then(|gateway| gateway.shown(entrance.lead().way)) {
        return tokio::select! {
            entered = secure::welcome(&door.config, stream, &limits) => entered,
            () = closing.ends() => Err(Barred::Silent),
        };
    }
    let application = workload.application.as_ref();
    let guarded = application
        .filter(|application| application.guard.demand != Demand::Off)
        .filter(|_| matches!(target, Target::Application));
    let Some(application) = guarded else {
        return Ok(Entered::unasked(stream));
    };
    let protocol = application.endpoint.protocol;
    tokio::select! {
        entered = application.guard.admit(stream, protocol, &limits) => entered,
        () = closing.ends() => Err(Barred::Silent),
    }
}

/// Records a connection that does not come in; one that speaks HTTP in the clear is told why.
async fn turned_away(
    worker: &Rc<Worker>,
    direction: Direction,
    barred: Barred,
    caller: impl FnOnce(Known) -> Rc<Caller>,
    started: Nanos,
) {
    let Some(reason) = barred.reason() else {
        return;
    };
    let (spoken, secured) = match &barred {
        Barred::Plaintext { spoken, .. } => (*spoken, Secured::Plaintext),
        _ => (Spoken::Tls, Secured::Unasked),
    };
    let arrived = Arrived {
        caller: caller(Known {
            secured,
            ..Known::default()
        }),
        detected: Detected::declared(spoken),
        asked: "".into(),
        started,
        early: None,
    };
    tunnel::refuse(worker, direction, &arrived, reason);
    if let Barred::Plaintext { stream, spoken } = barred
        && spoken == Spoken::Http1
    {
        let text = raw(reason, "this address");
        farewell::part(stream, &text).await;
    }
}

async fn look(
    worker: &Worker,
    workload: &Workload,
    target: &Target,
    stream: &mut Wire,
    held: BytesMut,
) -> io::Result<Seen> {
    let patience = worker.plan().limits.patience;
    let mut seen = Seen {
        held,
        ..Seen::default()
    };
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
