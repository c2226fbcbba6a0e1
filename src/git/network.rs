//! The HTTP client for Git, with its limits: which hosts, how long, how much.

use std::error::Error as _;
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use reqwest::{StatusCode, redirect};

use super::address::{FilteringResolver, Lookup, Refused, system_lookup};
use super::{Access, Error, RemoteUrl, UrlPolicy};

/// How much one operation on a remote may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection to be made.
    pub connect: Duration,
    /// For everything together.
    pub total: Duration,
    /// Bytes received.
    pub bytes: u64,
    /// Objects received.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(60),
            bytes: 512 * 1024 * 1024,
            objects: 2_000_000,
        }
    }
}

/// What an installation allows when it talks to remotes.
#[derive(Clone, Default)]
pub struct NetworkPolicy {
    /// Hosts beyond the public internet.
    pub urls: UrlPolicy,
    /// Limits of each operation.
    pub limits: Limits,
    /// Further certificate authorities, in PEM, for forges on premises.
    pub authorities: Vec<String>,
    /// Whether `HTTPS_PROXY` and its like are obeyed. The proxy then decides what can be reached.
    pub uses_system_proxy: bool,
    /// Another way to look up names than the system's.
    pub lookup: Option<Lookup>,
}

impl fmt::Debug for NetworkPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkPolicy({:?}, {:?})", self.urls, self.limits)
    }
}

/// The way to remotes, shared by all that talk to one. Cheap to clone.
///
/// It blocks, and it must not be made or used on a thread that runs asynchronous tasks: the HTTP client below panics
/// there.
#[derive(Clone)]
pub struct Network {
    client: Client,
    resolver: Arc<FilteringResolver>,
    policy: Arc<NetworkPolicy>,
    /// The last field, as fields are dropped in order.
    _last: Arc<LastClient>,
}

/// The client that is dropped last. Whoever lets go of a network may be a thread that runs asynchronous tasks, where
/// that would panic.
struct LastClient(Option<Client>);

impl Drop for LastClient {
    fn drop(&mut self) {
        let client = self.0.take();
        if tokio::runtime::Handle::try_current().is_ok() {
            std::thread::spawn(move || drop(client));
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)
    }
}

impl Network {
    /// Sets up the client.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if a certificate authority makes no sense or the system has none.
    pub fn new(policy: NetworkPolicy) -> Result<Self, Error> {
        let lookup = policy.lookup.clone().unwrap_or_else(system_lookup);
        let trusted = policy.urls.trusted.iter().map(|origin| origin.host().to_owned()).collect();
        let resolver = Arc::new(FilteringResolver::new(lookup, trusted));
        let mut builder = Client::builder()
            .user_agent(concat!("git/2.0 (wooo ", env!("CARGO_PKG_VERSION"), ")"))
            .dns_resolver(Arc::clone(&resolver))
            .redirect(redirect::Policy::none())
            .connect_timeout(policy.limits.connect);
        if !policy.uses_system_proxy {
            builder = builder.no_proxy();
        }
        let faulty = |error: reqwest::Error| unreachable("certificates", &error);
        for pem in &policy.authorities {
            let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).map_err(faulty)?;
            builder = builder.tls_certs_merge([certificate]);
        }
        let client = builder.build().map_err(faulty)?;
        let last = Arc::new(LastClient(Some(client.clone())));
        Ok(Self { client, resolver, policy: Arc::new(policy), _last: last })
    }

    pub(super) fn limits(&self) -> Limits {
        self.policy.limits
    }

    /// An address of `host` that may be connected to, for a program that makes the connection itself.
    pub(super) fn address(&self, host: &str) -> Result<IpAddr, Error> {
        let reachable = host.parse().map(|address| vec![address]).or_else(|_| self.resolver.addresses(host));
        let reachable = reachable.map_err(|error| unreachable_because(host, &error))?;
        let allowed = reachable.into_iter().find(|address| self.resolver.allows(host, *address));
        allowed.ok_or_else(|| Error::HostNotAllowed { host: host.to_owned() })
    }

    /// Begins an operation: from here its time runs.
    pub(super) fn session(&self, url: &RemoteUrl, access: &Access) -> Arc<Session> {
        Arc::new(Session {
            client: self.client.clone(),
            url: url.clone(),
            base: Mutex::new(url.as_str().to_owned()),
            access: access.clone(),
            limits: self.policy.limits,
            deadline: Instant::now() + self.policy.limits.total,
            received: AtomicU64::new(0),
            failure: Mutex::new(None),
        })
    }
}

/// The two services of a Git server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// One operation on one remote, with what it has used up of its limits.
pub(super) struct Session {
    client: Client,
    url: RemoteUrl,
    /// The URL to call: another path of the same host, where the server has said so.
    base: Mutex<String>,
    access: Access,
    limits: Limits,
    deadline: Instant,
    received: AtomicU64,
    /// Why it failed. libgit2 passes on no more than a text, so the cause is kept here.
    failure: Mutex<Option<Error>>,
}

/// Redirects on one host: a forge that knows a repository by another path answers with one or two.
const REDIRECTS: usize = 3;

impl Session {
    /// What the server has, for a service.
    pub(super) fn advertisement(self: &Arc<Self>, service: Service) -> Result<Limited, Error> {
        let suffix = format!("/info/refs?service={}", service.name());
        for _ in 0..=REDIRECTS {
            let base = self.base();
            let response = self.send(self.client.get(format!("{base}{suffix}")))?;
            if !response.status().is_redirection() {
                let expected = format!("application/x-{}-advertisement", service.name());
                return self.accepted(response, &expected);
            }
            let next = self.redirected(&response, &base, &suffix)?;
            *self.base.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Err(self.unreachable("too many redirects"))
    }

    /// Sends a request of a service.
    pub(super) fn call(self: &Arc<Self>, service: Service, body: impl Into<Body>) -> Result<Limited, Error> {
        let request = self
            .client
            .post(format!("{}/{}", self.base(), service.name()))
            .header(CONTENT_TYPE, format!("application/x-{}-request", service.name()))
            .header(ACCEPT, format!("application/x-{}-result", service.name()))
            .body(body);
        let response = self.send(request)?;
        if response.status().is_redirection() {
            return Err(Error::Redirect { host: self.url.host().to_owned() });
        }
        self.accepted(response, &format!("application/x-{}-result", service.name()))
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn timeout(&self) -> Error {
        Error::Timeout { seconds: self.limits.total.as_secs() }
    }

    /// Keeps the first failure, which is the cause of all others.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// The failure that was kept.
    pub(super) fn taken(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The cause of a failure that came back through libgit2.
    pub(super) fn cause(&self, error: git2::Error) -> Error {
        self.taken().unwrap_or(Error::Git(error))
    }

    pub(super) fn unreachable(&self, reason: &str) -> Error {
        Error::Unreachable { host: self.url.host().to_owned(), reason: reason.to_owned() }
    }

    fn base(&self) -> String {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(self.timeout());
        }
        let request = match &self.access {
            Access::Token(credential) => credential.authorize(&self.url, request),
            Access::Anonymous | Access::SshKey { .. } => request,
        };
        request.header(CACHE_CONTROL, "no-cache").timeout(remaining).send().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &reqwest::Error) -> Error {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if inner.is::<Refused>() {
                return Error::HostNotAllowed { host: self.url.host().to_owned() };
            }
            cause = inner.source();
        }
        if error.is_timeout() && !error.is_connect() { self.timeout() } else { unreachable(self.url.host(), error) }
    }

    /// Where a redirect leads, if that is another path of the same host.
    fn redirected(&self, response: &Response, base: &str, suffix: &str) -> Result<String, Error> {
        let refused = || Error::Redirect { host: self.url.host().to_owned() };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let here = url::Url::parse(base).map_err(|_| refused())?;
        let there = response.url().join(location).map_err(|_| refused())?;
        let is_same = there.origin() == here.origin() && there.username().is_empty() && there.password().is_none();
        let target = there.as_str().strip_suffix(suffix).filter(|_| is_same);
        target.map(str::to_owned).ok_or_else(refused)
    }

    fn accepted(self: &Arc<Self>, response: Response, content_type: &str) -> Result<Limited, Error> {
        let status = response.status();
        match status {
            // A server that hides a repository says that there is none, so these cannot be told apart.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(Error::Auth { host: self.url.host().to_owned() })
            }
            _ if !status.is_success() => Err(self.unreachable(&format!("it answers {}", status.as_u16()))),
            _ => {
                let found = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let is_git = found.is_some_and(|found| found.split(';').next() == Some(content_type));
                if !is_git {
                    return Err(self.unreachable("it does not answer as a Git server does"));
                }
                Ok(Limited { session: Arc::clone(self), response })
            }
        }
    }
}

fn unreachable_because(host: &str, error: &io::Error) -> Error {
    Error::Unreachable { host: host.to_owned(), reason: error.to_string() }
}

fn unreachable(host: &str, error: &reqwest::Error) -> Error {
    // The innermost cause says what happened; the outer ones repeat the URL.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let reason =
        if error.is_connect() && error.is_timeout() { "no connection in time".to_owned() } else { cause.to_string() };
    Error::Unreachable { host: host.to_owned(), reason }
}

/// The body of an answer, which ends in an error where a limit is reached.
pub(super) struct Limited {
    session: Arc<Session>,
    response: Response,
}

impl Limited {
    fn stop(&self, error: Error) -> io::Error {
        let text = error.to_string();
        self.session.fail(error);
        io::Error::other(text)
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // On every read, because a server that sends a byte a second never lets a single one time out.
        if self.session.is_over() {
            return Err(self.stop(self.session.timeout()));
        }
        let length = self.response.read(buffer).map_err(|error| {
            let is_late = self.session.is_over() || error.kind() == io::ErrorKind::TimedOut;
            let cause = if is_late { self.session.timeout() } else { self.session.unreachable("the answer broke off") };
            self.stop(cause)
        })?;
        let received = self.session.received.fetch_add(length as u64, Ordering::Relaxed) + length as u64;
        if received > self.session.limits.bytes {
            return Err(self.stop(Error::TooLarge { limit: format!("{} bytes", self.session.limits.bytes) }));
        }
        Ok(length)
    }
}
