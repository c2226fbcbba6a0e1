//! The router: all routes with their rules, and the layers around them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};

use super::auth::{RouteRule, Routes, Rule};
use super::headers::{HeaderPolicy, secure};
use super::problem::{Answer, TraceId, method_not_allowed, no_route, panicked, trace};
use super::state::AppState;
use super::{api, health, openapi, telemetry, webhooks};
use crate::domain::Problem;

/// How long a handler may take to begin its answer. A stream of events begins at once, and what Git takes is limited by
/// its own part.
const PATIENCE: Duration = Duration::from_secs(60);

/// The service, ready to be served.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// All routes with all layers.
    pub router: Router,
    /// The rule of every route that has one. What the local forge serves to Git decides for itself.
    pub table: Vec<RouteRule>,
    /// The OpenAPI document.
    pub description: Arc<Value>,
}

/// The routes of this part: API, health, metrics, description.
#[must_use]
pub fn routes() -> Routes<AppState> {
    own_routes(&Arc::default())
}

fn own_routes(document: &Arc<OnceLock<String>>) -> Routes<AppState> {
    let document = Arc::clone(document);
    let describe = move || {
        let text = document.get().cloned().unwrap_or_default();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    let only_get = [Method::GET];
    api::routes()
        .merge(webhooks::routes())
        .plain(Rule::Public, &only_get, "/healthz", get(health::alive))
        .plain(Rule::Public, &only_get, "/readyz", get(health::ready))
        .plain(Rule::Public, &only_get, "/metrics", get(telemetry::metrics))
        .plain(Rule::Public, &only_get, openapi::PATH, get(describe))
        .plain(Rule::Public, &only_get, "/api/docs", get(openapi::to_page))
        .plain(Rule::Public, &only_get, "/api/docs/", get(openapi::page))
        .plain(Rule::Public, &only_get, "/api/docs/{*rest}", get(openapi::page))
}

/// The description of the API with the routes of other parts, without a service.
#[must_use]
pub fn describe(others: Routes<AppState>) -> Value {
    let (_, openapi, _) = routes().merge(others).split();
    openapi::complete(openapi)
}

/// Puts the service together. `others` are the routes of other parts; `identify` lays the middleware around all routes
/// that finds out who a request comes from; `git` is what serves repositories, which has rules of its own.
#[must_use]
pub fn assemble(
    state: &AppState,
    others: Routes<AppState>,
    identify: impl FnOnce(Router) -> Router,
    git: Option<Router>,
) -> Assembled {
    let text = Arc::new(OnceLock::new());
    let (router, openapi, table) = own_routes(&text).merge(others).split();
    let description = Arc::new(openapi::complete(openapi));
    let _first = text.set(description.to_string());
    let router = router
        .fallback(no_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(state.clone()))
        .with_state(state.clone());
    let router = identify(router).layer(from_fn(hurry));
    let router = match git {
        Some(git) => router.merge(git),
        None => router,
    };
    let https = state.public_url.starts_with("https://");
    // Git packs what it sends, and a stream of events must not wait for a block to fill.
    let packed = DefaultPredicate::new().and(NotForContentType::const_new("application/x-git"));
    let router = router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), telemetry::observe))
        .layer(from_fn(name_request))
        .layer(from_fn(trace))
        .layer(from_fn_with_state(HeaderPolicy { https }, secure))
        .layer(CompressionLayer::new().compress_when(packed));
    Assembled { router, table, description }
}

/// Ends what takes too long. What was written down stays, and is carried on by workers.
async fn hurry(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let problem = Problem::new("service.timeout", "the service did not come to an answer in time");
            Answer::from(problem).retry_after(Duration::from_secs(5)).into_response()
        }
    }
}

/// Gives the answer the name under which proxies and people look for a request.
async fn name_request(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<TraceId>().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}
