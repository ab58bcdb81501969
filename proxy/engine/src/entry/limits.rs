//! Bounds on what clients may do, made ready for a worker.
//!
//! In: the `limits` of a snapshot. Out: the same in the units the data path uses. docs/config.md explains each to people.

use std::time::Duration;

use crate::snapshot;

/// Longer is no different from never, and far from overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Bounds of one request head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    pub bytes: usize,
    pub uri_bytes: usize,
    pub headers: usize,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// Between writes that the client's side accepts.
    pub reader: Duration,
    /// From the end of what the client sends to the end of its answer.
    pub half_closed: Duration,
    /// For the first bytes of a connection that may be of any protocol.
    pub detect: Duration,
}

/// Bounds of a request's body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    pub bytes: u64,
    /// In each such period `least` bytes must arrive.
    pub period: Duration,
    pub least: u64,
    /// Longest silence of a response that has begun.
    pub response: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub head: HeadLimits,
    pub patience: Patience,
    pub body: BodyLimits,
    pub connections: usize,
    pub connections_per_client: Option<usize>,
    /// Of one worker: its share of the proxy's.
    pub requests: usize,
    pub streams: u32,
    pub control_frames: u32,
    pub idle: Duration,
    pub tunnel_idle: Duration,
}

impl Limits {
    /// The bounds of one of `workers`.
    #[must_use]
    pub fn of(limits: &snapshot::Limits, workers: usize) -> Self {
        let ms = |ms: u64| Duration::from_millis(ms).min(LONGEST);
        Self {
            head: HeadLimits {
                bytes: limits.header_bytes,
                uri_bytes: limits.uri_bytes,
                headers: limits.headers,
            },
            patience: Patience {
                head: ms(limits.header_timeout_ms),
                reader: ms(limits.reader_timeout_ms),
                half_closed: ms(limits.half_close_timeout_ms),
                detect: ms(limits.detect_timeout_ms),
            },
            body: BodyLimits {
                bytes: limits.body_bytes.unwrap_or(u64::MAX),
                period: ms(limits.body_timeout_ms),
                least: limits.body_progress_bytes,
                response: ms(limits.response_body_timeout_ms),
            },
            connections: limits.connections,
            connections_per_client: limits.connections_per_client,
            requests: limits.requests.div_ceil(workers),
            streams: limits.streams,
            control_frames: limits.control_frames,
            idle: ms(limits.idle_timeout_ms),
            tunnel_idle: ms(limits.tunnel_idle_timeout_ms),
        }
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Limits::of(&snapshot::Limits::default(), 1).head
    }
}
