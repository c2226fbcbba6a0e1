//! How the sandbox's API server refuses: the `Status` objects of the real one.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) code: u16,
    /// The word for programs.
    pub(super) reason: &'static str,
    /// One sentence, as the real server says it.
    pub(super) message: String,
}

impl Refusal {
    /// No object of that name.
    pub(super) fn not_found(qualified: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{qualified} \"{name}\" not found"))
    }

    /// No such path, as in a cluster that lacks the definition.
    pub(super) fn no_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource".to_owned())
    }

    /// The name is taken.
    pub(super) fn exists(qualified: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{qualified} \"{name}\" already exists"))
    }

    /// The object is not the one that the caller has read.
    pub(super) fn conflict(qualified: &str, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {qualified} \"{name}\": the object has been modified; please apply your \
             changes to the latest version and try again"
        );
        Self::new(409, "Conflict", message)
    }

    /// The history does not go back so far.
    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// The request makes no sense.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message.into())
    }

    /// The object makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message.into())
    }

    /// The method is not for this path.
    pub(super) fn method() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource".to_owned())
    }

    /// The body is of a type that is not read.
    pub(super) fn media_type(found: &str) -> Self {
        let message = format!("the body of the request was in an unknown format - {found}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message }
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, [(CONTENT_TYPE, "application/json")], self.status().to_string()).into_response()
    }
}
