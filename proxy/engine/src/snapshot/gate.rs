//! Which of the requests that arrive reach the application.

use serde::Deserialize;

use super::named;
use super::rules::{Checked, fits, header_name, refuse, within};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RateKeyKind {
    Source,
    Header,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RateKey {
    pub kind: RateKeyKind,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub requests: u64,
    #[serde(default = "a_second")]
    pub per_ms: u64,
    pub burst: u64,
    #[serde(default, deserialize_with = "named::optional")]
    pub by: Option<RateKey>,
    #[serde(default = "a_thousand")]
    pub keys: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Concurrency {
    pub least: u32,
    pub most: u32,
    pub tolerance: f64,
    pub window_ms: u64,
    pub measure_ms: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Spared {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Shedding {
    pub lag_ms: u64,
    #[serde(default, deserialize_with = "named::optional")]
    pub spared: Option<Spared>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    #[serde(deserialize_with = "named::optional")]
    pub rate_limit: Option<RateLimit>,
    #[serde(deserialize_with = "named::optional")]
    pub concurrency: Option<Concurrency>,
    #[serde(deserialize_with = "named::optional")]
    pub shedding: Option<Shedding>,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            least: 5,
            most: 1_000,
            tolerance: 2.0,
            window_ms: 100,
            measure_ms: 30_000,
        }
    }
}

fn a_second() -> u64 {
    1_000
}

fn a_thousand() -> usize {
    1_000
}

pub(super) fn check(at: &str, gate: &Gate) -> Checked {
    if let Some(part) = &gate.rate_limit {
        rate_limit(&format!("{at}.rate_limit"), part)?;
    }
    if let Some(part) = &gate.concurrency {
        concurrency(&format!("{at}.concurrency"), part)?;
    }
    gate.shedding
        .as_ref()
        .map_or(Ok(()), |part| shedding(&format!("{at}.shedding"), part))
}

fn rate_limit(at: &str, limit: &RateLimit) -> Checked {
    within(&format!("{at}.requests"), limit.requests, 1..=1_000_000_000)?;
    within(&format!("{at}.per_ms"), limit.per_ms, 1..=86_400_000)?;
    within(&format!("{at}.burst"), limit.burst, 1..=1_000_000_000)?;
    within(&format!("{at}.keys"), limit.keys as u64, 1..=100_000)?;
    let Some(by) = &limit.by else {
        return Ok(());
    };
    match (by.kind, &by.name) {
        (_, Some(name)) => header_name(&format!("{at}.by.name"), name),
        (RateKeyKind::Header, None) => refuse(&format!("{at}.by"), "needs the name of the header"),
        (RateKeyKind::Source, None) => Ok(()),
    }
}

fn concurrency(at: &str, limit: &Concurrency) -> Checked {
    within(&format!("{at}.least"), limit.least.into(), 1..=100_000)?;
    within(&format!("{at}.most"), limit.most.into(), 1..=100_000)?;
    let field = format!("{at}.tolerance");
    if !(1.1..=10.0).contains(&limit.tolerance) {
        let problem = format!("is {}, must be from 1.1 to 10", limit.tolerance);
        return refuse(&field, &problem);
    }
    within(&format!("{at}.window_ms"), limit.window_ms, 10..=60_000)?;
    within(
        &format!("{at}.measure_ms"),
        limit.measure_ms,
        1_000..=3_600_000,
    )
}

fn shedding(at: &str, shedding: &Shedding) -> Checked {
    within(&format!("{at}.lag_ms"), shedding.lag_ms, 5..=60_000)?;
    let Some(spared) = &shedding.spared else {
        return Ok(());
    };
    header_name(&format!("{at}.spared.name"), &spared.name)?;
    let plain = |byte: u8| byte == b'\t' || (0x20..=0x7e).contains(&byte);
    let known = spared.value.bytes().all(plain) && spared.value.len() <= 4_096;
    let field = format!("{at}.spared.value");
    fits(&field, &spared.value, known, "the value of a header")
}
