//! Judges finished requests: whether a span is one of an error, and whether its trace deserves to be told in full.

use crate::reasons::Reason;
use crate::recording::record::{Kind, Record};

/// Whether its span is one of an error.
#[must_use]
pub fn failed(record: &Record) -> bool {
    error_type(record).is_some()
}

/// `error.type` of a span.
pub enum ErrorType {
    Status(u16),
    Code(&'static str),
}

impl ErrorType {
    /// As the attribute says it.
    pub fn text<'a>(&self, digits: &'a mut [u8; 3]) -> &'a str {
        match self {
            Self::Code(code) => code,
            Self::Status(status) => {
                for (place, step) in [100, 10, 1].into_iter().enumerate() {
                    digits[place] = b'0' + u8::try_from(status / step % 10).unwrap_or(0);
                }
                std::str::from_utf8(digits).unwrap_or_default()
            }
        }
    }
}

/// Semantic conventions: 4xx is an error for the caller only, 5xx and no answer for both; a caller that left is none, and so
/// is an attempt that nobody waited for any longer. Of gRPC calls every code but `OK` is an error for the caller, and those
/// that are the server's fault for both.
#[must_use]
pub fn error_type(record: &Record) -> Option<ErrorType> {
    let first = if record.kind == Kind::Client {
        400
    } else {
        500
    };
    match (record.outcome(), record.reason) {
        (_, Some(Reason::ClientCancelled | Reason::HedgeLost)) => None,
        (_, None | Some(Reason::TunnelIdle)) if record.tunnel.is_some() => None,
        (status, _) if status >= first => Some(match record.grpc {
            Some(code) => ErrorType::Code(code.name()),
            None => ErrorType::Status(status),
        }),
        (0, reason) => Some(ErrorType::Code(reason.map_or("_OTHER", Reason::code))),
        (200.., Some(reason)) if breaks_off(reason) => Some(ErrorType::Code(reason.code())),
        _ => None,
    }
}

/// The response had begun, and whoever sent it never finished.
fn breaks_off(reason: Reason) -> bool {
    use Reason::{AppReset, AppStalled, Draining, UpstreamReset, UpstreamStalled};
    matches!(
        reason,
        UpstreamReset | AppReset | UpstreamStalled | AppStalled | Draining
    )
}

/// Whether something happened to a request that one would want to see the whole trace of: the mesh gave a reason, it was
/// tried again, the answer was an error of the server, or there was none.
#[must_use]
pub fn calls_attention(record: &Record) -> bool {
    match record.reason {
        Some(Reason::ClientCancelled | Reason::RouteAnswer | Reason::TunnelIdle) => false,
        Some(_) => true,
        None => record.attempt > 1 || record.outcome() >= 500 || silent(record),
    }
}

/// A request without an answer; bytes of a tunnel are none.
fn silent(record: &Record) -> bool {
    record.status == 0 && record.tunnel.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::entry::detect::{Detected, Spoken};
    use crate::grpc::Code;
    use crate::recording::tunnel::Facts;

    fn record(status: u16, reason: Option<Reason>) -> Record {
        Record {
            status,
            reason,
            ..Record::sample()
        }
    }

    #[test]
    fn what_went_wrong_calls_attention_and_what_users_do_does_not() {
        for (status, reason, calls) in [
            (200, None, false),
            (404, None, false),
            (500, None, true),
            (0, None, true),
            (0, Some(Reason::ConnectRefused), true),
            (200, Some(Reason::UpstreamReset), true),
            (0, Some(Reason::ClientCancelled), false),
            (302, Some(Reason::RouteAnswer), false),
        ] {
            assert_eq!(
                calls_attention(&record(status, reason)),
                calls,
                "{status} {reason:?}"
            );
        }
        let grpc = |number| Record {
            grpc: Some(Code::at(number)),
            ..record(200, None)
        };
        assert!(!calls_attention(&grpc(5)) && calls_attention(&grpc(14)));
        let again = Record {
            attempt: 2,
            ..record(200, None)
        };
        assert!(calls_attention(&again));
    }

    #[test]
    fn a_tunnel_goes_wrong_only_where_there_is_a_reason() {
        let facts = Arc::new(Facts {
            detected: Detected::declared(Spoken::Tcp),
            local: None,
            sent: 0,
            received: 0,
        });
        for (reason, wrong) in [
            (None, false),
            (Some(Reason::TunnelIdle), false),
            (Some(Reason::ClientCancelled), false),
            (Some(Reason::UpstreamReset), true),
            (Some(Reason::OutsideDenied), true),
        ] {
            let tunnel = Record {
                tunnel: Some(Arc::clone(&facts)),
                ..record(0, reason)
            };
            let said = (calls_attention(&tunnel), failed(&tunnel));
            assert_eq!(said, (wrong, wrong), "{reason:?}");
        }
    }

    #[test]
    fn what_is_an_error_depends_on_the_side_and_is_named() {
        let kind = |kind, number: Option<u16>, status| {
            let record = Record {
                kind,
                grpc: number.map(Code::at),
                ..record(status, None)
            };
            error_type(&record).map(|class| class.text(&mut [0; 3]).to_owned())
        };
        let (client, server) = (Kind::Client, Kind::Server);
        assert_eq!(kind(client, None, 404).as_deref(), Some("404"));
        assert_eq!(kind(server, None, 404), None);
        assert_eq!(kind(client, Some(5), 200).as_deref(), Some("NOT_FOUND"));
        assert_eq!(kind(server, Some(5), 200), None);
        assert_eq!(kind(server, Some(14), 200).as_deref(), Some("UNAVAILABLE"));
        assert_eq!(kind(client, Some(0), 200), None);
        assert_eq!(kind(client, Some(14), 0).as_deref(), Some("_OTHER"));
    }
}
