//! Problems as HTTP answers (RFC 9457): the body, the trace id, the handlers for what no route answers, and panics.
//!
//! It makes no problem of its own but those of HTTP itself; what a code means is said where the code is made, and which
//! status it has in [`super::status`].

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::status;
use crate::domain::{Location, Problem, Problems};
use crate::store;

/// The media type of a problem document.
const MEDIA_TYPE: &str = "application/problem+json";
/// The header in which the trace id goes out, so that successes can be found in the logs too.
const TRACE_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// What a handler answers when it cannot do what was asked: at least one problem.
#[derive(Clone, Debug)]
pub struct Answer {
    problems: Problems,
    retry_after: Option<Duration>,
}

impl Answer {
    /// An answer that also says when to come back, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The status: that of the first problem. A code that the table does not know is our mistake, not the caller's.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.first().map_or(StatusCode::INTERNAL_SERVER_ERROR, |problem| {
            status::of(problem.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }

    /// The code of the first problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.first().map_or(INTERNAL, |problem| problem.code)
    }

    /// The problems.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.problems.as_slice()
    }

    fn first(&self) -> Option<&Problem> {
        self.problems.as_slice().first()
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self { problems: problem.into(), retry_after: None }
    }
}

impl From<Problems> for Answer {
    fn from(problems: Problems) -> Self {
        Self { problems, retry_after: None }
    }
}

impl From<store::Error> for Answer {
    fn from(error: store::Error) -> Self {
        let answer = Self::from(error.problem());
        if error.is_temporary() { answer.retry_after(Duration::from_secs(5)) } else { answer }
    }
}

/// One problem as it stands in the document.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// All hints, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
}

impl From<&Problem> for Entry {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code,
            detail: problem.detail.clone(),
            field: problem.field.clone(),
            hint: problem.hints.first().cloned(),
            hints: if problem.hints.len() > 1 { problem.hints.clone() } else { Vec::new() },
            location: problem.location.clone(),
        }
    }
}

/// The document. It travels as an extension of the response until [`trace`] knows the id of the request.
#[derive(Clone, Debug, Serialize)]
struct Document {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(flatten)]
    first: Entry,
    /// Everything that is wrong, the first again with it, where it is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// The schema of a problem document, for the description of the API.
#[must_use]
pub fn schema() -> RefOr<Schema> {
    let text = |name: &str, description: &str| {
        (name.to_owned(), ObjectBuilder::new().schema_type(Type::String).description(Some(description)).build())
    };
    let texts = [
        text("type", "A URI that names the kind of problem"),
        text("title", "What the status means"),
        text("code", "A stable, dotted name for programs"),
        text("detail", "What is wrong, in one sentence"),
        text("field", "The field that it is about"),
        text("hint", "What to do next"),
        text("trace_id", "Under which the service's log says more"),
    ];
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    for (name, schema) in texts {
        object = object.property(name, schema);
    }
    let status = ObjectBuilder::new().schema_type(Type::Integer).build();
    let hints = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String)).build();
    let place = ObjectBuilder::new().schema_type(Type::Object).description(Some("Where in a text it is")).build();
    let problems = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Object)).build();
    let object = object.property("status", status).property("hints", hints).property("location", place);
    let object = object.property("problems", problems);
    ["type", "title", "status", "code", "detail"].iter().fold(object, |object, name| object.required(*name)).into()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = self.status();
        let Some(first) = self.first() else { return internal().into_response() };
        if status.is_server_error() {
            tracing::warn!(code = first.code, detail = %first.detail, "the answer is a problem of ours");
        }
        let all = self.problems.as_slice();
        let document = Document {
            r#type: format!("urn:wooo:problem:{}", first.code),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            first: first.into(),
            problems: if all.len() > 1 { all.iter().map(Entry::from).collect() } else { Vec::new() },
            trace_id: None,
        };
        let mut response = rendered(&document, status);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(document);
        response
    }
}

fn rendered(document: &Document, status: StatusCode) -> Response {
    let mut response = (status, Json(document)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    // A problem is about one request at one time; a cache in between must not answer the next person with it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The id under which the logs of a request are found: 32 hexadecimal digits, as in the W3C's trace context.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceId(String);

impl TraceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that the caller sent in `traceparent`, or a new one. Anything that has not exactly the specified form is
    /// ignored, because the id is repeated in logs and answers.
    fn of(request: &Request) -> Self {
        let sent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        let id = sent.and_then(|text| text.split('-').nth(1)).filter(|id| {
            id.len() == 32
                && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                && id.bytes().any(|byte| byte != b'0')
        });
        Self(id.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned))
    }
}

/// Middleware: gives the request a [`TraceId`] (an extension) and writes it into the answer, also into a problem.
pub async fn trace(mut request: Request, next: Next) -> Response {
    let id = TraceId::of(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Some(mut document) = response.extensions_mut().remove::<Document>() {
        document.trace_id = Some(id.0.clone());
        let status = response.status();
        let (parts, body) = rendered(&document, status).into_parts();
        *response.body_mut() = body;
        if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(TRACE_HEADER, value);
    }
    response
}

const INTERNAL: &str = "http.internal";

/// The answer to a fault of ours. What happened stands in the log, under the trace id, and nowhere else.
#[must_use]
pub fn internal() -> Answer {
    Problem::new(INTERNAL, "the service failed to answer this request")
        .hint("give the trace_id of this answer to whoever runs the service")
        .into()
}

/// For `Router::fallback`: no route has this path.
pub async fn no_route(uri: Uri) -> Answer {
    // The path is the caller's own text; a long one is cut, so that an answer is never much larger than its question.
    let path: String = uri.path().chars().take(200).collect();
    Problem::new("http.no_route", format!("there is nothing at `{path}`"))
        .hint("the paths of the API are listed in /api/openapi.json")
        .into()
}

/// For `Router::method_not_allowed_fallback`: the path is there, the method is not.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Answer {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new("http.method", format!("`{path}` does not take {method}")).into()
}

/// For `tower_http::catch_panic::CatchPanicLayer::custom`: a panic costs one request its answer, and the answer says
/// nothing of it. The panic hook has logged the message and the place already.
#[must_use]
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a handler panicked");
    internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn ask(router: Router, request: axum::http::Request<Body>) -> (Response<()>, Value) {
        let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    fn router() -> Router {
        async fn two() -> Answer {
            let problems = vec![
                Problem::new("spec.range", "`replicas` is at most 10").field("replicas").hint("ask for 10"),
                Problem::new("spec.value", "`port` is no port").hint("one").hint("two"),
            ];
            Problems::check(problems).unwrap_err().into()
        }
        async fn panics() -> &'static str {
            panic!("the password is hunter2")
        }
        async fn later() -> Answer {
            Answer::from(Problem::new("rate.limited", "too much")).retry_after(Duration::from_millis(1500))
        }
        Router::new()
            .route("/two", get(two))
            .route("/panics", get(panics))
            .route("/later", get(later))
            .fallback(no_route)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(CatchPanicLayer::custom(panicked))
            .layer(axum::middleware::from_fn(trace))
    }

    fn request(method: &str, path: &str) -> axum::http::Request<Body> {
        axum::http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn several_problems_make_one_document_with_the_trace_id() {
        let mut asked = request("GET", "/two");
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        asked.headers_mut().insert("traceparent", format!("00-{id}-00f067aa0ba902b7-01").parse().unwrap());
        let (response, body) = ask(router(), asked).await;
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-trace-id"], id);
        let expected = serde_json::json!({
            "type": "urn:wooo:problem:spec.range", "title": "Unprocessable Entity", "status": 422,
            "code": "spec.range", "detail": "`replicas` is at most 10", "field": "replicas", "hint": "ask for 10",
            "problems": [
                {"code": "spec.range", "detail": "`replicas` is at most 10", "field": "replicas", "hint": "ask for 10"},
                {"code": "spec.value", "detail": "`port` is no port", "hint": "one", "hints": ["one", "two"]},
            ],
            "trace_id": id,
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn a_forged_trace_id_is_replaced() {
        let mut asked = request("GET", "/two");
        asked.headers_mut().insert("traceparent", "00-\"}<script>-x-01".parse().unwrap());
        let (_, body) = ask(router(), asked).await;
        assert_eq!(body["trace_id"].as_str().map(str::len), Some(32));
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_says_nothing() {
        let (response, body) = ask(router(), request("GET", "/panics")).await;
        assert_eq!((response.status().as_u16(), &body["code"]), (500, &Value::from("http.internal")));
        assert!(!body.to_string().contains("hunter2"));
        assert!(body["trace_id"].is_string());
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_problems_too() {
        let (response, body) = ask(router(), request("GET", "/nowhere")).await;
        assert_eq!((response.status().as_u16(), &body["code"]), (404, &Value::from("http.no_route")));
        let (response, body) = ask(router(), request("DELETE", "/two")).await;
        assert_eq!((response.status().as_u16(), &body["code"]), (405, &Value::from("http.method")));
    }

    #[tokio::test]
    async fn waiting_is_told_in_whole_seconds() {
        let (response, _) = ask(router(), request("GET", "/later")).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
    }
}
