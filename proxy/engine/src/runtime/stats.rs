//! Puts the counters of all workers together as JSON (docs/telemetry.md, "Engine counters").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::export::Account;
use crate::reasons::Reason;
use crate::recording::queue::Ledger;
use crate::recording::tally::{BOUNDS_US, BUCKETS, Board, Direction, Outcome, Series};
use crate::runtime::totals::Totals;
use crate::tls::doors::Standing;

/// Every place where something is counted; reading disturbs none of them.
pub struct Books {
    pub epoch: AtomicU64,
    pub totals: Arc<Totals>,
    pub account: Arc<Account>,
    /// One of each per worker.
    pub boards: Vec<Arc<Board>>,
    pub ledgers: Vec<Arc<Ledger>>,
}

/// What tells series apart: service and instance, direction, peer with version and route, status class, reason.
type Key<'a> = ([&'a str; 2], Direction, [&'a str; 3], u8, &'a str);

#[derive(Default)]
struct Sum {
    count: u64,
    total_us: u64,
    buckets: [u64; BUCKETS],
}

impl Books {
    #[must_use]
    pub fn json(&self, services: &Value, doors: &[Standing]) -> String {
        let refused: BTreeMap<_, _> = self
            .totals
            .refused()
            .map(|(reason, count)| (reason.code(), count))
            .collect();
        let [full, resumed] = self.totals.handshakes();
        json!({
            "epoch": self.epoch.load(Relaxed),
            "connections": {
                "inbound": self.totals.connections(Direction::Inbound),
                "outbound": self.totals.connections(Direction::Outbound),
            },
            "requests": self.requests(),
            "requests_folded": self.boards.iter().map(|board| board.folded.load(Relaxed)).sum::<u64>(),
            "tunnels": self.totals.tunnels.json(),
            "bucket_bounds_us": BOUNDS_US,
            "records": self.records(),
            "export": self.account.json(),
            "recorder": self.account.recorder.json(),
            "access_log": self.account.log.json(),
            "services": services,
            "doors": doors,
            "refused": refused,
            "tls": { "full": full, "resumed": resumed },
            "policies": self.totals.meters.json(),
            "panics": self.totals.panics(),
        })
        .to_string()
    }

    fn requests(&self) -> Vec<Value> {
        let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
        for series in self.boards.iter().flat_map(|board| board.series()) {
            let Outcome {
                direction,
                class,
                reason,
            } = series.outcome;
            let labels = [&*series.peer, &*series.version, &*series.route];
            let reason = reason.map_or("", Reason::code);
            let whose = series.identity.as_deref().map(|identity| &identity.node);
            let whose = whose.map_or(["", ""], |node| [&node.service, &node.instance]);
            let key = (whose, direction, labels, class, reason);
            sums.entry(key).or_default().add(series);
        }
        let line = |(key, sum): (Key<'_>, Sum)| {
            let ([service, instance], direction, [peer, version, route], class, reason) = key;
            json!({
                "service": service,
                "instance": instance,
                "direction": direction.name(),
                "peer": peer,
                "version": version,
                "route": route,
                "status": if class == 0 { "none".to_owned() } else { format!("{class}xx") },
                "reason": reason,
                "count": sum.count,
                "sum_us": sum.total_us,
                "buckets": sum.buckets,
            })
        };
        sums.into_iter().map(line).collect()
    }

    /// Records neither exported nor dropped, nor kept on disk.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        let pending = self.records()["pending"].as_u64().unwrap_or(0);
        pending.saturating_sub(self.account.spool.records.load(Relaxed))
    }

    /// Pending is what the other numbers leave; they are read before the total, so it is never negative.
    fn records(&self) -> Value {
        let exported = self.account.exported.load(Relaxed);
        let mut dropped = BTreeMap::from(self.account.dropped.causes());
        let queue_full: u64 = self
            .ledgers
            .iter()
            .map(|ledger| ledger.queue_full.load(Relaxed))
            .sum();
        dropped.insert("queue_full", queue_full);
        let (forgotten, held) = self.account.recorder.kept_back();
        let recovered = self.account.recovered.load(Relaxed);
        let recorded: u64 = self
            .ledgers
            .iter()
            .map(|ledger| ledger.recorded.load(Relaxed))
            .sum();
        json!({
            "recorded": recorded + recovered,
            "recovered": recovered,
            "exported": exported,
            "held": held,
            "forgotten": forgotten,
            "pending": recorded + recovered - exported - held - forgotten - dropped.values().sum::<u64>(),
            "dropped": dropped,
        })
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, series: &Series) {
        self.count += series.count.load(Relaxed);
        self.total_us += series.sum_us.load(Relaxed);
        for (bucket, counted) in self.buckets.iter_mut().zip(&series.buckets) {
            *bucket += counted.load(Relaxed);
        }
    }
}
