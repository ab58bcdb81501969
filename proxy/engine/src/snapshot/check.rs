//! Ranges and forms of every field of a snapshot, and what must hold between fields.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::{Inbound, Limits, Node, Refused, Snapshot, Telemetry, Upstream};
use crate::address::Address;
use crate::export::url::Url;
use crate::route;

type Checked = Result<(), Refused>;

pub(super) fn snapshot(snapshot: &Snapshot) -> Checked {
    positive("epoch", snapshot.epoch)?;
    node(&snapshot.node)?;
    if let Some(part) = &snapshot.inbound {
        inbound(part)?;
    }
    if let Some(part) = &snapshot.outbound {
        host_port("outbound.listen", &part.listen)?;
    }
    services(&snapshot.services)?;
    telemetry(&snapshot.telemetry)?;
    limits(&snapshot.limits)
}

fn limits(limits: &Limits) -> Checked {
    for (field, value) in [
        ("connections", limits.connections as u64),
        (
            "connections_per_client",
            limits.connections_per_client.unwrap_or(1) as u64,
        ),
        ("requests", limits.requests as u64),
        ("streams", limits.streams.into()),
        ("header_timeout_ms", limits.header_timeout_ms),
        ("body_timeout_ms", limits.body_timeout_ms),
        ("response_body_timeout_ms", limits.response_body_timeout_ms),
        ("reader_timeout_ms", limits.reader_timeout_ms),
        ("idle_timeout_ms", limits.idle_timeout_ms),
        ("tunnel_idle_timeout_ms", limits.tunnel_idle_timeout_ms),
    ] {
        positive(&format!("limits.{field}"), value)?;
    }
    let header_bytes = limits.header_bytes as u64;
    within("limits.header_bytes", header_bytes, 8_192..=16_777_216)?;
    within("limits.headers", limits.headers as u64, 16..=10_000)?;
    within("limits.uri_bytes", limits.uri_bytes as u64, 256..=65_534)?;
    within(
        "limits.control_frames",
        limits.control_frames.into(),
        10..=1_000_000,
    )
}

fn node(node: &Node) -> Checked {
    name("node.service", &node.service)?;
    label("node.version", &node.version)?;
    name("node.instance", &node.instance)?;
    name("node.namespace", &node.namespace)
}

fn inbound(inbound: &Inbound) -> Checked {
    host_port("inbound.listen", &inbound.listen)?;
    host_port("inbound.app", &inbound.app)?;
    if inbound.listen == inbound.app {
        return refuse(
            "inbound.app",
            "is the proxy's own inbound address; name the address of the application",
        );
    }
    positive("inbound.connect_timeout_ms", inbound.connect_timeout_ms)?;
    positive("inbound.timeout_ms", inbound.timeout_ms)
}

fn services(services: &[Upstream]) -> Checked {
    let mut owners = HashMap::new();
    for (place, service) in services.iter().enumerate() {
        let at = format!("services[{place}]");
        name(&format!("{at}.name"), &service.name)?;
        if services[..place]
            .iter()
            .any(|other| other.name == service.name)
        {
            let problem = format!("{:?} is the name of another service too", service.name);
            return refuse(&format!("{at}.name"), &problem);
        }
        positive(
            &format!("{at}.connect_timeout_ms"),
            service.connect_timeout_ms,
        )?;
        positive(&format!("{at}.timeout_ms"), service.timeout_ms)?;
        let attempts = u64::from(service.connect_attempts);
        within(&format!("{at}.connect_attempts"), attempts, 1..=10)?;
        authorities(&at, service, &mut owners)?;
        endpoints(&at, service)?;
    }
    Ok(())
}

/// An authority means one service, however it is spelled.
fn authorities<'a>(
    at: &str,
    service: &'a Upstream,
    owners: &mut HashMap<String, &'a str>,
) -> Checked {
    if service.authorities.is_empty() {
        return refuse(&format!("{at}.authorities"), "must name at least one host");
    }
    for (place, authority) in service.authorities.iter().enumerate() {
        let field = format!("{at}.authorities[{place}]");
        let Some(plain) = route::normal(authority) else {
            return refuse(&field, &format!("{authority:?} is not host or host:port"));
        };
        let owner = *owners.entry(plain.into_owned()).or_insert(&service.name);
        if owner != service.name {
            return refuse(
                &field,
                &format!("{authority:?} already means service {owner:?}"),
            );
        }
    }
    Ok(())
}

fn endpoints(at: &str, service: &Upstream) -> Checked {
    for (place, endpoint) in service.endpoints.iter().enumerate() {
        let at = format!("{at}.endpoints[{place}]");
        host_port(&format!("{at}.address"), &endpoint.address)?;
        label(&format!("{at}.version"), &endpoint.version)?;
        name(&format!("{at}.instance"), &endpoint.instance)?;
    }
    Ok(())
}

fn telemetry(telemetry: &Telemetry) -> Checked {
    if !telemetry.endpoint.is_empty() && Url::parse(&telemetry.endpoint).is_none() {
        let problem = format!("{:?} is not an http:// URL with a host", telemetry.endpoint);
        return refuse("telemetry.endpoint", &problem);
    }
    within(
        "telemetry.queue_records",
        telemetry.queue_records as u64,
        1_024..=4_194_304,
    )?;
    within(
        "telemetry.batch_records",
        telemetry.batch_records as u64,
        1..=65_536,
    )?;
    within(
        "telemetry.batch_bytes",
        telemetry.batch_bytes as u64,
        10_000..=60_000_000,
    )?;
    within("telemetry.flush_ms", telemetry.flush_ms, 10..=60_000)?;
    zero_or_within(
        "telemetry.spool_bytes",
        telemetry.spool_bytes,
        1 << 20..=1 << 40,
    )?;
    zero_or_within(
        "telemetry.budget_bytes",
        telemetry.budget_bytes,
        10_000..=1 << 40,
    )
}

fn refuse(field: &str, problem: &str) -> Checked {
    Err(Refused {
        field: field.into(),
        problem: problem.into(),
    })
}

fn positive(field: &str, value: u64) -> Checked {
    if value > 0 {
        Ok(())
    } else {
        refuse(field, "must be greater than 0")
    }
}

fn within(field: &str, value: u64, range: RangeInclusive<u64>) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    refuse(
        field,
        &format!(
            "is {value}, must be from {} to {}",
            range.start(),
            range.end()
        ),
    )
}

/// 0 switches something off.
fn zero_or_within(field: &str, value: u64, range: RangeInclusive<u64>) -> Checked {
    if value == 0 {
        return Ok(());
    }
    within(field, value, range)
}

fn host_port(field: &str, text: &str) -> Checked {
    if Address::parse(text).is_some() {
        return Ok(());
    }
    refuse(field, &format!("{text:?} is not host:port"))
}

/// Lower-case letters, digits, dots and dashes; at most 128.
fn name(field: &str, text: &str) -> Checked {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: &u8| edge(byte) || matches!(byte, b'.' | b'-');
    let bytes = text.as_bytes();
    let fits = (1..=128).contains(&bytes.len())
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(inner);
    if fits {
        Ok(())
    } else {
        refuse(
            field,
            &format!("{text:?} is not a lower-case DNS-like name"),
        )
    }
}

/// Letters, digits, dots, underscores and dashes; at most 63.
fn label(field: &str, text: &str) -> Checked {
    let bytes = text.as_bytes();
    let fits = (1..=63).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        Ok(())
    } else {
        refuse(
            field,
            &format!("{text:?} is not a label (letters, digits, . _ -)"),
        )
    }
}
