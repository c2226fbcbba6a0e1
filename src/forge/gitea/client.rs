//! The connection to one Gitea or Forgejo with one token: JSON over HTTPS, bounded in size and time, and tried again
//! where that is safe. Does not know what is asked.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use super::call::{Call, Failure, Refusal};
use super::wire;
use crate::domain::host::is_this_machine;
use crate::forge::calls::{Budget, Calls, Effect, Pace, in_seconds};
use crate::forge::{Error, PageRequest, UserId};

/// For connecting, and for the whole answer. A merge on a large repository takes a while.
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(60);
/// The most bytes of an answer: a page of merge requests with the longest bodies has some megabytes.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// How long a forge is left alone that does not say for how long.
const LIMITED: u64 = 60;
/// As many steps as a renamed owner and a renamed repository need, and one more.
const REDIRECTS: usize = 3;

/// One host, one token.
pub(super) struct Client {
    http: reqwest::Client,
    pub(super) base: Url,
    token: SecretString,
    calls: Calls,
    page_size: OnceCell<usize>,
    me: OnceCell<UserId>,
}

/// What a list's answer holds beside its entries.
struct Answer {
    status: u16,
    /// How many entries the whole list has, where the forge tells.
    total: Option<usize>,
    body: Vec<u8>,
}

/// Entries of a list, and how many the whole list has, where the forge tells.
pub(super) struct Listed<T> {
    pub(super) value: T,
    pub(super) total: Option<usize>,
}

impl Client {
    pub(super) fn new(url: &str, token: SecretString) -> Result<Self, Error> {
        let base = address(url)?;
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(|c| c.is_ascii_graphic());
        if !is_token(token.expose_secret()) {
            return Err(Error::invalid("the token of a forge has visible ASCII characters only"));
        }
        // reqwest would follow every redirect; those that are safe are followed below.
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent("wooo")
            .build()
            .map_err(|_| Error::unavailable("TLS cannot be set up"))?;
        let calls = Calls::new(Pace::default());
        Ok(Self { http, base, token, calls, page_size: OnceCell::new(), me: OnceCell::new() })
    }

    /// Makes a call, as often as it takes, and reads its answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, effect: Effect, call: &Call) -> Result<T, Failure> {
        self.list(effect, call).await.map(|listed| listed.value)
    }

    /// [`Client::ask`] for a list.
    pub(super) async fn list<T: DeserializeOwned>(&self, effect: Effect, call: &Call) -> Result<Listed<T>, Failure> {
        self.ask_while(effect, call, |_| false).await
    }

    /// [`Client::list`] that takes some refusals for a forge which is not ready yet, and asks again.
    pub(super) async fn ask_while<T: DeserializeOwned>(
        &self,
        effect: Effect,
        call: &Call,
        is_early: impl Fn(&Refusal) -> bool,
    ) -> Result<Listed<T>, Failure> {
        let attempt = || async {
            match self.attempt(call).await?.read() {
                Err(Failure::Failed(error)) => Err(error),
                Err(Failure::Refused(refusal)) if is_early(&refusal) => {
                    Err(Error::unavailable(refusal.words("it is not ready yet")))
                }
                Err(Failure::Refused(refusal)) => Ok(Err(Failure::Refused(refusal))),
                Ok(listed) => Ok(Ok(listed)),
            }
        };
        self.calls.make(effect, attempt).await?
    }

    /// Shows the entries of a list to `visit`, from entry number `first` on, until it has seen enough and says `false`.
    pub(super) async fn walk<T: DeserializeOwned>(
        &self,
        call: &Call,
        first: usize,
        mut visit: impl FnMut(T) -> bool,
    ) -> Result<(), Failure> {
        let size = self.page_size().await?;
        let (mut page, mut skipped) = (first / size + 1, first % size);
        loop {
            let call = call.clone().query("page", page).query("limit", size);
            let Listed { value: entries, total } = self.list::<Option<Vec<T>>>(Effect::Read, &call).await?;
            let entries = entries.unwrap_or_default();
            let is_last = entries.is_empty() || total.is_some_and(|total| page.saturating_mul(size) >= total);
            for entry in entries.into_iter().skip(skipped) {
                if !visit(entry) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
            (page, skipped) = (page + 1, 0);
        }
    }

    /// All entries of a list.
    pub(super) async fn all<T: DeserializeOwned>(&self, call: &Call) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        self.walk(call, 0, |entry| {
            found.push(entry);
            true
        })
        .await?;
        Ok(found)
    }

    /// How many entries a page has. A forge that is asked for more gives as many as it likes (50 unless its settings
    /// say otherwise), and the pages after it would begin somewhere else than was meant.
    async fn page_size(&self) -> Result<usize, Failure> {
        let ask = || async {
            let settings: wire::ApiSettings = self.ask(Effect::Read, &Call::get("settings/api")).await?;
            let most = usize::try_from(PageRequest::MAX).unwrap_or(usize::MAX);
            Ok(settings.max_response_items.clamp(1, most))
        };
        self.page_size.get_or_try_init(ask).await.copied()
    }

    /// Whose token it is. A token never belongs to somebody else, so this is asked once.
    pub(super) async fn me(&self) -> Result<&UserId, Error> {
        let ask = || async { Ok(self.myself().await?.into_user()?.id) };
        self.me.get_or_try_init(ask).await
    }

    pub(super) async fn myself(&self) -> Result<wire::Account, Error> {
        self.ask(Effect::Read, &Call::get("user")).await.map_err(|failure| failure.about("the owner of the token"))
    }

    /// Sends a request once, or as often as it is led on by the same host.
    async fn attempt(&self, call: &Call) -> Result<Answer, Error> {
        let mut url = call.url(&self.base)?;
        for _ in 0..=REDIRECTS {
            let response = self.send(call, url.clone()).await?;
            self.note_budget(response.headers());
            if !response.status().is_redirection() {
                return answer(response).await;
            }
            // A redirect of a write would make a read of it, or do it in a repository that nobody has looked at.
            match next(&url, response.headers()) {
                Some(next) if call.method == Method::GET => url = next,
                _ => return Err(Error::unavailable("it leads to another address: look at its URL in the settings")),
            }
        }
        Err(Error::unavailable("it leads from one address to the next"))
    }

    async fn send(&self, call: &Call, url: Url) -> Result<Response, Error> {
        let mut token = HeaderValue::try_from(format!("token {}", self.token.expose_secret()))
            .map_err(|_| Error::invalid("the token of a forge has visible ASCII characters only"))?;
        token.set_sensitive(true);
        let request = self.http.request(call.method.clone(), url);
        let request = request.header(ACCEPT, "application/json").header(AUTHORIZATION, token);
        let request = match &call.body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.map_err(|error| described(&error))
    }

    /// Gitea and Forgejo count nothing themselves; what stands before them may.
    fn note_budget(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let (Some(limit), Some(remaining), Some(reset)) =
            (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
        else {
            return;
        };
        // Some count from now, others from 1970.
        let is_moment = reset > 1_000_000_000;
        let moment = i64::try_from(reset).ok().and_then(|reset| Timestamp::from_second(reset).ok());
        let reset = moment.filter(|_| is_moment).unwrap_or_else(|| in_seconds(reset));
        self.calls.note(Budget { limit, remaining, reset });
    }
}

/// Where a redirect leads to, if that is the same host.
fn next(from: &Url, headers: &HeaderMap) -> Option<Url> {
    let to = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    (to.origin() == from.origin()).then_some(to)
}

/// What an answer means whatever was asked.
async fn answer(mut response: Response) -> Result<Answer, Error> {
    let status = response.status();
    let number = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse().ok();
    let (total, wait) = (number("x-total-count"), number(RETRY_AFTER.as_str()));
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| is_json(kind.to_str().unwrap_or_default()));
    match status {
        StatusCode::UNAUTHORIZED => {
            return Err(Error::Forbidden { reason: "the token is not, or no longer, accepted".to_owned() });
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = wait.map_or(LIMITED, |wait| u64::try_from(wait).unwrap_or(LIMITED));
            return Err(Error::RateLimited { until: in_seconds(wait.max(1)) });
        }
        status if status.is_server_error() || status.is_informational() => {
            return Err(Error::unavailable(format!("it answered with status {}", status.as_u16())));
        }
        _ => {}
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| described(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::unavailable("its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    if !is_json && !body.is_empty() {
        // The page of a proxy: it says nothing about what was asked, whatever its status.
        return Err(Error::unavailable(format!("it answered with status {} and no JSON", status.as_u16())));
    }
    Ok(Answer { status: status.as_u16(), total, body })
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

impl Answer {
    fn read<T: DeserializeOwned>(self) -> Result<Listed<T>, Failure> {
        if !(200..300).contains(&self.status) {
            return Err(Failure::Refused(Refusal::read(self.status, &self.body)));
        }
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        match serde_json::from_slice(body) {
            Ok(value) => Ok(Listed { value, total: self.total }),
            Err(_) => Err(Failure::Failed(Error::unavailable("its answer is not the JSON that was expected"))),
        }
    }
}

/// The kind of failure, without the address.
fn described(error: &reqwest::Error) -> Error {
    Error::unavailable(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the call failed"
    })
}

/// The address of a forge: https, or http on this machine, and nothing but host, port and path.
fn address(text: &str) -> Result<Url, Error> {
    let invalid = || {
        Error::invalid("the URL of a forge begins with https:// (http:// is for this machine), without user or query")
    };
    let url = Url::parse(text).map_err(|_| invalid())?;
    let is_near = is_this_machine(&url).ok_or_else(invalid)?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_near);
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_bare = url.query().is_none() && url.fragment().is_none();
    if is_safe && is_plain && is_bare { Ok(url) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for good in ["https://git.example", "https://git.example/sub/", "http://127.0.0.1:3000", "http://localhost"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://git.example",
            "https://user:secret@git.example",
            "https://git.example/?token=secret",
            "ftp://git.example",
            "git.example",
        ] {
            let refused = address(bad).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }

    #[test]
    fn redirects_stay_on_the_host() {
        let from = Url::parse("https://git.example/api/v1/repos/acme/old").unwrap();
        let led = |to: &str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::try_from(to).unwrap())]);
            next(&from, &headers).map(String::from)
        };
        let new = "https://git.example/api/v1/repos/acme/new";
        assert_eq!(led("/api/v1/repos/acme/new").as_deref(), Some(new));
        assert_eq!(led(new).as_deref(), Some(new));
        for elsewhere in ["https://evil.example/", "http://git.example/", "//evil.example/", "https://git.example:1/"] {
            assert_eq!(led(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_token_fits_into_a_header_and_is_not_shown() {
        let made = |token: &str| Client::new("https://git.example", SecretString::from(token));
        for bad in ["", "a b", "a\nb", "網"] {
            let Err(refused) = made(bad) else { panic!("{bad:?}") };
            assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
        }
    }
}
