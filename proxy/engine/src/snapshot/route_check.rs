//! What routes must be like: names and values in their forms, expressions that compile, services that are there.

use super::Upstream;
use super::policies::attempts;
use super::routes::{
    Backend, HeaderEdit, PathEdit, PathKind, PathMatch, Redirect, Route, RouteRetry, ValueKind,
    ValueMatch,
};
use super::rules::{
    Checked, fits, header_name, label, name, no_longer, refuse, within, zero_or_within,
};
use crate::routing::edits::editable;
use crate::routing::matching::expression;

const A_DAY_MS: u64 = 86_400_000;

/// Every route of a service, and that the services it leads to are there.
pub fn check(at: &str, routes: &[Route], services: &[Upstream]) -> Checked {
    for (place, route) in routes.iter().enumerate() {
        one(&format!("{at}.routes[{place}]"), route, services)?;
    }
    Ok(())
}

fn one(at: &str, route: &Route, services: &[Upstream]) -> Checked {
    asked(at, route)?;
    for (field, edit) in [
        ("request_headers", &route.request_headers),
        ("response_headers", &route.response_headers),
    ] {
        edit.as_ref()
            .map_or(Ok(()), |edit| header_edit(&format!("{at}.{field}"), edit))?;
    }
    if let Some(part) = &route.redirect {
        redirect(&format!("{at}.redirect"), part)?;
    }
    if let Some(part) = &route.rewrite {
        host(&format!("{at}.rewrite.host"), part.host.as_deref())?;
        path_edit(&format!("{at}.rewrite.path"), part.path.as_ref())?;
    }
    if let Some(part) = &route.answer {
        within(
            &format!("{at}.answer.status"),
            part.status.into(),
            200..=599,
        )?;
        no_longer(&format!("{at}.answer.body"), &part.body, 65_536)?;
        header_value(&format!("{at}.answer.content_type"), &part.content_type)?;
    }
    for (field, limit) in [
        ("timeout_ms", route.timeout_ms),
        ("attempt_timeout_ms", route.attempt_timeout_ms),
    ] {
        zero_or_within(&format!("{at}.{field}"), limit.unwrap_or(0), 1..=A_DAY_MS)?;
    }
    if let Some(part) = &route.retry {
        retry(&format!("{at}.retry"), part)?;
    }
    destinations(at, route, services)
}

fn retry(at: &str, retry: &RouteRetry) -> Checked {
    let statuses = retry.statuses.as_deref().unwrap_or_default();
    attempts(at, retry.attempts.unwrap_or(1), statuses)?;
    within(
        &format!("{at}.pause_ms"),
        retry.pause_ms.unwrap_or(0),
        0..=60_000,
    )
}

fn asked(at: &str, route: &Route) -> Checked {
    let (path, method) = (route.path.as_ref(), route.method.as_deref());
    matches(at, path, method, &route.headers, &route.query)?;
    route.sticky.as_ref().map_or(Ok(()), |sticky| {
        let age = sticky.max_age_s.unwrap_or(1);
        within(&format!("{at}.sticky.max_age_s"), age, 1..=31_536_000)?;
        header_name(&format!("{at}.sticky.name"), &sticky.name)
    })
}

/// What a request has to be.
pub fn matches(
    at: &str,
    path: Option<&PathMatch>,
    method: Option<&str>,
    headers: &[ValueMatch],
    query: &[ValueMatch],
) -> Checked {
    if let Some(path) = path {
        let field = format!("{at}.path.value");
        no_longer(&field, &path.value, 4_096)?;
        if path.kind == PathKind::Regex {
            compiles(&field, &path.value)?;
        }
    }
    if let Some(method) = method {
        let upper = method.bytes().all(|byte| byte.is_ascii_uppercase());
        fits(
            &format!("{at}.method"),
            method,
            upper && (1..=32).contains(&method.len()),
            "a method in capitals",
        )?;
    }
    for (place, value) in headers.iter().enumerate() {
        header_name(&format!("{at}.headers[{place}].name"), &value.name)?;
    }
    values(&format!("{at}.headers"), headers)?;
    values(&format!("{at}.query"), query)
}

fn values(at: &str, values: &[ValueMatch]) -> Checked {
    for (place, value) in values.iter().enumerate() {
        let at = format!("{at}[{place}]");
        no_longer(&format!("{at}.name"), &value.name, 256)?;
        no_longer(&format!("{at}.value"), &value.value, 4_096)?;
        if value.kind == ValueKind::Regex {
            compiles(&format!("{at}.value"), &value.value)?;
        }
    }
    Ok(())
}

fn redirect(at: &str, redirect: &Redirect) -> Checked {
    host(&format!("{at}.host"), redirect.host.as_deref())?;
    path_edit(&format!("{at}.path"), redirect.path.as_ref())?;
    if redirect.port == Some(0) {
        return refuse(&format!("{at}.port"), "must be greater than 0");
    }
    if matches!(redirect.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(());
    }
    refuse(&format!("{at}.status"), "must be 301, 302, 303, 307 or 308")
}

/// A route answers itself or sends requests on, and only to services that are there.
fn destinations(at: &str, route: &Route, services: &[Upstream]) -> Checked {
    for (place, one) in route.backends.iter().enumerate() {
        backend(&format!("{at}.backends[{place}]"), one, services)?;
    }
    for (place, mirror) in route.mirrors.iter().enumerate() {
        let at = format!("{at}.mirrors[{place}]");
        backend(&format!("{at}.to"), &mirror.to, services)?;
        within(
            &format!("{at}.per_million"),
            mirror.per_million.into(),
            0..=1_000_000,
        )?;
    }
    let answers = usize::from(route.redirect.is_some()) + usize::from(route.answer.is_some());
    if answers > 1 || (answers == 1 && !route.backends.is_empty()) {
        let problem = "can have backends, a redirect or an answer, and one of them only";
        return refuse(at, problem);
    }
    Ok(())
}

fn backend(at: &str, backend: &Backend, services: &[Upstream]) -> Checked {
    let field = format!("{at}.service");
    name(&field, &backend.service)?;
    if !backend.version.is_empty() {
        label(&format!("{at}.version"), &backend.version)?;
    }
    within(
        &format!("{at}.weight"),
        backend.weight.into(),
        0..=1_000_000,
    )?;
    let known = services.iter().any(|other| other.name == backend.service);
    fits(
        &field,
        &backend.service,
        known,
        "a service of this snapshot",
    )
}

fn compiles(field: &str, pattern: &str) -> Checked {
    match expression(pattern) {
        Ok(_) => Ok(()),
        Err(error) => refuse(field, &format!("{pattern:?} is not an expression: {error}")),
    }
}

fn path_edit(at: &str, edit: Option<&PathEdit>) -> Checked {
    let Some(edit) = edit else {
        return Ok(());
    };
    let plain = |path: &str| {
        (path.is_empty() || path.starts_with('/'))
            && path.len() <= 4_096
            && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
    };
    fits(
        &format!("{at}.value"),
        &edit.value,
        plain(&edit.value),
        "a path",
    )?;
    edit.prefix.as_ref().map_or(Ok(()), |prefix| {
        fits(&format!("{at}.prefix"), prefix, plain(prefix), "a path")
    })
}

fn host(field: &str, host: Option<&str>) -> Checked {
    let Some(host) = host else {
        return Ok(());
    };
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = host.as_bytes();
    let plain = (1..=254).contains(&bytes.len())
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes
            .iter()
            .all(|byte| edge(byte) || matches!(byte, b'.' | b'-'));
    fits(field, host, plain, "a lower-case host")
}

fn header_edit(at: &str, edit: &HeaderEdit) -> Checked {
    for (field, pairs) in [("set", &edit.set), ("add", &edit.add)] {
        for (place, (name, value)) in pairs.iter().enumerate() {
            edited(&format!("{at}.{field}[{place}][0]"), name)?;
            header_value(&format!("{at}.{field}[{place}][1]"), value)?;
        }
    }
    for (place, name) in edit.remove.iter().enumerate() {
        edited(&format!("{at}.remove[{place}]"), name)?;
    }
    Ok(())
}

fn edited(field: &str, name: &str) -> Checked {
    header_name(field, name)?;
    if editable(name) {
        return Ok(());
    }
    let problem = format!("{name:?} says how a message is carried and cannot be edited");
    refuse(field, &problem)
}

fn header_value(field: &str, value: &str) -> Checked {
    let plain = |byte: u8| byte == b'\t' || (0x20..=0x7e).contains(&byte);
    let known = value.bytes().all(plain) && value.len() <= 4_096;
    fits(field, value, known, "the value of a header")
}
