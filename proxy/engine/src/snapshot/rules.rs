//! Ranges and forms that fields of any part have.

use std::ops::RangeInclusive;

use http::HeaderName;

use super::Refused;
use crate::address::Address;
use crate::upstream::place::Place;

pub type Checked = Result<(), Refused>;

pub fn refuse(field: &str, problem: &str) -> Checked {
    Err(Refused {
        field: field.into(),
        problem: problem.into(),
    })
}

pub fn positive(field: &str, value: u64) -> Checked {
    if value > 0 {
        Ok(())
    } else {
        refuse(field, "must be greater than 0")
    }
}

pub fn within(field: &str, value: u64, range: RangeInclusive<u64>) -> Checked {
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
pub fn zero_or_within(field: &str, value: u64, range: RangeInclusive<u64>) -> Checked {
    if value == 0 {
        return Ok(());
    }
    within(field, value, range)
}

pub fn host_port(field: &str, text: &str) -> Checked {
    if Address::parse(text).is_some() {
        return Ok(());
    }
    refuse(field, &format!("{text:?} is not host:port"))
}

/// Where an application listens.
pub fn place(field: &str, text: &str) -> Checked {
    let known = Place::parse(text).is_some();
    fits(
        field,
        text,
        known,
        "host:port, or unix: and an absolute path of at most 107 bytes",
    )
}

pub fn ip_port(field: &str, text: &str) -> Checked {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(());
    }
    refuse(field, &format!("{text:?} is not ip:port"))
}

/// Lower-case letters, digits, dots and dashes; at most 128.
pub fn name(field: &str, text: &str) -> Checked {
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

/// Where something runs, if that is known.
pub fn zone(field: &str, text: Option<&str>) -> Checked {
    text.map_or(Ok(()), |text| label(field, text))
}

/// Letters, digits, dots, underscores and dashes; at most 63.
pub fn label(field: &str, text: &str) -> Checked {
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

pub fn header_name(field: &str, name: &str) -> Checked {
    let known = HeaderName::from_lowercase(name.as_bytes()).is_ok() && name.len() <= 256;
    fits(field, name, known, "the lower-case name of a header")
}

pub fn no_longer(field: &str, text: &str, most: usize) -> Checked {
    if text.chars().count() <= most {
        return Ok(());
    }
    refuse(field, &format!("is longer than {most} characters"))
}

pub fn fits(field: &str, text: &str, does: bool, what: &str) -> Checked {
    if does {
        return Ok(());
    }
    refuse(field, &format!("{text:?} is not {what}"))
}
