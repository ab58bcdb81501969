//! Which requests are logged, and where.

use serde::Deserialize;

use super::rules::{Checked, refuse, zero_or_within};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    pub stdout: bool,
    /// To the collector, as log records.
    pub otlp: bool,
    /// Its absolute path.
    pub file: Option<String>,
    /// Only those that failed, or that the mesh gave a reason for.
    pub errors: bool,
    /// Only those that took so long; 0: that does not count. With `errors`, both kinds.
    pub slow_ms: u64,
}

pub(super) fn check(at: &str, log: &AccessLog) -> Checked {
    if let Some(file) = &log.file
        && !file.starts_with('/')
    {
        return refuse(
            &format!("{at}.file"),
            &format!("{file:?} is not an absolute path"),
        );
    }
    zero_or_within(&format!("{at}.slow_ms"), log.slow_ms, 1..=86_400_000)
}
