//! `configMapGenerator` and `secretGenerator`.
//!
//! Owns making the objects out of files, literals and environment files, and joining one with an object of the same name.
//! Does not own the hash of the name, nor reading files: a function that reads is given.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::base64;
use super::error::{Error, Origin};
use super::labels::texts;
use super::provenance::Provenance;
use super::resource::{self, Resource};
use super::settings::{self, GeneratorOptions};
use crate::yaml::{Mapping, Node, Scalar, Style, Tag};

/// A generated object, and what to do where there is one of its name already.
#[derive(Debug)]
pub(super) struct Generated {
    origin: Origin,
    resource: Resource,
    behavior: Behavior,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behavior {
    Create,
    Replace,
    Merge,
}

/// Which of the two kinds is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

/// Reads the file at a path that is relative to the kustomization.
pub(super) type Read<'r> = dyn FnMut(&str) -> Result<Vec<u8>, Error> + 'r;

impl Generated {
    /// Makes the object.
    pub(super) fn new(
        kind: Kind,
        settings: &settings::Generator,
        common: &GeneratorOptions,
        origin: Origin,
        read: &mut Read<'_>,
    ) -> Result<Self, Error> {
        if settings.name.is_empty() {
            return Err(origin.invalid("the object needs a `name`"));
        }
        if kind == Kind::ConfigMap && !settings.secret_type.is_empty() {
            return Err(origin.invalid("a ConfigMap has no `type`"));
        }
        let mut object = Mapping::default();
        object.insert("apiVersion", Node::string("v1"));
        object.insert("kind", Node::string(if kind == Kind::Secret { "Secret" } else { "ConfigMap" }));
        object.insert("metadata", metadata(settings, common));
        add_data(kind, pairs(settings, &origin, read)?, &mut object);
        if kind == Kind::Secret {
            let kind_of_secret = if settings.secret_type.is_empty() { "Opaque" } else { &settings.secret_type };
            object.insert("type", Node::string(kind_of_secret));
        }
        if common.immutable || settings.options.immutable {
            object.insert("immutable", Node::Scalar(Scalar::tagged("true", Tag::Bool)));
        }
        let mut resource = Resource::new(Node::Mapping(object));
        resource.needs_hash = !common.disable_name_suffix_hash && !settings.options.disable_name_suffix_hash;
        // Kustomize takes every word that it does not know for `create`.
        let behavior = match settings.behavior.as_str() {
            "merge" => Behavior::Merge,
            "replace" => Behavior::Replace,
            _ => Behavior::Create,
        };
        Ok(Self { origin, resource, behavior })
    }

    /// Notes where the object comes from.
    pub(super) fn note_origin(&mut self, origin: Provenance) {
        self.resource.note_origin(origin);
    }

    /// Adds the object, or joins it with the one that has or had its name.
    pub(super) fn absorb(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        let id = self.resource.id();
        let mut matches = resources.iter_mut().filter(|resource| resource.ids().any(|other| other.same(&id)));
        match (matches.next(), matches.next(), self.behavior) {
            (None, _, Behavior::Create) => {
                drop(matches);
                resources.push(self.resource.clone());
                Ok(())
            }
            (None, _, _) => Err(self.origin.target(format!("there is no {id} to merge with or to replace"))),
            (Some(_), _, Behavior::Create) => {
                Err(self.origin.invalid(format!("there is a {id} already; `behavior` must be merge or replace")))
            }
            (Some(old), None, behavior) => {
                let mut new = self.resource.clone();
                join(&mut new, old, behavior);
                *old = new;
                Ok(())
            }
            (Some(_), Some(_), _) => Err(self.origin.target(format!("there is more than one {id}"))),
        }
    }
}

/// Labels and annotations of the old object remain, and its name. Both must want a hash for there to be one.
fn join(new: &mut Resource, old: &mut Resource, behavior: Behavior) {
    new.needs_hash &= old.needs_hash;
    new.previous = std::mem::take(&mut old.previous);
    new.affixes = std::mem::take(&mut old.affixes);
    if let Some(mut notes) = old.notes.take() {
        // What was done to the old object was done to this one; only a new one comes from somewhere else.
        if behavior == Behavior::Replace
            && let Some(origin) = new.notes.take().and_then(|notes| notes.origin)
        {
            notes.origin = Some(origin);
        }
        new.notes = Some(notes);
    }
    let (Node::Mapping(new), Node::Mapping(old)) = (&mut new.node, &mut old.node) else { return };
    if behavior == Behavior::Merge {
        for field in ["data", "binaryData"] {
            join_field(new, old, field);
        }
    }
    let (Some(Node::Mapping(new)), Some(Node::Mapping(old))) = (new.get_mut("metadata"), old.get_mut("metadata"))
    else {
        return;
    };
    for field in ["labels", "annotations"] {
        join_field(new, old, field);
    }
    for name in ["name", "namespace"] {
        if let Some(node) = old.remove(name) {
            new.insert(name, node);
        }
    }
}

/// Puts the entries of the new map over those of the old one. All become texts; what is no text at all becomes an empty one.
fn join_field(new: &mut Mapping, old: &mut Mapping, field: &str) {
    let mut joined = match old.remove(field) {
        Some(Node::Mapping(before)) => before,
        _ => Mapping::default(),
    };
    let mut places: HashMap<String, usize> =
        joined.iter().enumerate().map(|(place, (key, _))| (key.text().to_owned(), place)).collect();
    if let Some(Node::Mapping(after)) = new.remove(field) {
        for (key, node) in after {
            match places.remove(key.text()).and_then(|place| joined.value_at_mut(place)) {
                Some(place) => *place = node,
                None => joined.push(key, node),
            }
        }
    }
    // The spelling of nothing is the text of a label, but not of data.
    let is_data = matches!(field, "data" | "binaryData");
    for node in joined.values_mut() {
        match is_data && node.is_null() {
            true => *node = Node::string(""),
            false => resource::write_out(node),
        }
    }
    if !joined.is_empty() {
        new.insert(field, Node::Mapping(joined));
    }
}

fn metadata(settings: &settings::Generator, common: &GeneratorOptions) -> Node {
    let mut metadata = Mapping::default();
    metadata.insert("name", Node::string(&settings.name));
    if !settings.namespace.is_empty() {
        metadata.insert("namespace", Node::string(&settings.namespace));
    }
    let mut add = |name: &str, common: &IndexMap<String, String>, own: &IndexMap<String, String>| {
        let mut pairs = common.clone();
        pairs.extend(own.iter().map(|(name, text)| (name.clone(), text.clone())));
        if !pairs.is_empty() {
            metadata.insert(name, Node::Mapping(texts(&pairs)));
        }
    };
    add("labels", &common.labels, &settings.options.labels);
    add("annotations", &common.annotations, &settings.options.annotations);
    Node::Mapping(metadata)
}

fn add_data(kind: Kind, pairs: IndexMap<String, Vec<u8>>, object: &mut Mapping) {
    let (mut data, mut binary) = (Mapping::default(), Mapping::default());
    let block = |text: &str| {
        let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
        Node::Scalar(Scalar::string(text).with_style(style))
    };
    for (key, content) in pairs {
        let key = Scalar::plain(key);
        match (kind, String::from_utf8(content)) {
            (Kind::Secret, content) => {
                let content = content.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                data.push(key, block(&base64::in_lines(&content)));
            }
            (Kind::ConfigMap, Ok(text)) => data.push(key, block(&text)),
            (Kind::ConfigMap, Err(error)) => binary.push(key, block(&base64::in_lines(error.as_bytes()))),
        }
    }
    if kind == Kind::Secret || !data.is_empty() {
        object.insert("data", Node::Mapping(data));
    }
    if !binary.is_empty() {
        object.insert("binaryData", Node::Mapping(binary));
    }
}

/// All keys with their contents. A key must not come twice.
fn pairs(
    settings: &settings::Generator,
    origin: &Origin,
    read: &mut Read<'_>,
) -> Result<IndexMap<String, Vec<u8>>, Error> {
    let mut pairs = IndexMap::new();
    let mut add = |key: String, content: Vec<u8>| match pairs.insert(key.clone(), content) {
        Some(_) => Err(origin.invalid(format!("the key `{key}` comes twice"))),
        None => Ok(()),
    };
    let env = Some(&settings.env).filter(|path| !path.is_empty());
    for path in settings.envs.iter().chain(env) {
        let content =
            String::from_utf8(read(path)?).map_err(|_| origin.invalid(format!("`{path}` is not UTF-8 text")))?;
        for (key, value) in environment(&content).map_err(|reason| origin.invalid(format!("{path}: {reason}")))? {
            add(key, value.into_bytes())?;
        }
    }
    for literal in &settings.literals {
        match literal.split_once('=') {
            Some((key, value)) if !key.is_empty() => add(key.to_owned(), unquoted(value).as_bytes().to_vec())?,
            _ => return Err(origin.invalid(format!("the literal `{literal}` is not of the form key=value"))),
        }
    }
    for file in &settings.files {
        let (key, path) = match file.split_once('=') {
            None => (file.rsplit('/').next().unwrap_or_default(), file.as_str()),
            Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => (key, path),
            Some(_) => return Err(origin.invalid(format!("`{file}` is neither a path nor key=path"))),
        };
        add(key.to_owned(), read(path)?)?;
    }
    Ok(pairs)
}

/// Quotes around the whole of a literal are the shell's habit and no content.
fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// The lines `KEY=value` of an environment file. Kustomize reads a key without a value from the environment of its own
/// process; the result must not depend on that, so it is refused.
fn environment(content: &str) -> Result<Vec<(String, String)>, String> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let lines = content.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    // A line without a key is passed over, as kustomize does.
    lines
        .filter(|line| !line.starts_with('='))
        .map(|line| match line.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(format!("`{line}` has no value, and the environment of this process is not read")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn generated(kind: Kind, settings: &settings::Generator) -> Result<Generated, Error> {
        let origin = Origin::new("k.yaml", "configMapGenerator[0]");
        let mut read = |path: &str| {
            Ok(match path {
                "dir/text" => b"hello".to_vec(),
                "env" => b"# c\nA=1\n\n  B=\"two\"\n".to_vec(),
                _ => vec![0xff, 0xfe],
            })
        };
        Generated::new(kind, settings, &GeneratorOptions::default(), origin, &mut read)
    }

    fn value(node: &Node, field: &str) -> Value {
        Value::try_from(node.get(field).unwrap().clone()).unwrap()
    }

    fn settings() -> settings::Generator {
        settings::Generator { name: "a".into(), ..Default::default() }
    }

    #[test]
    fn data_comes_from_files_literals_and_environment_files() {
        let settings = settings::Generator {
            files: vec!["dir/text".into(), "k=binary".into()],
            literals: vec!["a='b'".into(), "e=\"f".into(), "g=h=i".into()],
            envs: vec!["env".into()],
            ..settings()
        };
        let object = generated(Kind::ConfigMap, &settings).unwrap().resource.node;
        let data = json!({"A": "1", "B": "\"two\"", "a": "b", "e": "\"f", "g": "h=i", "text": "hello"});
        let binary = Node::from(json!({"k": "//4="}));
        assert_eq!((object.get("data"), object.get("binaryData")), (Some(&Node::from(data)), Some(&binary)));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for literal in ["nokey", "=x"] {
            let settings = settings::Generator { literals: vec![literal.into()], ..settings() };
            assert!(generated(Kind::ConfigMap, &settings).is_err(), "{literal}");
        }
        let twice = settings::Generator { literals: vec!["a=b".into(), "a=c".into()], ..settings() };
        let error = generated(Kind::Secret, &twice).unwrap_err();
        assert_eq!(error.to_string(), "k.yaml: configMapGenerator[0]: the key `a` comes twice");
        assert!(environment("A").unwrap_err().contains("is not read"));
    }

    #[test]
    fn joining_keeps_the_name_and_the_metadata() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"l": "1", "k": "1"}},
            "data": {"x": "1", "y": "1"}});
        for (behavior, data) in [("merge", json!({"x": "1", "y": "2"})), ("replace", json!({"y": "2"}))] {
            let mut resources = vec![Resource::new(Node::from(object.clone()))];
            resources[0].needs_hash = true;
            resources[0].rename("p-a");
            let mut settings =
                settings::Generator { literals: vec!["y=2".into()], behavior: behavior.into(), ..settings() };
            settings.options.labels.insert("l".into(), "2".into());
            generated(Kind::ConfigMap, &settings).unwrap().absorb(&mut resources).unwrap();
            let metadata = json!({"labels": {"l": "2", "k": "1"}, "name": "p-a"});
            assert_eq!(value(&resources[0].node, "data"), data);
            assert_eq!(value(&resources[0].node, "metadata"), metadata);
            assert!(resources[0].needs_hash);
        }
    }
}
