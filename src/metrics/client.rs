//! Asking Prometheus over HTTP: one client, with limits on time and size, that goes nowhere but where it was sent.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::{self, Answer, Sample, Series};
use super::error::Error;

/// How long one question may take, answer and all.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How large an answer may be, in bytes.
const SIZE: usize = 16 << 20;
/// A query that is longer than this goes into a body, in bytes: proxies cut long addresses.
const ADDRESS_MAX: usize = 2000;

/// A Prometheus, or what speaks its API.
#[derive(Clone, Debug)]
pub struct Prometheus {
    client: Client,
    base: Url,
    bearer: Option<SecretString>,
}

impl Prometheus {
    /// A Prometheus at a base URL, which may have a path. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Url`] if the URL is none, is not http or https, or holds a name or a password.
    pub fn new(base_url: &str, bearer: Option<SecretString>) -> Result<Self, Error> {
        let mut base = Url::parse(base_url).map_err(|_| Error::Url("is not one"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(Error::Url("must begin with http or https"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::Url("must not hold a name or a password"));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        let builder = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        let client = builder.build().map_err(|error| Error::Unreachable(cause(&error)))?;
        Ok(Self { client, base, bearer })
    }

    /// The values of a query at a time.
    ///
    /// # Errors
    /// Any but [`Error::Url`].
    pub async fn query(&self, promql: &str, at: Timestamp) -> Result<Answer<Sample>, Error> {
        let body = self.ask("query", &[("query", promql), ("time", &seconds(at))]).await?;
        answer::samples(&body)
    }

    /// The values of a query from `start` to `end`, one per `step`.
    ///
    /// # Errors
    /// Any but [`Error::Url`]. Prometheus refuses more than 11,000 points.
    pub async fn query_range(
        &self,
        promql: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Answer<Series>, Error> {
        let step = format!("{}ms", step.as_millis().max(1));
        let parameters = [("query", promql), ("start", &seconds(start)), ("end", &seconds(end)), ("step", &step)];
        let body = self.ask("query_range", &parameters).await?;
        answer::series(&body)
    }

    async fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{what}", self.base.path().trim_end_matches('/')));
        let length: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        let mut request = if length > ADDRESS_MAX {
            self.client.post(url).form(parameters)
        } else {
            self.client.get(url).query(parameters)
        };
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer.expose_secret());
        }
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Error::Redirect);
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Error::Auth);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > SIZE {
                return Err(Error::TooLarge(SIZE));
            }
            body.extend_from_slice(&chunk);
        }
        // A refused query is explained in the body; a proxy in between explains nothing that can be read.
        if status.is_success() || answer::samples(&body).is_err_and(|error| !matches!(error, Error::Answer(_))) {
            return Ok(body);
        }
        let text = format!("it answers {}", status.as_u16());
        Err(if status.is_server_error() { Error::Unavailable(text) } else { Error::Unreachable(text) })
    }
}

fn seconds(time: Timestamp) -> String {
    let milliseconds = time.as_millisecond();
    format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

fn failed(error: &reqwest::Error) -> Error {
    if error.is_timeout() { Error::Timeout } else { Error::Unreachable(cause(error)) }
}

/// The innermost cause: the outer ones repeat the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_plain_one() {
        for bad in ["", "prometheus:9090", "file:///etc/passwd", "http://u:p@a.example", "http://u@a.example"] {
            assert!(matches!(Prometheus::new(bad, None), Err(Error::Url(_))), "{bad}");
        }
        let known = Prometheus::new("https://a.example/prom/?x#y", Some("canary".to_owned().into())).unwrap();
        assert_eq!(known.base.as_str(), "https://a.example/prom");
        assert!(!format!("{known:?}").contains("canary"));
    }

    #[test]
    fn a_time_is_written_to_the_millisecond() {
        assert_eq!(seconds(Timestamp::from_millisecond(1_500).unwrap()), "1.500");
        assert_eq!(seconds(Timestamp::from_millisecond(-1).unwrap()), "-1.999");
    }
}
