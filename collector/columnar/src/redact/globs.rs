//! Names of attributes as people write them: `*` stands for anything, case does not matter.

use std::fmt::Write as _;

/// The regular expression of a glob.
pub fn expression(glob: &str) -> String {
    let mut expression = String::from("(?i)^");
    for (place, literal) in glob.split('*').enumerate() {
        if place > 0 {
            expression.push_str("(?s:.*)");
        }
        let _ = write!(expression, "{}", regex::escape(literal));
    }
    expression.push('$');
    expression
}
