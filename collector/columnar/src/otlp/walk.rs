//! What the requests of all signals share: resources and scopes, each looked up before the items it describes, since
//! protobuf fields may come in any order.

use super::value::{Attribute, sort_last_wins};
use super::wire::Reader;
use crate::error::{Error, Result};
use crate::rejects::Rejects;
use crate::table::TableBlock;

/// A resource is repeated on each of its rows; a request whose blocks would be this many times its limit is refused.
pub const EXPANSION: usize = 8;

/// One request as blocks, one a table, and what of it could not be kept.
#[derive(Debug)]
pub struct Encoded {
    pub blocks: Vec<TableBlock>,
    pub rejects: Rejects,
    /// Values that were changed or left out, by rule.
    pub redacted: Vec<(String, usize)>,
}

/// Where items come from. `serial` differs between any two of a request, so that a column can tell whether it knows
/// this one already.
#[derive(Debug, Default)]
pub struct Origin<'a> {
    pub serial: usize,
    pub resource: Vec<Attribute<'a>>,
    pub resource_schema: &'a [u8],
    pub scope_name: &'a [u8],
    pub scope_version: &'a [u8],
    pub scope: Vec<Attribute<'a>>,
    pub scope_dropped: u64,
    pub scope_schema: &'a [u8],
}

impl Origin<'_> {
    /// Appends the value of `service.name`, nothing when there is none.
    pub fn write_service(&self, out: &mut Vec<u8>) -> Result<()> {
        let named = self.resource.iter().find(|attribute| attribute.key == b"service.name");
        named.map_or(Ok(()), |attribute| attribute.value.write_text(out))
    }
}

/// Calls `each` with every item of a request, whose messages nest alike for metrics and logs: resource and scope at
/// 1, what is in them at 2, the schema URL at 3.
pub fn each_item<'a>(
    mut request: Reader<'a>,
    mut each: impl FnMut(Reader<'a>, &Origin<'a>) -> Result<()>,
) -> Result<()> {
    let mut origin = Origin::default();
    while let Some(field) = request.field()? {
        if field.number == 1 {
            each_of_resource(field.message()?, &mut origin, &mut each)?;
        }
    }
    Ok(())
}

fn each_of_resource<'a>(
    mut group: Reader<'a>,
    origin: &mut Origin<'a>,
    each: &mut impl FnMut(Reader<'a>, &Origin<'a>) -> Result<()>,
) -> Result<()> {
    origin.resource = match last(group, 1)? {
        Some(resource) => attributes(resource, 1)?,
        None => Vec::new(),
    };
    origin.resource_schema = last_bytes(group, 3)?;
    while let Some(field) = group.field()? {
        if field.number == 2 {
            each_of_scope(field.message()?, origin, each)?;
        }
    }
    Ok(())
}

fn each_of_scope<'a>(
    mut group: Reader<'a>,
    origin: &mut Origin<'a>,
    each: &mut impl FnMut(Reader<'a>, &Origin<'a>) -> Result<()>,
) -> Result<()> {
    origin.serial += 1;
    origin.scope_schema = last_bytes(group, 3)?;
    (origin.scope_name, origin.scope_version, origin.scope_dropped) = (b"", b"", 0);
    origin.scope.clear();
    if let Some(scope) = last(group, 1)? {
        origin.scope = attributes(scope, 3)?;
        let mut fields = scope;
        while let Some(field) = fields.field()? {
            match field.number {
                1 => origin.scope_name = field.bytes()?,
                2 => origin.scope_version = field.bytes()?,
                4 => origin.scope_dropped = field.varint()?,
                _ => {}
            }
        }
    }
    while let Some(field) = group.field()? {
        if field.number == 2 {
            each(field.message()?, origin)?;
        }
    }
    Ok(())
}

pub fn last(mut message: Reader<'_>, number: u64) -> Result<Option<Reader<'_>>> {
    let mut found = None;
    while let Some(field) = message.field()? {
        if field.number == number {
            found = Some(field.message()?);
        }
    }
    Ok(found)
}

fn last_bytes(mut message: Reader<'_>, number: u64) -> Result<&[u8]> {
    let mut found: &[u8] = b"";
    while let Some(field) = message.field()? {
        if field.number == number {
            found = field.bytes()?;
        }
    }
    Ok(found)
}

pub fn attributes(mut message: Reader<'_>, number: u64) -> Result<Vec<Attribute<'_>>> {
    let mut attributes = Vec::new();
    while let Some(field) = message.field()? {
        if field.number == number {
            attributes.push(Attribute::read(field.message()?)?);
        }
    }
    sort_last_wins(&mut attributes);
    Ok(attributes)
}

/// Raises `TooLarge` when columns of `size` bytes are more than a request may become.
pub fn check_size(size: usize, most: usize) -> Result<()> {
    if size <= most {
        return Ok(());
    }
    Err(Error::TooLarge(format!("the items take more than {most} bytes as columns: send smaller batches")))
}
