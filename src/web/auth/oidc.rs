//! Tokens that others sign: an issuer's description, its keys, and the check of one of its tokens.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::AuthError;
use super::outbound::{Outbound, OutboundError, address};

/// Clocks of two organisations are not the same.
const LEEWAY_SECONDS: u64 = 60;
/// Longer tokens are not read.
const MAX_TOKEN: usize = 16 * 1024;
/// An issuer with more keys is broken or hostile.
const MAX_KEYS: usize = 64;

/// How long keys are kept.
#[derive(Clone, Copy, Debug)]
pub struct KeyLife {
    /// Keys are asked for anew after this time.
    pub fresh: Duration,
    /// While the issuer cannot be reached, known keys count for this long.
    pub stale: Duration,
    /// The issuer is asked at most this often, whatever key ids people make up.
    pub pause: Duration,
}

impl Default for KeyLife {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(60 * 60),
            stale: Duration::from_secs(24 * 60 * 60),
            pause: Duration::from_secs(60),
        }
    }
}

/// The part of `/.well-known/openid-configuration` that matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    issuer: String,
    jwks_uri: String,
    /// Where people sign in.
    pub authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    pub token_endpoint: Option<String>,
}

/// Somebody who signs tokens, with the keys that they published.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    http: Outbound,
    life: KeyLife,
    known: RwLock<Known>,
    /// When the issuer was last asked. Whoever holds it asks.
    asking: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, Arc<Jwk>>,
    at: Option<Instant>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Issuer {
    /// An issuer by its exact address, as it stands in `iss`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`AuthError::Settings`] if the address is neither https nor on loopback.
    pub fn new(url: &str, http: Outbound, life: KeyLife) -> Result<Self, AuthError> {
        address(url).map_err(|error| AuthError::Settings(error.to_string()))?;
        let (known, asking) = (RwLock::default(), Mutex::new(None));
        Ok(Self { url: url.to_owned(), http, life, known, asking })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for its description.
    ///
    /// # Errors
    /// [`AuthError::Provider`]
    pub async fn describe(&self) -> Result<Description, AuthError> {
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let url = address(&url).map_err(|error| self.failed(&error))?;
        let found: Description = self.http.json(&url, None).await.map_err(|error| self.failed(&error))?;
        if found.issuer != self.url {
            let reason = "its description names another issuer".to_owned();
            return Err(AuthError::Provider { provider: self.url.clone(), reason });
        }
        Ok(found)
    }

    /// Checks a token: its signature by one of the issuer's keys, that it is for `audience` and nobody else, and its
    /// times. `nbf` says whether it has to state from when it counts, as the tokens of pipelines do.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`], whatever is wrong with it; [`AuthError::Provider`] if the keys cannot be had.
    pub async fn verify(&self, token: &str, audience: &str, nbf: bool) -> Result<Map<String, Value>, AuthError> {
        let refused = |reason: &str| {
            tracing::debug!(issuer = self.url, reason, "a token is refused");
            AuthError::TokenInvalid
        };
        if token.len() > MAX_TOKEN {
            return Err(refused("it is too long"));
        }
        let header = decode_header(token).map_err(|error| refused(&error.to_string()))?;
        let id = header.kid.filter(|id| !id.is_empty()).ok_or_else(|| refused("it names no key"))?;
        if header.crit.is_some() {
            return Err(refused("it asks for an extension"));
        }
        let key = self.key(&id).await?.ok_or_else(|| refused("there is no such key"))?;
        if !fits(header.alg, &key) {
            return Err(refused("the key is not for this algorithm"));
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.url]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(if nbf {
            &["exp", "iss", "aud", "sub", "nbf"][..]
        } else {
            &["exp", "iss", "aud", "sub"][..]
        });
        let key = DecodingKey::from_jwk(&key).map_err(|error| refused(&error.to_string()))?;
        let found = decode::<Map<String, Value>>(token, &key, &validation);
        let claims = found.map_err(|error| refused(&error.to_string()))?.claims;
        // The library takes lists for `iss` and several audiences; a token for somebody else too is theirs to replay.
        let only = |name: &str| text(&claims, name);
        let alone = match claims.get("aud") {
            Some(Value::String(_)) => true,
            Some(Value::Array(all)) => all.len() == 1 || only("azp") == Some(audience),
            _ => false,
        };
        if only("iss") != Some(self.url.as_str()) || only("sub").is_none() || !alone {
            return Err(refused("its issuer, subject or audience is not a single one"));
        }
        Ok(claims)
    }

    /// The key of an id.
    async fn key(&self, id: &str) -> Result<Option<Arc<Jwk>>, AuthError> {
        if let Some(key) = self.lookup(id, self.life.fresh) {
            return Ok(Some(key));
        }
        let mut asked = self.asking.lock().await;
        // Somebody else may have asked while this one waited.
        if let Some(key) = self.lookup(id, self.life.fresh) {
            return Ok(Some(key));
        }
        if asked.is_some_and(|at| at.elapsed() < self.life.pause) {
            return Ok(self.lookup(id, self.life.stale));
        }
        *asked = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                *known = Known { keys, at: Some(Instant::now()) };
                Ok(known.keys.get(id).cloned())
            }
            Err(error) => match self.lookup(id, self.life.stale) {
                Some(key) => Ok(Some(key)),
                None => Err(error),
            },
        }
    }

    fn lookup(&self, id: &str, life: Duration) -> Option<Arc<Jwk>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.at.filter(|at| at.elapsed() < life)?;
        known.keys.get(id).cloned()
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Jwk>>, AuthError> {
        let description = self.describe().await?;
        let url = address(&description.jwks_uri).map_err(|error| self.failed(&error))?;
        let set: KeySet = self.http.json(&url, None).await.map_err(|error| self.failed(&error))?;
        // One key of a kind that is not known here must not make the others void.
        let keys = set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let signing =
            keys.filter(|key| key.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature));
        Ok(signing.filter_map(|key| Some((key.common.key_id.clone()?, Arc::new(key)))).collect())
    }

    fn failed(&self, error: &OutboundError) -> AuthError {
        AuthError::Provider { provider: self.url.clone(), reason: error.to_string() }
    }
}

/// A claim that is a text with something in it.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Whether a key is for an algorithm. Only signatures with a public key count: what is published must not be a secret.
fn fits(algorithm: Algorithm, key: &Jwk) -> bool {
    let kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => matches!(
            algorithm,
            Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512
        ),
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (algorithm, &key.curve),
            (Algorithm::ES256, EllipticCurve::P256) | (Algorithm::ES384, EllipticCurve::P384)
        ),
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        AlgorithmParameters::OctetKey(_) => false,
    };
    let said = key.common.key_algorithm.is_none_or(|said| format!("{said:?}") == format!("{algorithm:?}"));
    kind && said
}
