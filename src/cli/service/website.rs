//! The web server of the service: its state, who may come in, and serving until it is told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::assemble::Assembled;
use super::settings::ServiceSettings;
use crate::domain::{Problem, Problems};
use crate::git::{NetworkPolicy, UrlPolicy};
use crate::metrics::Prometheus;
use crate::operations::dns::Resolver;
use crate::web::auth::accounts::{Auth, AuthSettings};
use crate::web::auth::forge_login;
use crate::web::auth::identify::identify;
use crate::web::auth::keys::Keys;
use crate::web::limits::TrustedProxies;
use crate::web::scout::Scout;
use crate::web::server;
use crate::web::state::{AppState, StateParts};
use crate::web::webhooks::Hooks;
use crate::web::{git_http, people};

/// How many sources of apps are looked at at once.
const SCOUTS: usize = 4;
/// How long requests may take to end when the service is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// The web server, with everything that it needs.
pub(crate) struct Website {
    router: Router,
}

impl Website {
    /// Puts it together.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(crate) async fn new(
        settings: &ServiceSettings,
        assembled: &Assembled,
        address: SocketAddr,
        runs_workers: bool,
    ) -> Result<Self, Problems> {
        let url = settings.url(address);
        let parts = StateParts {
            service: std::sync::Arc::clone(&assembled.service),
            resolver: Resolver::new(settings.name_server)?,
            scout: Scout::new(network(settings)?, SCOUTS),
            prometheus: prometheus(settings, assembled)?,
            public_url: url.clone(),
            is_sandbox: assembled.sandbox.is_some(),
            runs_workers,
        };
        let state = AppState::with_hooks(parts, Hooks::new(assembled.hooks.clone())?);
        let auth = auth(settings, assembled, &url)?;
        let first = people::bootstrap(&auth, &settings.data).await;
        if let Some(first) = first.map_err(|answer| answer.problems().to_vec()).map_err(several)? {
            tracing::info!(email = first.email, password = %first.password_file.display(), token = %first.token_file.display(), "the first administrator was made");
        }
        let repositories = settings
            .fleets()?
            .into_iter()
            .filter(|(_, fleet)| fleet.forge.is_none())
            .map(|(name, fleet)| Ok((fleet.repository.parse()?, name)))
            .collect::<Result<BTreeMap<_, _>, crate::forge::Error>>()
            .map_err(Problem::from)?;
        let may = people::authorise_git(auth.clone(), repositories, None);
        let git = git_http::router(assembled.forges.clone(), may, git_http::Limits::default(), "git");
        let around = |router: Router| router.layer(from_fn_with_state(auth, identify));
        let site = server::assemble(&state, people::routes(), around, Some(git));
        Ok(Self { router: site.router })
    }

    /// Answers requests until `stop` is cancelled, and ends what runs then within ten seconds.
    ///
    /// # Errors
    /// `service.listen` if the socket breaks.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Problem> {
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let told = stop.clone();
        let serving =
            axum::serve(listener, service).with_graceful_shutdown(async move { told.cancelled().await }).into_future();
        tokio::select! {
            ended = serving => ended.map_err(|error| Problem::new("service.listen", error.to_string())),
            // Streams of events do not end by themselves.
            () = async { stop.cancelled().await; tokio::time::sleep(FAREWELL).await } => Ok(()),
        }
    }
}

/// Opens the socket.
///
/// # Errors
/// `service.listen`.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|error| {
        Problem::new("service.listen", format!("{address} cannot be listened on: {error}"))
            .hint("choose another address with `--listen`, for example 127.0.0.1:8090")
    })
}

/// Where Git may go.
pub(super) fn network(settings: &ServiceSettings) -> Result<NetworkPolicy, Problem> {
    let trusted = settings.trusted_origins.iter().map(|origin| origin.parse()).collect::<Result<Vec<_>, _>>();
    let trusted = trusted.map_err(|error| invalid("trusted_origins", &error))?;
    Ok(NetworkPolicy { urls: UrlPolicy { trusted }, ..NetworkPolicy::default() })
}

fn prometheus(
    settings: &ServiceSettings,
    assembled: &Assembled,
) -> Result<BTreeMap<crate::domain::ClusterName, Prometheus>, Problem> {
    let mut found = BTreeMap::new();
    for (name, one) in &settings.prometheus {
        let token = one.token_file.as_deref().map(secret).transpose()?;
        let client = Prometheus::new(&one.url, token).map_err(|error| invalid("prometheus", &error))?;
        found.insert(name.clone(), client);
    }
    if let Some(sandbox) = &assembled.sandbox {
        for name in assembled.service.clusters.names() {
            let Some(url) = sandbox.prometheus_url(name.as_str()) else { continue };
            let client = Prometheus::new(&url, None).map_err(|error| invalid("prometheus", &error))?;
            found.entry(name.clone()).or_insert(client);
        }
    }
    Ok(found)
}

fn auth(settings: &ServiceSettings, assembled: &Assembled, url: &str) -> Result<Auth, Problem> {
    let public_url = Url::parse(url).map_err(|error| invalid("public_url", &error))?;
    let keys = match std::env::var("WOOO_SESSION_KEY") {
        Ok(text) => Keys::parse(&SecretString::from(text)),
        Err(_) => Keys::load_or_create(&settings.data.join("session.key")),
    };
    let mut wanted = AuthSettings::new(public_url, keys.map_err(|error| invalid("session.key", &error))?);
    for one in &settings.sign_in {
        wanted.providers.push(forge_login::ProviderSettings {
            name: one.name.clone(),
            kind: one.kind,
            url: one.url.clone(),
            client_id: one.client_id.clone(),
            client_secret: secret(&one.client_secret_file)?,
        });
    }
    wanted.pipelines = settings.pipelines.clone();
    wanted.rates = settings.requests_per_minute;
    let proxies = settings.trusted_proxies.iter().map(|range| range.parse()).collect::<Result<Vec<_>, _>>();
    wanted.proxies = TrustedProxies::new(proxies.map_err(|error| invalid("trusted_proxies", &error))?);
    Auth::new(assembled.service.store.clone(), wanted).map_err(|error| invalid("sign_in", &error))
}

/// Several problems as one value; there is at least one.
fn several(problems: Vec<Problem>) -> Problems {
    Problems::check(problems).err().unwrap_or_else(|| Problem::new("service.value", "the service cannot start").into())
}

/// What a file holds that only its owner should read.
pub(super) fn secret(path: &Path) -> Result<SecretString, Problem> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::new("files.unreadable", format!("{}: {error}", path.display())))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

fn invalid(field: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new("service.value", format!("{field}: {error}")).field(field)
}
