//! One GitLab, spoken to with one token: what goes out, what is let in, and what its refusals mean.
//!
//! The endpoints are those of the `gitlab` crate. Its own client has no limits of time or size and follows redirects
//! with the token, so the requests are sent here. GitLab counts an answer of 304 like any other, so nothing is kept for
//! conditional requests.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gitlab::api::users::CurrentUser;
use gitlab::api::{ApiError, AsyncClient, AsyncQuery as _, Endpoint, RestClient};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Request, Response, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use super::endpoints::OnPage;
use super::wire::WireUser;
use crate::domain::host::is_this_machine;
use crate::forge::calls::{Budget, Calls, Effect, Pace, in_seconds};
use crate::forge::{Error, Page, PageRequest, User};

/// For connecting, and for the whole answer. A merge is done before it is answered.
const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(60);
/// The most bytes of an answer: a hundred merge requests with long descriptions.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// The most pages of a list that is read as a whole.
const MAX_PAGES: u32 = 100;
/// How often an answer may lead to another address: from an old name of a repository to its id.
const MAX_HOPS: u8 = 2;
/// How long GitLab is left alone if it does not say for how long.
const DEFAULT_WAIT: u64 = 60;
/// The most characters of GitLab's own words in a message.
const MAX_WORDS: usize = 200;

/// The connection. It shows the address only.
pub(super) struct Connection {
    http: Client,
    api: Url,
    token: SecretString,
    calls: Calls,
    me: OnceCell<User>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.api)
    }
}

/// The API below the address at which people see this GitLab.
fn api_of(url: &str) -> Result<Url, Error> {
    let invalid = || Error::invalid(format!("`{}` is no https address of a GitLab", url.escape_debug()));
    let mut api = Url::parse(url).map_err(|_| Error::invalid("the address of the GitLab is no URL"))?;
    let is_plain = api.username().is_empty() && api.password().is_none();
    if !is_plain {
        // Not shown: what stands there is a credential.
        return Err(Error::invalid("the address of a GitLab has neither a user nor a password in it"));
    }
    let is_loopback = is_this_machine(&api).ok_or_else(invalid)?;
    let is_safe = api.scheme() == "https" || (api.scheme() == "http" && is_loopback);
    if !is_safe || api.fragment().is_some() || api.query().is_some() {
        return Err(invalid());
    }
    let path = format!("{}/api/v4/", api.path().trim_end_matches('/'));
    api.set_path(&path);
    Ok(api)
}

impl Connection {
    pub(super) fn new(url: &str, token: SecretString, pace: Pace) -> Result<Self, Error> {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent("wooo")
            .build()
            .map_err(|error| described(&error))?;
        Ok(Self { http, api: api_of(url)?, token, calls: Calls::new(pace), me: OnceCell::new() })
    }

    /// Whom the token belongs to. Asked once: it is the id that counts, and a token never changes hands.
    pub(super) async fn me(&self) -> Result<&User, Error> {
        self.me.get_or_try_init(|| self.ask_me()).await
    }

    /// Whom the token belongs to, and what they are called now.
    pub(super) async fn ask_me(&self) -> Result<User, Error> {
        let user: WireUser = self.ask(Effect::Read, "the owner of the token", CurrentUser::builder().build()).await?;
        user.try_into()
    }

    /// Asks one thing, and again if that may help and does no harm. `what` is what a 404 means.
    pub(super) async fn ask<T, E, B>(&self, effect: Effect, what: &str, endpoint: Result<E, B>) -> Result<T, Error>
    where
        T: DeserializeOwned + Send + 'static,
        E: Endpoint + Sync + Send,
        B: fmt::Display,
    {
        let endpoint = built(endpoint)?;
        self.calls.make(effect, || self.once(what, &endpoint)).await
    }

    /// One page of a list.
    pub(super) async fn page<T, E, B>(
        &self,
        what: &str,
        endpoint: Result<E, B>,
        request: PageRequest,
    ) -> Result<Page<T>, Error>
    where
        T: DeserializeOwned + Send + 'static,
        E: Endpoint + Sync + Send,
        B: fmt::Display,
    {
        let endpoint = OnPage { list: built(endpoint)?, request };
        self.calls.make(Effect::Read, || self.once_page(what, &endpoint)).await
    }

    /// All of a list.
    pub(super) async fn all<T, E, B>(&self, what: &str, endpoint: Result<E, B>) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Send + 'static,
        E: Endpoint + Sync + Send,
        B: fmt::Display,
    {
        let list = built(endpoint)?;
        let (mut found, mut next) = (Vec::new(), Some(PageRequest::first()));
        while let Some(request) = next {
            if request.number() > MAX_PAGES {
                // Half a list is worse than none: what decides might be in the other half.
                return Err(Error::unavailable(format!("the list of {what} is too long to be read")));
            }
            let endpoint = OnPage { list: &list, request };
            let page = self.calls.make(Effect::Read, || self.once_page(what, &endpoint)).await?;
            found.extend(page.items);
            next = page.next;
        }
        Ok(found)
    }

    /// Makes a call of several exchanges, each of them done with [`Connection::once`].
    pub(super) async fn make<T, F>(&self, effect: Effect, call: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.calls.make(effect, call).await
    }

    /// One exchange, for who makes the call around it.
    pub(super) async fn once<T, E>(&self, what: &str, endpoint: &E) -> Result<T, Error>
    where
        T: DeserializeOwned + Send + 'static,
        E: Endpoint + Sync + Send,
    {
        let exchange = Exchange { connection: self, next: Mutex::new(None) };
        endpoint.query_async(&exchange).await.map_err(|error| self.refused(error, what))
    }

    async fn once_page<T, E>(&self, what: &str, endpoint: &OnPage<E>) -> Result<Page<T>, Error>
    where
        T: DeserializeOwned + Send + 'static,
        E: Endpoint + Sync + Send,
    {
        let exchange = Exchange { connection: self, next: Mutex::new(None) };
        let answer: Result<Vec<T>, _> = endpoint.query_async(&exchange).await;
        let items = answer.map_err(|error| self.refused(error, what))?;
        let has_next = exchange.next.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        Ok(Page { items, next: has_next.then(|| endpoint.request.next()) })
    }

    /// What a refusal means to who asked.
    fn refused(&self, error: ApiError<Refusal>, what: &str) -> Error {
        let (status, words) = match error {
            ApiError::Client { source } => return source.0,
            ApiError::GitlabWithStatus { status, msg } => (status, msg),
            ApiError::GitlabObjectWithStatus { status, obj }
            | ApiError::GitlabUnrecognizedWithStatus { status, obj } => (status, obj.to_string()),
            ApiError::GitlabService { status, .. } => {
                return Error::unavailable(format!("it answered with status {} and no JSON", status.as_u16()));
            }
            ApiError::Body { .. } | ApiError::UrlParse { .. } => {
                return Error::invalid(format!("{what} cannot be asked for"));
            }
            // Neither the answer nor what is wrong with it: both may hold parts of what others wrote.
            _ => return Error::unavailable("its answer is not what was expected"),
        };
        let words = self.shown(&words);
        match status {
            // The thing may be there, in a repository that is not.
            StatusCode::NOT_FOUND if words.contains("Project Not Found") => Error::not_found(REPOSITORY),
            StatusCode::NOT_FOUND => Error::not_found(what),
            StatusCode::FORBIDDEN => Error::Forbidden { reason: words },
            _ => Error::invalid(format!("GitLab answered {}: {words}", status.as_u16())),
        }
    }

    /// GitLab's own words, on one short line.
    fn shown(&self, words: &str) -> String {
        let words = words.replace(self.token.expose_secret(), "<token>");
        let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect();
        line.trim().to_owned()
    }
}

/// What a repository is called in messages.
pub(super) const REPOSITORY: &str = "the repository";

/// An endpoint whose parts fit together.
fn built<E>(endpoint: Result<E, impl fmt::Display>) -> Result<E, Error> {
    endpoint.map_err(|error| Error::invalid(error.to_string()))
}

/// The kind of failure, without the address.
fn described(error: &reqwest::Error) -> Error {
    Error::unavailable(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "it does not take connections"
    } else {
        "the connection broke"
    })
}

/// A failure that was understood before the crate saw the answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Refusal(Error);

/// One request and its answer.
struct Exchange<'a> {
    connection: &'a Connection,
    /// The number of the page after this one.
    next: Mutex<Option<String>>,
}

impl RestClient for Exchange<'_> {
    type Error = Refusal;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<Refusal>> {
        Ok(self.connection.api.join(endpoint)?)
    }
}

#[async_trait]
impl AsyncClient for Exchange<'_> {
    async fn rest_async(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<http::Response<Bytes>, ApiError<Refusal>> {
        let answer = self.answer(request, body).await;
        answer.map_err(|error| ApiError::Client { source: Refusal(error) })
    }
}

impl Exchange<'_> {
    async fn answer(&self, request: http::request::Builder, body: Vec<u8>) -> Result<http::Response<Bytes>, Error> {
        let request = request.body(body).map_err(|_| Error::invalid("it makes no request"))?;
        let mut request = Request::try_from(request).map_err(|error| described(&error))?;
        let mut response = self.send(&request).await?;
        for _ in 0..MAX_HOPS {
            let Some(address) = self.moved(&request, &response) else { break };
            *request.url_mut() = address;
            response = self.send(&request).await?;
        }
        if let Some(budget) = budget(response.headers()) {
            self.connection.calls.note(budget);
        }
        refuse(&response)?;
        let next = text(response.headers(), "x-next-page").filter(|next| !next.is_empty()).map(ToOwned::to_owned);
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.body_mut() = bounded(response).await?;
        Ok(answer)
    }

    async fn send(&self, request: &Request) -> Result<Response, Error> {
        let again = request.try_clone().ok_or_else(|| Error::invalid("it makes no request"))?;
        // GitLab takes its own tokens in this form too, whether they are a project's, a group's or a person's.
        let sending = reqwest::RequestBuilder::from_parts(self.connection.http.clone(), again)
            .header(ACCEPT, "application/json")
            .bearer_auth(self.connection.token.expose_secret());
        sending.send().await.map_err(|error| described(&error))
    }

    /// Where a reading request is answered instead, if that is in this very API.
    fn moved(&self, request: &Request, response: &Response) -> Option<Url> {
        if request.method() != Method::GET || !response.status().is_redirection() {
            return None;
        }
        let address = response.headers().get(LOCATION)?.to_str().ok()?;
        let address = request.url().join(address).ok()?;
        let api = &self.connection.api;
        let is_ours = address.origin() == api.origin() && address.path().starts_with(api.path());
        is_ours.then_some(address)
    }
}

/// What the status alone says, before anything is read.
fn refuse(response: &Response) -> Result<(), Error> {
    let status = response.status();
    let headers = response.headers();
    if status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && headers.contains_key(RETRY_AFTER))
    {
        return Err(Error::RateLimited { until: until(headers) });
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(Error::Forbidden {
            reason: "GitLab refuses the token for this: it has ended, or it lacks the scope or the right".to_owned(),
        });
    }
    if status.is_redirection() {
        return Err(Error::unavailable("it leads to another address"));
    }
    if status.is_server_error() {
        return Err(Error::unavailable(format!("it answered with status {}", status.as_u16())));
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

/// What is left of the budget of all calls. Other limits, such as that of notes, have budgets of their own.
fn budget(headers: &HeaderMap) -> Option<Budget> {
    let is_of_all = text(headers, "ratelimit-name").is_none_or(|name| name.starts_with("throttle_authenticated_api"));
    let reset = i64::try_from(number(headers, "ratelimit-reset")?).ok()?;
    let budget = Budget {
        limit: number(headers, "ratelimit-limit")?,
        remaining: number(headers, "ratelimit-remaining")?,
        reset: Timestamp::from_second(reset).ok()?,
    };
    is_of_all.then_some(budget)
}

/// When to come back after too many requests.
fn until(headers: &HeaderMap) -> Timestamp {
    if let Some(seconds) = number(headers, RETRY_AFTER.as_str()) {
        return in_seconds(seconds);
    }
    let latest = in_seconds(u64::MAX);
    let reset =
        number(headers, "ratelimit-reset").and_then(|reset| Timestamp::from_second(i64::try_from(reset).ok()?).ok());
    reset.filter(|reset| *reset <= latest).unwrap_or_else(|| in_seconds(DEFAULT_WAIT))
}

async fn bounded(mut response: Response) -> Result<Bytes, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| described(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::unavailable("its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_api_is_below_an_address_that_is_safe() {
        for (url, api) in [
            ("https://gitlab.com", "https://gitlab.com/api/v4/"),
            ("https://example.com/gitlab/", "https://example.com/gitlab/api/v4/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4/"),
        ] {
            assert_eq!(api_of(url).unwrap().as_str(), api);
        }
        for bad in
            ["http://gitlab.example", "https://a:secret@gitlab.example", "https://a.example/#x", "file:///x", "x"]
        {
            let refused = api_of(bad).unwrap_err();
            assert!(matches!(refused, Error::Invalid { .. }) && !refused.to_string().contains("secret"), "{refused:?}");
        }
    }

    #[test]
    fn a_limit_says_when_it_ends() {
        let seconds = |pairs: &[_]| until(&headers(pairs)).duration_since(Timestamp::now()).as_secs();
        assert!((29..=30).contains(&seconds(&[("retry-after", "30")])));
        assert!((59..=60).contains(&seconds(&[])));
        assert!((59..=60).contains(&seconds(&[("retry-after", "soon"), ("ratelimit-reset", "99999999999")])));
        assert!(seconds(&[("retry-after", "99999999")]) <= 86_400);
    }

    #[test]
    fn only_the_budget_of_all_calls_is_noted() {
        let pairs = [("ratelimit-limit", "2000"), ("ratelimit-remaining", "7"), ("ratelimit-reset", "4000000000")];
        let mut headers = headers(&pairs);
        let noted = Budget { limit: 2000, remaining: 7, reset: Timestamp::from_second(4_000_000_000).unwrap() };
        assert_eq!(budget(&headers), Some(noted));
        headers.insert("ratelimit-name", "throttle_authenticated_api".parse().unwrap());
        assert_eq!(budget(&headers), Some(noted));
        headers.insert("ratelimit-name", "throttle_authenticated_web".parse().unwrap());
        assert_eq!(budget(&headers), None);
    }
}
