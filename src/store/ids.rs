//! The identities of rows, each a type of its own.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::statement::{Argument, IntoArgument, arguments};
use crate::domain::AppName;

/// A text that cannot be the identity of anything: empty, too long, or with characters that no identity has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id has up to {MAX} letters, digits, `-`, `_`, `.` and `/`")]
pub struct InvalidId;

const MAX: usize = 128;

/// Declares an identity: text that is safe in a URL and in a log.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identity as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/');
                if (1..=MAX).contains(&text.len()) && text.bytes().all(fits) {
                    return Ok(Self(text.to_owned()));
                }
                Err(InvalidId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        arguments! { Text: &$name => |id| id.0.clone() }
    };
}

/// Declares an identity that is made by chance, in the order of time.
macro_rules! random_id_type {
    ($(#[$doc:meta])* $name:ident) => {
        id_type! { $(#[$doc])* $name }

        impl $name {
            /// A new one, later than all before.
            #[must_use]
            pub fn random() -> Self {
                Self(uuid::Uuid::now_v7().to_string())
            }
        }
    };
}

id_type! {
    /// A fleet repository, as the service's settings name it.
    FleetName
}
id_type! {
    /// An app of a fleet: `app-` and ten hexadecimal digits, the same whenever the index is built.
    AppId
}
random_id_type! {
    /// A job.
    JobId
}
random_id_type! {
    /// A person, or a program that signs in like one.
    UserId
}
random_id_type! {
    /// A session of a person. It is in every token of that session and opens nothing by itself.
    SessionId
}
random_id_type! {
    /// An API token; not the token itself.
    TokenId
}
random_id_type! {
    /// A row of the audit trail.
    AuditId
}
random_id_type! {
    /// A delivery that came in.
    DeliveryId
}
random_id_type! {
    /// An alert.
    AlertId
}
random_id_type! {
    /// An incident.
    IncidentId
}
random_id_type! {
    /// A repair.
    RepairId
}
random_id_type! {
    /// A notification.
    NotificationId
}

impl AppId {
    /// The identity of the app `name` of `fleet`.
    #[must_use]
    pub fn of(fleet: &FleetName, name: &AppName) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [fleet.as_str(), name.as_str()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let digits: String = context.finish().as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("app-{digits}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_app_never_changes() {
        let id = |fleet: &str, name: &str| AppId::of(&fleet.parse().unwrap(), &name.parse().unwrap());
        assert_eq!(id("main", "shop").as_str(), "app-71c5f24b2d");
        assert_ne!(id("main", "shop"), id("other", "shop"));
        assert_ne!(id("ab", "c"), id("a", "bc"));
    }

    #[test]
    fn an_id_is_safe_in_a_url() {
        for bad in ["", "a b", "a?b", "é", "a\n", &"x".repeat(129)] {
            assert_eq!(bad.parse::<AppId>(), Err(InvalidId), "{bad}");
        }
        assert!(JobId::random() < JobId::random());
    }
}
