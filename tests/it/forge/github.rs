//! GitHub passes the suite of all forges, and that of those that are reached over HTTP; and what only it does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use wooo::forge::{
    Edit, Error, Forge, GitHub, MergeRequests as _, NewMergeRequest, Permission, Protection, RepositoryPath,
    StatusState, Statuses as _,
};

use super::conformance::{Harness as _, branch, conformance, proposal, status};
use super::fake::github::{GitHubDialect, RUN, app_routes, quick};
use super::fake::{Dialect as _, Failure, ME, Remote, TOKEN};
use super::remote::remote;

conformance!(Remote::<GitHubDialect>::new().await);

remote!(GitHubDialect);

type Fake = Remote<GitHubDialect>;

fn fleet() -> RepositoryPath {
    "acme/fleet".parse().unwrap()
}

/// An address of this machine at which that answers, until the test ends.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

fn with_token(address: &str) -> GitHub {
    wooo::cluster::install_crypto_provider();
    quick(&GitHub::with_token(address, &SecretString::from(TOKEN)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_confirmed_for_nothing() {
    let fake = Fake::new().await;
    let forge = fake.forge();
    let before = forge.identity().await.unwrap();
    fake.world.requests();
    assert_eq!(forge.identity().await.unwrap(), before);
    let seen = fake.world.requests();
    assert!(seen.iter().all(|request| request.headers.contains_key(header::IF_NONE_MATCH)), "{seen:?}");
    assert!(seen.iter().all(|request| request.headers["x-github-api-version"] == "2022-11-28"), "{seen:?}");
    // What has changed is seen at once.
    fake.world.rename("acme/ships");
    assert_eq!(forge.identity().await.unwrap().name, "acme/ships");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_changed_hides_nothing() {
    let fake = Fake::new().await;
    fake.push("wooo/a", "a").await;
    let made = fake.forge().open(&proposal("wooo/a")).await.unwrap();
    fake.world.rename("ships/fleet");
    let found = fake.forge().find_open(&branch("wooo/a"), &branch("main")).await.unwrap();
    assert_eq!(found.unwrap().number, made.number);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_runs_are_checks_and_a_skipped_one_is_not_green() {
    let fake = Fake::new().await;
    let head = fake.push("wooo/a", "a").await;
    let forge = fake.forge();
    let made = forge.open(&proposal("wooo/a")).await.unwrap();
    let required = ["build", "wooo/render"].map(|name| name.parse().unwrap());
    fake.protect(Protection { required_checks: BTreeSet::from(required), required_approvals: 0 }).await;
    forge.set_status(head, &status("wooo/render", StatusState::Success)).await.unwrap();
    let run = async |state| {
        fake.world.model().set_status(head, &status(&format!("{RUN}build"), state)).await.unwrap();
    };
    for state in [StatusState::Pending, StatusState::Error, StatusState::Failure] {
        run(state).await;
        let statuses = forge.statuses(head).await.unwrap();
        let seen: Vec<_> = statuses.iter().map(|one| (one.context.as_str(), one.state)).collect();
        assert_eq!(seen, [("build", state), ("wooo/render", StatusState::Success)]);
        let refused = forge.merge(made.number, head).await;
        assert_eq!(refused, Err(Error::ChecksMissing { checks: vec!["build".to_owned()] }), "{state}");
    }
    // A status of the same name does not outvote it.
    forge.set_status(head, &status("build", StatusState::Success)).await.unwrap();
    assert!(matches!(forge.merge(made.number, head).await, Err(Error::ChecksMissing { .. })));
    run(StatusState::Success).await;
    let statuses = forge.statuses(head).await.unwrap();
    assert!(statuses.iter().all(|one| one.state == StatusState::Success), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_may_not_be_seen_are_not_taken_for_none() {
    let fake = Fake::new().await;
    let head = fake.push("wooo/a", "a").await;
    fake.world.fail(Method::GET, "/check-runs", 1, Failure::Status(403));
    let told = fake.forge().statuses(head).await.unwrap_err();
    assert!(matches!(&told, Error::Forbidden { reason } if reason.contains("Checks: read")), "{told:?}");
    fake.protect(Protection { required_checks: BTreeSet::from(["ci".parse().unwrap()]), required_approvals: 1 }).await;
    let reader = fake.person("reader", Permission::Read).await;
    let told = fake.forge_as(&reader).protection(&branch("main")).await.unwrap_err();
    assert!(matches!(&told, Error::Forbidden { reason } if reason.contains("Administration: read")), "{told:?}");
    let ann = fake.person("ann", Permission::Write).await;
    fake.world.fail(Method::GET, "/permission", 100, Failure::Page(200));
    let told = fake.forge().permission(&ann.id).await;
    assert!(matches!(told, Err(Error::Unavailable { .. })), "{told:?}");
    fake.world.mend();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_would_merge_and_wooo_would_not_is_not_even_tried() {
    let fake = Fake::new().await;
    for name in ["wooo/a", "wooo/b"] {
        fake.push(name, &name.replace('/', "-")).await;
    }
    let forge = fake.forge();
    let one = forge.open(&proposal("wooo/a")).await.unwrap();
    let two = forge.open(&proposal("wooo/b")).await.unwrap();
    forge.merge(one.number, one.head).await.unwrap();
    fake.world.requests();
    // Two files: there is nothing that contradicts, but nobody has seen both together.
    assert_eq!(forge.merge(two.number, two.head).await, Err(Error::Conflict));
    let draft = NewMergeRequest { draft: true, ..proposal("wooo/c") };
    fake.push("wooo/c", "c").await;
    let draft = forge.open(&draft).await.unwrap();
    assert!(matches!(forge.merge(draft.number, draft.head).await, Err(Error::Invalid { .. })));
    let tried = fake.world.requests().into_iter().filter(|request| request.method == Method::PUT);
    assert!(!tried.map(|request| request.path).any(|path| path.ends_with("/merge")));
    // What GitHub refuses for a reason of its own is told, and nothing has happened.
    let head = fake.rewrite("wooo/b", "anew").await;
    fake.world.fail(Method::PUT, "/merge", 1, Failure::Status(405));
    let told = forge.merge(two.number, head).await;
    assert_eq!(told, Err(Error::Forbidden { reason: "it does not work".to_owned() }));
    fake.world.requests();
    forge.merge(two.number, head).await.unwrap();
    let tried = fake.world.requests().into_iter().find(|request| request.method == Method::PUT).unwrap();
    let body: Value = serde_json::from_slice(&tried.body).unwrap();
    assert_eq!(body, json!({"sha": head, "merge_method": "merge"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_are_asked_once_and_the_unknown_left_out() {
    let fake = Fake::new().await;
    let head = fake.push("wooo/a", "a").await;
    let (ann, _) = (fake.person("ann", Permission::Write).await, fake.person("bob", Permission::Write).await);
    let forge = fake.forge();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let asked = names(&["ann", "acme/platform", "nobody", "acme/none", "wooo"]);
    let made = forge.open(&NewMergeRequest { reviewers: asked, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!(made.reviewers, names(&["acme/platform", "ann"]));
    // GitHub takes whoever answers off the list, and wooo does not ask them again.
    fake.approve(&ann, made.number, head).await;
    fake.world.model().update(made.number, &Edit { reviewers: Some(names(&[])), ..Edit::default() }).await.unwrap();
    let edit = Edit { reviewers: Some(names(&["ann", "bob"])), ..Edit::default() };
    assert_eq!(forge.update(made.number, &edit).await.unwrap().reviewers, names(&["bob"]));
    let nobody = Edit { reviewers: Some(names(&[])), ..Edit::default() };
    assert_eq!(forge.update(made.number, &nobody).await.unwrap().reviewers, names(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_if_all_is_so_already() {
    let fake = Fake::new().await;
    fake.push("wooo/a", "a").await;
    let made = fake.forge().open(&proposal("wooo/a")).await.unwrap();
    fake.world.requests();
    let edit = Edit {
        title: Some("wooo/a".into()),
        body: Some("why".into()),
        // To GitHub this is the same label.
        labels: Some(BTreeSet::from(["WOOO".parse().unwrap()])),
        reviewers: Some(BTreeSet::new()),
    };
    assert_eq!(fake.forge().update(made.number, &edit).await.unwrap(), made);
    let seen = fake.world.requests();
    assert!(seen.iter().all(|request| request.method == Method::GET), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_done_is_not_made_up() {
    let fake = Fake::new().await;
    fake.push("wooo/a", "a").await;
    fake.world.requests();
    fake.world.fail(Method::POST, "/pulls", 1, Failure::Status(502));
    let told = fake.forge().open(&proposal("wooo/a")).await;
    assert!(matches!(told, Err(Error::Unavailable { .. })), "{told:?}");
    let seen = fake.world.requests();
    assert_eq!(seen.iter().filter(|request| request.method == Method::POST).count(), 1, "{seen:?}");
    // Somebody else's that is there is not ours, whatever became of the request.
    let ann = fake.person("ann", Permission::Write).await;
    let theirs = fake.forge_as(&ann).open(&proposal("wooo/a")).await.unwrap();
    fake.world.fail(Method::POST, "/pulls", 1, Failure::Status(502));
    let told = fake.forge().open(&proposal("wooo/a")).await;
    assert_eq!(told, Err(Error::Exists { number: theirs.number }));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_takes_the_token_elsewhere() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let elsewhere = serve(Router::new().fallback(move |request: Request| {
        noted.lock().unwrap().push(request.uri().to_string());
        async { axum::Json(json!({"id": 4711})) }
    }))
    .await;
    let leading = serve(Router::new().fallback(move || {
        let location = [(header::LOCATION, format!("{elsewhere}/api/v3/repositories/4711"))];
        async { (StatusCode::MOVED_PERMANENTLY, location, axum::Json(json!({"message": "Moved"}))) }
    }))
    .await;
    let told = with_token(&leading).repository(&fleet(), None).await.err().unwrap();
    assert!(matches!(told, Error::Unavailable { .. }), "{told:?}");
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_no_answer() {
    let endless = serve(Router::new().fallback(|| async {
        let chunk = bytes::Bytes::from(vec![b' '; 1024 * 1024]);
        let stream = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        ([(header::CONTENT_TYPE, "application/json")], axum::body::Body::from_stream(stream)).into_response()
    }))
    .await;
    let began = Instant::now();
    let told = with_token(&endless).repository(&fleet(), None).await.err().unwrap();
    assert!(matches!(&told, Error::Unavailable { reason } if reason.contains("too long")), "{told:?}");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_https_and_a_token_is_shown_to_nobody() {
    let token = SecretString::from(TOKEN);
    for bad in ["http://github.com", "ftp://github.com", "https://u:p@github.com", "github.com"] {
        assert!(matches!(GitHub::with_token(bad, &token), Err(Error::Invalid { .. })), "{bad}");
    }
    for bad in ["", " ", "a b", "a\nb", "ü"] {
        let told = GitHub::with_token("https://github.com", &SecretString::from(bad)).err().unwrap();
        assert!(matches!(told, Error::Invalid { .. }), "{told:?}");
    }
    let key = SecretString::from("no key at all");
    assert!(matches!(GitHub::with_app("https://github.com", 1, &key), Err(Error::Invalid { .. })));
    wooo::cluster::install_crypto_provider();
    let github = GitHub::with_token("https://github.com", &SecretString::from(format!("{TOKEN}\n"))).unwrap();
    let shown = format!("{github:?}");
    assert!(shown.contains("api.github.com") && !shown.contains(TOKEN), "{shown}");
    let group = "acme/group/fleet".parse().unwrap();
    assert!(matches!(github.repository(&group, None).await.err(), Some(Error::Invalid { .. })));
}

/// The key of the App, made once.
fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Whether that is a token that the App with the number 12 has signed for a few minutes.
fn is_signed(token: &str) -> bool {
    let public: PublicKeyX509Der<'_> = key().public_key().as_der().unwrap();
    let public = jsonwebtoken::DecodingKey::from_rsa_pem(pem("PUBLIC KEY", public.as_ref()).as_bytes()).unwrap();
    let validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    let Ok(found) = jsonwebtoken::decode::<Value>(token, &public, &validation) else { return false };
    let claims = found.claims;
    claims["iss"] == 12 && claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() <= 600
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_signs_and_gets_a_token_for_one_repository() {
    let fake = Fake::new().await;
    let minted = Arc::new(Mutex::new(Vec::<Value>::new()));
    let noted = Arc::clone(&minted);
    let note = axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
        let noted = Arc::clone(&noted);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
            if parts.uri.path().ends_with("/access_tokens") {
                noted.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            }
            next.run(Request::from_parts(parts, body.into())).await
        }
    });
    let routes = GitHubDialect::router(Arc::clone(&fake.world));
    let address = serve(routes.merge(app_routes(Arc::clone(&fake.world), is_signed)).layer(note)).await;
    let der: Pkcs8V1Der<'_> = key().as_der().unwrap();
    let private = SecretString::from(pem("PRIVATE KEY", der.as_ref()));
    let github = quick(&GitHub::with_app(&address, 12, &private).unwrap());
    let shown = format!("{github:?}");
    assert!(shown.contains("App 12") && !shown.contains("PRIVATE"), "{shown}");

    let forge: Arc<dyn Forge> = github.repository(&fleet(), Some(&"4711".parse().unwrap())).await.unwrap();
    assert_eq!(minted.lock().unwrap().as_slice(), [json!({"repository_ids": [4711]})]);
    let me = forge.myself().await.unwrap();
    assert_eq!(me.id.as_str(), ME.to_string());
    fake.push("wooo/a", "a").await;
    let made = forge.open(&proposal("wooo/a")).await.unwrap();
    forge.merge(made.number, made.head).await.unwrap();
    // The token is kept for as long as it is good, and is what Git takes too.
    let password = github.git_password(&fleet(), Some(&"4711".parse().unwrap())).await.unwrap();
    assert_eq!(password.expose_secret(), TOKEN);
    assert_eq!(minted.lock().unwrap().len(), 1);

    // Without an id the first token opens all of the installation, and is used to find the id.
    github.repository(&fleet(), None).await.unwrap().identity().await.unwrap();
    assert_eq!(minted.lock().unwrap()[1..], [json!({}), json!({"repository_ids": [4711]})]);

    let other = github.repository(&"acme/other".parse().unwrap(), None).await.err().unwrap();
    assert!(matches!(&other, Error::NotFound { what } if what.contains("installation")), "{other:?}");
    let stranger = quick(&GitHub::with_app(&address, 13, &private).unwrap());
    let told = stranger.repository(&fleet(), None).await.err().unwrap();
    assert!(matches!(told, Error::Forbidden { .. }), "{told:?}");
}
