//! How policies stand: numbers that one worker writes and any thread reads, shown under `policies` in the statistics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

/// The numbers of one policy of one service, as one worker applies it.
#[derive(Debug)]
pub struct Meter {
    policy: &'static str,
    service: Box<str>,
    /// Which, where a service can have several such policies.
    name: Box<str>,
    names: &'static [&'static str],
    values: Box<[AtomicU64]>,
}

/// Every meter of an engine for as long as its policy is in force.
#[derive(Debug, Default)]
pub struct Meters(Mutex<Vec<Arc<Meter>>>);

// === impl Meter ===

impl Meter {
    #[must_use]
    pub fn new(
        policy: &'static str,
        service: &str,
        name: &str,
        names: &'static [&'static str],
    ) -> Self {
        Self {
            policy,
            service: service.into(),
            name: name.into(),
            names,
            values: names.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub fn set(&self, place: usize, value: u64) {
        self.values[place].store(value, Relaxed);
    }

    /// Counts one more; only one thread writes.
    pub fn add(&self, place: usize) {
        self.set(place, self.get(place) + 1);
    }

    #[must_use]
    pub fn get(&self, place: usize) -> u64 {
        self.values[place].load(Relaxed)
    }
}

// === impl Meters ===

impl Meters {
    /// A worker shows other meters from now on than it did.
    pub fn show<'a>(
        &self,
        before: impl Iterator<Item = &'a Arc<Meter>>,
        now: impl Iterator<Item = &'a Arc<Meter>>,
    ) {
        let gone: Vec<_> = before.map(Arc::as_ptr).collect();
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|meter| !gone.contains(&Arc::as_ptr(meter)));
        shown.extend(now.map(Arc::clone));
    }

    /// The sums over all workers; of times (`_us`) the longest.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
        for meter in shown.iter() {
            let sum = sums
                .entry((meter.service.clone(), meter.policy, meter.name.clone()))
                .or_default();
            for (place, name) in meter.names.iter().enumerate() {
                let value: &mut u64 = sum.entry(*name).or_default();
                *value = if name.ends_with("_us") {
                    meter.get(place).max(*value)
                } else {
                    meter.get(place) + *value
                };
            }
        }
        sums.into_iter()
            .map(|((service, policy, name), values)| {
                json!({"service": service, "policy": policy, "name": name, "values": values})
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed_and_what_is_gone_is_forgotten() {
        let meters = Meters::default();
        let [one, two] =
            [(); 2].map(|()| Arc::new(Meter::new("retry", "cart", "", &["made", "wait_us"])));
        meters.show([].into_iter(), [&one].into_iter());
        meters.show([].into_iter(), [&two].into_iter());
        one.add(0);
        two.add(0);
        one.set(1, 7);
        two.set(1, 5);
        assert_eq!(
            meters.json(),
            [json!({
                "service": "cart", "policy": "retry", "name": "",
                "values": {"made": 2, "wait_us": 7}})]
        );
        meters.show([&two].into_iter(), [].into_iter());
        assert_eq!(meters.json()[0]["values"]["made"], 1);
        meters.show([&one].into_iter(), [].into_iter());
        assert!(meters.json().is_empty());
    }
}
