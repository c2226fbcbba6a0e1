//! `/api/auth/exchange`: the token of a job of GitHub Actions or GitLab CI for a short-lived one of ours (RFC 8693).

use axum::Json;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sign_in::private;
use super::view::Secret;
use crate::domain::Problem;
use crate::web::api::answers::Writing;
use crate::web::auth::Auth;
use crate::web::body::{is_json, limited, parse};
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPES: [&str; 2] = ["urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"];
const ISSUED: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Tokens of pipelines have a few kilobytes.
const MAX_BODY: usize = 32 << 10;

/// What is exchanged.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Exchange {
    /// `urn:ietf:params:oauth:grant-type:token-exchange`
    #[schema(example = "urn:ietf:params:oauth:grant-type:token-exchange")]
    grant_type: String,
    /// The token that the forge made for the job.
    #[schema(value_type = String)]
    subject_token: Secret,
    /// What kind of token it is; a JWT either way.
    #[schema(example = "urn:ietf:params:oauth:token-type:id_token")]
    subject_token_type: String,
}

/// A token of ours.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Exchanged {
    /// The token, to be sent as `Authorization: Bearer`.
    access_token: String,
    /// What kind of token it is.
    issued_token_type: &'static str,
    /// How it is sent.
    token_type: &'static str,
    /// How long it is good for, in seconds.
    expires_in: u64,
    /// What it may be used for.
    scope: &'static str,
    /// Who the job is, as commits and the audit name it.
    name: String,
}

/// Exchange a pipeline's token
///
/// A job needs no secret: its forge says which repository it belongs to, and a trust rule of this service says what that
/// repository may deploy.
#[utoipa::path(post, path = "/api/auth/exchange", tag = "auth", operation_id = "exchange_token",
    request_body(content((Exchange = "application/x-www-form-urlencoded"), (Exchange = "application/json"))),
    responses((status = 200, description = "A token for ten minutes", body = Exchanged),
        (status = 401, description = "The token is not valid here"),
        (status = 403, description = "No trust rule admits the pipeline"), Writing))]
pub(super) async fn exchange(auth: Auth, address: ClientAddress, request: Request) -> Result<Response, Answer> {
    let is_form = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !is_form && !is_json(request.headers()) {
        let problem = Problem::new("body.content_type", "the body is neither a form nor JSON");
        return Err(problem.hint("send `Content-Type: application/x-www-form-urlencoded`").into());
    }
    let bytes = limited(request, MAX_BODY).await?;
    let asked = if is_form { form(&bytes)? } else { parse::<Exchange>(&bytes)? };
    if asked.grant_type != GRANT {
        return Err(grant("grant_type", GRANT).into());
    }
    if !TYPES.contains(&asked.subject_token_type.as_str()) {
        return Err(grant("subject_token_type", TYPES[0]).into());
    }
    let token = auth.exchange(&asked.subject_token.0, address).await?;
    let exchanged = Exchanged {
        access_token: token.token.expose_secret().to_owned(),
        issued_token_type: ISSUED,
        token_type: "Bearer",
        expires_in: token.life.as_secs(),
        scope: "deploy",
        name: token.display,
    };
    Ok(private(Json(exchanged).into_response()))
}

fn grant(field: &str, expected: &str) -> Problem {
    Problem::new("auth.grant", format!("`{field}` is not one that is exchanged here"))
        .field(field)
        .hint(format!("send `{expected}`"))
}

/// Reads a form in which nothing that counts is there twice.
fn form(bytes: &[u8]) -> Result<Exchange, Problem> {
    let one = |name: &str| {
        let mut values = url::form_urlencoded::parse(bytes).filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value.into_owned()),
            (None, _) => Err(Problem::new("auth.grant", format!("the field `{name}` is missing")).field(name)),
            _ => Err(Problem::new("auth.grant", format!("the field `{name}` is there twice")).field(name)),
        }
    };
    Ok(Exchange {
        grant_type: one("grant_type")?,
        subject_token: one("subject_token")?.into(),
        subject_token_type: one("subject_token_type")?,
    })
}
