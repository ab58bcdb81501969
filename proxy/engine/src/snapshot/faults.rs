//! Faults that a proxy makes on purpose.

use serde::Deserialize;

use super::named;
use super::route_check::matches;
use super::routes::{PathMatch, ValueMatch};
use super::rules::{Checked, no_longer, refuse, within, zero_or_within};

const LONGEST_MS: u64 = 3_600_000;

/// The answer in the place of the callee's: one of the three.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub grpc_status: Option<u16>,
    #[serde(default)]
    pub reset: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub name: String,
    #[serde(default, deserialize_with = "named::optional")]
    pub path: Option<PathMatch>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub headers: Vec<ValueMatch>,
    #[serde(default)]
    pub query: Vec<ValueMatch>,
    #[serde(default = "all")]
    pub per_million: u32,
    #[serde(default)]
    pub delay_ms: u64,
    #[serde(default)]
    pub delay_jitter_ms: u64,
    #[serde(default, deserialize_with = "named::optional")]
    pub abort: Option<Abort>,
}

fn all() -> u32 {
    1_000_000
}

pub(super) fn check(at: &str, faults: &[Fault]) -> Checked {
    for (place, fault) in faults.iter().enumerate() {
        one(&format!("{at}.faults[{place}]"), fault)?;
    }
    Ok(())
}

fn one(at: &str, fault: &Fault) -> Checked {
    no_longer(&format!("{at}.name"), &fault.name, 300)?;
    let method = fault.method.as_deref();
    matches(
        at,
        fault.path.as_ref(),
        method,
        &fault.headers,
        &fault.query,
    )?;
    within(
        &format!("{at}.per_million"),
        fault.per_million.into(),
        0..=1_000_000,
    )?;
    zero_or_within(&format!("{at}.delay_ms"), fault.delay_ms, 1..=LONGEST_MS)?;
    let jitter = format!("{at}.delay_jitter_ms");
    zero_or_within(&jitter, fault.delay_jitter_ms, 1..=LONGEST_MS)?;
    fault
        .abort
        .as_ref()
        .map_or(Ok(()), |part| abort(&format!("{at}.abort"), part))
}

fn abort(at: &str, abort: &Abort) -> Checked {
    if let Some(status) = abort.status {
        within(&format!("{at}.status"), status.into(), 200..=599)?;
    }
    if let Some(status) = abort.grpc_status {
        within(&format!("{at}.grpc_status"), status.into(), 1..=16)?;
    }
    let given = [
        abort.status.is_some(),
        abort.grpc_status.is_some(),
        abort.reset,
    ];
    if given.into_iter().filter(|given| *given).count() == 1 {
        return Ok(());
    }
    refuse(at, "needs one of status, grpc_status and reset")
}
