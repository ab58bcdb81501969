//! The types a column of a Native block may have, as far as their bytes go.

use crate::error::{Error, Result};

/// Longer names and deeper nesting are refused.
const LONGEST: usize = 16_384;
const DEEPEST: usize = 32;

#[derive(Debug, PartialEq, Eq)]
pub enum Type {
    /// So many bytes a value.
    Fixed(usize),
    Text,
    Nullable(Box<Type>),
    Array(Box<Type>),
    Tuple(Vec<Type>),
    LowCardinality(Box<Type>),
}

impl Type {
    /// Reads a type name; `offset` is where it stands, for errors.
    pub fn parse(name: &str, offset: usize) -> Result<Self> {
        if name.len() > LONGEST {
            return Err(Error::malformed(format!("expected a type name of at most {LONGEST} bytes"), offset));
        }
        parse(name.trim(), 0).ok_or_else(|| {
            let shown: String = name.chars().take(120).collect();
            Error::malformed(format!("expected a column type that can be inserted, found {shown:?}"), offset)
        })
    }
}

fn parse(name: &str, depth: usize) -> Option<Type> {
    if depth > DEEPEST {
        return None;
    }
    let (family, arguments) = split(name)?;
    let inner =
        |place: usize| arguments.get(place).and_then(|argument| parse(argument, depth + 1)).map(Box::new);
    let elements = || {
        let named = arguments.iter().map(|argument| parse(without_name(argument), depth + 1));
        named.collect::<Option<Vec<_>>>().filter(|elements| !elements.is_empty())
    };
    Some(match family {
        "String" => Type::Text,
        "FixedString" => Type::Fixed(arguments.first()?.parse().ok().filter(|&size| size > 0)?),
        "Nullable" => Type::Nullable(inner(0)?),
        "Array" => Type::Array(inner(0)?),
        "LowCardinality" => Type::LowCardinality(inner(0)?),
        "Map" => Type::Array(Box::new(Type::Tuple(vec![*inner(0)?, *inner(1)?]))),
        "Tuple" => Type::Tuple(elements()?),
        "Nested" => Type::Array(Box::new(Type::Tuple(elements()?))),
        "SimpleAggregateFunction" => *inner(1)?,
        "Point" => point(),
        "Ring" | "LineString" => array_of(point(), 1),
        "Polygon" | "MultiLineString" => array_of(point(), 2),
        "MultiPolygon" => array_of(point(), 3),
        "Decimal" => Type::Fixed(decimal_width(arguments.first()?.parse().ok()?)?),
        _ if family.starts_with("Interval") => Type::Fixed(8),
        _ => Type::Fixed(fixed_width(family)?),
    })
}

fn fixed_width(family: &str) -> Option<usize> {
    Some(match family {
        "Int8" | "UInt8" | "Bool" | "Enum8" | "Nothing" => 1,
        "Int16" | "UInt16" | "Date" | "Enum16" | "BFloat16" => 2,
        "Int32" | "UInt32" | "Float32" | "Date32" | "DateTime" | "Time" | "IPv4" | "Decimal32" => 4,
        "Int64" | "UInt64" | "Float64" | "DateTime64" | "Time64" | "Decimal64" => 8,
        "Int128" | "UInt128" | "UUID" | "IPv6" | "Decimal128" => 16,
        "Int256" | "UInt256" | "Decimal256" => 32,
        _ => return None,
    })
}

fn decimal_width(precision: usize) -> Option<usize> {
    match precision {
        1..=9 => Some(4),
        10..=18 => Some(8),
        19..=38 => Some(16),
        39..=76 => Some(32),
        _ => None,
    }
}

fn point() -> Type {
    Type::Tuple(vec![Type::Fixed(8), Type::Fixed(8)])
}

fn array_of(item: Type, times: usize) -> Type {
    (0..times).fold(item, |item, _| Type::Array(Box::new(item)))
}

/// `Tuple(name Type)` and `Nested(name Type)`: the type follows the name, which may be quoted with backticks.
fn without_name(argument: &str) -> &str {
    if let Some(quoted) = argument.strip_prefix('`') {
        return quoted.find('`').map_or(argument, |end| quoted[end + 1..].trim_start());
    }
    match (argument.find(' '), argument.find('(')) {
        (Some(space), Some(bracket)) if bracket < space => argument,
        (Some(space), _) => argument[space..].trim_start(),
        (None, _) => argument,
    }
}

/// `Family(a, b)` into its family and arguments; commas and brackets inside brackets or quotes do not count.
fn split(name: &str) -> Option<(&str, Vec<&str>)> {
    let Some(open) = name.find('(') else {
        return Some((name, Vec::new()));
    };
    let inside = name[open + 1..].strip_suffix(')')?;
    let (mut arguments, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), b'\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(mark), _) if byte == mark && !escaped => quote = None,
            (None, b'\'' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.checked_sub(1)?,
            (None, b',') if depth == 0 => {
                arguments.push(inside[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
        escaped = false;
    }
    if depth != 0 || quote.is_some() {
        return None;
    }
    if !inside.trim().is_empty() {
        arguments.push(inside[from..].trim());
    }
    Some((&name[..open], arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> Type {
        Type::parse(name, 0).unwrap()
    }

    #[test]
    fn names_with_brackets_commas_and_quotes_inside() {
        assert_eq!(parsed("Enum8('a,(' = 1, 'it\\'s)' = 2)"), Type::Fixed(1));
        assert_eq!(parsed("DateTime64(9, 'Europe/Berlin')"), Type::Fixed(8));
        assert_eq!(parsed("Decimal(18, 3)"), Type::Fixed(8));
        assert_eq!(parsed("SimpleAggregateFunction(sum, UInt64)"), Type::Fixed(8));
        let pair = || Type::Tuple(vec![Type::LowCardinality(Box::new(Type::Text)), Type::Text]);
        assert_eq!(parsed("Map(LowCardinality(String), String)"), Type::Array(Box::new(pair())));
        assert_eq!(parsed("Tuple(a LowCardinality(String), `b c` String)"), pair());
        assert_eq!(parsed("Nested(a LowCardinality(String), b String)"), Type::Array(Box::new(pair())));
    }

    #[test]
    fn what_has_no_known_length_is_named() {
        for name in [
            "JSON",
            "Dynamic",
            "Variant(String, UInt8)",
            "AggregateFunction(sum, UInt64)",
            "Array(",
            "Array()",
            "Tuple()",
            "Tuple(",
            "",
        ] {
            let error = Type::parse(name, 7).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")) && error.ends_with("at byte 7"), "{error}");
        }
        let deep = format!("{}UInt8{}", "Array(".repeat(100), ")".repeat(100));
        assert!(Type::parse(&deep, 0).is_err());
    }
}
