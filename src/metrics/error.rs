//! Why Prometheus gave no answer.

/// Why Prometheus gave no answer. None of the texts holds a credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The address is none that can be used.
    #[error("the URL of Prometheus {0}")]
    Url(&'static str),
    /// Nobody answers there, or what answers is not Prometheus.
    #[error("Prometheus cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("Prometheus did not answer in time")]
    Timeout,
    /// The answer is larger than anything that wooo asks for.
    #[error("the answer of Prometheus is larger than {0} bytes")]
    TooLarge(usize),
    /// It refuses the token, or wants one.
    #[error("Prometheus refuses the credentials")]
    Auth,
    /// It wants to be asked somewhere else, where the token must not go.
    #[error("Prometheus redirects to another address; set its final one")]
    Redirect,
    /// It is too busy, or starting; worth another try later.
    #[error("Prometheus is not available: {0}")]
    Unavailable(String),
    /// It did not understand the query.
    #[error("Prometheus refuses the query: {0}")]
    Query(String),
    /// What it answered cannot be read.
    #[error("the answer of Prometheus cannot be read: {0}")]
    Answer(String),
}
