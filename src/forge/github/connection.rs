//! A connection to one GitHub with one credential: requests, their limits in time and size, pages, and what is known
//! already.
//!
//! Does not know what the requests are about. Every one of them goes through [`Calls`]; octocrab authenticates them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use octocrab::Octocrab;
use octocrab::models::InstallationId;
use reqwest::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::address::beneath;
use super::answer::{Answer, budget};
use crate::forge::calls::{Calls, Effect, Pace, in_seconds};
use crate::forge::{Error, PageRequest};

/// For connecting, and for a whole answer.
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);
/// The most bytes of an answer. A comparison of two branches can have some hundred files in it.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The most pages of a list that is read whole: 10,000 entries.
const MAX_PAGES: u32 = 100;
/// The most bytes of answers that are kept to be confirmed, and how long one is kept that nobody asks for.
const MAX_KNOWN: u64 = 16 * 1024 * 1024;
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// How often an answer may lead on.
const MAX_HOPS: usize = 3;

/// The client of every connection. It follows nothing: a redirect could take the token elsewhere.
pub(super) fn http() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .build()
        .map_err(|_| Error::unavailable("TLS cannot be set up"))
}

/// An answer that GitHub confirms for nothing: a 304 does not count against the budget.
#[derive(Clone)]
struct Known {
    etag: HeaderValue,
    answer: Answer,
}

/// One host, one credential.
pub(super) struct Connection {
    client: Octocrab,
    base: Url,
    calls: Arc<Calls>,
    known: Cache<String, Known>,
    /// How often in a row GitHub has said that there was too much.
    strikes: AtomicU32,
}

impl Connection {
    pub(super) fn new(client: Octocrab, base: Url, calls: Arc<Calls>) -> Self {
        let weight =
            |path: &String, known: &Known| u32::try_from(path.len() + known.answer.body.len()).unwrap_or(u32::MAX);
        let known = Cache::builder().max_capacity(MAX_KNOWN).weigher(weight).time_to_idle(KNOWN_FOR).build();
        Self { client, base, calls, known, strikes: AtomicU32::new(0) }
    }

    /// The same place, for an app as one of its installations, which sees one repository if one is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] if this is no app.
    pub(super) fn installed(&self, id: u64, repository: Option<u64>, calls: Arc<Calls>) -> Result<Self, Error> {
        let mut builder = self.client.installation_builder(InstallationId(id));
        if let Some(repository) = repository {
            builder = builder.repository_ids(vec![repository.into()]);
        }
        let client = builder.build().map_err(|_| Error::invalid("this is no GitHub App"))?;
        Ok(Self::new(client, self.base.clone(), calls))
    }

    /// The token of an installation, which is good for half a minute at least.
    ///
    /// # Errors
    /// Those of every call.
    pub(super) async fn installation_token(&self) -> Result<SecretString, Error> {
        let token = || async {
            let token = tokio::time::timeout(TOTAL, self.client.installation_token());
            token.await.map_err(|_| took_too_long())?.map_err(|error| from_octocrab(&error))
        };
        self.calls.make(Effect::Same, token).await
    }

    /// Reads.
    ///
    /// # Errors
    /// Those of every call. A refusal is an answer.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Error> {
        let known = self.known.get(path).await;
        let etag = known.as_ref().map(|known| &known.etag);
        let answer = self.calls.make(Effect::Read, || self.attempt(&Method::GET, path, None, etag)).await?;
        if let Some(known) = known.filter(|_| answer.status == StatusCode::NOT_MODIFIED) {
            return Ok(known.answer);
        }
        let etag = answer.etag.as_deref().and_then(|etag| etag.parse().ok());
        match etag {
            Some(etag) if answer.status == StatusCode::OK => {
                self.known.insert(path.to_owned(), Known { etag, answer: answer.clone() }).await;
            }
            _ => self.known.invalidate(path).await,
        }
        Ok(answer)
    }

    /// Reads, and goes where the answer leads, if that is the same place: a repository that was renamed.
    ///
    /// # Errors
    /// Those of every call; [`Error::Unavailable`] if it leads elsewhere, or on and on.
    pub(super) async fn get_moved(&self, path: &str) -> Result<Answer, Error> {
        let mut path = path.to_owned();
        for _ in 0..MAX_HOPS {
            let answer = self.get(&path).await?;
            let Some(location) = answer.location.as_deref().filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            path = beneath(&self.base, location)
                .ok_or_else(|| Error::unavailable("GitHub leads to another host, where the token does not go"))?;
        }
        Err(Error::unavailable("GitHub leads on and on"))
    }

    /// One page of a list. `path` may have a query.
    ///
    /// # Errors
    /// Those of every call. A refusal is an answer.
    pub(super) async fn page(&self, path: &str, page: PageRequest) -> Result<Answer, Error> {
        let joint = if path.contains('?') { '&' } else { '?' };
        self.get(&format!("{path}{joint}per_page={}&page={}", page.size(), page.number())).await
    }

    /// A whole list, in whose answers `entries` finds the entries.
    ///
    /// # Errors
    /// Those of every call; what a refusal means; [`Error::Unavailable`] if it does not end: part of a list is never
    /// taken for all of it.
    pub(super) async fn all<A: DeserializeOwned, T>(
        &self,
        path: &str,
        what: &str,
        entries: impl Fn(A) -> Vec<T>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut page = PageRequest::first();
        for _ in 0..MAX_PAGES {
            let answer = self.page(path, page).await?;
            found.extend(entries(answer.json(what)?));
            if !answer.has_next {
                return Ok(found);
            }
            page = page.next();
        }
        Err(Error::unavailable(format!("{what} does not come to an end")))
    }

    /// Writes.
    ///
    /// # Errors
    /// Those of every call. A refusal is an answer.
    pub(super) async fn send(&self, method: Method, effect: Effect, path: &str, body: &Value) -> Result<Answer, Error> {
        self.calls.make(effect, || self.attempt(&method, path, Some(body), None)).await
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&HeaderValue>,
    ) -> Result<Answer, Error> {
        let exchange = tokio::time::timeout(TOTAL, self.exchange(method, path, body, etag)).await;
        let (status, headers, body) = exchange.map_err(|_| took_too_long())??;
        if let Some(budget) = budget(&headers) {
            self.calls.note(budget);
        }
        let answer = Answer::read(status, &headers, body, self.strikes.load(Ordering::Relaxed));
        match &answer {
            Err(Error::RateLimited { .. }) => {
                self.strikes.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => self.strikes.store(0, Ordering::Relaxed),
            Err(_) => {}
        }
        answer
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&HeaderValue>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Error> {
        let response = match *method {
            Method::POST => self.client._post(path, body).await,
            Method::PUT => self.client._put(path, body).await,
            Method::PATCH => self.client._patch(path, body).await,
            Method::DELETE => self.client._delete(path, body).await,
            _ => {
                let headers = etag.map(|etag| HeaderMap::from_iter([(IF_NONE_MATCH, etag.clone())]));
                self.client._get_with_headers(path, headers).await
            }
        };
        let response = response.map_err(|error| from_octocrab(&error))?;
        let mut response = reqwest::Response::from(response.map(reqwest::Body::wrap));
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Error::unavailable("GitHub's answer broke off"))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Error::unavailable("GitHub's answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body.into()))
    }
}

/// Writes one at a time with a second between them, as GitHub asks for.
pub(super) fn pace() -> Pace {
    Pace { gap: Duration::from_secs(1), ..Pace::default() }
}

fn took_too_long() -> Error {
    Error::unavailable("GitHub took too long to answer")
}

/// The kind of failure. What octocrab says stays out: it can hold the address, and all that came back.
fn from_octocrab(error: &octocrab::Error) -> Error {
    match error {
        // The one call that octocrab makes by itself is for the token of an installation.
        octocrab::Error::GitHub { source, .. } if source.status_code.is_server_error() => {
            Error::unavailable(format!("GitHub answered with status {}", source.status_code.as_u16()))
        }
        octocrab::Error::GitHub { source, .. } if source.message.to_lowercase().contains("rate limit") => {
            Error::RateLimited { until: in_seconds(60) }
        }
        octocrab::Error::GitHub { source, .. } if source.status_code == StatusCode::NOT_FOUND => {
            Error::not_found("the installation of the GitHub App")
        }
        octocrab::Error::GitHub { .. } => {
            Error::Forbidden { reason: "GitHub gives the App no token for this repository".to_owned() }
        }
        octocrab::Error::JWT { .. } => Error::invalid("the private key of the GitHub App does not sign"),
        octocrab::Error::UriParse { .. } | octocrab::Error::Uri { .. } => Error::invalid("this makes no address"),
        _ => Error::unavailable("GitHub cannot be reached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_keep_the_distance_that_github_asks_for() {
        assert_eq!(pace().gap, Duration::from_secs(1));
        assert!(pace().kept > 0);
    }
}
