//! Asks policies about a request that nobody made: the same decision as the proxies make, in words.
//!
//! In: the authorization of a workload as a snapshot has it, and a question, both as JSON. Out: the decision as JSON. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;
use serde_json::json;

use super::asking::{Asking, Claims, Head};
use super::identity::Who;
use super::policies::{Decision, Denial, Policies};
use crate::reasons::Reason;
use crate::snapshot::{Authorization, Refused};

/// What is asked; a tunnel has no method.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The SPIFFE id of the caller.
    #[serde(default)]
    caller: Option<String>,
    port: u16,
    #[serde(default)]
    method: Option<String>,
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    claims: Option<Claims>,
}

fn root() -> String {
    "/".to_owned()
}

/// Decides; an error says which of the two cannot be understood, and why.
pub fn decide(authorization: &str, question: &str) -> Result<String, Refused> {
    let authorization = Authorization::parse(authorization)?;
    let question: Question =
        serde_json::from_str(question).map_err(|error| unclear("question", &error))?;
    let method = match &question.method {
        Some(text) => Some(
            text.parse::<Method>()
                .map_err(|it| unclear("method", &it))?,
        ),
        None => None,
    };
    let uri: Uri = question
        .path
        .parse()
        .map_err(|error| unclear("path", &error))?;
    let headers = headers(&question.headers)?;
    let wanted = authorization
        .tokens
        .as_ref()
        .is_some_and(|tokens| tokens.required);
    if wanted && question.claims.is_none() {
        let denial = Denial {
            reason: Reason::TokenMissing,
            rule: String::new(),
            missed: String::new(),
        };
        return Ok(words(Decision::Denied(denial)).to_string());
    }
    let policies = Policies::of(&authorization.service, &authorization.policies);
    let decision = policies.admit(&Asking {
        who: question.caller.as_deref().map_or(Who::Nobody, Who::Proven),
        port: question.port,
        head: method
            .as_ref()
            .map(|method| Head::of(method, &uri, &headers)),
        claims: question.claims.as_ref(),
    });
    Ok(words(decision).to_string())
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).map_err(|error| unclear("headers", &error))?;
        let value = HeaderValue::try_from(value).map_err(|error| unclear("headers", &error))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn words(decision: Decision<'_>) -> serde_json::Value {
    match decision {
        Decision::Allowed { by, would } => json!({
            "allowed": true, "reason": "", "rule": by, "missed": "", "would": would.as_ref().map(denial),
        }),
        Decision::Denied(it) => {
            let mut words = denial(&it);
            words["allowed"] = false.into();
            words["would"] = serde_json::Value::Null;
            words
        }
    }
}

fn denial(denial: &Denial) -> serde_json::Value {
    json!({"reason": denial.reason.code(), "rule": denial.rule, "missed": denial.missed})
}

fn unclear(field: &str, error: &dyn std::fmt::Display) -> Refused {
    Refused {
        field: field.to_owned(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn decided(policies: &Value, question: &Value) -> Value {
        let whole = json!({"service": "pay", "ports": [80], "policies": policies});
        let decision = decide(&whole.to_string(), &question.to_string()).unwrap();
        serde_json::from_str(&decision).unwrap()
    }

    fn from(service: &str, method: &str, path: &str) -> Value {
        let caller = format!("spiffe://mesh.local/ns/default/sa/{service}");
        json!({"caller": caller, "port": 80, "method": method, "path": path})
    }

    fn orders_may_pay() -> Value {
        json!({
            "name": "pay/orders",
            "callers": ["spiffe://mesh.local/ns/default/sa/orders"],
            "matches": [{"method": "POST", "path": {"kind": "prefix", "value": "/pay"}}],
        })
    }

    #[test]
    fn what_no_rule_allows_is_denied_by_the_nearest() {
        let look = json!({"name": "pay/look", "matches": [{"method": "GET"}]});
        let policies = json!([{"name": "pay", "rules": [look, orders_may_pay()]}]);
        let allowed = decided(&policies, &from("orders", "POST", "/pay/1"));
        assert_eq!(allowed["rule"], "pay/orders");
        let other = decided(&policies, &from("front", "POST", "/pay"));
        assert_eq!(
            other,
            json!({
                "allowed": false, "reason": "not_allowed", "rule": "pay/orders", "would": null,
                "missed": "caller spiffe://mesh.local/ns/default/sa/front, not spiffe://mesh.local/ns/default/sa/orders",
            })
        );
        let path = decided(&policies, &from("orders", "POST", "/payments"));
        assert_eq!(path["missed"], "request POST /payments, not POST /pay");
        let nobody = json!({"port": 80, "method": "PUT", "path": "/"});
        assert_eq!(decided(&policies, &nobody)["rule"], "pay/look");
    }

    #[test]
    fn a_denial_beats_what_allows_and_any_policy_closes_a_service() {
        let deny = json!({"name": "no/admin", "matches": [{"path": {"kind": "prefix", "value": "/admin"}}]});
        let closed = json!([{"name": "no", "action": "deny", "rules": [deny]}]);
        assert_eq!(decided(&closed, &from("a", "GET", "/"))["rule"], "no");
        let open = json!({"name": "all/0"});
        let both = json!([{"name": "all", "rules": [open]}, {"name": "no", "action": "deny", "rules": [deny]}]);
        assert_eq!(decided(&both, &from("a", "GET", "/"))["allowed"], true);
        for path in ["/admin", "/admin/x", "/x/../admin", "/%61dmin", "//admin"] {
            let denied = decided(&both, &from("a", "GET", path));
            assert_eq!(denied["reason"], "policy_denied", "{path}");
        }
        let tunnel = decided(&both, &json!({"port": 80}));
        assert_eq!(tunnel["reason"], "policy_denied", "who knows what is in it");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_allowed_if_both_are() {
        let policies = json!([{"name": "pay", "rules": [orders_may_pay()]}]);
        for (path, allowed) in [
            ("/pay/a%20b", true),
            ("/pay/../admin", false),
            ("/x/%2e%2e/pay", false),
            ("//pay", false),
        ] {
            let decision = decided(&policies, &from("orders", "POST", path));
            assert_eq!(decision["allowed"], allowed, "{path}");
        }
        assert_eq!(decided(&policies, &json!({"port": 80}))["allowed"], false);
    }

    #[test]
    fn audit_says_what_would_be_denied() {
        let policies = json!([{"name": "pay", "audit": true, "rules": [orders_may_pay()]}]);
        let decision = decided(&policies, &from("front", "POST", "/pay"));
        assert_eq!(
            (&decision["allowed"], &decision["rule"]),
            (&json!(true), &Value::Null)
        );
        assert_eq!(decision["would"]["reason"], "not_allowed");
        assert_eq!(decision["would"]["rule"], "pay/orders");
        let fine = decided(&policies, &from("orders", "POST", "/pay"));
        assert_eq!(fine["would"], Value::Null);
    }

    #[test]
    fn a_question_that_makes_no_sense_says_why() {
        let policies = json!({"service": "pay", "ports": [80]}).to_string();
        for question in [
            "",
            "{}",
            r#"{"port": 80, "method": "G T"}"#,
            r#"{"port": 80, "path": "a b"}"#,
        ] {
            assert!(decide(&policies, question).is_err(), "{question}");
        }
        assert_eq!(decide("{}", "{}").unwrap_err().field, ".");
    }
}
