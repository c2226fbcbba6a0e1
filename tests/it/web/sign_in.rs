//! Sign-in with a forge, from the first click to the identity, and every step of it done by somebody else.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;
use wooo::web::auth::AuthError;
use wooo::web::auth::forge_login::{Callback, ForgeLogin, ProviderKind, ProviderSettings, SIGN_IN_LIFE, Started};
use wooo::web::auth::keys::Keys;
use wooo::web::auth::oidc::KeyLife;
use wooo::web::auth::outbound::Outbound;

use super::issuer::{CLIENT, PERSON, Provider, SECRET};

const KINDS: [(&str, ProviderKind); 4] = [
    ("github", ProviderKind::Github),
    ("gitlab", ProviderKind::Gitlab),
    ("gitea", ProviderKind::Gitea),
    ("oidc", ProviderKind::Oidc),
];

fn login(provider: &Provider) -> ForgeLogin {
    let settings = KINDS.map(|(name, kind)| ProviderSettings {
        name: name.to_owned(),
        kind,
        url: provider.url.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.into(),
    });
    let public_url = Url::parse("https://wooo.example/").unwrap();
    let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
    ForgeLogin::new(settings.into(), &public_url, keys, Outbound::new().unwrap(), KeyLife::default()).unwrap()
}

fn callback(code: &str, state: &str) -> Callback {
    serde_json::from_value(json!({"code": code, "state": state})).unwrap()
}

async fn begin(login: &ForgeLogin, name: &str) -> Started {
    login.begin(name, Some("/apps?env=staging"), Timestamp::now()).await.unwrap()
}

#[tokio::test]
async fn a_person_signs_in_with_each_kind_of_provider() {
    let provider = Provider::start().await;
    let login = login(&provider);
    for (name, kind) in KINDS {
        let started = begin(&login, name).await;
        let redirect_uri = format!("https://wooo.example/api/auth/forge/{name}/callback");
        assert!(started.location.query_pairs().any(|(key, value)| key == "redirect_uri" && value == redirect_uri));
        let (code, state) = provider.approve(&started.location);
        let found = login.finish(name, &callback(&code, &state), Some(&started.cookie), Timestamp::now()).await;
        let (identity, next) = found.unwrap();
        let subject = if kind == ProviderKind::Oidc { "subject-1".to_owned() } else { PERSON.to_string() };
        assert_eq!((identity.provider.as_str(), identity.subject), (name, subject));
        assert_eq!((identity.username.as_str(), next.as_str()), ("alice", "/apps?env=staging"));
        // The same answer once more: the code is used up.
        let again = login.finish(name, &callback(&code, &state), Some(&started.cookie), Timestamp::now()).await;
        assert_eq!(again, Err(AuthError::Denied), "{name}");
    }
}

#[tokio::test]
async fn an_answer_belongs_to_the_browser_that_asked() {
    let provider = Provider::start().await;
    let login = login(&provider);
    let now = Timestamp::now();
    for (name, _) in KINDS {
        let (mine, theirs) = (begin(&login, name).await, begin(&login, name).await);
        let (code, state) = provider.approve(&mine.location);
        let (their_code, their_state) = provider.approve(&theirs.location);
        let broken: SecretString = format!("{}A", mine.cookie.expose_secret()).into();
        let elsewhere = KINDS.iter().find(|(other, _)| *other != name).unwrap().0;
        let late = now + SIGN_IN_LIFE + jiff::SignedDuration::from_secs(2);
        for (what, at, callback, cookie, time) in [
            ("no cookie", name, callback(&code, &state), None, now),
            ("another state", name, callback(&code, "guess"), Some(&mine.cookie), now),
            ("an empty state", name, callback(&code, ""), Some(&mine.cookie), now),
            ("somebody else's state", name, callback(&code, &their_state), Some(&mine.cookie), now),
            ("somebody else's answer", name, callback(&their_code, &their_state), Some(&mine.cookie), now),
            ("a changed cookie", name, callback(&code, &state), Some(&broken), now),
            ("another provider", elsewhere, callback(&code, &state), Some(&mine.cookie), now),
            ("too late", name, callback(&code, &state), Some(&mine.cookie), late),
            ("no state", name, serde_json::from_value(json!({"code": code})).unwrap(), Some(&mine.cookie), now),
            ("no code", name, serde_json::from_value(json!({"state": state})).unwrap(), Some(&mine.cookie), now),
        ] {
            let refused = login.finish(at, &callback, cookie, time).await;
            assert_eq!(refused, Err(AuthError::Flow), "{name}: {what}");
        }
        // The code was stolen and is given to another browser's sign-in: the verifier does not fit.
        let stolen = login.finish(name, &callback(&code, &their_state), Some(&theirs.cookie), now).await;
        assert_eq!(stolen, Err(AuthError::Denied), "{name}");
    }
    assert_eq!(login.begin("nobody", None, now).await.unwrap_err(), AuthError::UnknownProvider);
}

#[tokio::test]
async fn an_id_token_is_for_us_and_for_this_sign_in() {
    let provider = Provider::start().await;
    let login = login(&provider);
    let now = jsonwebtoken::get_current_timestamp();
    for (changes, expected) in [
        (json!({"nonce": "another"}), AuthError::Flow),
        (json!({"nonce": null}), AuthError::Flow),
        (json!({"aud": "another-client"}), AuthError::TokenInvalid),
        (json!({"aud": [CLIENT, "another-client"]}), AuthError::TokenInvalid),
        (json!({"iss": "https://evil.example"}), AuthError::TokenInvalid),
        (json!({"exp": now - 120}), AuthError::TokenInvalid),
        (json!({"sub": ""}), AuthError::TokenInvalid),
        (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), AuthError::TokenInvalid),
    ] {
        *provider.shared.claims.lock().unwrap() = changes.clone();
        let started = begin(&login, "oidc").await;
        let (code, state) = provider.approve(&started.location);
        let refused = login.finish("oidc", &callback(&code, &state), Some(&started.cookie), Timestamp::now()).await;
        assert_eq!(refused, Err(expected), "{changes}");
    }
}

#[tokio::test]
async fn a_refusal_a_redirect_and_a_mixed_up_issuer_end_it() {
    let provider = Provider::start().await;
    let login = login(&provider);
    let started = begin(&login, "oidc").await;
    let (code, state) = provider.approve(&started.location);
    let finish = async |value: serde_json::Value| {
        let callback: Callback = serde_json::from_value(value).unwrap();
        login.finish("oidc", &callback, Some(&started.cookie), Timestamp::now()).await
    };
    assert_eq!(finish(json!({"state": state, "error": "access_denied"})).await, Err(AuthError::Denied));
    let mixed = json!({"state": state, "code": code, "iss": "https://evil.example"});
    assert_eq!(finish(mixed).await, Err(AuthError::Flow));
    provider.shared.redirects.store(true, Ordering::SeqCst);
    let redirected = finish(json!({"state": state, "code": code})).await.unwrap_err();
    assert!(!matches!(redirected, AuthError::Flow), "the code went nowhere else: {redirected:?}");
    assert!(!redirected.to_string().contains(&code) && !redirected.to_string().contains(SECRET));
    provider.shared.redirects.store(false, Ordering::SeqCst);
    let said = json!({"state": state, "code": code, "iss": provider.url});
    assert!(finish(said).await.is_ok());
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let provider = Provider::start().await;
    let login = login(&provider);
    let started = begin(&login, "github").await;
    let (code, state) = provider.approve(&started.location);
    let shown = format!("{login:?} {:?} {:?}", started.cookie, callback(&code, &state));
    for secret in [SECRET, started.cookie.expose_secret(), code.as_str(), state.as_str()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
