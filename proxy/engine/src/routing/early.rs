//! Hears a callee that speaks before its caller does, as servers of SMTP do.
//!
//! In: who a connection of unknown protocol is for. Out: a connection to it on which something has been said. Never: a
//! connection when the caller speaks at once, or anything said to the callee.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use crate::recording::clock::micros;
use crate::routing::targets::Target;
use crate::routing::tunnel::choose;
use crate::runtime::plan::Service;
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::connect;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Departure;
use crate::upstream::secure::Inside;
use crate::upstream::stream::Stream;

/// Whoever speaks first on a connection has mostly begun by then, and needs no connection besides the one it will get.
const HEAD_START: Duration = Duration::from_millis(20);

/// A connection to a callee that has spoken.
pub struct Early {
    pub place: usize,
    pub stream: Stream,
    pub departure: Departure,
}

/// Ends once the callee has spoken, and never when it does not, or cannot be connected to.
pub async fn word(worker: &Worker, workload: &Workload, target: &Target) -> Early {
    sleep(HEAD_START).await;
    let heard = match target {
        Target::Application => match &workload.application {
            Some(app) => heard(worker, 0, &app.endpoint, app.terms.connect.connect).await,
            None => None,
        },
        Target::Service(to) => of(worker, &to.service).await,
        Target::Outside(service) => of(worker, service).await,
        Target::Authority | Target::ServerName | Target::Denied => None,
    };
    match heard {
        Some(early) => early,
        None => pending().await,
    }
}

async fn of(worker: &Worker, service: &Service) -> Option<Early> {
    let place = choose(worker, service, 0)?;
    let limit = service.terms.connect.connect;
    heard(worker, place, &service.endpoints[place], limit).await
}

async fn heard(
    worker: &Worker,
    place: usize,
    endpoint: &Endpoint,
    limit: Duration,
) -> Option<Early> {
    let asked = worker.clock.now();
    let _opening = endpoint.opening();
    let dialled = connect::dial(endpoint, limit, Inside::Opaque).await.ok()?;
    let mut stream = dialled.stream;
    let departure = Departure {
        queue_us: 0,
        connect_us: Some(micros(asked, worker.clock.now())),
        tls_us: dialled.tls_us,
    };
    let spoke = stream.speaks().await.ok()?;
    spoke.then_some(Early {
        place,
        stream,
        departure,
    })
}
