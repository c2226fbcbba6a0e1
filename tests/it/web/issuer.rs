//! A provider on a loopback address: publishes keys, signs tokens, turns codes into tokens the way OAuth 2 and OpenID
//! Connect say, and knows one person. It counts what it is asked, and checks PKCE itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub(super) const CLIENT: &str = "wooo-client";
pub(super) const SECRET: &str = "wooo-client-secret";
pub(super) const PERSON: u64 = 583_231;

/// A running provider. It stops when the test's runtime does.
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    url: Mutex<String>,
    /// By key id: the key, and whether it is published.
    keys: Mutex<HashMap<String, (EncodingKey, Algorithm, Value)>>,
    pub(super) key_requests: AtomicUsize,
    pub(super) broken: AtomicBool,
    /// Sends every token request elsewhere.
    pub(super) redirects: AtomicBool,
    codes: Mutex<HashMap<String, Approved>>,
    /// Changes the claims of the next id tokens.
    pub(super) claims: Mutex<Value>,
}

struct Approved {
    challenge: String,
    redirect_uri: String,
    nonce: Option<String>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            url: Mutex::default(),
            keys: Mutex::default(),
            key_requests: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            redirects: AtomicBool::new(false),
            codes: Mutex::default(),
            claims: Mutex::new(json!({})),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/login/oauth/access_token", post(token))
            .route("/oauth/token", post(token))
            .route("/api/v3/user", get(person))
            .route("/api/v4/user", get(person))
            .route("/api/v1/user", get(person))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        url.clone_into(&mut shared.url.lock().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let provider = Self { url, shared };
        provider.publish("rsa-1", &rcgen::PKCS_RSA_SHA256);
        provider.publish("ec-1", &rcgen::PKCS_ECDSA_P256_SHA256);
        provider
    }

    /// Adds a key, or replaces it.
    pub(super) fn publish(&self, id: &str, kind: &'static rcgen::SignatureAlgorithm) {
        let is_rsa = *kind == rcgen::PKCS_RSA_SHA256;
        let pair = if is_rsa {
            rcgen::KeyPair::generate_rsa_for(kind, rcgen::RsaKeySize::_2048).unwrap()
        } else {
            rcgen::KeyPair::generate_for(kind).unwrap()
        };
        let pem = pair.serialize_pem();
        let (key, algorithm) = if is_rsa {
            (EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), Algorithm::RS256)
        } else {
            (EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(), Algorithm::ES256)
        };
        let mut public = Jwk::from_encoding_key(&key, algorithm).unwrap();
        public.common.key_id = Some(id.to_owned());
        let public = serde_json::to_value(public).unwrap();
        self.shared.keys.lock().unwrap().insert(id.to_owned(), (key, algorithm, public));
    }

    /// The published form of a key.
    pub(super) fn public(&self, id: &str) -> Value {
        self.shared.keys.lock().unwrap()[id].2.clone()
    }

    /// Replaces the published form of a key.
    pub(super) fn publish_as(&self, id: &str, public: Value) {
        self.shared.keys.lock().unwrap().get_mut(id).unwrap().2 = public;
    }

    pub(crate) fn sign(&self, id: &str, claims: &Value) -> String {
        self.shared.sign(id, claims)
    }

    pub(super) fn asked_for_keys(&self) -> usize {
        self.shared.key_requests.load(Ordering::SeqCst)
    }

    /// What a person's browser does at the provider's page: the person agrees, and the browser is sent back with a code.
    /// Returns the code and the state.
    pub(super) fn approve(&self, location: &Url) -> (String, String) {
        let query: HashMap<String, String> = location.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["code_challenge_method"], "S256");
        let code = uuid::Uuid::new_v4().to_string();
        let approved = Approved {
            challenge: query["code_challenge"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
            nonce: query.get("nonce").cloned(),
        };
        self.shared.codes.lock().unwrap().insert(code.clone(), approved);
        (code, query["state"].clone())
    }
}

impl Shared {
    fn sign(&self, id: &str, claims: &Value) -> String {
        let keys = self.keys.lock().unwrap();
        let (key, algorithm, _) = &keys[id];
        encode(&Header { kid: Some(id.to_owned()), ..Header::new(*algorithm) }, claims, key).unwrap()
    }
}

async fn describe(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, StatusCode> {
    if shared.broken.load(Ordering::SeqCst) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let url = shared.url.lock().unwrap().clone();
    Ok(Json(json!({
        "issuer": url, "jwks_uri": format!("{url}/keys"),
        "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
    })))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.key_requests.fetch_add(1, Ordering::SeqCst);
    let mut all: Vec<Value> = shared.keys.lock().unwrap().values().map(|(.., public)| public.clone()).collect();
    all.push(json!({"kty": "AKP", "kid": "of-tomorrow", "alg": "ML-DSA-65", "pub": "AAAA"}));
    Json(json!({"keys": all}))
}

async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, HeaderMap, Json<Value>) {
    let mut answer = HeaderMap::new();
    if shared.redirects.load(Ordering::SeqCst) {
        answer.insert("location", "http://127.0.0.1:1/steal".parse().unwrap());
        return (StatusCode::TEMPORARY_REDIRECT, answer, Json(json!({})));
    }
    let refused = |what: &str| (StatusCode::BAD_REQUEST, HeaderMap::new(), Json(json!({"error": what})));
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let in_header = headers.get("authorization").is_some_and(|value| *value == basic);
    let in_body = form.get("client_id").map(String::as_str) == Some(CLIENT)
        && form.get("client_secret").map(String::as_str) == Some(SECRET);
    if !(in_header || in_body) {
        return refused("invalid_client");
    }
    // A code is good once.
    let Some(approved) = form.get("code").and_then(|code| shared.codes.lock().unwrap().remove(code)) else {
        return refused("invalid_grant");
    };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    if challenge != approved.challenge || form.get("redirect_uri") != Some(&approved.redirect_uri) {
        return refused("invalid_grant");
    }
    let url = shared.url.lock().unwrap().clone();
    let now = jsonwebtoken::get_current_timestamp();
    let mut claims = json!({
        "iss": url, "aud": CLIENT, "sub": "subject-1", "exp": now + 300, "iat": now, "nonce": approved.nonce,
        "preferred_username": "alice", "name": "Alice", "email": "root@example.com", "email_verified": true,
    });
    for (name, value) in shared.claims.lock().unwrap().as_object().unwrap() {
        claims[name] = value.clone();
    }
    let body = json!({
        "access_token": "the-access-token", "token_type": "bearer", "id_token": shared.sign("ec-1", &claims),
    });
    (StatusCode::OK, answer, Json(body))
}

async fn person(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    if headers.get("authorization").is_none_or(|value| *value != "Bearer the-access-token") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(json!({"id": PERSON, "login": "alice", "username": "alice", "name": "Alice", "email": "root@example.com"})))
}
