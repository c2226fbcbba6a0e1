//! Why somebody is not let in, as the problem that they see. It never says more than the caller knew already.

use std::time::Duration;

use crate::domain::{Problem, Role};
use crate::web::problem::Answer;

/// Why authentication or authorisation failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuthError {
    /// Nothing was shown.
    #[error("this needs somebody who is signed in")]
    SignedOut,
    /// What was shown is not valid, or not any more. Why is in the log only: it would tell a forger what to change.
    #[error("the token or session is not valid")]
    TokenInvalid,
    /// The password is wrong, or there is no such account; it does not say which.
    #[error("the e-mail address or the password is wrong")]
    Credentials,
    /// Too many wrong passwords.
    #[error("too many failed attempts to sign in")]
    Locked {
        /// How long it lasts.
        wait: Duration,
    },
    /// Too many passwords are being checked.
    #[error("the service checks as many passwords as it can")]
    Busy,
    /// A password that nobody should have.
    #[error("{0}")]
    Password(String),
    /// The role or scope is not enough, of somebody who may know that the thing exists.
    #[error("this needs the role {needs}")]
    Role {
        /// What would be enough.
        needs: Role,
    },
    /// Only whoever runs the installation may.
    #[error("this is for administrators of the installation")]
    NotAdmin,
    /// Only a person who signed in may.
    #[error("this is for people who signed in, not for tokens")]
    NotPerson,
    /// A request that another site's page may have made.
    #[error("the request does not show that it comes from the portal")]
    CrossSite,
    /// No provider of that name is set up.
    #[error("there is no sign-in with that name")]
    UnknownProvider,
    /// The answer of a provider belongs to no sign-in that this browser began, or that one is too old.
    #[error("this sign-in was not begun here, or too long ago")]
    Flow,
    /// The provider refused, or the person did.
    #[error("the sign-in was refused there")]
    Denied,
    /// The provider cannot be reached or answers something else.
    #[error("{provider} did not answer as expected: {reason}")]
    Provider {
        /// The name of the provider in the settings.
        provider: String,
        /// What went wrong, without anything secret.
        reason: String,
    },
    /// A valid token of a pipeline that no trust rule names.
    #[error("no trust rule admits this pipeline")]
    NotTrusted,
    /// The keys that sessions are signed with cannot be had.
    #[error("{0}")]
    Keys(String),
    /// The settings are wrong; the service does not start.
    #[error("{0}")]
    Settings(String),
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let text = error.to_string();
        match error {
            AuthError::SignedOut => {
                Self::new("auth.required", text).hint("sign in, or send `Authorization: Bearer <token>`")
            }
            AuthError::TokenInvalid => Self::new("auth.token_invalid", text).hint("sign in again, or use a new token"),
            AuthError::Credentials => Self::new("auth.credentials", text),
            AuthError::Locked { .. } => Self::new("auth.locked", text).hint("wait as long as Retry-After says"),
            AuthError::Busy => Self::new("auth.busy", text).hint("try again in a few seconds"),
            AuthError::Password(_) => Self::new("auth.password", text).field("password"),
            AuthError::Role { .. } => Self::new("auth.forbidden", text)
                .hint("ask an owner of the tenant for the role, or use a token that has it"),
            AuthError::NotAdmin | AuthError::NotPerson => Self::new("auth.forbidden", text),
            AuthError::CrossSite => Self::new("auth.csrf", text)
                .hint("send the header X-Wooo-CSRF with the value that /api/auth/me gives, or use a bearer token"),
            AuthError::UnknownProvider => Self::new("auth.unknown_provider", text),
            AuthError::Flow => Self::new("auth.flow", text).hint("begin again at the sign-in page"),
            AuthError::Denied => Self::new("auth.denied", text),
            AuthError::Provider { .. } => Self::new("auth.provider", text).hint("try again later"),
            AuthError::NotTrusted => Self::new("auth.exchange_denied", text).hint(
                "a trust rule names the repository by its number, and may ask for a ref, an environment or a workflow",
            ),
            AuthError::Keys(_) => Self::new("auth.keys", text),
            AuthError::Settings(_) => Self::new("auth.settings", text),
        }
    }
}

impl From<AuthError> for Answer {
    fn from(error: AuthError) -> Self {
        let wait = match &error {
            AuthError::Locked { wait } => Some(*wait),
            AuthError::Busy => Some(Duration::from_secs(5)),
            _ => None,
        };
        let answer = Self::from(Problem::from(error));
        match wait {
            Some(wait) => answer.retry_after(wait),
            None => answer,
        }
    }
}
