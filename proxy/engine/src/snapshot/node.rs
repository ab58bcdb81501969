//! Who a workload is.

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

pub(super) fn check(at: &str, node: &Node) -> Checked {
    name(&format!("{at}.service"), &node.service)?;
    label(&format!("{at}.version"), &node.version)?;
    name(&format!("{at}.instance"), &node.instance)?;
    name(&format!("{at}.namespace"), &node.namespace)?;
    zone(&format!("{at}.zone"), node.zone.as_deref())
}
