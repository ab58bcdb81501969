//! Says which route a request would take that nobody made: by the very table that proxies look requests up in.
//!
//! In: the routes of a service as a snapshot has them, and a question, both as JSON. Out: the place of the route. Pure.

use http::{HeaderMap, Method, Uri};
use serde::Deserialize;

use super::matching::Match;
use super::table::Table;
use crate::snapshot::Refused;
use crate::snapshot::routes::Route;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    method: String,
    /// With its query.
    path: String,
}

/// The place of the first route for such a request, whose headers are not known; `None` when none is for it.
pub fn taken(routes: &str, question: &str) -> Result<Option<usize>, Refused> {
    let routes: Vec<Route> = serde_json::from_str(routes).map_err(|it| unclear("routes", &it))?;
    let question: Question =
        serde_json::from_str(question).map_err(|it| unclear("question", &it))?;
    let method: Method = question
        .method
        .parse()
        .map_err(|it| unclear("method", &it))?;
    let uri: Uri = question.path.parse().map_err(|it| unclear("path", &it))?;
    let places = routes.iter().enumerate();
    let table = Table::of(
        places.filter_map(|(place, route)| Some((route.path.as_ref(), Match::of(route)?, place))),
    );
    Ok(table.find(&method, &uri, &HeaderMap::new()).copied())
}

fn unclear(field: &str, error: &dyn std::fmt::Display) -> Refused {
    Refused {
        field: field.to_owned(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_route_that_is_for_it_is_taken() {
        let routes = r#"[
            {"name": "a", "path": {"kind": "exact", "value": "/a"}, "method": "GET"},
            {"name": "h", "headers": [{"name": "x-a", "value": "1"}]},
            {"name": "b", "path": {"kind": "prefix", "value": "/a"}}
        ]"#;
        let place = |method: &str, path: &str| {
            let question = serde_json::json!({"method": method, "path": path});
            taken(routes, &question.to_string()).unwrap()
        };
        assert_eq!(place("GET", "/a?x"), Some(0));
        assert_eq!(place("POST", "/a"), Some(2));
        assert_eq!(place("GET", "/b"), None);
        assert!(taken(routes, r#"{"method": "G T", "path": "/"}"#).is_err());
    }
}
