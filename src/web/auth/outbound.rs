//! Calls to the forges and issuers that the settings name: JSON over https, small, bounded in time, without redirects.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::host::is_this_machine;

/// For connecting, and for the whole answer.
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(10);
/// The most bytes of an answer. A set of keys has a few thousand.
const MAX_ANSWER: usize = 512 * 1024;

/// Why a call failed. It holds neither what was sent nor what came back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct OutboundError(String);

/// The client for these calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound(Client);

impl Outbound {
    /// A client with a pool of its own.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, OutboundError> {
        // A redirect would take the code, the client's secret or a token to an address that nobody configured.
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent("wooo")
            .build()
            .map_err(|error| described(&error))?;
        Ok(Self(client))
    }

    /// Gets JSON, with a bearer token if one is given.
    ///
    /// # Errors
    /// If there is no such JSON, or not in time.
    pub async fn json<T: DeserializeOwned>(&self, url: &Url, token: Option<&SecretString>) -> Result<T, OutboundError> {
        let request = self.0.request(Method::GET, url.clone()).header("accept", "application/json");
        let request = match token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let (status, body) = self.bytes(request).await?;
        if status != StatusCode::OK {
            return Err(OutboundError(format!("it answered with status {}", status.as_u16())));
        }
        serde_json::from_slice(&body)
            .map_err(|_| OutboundError("its answer is not the JSON that was expected".to_owned()))
    }

    /// Sends a request that the `oauth2` crate made.
    pub(super) async fn send(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, OutboundError> {
        let request = Request::try_from(request).map_err(|error| described(&error))?;
        let builder = RequestBuilder::from_parts(self.0.clone(), request);
        let (status, body) = self.bytes(builder).await?;
        let mut response = oauth2::HttpResponse::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert("content-type", oauth2::http::HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), OutboundError> {
        let mut response = request.send().await.map_err(|error| described(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| described(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(OutboundError("its answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

/// The kind of failure. The URL stays out: a query can hold a code.
fn described(error: &reqwest::Error) -> OutboundError {
    let text = if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the call failed"
    };
    OutboundError(text.to_owned())
}

/// An address from the settings or from an issuer's description: https, or http on a loopback address, and without a
/// user, a password or a fragment.
///
/// # Errors
/// If it is another.
pub fn address(text: &str) -> Result<Url, OutboundError> {
    let invalid = || OutboundError(format!("`{text}` is no https address"));
    let url = Url::parse(text).map_err(|_| invalid())?;
    let loopback = is_this_machine(&url).ok_or_else(invalid)?;
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if scheme && plain { Ok(url) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["https://gitlab.example", "http://127.0.0.1:8080/x", "http://[::1]/", "http://localhost:1/"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://gitlab.example",
            "http://10.0.0.1/",
            "https://a:b@gitlab.example",
            "https://a.example/#x",
            "file:///etc/passwd",
            "x",
            "http://localhost.evil.example",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
