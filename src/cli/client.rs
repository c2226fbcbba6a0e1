//! A service as the command line talks to it: where it is, the token, requests that are tried again, and its problems as
//! problems of ours.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Method, header, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::args::{FleetArg, ServerArgs, TargetArgs};
use super::identity::{self, Credential, Exchanged, Job};
use crate::domain::host::is_this_machine;
use crate::domain::{Location, Problem, Problems};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: a little longer than the service gives itself.
const PATIENCE: Duration = Duration::from_secs(70);
/// How often a request is sent again.
const RETRIES: usize = 5;
/// The longest time that a service may have us wait before we send a request again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The largest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 20;
/// Where a service without settings listens.
const USUAL_ADDRESS: &str = "http://127.0.0.1:8080";
/// How many codes that this program does not know are remembered.
const MAX_CODES: usize = 256;

/// What a verb works on.
pub(super) enum Target {
    /// A fleet repository.
    Fleet(FleetArg),
    /// A service.
    Service(Box<Service>),
}

impl Target {
    /// What the user named. An argument goes before the environment, and there a service before a repository.
    pub(super) fn of(args: &TargetArgs) -> Result<Self, Problem> {
        if let Some(fleet) = &args.fleet {
            return Ok(Self::Fleet(FleetArg { fleet: fleet.clone() }));
        }
        match Service::of(&args.server)? {
            Some(service) => Ok(Self::Service(Box::new(service))),
            None => Ok(Self::Fleet(FleetArg { fleet: variable("WOOO_FLEET").unwrap_or_else(|| ".".to_owned()) })),
        }
    }
}

/// A variable of the environment that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// A service.
pub(super) struct Service {
    http: Client,
    base: Url,
    credential: Credential,
    /// The fleet that was named.
    pub(super) fleet: Option<String>,
}

/// Why a request was not answered as it should be, and whether to try again.
pub(super) struct Refusal {
    pub(super) problems: Problems,
    /// `None` if it is of no use; otherwise the least time to wait.
    pub(super) again: Option<Duration>,
}

impl Service {
    /// The service that was named; `None` if none was.
    pub(super) fn of(args: &ServerArgs) -> Result<Option<Self>, Problem> {
        // The token of a service on this machine goes nowhere else unless somebody says so.
        let usual = || match &args.data {
            Some(_) => Some(USUAL_ADDRESS.to_owned()),
            None => variable("WOOO_SERVER"),
        };
        let Some(text) = args.server.clone().or_else(usual) else {
            if args.token_file.is_some() || args.served_fleet.is_some() {
                return Err(unnamed());
            }
            return Ok(None);
        };
        let token = match (&args.token_file, &args.data) {
            (Some(path), _) => Some(token_in(path)?),
            (None, Some(data)) => Some(token_in(&data.join(crate::web::people::TOKEN_FILE))?),
            (None, None) => variable("WOOO_TOKEN").map(|text| token(&text, "WOOO_TOKEN")).transpose()?,
        };
        let fleet = args.served_fleet.as_ref().map(ToString::to_string);
        let mut service = Self::new(&text, Credential::Nobody, fleet)?;
        service.credential = match token {
            Some(token) => Credential::Token(token),
            None => Job::of_environment(service.url())?.map_or(Credential::Nobody, Credential::Job),
        };
        Ok(Some(service))
    }

    /// The service that was named, for a verb that needs one.
    pub(super) fn needed(args: &ServerArgs) -> Result<Self, Problem> {
        Self::of(args)?.ok_or_else(unnamed)
    }

    fn new(text: &str, credential: Credential, fleet: Option<String>) -> Result<Self, Problem> {
        let base = address(text, &variable("WOOO_TRUSTED_ORIGINS").unwrap_or_default())?;
        crate::cluster::install_crypto_provider();
        let http = Client::builder()
            .user_agent(concat!("wooo/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| {
                Problem::new("client.unreachable", format!("no connection can be made: {}", cause(&error)))
            })?;
        Ok(Self { http, base, credential, fleet })
    }

    /// The address, as people read it.
    pub(super) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether there is a token, or a way to one.
    pub(super) fn has_token(&self) -> bool {
        !matches!(self.credential, Credential::Nobody)
    }

    /// Reads JSON. `path` is in segments, which are escaped.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Problems> {
        self.json(&Method::GET, path, query, None)
    }

    /// Sends something to be done, once however often it takes to hear that it is done.
    pub(super) fn send(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Problems> {
        self.json(method, path, query, body)
    }

    /// Reads text.
    pub(super) fn text(&self, path: &[&str]) -> Result<String, Problems> {
        self.persist(&Method::GET, &self.at(path, &[]), None)
    }

    /// Reads a whole list, or the first `limit` items of it.
    pub(super) fn list(&self, path: &[&str], query: &[(&str, &str)], limit: usize) -> Result<Vec<Value>, Problems> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let page = (limit - items.len()).clamp(1, 200).to_string();
            let mut query: Vec<(&str, &str)> = query.to_vec();
            query.push(("limit", &page));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut answer = self.get(path, &query)?;
            match answer.get_mut("items").map(Value::take) {
                Some(Value::Array(found)) => items.extend(found),
                _ => return Err(self.foreign("a list was expected").into()),
            }
            cursor = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    fn json(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Problems> {
        let text = self.persist(method, &self.at(path, query), body)?;
        serde_json::from_str(&text).map_err(|_| self.foreign("JSON was expected").into())
    }

    fn foreign(&self, detail: &str) -> Problem {
        Problem::new("client.answer", format!("{} does not answer as a service of wooo does: {detail}", self.url()))
            .hint("check the URL; it is the one of the portal, without a path below it")
    }

    fn at(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Sends a request until it is answered. One key for all attempts: what the service has done already it does not do
    /// again.
    fn persist(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<String, Problems> {
        let key = uuid::Uuid::new_v4().to_string();
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        loop {
            match self.once(method, url, body, &key) {
                Ok(text) => return Ok(text),
                Err(Refusal { problems, again: Some(least) }) if least <= LONGEST_PAUSE => match pauses.next() {
                    Some(pause) => std::thread::sleep(pause.max(least)),
                    None => return Err(problems),
                },
                Err(Refusal { problems, .. }) => return Err(problems),
            }
        }
    }

    fn once(&self, method: &Method, url: &Url, body: Option<&Value>, key: &str) -> Result<String, Refusal> {
        let mut request =
            self.http.request(method.clone(), url.clone()).header(header::ACCEPT, "application/json, */*");
        let token = match &self.credential {
            Credential::Nobody => None,
            Credential::Token(token) => Some(token.clone()),
            Credential::Job(job) => Some(job.token(&self.http, |proof| self.exchange(proof))?),
        };
        if let Some(token) = &token {
            request = request.bearer_auth(token.expose_secret());
        }
        if *method == Method::POST {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.hear(request)
    }

    /// A token for a job, for what its forge says of it.
    fn exchange(&self, proof: &SecretString) -> Result<Exchanged, Refusal> {
        let body = serde_json::json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": proof.expose_secret(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        });
        let request = self.http.post(self.at(&["api", "auth", "exchange"], &[]));
        let text = self.hear(request.header(header::ACCEPT, "application/json").json(&body)).map_err(|refusal| {
            let hint = |mut problem: Problem| {
                if problem.code == "auth.token_invalid" {
                    // It is not signing in again that helps a job.
                    problem.hints = vec![
                        "its issuer has to be among the service's `pipelines`, and its audience has to be the \
                         service's public address, or what WOOO_AUDIENCE and the issuer's `audience` both say"
                            .to_owned(),
                    ];
                }
                problem
            };
            let told: Vec<Problem> = refusal.problems.into_vec().into_iter().map(hint).collect();
            let problems = Problems::check(told).err().unwrap_or_else(|| self.foreign("it says nothing").into());
            Refusal { problems, again: refusal.again }
        })?;
        serde_json::from_str(&text).map_err(|_| {
            let problems = self.foreign("a token was expected").into();
            Refusal { problems, again: None }
        })
    }

    /// Sends a request and hears the answer.
    fn hear(&self, request: RequestBuilder) -> Result<String, Refusal> {
        let unheard = |error: &dyn std::error::Error| {
            let problem =
                Problem::new("client.unreachable", format!("{} cannot be asked: {}", self.url(), cause(error)));
            Refusal { problems: problem.into(), again: Some(Duration::ZERO) }
        };
        let response = request.send().map_err(|error| unheard(&error))?;
        let status = response.status();
        let waits = retry_after(&response);
        let mut bytes = Vec::new();
        response.take(MAX_ANSWER).read_to_end(&mut bytes).map_err(|error| unheard(&error))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let problems = self.problems(status.as_u16(), &text);
        let is_busy = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        Err(Refusal { problems, again: waits.or(is_busy.then_some(Duration::ZERO)) })
    }

    /// What the service says is wrong, as it would be said of a repository at hand.
    fn problems(&self, status: u16, text: &str) -> Problems {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let trace = document.get("trace_id").and_then(Value::as_str).filter(|_| status >= 500);
        let all = document.get("problems").and_then(Value::as_array).cloned();
        let mut found: Vec<Problem> =
            all.unwrap_or_else(|| vec![document.clone()]).iter().filter_map(problem).collect();
        if let (Some(trace), Some(last)) = (trace, found.last_mut()) {
            last.hints.push(format!("the service's log says more under {trace}"));
        }
        if let (401, false, Some(last)) = (status, self.has_token(), found.last_mut()) {
            last.hints.push("give a token in WOOO_TOKEN or with `--token-file`".to_owned());
            last.hints.extend(identity::missing().map(str::to_owned));
        }
        match Problems::check(found) {
            Err(problems) => problems,
            Ok(()) => self.foreign(&format!("its answer is {status}")).into(),
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

fn unnamed() -> Problem {
    Problem::new("client.no_server", "no service is named")
        .hint("name one with `--server URL` or in WOOO_SERVER; `wooo serve` runs one")
}

/// The innermost reason of an error, which is the one that says something.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The address of a service. A token is sent to it, so it has TLS, unless it is on this machine or among the trusted
/// origins.
fn address(text: &str, trusted: &str) -> Result<Url, Problem> {
    let refused = |detail: &str| {
        Problem::new("client.address", format!("the address of the service {detail}"))
            .hint("write it as `https://wooo.example.com`")
    };
    let mut url = Url::parse(text).map_err(|_| refused("is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("must not hold a name or a password; the token has a place of its own"));
    }
    let is_local = is_this_machine(&url).ok_or_else(|| refused("has no host"))?;
    let is_trusted = || {
        let origins = trusted.split(',').filter_map(|origin| Url::parse(origin.trim()).ok());
        origins.into_iter().any(|origin| origin.origin() == url.origin())
    };
    match url.scheme() {
        "https" => {}
        "http" if is_local || is_trusted() => {}
        "http" => {
            return Err(refused("begins with http, and a token would be readable on the way")
                .hint("an origin inside your network can be named in WOOO_TRUSTED_ORIGINS"));
        }
        _ => return Err(refused("has to begin with https")),
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn token_in(path: &Path) -> Result<SecretString, Problem> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::new("files.unreadable", format!("{}: {error}", path.display())))?;
    token(&text, &path.display().to_string())
}

/// A token as it was given, without the line break at its end.
pub(super) fn token(text: &str, place: &str) -> Result<SecretString, Problem> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::new("client.token", format!("{place} holds no token")));
    }
    Ok(SecretString::from(text.to_owned()))
}

/// A problem as the service writes it down: an entry of a problem document, or the field `problem` of a change.
pub(super) fn problem(entry: &Value) -> Option<Problem> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut problem = Problem::new(known(&text("code")?)?, text("detail")?);
    problem.field = text("field");
    let hints = entry.get("hints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    problem.hints = hints.iter().filter_map(|hint| hint.as_str().map(str::to_owned)).collect();
    if problem.hints.is_empty() {
        problem.hints.extend(text("hint"));
    }
    problem.location = entry.get("location").and_then(location);
    Some(problem)
}

fn location(value: &Value) -> Option<Location> {
    let number = |name: &str| {
        let number = value.get(name).and_then(Value::as_u64).unwrap_or(1).clamp(1, u64::from(u32::MAX));
        usize::try_from(number).unwrap_or(1)
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Location {
        file: text("file")?,
        line: number("line"),
        column: number("column"),
        excerpt: text("excerpt")?,
        length: number("length"),
    })
}

/// A code as it is everywhere else in the program. A service may be newer than this program and have codes that it does
/// not know; each is kept once, as long as the process lives, and no more of them than any service has.
fn known(code: &str) -> Option<&'static str> {
    static CODES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let has_form = code.len() <= 64
        && code.split_once('.').is_some_and(|(area, name)| !area.is_empty() && !name.is_empty())
        && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'.'));
    let mut codes = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(code) = codes.get(code) {
        return Some(code);
    }
    if !has_form || codes.len() >= MAX_CODES {
        return None;
    }
    let code: &'static str = String::leak(code.to_owned());
    codes.insert(code);
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_not_sent_where_others_can_read_it() {
        for (text, trusted) in [
            ("https://wooo.example.com", ""),
            ("https://example.com/wooo/", ""),
            ("http://127.0.0.1:8080", ""),
            ("http://[::1]:8080", ""),
            ("http://localhost", ""),
            ("http://wooo.wooo.svc", "https://git.internal, http://wooo.wooo.svc"),
        ] {
            assert!(address(text, trusted).is_ok(), "{text}");
        }
        for (text, words) in [
            ("http://wooo.example.com", "begins with http"),
            ("ftp://wooo.example.com", "has to begin with https"),
            ("https://u:p@wooo.example.com", "must not hold a name"),
            ("wooo.example.com", "is no URL"),
        ] {
            let problem = address(text, "http://other.example.com").unwrap_err();
            assert!(problem.detail.contains(words), "{text}: {problem}");
            assert!(!problem.to_string().contains("u:p"), "{problem}");
        }
    }

    #[test]
    fn a_service_below_a_path_is_asked_below_that_path() {
        let service = Service::new("https://example.com/wooo/", Credential::Nobody, None).unwrap();
        let url = service.at(&["api", "apps", "a/../b"], &[("q", "x y")]);
        assert_eq!(url.as_str(), "https://example.com/wooo/api/apps/a%2F..%2Fb?q=x+y");
    }

    #[test]
    fn a_problem_document_is_the_problems_that_it_tells_of() {
        let service = Service::new("https://example.com", Credential::Nobody, None).unwrap();
        let entry = |code: &str| json!({"code": code, "detail": "no", "hint": "one", "hints": ["one", "two"]});
        let mut document = entry("spec.value");
        document["problems"] = json!([entry("spec.value"), entry("later.unheard_of")]);
        let found = service.problems(422, &document.to_string()).into_vec();
        assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["spec.value", "later.unheard_of"]);
        assert_eq!(found[0].hints, ["one", "two"]);
        let place = json!({"code": "spec.value", "detail": "no", "location":
            {"file": "wooo.yaml", "line": 3, "column": 0, "excerpt": "a: b", "length": 0}});
        let found = service.problems(422, &place.to_string()).into_vec();
        assert_eq!(found[0].location.as_ref().map(|place| (place.line, place.column, place.length)), Some((3, 1, 1)));
        let late = json!({"code": "http.internal", "detail": "no", "trace_id": "4bf9"}).to_string();
        assert_eq!(service.problems(500, &late).into_vec()[0].hints, ["the service's log says more under 4bf9"]);
        for text in ["<html>", "{}", r#"{"code": "Not A Code", "detail": "x"}"#] {
            assert_eq!(service.problems(502, text).into_vec()[0].code, "client.answer", "{text}");
        }
    }

    #[test]
    fn a_code_is_kept_once() {
        let (one, two) = (known("some.code").unwrap(), known(String::from("some.code").as_str()).unwrap());
        assert!(std::ptr::eq(one, two));
        assert_eq!((known("nothing"), known("a.B"), known(".a")), (None, None, None));
    }
}
