//! What the routes of people take and show.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::store::User;

/// A text of a body that no log shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Secret(pub SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// A field that can be left out, and can be null: `None` if it was left out.
///
/// # Errors
/// Those of the value.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct UserView {
    /// Their id.
    #[schema(example = "0198c5c2-3c55-7b41-9d0e-0d0c6e0f5a11")]
    pub id: String,
    /// Their e-mail address; null for those who only come from a forge.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their company.
    pub company: Option<String>,
    /// Where Telegram reaches them.
    pub telegram_chat_id: Option<String>,
    /// What they pay for.
    pub plan: String,
    /// Whether they may do everything.
    pub is_admin: bool,
    /// When they came.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            name: user.profile.name,
            company: user.profile.company,
            telegram_chat_id: user.profile.telegram_chat_id,
            plan: user.plan,
            is_admin: user.is_admin,
            created_at: user.created_at.to_string(),
        }
    }
}
