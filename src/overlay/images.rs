//! `images`: new names, tags and digests for container images.
//!
//! Owns finding images in an object and rewriting them. As kustomize does, it looks into every list called `containers` or
//! `initContainers` at any depth, of all kinds but CustomResourceDefinition, and where the configuration says so, but into
//! no `ephemeralContainers`.

use std::sync::Arc;

use regex::Regex;

use super::error::{Error, Origin};
use super::fields::FieldTable;
use super::resource::Resource;
use super::settings;
use crate::yaml::Node;

/// One entry of `images`.
#[derive(Debug)]
pub(super) struct SetImage {
    pattern: Pattern,
    new_name: String,
    new_tag: String,
    tag_suffix: String,
    digest: String,
    places: Arc<FieldTable>,
    origin: Origin,
}

impl SetImage {
    pub(super) fn new(image: &settings::Image, places: Arc<FieldTable>, origin: Origin) -> Result<Self, Error> {
        let pattern = Pattern::new(&image.name)
            .map_err(|_| origin.invalid(format!("`{}` is not the name of an image", image.name)))?;
        Ok(Self {
            pattern,
            new_name: image.new_name.clone(),
            new_tag: image.new_tag.clone(),
            tag_suffix: image.tag_suffix.clone(),
            digest: image.digest.clone(),
            places,
            origin,
        })
    }

    fn rewritten(&self, image: &str) -> Option<String> {
        if !self.pattern.is_match(image) {
            return None;
        }
        let (name, tag, digest) = split(image);
        let name = if self.new_name.is_empty() { name } else { &self.new_name };
        // A suffix is for the tag that is there; with it, the digest is no longer that of the image.
        let suffixed = format!("{tag}{}", self.tag_suffix);
        let (tag, digest) = match (self.new_tag.as_str(), self.digest.as_str()) {
            ("", "") if self.tag_suffix.is_empty() => (tag, digest),
            ("", "") => (suffixed.as_str(), ""),
            new => new,
        };
        let part =
            |separator: &str, text: &str| if text.is_empty() { String::new() } else { format!("{separator}{text}") };
        Some(format!("{name}{}{}", part(":", tag), part("@", digest)))
    }
}

/// Which images a name means. It may be a regular expression, as kustomize pastes it into one; almost all are words in which
/// no character but the dot has a meaning, and for those there is no need to make an automaton.
#[derive(Debug)]
enum Pattern {
    Word(String),
    Regex(Box<Regex>),
}

impl Pattern {
    fn new(name: &str) -> Result<Self, regex::Error> {
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-' | b'_' | b':')) {
            return Ok(Self::Word(name.to_owned()));
        }
        let pattern = format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$");
        Regex::new(&pattern).map(|regex| Self::Regex(Box::new(regex)))
    }

    fn is_match(&self, image: &str) -> bool {
        match self {
            Self::Word(word) => {
                let begins = image.len() >= word.len()
                    && image.bytes().zip(word.bytes()).all(|(found, wanted)| {
                        found == wanted || (wanted == b'.' && found.is_ascii() && found != b'\n')
                    });
                begins && image.get(word.len()..).is_some_and(is_tag_and_digest)
            }
            Self::Regex(regex) => regex.is_match(image),
        }
    }
}

/// Whether nothing but a tag and a digest follows.
fn is_tag_and_digest(text: &str) -> bool {
    let rest = text.strip_prefix(':').map_or(text, |tag| tag.trim_start_matches(is_of_tag));
    rest.is_empty() || rest.strip_prefix("@sha256:").is_some_and(|digest| digest.chars().all(is_of_tag))
}

fn is_of_tag(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '{' | '}' | '-')
}

/// Name, tag and digest. A colon before the last slash belongs to the registry's port.
fn split(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag, digest),
        _ => (rest, "", digest),
    }
}

impl SetImage {
    /// Rewrites the images of an object.
    pub(super) fn apply(&self, resource: &mut Resource) -> Result<(), Error> {
        let id = resource.id();
        if id.kind != "CustomResourceDefinition" {
            let places = self.places.of(&id);
            self.walk(&mut resource.node);
            for place in places {
                let result = place.visit_present(&mut resource.node, &mut |node| {
                    self.rewrite(node);
                    Ok(())
                });
                result.map_err(|reason| self.origin.patch(resource.id(), reason))?;
            }
        }
        Ok(())
    }

    fn walk(&self, node: &mut Node) {
        match node {
            Node::Mapping(mapping) => {
                for (name, node) in mapping.iter_mut() {
                    if let ("containers" | "initContainers", Node::Sequence(containers)) = (name.text(), &mut *node) {
                        containers
                            .iter_mut()
                            .filter_map(|container| container.get_mut("image"))
                            .for_each(|image| self.rewrite(image));
                    }
                    self.walk(node);
                }
            }
            Node::Sequence(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Node::Scalar(_) => {}
        }
    }

    fn rewrite(&self, image: &mut Node) {
        if let Some(new) = image.text().and_then(|image| self.rewritten(image)) {
            image.set_text(&new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(image: &str, setting: &settings::Image) -> Option<String> {
        SetImage::new(setting, Arc::default(), Origin::new("k.yaml", "images[0]")).unwrap().rewritten(image)
    }

    #[test]
    fn tag_digest_and_name() {
        let set = |new_name: &str, new_tag: &str, digest: &str| settings::Image {
            name: "nginx".into(),
            new_name: new_name.into(),
            new_tag: new_tag.into(),
            digest: digest.into(),
            ..Default::default()
        };
        let full = "nginx:1@sha256:aa";
        assert_eq!(rewritten(full, &set("", "2", "")).unwrap(), "nginx:2");
        assert_eq!(rewritten(full, &set("", "", "sha256:bb")).unwrap(), "nginx@sha256:bb");
        assert_eq!(rewritten(full, &set("a/b", "", "")).unwrap(), "a/b:1@sha256:aa");
        assert_eq!(rewritten("nginx", &set("", "2", "sha256:bb")).unwrap(), "nginx:2@sha256:bb");
        assert_eq!(rewritten("reg:5000/nginx", &set("", "2", "")), None);
    }

    #[test]
    fn words_and_expressions_mean_the_same() {
        for name in ["nginx", "reg.io:5000/a/b", "a.b"] {
            let expression = Pattern::new(&format!("(?:{name})")).unwrap();
            for image in [
                "nginx",
                "nginx:1",
                "nginx:1@sha256:ab",
                "nginx2",
                "nginx/x",
                "reg.io:5000/a/b:2",
                "axb",
                "a.b@sha256:",
                "a\u{e9}b",
            ] {
                let word = Pattern::new(name).unwrap();
                assert!(matches!(word, Pattern::Word(_)));
                // Beyond ASCII, images have no names.
                if image.is_ascii() {
                    assert_eq!(word.is_match(image), expression.is_match(image), "{name} {image}");
                }
            }
        }
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(split("reg:5000/nginx"), ("reg:5000/nginx", "", ""));
        assert_eq!(split("reg:5000/nginx:1@sha256:a"), ("reg:5000/nginx", "1", "sha256:a"));
    }
}
