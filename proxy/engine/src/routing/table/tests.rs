use allocation_counter::measure;

use super::*;
use crate::routing::route::Routes;
use crate::snapshot::routes::Route;

fn rules(from: &[serde_json::Value]) -> Vec<Route> {
    let named = from.iter().enumerate().map(|(place, rule)| {
        let mut rule = rule.clone();
        rule["name"] = place.to_string().into();
        serde_json::from_value(rule).unwrap()
    });
    named.collect()
}

fn table(rules: &[Route]) -> Table<usize> {
    let numbered = rules.iter().enumerate();
    Table::of(numbered.map(|(place, rule)| (rule.path.as_ref(), Match::of(rule).unwrap(), place)))
}

fn path(kind: &str, value: &str) -> serde_json::Value {
    serde_json::json!({"path": {"kind": kind, "value": value}})
}

/// Ten rules of each kind that a service may have, for what is below `base`.
fn ten(base: &str) -> Vec<serde_json::Value> {
    let mut rules: Vec<_> = (0..4)
        .map(|n| path("exact", &format!("{base}/exact/{n}")))
        .collect();
    rules.push(path("regex", &format!("{base}/[0-9]+/pictures")));
    rules.extend((0..4).map(|n| path("prefix", &format!("{base}/part{n}/deep"))));
    let mut last = path("prefix", base);
    last["headers"] = serde_json::json!([{"name": "x-to", "value": "canary"}]);
    rules.push(last);
    rules
}

fn get(path: &str) -> (Method, Uri, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert("x-to", "canary".parse().unwrap());
    (Method::GET, path.parse().unwrap(), headers)
}

#[test]
fn a_lookup_finds_what_trying_each_finds() {
    let mut rng = fastrand::Rng::with_seed(11);
    let paths = ["", "/", "/a", "/a/", "/a/b", "/a//b", "/ab", "/a/b/c", "/é"];
    for count in [3, 9, 40] {
        for _ in 0..200 {
            let made: Vec<_> = (0..count)
                .map(|_| {
                    let kinds = ["exact", "prefix", "regex"];
                    let mut rule = path(rng.choice(kinds).unwrap(), rng.choice(paths).unwrap());
                    if rng.u8(..10) == 0 {
                        rule["path"] = serde_json::Value::Null;
                    }
                    if rng.bool() {
                        rule["method"] = "POST".into();
                    }
                    rule
                })
                .collect();
            let rules = rules(&made);
            let table = table(&rules);
            for asked in [
                "/", "/a", "/a/", "/a/b", "/a//b", "/ab", "/a/b/c", "/a/b/cd", "*",
            ] {
                let (method, uri, headers) = get(asked);
                let holds = |rule: &Route| Match::of(rule).unwrap().holds(&method, &uri, &headers);
                let tried = rules.iter().position(holds);
                assert_eq!(
                    table.find(&method, &uri, &headers).copied(),
                    tried,
                    "{asked} {made:?}"
                );
            }
        }
    }
}

#[test]
fn of_ten_thousand_rules_a_few_are_tried() {
    let plain: Vec<_> = (0..1_000)
        .flat_map(|n| ten(&format!("/s{n}")))
        .filter(|rule| rule["path"]["kind"] != "regex")
        .collect();
    let rules = rules(&plain);
    let table = table(&rules);
    for asked in ["/s999/exact/3", "/s0/part2/deep/er", "/s500/other", "/none"] {
        let tried: usize = table.candidates(asked).map(<[usize]>::len).sum();
        assert!(tried <= 2, "{asked}: {tried}");
    }
}

#[test]
fn a_path_of_slashes_is_no_work() {
    let made: Vec<_> = (0..100)
        .map(|n| path("prefix", &format!("/{}", "/".repeat(n))))
        .collect();
    let table = table(&rules(&made));
    let (method, uri, headers) = get(&"/".repeat(16_000));
    assert_eq!(
        table.candidates(uri.path()).count(),
        101,
        "a list for each length, and the others"
    );
    assert_eq!(table.find(&method, &uri, &headers), Some(&0));
}

#[test]
fn finding_a_rule_allocates_nothing() {
    let made: Vec<_> = (0..100).flat_map(|n| ten(&format!("/s{n}"))).collect();
    let table = table(&rules(&made));
    let routes = Routes::new([("shop:8080", 1)].into_iter());
    for (asked, found) in [
        ("/s99/exact/3?q=1", Some(993)),
        ("/s0/part2/deep/er", Some(7)),
        ("/s50/other", Some(509)),
        ("/none", None),
    ] {
        let (method, uri, headers) = get(asked);
        // What an expression needs it makes once.
        assert_eq!(table.find(&method, &uri, &headers), found.as_ref());
        let info = measure(|| {
            assert!(routes.find("shop:8080").is_some());
            assert_eq!(table.find(&method, &uri, &headers), found.as_ref());
        });
        assert_eq!(info.count_total, 0, "{asked}");
    }
}
