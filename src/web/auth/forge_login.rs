//! Sign-in with a forge or another provider: OAuth 2 with the authorization code, PKCE, `state`, and for OpenID Connect
//! `nonce` and the check of the id token.
//!
//! It ends in a [`ForgeIdentity`], which is the provider and the person's number there. Whose account that is, is the
//! caller's to look up, by exactly these two: an e-mail address is something that a provider lets people claim.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope as OauthScope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::keys::{Keys, random};
use super::oidc::{Issuer, KeyLife, text};
use super::outbound::{Outbound, address};
use super::session::same;
use super::{AuthError, redirect};

/// How long a person may take at the provider.
pub const SIGN_IN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// What the sealed cookie is, for [`Keys::seal`].
const CONTEXT: &str = "sign-in";

/// How a provider speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// github.com or a GitHub Enterprise Server.
    Github,
    /// A GitLab.
    Gitlab,
    /// A Gitea or Forgejo.
    Gitea,
    /// Anything with OpenID Connect.
    Oidc,
}

/// A provider, as the settings state it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Our name for it: part of paths, and of the identities of people. Changing it makes everybody a stranger.
    pub name: String,
    /// How it speaks.
    pub kind: ProviderKind,
    /// Its address: `https://github.com`, or the issuer of OpenID Connect.
    pub url: String,
    /// The client's id there.
    pub client_id: String,
    /// The client's secret there.
    pub client_secret: SecretString,
}

/// A person, as a provider knows them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForgeIdentity {
    /// Our name for the provider.
    pub provider: String,
    /// Their number or subject there; it never changes and is never given to somebody else.
    pub subject: String,
    /// Their name there, to show; it can change hands.
    pub username: String,
    /// Their full name, to show.
    pub name: Option<String>,
}

/// A sign-in that has begun: where to send the browser, and what it keeps for us in a cookie meanwhile.
#[derive(Clone, Debug)]
pub struct Started {
    /// The provider's page.
    pub location: Url,
    /// The sealed value of the cookie [`super::cookie::Cookie::SignIn`].
    pub cookie: SecretString,
}

/// What a provider sends back in the query.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Callback {
    code: Option<SecretText>,
    state: Option<SecretText>,
    error: Option<String>,
    iss: Option<String>,
}

/// A value of the query that must not be logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// What the cookie holds.
#[derive(Deserialize, Serialize)]
struct Begun {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: Timestamp,
}

#[derive(Clone, Default, Deserialize, Serialize)]
struct IdToken {
    id_token: Option<String>,
}

/// The token says who somebody is to whoever holds it; it is not shown.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").finish_non_exhaustive()
    }
}

impl ExtraTokenFields for IdToken {}

type TokenAnswer = StandardTokenResponse<IdToken, BasicTokenType>;
type OauthClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

#[derive(Debug)]
struct Provider {
    settings: ProviderSettings,
    base: Url,
    callback: Url,
    issuer: Option<Issuer>,
}

/// All providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ForgeLogin {
    providers: Arc<Vec<Provider>>,
    keys: Keys,
    http: Outbound,
}

impl ForgeLogin {
    /// Checks the settings. `public_url` is the service's own address, below which the providers send people back:
    /// `<public_url>/api/auth/forge/<name>/callback`, one address for each, so that the answer of one is never taken for that of
    /// another.
    ///
    /// # Errors
    /// [`AuthError::Settings`]
    pub fn new(
        settings: Vec<ProviderSettings>,
        public_url: &Url,
        keys: Keys,
        http: Outbound,
        life: KeyLife,
    ) -> Result<Self, AuthError> {
        let mut providers: Vec<Provider> = Vec::new();
        for settings in settings {
            let wrong = |what: String| AuthError::Settings(format!("the provider `{}` {what}", settings.name));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if settings.name.is_empty() || !settings.name.chars().all(plain) {
                return Err(wrong("has a name with other characters than a-z, 0-9 and -".to_owned()));
            }
            if providers.iter().any(|other| other.settings.name == settings.name) {
                return Err(wrong("is there twice".to_owned()));
            }
            let base = address(&settings.url).map_err(|error| wrong(error.to_string()))?;
            let path = format!("{}/api/auth/forge/{}/callback", public_url.path().trim_end_matches('/'), settings.name);
            let mut callback = public_url.clone();
            callback.set_path(&path);
            let issuer = match settings.kind {
                ProviderKind::Oidc => Some(Issuer::new(&settings.url, http.clone(), life)?),
                _ => None,
            };
            providers.push(Provider { settings, base, callback, issuer });
        }
        Ok(Self { providers: Arc::new(providers), keys, http })
    }

    /// The names and kinds of the providers, for the sign-in page.
    pub fn providers(&self) -> impl Iterator<Item = (&str, ProviderKind)> {
        self.providers.iter().map(|provider| (provider.settings.name.as_str(), provider.settings.kind))
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`AuthError::UnknownProvider`], [`AuthError::Provider`] if it has to be asked for its addresses and does not answer.
    pub async fn begin(&self, provider: &str, next: Option<&str>, now: Timestamp) -> Result<Started, AuthError> {
        let provider = self.find(provider)?;
        let client = provider.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let word = || random::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let (state, nonce) = (word()?, word()?);
        let mut request = client
            .authorize_url(|| CsrfToken::new(state.clone()))
            .set_pkce_challenge(challenge)
            .add_scopes(provider.scopes().iter().map(|scope| OauthScope::new((*scope).to_owned())));
        if provider.issuer.is_some() {
            request = request.add_extra_param("nonce", nonce.clone());
        }
        let (location, _) = request.url();
        let begun = Begun {
            provider: provider.settings.name.clone(),
            state,
            nonce,
            verifier: verifier.into_secret(),
            next: redirect::local(next),
            until: now.saturating_add(SIGN_IN_LIFE).unwrap_or(Timestamp::MAX),
        };
        let text = serde_json::to_vec(&begun).map_err(|_| AuthError::Flow)?;
        Ok(Started { location, cookie: self.keys.seal(CONTEXT, &text)?.into() })
    }

    /// Ends a sign-in: who it is, and the page of the portal to go to. The cookie is to be cleared whatever comes of it.
    ///
    /// # Errors
    /// [`AuthError::Flow`] if this browser did not begin it, or too long ago; [`AuthError::Denied`] if the provider or the
    /// person said no; [`AuthError::Provider`]; [`AuthError::TokenInvalid`] if the id token is not for us.
    pub async fn finish(
        &self,
        provider: &str,
        callback: &Callback,
        cookie: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<(ForgeIdentity, String), AuthError> {
        let provider = self.find(provider)?;
        let begun = cookie.and_then(|cookie| self.keys.open(CONTEXT, cookie.expose_secret()));
        let begun: Begun = begun.and_then(|text| serde_json::from_slice(&text).ok()).ok_or(AuthError::Flow)?;
        let state = callback.state.as_ref().ok_or(AuthError::Flow)?;
        if begun.provider != provider.settings.name || begun.until < now || !same(&state.0, &begun.state) {
            return Err(AuthError::Flow);
        }
        // RFC 9207: a provider that says who it is must be the one that was asked.
        if let (Some(said), Some(issuer)) = (&callback.iss, &provider.issuer)
            && said != issuer.url()
        {
            return Err(AuthError::Flow);
        }
        if callback.error.is_some() {
            return Err(AuthError::Denied);
        }
        let code = callback.code.as_ref().ok_or(AuthError::Flow)?;
        let answer = self.exchange(provider, code.0.expose_secret(), begun.verifier).await?;
        let identity = match &provider.issuer {
            Some(issuer) => provider.read_id_token(issuer, &answer, &begun.nonce).await?,
            None => provider.ask_api(&self.http, &answer).await?,
        };
        Ok((identity, begun.next))
    }

    fn find(&self, name: &str) -> Result<&Provider, AuthError> {
        self.providers.iter().find(|provider| provider.settings.name == name).ok_or(AuthError::UnknownProvider)
    }

    async fn exchange(&self, provider: &Provider, code: &str, verifier: String) -> Result<TokenAnswer, AuthError> {
        let client = provider.client().await?;
        let send = |request| {
            let http = self.http.clone();
            async move { http.send(request).await }
        };
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&send);
        request.await.map_err(|error| match error {
            // A code that was used, invented or taken from another browser.
            RequestTokenError::ServerResponse(_) => AuthError::Denied,
            RequestTokenError::Request(error) => provider.failed(error.to_string()),
            _ => provider.failed("its answer is not the JSON that was expected"),
        })
    }
}

impl Provider {
    fn failed(&self, reason: impl Into<String>) -> AuthError {
        AuthError::Provider { provider: self.settings.name.clone(), reason: reason.into() }
    }

    /// The least that says who somebody is.
    fn scopes(&self) -> &'static [&'static str] {
        match self.settings.kind {
            // Without a scope GitHub gives the public profile, which has the number.
            ProviderKind::Github => &[],
            ProviderKind::Gitlab => &["read_user"],
            ProviderKind::Gitea => &["read:user"],
            ProviderKind::Oidc => &["openid", "profile"],
        }
    }

    async fn client(&self) -> Result<OauthClient, AuthError> {
        let below = |path: &str| format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let (authorize, token) = match (self.settings.kind, &self.issuer) {
            (ProviderKind::Github, _) | (ProviderKind::Gitea, _) => {
                (below("/login/oauth/authorize"), below("/login/oauth/access_token"))
            }
            (ProviderKind::Gitlab, _) => (below("/oauth/authorize"), below("/oauth/token")),
            (ProviderKind::Oidc, Some(issuer)) => {
                let description = issuer.describe().await?;
                let missing = || self.failed("its description lacks an address");
                let authorize = description.authorization_endpoint.ok_or_else(missing)?;
                (authorize, description.token_endpoint.ok_or_else(missing)?)
            }
            (ProviderKind::Oidc, None) => return Err(self.failed("it has no issuer")),
        };
        for url in [&authorize, &token] {
            address(url).map_err(|error| self.failed(error.to_string()))?;
        }
        let invalid = |_| self.failed("one of its addresses cannot be read");
        let auth_type = match self.settings.kind {
            ProviderKind::Oidc => AuthType::BasicAuth,
            _ => AuthType::RequestBody,
        };
        Ok(Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.settings.client_secret.expose_secret().to_owned()))
            .set_auth_type(auth_type)
            .set_auth_uri(AuthUrl::new(authorize).map_err(invalid)?)
            .set_token_uri(TokenUrl::new(token).map_err(invalid)?)
            .set_redirect_uri(RedirectUrl::from_url(self.callback.clone())))
    }

    /// Asks the forge whose token it is.
    async fn ask_api(&self, http: &Outbound, answer: &TokenAnswer) -> Result<ForgeIdentity, AuthError> {
        let path = match self.settings.kind {
            ProviderKind::Github if self.base.host_str() == Some("github.com") => {
                "https://api.github.com/user".to_owned()
            }
            ProviderKind::Github => format!("{}/api/v3/user", self.base.as_str().trim_end_matches('/')),
            ProviderKind::Gitlab => format!("{}/api/v4/user", self.base.as_str().trim_end_matches('/')),
            _ => format!("{}/api/v1/user", self.base.as_str().trim_end_matches('/')),
        };
        let url = address(&path).map_err(|error| self.failed(error.to_string()))?;
        let token = SecretString::from(answer.access_token().secret().to_owned());
        let person: Person = http.json(&url, Some(&token)).await.map_err(|error| self.failed(error.to_string()))?;
        let username = person.login.or(person.username).filter(|name| !name.is_empty());
        let username = username.ok_or_else(|| self.failed("it does not say whose the token is"))?;
        if person.id == 0 {
            return Err(self.failed("it does not say whose the token is"));
        }
        Ok(self.identity(person.id.to_string(), &username, person.name.or(person.full_name)))
    }

    async fn read_id_token(
        &self,
        issuer: &Issuer,
        answer: &TokenAnswer,
        nonce: &str,
    ) -> Result<ForgeIdentity, AuthError> {
        let token = answer.extra_fields().id_token.as_deref().ok_or_else(|| self.failed("it gave no id token"))?;
        let claims = issuer.verify(token, &self.settings.client_id, false).await?;
        let said: SecretString = text(&claims, "nonce").unwrap_or_default().to_owned().into();
        if !same(&said, nonce) {
            return Err(AuthError::Flow);
        }
        if let Some(hash) = text(&claims, "at_hash") {
            let of = digest(&SHA256, answer.access_token().secret().as_bytes());
            let half = of.as_ref().get(..16).unwrap_or_default();
            // `at_hash` follows the token's algorithm; only the usual SHA-256 is compared.
            if hash.len() == 22 && hash != URL_SAFE_NO_PAD.encode(half) {
                return Err(AuthError::TokenInvalid);
            }
        }
        let subject = text(&claims, "sub").ok_or(AuthError::TokenInvalid)?;
        let username = text(&claims, "preferred_username").unwrap_or(subject);
        let name = claims.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(self.identity(subject.to_owned(), username, name))
    }

    /// A name from elsewhere goes into commits and pages: control characters stay out, and it is cut.
    fn identity(&self, subject: String, username: &str, name: Option<String>) -> ForgeIdentity {
        let clean = |text: &str| -> String {
            let plain = text.chars().filter(|c| {
                !c.is_control() && !"\u{200b}\u{202a}\u{202b}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}".contains(*c)
            });
            plain.take(100).collect()
        };
        ForgeIdentity {
            provider: self.settings.name.clone(),
            subject,
            username: clean(username),
            name: name.map(|name| clean(&name)).filter(|name| !name.is_empty()),
        }
    }
}

/// What the user endpoints of the forges have in common.
#[derive(Deserialize)]
struct Person {
    id: u64,
    login: Option<String>,
    username: Option<String>,
    name: Option<String>,
    full_name: Option<String>,
}
