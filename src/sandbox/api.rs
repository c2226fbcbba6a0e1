//! The Kubernetes API of a sandbox cluster: get, list, create, replace, patch and delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, WARNING};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kinds::Kind;
use super::patch;
use super::refusal::Refusal;
use super::request::{Query, Shape, Target, is_read};
use super::store::{Key, Part, Store};
use super::{discovery, watching};
use crate::yaml;

/// Answers a request whose path is `path` within the cluster.
pub(super) fn answer(cluster: &Arc<Cluster>, path: &str, parts: &Parts, body: &Bytes) -> Response {
    let answer = serve(cluster, path, parts, body);
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let Ok(word) = "299 - \"this is a sandbox of wooo: nothing runs here\"".parse()
        && !is_read(&parts.method)
    {
        response.headers_mut().insert(WARNING, word);
    }
    response
}

fn serve(cluster: &Arc<Cluster>, path: &str, parts: &Parts, body: &Bytes) -> Result<Response, Refusal> {
    let Some(target) = Target::parse(&cluster.kinds, path) else {
        return discovery::answer(&cluster.kinds, path).ok_or_else(Refusal::no_resource);
    };
    let kind = cluster.kinds.all().get(target.kind).copied().ok_or_else(Refusal::no_resource)?;
    let query = Query::of(parts);
    let shape = Shape::of(parts);
    let Some(name) = &target.name else {
        return collection(cluster, &target, kind, &query, shape, parts, body);
    };
    let mut store = cluster.store();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let key = store.key(target.kind, if kind.namespaced { namespace } else { "" }, name);
    let part = match target.subresource.as_str() {
        "" => Part::Main,
        "status" => Part::Status,
        "log" if kind.kind == "Pod" => {
            store.get(&key).ok_or_else(|| Refusal::not_found("pods", name))?;
            let text = format!("this is a sandbox of wooo: {namespace}/{name} runs nothing, so it has no output\n");
            return Ok(([(CONTENT_TYPE, "text/plain")], text).into_response());
        }
        "eviction" if kind.kind == "Pod" && parts.method == Method::POST => {
            store.delete(&key)?;
            return Ok(json_answer(StatusCode::CREATED, &success()));
        }
        _ => return Err(Refusal::no_resource()),
    };
    match parts.method {
        Method::GET => {
            let object = store.get(&key).ok_or_else(|| Refusal::not_found(&kind.qualified(), name))?;
            Ok(text_answer(StatusCode::OK, shape.text(&object.raw)))
        }
        Method::PUT => {
            let object = store.replace(&key, read_body(body)?, part)?;
            Ok(text_answer(StatusCode::OK, shape.text(&object.raw)))
        }
        Method::PATCH => patch_object(&mut store, &key, kind, part, &query, parts, body, shape),
        Method::DELETE => {
            let object = store.delete(&key)?;
            Ok(text_answer(StatusCode::OK, shape.text(&object.raw)))
        }
        _ => Err(Refusal::method()),
    }
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of one request, and used once")]
fn patch_object(
    store: &mut Store,
    key: &Key,
    kind: Kind,
    part: Part,
    query: &Query,
    parts: &Parts,
    body: &Bytes,
    shape: Shape,
) -> Result<Response, Refusal> {
    let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let was_there = store.get(key).is_some();
    let object = if media == "application/apply-patch+yaml" {
        let manager = query.text("fieldManager");
        if manager.is_empty() {
            return Err(Refusal::bad_request("fieldManager is required for apply patch"));
        }
        store.apply(key, &read_body(body)?, manager, part)?
    } else {
        let mut value = store.value(key).ok_or_else(|| Refusal::not_found(&kind.qualified(), &key.name))?;
        // The version stays only if the patch names it: otherwise the patch is for whatever is there.
        let is_based = read_body(body)?.pointer("/metadata/resourceVersion").is_some();
        match media {
            "application/merge-patch+json" => patch::merge(&mut value, read_body(body)?),
            "application/strategic-merge-patch+json" => patch::strategic(&mut value, read_body(body)?),
            "application/json-patch+json" => patch::json_patch(&mut value, &read_body(body)?)?,
            other => return Err(Refusal::media_type(other)),
        }
        if !is_based && let Some(metadata) = value.get_mut("metadata") {
            patch::as_object(metadata).shift_remove("resourceVersion");
        }
        store.replace(key, value, part)?
    };
    let code = if was_there { StatusCode::OK } else { StatusCode::CREATED };
    Ok(text_answer(code, shape.text(&object.raw)))
}

fn collection(
    cluster: &Arc<Cluster>,
    target: &Target,
    kind: Kind,
    query: &Query,
    shape: Shape,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let selector = query.selector()?;
    match parts.method {
        Method::GET if query.flag("watch") => watching::watch(cluster, target, query, selector, shape),
        Method::GET => list(&cluster.store(), target, kind, query, shape),
        Method::POST => {
            let namespace = target.namespace.as_deref().unwrap_or_default();
            if kind.namespaced && namespace.is_empty() {
                return Err(Refusal::method());
            }
            let value = read_body(body)?;
            let claims = value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
            if kind.namespaced && !claims.is_empty() && claims != namespace {
                return Err(Refusal::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            let object = cluster.store().create(target.kind, namespace, value)?;
            Ok(text_answer(StatusCode::CREATED, shape.text(&object.raw)))
        }
        Method::DELETE => {
            let mut store = cluster.store();
            let keys: Vec<Key> = store
                .list(target.kind, target.namespace.as_deref(), None)
                .filter(|object| selector.is_empty() || selector.matches(&object.value()))
                .map(|object| object.key.clone())
                .collect();
            for key in keys {
                let _gone = store.delete(&key);
            }
            Ok(json_answer(StatusCode::OK, &success()))
        }
        _ => Err(Refusal::method()),
    }
}

/// A list, or one page of it. Pages are read from what is there now and carry the version of the first one, so that a
/// watch from there sees whatever changed in between.
fn list(store: &Store, target: &Target, kind: Kind, query: &Query, shape: Shape) -> Result<Response, Refusal> {
    let selector = query.selector()?;
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let (version, after) = match query.text("continue") {
        "" => (store.version(), None),
        token => {
            let (version, after) = read_token(token)?;
            store.events_after(target.kind, version)?;
            (version, Some(after))
        }
    };
    let mut items: Vec<String> = Vec::new();
    let mut last = None;
    let mut more = false;
    for object in store.list(target.kind, target.namespace.as_deref(), after) {
        if !selector.is_empty() && !selector.matches(&object.value()) {
            continue;
        }
        if items.len() == limit {
            more = true;
            break;
        }
        items.push(shape.text(&object.raw));
        last = Some(&object.key);
    }
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let (true, Some(last)) = (more, last) {
        let token = format!("{version}/{}/{}", last.namespace, last.name);
        patch::as_object(&mut metadata).insert("continue".to_owned(), json!(token));
    }
    let (kind, api_version) = shape.list(kind);
    let text = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[{}]}}",
        items.join(",")
    );
    Ok(text_answer(StatusCode::OK, text))
}

/// The version of the first page, and the last object that was sent: namespace and name.
type Token = (u64, (Box<str>, Box<str>));

fn read_token(token: &str) -> Result<Token, Refusal> {
    let mut parts = token.splitn(3, '/');
    let version = parts.next().and_then(|text| text.parse().ok());
    match (version, parts.next(), parts.next()) {
        (Some(version), Some(namespace), Some(name)) => Ok((version, (namespace.into(), name.into()))),
        _ => Err(Refusal::bad_request("continue key is not valid")),
    }
}

/// JSON is YAML, so one reader serves both; but JSON's own is a hundred times as fast.
fn read_body(body: &Bytes) -> Result<Value, Refusal> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = str::from_utf8(body).map_err(|_| Refusal::bad_request("the body is not UTF-8 text"))?;
    let mut documents = yaml::read_all(text).map_err(|error| Refusal::bad_request(error.message))?;
    match documents.len() {
        1 => Ok(documents.remove(0)),
        _ => Err(Refusal::bad_request("the body of the request is not one object")),
    }
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}

/// An answer in JSON.
pub(super) fn json_answer(code: StatusCode, value: &Value) -> Response {
    text_answer(code, value.to_string())
}

fn text_answer(code: StatusCode, text: String) -> Response {
    (code, [(CONTENT_TYPE, "application/json")], text).into_response()
}
