//! Texts in which one `*` stands for any other text.

/// What a text has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glob {
    Any,
    Exact(Box<str>),
    Around(Box<str>, Box<str>),
}

impl Glob {
    /// `None` when there is more than one `*` in it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((before, after)) = text.split_once('*') else {
            return Some(Self::Exact(text.into()));
        };
        if after.contains('*') {
            return None;
        }
        Some(match (before, after) {
            ("", "") => Self::Any,
            _ => Self::Around(before.into(), after.into()),
        })
    }

    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => text == &**exact,
            Self::Around(before, after) => text
                .strip_prefix(&**before)
                .is_some_and(|rest| rest.ends_with(&**after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (glob, text, holds) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("ab*ba", "aba", false),
            ("*-eu", "cart-eu", true),
        ] {
            let glob = Glob::parse(glob).unwrap();
            assert_eq!(glob.holds(text), holds, "{glob:?} {text}");
        }
        assert_eq!(Glob::parse("a*b*"), None);
    }
}
