//! What secrets look like in a text: a few forms by name, and expressions of the operator's own.

use regex::bytes::{Regex, RegexBuilder};

/// Compiled expressions of one rule stay below this many bytes each.
const LARGEST: usize = 1 << 20;

/// Digits of payment cards begin with 2 to 6 (ISO/IEC 7812), so that times in nanoseconds are none.
const CARD: &str = r"(?-u:\b)[2-6](?:[ -]?[0-9]){12,18}(?-u:\b)";
const EMAIL: &str = r"(?i)(?-u:\b)[a-z0-9._%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,63}(?-u:\b)";
/// RFC 6750, 2.1, and the three parts of a JWT (RFC 7519).
const BEARER: &str =
    r"(?i:(?-u:\b)bearer +[a-z0-9._~+/=-]+)|(?-u:\b)eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*";

#[derive(Debug)]
pub struct Pattern {
    expression: Regex,
    card: bool,
}

impl Pattern {
    /// `card`, `email` or `bearer`.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "card" => Ok(Self { card: true, ..Self::expression(CARD)? }),
            "email" => Self::expression(EMAIL),
            "bearer" => Self::expression(BEARER),
            _ => Err(format!("there is no pattern {name:?}: use card, email, bearer or a regex")),
        }
    }

    /// Matching takes time linear in the text, whatever the expression.
    pub fn expression(text: &str) -> Result<Self, String> {
        let expression =
            RegexBuilder::new(text).size_limit(LARGEST).build().map_err(|error| error.to_string())?;
        if expression.is_match(b"") {
            return Err(format!("{text:?} matches the empty text, and so every value"));
        }
        Ok(Self { expression, card: false })
    }

    /// Whether the text holds any; the cheap question asked of every value.
    pub fn found_in(&self, text: &[u8]) -> bool {
        self.expression.find_iter(text).any(|found| self.holds(found.as_bytes()))
    }

    /// The text with each occurrence replaced.
    pub fn replace(&self, text: &[u8], mut replacement: impl FnMut(&[u8], &mut Vec<u8>)) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(text.len());
        let mut copied = 0;
        for found in self.expression.find_iter(text).filter(|found| self.holds(found.as_bytes())) {
            replaced.extend_from_slice(&text[copied..found.start()]);
            replacement(found.as_bytes(), &mut replaced);
            copied = found.end();
        }
        replaced.extend_from_slice(&text[copied..]);
        replaced
    }

    fn holds(&self, found: &[u8]) -> bool {
        !self.card || is_card(found)
    }
}

/// ISO/IEC 7812, annex B: every second digit from the right counts twice, and the sum ends in 0.
fn is_card(found: &[u8]) -> bool {
    let digits = found.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(name: &str, text: &str) -> String {
        let pattern = Pattern::named(name).unwrap();
        let replaced = pattern.replace(text.as_bytes(), |_, out| out.push(b'#'));
        assert_eq!(pattern.found_in(text.as_bytes()), replaced != text.as_bytes());
        String::from_utf8(replaced).unwrap()
    }

    #[test]
    fn cards_are_those_whose_check_digit_is_right() {
        assert_eq!(masked("card", "paid by 4111 1111 1111 1111, thanks"), "paid by #, thanks");
        assert_eq!(masked("card", "5500-0000-0000-0004|378282246310005"), "#|#");
        for none in ["4111111111111112", "order 1732186800123456789", "a4111111111111111", "411111"] {
            assert_eq!(masked("card", none), none);
        }
    }

    #[test]
    fn addresses_and_tokens() {
        assert_eq!(masked("email", "Größe <Ann.B+x@mail.example.org>"), "Größe <#>");
        assert_eq!(masked("email", "user@localhost"), "user@localhost");
        assert_eq!(masked("bearer", "authorization: BEARER abc.def=="), "authorization: #");
        assert_eq!(masked("bearer", "token=eyJhbGci.eyJzdWIi.c2ln&x=1"), "token=#&x=1");
        assert_eq!(masked("bearer", "the bearer"), "the bearer");
    }

    #[test]
    fn an_expression_that_matches_nothing_in_particular_is_refused() {
        assert!(Pattern::expression("a*").unwrap_err().contains("empty text"));
        assert!(Pattern::expression("(").is_err());
        assert!(Pattern::named("iban").is_err());
    }
}
