//! `replacements`: a value of one object put into others.
//!
//! Owns finding the source and the targets, and what of a value is copied. The way to a field is in
//! `field_path`.

use std::borrow::Cow;

use super::error::{Error, Origin};
use super::field_path::{self, FieldPath};
use super::growth;
use super::resource::{Id, Resource};
use super::selector::Selector;
use super::settings::{self, FieldOptions};
use crate::yaml::{Mapping, Node, Scalar, Style};

/// The field that is meant where none is named.
const DEFAULT_FIELD: &str = "metadata.name";

/// One replacement, ready to be made.
#[derive(Debug)]
pub(super) struct Replacement {
    origin: Origin,
    source: Source,
    targets: Vec<Target>,
}

#[derive(Debug)]
enum Source {
    Value(String),
    Object(Box<settings::Source>, FieldPath),
}

#[derive(Debug)]
struct Target {
    select: Selector,
    reject: Vec<Selector>,
    fields: Vec<FieldPath>,
    options: FieldOptions,
}

impl Replacement {
    pub(super) fn new(written: &settings::Replacement, origin: &Origin) -> Result<Self, Error> {
        let source = match (&written.source, &written.source_value) {
            (Some(_), Some(_)) => return Err(origin.invalid("only one of `source` and `sourceValue` can be there")),
            (None, None) => return Err(origin.invalid("a replacement needs a `source` and at least one target")),
            (None, Some(value)) => Source::Value(value.clone()),
            (Some(source), None) => Source::Object(Box::new(source.clone()), path(&source.field_path, origin)?),
        };
        if written.targets.is_empty() {
            return Err(origin.invalid("a replacement needs a `source` and at least one target"));
        }
        let targets = written.targets.iter().map(|target| Target::new(target, origin)).collect::<Result<_, _>>()?;
        Ok(Self { origin: origin.clone(), source, targets })
    }

    pub(super) fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        let value = self.value(resources)?;
        for target in &self.targets {
            for resource in resources.iter_mut().filter(|resource| target.matches(resource)) {
                for field in &target.fields {
                    let result = target.put(&mut resource.node, field, &value);
                    result.map_err(|reason| self.origin.patch(resource.original_id(), format!("{field}: {reason}")))?;
                }
            }
        }
        Ok(())
    }

    /// The value that the source holds now.
    fn value(&self, resources: &[Resource]) -> Result<Node, Error> {
        let (source, path) = match &self.source {
            Source::Value(value) => return Ok(Node::plain(value)),
            Source::Object(source, path) => (source, path),
        };
        let mut found = resources.iter().filter(|resource| resource.ids().any(|id| selects(source, &id)));
        let resource = match (found.next(), found.next()) {
            (Some(resource), None) => resource,
            (None, _) => return Err(self.origin.target("there is no object that the source selects")),
            (Some(_), Some(_)) => return Err(self.origin.target("the source selects more than one object")),
        };
        let fail = |reason: String| self.origin.patch(resource.id(), format!("{path}: {reason}"));
        let node = field_path::find(&resource.node, path).map_err(fail)?;
        let node = node.filter(|node| !(node.is_null() || node.as_mapping().is_some_and(Mapping::is_empty)));
        let node = node.ok_or_else(|| fail("the field is missing or empty".to_owned()))?;
        let options = source.options.clone().unwrap_or_default();
        if options.delimiter.is_empty() {
            return Ok(node.clone());
        }
        let Node::Scalar(scalar) = node else {
            return Err(fail("a delimiter needs a single value".to_owned()));
        };
        let mut parts = scalar.text().split(options.delimiter.as_str());
        match usize::try_from(options.index).ok().and_then(|index| parts.nth(index)) {
            Some(part) => Ok(Node::Scalar(Scalar::tagged(part, scalar.tag()))),
            None => Err(fail(format!("`{}` has no part {}", scalar.text(), options.index))),
        }
    }
}

fn path(written: &str, origin: &Origin) -> Result<FieldPath, Error> {
    FieldPath::new(if written.is_empty() { DEFAULT_FIELD } else { written }).map_err(|reason| origin.invalid(reason))
}

/// Whether a source selects an object with this identity. Its words are no patterns.
fn selects(source: &settings::Source, id: &Id<'_>) -> bool {
    let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    fits(&source.group, id.group)
        && fits(&source.version, id.version)
        && fits(&source.kind, id.kind)
        && fits(&source.name, id.name)
        && (source.namespace.is_empty() || id.effective_namespace() == Some(source.namespace.as_str()))
}

impl Target {
    fn new(target: &settings::ReplacementTarget, origin: &Origin) -> Result<Self, Error> {
        let Some(select) = &target.select else {
            return Err(origin.invalid("a target must say what it selects"));
        };
        let is_set = |rejected: &&settings::Target| **rejected != settings::Target::default();
        let fields = match &target.field_paths {
            fields if fields.is_empty() => vec![path("", origin)?],
            fields => fields.iter().map(|field| path(field, origin)).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            select: Selector::new(select, origin)?,
            reject: target
                .reject
                .iter()
                .filter(is_set)
                .map(|rejected| Selector::new(rejected, origin))
                .collect::<Result<_, _>>()?,
            fields,
            options: target.options.clone().unwrap_or_default(),
        })
    }

    fn matches(&self, resource: &Resource) -> bool {
        self.select.matches_any_id(resource) && !self.reject.iter().any(|rejected| rejected.rejects(resource))
    }

    fn put(&self, object: &mut Node, field: &FieldPath, value: &Node) -> Result<(), String> {
        let made = self.options.create.then_some(value);
        if !matches!(value, Node::Scalar(_)) {
            growth::check_depth(field.len(), value)?;
            let places = field_path::visit(&mut object.clone(), field, made, &mut |_| Ok(()))?;
            growth::check_size(object, value, places)?;
        }
        let count = field_path::visit(object, field, made, &mut |node| self.set(node, value))?;
        if count == 0 { Err("there is no such field".to_owned()) } else { Ok(()) }
    }

    fn set(&self, node: &mut Node, value: &Node) -> Result<(), String> {
        let value = match self.options.delimiter.as_str() {
            "" => Cow::Borrowed(value),
            delimiter => Cow::Owned(self.join(node, value, delimiter)?),
        };
        match (&mut *node, &*value) {
            // The field keeps its type: a number put into a text is a text.
            (Node::Scalar(old), Node::Scalar(new)) => {
                *old = match old.style() == Style::Made {
                    true => Scalar::plain(new.text()).with_style(Style::Made),
                    false => Scalar::tagged(new.text(), old.tag()).with_style(old.style()),
                };
            }
            (Node::Scalar(old), _) => *old = Scalar::tagged("", old.tag()).with_style(old.style()),
            (place, value) => *place = value.clone(),
        }
        Ok(())
    }

    /// The text of the field with the value among its parts.
    fn join(&self, node: &Node, value: &Node, delimiter: &str) -> Result<Node, String> {
        let (Node::Scalar(old), Node::Scalar(new)) = (node, value) else {
            return Err("a delimiter needs single values".to_owned());
        };
        let mut parts: Vec<&str> = old.text().split(delimiter).collect();
        match usize::try_from(self.options.index) {
            Err(_) => parts.insert(0, new.text()),
            Ok(index) => match parts.get_mut(index) {
                Some(part) => *part = new.text(),
                None => parts.push(new.text()),
            },
        }
        Ok(Node::string(parts.join(delimiter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn replaced(text: &str) -> Result<Vec<Value>, Error> {
        let origin = Origin::new("k.yaml", "replacements[0]");
        let written: settings::Replacement = settings::read_first(text, "k.yaml")?;
        let object = |name: &str, data: Value| {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
            Resource::new(Node::from(object))
        };
        let mut resources = [object("a", json!({"k": "x:1"})), object("b", json!({"n": 5, "s": "y:z"}))];
        Replacement::new(&written, &origin)?.apply(&mut resources)?;
        Ok(resources.into_iter().map(|resource| Value::try_from(resource.node).unwrap()).collect())
    }

    #[test]
    fn a_field_keeps_its_type() {
        let text = "source: {name: a, fieldPath: data.k, options: {delimiter: ':', index: 1}}\ntargets: [{select: {name: b}, fieldPaths: [data.n, data.s]}]\n";
        assert_eq!(replaced(text).unwrap()[1]["data"], json!({"n": 1, "s": "1"}));
    }

    #[test]
    fn a_part_of_a_text_is_replaced() {
        let put = |index: i8| {
            let text = format!(
                "sourceValue: q\ntargets: [{{select: {{name: b}}, fieldPaths: [data.s], options: {{delimiter: ':', index: {index}}}}}]\n"
            );
            replaced(&text).unwrap()[1]["data"]["s"].clone()
        };
        assert_eq!([put(-1), put(0), put(9)], ["q:y:z", "q:z", "y:z:q"]);
    }

    #[test]
    fn what_is_missing_is_a_fault() {
        for text in [
            "source: {name: q}\ntargets: [{select: {name: b}}]\n",
            "source: {kind: ConfigMap}\ntargets: [{select: {name: b}}]\n",
            "source: {name: a}\n",
            "source: {name: a}\ntargets: [{select: {name: b}, fieldPaths: [data.none]}]\n",
        ] {
            assert!(replaced(text).is_err(), "{text}");
        }
    }
}
