//! What people change about their own credentials: their password and their API tokens. And the tokens of pipelines.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Auth;
use crate::domain::{Problem, Role, TenantName};
use crate::store::{FleetName, NewToken, Token, TokenId, User, UserId};
use crate::web::auth::AuthError;
use crate::web::auth::api_token::{ApiToken, expiry};
use crate::web::auth::lockout::LockoutKey;
use crate::web::auth::password::Verdict;
use crate::web::auth::principal::{Principal, Scopes};
use crate::web::auth::session::PIPELINE_LIFE;
use crate::web::auth::trail::Deed;
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;

/// The longest name of a token, in characters.
const MAX_NAME: usize = 100;

/// A token for a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineToken {
    /// The token.
    pub token: SecretString,
    /// How long it is good for.
    pub life: Duration,
    /// What the pipeline is called.
    pub display: String,
}

/// What an API token is wanted for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// What its owner calls it: 1 to 100 characters.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Only in this fleet.
    pub fleet: Option<FleetName>,
    /// Only in this tenant.
    pub tenant: Option<TenantName>,
    /// With this role at most.
    pub role: Role,
    /// When it ends; after 90 days if it is left out.
    pub expires_at: Option<Timestamp>,
}

impl Auth {
    /// Keeps the password with today's parameters. It ends the person's other sessions, and must not stop this one.
    pub(super) async fn rehash(&self, user: &User, password: &SecretString) {
        let renewed = async {
            let hash = self.0.passwords.hash(password).await?;
            let mut tx = self.0.store.begin().await?;
            tx.set_password_hash(&user.id, Some(&hash.into())).await?;
            tx.commit().await?;
            Ok::<_, Answer>(())
        };
        if let Err(answer) = renewed.await {
            tracing::warn!(code = answer.code(), "a password keeps its old parameters");
        }
    }

    /// Sets a person's own password. The old one is asked for again, and guessing it is limited as at a sign-in; all
    /// their sessions end, this one too.
    ///
    /// # Errors
    /// `auth.credentials` if the old one is wrong, `auth.locked`, `auth.password`.
    pub async fn change_password(
        &self,
        principal: &Principal,
        old: &SecretString,
        new: &SecretString,
        address: ClientAddress,
    ) -> Result<(), Answer> {
        self.0.limits.count_sign_in(address)?;
        let id = owner(principal)?;
        let keys = LockoutKey::of(&format!("password of {id}"), address);
        self.admit(&keys).await?;
        let kept = self.0.store.password_hash(&id).await?;
        let verdict = self.0.passwords.verify(old, kept.as_ref().map(ExposeSecret::expose_secret)).await?;
        if verdict == Verdict::Wrong {
            let mut tx = self.0.store.begin().await?;
            Deed::new(&principal.display, "password.refuse", Some(address)).write(&mut tx).await?;
            tx.commit().await?;
            return Err(AuthError::Credentials.into());
        }
        self.forgive(&keys).await?;
        let hash = self.0.passwords.hash(new).await?;
        let mut tx = self.0.store.begin().await?;
        tx.set_password_hash(&id, Some(&hash.into())).await?;
        Deed::new(&principal.display, "password.change", Some(address)).write(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Makes a token for whoever asks. What it may do is bounded by their own rights, whenever it is used.
    ///
    /// # Errors
    /// `auth.token_value`, and those of the store.
    pub async fn create_token(
        &self,
        principal: &Principal,
        wanted: TokenRequest,
        address: ClientAddress,
    ) -> Result<(ApiToken, Token), Answer> {
        let user_id = owner(principal)?;
        let name = wanted.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            let detail = format!("the name of a token has 1 to {MAX_NAME} characters");
            return Err(Problem::new("auth.token_value", detail).field("name").into());
        }
        let mut tx = self.0.store.begin().await?;
        let now = tx.now().await?;
        let life = expiry(wanted.expires_at, now)?.duration_since(now);
        let secret = ApiToken::generate()?;
        let token = NewToken {
            user_id,
            name,
            hash: secret.hash(),
            prefix: secret.prefix(),
            scopes: wanted.scopes.iter().map(|scope| scope.to_string()).collect(),
            fleet: wanted.fleet,
            tenant: wanted.tenant,
            role: wanted.role,
            lifetime: Duration::try_from(life).ok(),
        };
        let token = tx.insert_token(&token).await?;
        let deed = Deed::new(&principal.display, "token.create", Some(address));
        deed.detail(json!({"token": token.id, "name": token.name, "scopes": token.scopes})).write(&mut tx).await?;
        tx.commit().await?;
        Ok((secret, token))
    }

    /// Takes a token of whoever asks back.
    ///
    /// # Errors
    /// `store.not_found` if it is not theirs, or not there; it does not say which.
    pub async fn revoke_token(
        &self,
        principal: &Principal,
        id: &TokenId,
        address: ClientAddress,
    ) -> Result<(), Answer> {
        let mut tx = self.0.store.begin().await?;
        tx.revoke_token(&owner(principal)?, id).await?;
        let deed = Deed::new(&principal.display, "token.revoke", Some(address));
        deed.detail(json!({"token": id})).write(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Exchanges a pipeline's token.
    ///
    /// # Errors
    /// `auth.token_invalid`, `auth.exchange_denied`, `auth.provider`, `rate.limited`.
    pub async fn exchange(&self, token: &SecretString, address: ClientAddress) -> Result<PipelineToken, Answer> {
        self.0.limits.count_sign_in(address)?;
        let claims = self.0.exchange.exchange(token.expose_secret()).await?;
        let display = claims.display.clone();
        let mut tx = self.0.store.begin().await?;
        Deed::new(&display, "pipeline.exchange", Some(address)).write(&mut tx).await?;
        tx.commit().await?;
        let token = self.0.tokens.pipeline(&uuid::Uuid::new_v4().to_string(), claims)?;
        Ok(PipelineToken { token, life: PIPELINE_LIFE, display })
    }
}

/// The person whose credentials they are.
fn owner(principal: &Principal) -> Result<UserId, AuthError> {
    principal.user().and_then(|id| id.parse().ok()).ok_or(AuthError::NotPerson)
}
