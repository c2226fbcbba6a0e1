//! Tokens of pipelines, signed by a real key that is served over HTTP: every way in which one can be wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use wooo::domain::Role;
use wooo::web::auth::AuthError;
use wooo::web::auth::ci::{Exchange, PipelineSettings};
use wooo::web::auth::oidc::KeyLife;
use wooo::web::auth::outbound::Outbound;

use super::issuer::Provider;

const AUDIENCE: &str = "https://wooo.example";

fn exchange(provider: &Provider, life: KeyLife) -> Exchange {
    let settings: PipelineSettings = serde_json::from_value(json!({
        "issuers": {"github": {"url": provider.url, "kind": "github"}},
        "rules": [
            {"issuer": "github", "repository_id": 4711, "fleet": "main", "apps": ["shop"]},
            {"issuer": "github", "repository_id": 4711, "fleet": "main", "tenant": "growth", "environment": "production"},
        ],
    }))
    .unwrap();
    Exchange::new(settings, AUDIENCE, &Outbound::new().unwrap(), life).unwrap()
}

fn claims(provider: &Provider) -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": provider.url, "aud": AUDIENCE, "sub": "repo:acme/shop:ref:refs/heads/main", "jti": "1",
        "iat": now, "nbf": now, "exp": now + 300,
        "repository": "acme/shop", "repository_id": "4711", "ref": "refs/heads/main", "ref_protected": "true",
        "event_name": "push", "workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    })
}

#[tokio::test]
async fn a_trusted_pipeline_gets_what_its_rules_give() {
    let provider = Provider::start().await;
    let exchange = exchange(&provider, KeyLife::default());
    for key in ["rsa-1", "ec-1"] {
        let granted = exchange.exchange(&provider.sign(key, &claims(&provider))).await.unwrap();
        assert_eq!(granted.display, "ci:github:acme/shop");
        assert_eq!(granted.grants.len(), 1, "the other rule asks for an environment");
        assert_eq!(granted.grants[0].role, Role::Deployer);
        assert_eq!(granted.grants[0].fleet.as_deref(), Some("main"));
    }
    let mut production = claims(&provider);
    production["environment"] = json!("production");
    assert_eq!(exchange.exchange(&provider.sign("rsa-1", &production)).await.unwrap().grants.len(), 2);
    assert_eq!(provider.asked_for_keys(), 1, "keys are kept");
}

#[tokio::test]
async fn every_wrong_claim_is_refused() {
    let provider = Provider::start().await;
    let exchange = exchange(&provider, KeyLife::default());
    let now = jsonwebtoken::get_current_timestamp();
    let invalid = AuthError::TokenInvalid;
    for (claim, value, expected) in [
        ("iss", json!("https://token.actions.githubusercontent.com"), &invalid),
        ("iss", json!(format!("{}/", provider.url)), &invalid),
        ("iss", json!([provider.url]), &invalid),
        ("iss", json!(""), &invalid),
        ("iss", Value::Null, &invalid),
        ("aud", json!("https://github.com/acme"), &invalid),
        ("aud", json!([AUDIENCE, "https://other.example"]), &invalid),
        ("aud", json!([]), &invalid),
        ("aud", Value::Null, &invalid),
        ("sub", json!(""), &invalid),
        ("sub", json!(1), &invalid),
        ("sub", Value::Null, &invalid),
        ("exp", json!(now - 61), &invalid),
        ("exp", json!((now + 300).to_string()), &invalid),
        ("exp", Value::Null, &invalid),
        ("nbf", json!(now + 120), &invalid),
        ("nbf", json!(now.to_string()), &invalid),
        ("nbf", Value::Null, &invalid),
        ("repository_id", Value::Null, &invalid),
        ("repository_id", json!(""), &invalid),
        ("repository_id", json!("4712"), &AuthError::NotTrusted),
        ("ref", json!(""), &invalid),
        ("ref_protected", json!("false"), &AuthError::NotTrusted),
        ("event_name", json!("pull_request_target"), &AuthError::NotTrusted),
        ("event_name", Value::Null, &invalid),
    ] {
        let mut wrong = claims(&provider);
        if value.is_null() {
            wrong.as_object_mut().unwrap().remove(claim);
        } else {
            wrong[claim] = value.clone();
        }
        let refused = exchange.exchange(&provider.sign("rsa-1", &wrong)).await.unwrap_err();
        assert_eq!(refused, *expected, "{claim} = {value}");
    }
    let mut alone = claims(&provider);
    alone["aud"] = json!([AUDIENCE]);
    assert!(exchange.exchange(&provider.sign("rsa-1", &alone)).await.is_ok(), "a list of one is one");
}

#[tokio::test]
async fn every_wrong_signature_is_refused() {
    let provider = Provider::start().await;
    let exchange = exchange(&provider, KeyLife::default());
    let good = provider.sign("rsa-1", &claims(&provider));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |header: Value| format!("{}.{}.", part(&header), part(&claims(&provider)));
    let hmac = |secret: &[u8]| {
        let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims(&provider), &EncodingKey::from_secret(secret)).unwrap()
    };
    let public = provider.public("rsa-1");
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    let other = Provider::start().await;
    let mut changed = claims(&provider);
    changed["repository_id"] = json!("4712");
    let with_kid = |kid: &str| {
        good.replacen(good.split('.').next().unwrap(), &part(&json!({"alg": "RS256", "typ": "JWT", "kid": kid})), 1)
    };
    for (what, token) in [
        ("none", unsigned(json!({"alg": "none", "kid": "rsa-1"}))),
        ("no key", unsigned(json!({"alg": "RS256"}))),
        ("HS256 with the modulus", hmac(&modulus)),
        ("HS256 with the published key", hmac(public.to_string().as_bytes())),
        ("HS256 with nothing", hmac(b"")),
        ("no signature", format!("{message}.")),
        ("two signatures", format!("{good}.{signature}")),
        ("another body", format!("{}.{}.{signature}", message.split_once('.').unwrap().0, part(&changed))),
        ("another issuer's key", other.sign("rsa-1", &claims(&provider))),
        (
            "an RSA key for ES256",
            good.replacen(good.split('.').next().unwrap(), &part(&json!({"alg": "ES256", "kid": "rsa-1"})), 1),
        ),
        ("a path as kid", with_kid("../../x")),
        ("an address as kid", with_kid("http://127.0.0.1:1/keys")),
        ("a key of an unknown kind", with_kid("of-tomorrow")),
        ("an empty kid", with_kid("")),
        ("nonsense", "a.b.c".to_owned()),
        ("nothing", String::new()),
    ] {
        assert_eq!(exchange.exchange(&token).await.unwrap_err(), AuthError::TokenInvalid, "{what}");
    }
    assert!(exchange.exchange(&good).await.is_ok());
}

#[tokio::test]
async fn a_published_secret_or_encryption_key_signs_nothing() {
    let provider = Provider::start().await;
    let secret = json!({"kty": "oct", "kid": "rsa-1", "k": URL_SAFE_NO_PAD.encode("published"), "alg": "HS256"});
    provider.publish_as("rsa-1", secret);
    let mut for_encryption = provider.public("ec-1");
    for_encryption["use"] = json!("enc");
    provider.publish_as("ec-1", for_encryption);
    let exchange = exchange(&provider, KeyLife::default());
    let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
    let forged = encode(&header, &claims(&provider), &EncodingKey::from_secret(b"published")).unwrap();
    for token in [forged, provider.sign("ec-1", &claims(&provider))] {
        assert_eq!(exchange.exchange(&token).await.unwrap_err(), AuthError::TokenInvalid);
    }
}

#[tokio::test]
async fn invented_key_ids_ask_the_issuer_once() {
    let provider = Provider::start().await;
    let exchange = exchange(&provider, KeyLife::default());
    provider.publish("rsa-2", &rcgen::PKCS_RSA_SHA256);
    assert!(exchange.exchange(&provider.sign("rsa-2", &claims(&provider))).await.is_ok());
    provider.publish("ec-3", &rcgen::PKCS_ECDSA_P256_SHA256);
    let token = provider.sign("ec-3", &claims(&provider));
    let all = futures::future::join_all((0..50).map(|_| exchange.exchange(&token))).await;
    assert!(all.iter().all(|answer| *answer == Err(AuthError::TokenInvalid)));
    assert_eq!(provider.asked_for_keys(), 1, "not again within a minute");
}

#[tokio::test]
async fn a_new_key_is_found_and_an_issuer_that_is_away_costs_nobody_their_deploy() {
    let provider = Provider::start().await;
    let moment = Duration::from_millis(20);
    let life = KeyLife { fresh: moment, stale: Duration::from_secs(60), pause: moment };
    let exchange = exchange(&provider, life);
    assert!(exchange.exchange(&provider.sign("rsa-1", &claims(&provider))).await.is_ok());
    provider.publish("ec-9", &rcgen::PKCS_ECDSA_P256_SHA256);
    tokio::time::sleep(moment * 2).await;
    assert!(exchange.exchange(&provider.sign("ec-9", &claims(&provider))).await.is_ok(), "rotation");
    provider.shared.broken.store(true, Ordering::SeqCst);
    tokio::time::sleep(moment * 2).await;
    assert!(exchange.exchange(&provider.sign("ec-9", &claims(&provider))).await.is_ok(), "known keys still count");
    tokio::time::sleep(moment * 2).await;
    provider.publish("ec-10", &rcgen::PKCS_ECDSA_P256_SHA256);
    let unknown = exchange.exchange(&provider.sign("ec-10", &claims(&provider))).await.unwrap_err();
    assert!(matches!(unknown, AuthError::Provider { .. }), "{unknown:?}");
}
