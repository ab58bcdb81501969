//! Who a proxy stands beside.

use serde::Deserialize;

use super::rules::{Checked, label, name, zone};

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub service: String,
    pub version: String,
    pub instance: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    #[serde(default)]
    pub zone: Option<String>,
}

fn default_namespace() -> String {
    "default".into()
}

pub(super) fn check(node: &Node) -> Checked {
    name("node.service", &node.service)?;
    label("node.version", &node.version)?;
    name("node.instance", &node.instance)?;
    name("node.namespace", &node.namespace)?;
    zone("node.zone", node.zone.as_deref())
}
