//! `buildMetadata`: where objects come from, and what was done to them.
//!
//! Owns the options and the form of the two annotations. What is noted when is up to those who make and change objects.

use super::resource::{Notes, Resource};
use crate::yaml::{self, Mapping, Node};

/// The annotation that says where an object comes from.
pub(super) const ORIGIN: &str = "config.kubernetes.io/origin";

/// The annotation that lists what was done to an object.
pub(super) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// Annotations that are for programs which pass objects on, and never written.
const INTERNAL: &[&str] = &[
    "config.kubernetes.io/index",
    "config.kubernetes.io/path",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/suffixes",
    ORIGIN,
    TRANSFORMATIONS,
];

/// The label that says which program made an object, and what kustomize 5.8.1 writes there where it is built from source,
/// as distributions do it.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "kustomize-(devel)");

/// What a build is asked to write besides the objects.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct BuildMetadata {
    pub(super) origin: bool,
    pub(super) transformations: bool,
    pub(super) managed_by: bool,
}

impl BuildMetadata {
    /// Reads the options. Kustomize ignores words that it does not know.
    pub(super) fn new(options: &[String]) -> Self {
        let has = |word: &str| options.iter().any(|option| option == word);
        Self {
            origin: has("originAnnotations"),
            transformations: has("transformerAnnotations"),
            managed_by: has("managedByLabel"),
        }
    }

    /// Whether anything about objects must be noted.
    pub(super) fn is_noting(self) -> bool {
        self.origin || self.transformations
    }
}

/// Where an object comes from, or what changed it: a file, or something that was configured in one.
#[derive(Clone, Debug, Default)]
pub(super) struct Provenance {
    /// The file with the object, relative to the root of the build.
    pub(super) path: String,
    /// The file with the generator or transformer.
    pub(super) configured_in: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

impl Provenance {
    fn lines(&self) -> Vec<String> {
        let place = [("path", &self.path), ("configuredIn", &self.configured_in)];
        let maker = [("kind", &self.kind), ("name", &self.name), ("namespace", &self.namespace)];
        let is_set = |(_, value): &(&str, &String)| !value.is_empty();
        let line = |(key, value): (&str, &String)| format!("{key}: {}", written(value));
        let mut lines: Vec<String> = place.into_iter().filter(is_set).map(line).collect();
        if !self.kind.is_empty() {
            lines.extend(["configuredBy:".to_owned(), "  apiVersion: builtin".to_owned()]);
            lines.extend(maker.into_iter().filter(is_set).map(|pair| format!("  {}", line(pair))));
        }
        lines
    }
}

/// A text on a line of its own, in quotes where it needs them.
fn written(text: &str) -> String {
    yaml::write_go([&Node::string(text)]).map_or_else(|_| text.to_owned(), |written| written.trim_end().to_owned())
}

/// Writes what was noted of an object into its annotations, and drops those that are not to be written.
pub(super) fn annotate(resource: &mut Resource, metadata: BuildMetadata) {
    let notes = resource.notes.take();
    if metadata.managed_by {
        set_managed_by(&mut resource.node);
    }
    if let Some(annotations) = annotations(&mut resource.node)
        && annotations.iter().any(|(key, _)| INTERNAL.contains(&key.text()))
    {
        annotations.retain(|key, _| !INTERNAL.contains(&key.text()));
    }
    let Some(notes) = notes else { return };
    let Notes { origin, transformations, .. } = *notes;
    let mut texts = Vec::new();
    if let Some(origin) = origin.filter(|_| metadata.origin) {
        texts.push((ORIGIN, origin.lines().join("\n") + "\n"));
    }
    if metadata.transformations && !transformations.is_empty() {
        let items = transformations.iter().map(|item| format!("- {}\n", item.lines().join("\n  ")));
        texts.push((TRANSFORMATIONS, items.collect()));
    }
    if texts.is_empty() {
        return;
    }
    let Some(object) = resource.node.as_mapping_mut() else { return };
    let place = object.entry("metadata", Node::mapping);
    let Some(metadata) = place.as_mapping_mut() else { return };
    let place = metadata.entry("annotations", Node::mapping);
    if place.is_null() {
        *place = Node::mapping();
    }
    let Some(annotations) = place.as_mapping_mut() else { return };
    for (key, text) in texts {
        annotations.insert(key, Node::string(text));
    }
}

fn set_managed_by(object: &mut Node) {
    let Some(object) = object.as_mapping_mut() else { return };
    let Some(metadata) = object.entry("metadata", Node::mapping).as_mapping_mut() else { return };
    let labels = metadata.entry("labels", Node::mapping);
    if labels.is_null() {
        *labels = Node::mapping();
    }
    if let Some(labels) = labels.as_mapping_mut() {
        labels.insert(MANAGED_BY.0, Node::string(MANAGED_BY.1));
    }
}

fn annotations(object: &mut Node) -> Option<&mut Mapping> {
    object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")).and_then(Node::as_mapping_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_was_noted_is_written_if_it_is_asked_for() {
        let annotated = |metadata| {
            let object = json!({"kind": "A", "metadata": {"name": "a", "annotations": {(ORIGIN): "x", "b": "c"}}});
            let mut resource = Resource::new(Node::from(object));
            let made =
                |kind: &str| Provenance { configured_in: "k.yaml".into(), kind: kind.into(), ..Default::default() };
            resource.notes_mut().origin = Some(Provenance { path: "a.yaml".into(), ..Default::default() });
            resource.notes_mut().transformations = vec![made("T"), made("U")];
            annotate(&mut resource, metadata);
            Value::try_from(resource.node).unwrap()["metadata"]["annotations"].clone()
        };
        assert_eq!(annotated(BuildMetadata::default()), json!({"b": "c"}));
        let all = BuildMetadata::new(&["originAnnotations".into(), "transformerAnnotations".into(), "else".into()]);
        let by = |kind: &str| {
            format!("- configuredIn: k.yaml\n  configuredBy:\n    apiVersion: builtin\n    kind: {kind}\n")
        };
        assert_eq!(
            annotated(all),
            json!({"b": "c", (ORIGIN): "path: a.yaml\n", (TRANSFORMATIONS): by("T") + &by("U")})
        );
    }
}
