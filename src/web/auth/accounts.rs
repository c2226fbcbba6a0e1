//! Accounts in the database: signing in and out, tokens, and who a request comes from.
//!
//! What somebody may do is read anew for each request, so that a role or a token that is taken away counts at once.

mod credentials;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::api_token::ApiToken;
use super::ci::{Exchange, PipelineSettings};
use super::cookie::{Cookie, CookiePolicy};
use super::forge_login::{ForgeIdentity, ForgeLogin, ProviderSettings};
use super::keys::Keys;
use super::lockout::{FORGET_AFTER, LockoutKey, normal_email};
use super::oidc::KeyLife;
use super::outbound::Outbound;
use super::password::{Passwords, Verdict};
use super::principal::{Grant, Principal, Scope, Scopes, Who};
use super::rules::Identity;
use super::session::{SESSION_LIFE, SessionClaims, Tokens, bearer};
use super::{AuthError, csrf};
pub use credentials::{PipelineToken, TokenRequest};

use super::trail::{Deed, NOBODY};
use crate::domain::Role;
use crate::store::{self, FleetName, NewUser, Profile, SessionId, Store, User, UserId};
use crate::web::limits::{ClientAddress, Limits, Rates, TrustedProxies};
use crate::web::problem::Answer;

/// How authentication is set up.
#[derive(Debug)]
pub struct AuthSettings {
    /// The address under which people reach the service.
    pub public_url: Url,
    /// The keys of the service.
    pub keys: Keys,
    /// Forges to sign in with.
    pub providers: Vec<ProviderSettings>,
    /// Pipelines that need no secret.
    pub pipelines: PipelineSettings,
    /// Whether somebody whom a forge names and nobody knows here gets an account, which has no role anywhere yet.
    pub sign_up: bool,
    /// How many passwords are checked at once.
    pub password_checks: usize,
    /// Proxies in front of the service.
    pub proxies: TrustedProxies,
    /// Limits.
    pub rates: Rates,
}

impl AuthSettings {
    /// The defaults for an address: passwords only, nobody signs up alone.
    #[must_use]
    pub fn new(public_url: Url, keys: Keys) -> Self {
        Self {
            public_url,
            keys,
            providers: Vec::new(),
            pipelines: PipelineSettings::default(),
            sign_up: false,
            password_checks: 2,
            proxies: TrustedProxies::default(),
            rates: Rates::default(),
        }
    }
}

/// Authentication. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    tokens: Tokens,
    passwords: Passwords,
    cookies: CookiePolicy,
    forges: ForgeLogin,
    exchange: Exchange,
    limits: Limits,
    proxies: TrustedProxies,
    sign_up: bool,
}

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The token, for the cookie or as a bearer token.
    pub token: SecretString,
    /// How long it is good for.
    pub life: Duration,
    /// The code for the header [`csrf::HEADER`].
    pub csrf: String,
}

impl Auth {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`AuthError::Settings`]
    pub fn new(store: Store, settings: AuthSettings) -> Result<Self, AuthError> {
        let http = Outbound::new().map_err(|error| AuthError::Settings(error.to_string()))?;
        let public = settings.public_url.as_str().trim_end_matches('/').to_owned();
        let life = KeyLife::default();
        let forges =
            ForgeLogin::new(settings.providers, &settings.public_url, settings.keys.clone(), http.clone(), life)?;
        Ok(Self(Arc::new(Parts {
            store,
            passwords: Passwords::new(settings.password_checks)?,
            cookies: CookiePolicy::new(settings.public_url.scheme() == "https"),
            exchange: Exchange::new(settings.pipelines, &public, &http, life)?,
            tokens: Tokens::new(settings.keys, public),
            forges,
            limits: Limits::new(settings.rates),
            proxies: settings.proxies,
            sign_up: settings.sign_up,
        })))
    }

    /// The database that the accounts are in.
    pub(in crate::web) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Checks and hashes passwords.
    pub(in crate::web) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// The forges to sign in with.
    #[must_use]
    pub fn forges(&self) -> &ForgeLogin {
        &self.0.forges
    }

    /// How cookies are set.
    #[must_use]
    pub fn cookies(&self) -> CookiePolicy {
        self.0.cookies
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The proxies that are believed.
    #[must_use]
    pub fn proxies(&self) -> &TrustedProxies {
        &self.0.proxies
    }

    /// The code for the header [`csrf::HEADER`] of a person's session.
    #[must_use]
    pub fn csrf_code(&self, principal: &Principal) -> Option<String> {
        match &principal.who {
            Who::Person { session, .. } => csrf::code(self.0.tokens.keys(), session),
            _ => None,
        }
    }

    /// Adds a person with a password.
    ///
    /// # Errors
    /// `auth.password`, `store.conflict` if the address is taken, `auth.busy`.
    pub async fn add_person(
        &self,
        email: &str,
        password: &SecretString,
        profile: Profile,
        is_admin: bool,
    ) -> Result<UserId, Answer> {
        let hash = self.0.passwords.hash(password).await?;
        let email = Some(normal_email(email));
        let mut tx = self.0.store.begin().await?;
        let id = tx.insert_user(&NewUser { email, password_hash: Some(hash.into()), profile, is_admin }).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Signs a person in with their password. An account that is not there takes the same time and is locked the same
    /// way. Each attempt is counted before its password is looked at, so that many at once get no further than one after
    /// the other.
    ///
    /// # Errors
    /// `auth.credentials`, `auth.locked`, `rate.limited`, `auth.busy`, and those of the store.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &SecretString,
        address: ClientAddress,
    ) -> Result<SignedIn, Answer> {
        let parts = &self.0;
        parts.limits.count_sign_in(address)?;
        let keys = LockoutKey::of(email, address);
        self.admit(&keys).await?;
        let user = parts.store.user_by_email(&normal_email(email)).await?;
        let kept = match &user {
            Some(user) => parts.store.password_hash(&user.id).await?,
            None => None,
        };
        let known = user.as_ref().and_then(|user| user.email.as_ref()).map(|email| format!("local:{email}"));
        let verdict = parts.passwords.verify(password, kept.as_ref().map(ExposeSecret::expose_secret)).await?;
        let Some(user) = user.filter(|_| verdict != Verdict::Wrong) else {
            self.refuse(known.as_deref().unwrap_or(NOBODY), address).await?;
            return Err(AuthError::Credentials.into());
        };
        self.forgive(&keys).await?;
        if verdict == Verdict::RightAndOutdated {
            self.rehash(&user, password).await;
        }
        self.begin_session(&user, address).await
    }

    /// Signs in whoever a forge says it is: the person to whom exactly this account belongs. Nobody is found by an e-mail
    /// address.
    ///
    /// # Errors
    /// `auth.denied` if nobody has the account and nobody may sign up, and those of the store.
    pub async fn sign_in_with_forge(
        &self,
        identity: &ForgeIdentity,
        address: ClientAddress,
    ) -> Result<SignedIn, Answer> {
        let store = &self.0.store;
        let known = store.user_by_identity(&identity.provider, &identity.subject).await?;
        if known.is_none() && !self.0.sign_up {
            self.refuse(&format!("{}:{}", identity.provider, identity.username), address).await?;
            return Err(AuthError::Denied.into());
        }
        let mut tx = store.begin().await?;
        let user_id = match known {
            Some(user) => user.id,
            None => {
                let profile = Profile { name: identity.name.clone(), ..Profile::default() };
                tx.insert_user(&NewUser { profile, ..NewUser::default() }).await?
            }
        };
        let account = store::Identity {
            provider: identity.provider.clone(),
            subject: identity.subject.clone(),
            user_id: user_id.clone(),
            username: Some(identity.username.clone()),
        };
        tx.link_identity(&account).await?;
        tx.commit().await?;
        let user = store.user(&user_id).await?.ok_or(AuthError::Denied)?;
        self.begin_session(&user, address).await
    }

    /// Counts an attempt for each of the keys, unless one of them is locked.
    async fn admit(&self, keys: &[LockoutKey]) -> Result<(), Answer> {
        let forget = Duration::try_from(FORGET_AFTER).unwrap_or(Duration::MAX);
        for key in keys {
            let refused = self.0.store.admit_login(key.as_str(), forget, |failures| key.wait(failures)).await?;
            if let Some(wait) = refused {
                return Err(AuthError::Locked { wait }.into());
            }
        }
        Ok(())
    }

    async fn forgive(&self, keys: &[LockoutKey]) -> Result<(), Answer> {
        for key in keys {
            self.0.store.reset_login_failures(key.as_str()).await?;
        }
        Ok(())
    }

    /// Writes down that somebody was not let in.
    async fn refuse(&self, actor: &str, address: ClientAddress) -> Result<(), Answer> {
        let mut tx = self.0.store.begin().await?;
        Deed::new(actor, "session.refuse", Some(address)).write(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn begin_session(&self, user: &User, address: ClientAddress) -> Result<SignedIn, Answer> {
        let display = self.display(user).await?;
        let mut tx = self.0.store.begin().await?;
        let session = tx.insert_session(&user.id, SESSION_LIFE).await?;
        Deed::new(&display, "session.begin", Some(address)).write(&mut tx).await?;
        tx.commit().await?;
        // Read again: keeping a password with other parameters has moved the epoch on.
        let user = self.0.store.user(&user.id).await?.ok_or(AuthError::Credentials)?;
        let claims =
            SessionClaims { user: user.id.to_string(), session: session.id.to_string(), epoch: user.session_epoch };
        let token = self.0.tokens.session(&claims)?;
        let csrf = csrf::code(self.0.tokens.keys(), &claims.session).unwrap_or_default();
        Ok(SignedIn { user, token, life: SESSION_LIFE, csrf })
    }

    /// Ends the session of whoever asks.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sign_out(&self, principal: &Principal, address: ClientAddress) -> Result<(), Answer> {
        let Who::Person { session, .. } = &principal.who else { return Ok(()) };
        let id: SessionId = session.parse().map_err(|_| AuthError::TokenInvalid)?;
        let mut tx = self.0.store.begin().await?;
        tx.revoke_session(&id).await?;
        Deed::new(&principal.display, "session.end", Some(address)).write(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Who a request comes from. If it has an `Authorization` header, only that counts; else the portal's cookie.
    ///
    /// # Errors
    /// Those of the store: then nobody is let in, and nobody is told that their credential is wrong.
    pub async fn identify(&self, method: &Method, headers: &HeaderMap) -> Result<Identity, Answer> {
        if headers.contains_key(header::AUTHORIZATION) {
            let Some(token) = bearer(headers).or_else(|| basic(headers)) else {
                return Ok(Identity::Refused(AuthError::TokenInvalid));
            };
            return Ok(known(self.by_token(token.expose_secret()).await?, false));
        }
        let Some(token) = self.0.cookies.read(Cookie::Session, headers) else { return Ok(Identity::Anonymous) };
        let principal = self.by_session(token.expose_secret()).await?;
        let cross_site = match principal.as_ref().map(|principal| &principal.who) {
            Some(Who::Person { session, .. }) => csrf::check(self.0.tokens.keys(), session, method, headers).is_err(),
            _ => true,
        };
        Ok(known(principal, cross_site))
    }

    async fn by_token(&self, text: &str) -> Result<Option<Principal>, Answer> {
        if ApiToken::looks_like_one(text) {
            return self.by_api_token(text).await;
        }
        if let Ok((id, claims)) = self.0.tokens.read_pipeline(text) {
            return Ok(Some(Principal {
                who: Who::Pipeline { id },
                display: claims.display,
                is_admin: false,
                grants: claims.grants,
                scopes: [Scope::Deploy].into(),
            }));
        }
        self.by_session(text).await
    }

    async fn by_session(&self, text: &str) -> Result<Option<Principal>, Answer> {
        let Ok(claims) = self.0.tokens.read_session(text) else { return Ok(None) };
        let Ok(id) = claims.session.parse::<SessionId>() else { return Ok(None) };
        let Some(session) = self.0.store.session(&id).await? else { return Ok(None) };
        let Some(user) = self.0.store.user(&session.user_id).await? else { return Ok(None) };
        if !claims.agrees(user.id.as_str(), user.session_epoch) {
            return Ok(None);
        }
        let who = Who::Person { user: user.id.to_string(), session: claims.session };
        self.principal(&user, who, Scopes::all()).await.map(Some)
    }

    async fn by_api_token(&self, text: &str) -> Result<Option<Principal>, Answer> {
        let Some(secret) = ApiToken::parse(text) else { return Ok(None) };
        let Some(token) = self.0.store.token_by_hash(&secret.hash()).await? else { return Ok(None) };
        let Some(user) = self.0.store.user(&token.user_id).await? else { return Ok(None) };
        if let Err(error) = self.0.store.touch_token(&token.id).await {
            tracing::warn!(%error, "the last use of a token is not noted");
        }
        let scopes: Scopes = token.scopes.iter().filter_map(|scope| scope.parse::<Scope>().ok()).collect();
        let who = Who::Token { token: token.id.to_string(), user: user.id.to_string() };
        let principal = self.principal(&user, who, scopes).await?;
        // `owner` is as much as there is, so it narrows nothing.
        let role = Some(token.role).filter(|role| *role != Role::Owner);
        Ok(Some(principal.narrowed(token.fleet.as_ref().map(FleetName::as_str), token.tenant.as_ref(), role)))
    }

    async fn principal(&self, user: &User, who: Who, scopes: Scopes) -> Result<Principal, Answer> {
        let roles = self.0.store.memberships_of(&user.id).await?;
        let grants = roles.into_iter().map(|membership| Grant {
            fleet: Some(membership.tenant.fleet.into()),
            tenant: Some(membership.tenant.tenant),
            apps: None,
            role: membership.role,
        });
        let (display, is_admin) = (self.display(user).await?, user.is_admin);
        Ok(Principal { who, display, is_admin, grants: grants.collect(), scopes })
    }

    /// How a person is named in commits and in the audit.
    async fn display(&self, user: &User) -> Result<String, Answer> {
        if let Some(email) = &user.email {
            return Ok(format!("local:{email}"));
        }
        let accounts = self.0.store.identities(&user.id).await?;
        let first = accounts.into_iter().next();
        Ok(first.map_or_else(
            || format!("local:{}", user.id),
            |account| format!("{}:{}", account.provider, account.username.unwrap_or(account.subject)),
        ))
    }
}

fn known(principal: Option<Principal>, cross_site: bool) -> Identity {
    match principal {
        Some(principal) => Identity::Known { principal: Arc::new(principal), cross_site },
        None => Identity::Refused(AuthError::TokenInvalid),
    }
}

/// `git` knows only a user and a password; an API token is the password, and the user does not matter.
fn basic(headers: &HeaderMap) -> Option<SecretString> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (_, password) = text.split_once(':')?;
    (scheme.eq_ignore_ascii_case("basic") && ApiToken::looks_like_one(password)).then(|| password.to_owned().into())
}
