//! A service with accounts and no fleet, asked over the real router and the real middleware.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use url::Url;
use wooo::cluster::{Clusters, Timing as ClusterTiming};
use wooo::domain::Role;
use wooo::git::NetworkPolicy;
use wooo::operations::dns::Resolver;
use wooo::operations::lifecycle::{Service, Timing};
use wooo::store::{FleetName, Membership, MembershipSource, Profile, Store, TenantKey, UserId};
use wooo::web::auth::identify::identify;
use wooo::web::auth::keys::Keys;
use wooo::web::auth::{Auth, AuthSettings};
use wooo::web::limits::ClientAddress;
use wooo::web::people;
use wooo::web::scout::Scout;
use wooo::web::server::{Assembled, assemble};
use wooo::web::state::{AppState, StateParts};

use super::api_world::{Heard, hear};
use crate::store::Database;

pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct World {
    pub(super) site: Assembled,
    pub(super) auth: Auth,
    pub(super) store: Store,
    pub(super) _db: Database,
}

pub(super) fn settings() -> AuthSettings {
    let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
    AuthSettings::new(Url::parse("https://wooo.example").unwrap(), keys)
}

pub(super) fn key(tenant: &str) -> TenantKey {
    TenantKey { fleet: "main".parse().unwrap(), tenant: tenant.parse().unwrap() }
}

impl World {
    /// With the tenants `growth` and `core` of the fleet `main`, and nobody.
    pub(super) async fn start(db: Database, settings: AuthSettings) -> Self {
        let store = db.open().await;
        let fleet: FleetName = "main".parse().unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.replace_tenants(&fleet, &["growth".parse().unwrap(), "core".parse().unwrap()]).await.unwrap();
        tx.commit().await.unwrap();
        let stop = CancellationToken::new();
        let service = Arc::new(Service {
            store: store.clone(),
            fleets: BTreeMap::new(),
            links: Vec::new(),
            clusters: Clusters::start([], ClusterTiming::default(), &stop),
            committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
            timing: Timing::default(),
        });
        let auth = Auth::new(store.clone(), settings).unwrap();
        let state = AppState::new(StateParts {
            service,
            resolver: Resolver::new(Some("127.0.0.1:9".parse().unwrap())).unwrap(),
            scout: Scout::new(NetworkPolicy::default(), 1),
            prometheus: BTreeMap::new(),
            public_url: "https://wooo.example".to_owned(),
            is_sandbox: false,
            runs_workers: false,
        });
        let around = {
            let auth = auth.clone();
            move |router: axum::Router| router.layer(from_fn_with_state(auth, identify))
        };
        let site = assemble(&state, people::routes(), around, None);
        Self { site, auth, store, _db: db }
    }

    pub(super) async fn person(&self, email: &str, is_admin: bool) -> UserId {
        self.auth.add_person(email, &PASSWORD.into(), Profile::default(), is_admin).await.unwrap()
    }

    pub(super) async fn give(&self, user: &UserId, tenant: &str, role: Role) {
        let membership =
            Membership { tenant: key(tenant), user_id: user.clone(), role, source: MembershipSource::Local };
        let mut tx = self.store.begin().await.unwrap();
        tx.put_membership(&membership).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A bearer session.
    pub(super) async fn session(&self, email: &str) -> String {
        let address = ClientAddress("192.0.2.7".parse().unwrap());
        let signed_in = self.auth.sign_in(email, &PASSWORD.into(), address).await.unwrap();
        signed_in.token.expose_secret().to_owned()
    }

    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Heard {
        let mut request = Request::builder().method(method).uri(path).header("host", "wooo.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        hear(self.site.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()).await
    }

    /// Asks with a bearer token, or as nobody if it is empty.
    pub(super) async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Heard {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", &bearer));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &headers, body).await
    }

    pub(super) async fn login(&self, email: &str, password: &str) -> Heard {
        let body = json!({"email": email, "password": password, "session": "bearer"});
        self.ask("", "POST", "/api/auth/login", body).await
    }

    /// The actions in the audit, oldest first, with their actors.
    pub(super) async fn trail(&self) -> Vec<(String, String)> {
        let page = self.store.audit(&Default::default(), &Default::default()).await.unwrap();
        let mut found: Vec<_> = page.items.into_iter().map(|entry| (entry.actor, entry.action)).collect();
        found.reverse();
        found
    }
}
