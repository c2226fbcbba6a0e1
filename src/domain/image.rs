//! References to container images.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::names::InvalidName;

/// An image with a tag or a digest that says which one is meant.
///
/// The grammar is that of the distribution project (<https://github.com/distribution/reference>): lower-case path
/// components, an optional registry with a port, a tag of at most 128 characters, a sha256 digest. `latest` and a
/// missing tag are refused: what runs must be readable from Git.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    text: String,
    name_length: usize,
    tag: Option<String>,
}

impl ImageRef {
    /// The whole reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Registry and path, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[..self.name_length]
    }

    /// The tag, if there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The registry's host and port; `docker.io` where none is written.
    #[must_use]
    pub fn registry(&self) -> &str {
        match self.name().split_once('/') {
            Some((first, _)) if is_registry(first) => first,
            _ => "docker.io",
        }
    }

    /// What to show where a version is shown: the tag, or the digest's start.
    #[must_use]
    pub fn version(&self) -> &str {
        match &self.tag {
            Some(tag) => tag,
            None => self.text[self.name_length..].trim_start_matches('@').get(..19).unwrap_or("digest"),
        }
    }
}

/// As the Docker client decides: a first component with a dot or a port, or `localhost`, is a registry.
fn is_registry(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

fn is_path_component(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(text.chars().next())
        && edge(text.chars().last())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-'))
}

fn is_registry_name(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'))
        && !host.starts_with(['-', '.'])
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

impl FromStr for ImageRef {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fail = |reason: &str| Err(InvalidName::new(format!("image `{}`: {reason}", text.escape_debug())));
        if text.len() > 500 {
            return Err(InvalidName::new("an image reference has at most 500 characters"));
        }
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        if let Some(digest) = digest {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'a'..=b'f')) {
                return fail("a digest is `sha256:` and 64 lower-case hexadecimal digits");
            }
        }
        // A colon behind the last slash starts the tag; one before it belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if name.bytes().any(|c| c.is_ascii_uppercase()) {
            return fail("registry and path are written in lower case");
        }
        let mut components: Vec<&str> = name.split('/').collect();
        if components.len() > 1 && is_registry(components[0]) && !is_registry_name(components.remove(0)) {
            return fail("the registry is a host name with an optional port");
        }
        if !components.iter().all(|component| is_path_component(component)) {
            return fail("write it as `registry.example/path:tag`");
        }
        match tag {
            None if digest.is_none() => {
                return fail("has no tag; add the one to run, for example `:1.4.2`, or a digest");
            }
            Some("latest") if digest.is_none() => {
                return fail("`latest` does not say which image runs; name a fixed tag or a digest");
            }
            Some(tag) if !is_tag(tag) => {
                return fail(
                    "a tag has letters, digits, `_`, `.` and `-`, at most 128, and starts with a letter, a digit or `_`",
                );
            }
            _ => {}
        }
        Ok(Self { text: text.to_owned(), name_length: name.len(), tag: tag.map(str::to_owned) })
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
}

impl TryFrom<String> for ImageRef {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.text
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for ImageRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ImageRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A container image with a tag other than `latest`, or a digest.",
            "pattern": "^[^\\s@]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$",
            "maxLength": 500,
            "examples": ["registry.example/event-system:1.4.2"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let image: ImageRef = "registry.example:5000/team/shop:1.4.2".parse().unwrap();
        assert_eq!(
            (image.registry(), image.name(), image.tag()),
            ("registry.example:5000", "registry.example:5000/team/shop", Some("1.4.2"))
        );
        let image: ImageRef = format!("nginx@{digest}").parse().unwrap();
        assert_eq!((image.registry(), image.name(), image.tag()), ("docker.io", "nginx", None));
        assert_eq!(image.version(), "sha256:aaaaaaaaaaaa");
        assert!(format!("a/b:latest@{digest}").parse::<ImageRef>().is_ok());
    }

    #[test]
    fn references_that_do_not_say_what_runs_are_refused() {
        for bad in [
            "nginx",
            "nginx:latest",
            "reg.example:5000/x",
            "Reg.example/X:1",
            "a//b:1",
            "a:",
            "a b:1",
            "a:1@sha256:zz",
            "-x:1",
            "a:-1",
            "",
            "a:1\n",
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad:?}");
        }
    }
}
