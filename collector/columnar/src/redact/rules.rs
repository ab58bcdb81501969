//! The rules of a configuration, checked and compiled once.

use hmac::{Hmac, KeyInit as _, Mac as _};
use regex::RegexSet;
use serde::Deserialize;
use sha2::Sha256;

use super::globs;
use super::pattern::Pattern;

pub const MOST_RULES: usize = 64;
const MASK: &[u8] = b"****";
/// Bytes of a digest that are written: enough to tell values apart.
const DIGEST: usize = 8;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Drop,
    Mask,
    Hash,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    action: Action,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    regex: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RulesText {
    redact: Vec<RuleText>,
    hash_key: String,
    count: Option<usize>,
    value_bytes: Option<usize>,
}

#[derive(Debug)]
pub struct Rule {
    pub name: String,
    pub action: Action,
    /// None: the whole value.
    pub patterns: Vec<Pattern>,
}

/// One bit a rule.
pub type Set = u64;

#[derive(Debug)]
pub struct Rules {
    pub rules: Vec<Rule>,
    keys: RegexSet,
    /// The rule of each expression of `keys`.
    rule_of: Vec<usize>,
    /// Rules that look at every key.
    everywhere: Set,
    /// Rules that take a value whole.
    pub whole: Set,
    digest: Hmac<Sha256>,
    /// Attributes an item may have.
    pub count: Option<usize>,
    /// Bytes a text of an attribute may have.
    pub value_bytes: Option<usize>,
}

impl Rules {
    /// Reads `{redact: [{name, action, keys, values, regex}], hash_key, count, value_bytes}`; the error says which rule.
    pub fn read(json: &str) -> Result<Self, String> {
        let text: RulesText = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if text.redact.len() > MOST_RULES {
            return Err(format!("{} rules, the most are {MOST_RULES}", text.redact.len()));
        }
        let (mut expressions, mut rule_of, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        let (mut everywhere, mut whole) = (0, 0);
        for (place, rule) in text.redact.into_iter().enumerate() {
            let told = |error: String| format!("rule {:?}: {error}", rule.name);
            let named = rule.values.iter().map(|name| Pattern::named(name));
            let own = rule.regex.iter().map(|text| Pattern::expression(text));
            let patterns = named.chain(own).collect::<Result<Vec<_>, _>>().map_err(told)?;
            if rule.keys.is_empty() && patterns.is_empty() {
                return Err(told("give keys, values or regex, or it means every attribute".to_owned()));
            }
            everywhere |= Set::from(rule.keys.is_empty()) << place;
            whole |= Set::from(patterns.is_empty()) << place;
            expressions.extend(rule.keys.iter().map(|glob| globs::expression(glob)));
            rule_of.resize(expressions.len(), place);
            rules.push(Rule { name: rule.name, action: rule.action, patterns });
        }
        let keys = RegexSet::new(expressions).map_err(|error| error.to_string())?;
        let digest = Hmac::new_from_slice(text.hash_key.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self {
            rules,
            keys,
            rule_of,
            everywhere,
            whole,
            digest,
            count: text.count,
            value_bytes: text.value_bytes,
        })
    }

    /// The rules that look at the values of a key.
    pub(super) fn of_key(&self, key: &str) -> Set {
        self.keys.matches(key).iter().fold(self.everywhere, |set, place| set | 1 << self.rule_of[place])
    }

    /// Appends what stands for a secret instead of it.
    pub(super) fn stand_in(&self, action: Action, secret: &[u8], out: &mut Vec<u8>) {
        if action == Action::Mask {
            return out.extend_from_slice(MASK);
        }
        let mut digest = self.digest.clone();
        digest.update(secret);
        for byte in &digest.finalize().into_bytes()[..DIGEST] {
            out.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
    }
}
