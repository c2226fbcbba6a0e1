//! `vars`: `$(NAME)` in some fields stands for a field of an object.
//!
//! Owns finding the objects and fields that variables stand for, and the expansion of texts, whose syntax is that of
//! Kubernetes for commands and arguments. Does not own where texts are expanded beyond the built-in places.

use std::collections::{HashMap, HashSet};

use super::error::{Error, Origin};
use super::field_path::{self, FieldPath};
use super::fields::{FieldSpec, FieldTable};
use super::resource::{Resource, split_api_version};
use super::settings;
use crate::yaml::{Node, Scalar, Tag};

/// Where kinds have the specification of a pod, as far as variables are concerned.
const POD_SPECS: &[(&str, &str)] = &[
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("Deployment", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("Pod", "spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
];

const IN_CONTAINERS: &[&str] = &["args", "command", "env/value", "volumeMounts/mountPath"];

const ELSEWHERE: &[(&str, &str)] = &[
    ("CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server"),
    ("DaemonSet", "spec/template/spec/volumes/nfs/server"),
    ("Deployment", "spec/template/spec/volumes/nfs/server"),
    ("Deployment", "spec/template/metadata/annotations"),
    ("Job", "spec/template/spec/volumes/nfs/server"),
    ("Pod", "spec/volumes/nfs/server"),
    ("ReplicaSet", "spec/template/spec/volumes/nfs/server"),
    ("StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server"),
    ("Ingress", "spec/rules/host"),
    ("Ingress", "spec/tls/hosts"),
    ("Ingress", "spec/tls/secretName"),
    ("Service", "spec/ports/port"),
    ("Service", "spec/ports/targetPort"),
    ("PersistentVolume", "spec/nfs/server"),
    ("", "metadata/labels"),
    ("", "metadata/annotations"),
];

/// The built-in places in which variables are expanded.
pub(super) fn places() -> Vec<FieldSpec> {
    let in_pods = POD_SPECS.iter().flat_map(|(kind, pod)| {
        let containers = ["containers", "initContainers"].into_iter();
        containers.flat_map(move |list| IN_CONTAINERS.iter().map(move |field| (*kind, format!("{pod}/{list}/{field}"))))
    });
    let elsewhere = ELSEWHERE.iter().map(|(kind, path)| (*kind, (*path).to_owned()));
    in_pods
        .chain(elsewhere)
        .map(|(kind, path)| FieldSpec { kind: kind.to_owned(), path, ..FieldSpec::default() })
        .collect()
}

/// A variable, with the place of its definition.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    origin: Origin,
    name: String,
    object: settings::ObjectReference,
    field: FieldPath,
}

impl Variable {
    pub(super) fn new(variable: &settings::Variable, origin: Origin) -> Result<Self, Error> {
        let written = match variable.fieldref.field_path.as_str() {
            "" => "metadata.name",
            path => path,
        };
        let field = FieldPath::of_variable(written).map_err(|reason| origin.invalid(reason))?;
        let mut object = variable.objref.clone();
        if !object.api_version.is_empty() {
            let (group, version) = split_api_version(&variable.objref.api_version);
            (object.group, object.version) = (group.to_owned(), version.to_owned());
        }
        Ok(Self { origin, name: variable.name.clone(), object, field })
    }

    /// Notes at the object that the variable is about it. There may be none yet: an overlay can bring it.
    pub(super) fn mark(&self, resources: &mut [Resource]) -> Result<(), Error> {
        let wanted = &self.object;
        let mut found = resources.iter_mut().filter(|resource| {
            resource.ids().any(|id| {
                id.name == wanted.name
                    && id.kind == wanted.kind
                    && id.group == wanted.group
                    && id.version == wanted.version
                    && (wanted.namespace.is_empty()
                        || id.effective_namespace().is_none_or(|namespace| namespace == wanted.namespace))
            })
        });
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(self.origin.target(format!("there is more than one {} `{}`", wanted.kind, wanted.name)))
            }
            (Some(resource), None) => {
                resource.notes_mut().variables.push(self.name.clone());
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}

/// Adds variables to others; a name stands for one thing.
pub(super) fn merge(variables: &mut Vec<Variable>, new: Vec<Variable>) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let mut names: HashSet<String> = variables.iter().map(|known| known.name.clone()).collect();
    for variable in new {
        if !names.insert(variable.name.clone()) {
            return Err(variable.origin.invalid(format!("there is a variable `{}` already", variable.name)));
        }
        variables.push(variable);
    }
    Ok(())
}

/// Expands variables in all objects.
pub(super) fn resolve(
    resources: &mut [Resource],
    variables: &[Variable],
    places: &FieldTable,
    file: &str,
) -> Result<(), Error> {
    if variables.is_empty() {
        return Ok(());
    }
    let values = variables.iter().map(|variable| Ok((variable.name.as_str(), value(variable, resources)?)));
    let mut values = Values { by_name: values.collect::<Result<_, Error>>()?, left: MAX_EXPANDED };
    for resource in resources.iter_mut() {
        for place in places.of(&resource.original_id()) {
            let result = place.visit_present(&mut resource.node, &mut |node| expand_in(node, &mut values));
            result.map_err(|reason| Origin::new(file, "vars").patch(resource.original_id(), reason))?;
        }
    }
    Ok(())
}

/// The value of a variable; `None` for a map or a list, which cannot stand in a text.
fn value(variable: &Variable, resources: &[Resource]) -> Result<Option<Scalar>, Error> {
    let is_meant =
        |resource: &&Resource| resource.notes.as_ref().is_some_and(|notes| notes.variables.contains(&variable.name));
    let Some(resource) = resources.iter().find(is_meant) else {
        let object = &variable.object;
        return Err(variable.origin.target(format!("there is no {} `{}`", object.kind, object.name)));
    };
    let missing = || variable.origin.target(format!("{} has no `{}`", resource.id(), variable.field));
    let node = field_path::find(&resource.node, &variable.field).map_err(|_| missing())?.ok_or_else(missing)?;
    let Node::Scalar(scalar) = node else { return Ok(None) };
    let text = scalar.text();
    Ok(Some(match scalar.tag() {
        // Kustomize reads these integers in base ten alone.
        Tag::Int => match text.parse::<i64>() {
            Ok(number) => Scalar::tagged(number.to_string(), Tag::Int),
            Err(_) => return Err(missing()),
        },
        Tag::Float => match scalar.number() {
            Some(number) => Scalar::tagged(number.to_string(), Tag::Float),
            None => return Err(missing()),
        },
        Tag::Bool => Scalar::tagged(text.to_ascii_lowercase(), Tag::Bool),
        Tag::Null => Scalar::string("null"),
        Tag::Timestamp | Tag::Str | Tag::Merge => Scalar::string(text),
    }))
}

fn expand_in(node: &mut Node, values: &mut Values<'_>) -> Result<(), String> {
    match node {
        Node::Scalar(scalar) => {
            if scalar.tag() == Tag::Str {
                *scalar = values.expand(scalar.text())?;
            }
        }
        Node::Mapping(mapping) => {
            for node in mapping.values_mut() {
                if let Node::Scalar(scalar) = node
                    && scalar.tag() == Tag::Str
                {
                    *scalar = values.expand(scalar.text())?;
                }
            }
        }
        Node::Sequence(items) => {
            for item in items {
                match item {
                    Node::Scalar(scalar) if scalar.tag() == Tag::Str => *scalar = values.expand(scalar.text())?,
                    _ => {
                        return Err(
                            "there is something else than texts in a list that variables are expanded in".to_owned()
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// How many bytes all expanded texts of a build may have. A variable may stand in a text as often as there is room.
const MAX_EXPANDED: usize = 64 * 1024 * 1024;

struct Values<'v> {
    by_name: HashMap<&'v str, Option<Scalar>>,
    /// How many bytes may still be written.
    left: usize,
}

impl Values<'_> {
    /// A text with its variables expanded. One that is nothing but a variable becomes what the variable is.
    fn expand(&mut self, text: &str) -> Result<Scalar, String> {
        let Some(last_end) = text.rfind(')').filter(|_| text.contains('$')) else { return Ok(without_doubles(text)) };
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            expanded.push_str(&rest[..start]);
            let behind = &rest[start + 1..];
            let place = text.len() - behind.len();
            rest = match behind.chars().next() {
                Some('$') => {
                    expanded.push('$');
                    &behind[1..]
                }
                Some('(') if place < last_end => {
                    let end = behind.find(')').unwrap_or(behind.len() - 1);
                    let (name, after) = (&behind[1..end], &behind[end + 1..]);
                    match self.by_name.get(name) {
                        Some(Some(value)) if start == 0 && after.is_empty() && expanded.is_empty() => {
                            return Ok(value.clone());
                        }
                        Some(Some(value)) => expanded.push_str(&in_text(value)),
                        _ => expanded.push_str(&rest[start..start + 1 + end + 1]),
                    }
                    after
                }
                Some(next) => {
                    expanded.push('$');
                    expanded.push(next);
                    &behind[next.len_utf8()..]
                }
                None => {
                    expanded.push('$');
                    behind
                }
            };
            if expanded.len() > self.left {
                return Err(format!("with their variables, texts have more than {} MiB", MAX_EXPANDED >> 20));
            }
        }
        expanded.push_str(rest);
        self.left = self.left.saturating_sub(expanded.len());
        Ok(Scalar::string(expanded))
    }
}

/// A text without variables: two dollars are one.
fn without_doubles(text: &str) -> Scalar {
    Scalar::string(text.replace("$$", "$"))
}

/// A value in the midst of a text: a large or small number has an exponent there.
fn in_text(value: &Scalar) -> String {
    match value.number().filter(|_| value.tag() == Tag::Float) {
        Some(number) => {
            let exponent = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
            if (-4.0..21.0).contains(&exponent) { number.to_string() } else { format!("{number:e}") }
        }
        None => value.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_expanded_as_kubernetes_expands_them() {
        let values = HashMap::from([("A", Some(Scalar::string("x"))), ("N", Some(Scalar::plain("8"))), ("M", None)]);
        for (text, expected) in [
            ("$(A)", "x"),
            ("-$(A)-$(N)", "-x-8"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$x"),
            ("$(B) $A $(A", "$(B) $A $(A"),
            ("$", "$"),
            ("$(M)", "$(M)"),
        ] {
            assert_eq!(Values { by_name: values.clone(), left: 100 }.expand(text).unwrap().text(), expected, "{text}");
        }
        assert_eq!(Values { by_name: values.clone(), left: 100 }.expand("$(N)").unwrap().tag(), Tag::Int);
    }
}
