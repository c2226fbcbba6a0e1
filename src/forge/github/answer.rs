//! What GitHub answered, before anything is made of it: whether it is an answer at all, whether GitHub wants to be left
//! alone, and what a refusal means.
//!
//! Nothing that is not JSON gets past here: the page of a proxy is neither an empty list nor a missing merge request.

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, LINK, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::forge::Error;
use crate::forge::calls::{Budget, in_seconds};

/// How long GitHub is left alone, in seconds, if it says that there was too much and not until when. It asks for that.
const UNTOLD: u64 = 60;
/// The most characters of what GitHub says that go into an error.
const MAX_REASON: usize = 300;

/// An answer that may be read.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// Whether a list goes on.
    pub(super) has_next: bool,
    /// What names this very content.
    pub(super) etag: Option<String>,
    /// Where it leads.
    pub(super) location: Option<String>,
}

/// What GitHub says when it refuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    errors: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Field {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        code: Option<String>,
    },
}

impl Detail {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Field { message: Some(text), .. } => Some(text),
            Self::Field { field, code, .. } => Some(format!("{} {}", field?, code?)),
        }
    }
}

impl Answer {
    /// Sorts out what is no answer. `strikes` is how often in a row GitHub has complained without saying until when.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Unavailable`]; [`Error::Forbidden`] if the token is refused.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: Bytes, strikes: u32) -> Result<Self, Error> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_json = text(CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
        let answer = Self {
            status,
            body,
            has_next: text(LINK).is_some_and(|link| link.contains("rel=\"next\"")),
            etag: text(ETAG),
            location: text(LOCATION),
        };
        if let Some(until) = answer.limited(headers, strikes) {
            return Err(Error::RateLimited { until });
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(Error::unavailable(format!("GitHub answered with status {}", status.as_u16())));
        }
        if !is_json && !answer.body.is_empty() {
            return Err(Error::unavailable(format!("it answered with status {}, and no JSON", status.as_u16())));
        }
        if status == StatusCode::UNAUTHORIZED {
            let reason = "the token is refused: it is wrong, has expired or was taken back".to_owned();
            return Err(Error::Forbidden { reason });
        }
        Ok(answer)
    }

    /// Until when GitHub wants to be left alone, if this says so.
    fn limited(&self, headers: &HeaderMap, strikes: u32) -> Option<Timestamp> {
        if !matches!(self.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
            return None;
        }
        if let Some(seconds) = number(headers, RETRY_AFTER.as_str()) {
            return Some(in_seconds(seconds));
        }
        if let Some(Budget { remaining: 0, reset, .. }) = budget(headers) {
            return Some(reset);
        }
        let said = self.said().to_lowercase();
        // Missing rights are told with the same status, and no waiting helps against them.
        let is_limit = self.status == StatusCode::TOO_MANY_REQUESTS
            || ["secondary rate limit", "rate limit exceeded", "abuse detection"]
                .iter()
                .any(|text| said.contains(text));
        is_limit.then(|| in_seconds(UNTOLD << strikes.min(6)))
    }

    /// What GitHub says about a refusal, on one line.
    pub(super) fn said(&self) -> String {
        let refusal: Refusal = serde_json::from_slice(&self.body).unwrap_or_default();
        let details = refusal.errors.into_iter().filter_map(Detail::text);
        let said = std::iter::once(refusal.message).chain(details).collect::<Vec<_>>().join(": ");
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect();
        if said.trim().is_empty() { format!("status {}", self.status.as_u16()) } else { said.trim().to_owned() }
    }

    /// Whether this says no to what was asked for, and not to who asked.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST)
    }

    /// Whether there is no such thing.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::GONE)
    }

    /// What a refusal means, if nothing more is known about it. `what` is what was asked for.
    pub(super) fn refused(&self, what: &str) -> Error {
        if self.is_absent() {
            return Error::not_found(what);
        }
        match self.status {
            StatusCode::FORBIDDEN => Error::Forbidden { reason: self.said() },
            status if status.is_redirection() => Error::unavailable("GitHub leads to another address"),
            _ => Error::invalid(format!("GitHub refuses {what}: {}", self.said())),
        }
    }

    /// That it was done.
    ///
    /// # Errors
    /// What the refusal means.
    pub(super) fn done(&self, what: &str) -> Result<(), Error> {
        if self.status.is_success() { Ok(()) } else { Err(self.refused(what)) }
    }

    /// What it holds.
    ///
    /// # Errors
    /// What the refusal means; [`Error::Unavailable`] if it holds something else.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        self.done(what)?;
        // The reason stays out: it can quote what came.
        serde_json::from_slice(&self.body).map_err(|_| {
            Error::unavailable(format!("GitHub's answer about {what} is cut off, or not what it documents"))
        })
    }
}

/// What the headers of an answer tell about the budget of most calls. Searches and GraphQL have budgets of their own.
pub(super) fn budget(headers: &HeaderMap) -> Option<Budget> {
    let resource = headers.get("x-ratelimit-resource");
    if resource.is_some_and(|resource| resource != "core") {
        return None;
    }
    Some(Budget {
        limit: number(headers, "x-ratelimit-limit")?,
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset: Timestamp::from_second(i64::try_from(number(headers, "x-ratelimit-reset")?).ok()?).ok()?,
    })
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Result<Answer, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answer::read(status, &map, Bytes::from_static(body.as_bytes()), 1)
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    fn wait(answer: Result<Answer, Error>) -> i64 {
        let Err(Error::RateLimited { until }) = answer else { panic!("{answer:?}") };
        until.duration_since(Timestamp::now()).as_secs()
    }

    #[test]
    fn limits_are_told_apart_from_missing_rights() {
        let reset = (Timestamp::now().as_second() + 600).to_string();
        let limits =
            [("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset), JSON];
        assert!((590..=600).contains(&wait(read(403, &limits, r#"{"message":"API rate limit exceeded"}"#))));
        assert!((29..=30).contains(&wait(read(429, &[("retry-after", "30"), JSON], "{}"))));
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        // The second time in a row, twice as long.
        assert!((119..=120).contains(&wait(read(403, &[JSON], secondary))));
        let forbidden = read(403, &[JSON], r#"{"message":"Resource not accessible by integration"}"#).unwrap();
        let told = forbidden.refused("this");
        assert_eq!(told, Error::Forbidden { reason: "Resource not accessible by integration".to_owned() });
        // With nothing left an answer is still one.
        assert!(read(200, &limits, "{}").is_ok());
    }

    #[test]
    fn what_is_no_json_is_no_answer() {
        for (status, kind) in [(200, "text/html"), (404, "text/html"), (403, "text/plain"), (422, "")] {
            let told = read(status, &[("content-type", kind)], "<h1>hello</h1>").unwrap_err();
            assert!(matches!(told, Error::Unavailable { .. }), "{told:?}");
            assert!(!told.to_string().contains("hello"), "{told}");
        }
        assert!(matches!(read(500, &[JSON], "{}"), Err(Error::Unavailable { .. })));
        let cut = read(200, &[JSON], r#"[{"id":"#).unwrap().json::<Vec<u64>>("it");
        assert!(matches!(cut, Err(Error::Unavailable { .. })), "{cut:?}");
        assert!(read(204, &[], "").unwrap().done("it").is_ok());
    }

    #[test]
    fn a_refusal_is_told_on_one_line() {
        let body =
            r#"{"message":"Validation Failed","errors":["a\nb",{"message":"c"},{"field":"head","code":"invalid"}]}"#;
        let answer = read(422, &[JSON], body).unwrap();
        assert_eq!(answer.said(), "Validation Failed: a b: c: head invalid");
        assert_eq!(read(422, &[JSON], "{}").unwrap().said(), "status 422");
        assert!(matches!(read(404, &[JSON], "{}").unwrap().refused("it"), Error::NotFound { .. }));
    }
}
