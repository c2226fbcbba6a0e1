//! The first administrator of a new installation.
//!
//! A service without people makes `admin@localhost`. The password is in `<data>/initial-admin-password`, and is of no use
//! after it was changed; an API token that never ends is in `<data>/admin.token`, and is of no use after it was taken
//! back. Both files are for their owner only. Who puts a password or token into the data folder beforehand chooses it.
//!
//! Secrets are written before the account: whoever is killed in between finds them at the next start and goes on, and the
//! account appears in one transaction with its token. Of several replicas that start at once one makes the account, because
//! an e-mail address belongs to one person; the others take away what they wrote into folders of their own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::{Problem, Role};
use crate::store::{self, NewToken, NewUser, Profile, UserId};
use crate::web::auth::api_token::ApiToken;
use crate::web::auth::keys::{create, random};
use crate::web::auth::password::Verdict;
use crate::web::auth::trail::Deed;
use crate::web::auth::{Auth, AuthError, Scope};
use crate::web::problem::Answer;

/// The address of the first administrator.
pub const ADMIN_EMAIL: &str = "admin@localhost";
/// The file in the data folder with the first password.
pub const PASSWORD_FILE: &str = "initial-admin-password";
/// The file in the data folder with the administrator's API token.
pub const TOKEN_FILE: &str = "admin.token";
/// Who the audit says did it.
const ACTOR: &str = "wooo";

/// What a first start has made, to be told to whoever started it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: &'static str,
    /// The file with the password.
    pub password_file: PathBuf,
    /// The file with the API token.
    pub token_file: PathBuf,
}

/// Makes the first administrator if there is nobody. `None` if there is somebody, or another replica was faster.
///
/// # Errors
/// `files.unwritable`, `files.unreadable`, `auth.keys` for a file that others may read or that holds no token,
/// `auth.password`, and those of the store.
pub async fn bootstrap(auth: &Auth, data: &Path) -> Result<Option<FirstAdmin>, Answer> {
    if has_people(auth).await? {
        return Ok(None);
    }
    let (password_file, token_file) = (data.join(PASSWORD_FILE), data.join(TOKEN_FILE));
    let password = kept(&password_file, || Ok(URL_SAFE_NO_PAD.encode(random::<18>()?).into()))?;
    let token = kept(&token_file, || Ok(ApiToken::generate()?.secret().clone()))?;
    let secret = ApiToken::parse(token.text.expose_secret());
    let secret = secret.ok_or_else(|| AuthError::Keys(format!("{} holds no API token", token_file.display())))?;
    let hash = auth.passwords().hash(&password.text).await?.into();
    match make(auth, hash, &secret).await {
        Ok(true) => Ok(Some(FirstAdmin { email: ADMIN_EMAIL, password_file, token_file })),
        Ok(false) | Err(store::Error::Conflict { .. }) => {
            forget(auth, &password, &password_file, &token, &secret, &token_file).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn has_people(auth: &Auth) -> Result<bool, store::Error> {
    let mut tx = auth.store().begin().await?;
    let count = tx.count_users().await?;
    tx.rollback().await?;
    Ok(count > 0)
}

/// The account and its token, or neither.
async fn make(auth: &Auth, hash: SecretString, secret: &ApiToken) -> Result<bool, store::Error> {
    let mut tx = auth.store().begin().await?;
    if tx.count_users().await? > 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let profile = Profile { name: Some("Administrator".to_owned()), ..Profile::default() };
    let user = NewUser { email: Some(ADMIN_EMAIL.to_owned()), password_hash: Some(hash), profile, is_admin: true };
    let user_id: UserId = tx.insert_user(&user).await?;
    let token = NewToken {
        user_id,
        name: TOKEN_FILE.to_owned(),
        hash: secret.hash(),
        prefix: secret.prefix(),
        scopes: vec![Scope::Admin.to_string()],
        fleet: None,
        tenant: None,
        role: Role::Owner,
        lifetime: None,
    };
    tx.insert_token(&token).await?;
    Deed::new(ACTOR, "person.create", None).detail(serde_json::json!({"email": ADMIN_EMAIL})).write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// A secret in a file, and whether this start has made it.
struct Kept {
    text: SecretString,
    is_new: bool,
}

/// Reads a secret, or makes it.
fn kept(path: &Path, make: impl FnOnce() -> Result<SecretString, AuthError>) -> Result<Kept, Answer> {
    let unreadable = |error| Problem::new("files.unreadable", format!("{}: {error}", path.display()));
    let mut made = None;
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = made.insert(make()?);
            create(path, secret)
                .map_err(|error| Problem::new("files.unwritable", format!("{}: {error}", path.display())))?;
        }
        Err(error) => return Err(unreadable(error).into()),
    }
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(AuthError::Keys(format!("others may read {}: make its mode 0600", path.display())).into());
    }
    let text = SecretString::from(fs::read_to_string(path).map_err(unreadable)?.trim().to_owned());
    // Another replica may have made it a moment before.
    let is_new = made.is_some_and(|made| made.expose_secret() == text.expose_secret());
    Ok(Kept { text, is_new })
}

/// Takes away what this start wrote in vain. In a folder that replicas share it may be what the faster one has used.
async fn forget(
    auth: &Auth,
    password: &Kept,
    password_file: &Path,
    token: &Kept,
    secret: &ApiToken,
    token_file: &Path,
) -> Result<(), Answer> {
    let store = auth.store();
    if token.is_new && store.token_by_hash(&secret.hash()).await?.is_none() {
        remove(token_file);
    }
    if password.is_new {
        let hash = match store.user_by_email(ADMIN_EMAIL).await? {
            Some(user) => store.password_hash(&user.id).await?,
            None => None,
        };
        let hash = hash.as_ref().map(ExposeSecret::expose_secret);
        if auth.passwords().verify(&password.text, hash).await? == Verdict::Wrong {
            remove(password_file);
        }
    }
    Ok(())
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a secret that opens nothing stays in a file");
    }
}
