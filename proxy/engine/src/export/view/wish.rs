//! What an onlooker wants to see: conditions on a request, all of which must hold, and for how long.

use crate::reasons::Reason;
use crate::recording::otlp::service_in;
use crate::recording::record::{Kind, Record, Text};

/// Requests of before that are shown when nobody says how many.
const LAST: u64 = 1_000;

#[derive(Debug, PartialEq, Eq)]
pub struct Wish {
    service: Option<String>,
    /// Of the path or its route; what ends with `*` is the beginning of one.
    path: Option<String>,
    status: Option<Status>,
    reason: Option<Why>,
    kind: Option<Kind>,
    least_ns: u64,
    pub since_ns: Option<u64>,
    pub follow: bool,
    /// Requests still to be shown.
    pub most: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    None,
    Class(u16),
    Exactly(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Any,
    Because(Reason),
}

/// Why a wish cannot be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}={value}: {problem}")]
pub struct NotAWish {
    name: String,
    value: String,
    problem: &'static str,
}

// === impl Wish ===

impl Wish {
    /// Reads conditions by name. Without `since` it is for what is to come; with it, for what was, and with `follow` both.
    pub fn of(parts: impl IntoIterator<Item = (String, String)>) -> Result<Self, NotAWish> {
        let parts: Vec<_> = parts.into_iter().collect();
        let mut wish = Self {
            service: None,
            path: None,
            status: None,
            reason: None,
            kind: None,
            least_ns: 0,
            since_ns: None,
            follow: parts.iter().all(|(name, _)| name != "since"),
            most: 0,
        };
        for (name, value) in parts {
            if let Err(problem) = wish.set(&name, &value) {
                return Err(NotAWish {
                    name,
                    value,
                    problem,
                });
            }
        }
        if wish.most == 0 {
            wish.most = if wish.follow { u64::MAX } else { LAST };
        }
        Ok(wish)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "service" => self.service = Some(value.to_owned()),
            "path" => self.path = Some(value.to_owned()),
            "status" => self.status = Some(status(value)?),
            "reason" => self.reason = Some(why(value)?),
            "direction" => self.kind = Some(kind(value)?),
            "min" => self.least_ns = nanos(value)?,
            "since" => self.since_ns = Some(nanos(value)?),
            "follow" => self.follow = truth(value)?,
            "limit" => self.most = count(value)?,
            _ => {
                return Err(
                    "expected service, path, status, reason, direction, min, since, follow or limit",
                );
            }
        }
        Ok(())
    }

    /// Whether a request is one of them; `own` is the service of this proxy.
    #[must_use]
    pub fn wants(&self, record: &Record, text: Text<'_>, own: &str) -> bool {
        record.end_unix.saturating_sub(record.start_unix) >= self.least_ns
            && self.kind.is_none_or(|kind| kind == record.kind)
            && self.status.is_none_or(|status| status.is(record.told()))
            && self.reason.is_none_or(|why| why.is(record.reason))
            && self.path.as_ref().is_none_or(|path| on(path, text))
            && self
                .service
                .as_ref()
                .is_none_or(|service| service == own || at_the_other_end(record) == Some(service))
    }
}

impl Status {
    fn is(self, status: u16) -> bool {
        match self {
            Self::None => status == 0,
            Self::Class(class) => status / 100 == class,
            Self::Exactly(exactly) => status == exactly,
        }
    }
}

impl Why {
    fn is(self, reason: Option<Reason>) -> bool {
        match self {
            Self::Any => reason.is_some(),
            Self::Because(because) => reason == Some(because),
        }
    }
}

fn at_the_other_end(record: &Record) -> Option<&str> {
    service_in(record.peer.as_deref()?)
}

fn on(path: &str, text: Text<'_>) -> bool {
    [text.path, text.route]
        .iter()
        .any(|of| match path.strip_suffix('*') {
            Some(beginning) => of.starts_with(beginning),
            None => *of == path,
        })
}

fn status(value: &str) -> Result<Status, &'static str> {
    let problem = "expected a status such as 503, a class such as 5xx, or none";
    match value.as_bytes() {
        b"none" => Ok(Status::None),
        [class @ b'1'..=b'5', b'x', b'x'] => Ok(Status::Class(u16::from(class - b'0'))),
        _ => match value.parse() {
            Ok(exactly @ 100..=599) => Ok(Status::Exactly(exactly)),
            _ => Err(problem),
        },
    }
}

fn why(value: &str) -> Result<Why, &'static str> {
    if value == "any" {
        return Ok(Why::Any);
    }
    let reason = Reason::from_code(value.as_bytes());
    reason
        .map(Why::Because)
        .ok_or("expected any, or a code of docs/reasons.md")
}

fn kind(value: &str) -> Result<Kind, &'static str> {
    match value {
        "inbound" => Ok(Kind::Server),
        "outbound" => Ok(Kind::Client),
        _ => Err("expected inbound or outbound"),
    }
}

/// A duration as the mesh configuration writes it.
fn nanos(value: &str) -> Result<u64, &'static str> {
    let problem = "expected a duration such as 250ms, 1.5s, 2m or 1h";
    let units = [("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9)];
    let read = units.iter().find_map(|(unit, nanos)| {
        let number: f64 = value.strip_suffix(unit)?.parse().ok()?;
        Some(number * nanos)
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just before"
    )]
    match read {
        Some(nanos) if (0.0..1e18).contains(&nanos) => Ok(nanos as u64),
        _ => Err(problem),
    }
}

fn truth(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "expected true or false")
}

fn count(value: &str) -> Result<u64, &'static str> {
    match value.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err("expected a number of requests, 1 or more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::otlp::peer;

    fn of(parts: &[(&str, &str)]) -> Result<Wish, NotAWish> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Wish::of(parts.iter().map(own))
    }

    #[test]
    fn every_condition_must_hold() {
        let record = Record {
            start_unix: 0,
            end_unix: 20_000_000,
            status: 503,
            reason: Some(Reason::BreakerOpen),
            peer: Some(peer("destination", ["cart", "v1", "cart-1"]).bytes().into()),
            ..Record::sample()
        };
        let text = Text {
            path: "/orders/17",
            authority: "cart",
            route: "/orders/{id}",
        };
        let wanted = |parts: &[(&str, &str)]| of(parts).unwrap().wants(&record, text, "front");
        for parts in [
            &[][..],
            &[
                ("service", "cart"),
                ("status", "503"),
                ("direction", "outbound"),
            ],
            &[("service", "front"), ("status", "5xx"), ("reason", "any")],
            &[
                ("reason", "breaker_open"),
                ("path", "/orders/{id}"),
                ("min", "20ms"),
            ],
            &[("path", "/orders/*")],
        ] {
            assert!(wanted(parts), "{parts:?}");
        }
        for other in [
            ("service", "cartel"),
            ("status", "none"),
            ("status", "500"),
            ("status", "4xx"),
            ("reason", "draining"),
            ("direction", "inbound"),
            ("path", "/orders"),
            ("min", "21ms"),
        ] {
            assert!(!wanted(&[("service", "cart"), other]), "{other:?}");
        }
    }

    #[test]
    fn what_nobody_can_mean_is_named() {
        for (name, value) in [
            ("status", "6xx"),
            ("status", "ok"),
            ("reason", "because"),
            ("min", "5"),
            ("since", "-1s"),
            ("since", "nans"),
            ("follow", "yes"),
            ("limit", "0"),
            ("colour", "red"),
        ] {
            let said = of(&[(name, value)]).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{name}={value}: ")), "{said}");
        }
    }

    #[test]
    fn looking_back_ends_and_looking_on_does_not() {
        let live = of(&[]).unwrap();
        assert!(live.follow && live.most == u64::MAX && live.since_ns.is_none());
        let back = of(&[("since", "1.5m")]).unwrap();
        assert_eq!(
            (back.follow, back.most, back.since_ns),
            (false, LAST, Some(90_000_000_000))
        );
        assert!(of(&[("since", "1h"), ("follow", "true")]).unwrap().follow);
    }
}
