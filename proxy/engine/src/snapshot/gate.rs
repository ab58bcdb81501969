//! Which of the requests that arrive reach the application.

use serde::Deserialize;

use super::named;
use super::route_check::matches;
use super::routes::{PathMatch, ValueMatch};
use super::rules::{Checked, header_name, no_longer, refuse, within};

/// How many of anything there can be; each is looked at for every request.
const MOST: usize = 64;
const MOST_REQUESTS: u64 = 1_000_000_000;
const A_DAY_MS: u64 = 86_400_000;

/// What a request has to be; all that is given must hold.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default, deserialize_with = "named::optional")]
    pub path: Option<PathMatch>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub headers: Vec<ValueMatch>,
    #[serde(default)]
    pub query: Vec<ValueMatch>,
}

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

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub requests: u64,
    #[serde(default = "a_second")]
    pub per_ms: u64,
    pub burst: u64,
}

/// The rate of one caller in the place of that of the others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct OwnRate {
    pub key: String,
    #[serde(deserialize_with = "named::object")]
    pub rate: Rate,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub name: String,
    #[serde(default, deserialize_with = "named::list")]
    pub matches: Vec<Asked>,
    #[serde(deserialize_with = "named::object")]
    pub rate: Rate,
    #[serde(default, deserialize_with = "named::optional")]
    pub by: Option<RateKey>,
    #[serde(default = "a_thousand")]
    pub keys: usize,
    #[serde(default)]
    pub own: Vec<OwnRate>,
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

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Shedding {
    pub lag_ms: u64,
}

/// Who is let in before others and after them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Priority {
    #[serde(deserialize_with = "named::list")]
    pub spared: Vec<Asked>,
    #[serde(deserialize_with = "named::list")]
    pub expendable: Vec<Asked>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    pub rate_limits: Vec<RateLimit>,
    #[serde(deserialize_with = "named::optional")]
    pub concurrency: Option<Concurrency>,
    #[serde(deserialize_with = "named::optional")]
    pub shedding: Option<Shedding>,
    #[serde(deserialize_with = "named::object")]
    pub priority: Priority,
}

impl Gate {
    /// Whether every request is let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rate_limits.is_empty() && self.concurrency.is_none() && self.shedding.is_none()
    }
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
    few(&format!("{at}.rate_limits"), gate.rate_limits.len())?;
    for (place, limit) in gate.rate_limits.iter().enumerate() {
        rate_limit(&format!("{at}.rate_limits[{place}]"), limit)?;
    }
    if let Some(part) = &gate.concurrency {
        concurrency(&format!("{at}.concurrency"), part)?;
    }
    if let Some(part) = &gate.shedding {
        within(&format!("{at}.shedding.lag_ms"), part.lag_ms, 5..=60_000)?;
    }
    let at = format!("{at}.priority");
    asked(&format!("{at}.spared"), &gate.priority.spared)?;
    asked(&format!("{at}.expendable"), &gate.priority.expendable)
}

fn few(at: &str, count: usize) -> Checked {
    if count <= MOST {
        return Ok(());
    }
    refuse(at, &format!("has {count} entries, can have {MOST}"))
}

pub fn asked(at: &str, all: &[Asked]) -> Checked {
    few(at, all.len())?;
    for (place, one) in all.iter().enumerate() {
        let method = one.method.as_deref();
        let at = format!("{at}[{place}]");
        matches(&at, one.path.as_ref(), method, &one.headers, &one.query)?;
    }
    Ok(())
}

fn rate_limit(at: &str, limit: &RateLimit) -> Checked {
    no_longer(&format!("{at}.name"), &limit.name, 128)?;
    asked(&format!("{at}.matches"), &limit.matches)?;
    rate(&format!("{at}.rate"), &limit.rate)?;
    within(&format!("{at}.keys"), limit.keys as u64, 1..=100_000)?;
    few(&format!("{at}.own"), limit.own.len())?;
    for (place, own) in limit.own.iter().enumerate() {
        no_longer(&format!("{at}.own[{place}].key"), &own.key, 4_096)?;
        rate(&format!("{at}.own[{place}].rate"), &own.rate)?;
    }
    let by = format!("{at}.by");
    match limit.by.as_ref().map(|by| (by.kind, &by.name)) {
        Some((_, Some(name))) => header_name(&format!("{by}.name"), name),
        Some((RateKeyKind::Header, None)) => refuse(&by, "needs the name of the header"),
        None if !limit.own.is_empty() => refuse(&format!("{at}.own"), "needs by"),
        _ => Ok(()),
    }
}

fn rate(at: &str, rate: &Rate) -> Checked {
    within(&format!("{at}.requests"), rate.requests, 1..=MOST_REQUESTS)?;
    within(&format!("{at}.per_ms"), rate.per_ms, 1..=A_DAY_MS)?;
    within(&format!("{at}.burst"), rate.burst, 1..=MOST_REQUESTS)
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
