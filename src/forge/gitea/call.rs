//! One request to the API: its method, address and body, and what an answer that says no means.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::forge::Error;

/// The most characters of a forge's own words that are shown.
const SHOWN: usize = 200;

/// A request, before it is sent. Addresses are put together part by part, so that no name can lead elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Call {
    /// To a path below the API's root, whose parts are separated by `/`.
    pub(super) fn new(method: Method, path: &str) -> Self {
        Self { method, path: Vec::new(), query: Vec::new(), body: None }.path(path)
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// Goes further down, one part for each piece between `/`.
    #[must_use]
    pub(super) fn path(mut self, path: &str) -> Self {
        self.path.extend(path.split('/').map(str::to_owned));
        self
    }

    /// Goes further down by one part, in which a `/` is no separator.
    #[must_use]
    pub(super) fn part(mut self, part: &str) -> Self {
        self.path.push(part.to_owned());
        self
    }

    #[must_use]
    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Where it goes, below `base`.
    pub(super) fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        {
            let mut path = url.path_segments_mut().map_err(|()| Error::invalid("the forge's address has no path"))?;
            path.pop_if_empty().extend(["api", "v1"]).extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// An answer in the API's own form that says no.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// What the forge says about it, on one short line; it may be empty.
    pub(super) message: String,
}

impl Refusal {
    /// Reads the `message` of an answer.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let message = parsed.as_ref().and_then(|body| body.get("message")?.as_str()).unwrap_or_default();
        let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = words.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Self { status, message }
    }

    pub(super) fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(words)
    }

    /// What it means where nothing special does.
    pub(super) fn about(self, what: &str) -> Error {
        match self.status {
            404 => Error::not_found(what),
            403 => Error::Forbidden { reason: self.words("the owner of the token may not do this") },
            423 => Error::Forbidden { reason: self.words("the repository is archived") },
            _ => Error::invalid(format!("the forge refuses this: {}", self.words("it does not say why"))),
        }
    }

    /// The forge's words, or others where it has none.
    pub(super) fn words(self, otherwise: &str) -> String {
        if self.message.is_empty() { otherwise.to_owned() } else { self.message }
    }
}

/// Why a call has no result: the forge says no, which means something else at every call, or it could not be asked.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    Failed(Error),
}

impl Failure {
    /// What it means where nothing special does.
    pub(super) fn about(self, what: &str) -> Error {
        match self {
            Self::Refused(refusal) => refusal.about(what),
            Self::Failed(error) => error,
        }
    }

    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused(Refusal { status: 404, .. }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_elsewhere() {
        let base = Url::parse("https://git.example/sub/").unwrap();
        let url = |call: Call| call.url(&base).unwrap().to_string();
        assert_eq!(url(Call::get("repos/acme/fleet")), "https://git.example/sub/api/v1/repos/acme/fleet");
        let branches = Call::get("pulls").part("release/1").path("wooo/a?b#c");
        assert_eq!(url(branches), "https://git.example/sub/api/v1/pulls/release%2F1/wooo/a%3Fb%23c");
        let query = Call::get("labels").query("page", 2).query("q", "a&b");
        assert_eq!(url(query), "https://git.example/sub/api/v1/labels?page=2&q=a%26b");
    }

    #[test]
    fn what_a_forge_says_is_short_and_on_one_line() {
        let refusal = Refusal::read(422, br#"{"message":"it\n does\u0000 not  work","url":"https://git.example"}"#);
        assert_eq!(refusal.message, "it does not work");
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(1000));
        assert_eq!(Refusal::read(422, long.as_bytes()).message.len(), SHOWN);
        assert_eq!(Refusal::read(404, b"").about("it"), Error::not_found("it"));
        assert!(matches!(Refusal::read(403, b"{}").about("it"), Error::Forbidden { .. }));
        assert!(matches!(Refusal::read(409, b"{}").about("it"), Error::Invalid { .. }));
    }
}
