//! What a token has to say for a rule to hold.

use serde_json::Value;

use super::asking::Claims;
use super::glob::Glob;
use crate::snapshot::authorization::ClaimMatch;

/// Claims that are lists written as one text (RFC 8693, 4.2).
const SPACED: [&str; 2] = ["scope", "scp"];

pub struct Claim {
    name: Box<str>,
    values: Vec<Glob>,
}

// === impl Claim ===

impl Claim {
    #[must_use]
    pub fn of(from: &ClaimMatch) -> Self {
        let values = from.values.iter().filter_map(|value| Glob::parse(value));
        Self {
            name: from.name.as_str().into(),
            values: values.collect(),
        }
    }

    /// Without a token nothing is said.
    #[must_use]
    pub fn holds(&self, claims: Option<&Claims>) -> bool {
        match claims.and_then(|claims| found(claims, &self.name)) {
            Some(Value::String(text)) if SPACED.contains(&&*self.name) => {
                text.split(' ').any(|word| self.takes(word))
            }
            Some(Value::Array(list)) => list.iter().any(|one| self.says(one)),
            Some(value) => self.says(value),
            None => false,
        }
    }

    fn says(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.takes(text),
            Value::Number(number) => self.takes(&number.to_string()),
            Value::Bool(flag) => self.takes(if *flag { "true" } else { "false" }),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn takes(&self, text: &str) -> bool {
        self.values.iter().any(|value| value.holds(text))
    }
}

/// The claim of a name: as it is written, or along its dots.
#[must_use]
pub fn found<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    match claims.get(first)? {
        Value::Object(inner) => found(inner, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_and_compared() {
        let claims = serde_json::json!({
            "sub": "ann", "roles": ["admin", "ops"], "realm": {"roles": ["x"]}, "https://a.b/c": "d",
            "age": 7, "ok": true, "scope": "read write", "none": null,
        });
        for (name, value, holds) in [
            ("sub", "ann", true),
            ("sub", "a*", true),
            ("sub", "bob", false),
            ("roles", "ops", true),
            ("roles", "op", false),
            ("realm.roles", "x", true),
            ("realm.other", "*", false),
            ("https://a.b/c", "d", true),
            ("age", "7", true),
            ("ok", "true", true),
            ("scope", "write", true),
            ("scope", "read write", false),
            ("none", "*", false),
            ("absent", "*", false),
        ] {
            let from = ClaimMatch {
                name: name.to_owned(),
                values: vec![value.to_owned()],
            };
            let claim = Claim::of(&from);
            assert_eq!(claim.holds(claims.as_object()), holds, "{name} {value}");
            assert!(!claim.holds(None));
        }
    }
}
