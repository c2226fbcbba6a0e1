//! What sends webhooks as forges do, signed, and a service that takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wooo::cluster::{Clusters, Timing as ClusterTiming};
use wooo::forge::hooks::ForgeKind;
use wooo::git::NetworkPolicy;
use wooo::operations::dns;
use wooo::operations::lifecycle::{Service, Timing};
use wooo::store::Store;
use wooo::web::auth::Routes;
use wooo::web::scout::Scout;
use wooo::web::server::assemble;
use wooo::web::state::{AppState, StateParts};
use wooo::web::webhooks::{HookSource, Hooks};

use super::api_world::{Heard, hear};

/// The secret of the repository that the fixtures are about, and that of another tenant's.
pub(crate) const SECRET: &str = "a secret of the fleet's webhook";
pub(crate) const OTHER_SECRET: &str = "a secret of another tenant's webhook";
/// `0123456789abcdef` twice, in base64.
pub(crate) const SIGNING: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The ids of the fixtures' repositories, and those of another tenant's.
pub(crate) const fn repository(kind: ForgeKind) -> (u64, u64) {
    match kind {
        ForgeKind::Github => (424_242, 434_343),
        ForgeKind::Gitlab => (5252, 5353),
        ForgeKind::Gitea => (6262, 6363),
    }
}

/// A service without fleets, which takes what forges send and does not work on it.
pub(crate) struct Inbox {
    pub(crate) store: Store,
    pub(crate) router: axum::Router,
}

/// Two repositories of two tenants on each forge.
pub(crate) fn sources() -> Vec<HookSource> {
    let source = |kind: ForgeKind, id: u64, fleet: &str, secrets: &[&str]| HookSource {
        kind,
        source: format!("our-{kind}"),
        repository: id.to_string().parse().unwrap(),
        fleet: fleet.parse().unwrap(),
        secrets: secrets.iter().map(|text| SecretString::from(*text)).collect(),
    };
    let mut sources = Vec::new();
    for kind in [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea] {
        let (ours, theirs) = repository(kind);
        let secrets: &[&str] =
            if kind == ForgeKind::Gitlab { &[SECRET, SIGNING] } else { &[SECRET, "an older secret that counts"] };
        sources.push(source(kind, ours, "main", secrets));
        sources.push(source(kind, theirs, "other", &[OTHER_SECRET]));
    }
    sources
}

impl Inbox {
    pub(crate) fn new(store: Store) -> Self {
        Self::with(store, sources())
    }

    pub(crate) fn with(store: Store, sources: Vec<HookSource>) -> Self {
        let service = Service {
            store: store.clone(),
            fleets: BTreeMap::new(),
            links: Vec::new(),
            clusters: Clusters::start([], ClusterTiming::default(), &CancellationToken::new()),
            committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
            timing: Timing::default(),
        };
        Self { store, router: router(Arc::new(service), sources) }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Heard {
        hear(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// How many deliveries are kept, and how many jobs read them.
    pub(crate) async fn kept(&self) -> (i64, i64) {
        let (pending, processed) = self.store.delivery_counts().await.unwrap();
        let jobs = self.store.job_counts().await.unwrap();
        (pending + processed, jobs.iter().map(|count| count.count).sum())
    }
}

/// The whole router over a service.
pub(crate) fn router(service: Arc<Service>, sources: Vec<HookSource>) -> axum::Router {
    let parts = StateParts {
        service,
        resolver: dns::Resolver::new(Some("127.0.0.1:9".parse().unwrap())).unwrap(),
        scout: Scout::new(NetworkPolicy::default(), 2),
        prometheus: BTreeMap::new(),
        public_url: "http://localhost".to_owned(),
        is_sandbox: true,
        runs_workers: false,
    };
    let state = AppState::with_hooks(parts, Hooks::new(sources).unwrap());
    assemble(&state, Routes::new(), |router| router, None).router
}

pub(crate) fn hex_mac(secret: &str, body: &[u8]) -> String {
    let mac = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret.as_bytes()), body);
    mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A signature over id, time and body, in base64.
pub(crate) fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let text = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    STANDARD.encode(hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), &text))
}

/// A delivery without any signature.
pub(crate) fn unsigned(kind: ForgeKind, event: &str, delivery: &str, body: &[u8]) -> Request<Body> {
    let builder = Request::post(format!("/webhooks/{kind}")).header("content-type", "application/json");
    let builder = match kind {
        ForgeKind::Github => builder.header("x-github-event", event).header("x-github-delivery", delivery),
        ForgeKind::Gitlab => builder.header("x-gitlab-event", event).header("x-gitlab-event-uuid", delivery),
        ForgeKind::Gitea => builder.header("x-gitea-event", event).header("x-gitea-delivery", delivery),
    };
    builder.body(Body::from(body.to_vec())).unwrap()
}

/// The same with more headers.
pub(crate) fn with(mut request: Request<Body>, headers: &[(&'static str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// A delivery as its forge signs it.
pub(crate) fn signed(kind: ForgeKind, secret: &str, event: &str, delivery: &str, body: &[u8]) -> Request<Body> {
    let request = unsigned(kind, event, delivery, body);
    match kind {
        ForgeKind::Github => with(request, &[("x-hub-signature-256", &format!("sha256={}", hex_mac(secret, body)))]),
        ForgeKind::Gitlab => with(request, &[("x-gitlab-token", secret)]),
        ForgeKind::Gitea => with(request, &[("x-gitea-signature", &hex_mac(secret, body))]),
    }
}
