use serde_json::{Value, json};

use super::*;

fn whole() -> Value {
    json!({
        "epoch": 3,
        "node": {"service": "front", "version": "v1", "instance": "front-1"},
        "inbound": {"listen": "127.0.0.1:1", "app": "[::1]:2", "protocol": "http2"},
        "outbound": {"listen": "127.0.0.1:3"},
        "services": [{
            "name": "payments",
            "authorities": ["payments", "payments:8080"],
            "endpoints": [{"address": "localhost:4", "version": "v1", "instance": "payments-1"}],
        }],
        "telemetry": {"endpoint": "http://127.0.0.1:4318/v1/traces"},
    })
}

fn refusal(pointer: &str, value: Value) -> String {
    let mut json = whole();
    *json.pointer_mut(pointer).unwrap() = value;
    Snapshot::parse(&json.to_string())
        .expect_err(pointer)
        .to_string()
}

#[test]
fn a_whole_snapshot_is_read_with_its_defaults() {
    let snapshot = Snapshot::parse(&whole().to_string()).unwrap();
    assert_eq!(snapshot.services[0].connect_attempts, 3);
    assert_eq!(snapshot.inbound.unwrap().timeout_ms, 60_000);
    assert_eq!(snapshot.limits, Limits::default());
}

#[test]
fn each_mistake_is_named_by_its_field() {
    let cases = [
        ("/epoch", json!(0), "epoch: must be greater than 0"),
        ("/node/service", json!("Front"), "node.service: "),
        ("/node/version", json!("-"), "node.version: "),
        (
            "/inbound/app",
            json!("127.0.0.1:1"),
            "inbound.app: is the proxy's own",
        ),
        (
            "/outbound/listen",
            json!("127.0.0.1:99999"),
            "outbound.listen: ",
        ),
        (
            "/services/0/authorities",
            json!([]),
            "services[0].authorities: ",
        ),
        (
            "/services/0/authorities/1",
            json!("a b"),
            "services[0].authorities[1]: ",
        ),
        (
            "/services/0/endpoints/0/address",
            json!("nowhere"),
            "services[0].endpoints[0].address: ",
        ),
        (
            "/telemetry/endpoint",
            json!("ftp://x"),
            "telemetry.endpoint: ",
        ),
        (
            "/inbound/protocol",
            json!("http3"),
            "inbound.protocol: unknown variant",
        ),
        (
            "/node",
            json!({"service": "a", "version": "v", "instance": "i", "planet": "z"}),
            "node.planet: unknown field",
        ),
    ];
    for (pointer, value, expected) in cases {
        let said = refusal(pointer, value);
        assert!(said.starts_with(expected), "{pointer}: {said}");
    }
}

#[test]
fn one_authority_means_one_service() {
    let mut json = whole();
    let second = json!({"name": "other", "authorities": ["PAYMENTS:80"]});
    json["services"].as_array_mut().unwrap().push(second);
    let said = Snapshot::parse(&json.to_string()).unwrap_err().to_string();
    assert!(
        said.contains("services[1].authorities[0]") && said.contains("\"payments\""),
        "{said}"
    );
}

#[test]
fn node_and_listeners_stay() {
    let current = Snapshot::parse(&whole().to_string()).unwrap();
    let mut next = current.clone();
    next.services.clear();
    assert_eq!(next.may_follow(&current), Ok(()));
    next.outbound = None;
    assert_eq!(
        next.may_follow(&current).unwrap_err().field,
        "outbound.listen"
    );
}
