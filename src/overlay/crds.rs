//! `crds`: what the descriptions of custom kinds say about names, labels and annotations in their objects.
//!
//! Owns reading such a file, a map of type names with their OpenAPI schemas, into a [configuration](super::config). The
//! files of Kubernetes itself, with the kind CustomResourceDefinition, are not of this form and say nothing here.

use std::collections::{HashMap, HashSet};

use super::config::{Config, Section};
use super::error::{Error, Origin};
use super::fields::{FieldSpec, merge_one};
use super::growth;
use super::reference_table::{self, NameReference};
use crate::yaml::{self, Mapping, Node};

/// How many properties one file may have, those of a type counted wherever it is used.
const MAX_VISITED: usize = 100_000;

/// Reads one file.
///
/// # Errors
/// [`Error`] if it is not YAML, or contradicts itself.
pub(super) fn read(text: &str, file: &str) -> Result<Config, Error> {
    let documents = yaml::read_nodes(text).map_err(|error| Error::from_yaml(file, error))?;
    let document = documents.into_iter().next().unwrap_or_else(Node::null);
    let Some(types) = document.as_mapping() else { return Ok(Config::default()) };
    let properties = types.iter().filter_map(|(name, node)| Some((name.text(), properties(node)?)));
    let mut reader = Reader { types: properties.collect(), ..Reader::default() };
    for (name, node) in types.iter() {
        if node.as_mapping().is_none() {
            let reason =
                format!("`{}` is not a type: there must be a map of type names with their schemas", name.text());
            return Err(Origin::new(file, "crds").invalid(reason));
        }
        let Some(properties) = reader.properties(name.text()) else { continue };
        if ["kind", "apiVersion", "metadata"].iter().all(|field| properties.contains_key(field)) {
            let kind = name.text().rsplit('.').next().unwrap_or_default();
            let result = reader.read(name.text(), kind, &mut Vec::new(), &mut HashSet::new());
            result.map_err(|reason| Origin::new(file, name.text()).invalid(reason))?;
        }
    }
    Ok(reader.into_config())
}

fn properties(found: &Node) -> Option<&Mapping> {
    let schema = found.get("Schema").or_else(|| found.get("schema"))?;
    schema.get("properties").and_then(Node::as_mapping)
}

#[derive(Default)]
struct Reader<'n> {
    /// The properties of each type.
    types: HashMap<&'n str, &'n Mapping>,
    /// How many properties have been looked at. A type that is used twice by one that is used twice is looked at four times.
    visited: usize,
    annotations: Vec<FieldSpec>,
    labels: Vec<FieldSpec>,
    names: Vec<FieldSpec>,
    references: Vec<NameReference>,
}

impl<'n> Reader<'n> {
    fn properties(&self, name: &str) -> Option<&'n Mapping> {
        self.types.get(name).copied()
    }

    fn read(
        &mut self,
        name: &'n str,
        kind: &str,
        path: &mut Vec<&'n str>,
        open: &mut HashSet<&'n str>,
    ) -> Result<(), String> {
        if !open.insert(name) {
            return Err(format!("the type `{name}` contains itself"));
        }
        growth::check_path(path.len())?;
        for (property, node) in self.properties(name).into_iter().flat_map(Mapping::iter) {
            self.visited += 1;
            if self.visited > MAX_VISITED {
                return Err(format!(
                    "the types have more than {MAX_VISITED} properties, with those of types within types"
                ));
            }
            path.push(property.text());
            let text = |field: &str| node.get(field).filter(|node| is_string(node)).and_then(|node| node.as_scalar());
            let spec =
                |path: &[&str]| FieldSpec { kind: kind.to_owned(), path: path.join("/"), ..FieldSpec::default() };
            for (field, specs) in [
                ("x-kubernetes-annotation", &mut self.annotations),
                ("x-kubernetes-label-selector", &mut self.labels),
                ("x-kubernetes-identity", &mut self.names),
            ] {
                if text(field).is_some() {
                    merge_one(specs, spec(path))?;
                }
            }
            let target = (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"));
            if let (Some(version), Some(target)) = target {
                let key = text("x-kubernetes-object-ref-name-key").map_or("name", |key| key.text());
                let path: Vec<&str> = path.iter().copied().chain([key]).collect();
                let reference = NameReference {
                    group: String::new(),
                    version: version.text().to_owned(),
                    kind: target.text().to_owned(),
                    specs: vec![spec(&path)],
                };
                reference_table::merge_one(&mut self.references, reference)?;
            }
            if let Some(next) = node.get("$ref").and_then(Node::text) {
                self.read(next, kind, path, open)?;
            }
            path.pop();
        }
        open.remove(name);
        Ok(())
    }

    fn into_config(self) -> Config {
        Config {
            common_annotations: Section::from(self.annotations),
            common_labels: Section::from(self.labels),
            name_prefix: Section::from(self.names),
            name_reference: self.references,
            ..Config::default()
        }
    }
}

/// An extension counts if it is a text, be it an empty one.
fn is_string(node: &Node) -> bool {
    node.as_scalar().is_some_and(|scalar| scalar.tag() == yaml::Tag::Str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_followed_and_do_not_contain_themselves() {
        let head =
            "x.v1.Buoy: {Schema: {properties: {kind: {}, apiVersion: {}, metadata: {}, spec: {$ref: x.v1.Spec}}}}\n";
        let text = format!("{head}x.v1.Spec: {{Schema: {{properties: {{title: {{x-kubernetes-identity: ''}}}}}}}}\n");
        let config = read(&text, "c.yaml").unwrap();
        assert_eq!(config.name_prefix.specs()[0].path, "spec/title");
        let text = format!("{head}x.v1.Spec: {{Schema: {{properties: {{again: {{$ref: x.v1.Spec}}}}}}}}\n");
        assert!(read(&text, "c.yaml").unwrap_err().to_string().contains("contains itself"));
    }
}
