//! How the instances of each service stand, so that it can be seen why one gets no requests.
//!
//! In: what each worker knows of them, which differs, for each judges by its own requests. Out: one account of all of them.
//! Never: anything on the path of a request; a worker looks when it is asked.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::recording::clock::Nanos;
use crate::routing::balance::State;
use crate::routing::outlier::Judged;
use crate::runtime::plan::{Plan, Service};
use crate::runtime::thread::Order;
use crate::upstream::endpoint::Endpoint;

/// Longest wait for the workers; one that is too busy is left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// The instances of one service, as one worker sees them.
pub struct Standings {
    service: String,
    /// So many are ejected that all are used.
    panics: bool,
    /// The limit that one more request on a new connection would exceed.
    breaker: Option<&'static str>,
    instances: Vec<Instance>,
}

struct Instance {
    /// Name, version, address and zone.
    named: [String; 4],
    state: State,
    reason: &'static str,
    left: Nanos,
    share: f64,
    in_flight: u32,
    connections: u32,
    latency: f64,
    ejections: u32,
}

/// What one worker knows.
#[must_use]
pub fn of(plan: &Plan, now: Nanos) -> Vec<Standings> {
    plan.services().map(|service| seen(service, now)).collect()
}

fn seen(service: &Service, now: Nanos) -> Standings {
    let endpoints = &service.endpoints;
    let balancer = &service.care.balancer;
    let instances = balancer.standings(endpoints, now).zip(endpoints);
    Standings {
        service: service.name.to_string(),
        panics: balancer.panics(endpoints, now),
        breaker: service
            .care
            .breaker
            .and_then(|breaker| breaker.exceeded(endpoints, false)),
        instances: instances
            .map(|(standing, endpoint)| Instance {
                named: [
                    endpoint.instance.to_string(),
                    endpoint.version.to_string(),
                    endpoint.place.to_string(),
                    endpoint.zone.as_deref().unwrap_or("").to_owned(),
                ],
                state: standing.state,
                reason: reason(standing.state, endpoint),
                left: standing.left,
                share: standing.share,
                in_flight: endpoint.requests(),
                connections: endpoint.connections(),
                latency: endpoint.latency(now),
                ejections: endpoint.ejections(),
            })
            .collect(),
    }
}

fn reason(state: State, endpoint: &Endpoint) -> &'static str {
    match state {
        State::Ejected => endpoint.cause().map_or("", |cause| cause.name()),
        State::Unreachable => "connect",
        _ => "",
    }
}

/// Asks every worker; those that have ended, or do not answer in time, are not in the account.
#[must_use]
pub fn gather(workers: &[UnboundedSender<Order>]) -> Value {
    let (reply, replies) = sync_channel(workers.len().max(1));
    for worker in workers {
        // A worker that has ended sends nothing to anybody.
        let _ = worker.send(Order::Report(reply.clone()));
    }
    drop(reply);
    let deadline = Instant::now() + PATIENCE;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut services: BTreeMap<String, Merged> = BTreeMap::new();
    while let Ok(seen) = replies.recv_timeout(left()) {
        for standings in seen {
            let merged = services.entry(standings.service).or_default();
            merged.panics |= standings.panics;
            merged.breaker = merged.breaker.or(standings.breaker);
            for instance in standings.instances {
                let views = merged.instances.entry(instance.named.clone());
                views.or_default().push(instance);
            }
        }
    }
    services.into_iter().map(Merged::json).collect()
}

/// What all workers know of one service.
#[derive(Default)]
struct Merged {
    panics: bool,
    breaker: Option<&'static str>,
    instances: BTreeMap<[String; 4], Vec<Instance>>,
}

impl Merged {
    fn json((service, merged): (String, Self)) -> Value {
        json!({
            "service": service,
            "panic": merged.panics,
            "breaker": merged.breaker.unwrap_or(""),
            "instances": merged.instances.into_iter().map(instance).collect::<Vec<_>>(),
        })
    }
}

/// The worst of the views, with how many workers have each.
fn instance(([name, version, address, zone], views): ([String; 4], Vec<Instance>)) -> Value {
    let worst = views.iter().max_by_key(|view| (view.state, view.left));
    let mut workers: BTreeMap<_, u32> = BTreeMap::new();
    for view in &views {
        *workers.entry(view.state.name()).or_default() += 1;
    }
    let sum = |of: fn(&Instance) -> u32| views.iter().map(of).sum::<u32>();
    let slowest = views.iter().map(|view| view.latency).fold(0.0, f64::max);
    let share: f64 = views.iter().map(|view| view.share).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few workers")]
    let share = share / views.len() as f64;
    json!({
        "instance": name,
        "version": version,
        "address": address,
        "zone": zone,
        "state": worst.map_or("", |view| view.state.name()),
        "reason": worst.map_or("", |view| view.reason),
        "left_ms": worst.map_or(0, |view| view.left.div_ceil(1_000_000)),
        "share": share,
        "workers": workers,
        "in_flight": sum(|view| view.in_flight),
        "connections": sum(|view| view.connections),
        "latency_us": (slowest / 1e3).round(),
        "ejections": views.iter().map(|view| view.ejections).max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(state: State, left: Nanos, share: f64) -> Instance {
        Instance {
            named: ["a-1", "v1", "127.0.0.1:1", ""].map(str::to_owned),
            state,
            reason: "",
            left,
            share,
            in_flight: 2,
            connections: 3,
            latency: 5_000.0,
            ejections: 1,
        }
    }

    #[test]
    fn workers_that_differ_are_told_apart_and_the_worst_counts() {
        let ejected = view(State::Ejected, 1_500_000, 0.0);
        let views = vec![view(State::Healthy, 0, 1.0), ejected];
        let told = instance((views[0].named.clone(), views));
        assert_eq!(told["state"], "ejected");
        assert_eq!(told["left_ms"], 2);
        assert_eq!(told["share"], 0.5);
        assert_eq!(told["workers"], json!({"healthy": 1, "ejected": 1}));
        assert_eq!(
            (&told["in_flight"], &told["connections"]),
            (&json!(4), &json!(6))
        );
        assert_eq!(told["latency_us"], 5.0);
    }

    #[test]
    fn workers_that_have_ended_are_not_waited_for() {
        let (ended, orders) = tokio::sync::mpsc::unbounded_channel();
        drop(orders);
        let asked = Instant::now();
        assert_eq!(gather(&[ended]), json!([]));
        assert!(asked.elapsed() < PATIENCE);
    }
}
