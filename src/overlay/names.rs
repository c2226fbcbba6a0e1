//! `namePrefix` and `nameSuffix`.
//!
//! Owns which objects are renamed. References to them are in [`references`](super::references).

use std::sync::Arc;

use super::error::{Error, Origin};
use super::fields::FieldTable;
use super::resource::Resource;
use crate::yaml::{Node, Tag};

/// One of the two settings.
#[derive(Debug)]
pub(super) struct Affix {
    pub(super) origin: Origin,
    pub(super) end: End,
    pub(super) text: String,
    pub(super) places: Arc<FieldTable>,
}

/// Where the text is put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// In front of a name.
    Prefix,
    /// Behind a name.
    Suffix,
}

impl Affix {
    /// Renames the object unless its name has a meaning beyond itself.
    pub(super) fn apply(&self, resource: &mut Resource) -> Result<(), Error> {
        if self.text.is_empty() {
            return Ok(());
        }
        let id = resource.id();
        let is_fixed = matches!(id.kind, "CustomResourceDefinition" | "Namespace")
            || (id.group == "apiregistration.k8s.io" && id.kind == "APIService");
        let places = self.places.of(&id);
        for place in places {
            if place.is(&["metadata", "name"]) {
                if is_fixed {
                    continue;
                }
                resource.remember_id();
                let affixes = match self.end {
                    End::Prefix => &mut resource.affixes.prefixes,
                    End::Suffix => &mut resource.affixes.suffixes,
                };
                affixes.push(self.text.clone());
            }
            let result = place.visit(&mut resource.node, &Node::string(""), &mut |node| match node {
                Node::Scalar(scalar) => {
                    let text = if scalar.tag() == Tag::Null { "" } else { scalar.text() };
                    let text = match self.end {
                        End::Prefix => format!("{}{text}", self.text),
                        End::Suffix => format!("{text}{}", self.text),
                    };
                    node.set_text(&text);
                    Ok(())
                }
                _ => Err("there is no single value at the place of a name".to_owned()),
            });
            result.map_err(|reason| self.origin.patch(resource.original_id(), reason))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;
    use serde_json::json;

    #[test]
    fn names_that_others_depend_on_stay() {
        let config = Config::built_in();
        let named = |api: &str, kind: &str| {
            let object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}});
            let mut resource = Resource::new(Node::from(object));
            for (end, text, places) in
                [(End::Prefix, "p-", &config.name_prefix), (End::Suffix, "-s", &config.name_suffix)]
            {
                let origin = Origin::new("k.yaml", "namePrefix");
                Affix { origin, end, text: text.into(), places: places.table() }.apply(&mut resource).unwrap();
            }
            resource.id().name.to_owned()
        };
        assert_eq!(named("v1", "ConfigMap"), "p-a-s");
        assert_eq!(named("v1", "Namespace"), "a");
        assert_eq!(named("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "a");
    }
}
