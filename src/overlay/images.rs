//! `images`: new names, tags and digests for container images.
//!
//! Owns finding images in an object and rewriting them. As kustomize does, it looks into every list called `containers` or
//! `initContainers` at any depth, whatever the kind, but into no `ephemeralContainers`.

use regex::Regex;
use serde_json::Value;

use super::error::{Error, Origin};
use super::settings;

/// One entry of `images`.
#[derive(Debug)]
pub(super) struct SetImage {
    /// The name may be a regular expression: kustomize pastes it into one.
    pattern: Regex,
    new_name: String,
    new_tag: String,
    digest: String,
}

impl SetImage {
    pub(super) fn new(image: &settings::Image, origin: &Origin) -> Result<Self, Error> {
        if !image.tag_suffix.is_empty() {
            return Err(origin.unsupported("`tagSuffix` is not supported yet"));
        }
        let pattern = format!("^(?:{})(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
        let pattern = Regex::new(&pattern)
            .map_err(|_| origin.invalid(format!("`{}` is not the name of an image", image.name)))?;
        Ok(Self {
            pattern,
            new_name: image.new_name.clone(),
            new_tag: image.new_tag.clone(),
            digest: image.digest.clone(),
        })
    }

    fn rewritten(&self, image: &str) -> Option<String> {
        if !self.pattern.is_match(image) {
            return None;
        }
        let (name, tag, digest) = split(image);
        let name = if self.new_name.is_empty() { name } else { &self.new_name };
        let (tag, digest) = match (self.new_tag.as_str(), self.digest.as_str()) {
            ("", "") => (tag, digest),
            new => new,
        };
        let part =
            |separator: &str, text: &str| if text.is_empty() { String::new() } else { format!("{separator}{text}") };
        Some(format!("{name}{}{}", part(":", tag), part("@", digest)))
    }
}

/// Name, tag and digest. A colon before the last slash belongs to the registry's port.
fn split(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag, digest),
        _ => (rest, "", digest),
    }
}

/// Rewrites the images of an object.
pub(super) fn apply(images: &[SetImage], object: &mut Value) {
    if object.get("kind").and_then(Value::as_str) != Some("CustomResourceDefinition") {
        walk(images, object);
    }
}

fn walk(images: &[SetImage], value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if let ("containers" | "initContainers", Value::Array(containers)) = (name.as_str(), &mut *value) {
                    containers.iter_mut().for_each(|container| rewrite(images, container));
                }
                walk(images, value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| walk(images, value)),
        _ => {}
    }
}

fn rewrite(images: &[SetImage], container: &mut Value) {
    let Some(Value::String(image)) = container.get_mut("image") else {
        return;
    };
    for setting in images {
        if let Some(new) = setting.rewritten(image) {
            *image = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(image: &str, setting: &settings::Image) -> Option<String> {
        SetImage::new(setting, &Origin::new("k.yaml", "images[0]")).unwrap().rewritten(image)
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
    fn a_port_is_not_a_tag() {
        assert_eq!(split("reg:5000/nginx"), ("reg:5000/nginx", "", ""));
        assert_eq!(split("reg:5000/nginx:1@sha256:a"), ("reg:5000/nginx", "1", "sha256:a"));
    }
}
