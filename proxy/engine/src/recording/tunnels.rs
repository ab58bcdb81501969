//! Counts tunnels and their bytes exactly, by workload, direction, peer and protocol, while they are open.
//!
//! In: tunnels of every worker as they open, carry and end. Out: numbers for any thread. Never: more than a bounded number
//! of series; the overflow goes to the peer `{other}`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::reasons::Reason;
use crate::recording::tally::Direction;
use crate::snapshot::Node;
use crate::upstream::splice::Flow;

const MAX_SERIES: usize = 1_024;
const OTHER: &str = "{other}";

/// Service and instance, direction, peer, protocol.
type Key = ([Box<str>; 2], Direction, Box<str>, &'static str);

/// One series.
#[derive(Debug, Default)]
pub struct Counts {
    opened: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// How many ended, by reason; empty where they ended as their users wished.
    ended: Mutex<BTreeMap<&'static str, u64>>,
}

/// Locked once when a tunnel opens; its bytes are counted without.
#[derive(Debug, Default)]
pub struct Tunnels(Mutex<BTreeMap<Key, Arc<Counts>>>);

// === impl Tunnels ===

impl Tunnels {
    /// Counts a tunnel in.
    pub fn open(
        &self,
        node: &Node,
        (direction, peer, protocol): (Direction, &str, &'static str),
    ) -> Arc<Counts> {
        let mut all = self.all();
        let whose = [&node.service, &node.instance].map(|name| name.as_str().into());
        let mut key = (whose, direction, peer.into(), protocol);
        if all.len() >= MAX_SERIES && !all.contains_key(&key) {
            key.2 = OTHER.into();
        }
        let counts = Arc::clone(all.entry(key).or_default());
        counts.opened.fetch_add(1, Relaxed);
        counts
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Counts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        let line =
            |(([service, instance], direction, peer, protocol), counts): (&Key, &Arc<Counts>)| {
                let ended = counts.ended().clone();
                let opened = counts.opened.load(Relaxed);
                json!({
                    "service": service,
                    "instance": instance,
                    "direction": direction.name(),
                    "peer": peer,
                    "protocol": protocol,
                    "opened": opened,
                    "open": opened - ended.values().sum::<u64>(),
                    "sent_bytes": counts.sent.load(Relaxed),
                    "received_bytes": counts.received.load(Relaxed),
                    "ended": ended,
                })
            };
        self.all().iter().map(line).collect()
    }
}

// === impl Counts ===

impl Counts {
    pub fn moved(&self, flow: Flow, bytes: u64) {
        let counter = match flow {
            Flow::Sent => &self.sent,
            Flow::Received => &self.received,
        };
        counter.fetch_add(bytes, Relaxed);
    }

    pub fn end(&self, reason: Option<Reason>) {
        let code = reason.map_or("", Reason::code);
        *self.ended().entry(code).or_default() += 1;
    }

    fn ended(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::identity::Identity;

    #[test]
    fn each_tunnel_is_counted_once_and_peers_are_bounded() {
        let tunnels = Tunnels::default();
        let node = &Identity::of_tests().node;
        let one = tunnels.open(node, (Direction::Outbound, "db", "tcp"));
        one.moved(Flow::Sent, 3);
        one.moved(Flow::Received, 4);
        let two = tunnels.open(node, (Direction::Outbound, "db", "tcp"));
        two.end(Some(Reason::ConnectRefused));
        assert_eq!(
            tunnels.json(),
            [json!({
                "service": "front", "instance": "front-1", "direction": "outbound", "peer": "db", "protocol": "tcp", "opened": 2, "open": 1,
                "sent_bytes": 3, "received_bytes": 4, "ended": {"connect_refused": 1},
            })]
        );
        for n in 0..2_000 {
            tunnels.open(node, (Direction::Inbound, &n.to_string(), "tls"));
        }
        assert_eq!(tunnels.json().len(), MAX_SERIES + 1);
    }
}
