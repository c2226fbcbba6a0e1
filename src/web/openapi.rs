//! The description of the API: one OpenAPI 3.1 document, and a page to read it in that needs no other host.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema as _;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use super::api::events::ChangeEvent;
use super::problem::{Answer, internal, no_route};
use crate::domain::AppSpec;

/// Where the document is.
pub const PATH: &str = "/api/openapi.json";

/// What the page may do beyond what every page may: its styles and pictures are written into it.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// The document out of what the routes say of themselves.
#[must_use]
pub fn complete(openapi: OpenApi) -> Value {
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    document["info"] = json!({
        "title": "wooo",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "From a short app spec to a reviewed change of a fleet repository",
        "description": "Every change goes through a merge request on the fleet repository. What is accepted is written \
            down before it is answered, and `GET /api/changes/{id}` or its events say what becomes of it. Errors are \
            problem documents (RFC 9457) whose `code` is the same in the API, on the command line, in the portal and in \
            comments.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["tags"] = json!([
        {"name": "apps", "description": "Apps and what belongs to them"},
        {"name": "deploy", "description": "Wishes about an app, and what was deployed"},
        {"name": "changes", "description": "What was asked for and what became of it"},
        {"name": "monitor", "description": "What runs, as clusters and Prometheus tell it"},
        {"name": "alerts", "description": "What was alerted"},
        {"name": "repair", "description": "What was done about it"},
        {"name": "templates", "description": "What manifests are made of"},
        {"name": "audit", "description": "Who did what"},
        {"name": "fleets", "description": "Fleet repositories, and what this service is"},
        {"name": "auth", "description": "Signing in"},
        {"name": "users", "description": "People, tokens and roles"},
    ]);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        let (schema, definitions) = app_schema();
        schemas.insert("NewApp".to_owned(), schema);
        for (name, definition) in definitions {
            schemas.entry(name).or_insert(definition);
        }
        // Nothing refers to it as a whole: it is inside a text.
        schemas.insert("ChangeEvent".to_owned(), json!(ChangeEvent::schema()));
    }
    document["components"]["schemas"]["ChangeMessage"]["properties"]["data"]["contentSchema"] =
        json!({"$ref": "#/components/schemas/ChangeEvent"});
    document
}

/// The schema of an app spec with what may stand beside it in a body.
fn app_schema() -> (Value, Map<String, Value>) {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut schema = <AppSpec as JsonSchema>::json_schema(&mut generator).to_value();
    let beside = [
        ("environment", "Where it goes; the first environment that nothing is promoted to if absent."),
        ("fleet", "The fleet; needed where there are several."),
        ("tenant", "The tenant that it should belong to. It is refused if fleet.yaml says otherwise."),
        ("reason", "Why."),
    ];
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let required: Vec<&str> = required.iter().filter_map(Value::as_str).collect();
        for (name, property) in properties.iter_mut() {
            if !required.contains(&name.as_str()) {
                // In a body `null` is the same as nothing, as in YAML, where a key without a value is `null`.
                *property = or_null(std::mem::take(property));
            }
        }
        for (name, description) in beside {
            properties.insert(name.to_owned(), json!({"type": ["string", "null"], "description": description}));
        }
    }
    (schema, generator.take_definitions(true))
}

/// The same schema, which allows `null`, too.
fn or_null(mut schema: Value) -> Value {
    let allows = |schema: &Value| {
        schema["type"] == "null" || schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")))
    };
    let is_allowed = allows(&schema) || schema["anyOf"].as_array().is_some_and(|any| any.iter().any(allows));
    if is_allowed {
        return schema;
    }
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let mut both = json!({"anyOf": [schema, {"type": "null"}]});
    if let Some(description) = description {
        both["description"] = description;
    }
    both
}

/// A page of the browsable description.
pub(super) async fn page(path: Option<Path<String>>) -> Result<Response, Answer> {
    let tail = path.map(|Path(tail)| tail).unwrap_or_default();
    let config = Arc::new(Config::from(PATH));
    let file = utoipa_swagger_ui::serve(&tail, config).map_err(|error| {
        tracing::error!(%error, "the page that describes the API cannot be made");
        internal()
    })?;
    let Some(file) = file else { return Err(no_route(format!("/api/docs/{tail}").parse().unwrap_or_default()).await) };
    let mut response = (StatusCode::OK, file.bytes.into_owned()).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &file.content_type);
    set(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    if file.gzpipped {
        set(header::CONTENT_ENCODING, "gzip");
    }
    Ok(response)
}

/// The page's own links are relative to its folder.
pub(super) async fn to_page() -> Redirect {
    Redirect::permanent("/api/docs/")
}
