//! The signed tokens that the service gives out itself: sessions of people and short-lived tokens of pipelines.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::AuthError;
use super::keys::{Keys, Purpose};
use super::principal::Grant;

/// The one algorithm; a header that names another is refused before anything else.
const ALGORITHM: Algorithm = Algorithm::HS256;
/// How far the clocks of two replicas may be apart.
const LEEWAY_SECONDS: u64 = 60;
/// How long a person stays signed in.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a pipeline's token is good for: it is asked for again in each job.
pub const PIPELINE_LIFE: Duration = Duration::from_secs(10 * 60);
/// No token of ours is longer.
const MAX_TOKEN: usize = 8 * 1024;

/// The claims that every token has.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Claims<T> {
    iss: String,
    aud: String,
    /// For a session the id of the person, for a pipeline the text that it is known by.
    sub: String,
    /// For a session its id, under which it is looked up in the database at each request.
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    wooo: T,
}

/// What a session says besides.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SessionPart {
    /// The person's epoch when it began: a new password or role makes it another one, and the session ends.
    epoch: i64,
}

/// A session as its token states it. It counts only after the database has agreed: see [`SessionClaims::agrees`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionClaims {
    /// The id of the person.
    pub user: String,
    /// The id of the session.
    pub session: String,
    /// The person's session epoch when it began.
    pub epoch: i64,
}

impl SessionClaims {
    /// Whether it is what the database has of a session that still lasts: its person, and the person's epoch now.
    #[must_use]
    pub fn agrees(&self, user: &str, epoch: i64) -> bool {
        self.user == user && self.epoch == epoch
    }
}

/// What a pipeline may do, as its token states it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineClaims {
    /// How it is named in the audit: `ci:github:org/repo`.
    pub display: String,
    /// What it may touch.
    pub grants: Vec<Grant>,
}

/// Makes and reads the service's own tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    keys: Keys,
    issuer: String,
}

impl Tokens {
    /// `issuer` is the service's public address; a token of another installation is refused.
    #[must_use]
    pub fn new(keys: Keys, issuer: impl Into<String>) -> Self {
        Self { keys, issuer: issuer.into() }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A token for a session that is in the database.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if it cannot be signed.
    pub fn session(&self, claims: &SessionClaims) -> Result<SecretString, AuthError> {
        let part = SessionPart { epoch: claims.epoch };
        self.make(Purpose::Session, SESSION_LIFE, &claims.user, &claims.session, part)
    }

    /// A token for a pipeline.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if it cannot be signed.
    pub fn pipeline(&self, id: &str, claims: PipelineClaims) -> Result<SecretString, AuthError> {
        let subject = claims.display.clone();
        self.make(Purpose::Pipeline, PIPELINE_LIFE, &subject, id, claims)
    }

    /// Reads a session's token.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`], whatever is wrong with it.
    pub fn read_session(&self, token: &str) -> Result<SessionClaims, AuthError> {
        let claims: Claims<SessionPart> = self.read(Purpose::Session, token)?;
        Ok(SessionClaims { user: claims.sub, session: claims.jti, epoch: claims.wooo.epoch })
    }

    /// Reads a pipeline's token: its id and what it may do.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`], whatever is wrong with it.
    pub fn read_pipeline(&self, token: &str) -> Result<(String, PipelineClaims), AuthError> {
        let claims: Claims<PipelineClaims> = self.read(Purpose::Pipeline, token)?;
        Ok((claims.jti, claims.wooo))
    }

    fn make<T: Serialize>(
        &self,
        purpose: Purpose,
        life: Duration,
        sub: &str,
        jti: &str,
        wooo: T,
    ) -> Result<SecretString, AuthError> {
        let failed = || AuthError::Keys("a token cannot be signed".to_owned());
        let (id, key) = self.keys.signing(purpose).ok_or_else(failed)?;
        let header = Header { kid: Some(id.to_owned()), ..Header::new(ALGORITHM) };
        let now = jsonwebtoken::get_current_timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: purpose.audience().to_owned(),
            sub: sub.to_owned(),
            jti: jti.to_owned(),
            iat: now,
            nbf: now,
            exp: now + life.as_secs(),
            wooo,
        };
        encode(&header, &claims, key).map(SecretString::from).map_err(|_| failed())
    }

    fn read<T: DeserializeOwned + Clone>(&self, purpose: Purpose, token: &str) -> Result<Claims<T>, AuthError> {
        let refused = |reason: &str| {
            tracing::debug!(reason, "a token is refused");
            AuthError::TokenInvalid
        };
        if token.len() > MAX_TOKEN {
            return Err(refused("it is too long"));
        }
        let header = decode_header(token).map_err(|error| refused(&error.to_string()))?;
        if header.alg != ALGORITHM || header.crit.is_some() {
            return Err(refused("its header asks for something else"));
        }
        let key = header.kid.as_deref().and_then(|id| self.keys.verifying(purpose, id));
        let key = key.ok_or_else(|| refused("no such key"))?;
        let mut validation = Validation::new(ALGORITHM);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[purpose.audience()]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let claims: Claims<T> = decode(token, key, &validation).map_err(|error| refused(&error.to_string()))?.claims;
        if claims.sub.is_empty() || claims.jti.is_empty() {
            return Err(refused("it names nobody"));
        }
        Ok(claims)
    }
}

/// Reads `Authorization: Bearer x`; the scheme in any case, one token, no more.
#[must_use]
pub fn bearer(headers: &axum::http::HeaderMap) -> Option<SecretString> {
    let mut values = headers.get_all(axum::http::header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && plain).then(|| token.to_owned().into())
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
pub(in crate::web) fn same(a: &SecretString, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.expose_secret().as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://wooo.example";

    fn tokens() -> Tokens {
        Tokens::new(Keys::parse(&Keys::generate().unwrap()).unwrap(), ISSUER)
    }

    fn session() -> SessionClaims {
        SessionClaims { user: "user-1".to_owned(), session: "session-1".to_owned(), epoch: 4 }
    }

    fn good() -> Value {
        let now = jsonwebtoken::get_current_timestamp();
        json!({
            "iss": ISSUER, "aud": "wooo-session", "sub": "user-1", "jti": "session-1",
            "iat": now, "nbf": now, "exp": now + 600, "wooo": {"epoch": 4},
        })
    }

    /// Signs any claims with the session key of `tokens`.
    fn signed(tokens: &Tokens, header: &Header, claims: &Value) -> String {
        let (_, key) = tokens.keys.signing(Purpose::Session).unwrap();
        encode(header, claims, key).unwrap()
    }

    fn header(tokens: &Tokens) -> Header {
        let (id, _) = tokens.keys.signing(Purpose::Session).unwrap();
        Header { kid: Some(id.to_owned()), ..Header::new(ALGORITHM) }
    }

    #[test]
    fn a_token_that_was_made_is_read() {
        let tokens = tokens();
        let token = tokens.session(&session()).unwrap();
        assert_eq!(tokens.read_session(token.expose_secret()), Ok(session()));
        assert_eq!(tokens.read_session(&signed(&tokens, &header(&tokens), &good())), Ok(session()));
        assert!(!format!("{token:?}").contains(token.expose_secret()));
    }

    #[test]
    fn every_wrong_claim_is_refused() {
        let tokens = tokens();
        let now = jsonwebtoken::get_current_timestamp();
        for (claim, value) in [
            ("iss", json!("https://evil.example")),
            ("iss", json!(["https://evil.example", ISSUER])),
            ("iss", Value::Null),
            ("aud", json!("wooo-pipeline")),
            ("aud", json!(["wooo-session"])),
            ("aud", Value::Null),
            ("sub", Value::Null),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!({})),
            ("exp", Value::Null),
            ("exp", json!((now + 600).to_string())),
            ("exp", json!(now - 61)),
            ("exp", json!(-1)),
            ("nbf", Value::Null),
            ("nbf", json!(now.to_string())),
            ("nbf", json!(now + 120)),
            ("wooo", Value::Null),
            ("wooo", json!({"epoch": "4"})),
            ("wooo", json!({"epoch": 4, "admin": true})),
        ] {
            let mut claims = good();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(claim);
            } else {
                claims[claim] = value.clone();
            }
            let refused = tokens.read_session(&signed(&tokens, &header(&tokens), &claims));
            assert_eq!(refused, Err(AuthError::TokenInvalid), "{claim} = {value}");
        }
        // Within the leeway.
        for (claim, value) in [("exp", now - 30), ("nbf", now + 30)] {
            let mut claims = good();
            claims[claim] = json!(value);
            assert!(tokens.read_session(&signed(&tokens, &header(&tokens), &claims)).is_ok(), "{claim}");
        }
    }

    #[test]
    fn every_wrong_header_and_signature_is_refused() {
        let tokens = tokens();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let right = signed(&tokens, &header(&tokens), &good());
        let (message, signature) = right.rsplit_once('.').unwrap();
        let kid = header(&tokens).kid.unwrap();
        let none = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg, "typ": "JWT", "kid": kid})), part(&good()));
        let with_kid = |kid: Option<&str>| {
            let header = Header { kid: kid.map(str::to_owned), ..Header::new(ALGORITHM) };
            signed(&tokens, &header, &good())
        };
        let other_algorithm = signed(&tokens, &Header { alg: Algorithm::HS512, ..header(&tokens) }, &good());
        let critical = Header { crit: Some(vec!["b64".to_owned()]), ..header(&tokens) };
        let guessed = encode(&header(&tokens), &good(), &EncodingKey::from_secret(b"secret")).unwrap();
        let with_the_id = encode(&header(&tokens), &good(), &EncodingKey::from_secret(kid.as_bytes())).unwrap();
        let pipeline =
            tokens.pipeline("1", PipelineClaims { display: "ci:github:o/r".to_owned(), grants: Vec::new() }).unwrap();
        let elsewhere = self::tokens().session(&session()).unwrap();
        for (what, token) in [
            ("alg none", none("none")),
            ("alg None", none("None")),
            ("alg RS256", none("RS256")),
            ("no signature", format!("{message}.")),
            ("two parts", message.to_owned()),
            ("two signatures", format!("{right}.{signature}")),
            ("signature cut", right[..right.len() - 2].to_owned()),
            ("a path as kid", with_kid(Some("../../x"))),
            ("an empty kid", with_kid(Some(""))),
            ("no kid", with_kid(None)),
            ("HS512", other_algorithm),
            ("critical extension", signed(&tokens, &critical, &good())),
            ("a guessed secret", guessed),
            ("what is public as the secret", with_the_id),
            ("a pipeline's token", pipeline.expose_secret().to_owned()),
            ("another installation's", elsewhere.expose_secret().to_owned()),
            ("empty", String::new()),
            ("dots", "..".to_owned()),
            ("long", "a".repeat(100_000)),
        ] {
            assert_eq!(tokens.read_session(&token), Err(AuthError::TokenInvalid), "{what}");
        }
        assert!(tokens.read_pipeline(&right).is_err(), "a session is no pipeline");
    }

    #[test]
    fn claims_given_twice_are_refused() {
        let tokens = tokens();
        let (_, key) = tokens.keys.signing(Purpose::Session).unwrap();
        let text = good().to_string().replacen('{', "{\"sub\":\"admin\",", 1);
        let head = URL_SAFE_NO_PAD.encode(serde_json::to_string(&header(&tokens)).unwrap());
        let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(text));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, ALGORITHM).unwrap();
        assert_eq!(tokens.read_session(&format!("{message}.{signature}")), Err(AuthError::TokenInvalid));
    }

    #[test]
    fn the_database_has_the_last_word() {
        let claims = session();
        assert!(claims.agrees("user-1", 4));
        assert!(!claims.agrees("user-1", 5), "a new password or role");
        assert!(!claims.agrees("user-2", 4));
    }

    #[test]
    fn a_bearer_token_is_one_word() {
        let read = |values: &[&str]| {
            let mut headers = axum::http::HeaderMap::new();
            for value in values {
                headers.append("authorization", value.parse().unwrap());
            }
            bearer(&headers).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer abc"]).as_deref(), Some("abc"));
        for bad in [&[][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Basic abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
