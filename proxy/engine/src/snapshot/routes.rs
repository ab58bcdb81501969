//! Which way the requests of a service go.

use serde::Deserialize;

use super::named;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    Exact,
    Prefix,
    Template,
    Regex,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    pub kind: PathKind,
    pub value: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    #[default]
    Exact,
    Regex,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ValueMatch {
    pub name: String,
    #[serde(default)]
    pub kind: ValueKind,
    pub value: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEdit {
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PathEdit {
    pub value: String,
    #[serde(default)]
    pub prefix: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    #[serde(default)]
    pub scheme: Option<Scheme>,
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default, deserialize_with = "named::optional")]
    pub path: Option<PathEdit>,
    #[serde(default = "default_redirect_status")]
    pub status: u16,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default, deserialize_with = "named::optional")]
    pub path: Option<PathEdit>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub status: u16,
    #[serde(default)]
    pub body: String,
    #[serde(default = "default_content_type")]
    pub content_type: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub service: String,
    #[serde(default)]
    pub version: String,
    #[serde(default = "default_weight")]
    pub weight: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    #[serde(deserialize_with = "named::object")]
    pub to: Backend,
    #[serde(default = "default_per_million")]
    pub per_million: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum StickyKind {
    Header,
    Cookie,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    pub kind: StickyKind,
    pub name: String,
    #[serde(default)]
    pub given: bool,
    #[serde(default)]
    pub max_age_s: Option<u64>,
}

/// What is not given is as the policy of the backend says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct RouteRetry {
    /// At most, the first one included.
    pub attempts: Option<u8>,
    pub statuses: Option<Vec<u16>>,
    /// At least, before each.
    pub pause_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub name: String,
    #[serde(default, deserialize_with = "named::optional")]
    pub path: Option<PathMatch>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub headers: Vec<ValueMatch>,
    #[serde(default)]
    pub query: Vec<ValueMatch>,
    #[serde(default, deserialize_with = "named::optional")]
    pub request_headers: Option<HeaderEdit>,
    #[serde(default, deserialize_with = "named::optional")]
    pub response_headers: Option<HeaderEdit>,
    #[serde(default, deserialize_with = "named::optional")]
    pub redirect: Option<Redirect>,
    #[serde(default, deserialize_with = "named::optional")]
    pub rewrite: Option<Rewrite>,
    #[serde(default, deserialize_with = "named::optional")]
    pub answer: Option<Answer>,
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    #[serde(default)]
    pub backends: Vec<Backend>,
    #[serde(default, deserialize_with = "named::optional")]
    pub sticky: Option<Sticky>,
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub attempt_timeout_ms: Option<u64>,
    #[serde(default, deserialize_with = "named::optional")]
    pub retry: Option<RouteRetry>,
}

fn default_redirect_status() -> u16 {
    302
}

fn default_content_type() -> String {
    "text/plain; charset=utf-8".into()
}

fn default_weight() -> u32 {
    1
}

fn default_per_million() -> u32 {
    1_000_000
}
