//! From objects to files: their names, their bytes, their digest.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest;
use super::object::{order_keys, text_at};
use crate::domain::Problem;
use crate::yaml;

/// The file beside the manifests that says what made them.
pub const RECORD_FILE: &str = ".wooo.json";
/// The file that lists the manifests for kustomize, Argo CD and Flux.
pub const KUSTOMIZATION_FILE: &str = "kustomization.yaml";

/// One rendered file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderedFile {
    /// The name within the app's folder.
    pub name: String,
    /// The whole content.
    pub content: String,
}

/// What `.wooo.json` says: what the manifests were made of, and which files are wooo's to delete.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    /// The version of wooo that rendered.
    pub renderer: String,
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The host name that the app is served under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A digest of the resolved spec.
    pub spec: String,
    /// A digest of the manifests: equal digests mean equal bytes.
    pub digest: String,
    /// The manifests.
    pub files: Vec<String>,
}

/// The folder's files in the order in which they are listed, the record last, and the digest of the manifests.
///
/// # Errors
/// `render.duplicate` if two objects would be the same file.
pub(super) fn files(
    objects: &mut [Value],
    app: &str,
    environment: &str,
    host: Option<&str>,
    spec_digest: String,
) -> Result<(Vec<RenderedFile>, String), Problem> {
    let mut files: Vec<RenderedFile> = Vec::with_capacity(objects.len() + 2);
    for object in objects {
        order_keys(object);
        let name = file_name(object);
        if files.iter().any(|file| file.name == name) {
            return Err(Problem::new("render.duplicate", format!("two objects of `{app}` are `{name}`")));
        }
        files.push(RenderedFile { name, content: write(object)? });
    }
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": names,
    });
    files.push(RenderedFile { name: KUSTOMIZATION_FILE.to_owned(), content: write(&kustomization)? });
    let digest = digest::of(files.iter().flat_map(|file| [file.name.as_bytes(), file.content.as_bytes()]));
    let record = Record {
        renderer: env!("CARGO_PKG_VERSION").to_owned(),
        app: app.to_owned(),
        environment: environment.to_owned(),
        host: host.map(str::to_owned),
        spec: spec_digest,
        digest: digest.clone(),
        files: files.iter().map(|file| file.name.clone()).collect(),
    };
    let record = serde_json::to_string_pretty(&record)
        .map_err(|error| Problem::new("render.invalid", format!("the record cannot be written: {error}")))?;
    files.push(RenderedFile { name: RECORD_FILE.to_owned(), content: record + "\n" });
    Ok((files, digest))
}

/// `deployment-shop.yaml`: a name that no other object of the app has, and that does not depend on them.
fn file_name(object: &Value) -> String {
    let kind = text_at(object, &["kind"]).unwrap_or_default().to_lowercase();
    let name = text_at(object, &["metadata", "name"]).unwrap_or_default();
    format!("{kind}-{name}.yaml")
}

/// An object as the text of a file.
///
/// # Errors
/// `render.invalid`, which no object made of JSON values brings about.
pub(super) fn write(object: &Value) -> Result<String, Problem> {
    yaml::write(object).map_err(|_| Problem::new("render.invalid", "an object cannot be written as YAML"))
}
