//! The tables of the OpenTelemetry ClickHouse exporter under construction, and what they share.

pub mod exemplars;
pub mod logs;
pub mod points;
pub mod traces;

use crate::error::Result;
use crate::native::column::{Map, Strings};
use crate::otlp::value::{Attribute, readable};
use crate::redact::screen::Scratch;
use crate::rejects::Cause;

const NANOS_PER_DAY: u64 = 86_400_000_000_000;
/// Sort keys and indexes keep seconds in 32 bits: 1970-01-01 to 2106-02-07.
pub const LATEST: u64 = u32::MAX as u64 * 1_000_000_000;
/// A partition is a day; each takes an insert of its own.
pub const MOST_DAYS: usize = 64;

/// The rows of one table that lie on one day, as one Native block; there is at least one.
#[derive(Debug)]
pub struct TableBlock {
    pub table: &'static str,
    /// Since 1970: the partition the rows go to.
    pub day: u32,
    pub data: Vec<u8>,
    pub rows: usize,
}

/// A table under construction.
pub trait Table {
    /// Bytes of those columns that can outgrow the request.
    fn size(&self) -> usize;

    /// Its rows as Native blocks, one for each table that they go to.
    fn into_blocks(self, day: u32) -> impl Iterator<Item = TableBlock>;
}

/// One table for each day on which there are rows: what goes to one partition is stored whole or not at all.
#[derive(Debug)]
pub struct ByDay<T>(Vec<(u32, T)>);

impl<T> Default for ByDay<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Table> ByDay<T> {
    /// The table of a time in nanoseconds since 1970, or why there is none. The caller adds a row to it.
    pub fn at(&mut self, time: u64, new: impl FnOnce() -> T) -> std::result::Result<&mut T, Cause> {
        if time == 0 || time > LATEST {
            return Err(Cause::Time);
        }
        let day = u32::try_from(time / NANOS_PER_DAY).map_err(|_| Cause::Time)?;
        let place = match self.0.iter().position(|(known, _)| *known == day) {
            Some(place) => place,
            None if self.0.len() == MOST_DAYS => return Err(Cause::Days),
            None => {
                self.0.push((day, new()));
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[place].1)
    }

    pub fn size(&self) -> usize {
        self.0.iter().map(|(_, table)| table.size()).sum()
    }

    /// In order of days.
    pub fn into_blocks(mut self) -> impl Iterator<Item = TableBlock> {
        self.0.sort_unstable_by_key(|(day, _)| *day);
        self.0.into_iter().flat_map(|(day, table)| table.into_blocks(day))
    }
}

/// A column of attributes that many rows share, such as those of a resource: encoded once, then repeated.
#[derive(Debug, Default)]
pub struct SharedMap {
    pub map: Map,
    keys: Vec<u32>,
    values: Vec<u8>,
}

impl SharedMap {
    /// What the next rows repeat; the attributes are sorted and differ in their keys.
    pub fn set(&mut self, attributes: &[Attribute<'_>], scratch: &mut Scratch<'_>) -> Result<()> {
        let mut values = Strings::default();
        self.keys.clear();
        for attribute in attributes {
            if push_value(&mut values, attribute, scratch)? {
                self.keys.push(self.map.keys.place(&readable(attribute.key)));
            }
        }
        self.values = values.into_bytes();
        Ok(())
    }

    pub fn repeat(&mut self) {
        self.map.keys.extend(&self.keys);
        self.map.values.extend(&self.values);
        self.map.end_row();
    }
}

#[inline]
pub fn push_attributes(map: &mut Map, attributes: &[Attribute<'_>], scratch: &mut Scratch<'_>) -> Result<()> {
    if scratch.screen.is_some() {
        return push_screened(map, attributes, scratch);
    }
    let keys = &mut map.keys;
    let shape =
        map.shapes.of(attributes.iter().map(|attribute| attribute.key), |key| keys.place(&readable(key)));
    keys.extend(&shape.places);
    for &at in &shape.kept {
        attributes[at].value.push_text(&mut map.values, &mut scratch.text)?;
    }
    map.end_row();
    Ok(())
}

#[inline(never)]
fn push_screened(map: &mut Map, attributes: &[Attribute<'_>], scratch: &mut Scratch<'_>) -> Result<()> {
    let first = scratch.screen.as_mut().and_then(|screen| screen.first(attributes));
    let attributes = first.as_deref().unwrap_or(attributes);
    let keys = &mut map.keys;
    let shape =
        map.shapes.of(attributes.iter().map(|attribute| attribute.key), |key| keys.place(&readable(key)));
    for (&at, &place) in shape.kept.iter().zip(&shape.places) {
        if push_value(&mut map.values, &attributes[at], scratch)? {
            keys.push_place(place);
        }
    }
    map.end_row();
    Ok(())
}

/// Appends the value of an attribute; false when a rule keeps it out.
#[inline]
pub fn push_value(
    column: &mut Strings,
    attribute: &Attribute<'_>,
    scratch: &mut Scratch<'_>,
) -> Result<bool> {
    let Some(screen) = &mut scratch.screen else {
        attribute.value.push_text(column, &mut scratch.text)?;
        return Ok(true);
    };
    let text = screen.attribute(attribute)?;
    if let Some(text) = text {
        column.push(text);
    }
    Ok(text.is_some())
}

pub fn unless_zero(id: &[u8]) -> &[u8] {
    if id.iter().all(|&byte| byte == 0) { b"" } else { id }
}

/// An id of the given length; what is none is left out, as OTLP asks of records and exemplars.
pub fn id_or_empty(id: &[u8], length: usize) -> &[u8] {
    if id.len() == length { unless_zero(id) } else { b"" }
}
