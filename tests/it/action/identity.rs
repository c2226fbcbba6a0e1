//! A forge that vouches for a job, as GitHub Actions does it: an issuer, and an address at which a job asks it for a token.
//! And a service that trusts it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::service::process::{Served, Setting};
use crate::web::issuer::Provider;

/// With what a job may ask for its token.
pub(super) const REQUEST_TOKEN: &str = "the-request-token-of-the-job";

/// A forge that runs until it is dropped.
pub(super) struct Forge {
    pub(super) asking: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    provider: Provider,
    /// The number of the repository that it says the job is of.
    repository: Mutex<u64>,
    /// How many requests it refuses before it answers.
    busy: AtomicUsize,
    /// The audiences that it was asked for.
    audiences: Mutex<Vec<String>>,
}

impl Forge {
    pub(super) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (address, shared) = runtime.block_on(async {
            let shared = Arc::new(Shared {
                provider: Provider::start().await,
                repository: Mutex::new(4711),
                busy: AtomicUsize::new(0),
                audiences: Mutex::default(),
            });
            let router = Router::new().route("/idtoken", get(token)).with_state(Arc::clone(&shared));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
            (address, shared)
        });
        Self { asking: format!("http://{address}/idtoken?api-version=2.0"), shared, _runtime: runtime }
    }

    /// The jobs are of another repository from now on.
    pub(super) fn serve_repository(&self, number: u64) {
        *self.shared.repository.lock().unwrap() = number;
    }

    /// The next requests are refused.
    pub(super) fn be_busy(&self, requests: usize) {
        self.shared.busy.store(requests, Ordering::SeqCst);
    }

    pub(super) fn audiences(&self) -> Vec<String> {
        self.shared.audiences.lock().unwrap().clone()
    }

    /// What GitLab gives a job when it begins.
    pub(super) fn gitlab_token(&self, audience: &str) -> String {
        let mut claims = self.shared.claims(audience);
        for (name, value) in [
            ("project_id", json!("4711")),
            ("project_path", json!("acme/shop")),
            ("ref", json!("main")),
            ("ref_type", json!("branch")),
            ("pipeline_source", json!("push")),
        ] {
            claims[name] = value;
        }
        self.shared.provider.sign("rsa-1", &claims)
    }

    /// A service that lets the repository 4711 of this forge deploy the app `shop`.
    pub(super) fn service(&self, kind: &str) -> Service {
        let folder = tempfile::tempdir().unwrap();
        let more = format!(
            "refresh_seconds: 1\npipelines:\n  issuers: {{forge: {{url: {}, kind: {kind}}}}}\n  \
             rules: [{{issuer: forge, repository_id: 4711, fleet: main, apps: [shop]}}]\n",
            self.shared.provider.url
        );
        let served = Served::start(&Setting { data: folder.path().join("data"), more, ..Setting::default() }, "");
        Service { served, folder }
    }
}

/// A service with its data.
pub(super) struct Service {
    pub(super) served: Served,
    folder: TempDir,
}

impl Service {
    /// The token of its administrator.
    pub(super) fn admin_token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/admin.token")).unwrap().trim().to_owned()
    }
}

impl Shared {
    fn claims(&self, audience: &str) -> Value {
        let now = jsonwebtoken::get_current_timestamp();
        json!({
            "iss": self.provider.url, "aud": audience, "sub": "repo:acme/shop:ref:refs/heads/main",
            "jti": uuid::Uuid::new_v4().to_string(), "iat": now, "nbf": now, "exp": now + 300,
            "repository": "acme/shop", "repository_id": self.repository.lock().unwrap().to_string(),
            "ref": "refs/heads/main", "ref_protected": "true", "event_name": "push",
            "workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
        })
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    audience: String,
}

async fn token(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    if headers.get("authorization").is_none_or(|value| *value != format!("Bearer {REQUEST_TOKEN}")) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if shared.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    shared.audiences.lock().unwrap().push(asked.audience.clone());
    Ok(Json(json!({"count": 1, "value": shared.provider.sign("rsa-1", &shared.claims(&asked.audience))})))
}
