//! Accounts in a real database, asked over the real middleware: what ends a session, what a token may do, who is locked
//! out and for whom it looks the same.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use url::Url;
use wooo::domain::{AppName, Role, TenantName};
use wooo::store::{Membership, MembershipSource, Profile, Store, TenantKey, UserId};
use wooo::web::auth::accounts::{SignedIn, TokenRequest};
use wooo::web::auth::forge_login::ForgeIdentity;
use wooo::web::auth::identify::identify;
use wooo::web::auth::keys::Keys;
use wooo::web::auth::rules::no_such_app;
use wooo::web::auth::{Access, Auth, AuthSettings, Resource, Routes, Rule, Scope, Scopes};
use wooo::web::limits::ClientAddress;
use wooo::web::problem;

use super::issuer::Provider;

const EMAIL: &str = "alice@example.com";
const PASSWORD: &str = "correct horse battery";

struct Service {
    auth: Auth,
    store: Store,
    user: UserId,
}

fn settings() -> AuthSettings {
    let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
    AuthSettings::new(Url::parse("https://wooo.example").unwrap(), keys)
}

async fn service(settings: AuthSettings) -> Service {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let auth = Auth::new(store.clone(), settings).unwrap();
    let user = auth.add_person("Alice@Example.com", &PASSWORD.into(), Profile::default(), false).await.unwrap();
    let service = Service { auth, store, user };
    service.give("growth", Role::Deployer).await;
    service
}

fn address(text: &str) -> ClientAddress {
    ClientAddress(text.parse().unwrap())
}

async fn own(access: Access) -> String {
    access.principal().to_string()
}

async fn app(access: Access) -> Result<&'static str, problem::Answer> {
    let (growth, shop): (TenantName, AppName) = ("growth".parse().unwrap(), "shop".parse().unwrap());
    let found = Resource { fleet: "main", tenant: Some(&growth), app: Some(&shop) };
    access.check(Some(&found), no_such_app).map(|()| "yes")
}

impl Service {
    async fn give(&self, tenant: &str, role: Role) {
        let tenant = TenantKey { fleet: "main".parse().unwrap(), tenant: tenant.parse().unwrap() };
        let membership = Membership { tenant, user_id: self.user.clone(), role, source: MembershipSource::Local };
        let mut tx = self.store.begin().await.unwrap();
        tx.put_membership(&membership).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn sign_in(&self) -> SignedIn {
        self.auth.sign_in(EMAIL, &PASSWORD.into(), address("192.0.2.1")).await.unwrap()
    }

    fn router(&self) -> Router {
        let (router, ..) = Routes::new()
            .plain(Rule::SignedIn, &[Method::GET, Method::POST], "/me", get(own).post(own))
            .plain(Rule::Person, &[Method::POST], "/tokens", post(own))
            .plain(Rule::Admin, &[Method::GET], "/settings", get(own))
            .plain(Rule::Tenant(Role::Viewer), &[Method::GET], "/app", get(app))
            .plain(Rule::Tenant(Role::Deployer), &[Method::POST], "/app", post(app))
            .split();
        router.layer(from_fn_with_state(self.auth.clone(), identify)).layer(from_fn(problem::trace))
    }

    /// Status, code of the problem or the text, and the seconds to wait.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path).header("host", "wooo.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        (status, document["code"].as_str().map_or(text, str::to_owned))
    }

    async fn bearer(&self, method: &str, path: &str, token: &SecretString) -> u16 {
        let value = format!("Bearer {}", token.expose_secret());
        self.ask(method, path, &[("authorization", &value)]).await.0
    }
}

#[tokio::test]
async fn a_session_works_as_a_cookie_with_the_code_and_as_a_bearer_token() {
    let service = service(settings()).await;
    let signed_in = service.sign_in().await;
    let cookie = format!("__Host-wooo={}", signed_in.token.expose_secret());
    let site = ("sec-fetch-site", "same-origin");
    for (method, headers, expected) in [
        ("GET", vec![("cookie", cookie.as_str())], 200),
        ("POST", vec![("cookie", &cookie)], 403),
        ("POST", vec![("cookie", &cookie), site], 403),
        ("POST", vec![("cookie", &cookie), ("x-wooo-csrf", &signed_in.csrf)], 403),
        ("POST", vec![("cookie", &cookie), site, ("x-wooo-csrf", &signed_in.csrf)], 200),
        ("GET", vec![("cookie", "__Host-wooo=nonsense")], 401),
        // A header that is there is the only thing that counts.
        ("GET", vec![("cookie", &cookie), ("authorization", "Bearer nonsense")], 401),
        ("GET", vec![("cookie", &cookie), ("authorization", "Basic YTpi")], 401),
        ("GET", vec![], 401),
    ] {
        let (status, text) = service.ask(method, "/me", &headers).await;
        assert_eq!(status, expected, "{method} {headers:?}: {text}");
    }
    assert_eq!(service.bearer("POST", "/me", &signed_in.token).await, 200);
    let shown = format!("{signed_in:?}");
    assert!(!shown.contains(signed_in.token.expose_secret()), "{shown}");
    let value = format!("Bearer {}", signed_in.token.expose_secret());
    let (_, name) = service.ask("GET", "/me", &[("authorization", &value)]).await;
    assert_eq!(name, "local:alice@example.com");
}

#[tokio::test]
async fn a_session_ends_at_once() {
    let service = service(settings()).await;
    let principal = async |signed_in: &SignedIn| {
        let mut headers = axum::http::HeaderMap::new();
        let value = format!("Bearer {}", signed_in.token.expose_secret());
        headers.insert("authorization", value.parse().unwrap());
        match service.auth.identify(&Method::GET, &headers).await.unwrap() {
            wooo::web::auth::Identity::Known { principal, .. } => principal,
            other => panic!("{other:?}"),
        }
    };
    let (first, second) = (service.sign_in().await, service.sign_in().await);
    service.auth.sign_out(&*principal(&first).await, address("::1")).await.unwrap();
    assert_eq!(service.bearer("GET", "/me", &first.token).await, 401, "signed out");
    assert_eq!(service.bearer("GET", "/me", &second.token).await, 200, "another session goes on");
    let somebody = principal(&second).await;
    let wrong =
        service.auth.change_password(&somebody, &"wrong".into(), &"a new long one".into(), address("::1")).await;
    assert_eq!(wrong.unwrap_err().code(), "auth.credentials");
    let short = service.auth.change_password(&somebody, &PASSWORD.into(), &"short".into(), address("::1")).await;
    assert_eq!(short.unwrap_err().code(), "auth.password");
    service.auth.change_password(&somebody, &PASSWORD.into(), &PASSWORD.into(), address("::1")).await.unwrap();
    assert_eq!(service.bearer("GET", "/me", &second.token).await, 401, "a new password");
    let third = service.sign_in().await;
    let mut tx = service.store.begin().await.unwrap();
    tx.end_sessions(&service.user).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(service.bearer("GET", "/me", &third.token).await, 401, "a new role");
    let fourth = service.sign_in().await;
    let mut tx = service.store.begin().await.unwrap();
    tx.delete_user(&service.user).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(service.bearer("GET", "/me", &fourth.token).await, 401, "gone");
}

#[tokio::test]
async fn a_role_counts_as_it_is_now() {
    let service = service(settings()).await;
    let token = service.sign_in().await.token;
    assert_eq!(service.bearer("POST", "/app", &token).await, 200);
    assert_eq!(service.bearer("GET", "/settings", &token).await, 403);
    service.give("growth", Role::Viewer).await;
    assert_eq!(service.bearer("POST", "/app", &token).await, 403);
    assert_eq!(service.bearer("GET", "/app", &token).await, 200);
    let tenant = TenantKey { fleet: "main".parse().unwrap(), tenant: "growth".parse().unwrap() };
    let mut tx = service.store.begin().await.unwrap();
    tx.remove_membership(&tenant, &service.user).await.unwrap();
    tx.set_admin(&service.user, true).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(service.bearer("GET", "/settings", &token).await, 200);
}

#[tokio::test]
async fn wrong_passwords_lock_an_account_that_is_there_like_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wooo.db");
    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    let auth = Auth::new(store.clone(), settings()).unwrap();
    auth.add_person(EMAIL, &PASSWORD.into(), Profile::default(), false).await.unwrap();
    let mut seen = Vec::new();
    for email in [EMAIL, "nobody@example.com"] {
        let mut answers = Vec::new();
        for _ in 0..10 {
            let refused = auth.sign_in(email, &"wrong".into(), address("192.0.2.1")).await.unwrap_err();
            answers.push((refused.status().as_u16(), refused.problems()[0].to_string()));
        }
        assert_eq!(
            answers.iter().map(|answer| answer.0).collect::<Vec<_>>(),
            [401, 401, 401, 401, 401, 429, 429, 429, 429, 429]
        );
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1], "it does not show which account is there");
    // The right password does not help, and neither does a restart; from elsewhere the person gets in.
    let right = auth.sign_in(EMAIL, &PASSWORD.into(), address("192.0.2.1")).await.unwrap_err();
    assert_eq!(right.code(), "auth.locked");
    store.close().await;
    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    let auth = Auth::new(store, settings()).unwrap();
    let right = auth.sign_in(EMAIL, &PASSWORD.into(), address("192.0.2.1")).await.unwrap_err();
    assert_eq!(right.code(), "auth.locked");
    assert!(auth.sign_in(EMAIL, &PASSWORD.into(), address("192.0.2.2")).await.is_ok());
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_five() {
    let service = service(settings()).await;
    let guess =
        || async { service.auth.sign_in(EMAIL, &"wrong".into(), address("192.0.2.1")).await.unwrap_err().code() };
    let codes = futures::future::join_all((0..40).map(|_| guess())).await;
    assert_eq!(codes.iter().filter(|code| **code == "auth.credentials").count(), 5, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "auth.locked").count(), 35, "{codes:?}");
}

#[tokio::test]
async fn a_sign_in_takes_as_long_for_nobody() {
    let service = service(settings()).await;
    let mut least = [Duration::MAX; 2];
    for round in 0..12 {
        for (slot, email) in least.iter_mut().zip([EMAIL, "nobody@example.com"]) {
            let start = Instant::now();
            let from = address(&format!("198.51.100.{round}"));
            let refused = service.auth.sign_in(email, &"wrong".into(), from).await.unwrap_err();
            assert_eq!(refused.code(), "auth.credentials");
            *slot = start.elapsed().min(*slot);
        }
    }
    let [known, unknown] = least.map(|time| time.as_secs_f64());
    // Without the work on a password that is not there it would be a hundredth; what else runs here is no third.
    assert!((0.33..3.0).contains(&(known / unknown)), "{known} s with an account, {unknown} s without");
}

#[tokio::test]
async fn an_api_token_does_what_it_was_made_for_and_no_more() {
    let service = service(settings()).await;
    let token = service.sign_in().await.token;
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", token.expose_secret()).parse().unwrap());
    let wooo::web::auth::Identity::Known { principal, .. } =
        service.auth.identify(&Method::GET, &headers).await.unwrap()
    else {
        panic!("signed in");
    };
    let wanted = |scopes: Scopes, tenant: Option<&str>, role| TokenRequest {
        name: "ci".to_owned(),
        scopes,
        fleet: None,
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        role,
        expires_at: None,
    };
    for (what, request, look, deploy) in [
        ("all", wanted(Scopes::all(), None, Role::Owner), 200, 200),
        ("to deploy", wanted([Scope::Deploy].into(), Some("growth"), Role::Owner), 200, 200),
        ("to read", wanted([Scope::Read].into(), None, Role::Owner), 200, 403),
        ("as a viewer", wanted(Scopes::all(), None, Role::Viewer), 200, 403),
        ("elsewhere", wanted(Scopes::all(), Some("core"), Role::Owner), 404, 404),
        ("for nothing", wanted(Scopes::default(), None, Role::Owner), 404, 404),
    ] {
        let (secret, kept) = service.auth.create_token(&principal, request, address("::1")).await.unwrap();
        assert_eq!(service.bearer("GET", "/app", secret.secret()).await, look, "{what}");
        assert_eq!(service.bearer("POST", "/app", secret.secret()).await, deploy, "{what}");
        assert_eq!(service.bearer("POST", "/tokens", secret.secret()).await, 403, "{what} makes no tokens");
        let stored = service.store.tokens_of(&service.user).await.unwrap();
        assert!(stored.iter().any(|token| token.last_used_at.is_some()));
        assert!(!format!("{stored:?}").contains(secret.secret().expose_secret()));
        service.auth.revoke_token(&principal, &kept.id, address("::1")).await.unwrap();
        assert_eq!(service.bearer("GET", "/app", secret.secret()).await, 401, "{what}, taken back");
    }
    let (secret, _) =
        service.auth.create_token(&principal, wanted(Scopes::all(), None, Role::Owner), address("::1")).await.unwrap();
    let git = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("anybody:{}", secret.secret().expose_secret()),
    );
    assert_eq!(service.ask("GET", "/app", &[("authorization", &format!("Basic {git}"))]).await.0, 200);
    let unknown = wooo::web::auth::api_token::ApiToken::generate().unwrap();
    assert_eq!(service.bearer("GET", "/app", unknown.secret()).await, 401);
}

#[tokio::test]
async fn a_pipeline_touches_its_own_apps_for_ten_minutes() {
    let provider = Provider::start().await;
    let mut settings = settings();
    settings.pipelines = serde_json::from_value(json!({
        "issuers": {"github": {"url": provider.url, "kind": "github"}},
        "rules": [
            {"issuer": "github", "repository_id": 1, "fleet": "main", "apps": ["shop"]},
            {"issuer": "github", "repository_id": 2, "fleet": "main", "apps": ["blog"]},
        ],
    }))
    .unwrap();
    let service = service(settings).await;
    let now = jsonwebtoken::get_current_timestamp();
    for (repository, expected) in [(1, 200), (2, 404)] {
        let token = provider.sign(
            "rsa-1",
            &json!({
                "iss": provider.url, "aud": "https://wooo.example", "sub": "repo", "iat": now, "nbf": now,
                "exp": now + 300, "repository": "acme/shop", "repository_id": repository.to_string(),
                "ref": "refs/heads/main", "ref_protected": "true", "event_name": "push",
            }),
        );
        assert_eq!(
            service.bearer("POST", "/app", &token.clone().into()).await,
            401,
            "the forge's own token is none of ours"
        );
        let granted = service.auth.exchange(&token.into(), address("192.0.2.1")).await.unwrap();
        assert_eq!((granted.display.as_str(), granted.life.as_secs()), ("ci:github:acme/shop", 600));
        assert_eq!(service.bearer("POST", "/app", &granted.token).await, expected);
        assert_eq!(service.bearer("POST", "/tokens", &granted.token).await, 403);
        assert_eq!(service.bearer("GET", "/settings", &granted.token).await, 403);
    }
}

#[tokio::test]
async fn a_forge_account_is_whose_it_is_and_never_found_by_its_address() {
    let identity = ForgeIdentity {
        provider: "github".to_owned(),
        subject: "583231".to_owned(),
        username: "alice".to_owned(),
        name: Some(EMAIL.to_owned()),
    };
    let closed = service(settings()).await;
    let refused = closed.auth.sign_in_with_forge(&identity, address("::1")).await.unwrap_err();
    assert_eq!(refused.code(), "auth.denied");
    let open = service(AuthSettings { sign_up: true, ..settings() }).await;
    let first = open.auth.sign_in_with_forge(&identity, address("::1")).await.unwrap();
    assert_ne!(first.user.id, open.user, "somebody new");
    assert_eq!(open.bearer("GET", "/app", &first.token).await, 404, "with no role anywhere");
    let renamed = ForgeIdentity { username: "alice2".to_owned(), ..identity.clone() };
    let again = open.auth.sign_in_with_forge(&renamed, address("::1")).await.unwrap();
    assert_eq!(again.user.id, first.user.id, "the number counts, not the name");
    let value = format!("Bearer {}", again.token.expose_secret());
    assert_eq!(open.ask("GET", "/me", &[("authorization", &value)]).await.1, "github:alice2");
    let other = ForgeIdentity { subject: "2".to_owned(), ..identity };
    assert_ne!(open.auth.sign_in_with_forge(&other, address("::1")).await.unwrap().user.id, first.user.id);
}
