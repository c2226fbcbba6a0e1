//! What the API server says about itself: its version, its groups, its resources.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api::json_answer;
use super::kinds::{Kind, Kinds};

/// The version that the sandbox says it is.
pub(super) const GIT_VERSION: &str = "v1.37.0+wooo-sandbox";

/// The answer for a path that is none of a resource, or `None`.
pub(super) fn answer(kinds: &Kinds, path: &str) -> Option<Response> {
    let segments: Vec<&str> = path.split('/').filter(|text| !text.is_empty()).collect();
    let value = match segments.as_slice() {
        ["version"] => version(),
        ["healthz" | "livez" | "readyz"] => return Some("ok".into_response()),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ["api", "v1"] => resources(kinds, "", "v1")?,
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(kinds)}),
        ["apis", group] => {
            groups(kinds).into_iter().find(|found| found.get("name").is_some_and(|name| name == group))?
        }
        ["apis", group, version] => resources(kinds, group, version)?,
        _ => return None,
    };
    Some(json_answer(StatusCode::OK, &value))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "37",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": "",
        "compiler": "",
        "platform": "wooo/sandbox",
    })
}

fn groups(kinds: &Kinds) -> Vec<Value> {
    let mut versions: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in kinds.all().iter().filter(|kind| !kind.group.is_empty()) {
        match versions.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => versions.push((kind.group, vec![kind.version])),
        }
    }
    let entry = |(group, versions): (&str, Vec<&str>)| {
        let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
        let versions: Vec<Value> = versions.iter().map(version).collect();
        let preferred = versions.first().cloned();
        json!({"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": versions, "preferredVersion": preferred})
    };
    versions.into_iter().map(entry).collect()
}

fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let found: Vec<&Kind> = kinds.all().iter().filter(|kind| kind.group == group && kind.version == version).collect();
    let api_version = found.first()?.api_version();
    let mut list = Vec::new();
    for kind in found {
        let short: Vec<&str> = Some(kind.short).filter(|short| !short.is_empty()).into_iter().collect();
        list.push(json!({
            "name": kind.plural,
            "singularName": kind.kind.to_lowercase(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": short,
        }));
        list.push(json!({
            "name": format!("{}/status", kind.plural),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get", "patch", "update"],
        }));
    }
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": list}))
}
