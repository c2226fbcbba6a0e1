//! What comes in: JSON bodies, queries and path parameters as values, or a problem that says where they are wrong.

use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::problem::Answer;
use crate::domain::Problem;
use crate::domain::problem::did_you_mean;

/// The most bytes of a body of the API. Uploads, webhooks and Git have routes, and limits, of their own.
pub const MAX_BODY: usize = 1 << 20;
/// The longest path parameter; no id that wooo makes is longer.
const MAX_ID: usize = 256;

/// A JSON body of at most [`MAX_BODY`] bytes, without a key given twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Answer;

    async fn from_request(request: Request, _: &S) -> Result<Self, Answer> {
        if !is_json(request.headers()) {
            return Err(Problem::new("body.content_type", "the body is not declared as JSON")
                .hint("send `Content-Type: application/json`")
                .into());
        }
        let bytes = limited(request, MAX_BODY).await?;
        parse(&bytes).map(JsonBody)
    }
}

/// Whether the content type is JSON, or something built on it. A form posted by another site's page never is.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads a body of at most `limit` bytes, and stops reading at the first byte over it.
///
/// # Errors
/// `body.too_large`, or `body.malformed` if the connection broke.
pub async fn limited(request: Request, limit: usize) -> Result<Bytes, Answer> {
    let too_large = || -> Answer {
        Problem::new("body.too_large", format!("the body is larger than {limit} bytes, which is the limit here")).into()
    };
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut stream = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::new("body.malformed", "the body ended before it was complete"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Reads JSON strictly: nothing twice, nothing after the end, at most 128 levels.
///
/// # Errors
/// `body.malformed` with line and column if it is not such JSON; `spec.unknown_field`, `spec.missing_field` or
/// `spec.value` if it is and does not fit.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice::<Strict>(bytes).map_err(|error| malformed(&error))?;
    serde_json::from_slice(bytes).map_err(|error| unfit(&error).into())
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::new("body.malformed", format!("the body is not valid JSON at {line}:{column}: {}", sentence(error)))
}

/// serde's message without the place, which it writes at the end.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn unfit(error: &serde_json::Error) -> Problem {
    let text = sentence(error);
    let place = format!("{}:{}", error.line(), error.column());
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    match (text.split_once(' ').map_or("", |(word, _)| word), quoted.as_slice()) {
        ("unknown", [unknown, known @ ..]) if text.starts_with("unknown field") => {
            let problem = Problem::new("spec.unknown_field", format!("there is no field `{unknown}` ({place})"));
            let problem = problem.field(*unknown);
            match did_you_mean(unknown, known.iter().copied()) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None if known.is_empty() => problem,
                None => problem.hint(format!("the fields are {}", known.join(", "))),
            }
        }
        ("missing", [name, ..]) => {
            Problem::new("spec.missing_field", format!("the field `{name}` is missing ({place})")).field(*name)
        }
        _ => Problem::new("spec.value", format!("{text} ({place})")),
    }
}

/// Any JSON in which no object has a key twice. Which of the two would count differs from reader to reader, and a check
/// that reads the other one checks nothing.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element_seed(Strict)?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            seen.insert(key);
            entries.next_value_seed(Strict)?;
        }
        Ok(self)
    }
}

/// The query of a URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Answer> {
        Query::try_from_uri(&parts.uri).map(|Query(value)| Self(value)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
            Problem::new("query.invalid", format!("the query cannot be read: {reason}")).into()
        })
    }
}

/// The parameters in a path: ids and names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Answer> {
        let invalid =
            || -> Answer { Problem::new("id.invalid", "an id in the path is not one that wooo makes").into() };
        let raw = axum::extract::RawPathParams::from_request_parts(parts, state).await.map_err(|_| invalid())?;
        let plain = |text: &str| {
            text.len() <= MAX_ID
                && !text.is_empty()
                && !text.contains(['/', '\\', '%'])
                && text != "."
                && text != ".."
                && !text.chars().any(char::is_control)
        };
        if !raw.iter().all(|(_, value)| plain(value)) {
            return Err(invalid());
        }
        Path::from_request_parts(parts, state).await.map(|Path(value)| Self(value)).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use serde_json::Value;
    use tower::ServiceExt as _;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        replicas: u32,
        #[serde(default)]
        plan: Option<String>,
    }

    fn refused(text: &str) -> Problem {
        parse::<Wanted>(text.as_bytes()).unwrap_err().problems()[0].clone()
    }

    #[test]
    fn a_good_body_is_read() {
        let wanted: Wanted = parse(br#"{"replicas": 2, "plan": "basic"}"#).unwrap();
        assert_eq!((wanted.replicas, wanted.plan.as_deref()), (2, Some("basic")));
    }

    #[test]
    fn what_is_no_json_says_where() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        for (text, place) in [
            ("{\"replicas\": NaN}", "1:14"),
            ("{\"replicas\": 1,\n \"replicas\": 2}", "2:11"),
            ("{\"replicas\": 1, \"x\": {\"a\": 1, \"a\": 2}}", "1:33"),
            ("{\"replicas\": 1} x", "1:17"),
            ("", "1:0"),
            (deep.as_str(), "1:128"),
        ] {
            let problem = refused(text);
            assert_eq!(problem.code, "body.malformed", "{problem}");
            assert!(problem.detail.contains(&format!("at {place}: ")), "{problem} is not at {place}");
        }
    }

    #[test]
    fn what_does_not_fit_says_what_was_meant() {
        let problem = refused(r#"{"replcias": 3}"#);
        assert_eq!((problem.code, problem.field.as_deref()), ("spec.unknown_field", Some("replcias")));
        assert_eq!(problem.hints, ["did you mean `replicas`?"]);
        assert_eq!(refused("{}").code, "spec.missing_field");
        assert_eq!(refused(r#"{"replicas": "3"}"#).code, "spec.value");
        assert_eq!(refused(r#"{"replicas": -3}"#).code, "spec.value");
        assert_eq!(refused("[]").code, "spec.value");
    }

    async fn status(content_type: Option<&str>, body: Body) -> (u16, Value) {
        async fn take(JsonBody(value): JsonBody<Value>) -> String {
            value.to_string()
        }
        let mut request = Request::post("/").body(body).unwrap();
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let response = Router::new().route("/", post(take)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), MAX_BODY).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn content_type_and_size_are_checked_before_the_content() {
        assert_eq!(status(Some("application/json; charset=utf-8"), "{}".into()).await.0, 200);
        assert_eq!(status(Some("application/merge-patch+json"), "{}".into()).await.0, 200);
        for wrong in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("text/json")] {
            let (status, body) = status(wrong, "{}".into()).await;
            assert_eq!((status, &body["code"]), (415, &Value::from("body.content_type")));
        }
        let large = vec![b' '; MAX_BODY + 1];
        let (code, body) = status(Some("application/json"), large.clone().into()).await;
        assert_eq!((code, &body["code"]), (413, &Value::from("body.too_large")));
        assert!(body["detail"].as_str().unwrap().contains("1048576"));
        // Without a declared length.
        let chunks = futures::stream::iter(
            large.chunks(65536).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
        );
        assert_eq!(status(Some("application/json"), Body::from_stream(chunks)).await.0, 413);
    }

    #[tokio::test]
    async fn ids_that_wooo_never_makes_are_refused_early() {
        async fn take(Id(id): Id<String>) -> String {
            id
        }
        let router = Router::new().route("/apps/{id}", get(take));
        let long = "a".repeat(10_000);
        for (id, expected) in [
            ("app-0123456789", 200),
            ("a%00b", 400),
            ("%2e%2e", 400),
            ("a%2Fb", 400),
            ("a%252fb", 400),
            ("%ff", 400),
            (long.as_str(), 400),
        ] {
            let request = Request::get(format!("/apps/{id}")).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{id}");
        }
    }

    #[tokio::test]
    async fn a_query_that_does_not_fit_is_a_problem() {
        #[derive(Deserialize)]
        struct Page {
            limit: u32,
        }
        async fn take(Parameters(page): Parameters<Page>) -> String {
            page.limit.to_string()
        }
        let router = Router::new().route("/", get(take));
        for (query, expected) in [("limit=5", 200), ("limit=x", 400), ("", 400)] {
            let request = Request::get(format!("/?{query}")).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{query}");
        }
    }
}
