//! Lets values through to their columns as the rules allow, and counts what it changed by rule.
//!
//! In: keys and values as they were sent. Out: texts for columns. Never: a text cut short before it was looked through,
//! since half a secret is one.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::rules::{Action, Rules, Set};
use crate::error::Result;
use crate::otlp::value::{Attribute, Entry, Inside, Value, readable};

/// Keys whose rules are remembered; hostile senders make up new ones.
const MOST_KEYS: usize = 1024;
/// What exporters without a field of its own call it (OpenTelemetry, "Mapping to non-OTLP formats").
const DROPPED: &[u8] = b"otel.dropped_attributes_count";

/// Where values are written on their way to a column, and what they have to pass; all tables of a request share one.
#[derive(Debug, Default)]
pub struct Scratch<'r> {
    pub text: Vec<u8>,
    pub screen: Option<Screen<'r>>,
}

impl<'r> Scratch<'r> {
    pub fn of(rules: Option<&'r Rules>) -> Self {
        Self { text: Vec::new(), screen: rules.map(Screen::of) }
    }

    /// A text that is no attribute's, as it may be stored.
    #[inline]
    pub fn free_text<'t>(&mut self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let text = readable(text);
        match &mut self.screen {
            None => text,
            Some(screen) => screen.free_text(text),
        }
    }

    /// What was changed, by rule.
    pub fn into_counts(self) -> Vec<(String, usize)> {
        self.screen.map(Screen::into_counts).unwrap_or_default()
    }
}

#[derive(Debug)]
pub struct Screen<'r> {
    rules: &'r Rules,
    counts: Vec<usize>,
    cut: usize,
    dropped: usize,
    known: HashMap<Vec<u8>, Set, RandomState>,
    /// Rules that look at what is being written.
    looking: Set,
    /// A rule said that the attribute which is being written must go.
    refused: bool,
    /// Bytes that a text in it may have.
    most: usize,
    text: Vec<u8>,
}

impl<'r> Screen<'r> {
    fn of(rules: &'r Rules) -> Self {
        Self {
            rules,
            counts: vec![0; rules.rules.len()],
            cut: 0,
            dropped: 0,
            known: HashMap::default(),
            looking: 0,
            refused: false,
            most: usize::MAX,
            text: Vec::new(),
        }
    }

    fn into_counts(self) -> Vec<(String, usize)> {
        let names = self.rules.rules.iter().map(|rule| rule.name.clone());
        let limits = [("limits.count".to_owned(), self.dropped), ("limits.value_bytes".to_owned(), self.cut)];
        names.zip(self.counts).chain(limits).filter(|(_, count)| *count > 0).collect()
    }

    /// The attributes of an item that are within its number, and how many are not as one more; None: all of them are.
    pub fn first<'a>(&mut self, attributes: &[Attribute<'a>]) -> Option<Vec<Attribute<'a>>> {
        let most = self.rules.count.filter(|&most| attributes.len() > most)?;
        let dropped = attributes.len() - most;
        self.dropped += dropped;
        let mut kept = attributes[..most].to_vec();
        kept.push(Attribute { key: DROPPED, value: Value::Int(i64::try_from(dropped).unwrap_or(i64::MAX)) });
        Some(kept)
    }

    /// The text of an attribute as it may be stored; None when the attribute must go.
    pub fn attribute(&mut self, attribute: &Attribute<'_>) -> Result<Option<&[u8]>> {
        self.most = self.rules.value_bytes.unwrap_or(usize::MAX);
        self.shown(attribute.key, &attribute.value)
    }

    /// The body of a record of a log, which may be long; None when a rule drops it.
    pub fn body(&mut self, body: &Value<'_>) -> Result<Option<&[u8]>> {
        self.most = usize::MAX;
        self.shown(b"body", body)
    }

    fn shown(&mut self, key: &[u8], value: &Value<'_>) -> Result<Option<&[u8]>> {
        self.looking = self.of_key(key);
        self.refused = false;
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let written = self.write(value, &mut text);
        self.text = text;
        written?;
        Ok((!self.refused).then_some(self.text.as_slice()))
    }

    fn write(&mut self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        if let Some(rule) = self.whole(self.looking) {
            self.counts[rule] += 1;
            match self.instead(rule, value)? {
                Some(text) => out.extend_from_slice(&text),
                None => self.refused = true,
            }
            return Ok(());
        }
        if matches!(value, Value::Array(_) | Value::Map(_)) {
            return value.write_json(out, 0, self);
        }
        let from = out.len();
        value.write_text(out)?;
        if let Some(text) = self.look(&out[from..]) {
            out.truncate(from);
            out.extend_from_slice(&text);
        }
        Ok(())
    }

    fn free_text<'t>(&mut self, text: Cow<'t, [u8]>) -> Cow<'t, [u8]> {
        (self.looking, self.refused) = (self.of_key(b""), false);
        let shown = self.redacted(&text);
        match shown {
            _ if self.refused => Cow::Borrowed(b""),
            Some(shown) => Cow::Owned(shown),
            None => text,
        }
    }

    fn of_key(&mut self, key: &[u8]) -> Set {
        if let Some(set) = self.known.get(key) {
            return *set;
        }
        let set = self.rules.of_key(&String::from_utf8_lossy(key));
        if self.known.len() < MOST_KEYS {
            self.known.insert(key.to_vec(), set);
        }
        set
    }

    /// The first of the rules that takes a value whole.
    fn whole(&self, looking: Set) -> Option<usize> {
        let set = looking & self.rules.whole;
        (set != 0).then(|| set.trailing_zeros() as usize)
    }

    /// What a rule leaves of a whole value; None: nothing.
    fn instead(&self, rule: usize, value: &Value<'_>) -> Result<Option<Vec<u8>>> {
        let action = self.rules.rules[rule].action;
        if action == Action::Drop {
            return Ok(None);
        }
        let (mut text, mut instead) = (Vec::new(), Vec::new());
        value.write_text(&mut text)?;
        self.rules.stand_in(action, &text, &mut instead);
        Ok(Some(instead))
    }

    /// The text as the rules and the limit leave it; None: as it is.
    fn look(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let shown = self.redacted(text);
        let long = shown.as_deref().unwrap_or(text);
        if long.len() <= self.most {
            return shown;
        }
        self.cut += 1;
        Some(long[..boundary(long, self.most)].to_vec())
    }

    fn redacted(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let mut shown: Option<Vec<u8>> = None;
        let mut looking = self.looking & !self.rules.whole;
        while looking != 0 {
            let place = looking.trailing_zeros() as usize;
            looking &= looking - 1;
            let rule = &self.rules.rules[place];
            for pattern in &rule.patterns {
                let current = shown.as_deref().unwrap_or(text);
                if !pattern.found_in(current) {
                    continue;
                }
                self.counts[place] += 1;
                match rule.action {
                    Action::Drop => self.refused = true,
                    action => {
                        let stand_in =
                            |found: &[u8], out: &mut Vec<u8>| self.rules.stand_in(action, found, out);
                        shown = Some(pattern.replace(current, stand_in));
                    }
                }
            }
        }
        shown
    }
}

impl Inside for Screen<'_> {
    fn scalar(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        self.look(text)
    }

    fn enter(&mut self, entry: &Attribute<'_>) -> Result<Entry> {
        let looking = self.looking | self.of_key(entry.key);
        let Some(rule) = self.whole(looking) else {
            return Ok(Entry::Open(std::mem::replace(&mut self.looking, looking)));
        };
        self.counts[rule] += 1;
        self.instead(rule, &entry.value).map(|instead| instead.map_or(Entry::Gone, Entry::Instead))
    }

    fn leave(&mut self, outer: Set) {
        self.looking = outer;
    }
}

/// The last place up to `most` where a character of UTF-8 begins.
fn boundary(text: &[u8], most: usize) -> usize {
    (0..=most).rev().find(|&place| text[place] & 0xc0 != 0x80).unwrap_or(0)
}
