//! How a service is called: which instance, how often again, and when not at all.

use serde::Deserialize;

use super::named;
use super::rules::{Checked, header_name, positive, refuse, within};

const A_DAY_MS: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum BalancerKind {
    #[default]
    PeakEwma,
    LeastRequest,
    RoundRobin,
    Random,
    Hash,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum HashKind {
    Header,
    Cookie,
    Source,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HashOn {
    pub kind: HashKind,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Balancer {
    pub kind: BalancerKind,
    #[serde(deserialize_with = "named::optional")]
    pub hash_on: Option<HashOn>,
    /// 0: a new instance gets its full share at once.
    pub slow_start_ms: u64,
    pub zone_percent: Option<u32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Outlier {
    /// 0: never for that.
    pub consecutive: u32,
    pub success_rate: bool,
    pub latency_factor: Option<f64>,
    pub interval_ms: u64,
    pub least_requests: u32,
    pub ejection_ms: u64,
    pub most_ejected: u32,
    pub panic: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    pub requests: Option<u32>,
    pub pending: Option<u32>,
    pub connections: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum RetryOn {
    #[serde(rename = "connect")]
    Connect,
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "timeout")]
    Timeout,
    #[serde(rename = "gateway")]
    Gateway,
    #[serde(rename = "5xx")]
    ServerError,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// At most, the first one included.
    pub attempts: u8,
    pub on: Vec<RetryOn>,
    pub statuses: Vec<u16>,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
    pub budget_percent: u32,
    pub budget_per_s: u32,
    pub body_bytes: usize,
}

/// A second copy of a request goes to another instance when the first has not answered for so long.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    pub after_ms: u64,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    #[serde(deserialize_with = "named::object")]
    pub balancer: Balancer,
    #[serde(deserialize_with = "named::optional")]
    pub outlier: Option<Outlier>,
    #[serde(deserialize_with = "named::optional")]
    pub breaker: Option<Breaker>,
    #[serde(deserialize_with = "named::optional")]
    pub retry: Option<Retry>,
    #[serde(deserialize_with = "named::optional")]
    pub hedge: Option<Hedge>,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            consecutive: 5,
            success_rate: true,
            latency_factor: None,
            interval_ms: 10_000,
            least_requests: 20,
            ejection_ms: 30_000,
            most_ejected: 50,
            panic: 50,
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            on: vec![RetryOn::Connect, RetryOn::Reset, RetryOn::Gateway],
            statuses: Vec::new(),
            backoff_ms: 25,
            backoff_max_ms: 250,
            budget_percent: 20,
            budget_per_s: 10,
            body_bytes: 65_536,
        }
    }
}

pub(super) fn check(at: &str, policy: &Policy) -> Checked {
    balancer(&format!("{at}.balancer"), &policy.balancer)?;
    if let Some(part) = &policy.outlier {
        outlier(&format!("{at}.outlier"), part)?;
    }
    if let Some(part) = &policy.breaker {
        breaker(&format!("{at}.breaker"), *part)?;
    }
    if let Some(part) = &policy.hedge {
        within(&format!("{at}.hedge.after_ms"), part.after_ms, 1..=A_DAY_MS)?;
    }
    policy
        .retry
        .as_ref()
        .map_or(Ok(()), |part| retry(&format!("{at}.retry"), part))
}

fn balancer(at: &str, balancer: &Balancer) -> Checked {
    within(
        &format!("{at}.slow_start_ms"),
        balancer.slow_start_ms,
        0..=A_DAY_MS,
    )?;
    within(
        &format!("{at}.zone_percent"),
        balancer.zone_percent.unwrap_or(100).into(),
        1..=100,
    )?;
    if let Some(HashOn {
        name: Some(name), ..
    }) = &balancer.hash_on
    {
        header_name(&format!("{at}.hash_on.name"), name)?;
    }
    Ok(())
}

fn outlier(at: &str, outlier: &Outlier) -> Checked {
    within(
        &format!("{at}.consecutive"),
        outlier.consecutive.into(),
        0..=1_000,
    )?;
    if let Some(factor) = outlier.latency_factor
        && !(1.5..=1_000.0).contains(&factor)
    {
        return refuse(
            &format!("{at}.latency_factor"),
            &format!("is {factor}, must be from 1.5 to 1000"),
        );
    }
    within(
        &format!("{at}.interval_ms"),
        outlier.interval_ms,
        1..=A_DAY_MS,
    )?;
    within(
        &format!("{at}.least_requests"),
        outlier.least_requests.into(),
        1..=1_000_000,
    )?;
    within(
        &format!("{at}.ejection_ms"),
        outlier.ejection_ms,
        1..=A_DAY_MS,
    )?;
    within(
        &format!("{at}.most_ejected"),
        outlier.most_ejected.into(),
        0..=100,
    )?;
    within(&format!("{at}.panic"), outlier.panic.into(), 0..=100)
}

fn breaker(at: &str, breaker: Breaker) -> Checked {
    for (field, limit) in [
        ("requests", breaker.requests),
        ("pending", breaker.pending),
        ("connections", breaker.connections),
    ] {
        positive(&format!("{at}.{field}"), limit.unwrap_or(1).into())?;
    }
    Ok(())
}

fn retry(at: &str, retry: &Retry) -> Checked {
    attempts(at, retry.attempts, &retry.statuses)?;
    within(&format!("{at}.backoff_ms"), retry.backoff_ms, 0..=60_000)?;
    within(
        &format!("{at}.backoff_max_ms"),
        retry.backoff_max_ms,
        0..=60_000,
    )?;
    within(
        &format!("{at}.budget_percent"),
        retry.budget_percent.into(),
        0..=100,
    )?;
    within(
        &format!("{at}.budget_per_s"),
        retry.budget_per_s.into(),
        0..=1_000_000,
    )?;
    within(
        &format!("{at}.body_bytes"),
        retry.body_bytes as u64,
        0..=16_777_216,
    )
}

/// How often, and after which answers.
pub(super) fn attempts(at: &str, attempts: u8, statuses: &[u16]) -> Checked {
    within(&format!("{at}.attempts"), attempts.into(), 1..=10)?;
    for (place, status) in statuses.iter().enumerate() {
        within(
            &format!("{at}.statuses[{place}]"),
            (*status).into(),
            400..=599,
        )?;
    }
    Ok(())
}
