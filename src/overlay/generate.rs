//! `configMapGenerator` and `secretGenerator`.
//!
//! Owns making the objects out of files, literals and environment files, and joining one with an object of the same name.
//! Does not own the hash of the name, nor reading files: a function that reads is given.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::base64;
use super::error::{Error, Origin};
use super::labels::texts;
use super::resource::Resource;
use super::settings::{self, GeneratorOptions};

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
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), "v1".into());
        object.insert("kind".to_owned(), if kind == Kind::Secret { "Secret" } else { "ConfigMap" }.into());
        object.insert("metadata".to_owned(), metadata(settings, common));
        add_data(kind, pairs(settings, &origin, read)?, &mut object);
        if kind == Kind::Secret {
            let kind_of_secret = if settings.secret_type.is_empty() { "Opaque" } else { &settings.secret_type };
            object.insert("type".to_owned(), kind_of_secret.into());
        }
        if common.immutable || settings.options.immutable {
            object.insert("immutable".to_owned(), true.into());
        }
        let mut resource = Resource::new(Value::Object(object));
        resource.needs_hash = !common.disable_name_suffix_hash && !settings.options.disable_name_suffix_hash;
        // Kustomize takes every word that it does not know for `create`.
        let behavior = match settings.behavior.as_str() {
            "merge" => Behavior::Merge,
            "replace" => Behavior::Replace,
            _ => Behavior::Create,
        };
        Ok(Self { origin, resource, behavior })
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
    let mut fields = vec![["metadata", "labels"], ["metadata", "annotations"]];
    if behavior == Behavior::Merge {
        fields.extend([["data", ""], ["binaryData", ""]]);
    }
    for [field, inner] in fields {
        let place = |value: &mut Value| match (value.get_mut(field).map(Value::take), inner) {
            (Some(value), "") => Some(value),
            (Some(mut outer), inner) => {
                let found = outer.get_mut(inner).map(Value::take);
                value[field] = outer;
                found
            }
            (None, _) => None,
        };
        let (before, after) = (place(&mut old.value), place(&mut new.value));
        let joined = match (before, after) {
            (Some(Value::Object(mut before)), Some(Value::Object(after))) => {
                before.extend(after);
                Value::Object(before)
            }
            (before, after) => match after.or(before) {
                Some(value) => value,
                None => continue,
            },
        };
        if inner.is_empty() {
            new.value[field] = joined;
        } else {
            new.value[field][inner] = joined;
        }
    }
    for name in ["name", "namespace"] {
        if let Some(text) = old.value.get_mut("metadata").and_then(|metadata| metadata.get_mut(name)) {
            new.value["metadata"][name] = text.take();
        }
    }
}

fn metadata(settings: &settings::Generator, common: &GeneratorOptions) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), settings.name.as_str().into());
    if !settings.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), settings.namespace.as_str().into());
    }
    let mut add = |name: &str, common: &IndexMap<String, String>, own: &IndexMap<String, String>| {
        let mut pairs = texts(common);
        pairs.extend(texts(own));
        if !pairs.is_empty() {
            metadata.insert(name.to_owned(), Value::Object(pairs));
        }
    };
    add("labels", &common.labels, &settings.options.labels);
    add("annotations", &common.annotations, &settings.options.annotations);
    Value::Object(metadata)
}

fn add_data(kind: Kind, pairs: IndexMap<String, Vec<u8>>, object: &mut Map<String, Value>) {
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, content) in pairs {
        match (kind, String::from_utf8(content)) {
            (Kind::Secret, content) => {
                let content = content.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                data.insert(key, base64::in_lines(&content).into());
            }
            (Kind::ConfigMap, Ok(text)) => {
                data.insert(key, text.into());
            }
            (Kind::ConfigMap, Err(error)) => {
                binary.insert(key, base64::in_lines(error.as_bytes()).into());
            }
        }
    }
    if kind == Kind::Secret || !data.is_empty() {
        object.insert("data".to_owned(), Value::Object(data));
    }
    if !binary.is_empty() {
        object.insert("binaryData".to_owned(), json!(binary));
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
    lines
        .map(|line| match line.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            Some(_) => Err(format!("the line `{line}` has no key")),
            None => Err(format!("`{line}` has no value, and the environment of this process is not read")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(kind: Kind, settings: &settings::Generator) -> Result<Generated, Error> {
        let origin = Origin::new("k.yaml", "configMapGenerator[0]");
        let mut read = |path: &str| {
            Ok(match path {
                "dir/text" => b"hello\n".to_vec(),
                "env" => b"# c\nA=1\n\n  B=\"two\"\n".to_vec(),
                _ => vec![0xff, 0xfe],
            })
        };
        Generated::new(kind, settings, &GeneratorOptions::default(), origin, &mut read)
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
        let object = generated(Kind::ConfigMap, &settings).unwrap().resource.value;
        let data = json!({"A": "1", "B": "\"two\"", "a": "b", "e": "\"f", "g": "h=i", "text": "hello\n"});
        assert_eq!((&object["data"], &object["binaryData"]), (&data, &json!({"k": "//4="})));
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
            let mut resources = vec![Resource::new(object.clone())];
            resources[0].needs_hash = true;
            resources[0].rename("p-a".into());
            let mut settings =
                settings::Generator { literals: vec!["y=2".into()], behavior: behavior.into(), ..settings() };
            settings.options.labels.insert("l".into(), "2".into());
            generated(Kind::ConfigMap, &settings).unwrap().absorb(&mut resources).unwrap();
            assert_eq!(resources[0].value["data"], data);
            assert_eq!(resources[0].value["metadata"], json!({"name": "p-a", "labels": {"l": "2", "k": "1"}}));
            assert!(resources[0].needs_hash);
        }
    }
}
