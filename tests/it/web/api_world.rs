//! A whole service for tests of its API: a database, a local forge with a fleet, workers, no cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wooo::cluster::{Clusters, Timing as ClusterTiming};
use wooo::domain::Role;
use wooo::domain::fleet::{Delivery, Provider, SecretBackend};
use wooo::forge::{Clock, LocalForges, User};
use wooo::git::{NetworkPolicy, PreparedBlob, Repository, Signature, TreeEdits, message};
use wooo::jobs::{Workers, WorkersOptions};
use wooo::operations::lifecycle::{FleetSource, ServedFleet, Service, Timing};
use wooo::operations::{Request as Asking, dns, init};
use wooo::store::Store;
use wooo::web::auth::{Grant, Identity, Principal, Routes, Scope, Scopes, Who};
use wooo::web::scout::Scout;
use wooo::web::server::{Assembled, assemble};
use wooo::web::state::{AppState, StateParts};

/// A service.
pub(super) struct World {
    pub(super) site: Assembled,
    pub(super) state: AppState,
    pub(super) stop: CancellationToken,
    folder: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Heard {
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(super) fn problem(self, status: u16, code: &str) -> Self {
        let heard = self.expect(status);
        assert_eq!(heard.body["code"], code, "{}", heard.text);
        assert_eq!(heard.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(heard.body["trace_id"].as_str().map(str::len), Some(32), "{}", heard.text);
        heard
    }
}

/// Who asks, as the tests' own middleware reads it: `admin`, `nobody`, or a role in a tenant such as `deployer@growth`;
/// `ci/deployer@growth` is a pipeline that may do the same.
const AS: &str = "x-test-as";

fn principal(text: &str) -> Principal {
    if let Some(text) = text.strip_prefix("ci/") {
        return Principal { display: "ci:github:acme/shop".to_owned(), ..principal(text) };
    }
    let grant = |text: &str| {
        let (role, tenant) = text.split_once('@').unwrap();
        let tenant = Some(tenant.parse().unwrap());
        Grant { fleet: Some("main".to_owned()), tenant, apps: None, role: role.parse::<Role>().unwrap() }
    };
    let grants = text.split_once('@').map(|_| grant(text)).into_iter().collect();
    Principal {
        who: Who::Person { user: text.replace('@', "-"), session: "s".to_owned() },
        display: format!("local:{}", text.replace('@', "-")),
        is_admin: text == "admin",
        grants,
        scopes: [Scope::Admin].into_iter().collect::<Scopes>(),
    }
}

async fn identify(mut request: Request, next: Next) -> Response {
    let text = request.headers().get(AS).map(|value| value.to_str().unwrap().to_owned());
    let identity = match text {
        Some(text) => Identity::Known { principal: Arc::new(principal(&text)), cross_site: false },
        None => Identity::Anonymous,
    };
    request.extensions_mut().insert(identity);
    next.run(request).await
}

fn start_fleet(folder: &std::path::Path, policy: &str) {
    let start = init::Start {
        url: "https://git.example.com/fleet.git".to_owned(),
        branch: "main".parse().unwrap(),
        bare: true,
        delivery: Delivery::Flux,
        provider: Provider::K3s,
        secrets: SecretBackend::default(),
        alert_webhook: None,
    };
    let committer = ("wooo".to_owned(), "wooo@localhost".to_owned());
    let now = jiff::Timestamp::now();
    let asking = Asking { actor: "local:test".to_owned(), reason: None, now, committer, change_id: None };
    init::run(folder, &start, &asking).unwrap();
    // Whose which app is.
    let repository = Repository::open(folder).unwrap();
    let base = "main".parse().unwrap();
    let tip = repository.tip(&base).unwrap();
    let tree = repository.tree(tip).unwrap();
    let text = wooo::files::FileTree::read_text(&tree, "fleet.yaml", 1 << 20).unwrap();
    let names: Vec<String> = (0..7).map(|number| format!("app-{number}")).collect();
    let tenants =
        format!("tenants:\n  growth: {{apps: [event-system, shop, {}]}}\n  core: {{apps: [blog]}}\n", names.join(", "));
    let text = text.replace("tenants: {}\n", &tenants).replace("policy: {}\n", &format!("policy: {policy}\n"));
    assert!(text.contains(policy), "{text}");
    let mut edits = TreeEdits::new();
    let mut writer = repository.writer();
    let blob = writer.add(PreparedBlob::new(text.as_bytes())).unwrap();
    edits.put("fleet.yaml", blob).unwrap();
    let written = writer.finish(Some(tree.id()), &edits).unwrap();
    let who = Signature { name: "t".to_owned(), email: "t@localhost".to_owned(), when: now };
    let text = message("Name tenants", "", &wooo::git::Trailers::new());
    let commit = repository.commit(written, &[tip], &who, &text).unwrap();
    repository.fast_forward(&base, commit, Some(tip)).unwrap();
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with("{}", Arc::new(jiff::Timestamp::now)).await
    }

    /// A service whose fleet has that policy, and whose forge has that clock.
    pub(super) async fn with(policy: &'static str, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let forges = LocalForges::new(folder.path().join("git"), "http://localhost", clock);
        let me = User { id: "wooo".parse().unwrap(), login: "wooo".to_owned() };
        let name = "fleet".parse().unwrap();
        let (at, branch) = (forges.clone(), "main".parse().unwrap());
        let forge = tokio::task::spawn_blocking(move || {
            let forge = at.create(&name, &branch, "1".parse().unwrap(), me).unwrap();
            start_fleet(forge.path(), policy);
            forge
        });
        let forge = forge.await.unwrap();
        let store = Store::open(&folder.path().join("wooo.db").display().to_string()).await.unwrap();
        let fleet_name: wooo::store::FleetName = "main".parse().unwrap();
        let source = FleetSource::Folder(forge.path().to_owned());
        let fleet = ServedFleet::new(fleet_name.clone(), Arc::new(forge), source);
        let stop = CancellationToken::new();
        let service = Arc::new(Service {
            store,
            fleets: BTreeMap::from([(fleet_name, fleet)]),
            links: Vec::new(),
            clusters: Clusters::start([], ClusterTiming::default(), &stop),
            committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
            timing: Timing {
                observe: Duration::from_millis(100),
                follow: Duration::from_millis(200),
                ..Timing::default()
            },
        });
        wooo::operations::lifecycle::start(&service).await.unwrap();
        let options = WorkersOptions { idle: Duration::from_millis(50), ..WorkersOptions::new("test") };
        tokio::spawn(Workers::new(Arc::clone(&service), options).run(stop.clone()));
        let state = AppState::new(StateParts {
            service,
            resolver: dns::Resolver::new(Some("127.0.0.1:9".parse().unwrap())).unwrap(),
            scout: Scout::new(NetworkPolicy::default(), 2),
            prometheus: BTreeMap::new(),
            public_url: "http://localhost".to_owned(),
            is_sandbox: true,
            runs_workers: true,
        });
        let site = assemble(&state, Routes::new(), |router| router.layer(from_fn(identify)), None);
        Self { site, state, stop, folder }
    }

    /// The folder of the fleet's repository.
    pub(super) fn repository(&self) -> std::path::PathBuf {
        self.folder.path().join("git/fleet.git")
    }

    pub(super) async fn raw(&self, request: Request) -> Response {
        self.site.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn ask(
        &self,
        who: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Heard {
        let mut builder = axum::http::Request::builder().method(method).uri(path);
        if !who.is_empty() {
            builder = builder.header(AS, who);
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                builder = builder.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        hear(self.raw(builder.body(body).unwrap()).await).await
    }

    pub(super) async fn get(&self, who: &str, path: &str) -> Heard {
        self.ask(who, "GET", path, &[], None).await
    }

    pub(super) async fn post(&self, who: &str, path: &str, body: Value) -> Heard {
        self.ask(who, "POST", path, &[], Some(body)).await
    }

    /// Onboards an app into production, where a person merges, and returns its id and that of the change.
    pub(super) async fn onboard(&self, who: &str, name: &str) -> (String, String) {
        let body = json!({
            "name": name, "framework": "flask", "image": format!("registry.example/{name}:1.0.0"),
            "environment": "production",
        });
        let heard = self.post(who, "/api/apps", body).await.expect(202);
        let text = |name: &str| heard.body[name].as_str().unwrap().to_owned();
        (text("app_id"), text("change_id"))
    }

    /// Waits until a change is in a state.
    pub(super) async fn until<'a>(&'a self, change: &'a str, state: &'a str) -> Value {
        for _ in 0..400 {
            let heard = self.get("admin", &format!("/api/changes/{change}")).await.expect(200);
            if heard.body["state"] == state {
                return heard.body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heard = self.get("admin", &format!("/api/changes/{change}")).await;
        panic!("{change} is not {state}: {}", heard.text)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) async fn hear(response: Response) -> Heard {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 8 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Heard { status: parts.status.as_u16(), headers: parts.headers, body, text }
}
