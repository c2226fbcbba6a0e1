//! How the command line shows a service who it is: with a token that somebody gave it, or as the job of GitHub Actions or
//! GitLab CI that it runs in, whose forge vouches for it. What such a job may do is for the service to say.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use reqwest::header;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::client::{Refusal, cause, token, variable};
use crate::domain::Problem;
use crate::domain::host::is_this_machine;

/// What a service is shown.
pub(super) enum Credential {
    /// Nothing.
    Nobody,
    /// A token that was given.
    Token(SecretString),
    /// A token that is made for the job, and made again when it has aged.
    Job(Job),
}

/// The job of a pipeline.
pub(super) struct Job {
    proof: Proof,
    known: Mutex<Option<Known>>,
}

/// What the forge says of the job, signed.
enum Proof {
    /// GitHub Actions makes one whenever it is asked.
    Asked { url: Url, token: SecretString },
    /// GitLab CI made one when the job began.
    Given(SecretString),
}

struct Known {
    token: SecretString,
    /// Until when it is used without a thought.
    fresh: Instant,
    /// Until when it is used if there is no other.
    good: Instant,
}

/// What a service gives for a proof.
#[derive(Deserialize)]
pub(super) struct Exchanged {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    expires_in: u64,
}

/// What GitHub answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(deserialize_with = "secret")]
    value: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Job {
    /// The job that this process runs in, if its forge vouches for it. `service` is the address of the service, for
    /// which alone the proof is good unless WOOO_AUDIENCE names another name of it: whoever gets it can do nothing with
    /// it elsewhere.
    pub(super) fn of_environment(service: &str) -> Result<Option<Self>, Problem> {
        let audience = variable("WOOO_AUDIENCE").unwrap_or_else(|| service.to_owned());
        let asked = (variable("ACTIONS_ID_TOKEN_REQUEST_URL"), variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
        let proof = if let (Some(url), Some(given)) = asked {
            let url = asking(&url, &audience)?;
            Some(Proof::Asked { url, token: token(&given, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")? })
        } else {
            variable("WOOO_ID_TOKEN").map(|given| token(&given, "WOOO_ID_TOKEN").map(Proof::Given)).transpose()?
        };
        Ok(proof.map(|proof| Self { proof, known: Mutex::new(None) }))
    }

    /// A token of the service that is good for a while yet. `exchange` gets one for a proof.
    pub(super) fn token(
        &self,
        http: &Client,
        exchange: impl FnOnce(&SecretString) -> Result<Exchanged, Refusal>,
    ) -> Result<SecretString, Refusal> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(known) = known.as_ref().filter(|known| now < known.fresh) {
            return Ok(known.token.clone());
        }
        let made = match &self.proof {
            Proof::Given(proof) => exchange(proof),
            Proof::Asked { url, token } => ask(http, url, token).and_then(|proof| exchange(&proof)),
        };
        match (made, known.as_ref()) {
            (Ok(made), _) => {
                // At half its life there is time for trying again, and for a request that takes long.
                let life = Duration::from_secs(made.expires_in);
                let new = Known { token: made.access_token, fresh: now + life / 2, good: now + life };
                Ok(known.insert(new).token.clone())
            }
            (Err(_), Some(known)) if now < known.good => Ok(known.token.clone()),
            (Err(refusal), _) => Err(refusal),
        }
    }
}

/// The address at which GitHub makes a proof. A token is sent there, so it has TLS.
fn asking(text: &str, audience: &str) -> Result<Url, Problem> {
    let refused = || problem("ACTIONS_ID_TOKEN_REQUEST_URL is no https address");
    let mut url = Url::parse(text).map_err(|_| refused())?;
    let is_local = is_this_machine(&url).ok_or_else(refused)?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
        return Err(refused());
    }
    url.query_pairs_mut().append_pair("audience", audience);
    Ok(url)
}

/// Has GitHub make a proof. Nothing of its answer is repeated.
fn ask(http: &Client, url: &Url, token: &SecretString) -> Result<SecretString, Refusal> {
    let request = http.get(url.clone()).bearer_auth(token.expose_secret()).header(header::ACCEPT, "application/json");
    let failed = |detail: String, is_passing: bool| Refusal {
        problems: problem(&detail).into(),
        again: is_passing.then_some(Duration::ZERO),
    };
    let response = request.send().map_err(|error| {
        failed(format!("GitHub cannot be asked for the job's token: {}", cause(&error.without_url())), true)
    })?;
    let status = response.status();
    if !status.is_success() {
        let is_passing = status.is_server_error() || status.as_u16() == 429;
        return Err(failed(
            format!("GitHub does not give the job a token: it answers {}", status.as_u16()),
            is_passing,
        ));
    }
    let answer: Result<Answer, _> = response.json();
    answer.map(|answer| answer.value).map_err(|_| failed("GitHub's answer holds no token for the job".to_owned(), true))
}

fn problem(detail: &str) -> Problem {
    Problem::new("client.identity", detail)
        .hint("the job needs `permissions: {id-token: write}`, or a token in WOOO_TOKEN")
}

/// What a job without a credential lacks, where this process runs in one.
pub(super) fn missing() -> Option<&'static str> {
    if variable("GITHUB_ACTIONS").is_some() {
        return Some("in GitHub Actions, `permissions: {id-token: write}` lets the job show who it is");
    }
    variable("GITLAB_CI").map(|_| "in GitLab CI, `id_tokens: {WOOO_ID_TOKEN: {aud: ...}}` lets the job show who it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_asked_for_one_service_and_only_over_tls() {
        let url = asking("https://forge.example/token?api-version=2.0", "https://wooo.example/a&b").unwrap();
        assert_eq!(
            url.as_str(),
            "https://forge.example/token?api-version=2.0&audience=https%3A%2F%2Fwooo.example%2Fa%26b"
        );
        assert!(asking("http://127.0.0.1:1/token", "x").is_ok());
        for bad in ["http://forge.example/token", "file:///etc/passwd", "", "forge.example"] {
            assert_eq!(asking(bad, "x").unwrap_err().code, "client.identity", "{bad}");
        }
    }

    #[test]
    fn a_token_is_made_again_when_it_has_aged() {
        let job = Job { proof: Proof::Given("proof".to_owned().into()), known: Mutex::new(None) };
        let http = Client::new();
        let made = std::cell::Cell::new(0);
        let token = |life: Option<u64>| {
            let exchange = |proof: &SecretString| {
                assert_eq!(proof.expose_secret(), "proof");
                made.set(made.get() + 1);
                let access_token = made.get().to_string().into();
                let refused = || Refusal { problems: problem("no").into(), again: None };
                life.map(|expires_in| Exchanged { access_token, expires_in }).ok_or_else(refused)
            };
            job.token(&http, exchange).ok().map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(token(None), None);
        assert_eq!([token(Some(0)), token(Some(600)), token(Some(600))].map(Option::unwrap), ["2", "3", "3"]);
        // One that is no longer fresh serves as long as there is no other.
        job.known.lock().unwrap().as_mut().unwrap().fresh = Instant::now();
        assert_eq!((token(None).unwrap(), token(Some(600)).unwrap()), ("3".to_owned(), "5".to_owned()));
    }
}
