//! Whose spans, log records and counters these are: what the mesh knows of a workload, and where its proxy runs.

use std::collections::BTreeMap;

use super::wire::{self, Attributes};
use crate::snapshot::Node;

/// Attributes of where the proxy runs, by name, as its environment says: the same for all of its workloads.
#[derive(Debug, Default)]
pub struct Surroundings(BTreeMap<String, String>);

impl From<BTreeMap<String, String>> for Surroundings {
    fn from(attributes: BTreeMap<String, String>) -> Self {
        Self(attributes)
    }
}

/// `ResourceSpans.resource` of a workload, as a field; what the mesh knows stands, whatever the surroundings say.
#[must_use]
pub fn resource(node: &Node, surroundings: &Surroundings) -> Vec<u8> {
    let known = [
        ("service.name", Some(&node.service)),
        ("service.namespace", Some(&node.namespace)),
        ("service.version", Some(&node.version)),
        ("service.instance.id", Some(&node.instance)),
        ("cloud.availability_zone", node.zone.as_ref()),
    ];
    let known = known.map(|(name, value)| value.map(|value| (name, value.as_str())));
    let is_known = |name: &str| known.iter().flatten().any(|(known, _)| *known == name);
    let told = surroundings.0.iter();
    let told = told.filter(|(name, _)| !is_known(name));
    let mut attributes = Attributes::default();
    for (name, value) in known.into_iter().flatten() {
        attributes.text(name, value);
    }
    for (name, value) in told {
        attributes.text(name, value);
    }
    let mut resource = Vec::new();
    wire::bytes(&mut resource, 1, &attributes.retagged(1));
    resource
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Field, fields, read_attribute};
    use super::*;

    /// Name and value of each attribute, in order.
    fn said(zone: Option<&str>, surroundings: &[(&str, &str)]) -> Vec<(String, String)> {
        let node = Node {
            service: "cart".into(),
            version: "v2".into(),
            instance: "cart-1".into(),
            namespace: "shop".into(),
            zone: zone.map(Into::into),
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let surroundings: BTreeMap<_, _> = surroundings.iter().map(owned).collect();
        let field = resource(&node, &surroundings.into());
        let Some((1, Field::Bytes(resource))) = fields(&field).next() else {
            panic!("a resource is a message");
        };
        let attributes = fields(resource).map(|(number, pair)| match (number, pair) {
            (1, Field::Bytes(pair)) => match read_attribute(pair) {
                Some((name, Field::Bytes(value))) => {
                    (name.to_owned(), String::from_utf8(value.to_vec()).unwrap())
                }
                other => panic!("{other:?} is no text"),
            },
            other => panic!("{other:?} is no attribute"),
        });
        attributes.collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        expected.iter().map(owned).collect()
    }

    const SERVICE: [(&str, &str); 4] = [
        ("service.name", "cart"),
        ("service.namespace", "shop"),
        ("service.version", "v2"),
        ("service.instance.id", "cart-1"),
    ];

    #[test]
    fn without_surroundings_it_is_what_the_mesh_knows() {
        assert_eq!(said(None, &[]), pairs(&SERVICE));
        let zoned = [&SERVICE[..], &[("cloud.availability_zone", "east")]].concat();
        assert_eq!(said(Some("east"), &[]), pairs(&zoned));
    }

    #[test]
    fn surroundings_are_added_and_never_speak_for_the_mesh() {
        let surroundings = [
            ("cloud.availability_zone", "west"),
            ("host.name", "a7"),
            ("service.name", "another"),
            ("service.version", "another"),
        ];
        let own_zone = [
            &SERVICE[..],
            &[("cloud.availability_zone", "east"), ("host.name", "a7")],
        ]
        .concat();
        assert_eq!(said(Some("east"), &surroundings), pairs(&own_zone));
        let told_zone = [
            &SERVICE[..],
            &[("cloud.availability_zone", "west"), ("host.name", "a7")],
        ]
        .concat();
        assert_eq!(said(None, &surroundings), pairs(&told_zone));
    }

    #[test]
    fn a_value_of_more_bytes_than_one_can_count_is_whole() {
        let long = "x".repeat(250);
        let told = said(None, &[("host.name", &long)]);
        assert_eq!(told.last(), pairs(&[("host.name", &long)]).first());
    }
}
