//! Who a workload is, as its spans and its counters say it: encoded once, shared by all of its records.

use crate::recording::otlp::{Attributes, Surroundings, peer, resource};
use crate::recording::record::Kind;
use crate::snapshot::Node;

#[derive(Debug)]
pub struct Identity {
    pub node: Node,
    /// `ResourceSpans.resource`, as a field.
    pub resource: Vec<u8>,
    /// The callee of server spans, the caller of client spans.
    server: Attributes,
    client: Attributes,
}

impl Identity {
    #[must_use]
    pub fn new(node: &Node, surroundings: &Surroundings) -> Self {
        let own = [node.service.as_str(), &node.version, &node.instance];
        Self {
            node: node.clone(),
            resource: resource(node, surroundings),
            server: peer("destination", own),
            client: peer("source", own),
        }
    }

    #[cfg(test)]
    pub fn of_tests() -> std::sync::Arc<Self> {
        let node = Node {
            service: "front".into(),
            version: "v1".into(),
            instance: "front-1".into(),
            namespace: "default".into(),
            zone: None,
        };
        std::sync::Arc::new(Self::new(&node, &Surroundings::default()))
    }

    /// `mesh.destination.*` or `mesh.source.*`: the end of a span where it stands.
    #[must_use]
    pub fn end(&self, kind: Kind) -> &[u8] {
        match kind {
            Kind::Server => self.server.bytes(),
            Kind::Client => self.client.bytes(),
        }
    }
}
