//! What a request to the API server addresses and asks for.

use std::collections::HashMap;

use axum::http::request::Parts;
use axum::http::{Method, header};

use super::kinds::{Kind, KindId, Kinds};
use super::refusal::Refusal;
use super::selector::Selector;

/// What a path addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// The kind.
    pub(super) kind: KindId,
    /// The namespace; `None` for kinds without, and for lists over all.
    pub(super) namespace: Option<String>,
    /// The object; `None` for a collection.
    pub(super) name: Option<String>,
    /// Such as `status`; empty for the object itself.
    pub(super) subresource: String,
}

impl Target {
    /// Reads a path without its query. `None` if it is none of a resource that the cluster has.
    pub(super) fn parse(kinds: &Kinds, path: &str) -> Option<Self> {
        let mut segments: Vec<String> = path.split('/').filter(|text| !text.is_empty()).map(decode).collect();
        let rest = segments.split_off(match segments.first().map(String::as_str) {
            Some("api") if segments.len() > 2 => 2,
            Some("apis") if segments.len() > 3 => 3,
            _ => return None,
        });
        let (group, version) = match segments.as_slice() {
            [_, version] => ("", version.as_str()),
            [_, group, version] => (group.as_str(), version.as_str()),
            _ => return None,
        };
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        let (plural, rest) = rest.split_first()?;
        let kind = kinds.at_path(group, version, plural)?;
        let name = rest.first().map(|name| (*name).to_owned());
        Some(Self { kind, namespace, name, subresource: rest.get(1..).unwrap_or_default().join("/") })
    }
}

/// Replaces `%2F` and its like.
fn decode(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The query of a request.
#[derive(Debug)]
pub(super) struct Query(HashMap<String, String>);

impl Query {
    /// Reads it.
    pub(super) fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter; empty if it is absent.
    pub(super) fn text(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }

    /// Whether a parameter is set to yes.
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.text(key), "true" | "1")
    }

    /// A number, `None` if it is absent.
    ///
    /// # Errors
    /// [`Refusal`] if it is no number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.text(key) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Refusal::bad_request(format!("invalid {key}: {}", text.escape_debug()))),
        }
    }

    /// What the list is narrowed to.
    ///
    /// # Errors
    /// [`Refusal`] if a selector cannot be read.
    pub(super) fn selector(&self) -> Result<Selector, Refusal> {
        Selector::parse(self.text("labelSelector"), self.text("fieldSelector"))
    }
}

/// How much of each object the caller wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// All of it.
    Full,
    /// Its metadata alone.
    Metadata,
}

impl Shape {
    /// Reads the `Accept` header.
    pub(super) fn of(parts: &Parts) -> Self {
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accept.contains("as=PartialObjectMetadata") { Self::Metadata } else { Self::Full }
    }

    /// An object in this shape.
    pub(super) fn text(self, raw: &str) -> String {
        match self {
            Self::Full => raw.to_owned(),
            Self::Metadata => {
                let value: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
                let metadata = value.get("metadata").cloned().unwrap_or_default();
                let kind = "PartialObjectMetadata";
                serde_json::json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": metadata}).to_string()
            }
        }
    }

    /// `kind` and `apiVersion` of a list.
    pub(super) fn list(self, kind: Kind) -> (String, String) {
        match self {
            Self::Full => (format!("{}List", kind.kind), kind.api_version()),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        }
    }
}

/// Whether the method only reads.
pub(super) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_path_is_read() {
        let kinds = Kinds::without(&[]);
        let parse = |path: &str| {
            Target::parse(&kinds, path).map(|target| {
                let plural = kinds.all()[target.kind].plural;
                (plural, target.namespace.unwrap_or_default(), target.name.unwrap_or_default(), target.subresource)
            })
        };
        let expect = |plural, namespace: &str, name: &str, subresource: &str| {
            Some((plural, namespace.to_owned(), name.to_owned(), subresource.to_owned()))
        };
        assert_eq!(parse("/api/v1/pods"), expect("pods", "", "", ""));
        assert_eq!(parse("/api/v1/namespaces"), expect("namespaces", "", "", ""));
        assert_eq!(parse("/api/v1/namespaces/a"), expect("namespaces", "", "a", ""));
        assert_eq!(parse("/api/v1/namespaces/a/status"), expect("namespaces", "", "a", "status"));
        assert_eq!(parse("/api/v1/namespaces/a/pods/b%2Dc/log"), expect("pods", "a", "b-c", "log"));
        assert_eq!(parse("/apis/apps/v1/namespaces/a/deployments"), expect("deployments", "a", "", ""));
        assert_eq!(parse("/apis/apps/v1"), None);
        assert_eq!(parse("/apis/none/v1/things"), None);
    }
}
