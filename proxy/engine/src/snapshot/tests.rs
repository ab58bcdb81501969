use serde_json::{Value, json};

use super::*;

fn whole() -> Value {
    json!({
        "epoch": 3,
        "workloads": [{
            "node": {"service": "front", "version": "v1", "instance": "front-1"},
            "inbound": {"listen": "127.0.0.1:1", "app": "[::1]:2", "protocol": "http2"},
            "outbound": {"listen": "127.0.0.1:3"},
            "services": [{
                "name": "payments",
                "authorities": ["payments", "payments:8080"],
                "endpoints": [{"address": "localhost:4", "version": "v1", "instance": "payments-1"}],
            }],
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
    assert_eq!(snapshot.workloads[0].services[0].connect_attempts, 3);
    assert_eq!(
        snapshot.workloads[0].inbound.as_ref().unwrap().timeout_ms,
        60_000
    );
    assert_eq!(snapshot.limits, Limits::default());
}

#[test]
fn each_mistake_is_named_by_its_field() {
    let cases = [
        ("/epoch", json!(0), "epoch: must be greater than 0"),
        (
            "/workloads/0/node/service",
            json!("Front"),
            "workloads[0].node.service: ",
        ),
        (
            "/workloads/0/node/version",
            json!("-"),
            "workloads[0].node.version: ",
        ),
        (
            "/workloads/0/inbound/app",
            json!("127.0.0.1:1"),
            "workloads[0].inbound.app: is the proxy's own",
        ),
        (
            "/workloads/0/outbound/listen",
            json!("127.0.0.1:99999"),
            "workloads[0].outbound.listen: ",
        ),
        (
            "/workloads/0/services/0/authorities",
            json!([]),
            "workloads[0].services[0].authorities: ",
        ),
        (
            "/workloads/0/services/0/authorities/1",
            json!("a b"),
            "workloads[0].services[0].authorities[1]: ",
        ),
        (
            "/workloads/0/services/0/endpoints/0/address",
            json!("nowhere"),
            "workloads[0].services[0].endpoints[0].address: ",
        ),
        (
            "/telemetry/endpoint",
            json!("ftp://x"),
            "telemetry.endpoint: ",
        ),
        (
            "/workloads/0/inbound/protocol",
            json!("http3"),
            "workloads[0].inbound.protocol: unknown variant",
        ),
        (
            "/workloads/0/node",
            json!({"service": "a", "version": "v", "instance": "i", "planet": "z"}),
            "workloads[0].node.planet: unknown field",
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
    json["workloads"][0]["services"]
        .as_array_mut()
        .unwrap()
        .push(second);
    let said = Snapshot::parse(&json.to_string()).unwrap_err().to_string();
    assert!(
        said.contains("workloads[0].services[1].authorities[0]") && said.contains("\"payments\""),
        "{said}"
    );
}

#[test]
fn workloads_differ_in_name_and_address() {
    let first = whole()["workloads"][0].clone();
    let mut second = json!({
        "node": {"service": "back", "version": "v1", "instance": "back-1"},
        "inbound": {"listen": "127.0.0.1:3", "app": "127.0.0.1:5"},
    });
    let said = refusal("/workloads", json!([first, second]));
    assert_eq!(
        said,
        r#"workloads[1].inbound.listen: "127.0.0.1:3" is taken by workloads[0].outbound.listen"#
    );
    second["node"]["instance"] = json!("front-1");
    let said = refusal("/workloads", json!([first, second]));
    assert!(said.starts_with("workloads[1].node.instance: "), "{said}");
    let said = refusal("/workloads", json!([]));
    assert!(said.starts_with("workloads: is empty"), "{said}");
}
