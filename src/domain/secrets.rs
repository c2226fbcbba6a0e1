//! `apps/<app>/secrets/<env>.yaml`: the values of an app's secrets in one environment, encrypted for its cluster.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::addons::AddonKind;
use super::fleet::SecretBackend;
use super::{AppName, VariableName};

/// The encrypted values of an app in one environment. wooo writes the file and never reads a value out of it again: it
/// only has the public half of the key.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The variables that the spec names under `secrets`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<VariableName, Ciphertext>,
    /// The passwords of add-ons, which nobody but the app and the add-on ever sees.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub addons: IndexMap<AddonKind, Ciphertext>,
}

/// One encrypted value.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ciphertext {
    /// For a SealedSecret: only the controller of one cluster can open it, for one Secret.
    Sealed {
        /// The Secret that it was sealed for, as `namespace/name`. Under another name it cannot be opened.
        scope: String,
        /// What stands in `encryptedData`.
        value: String,
    },
    /// A whole Secret, encrypted by the rules of SOPS.
    Sops(Value),
}

impl Ciphertext {
    /// Whether the cluster could open it as this Secret (`namespace/name`): it is of the cluster's way of keeping secrets,
    /// and for no other Secret.
    #[must_use]
    pub fn fits(&self, scope: &str, backend: SecretBackend) -> bool {
        match (self, backend) {
            (Self::Sealed { scope: own, .. }, SecretBackend::SealedSecrets) => own == scope,
            (Self::Sops(_), SecretBackend::Sops) => true,
            _ => false,
        }
    }
}

/// A value is long, means nothing to people, and is another one each time: it is not shown.
impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed { .. } => "sealed",
            Self::Sops(_) => "sops",
        })
    }
}

/// The Secret with an app's variables.
#[must_use]
pub fn variables_secret(app: &AppName) -> String {
    format!("{app}-secrets")
}

/// The Secret with an add-on's password. Its key is [`PASSWORD_KEY`].
#[must_use]
pub fn addon_secret(app: &AppName, addon: AddonKind) -> String {
    format!("{app}-{addon}")
}

/// The Secret with one variable, where each has one of its own. `None` for a name that no Secret can have: they know
/// no `_` and no capital letters, so that two variables could become one.
#[must_use]
pub fn own_secret(app: &AppName, variable: &VariableName) -> Option<String> {
    let name = variable.as_str();
    let is_plain = name.len() <= 100
        && !name.starts_with('_')
        && !name.ends_with('_')
        && name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_');
    is_plain.then(|| format!("{app}-secrets-{}", name.to_ascii_lowercase().replace('_', "-")))
}

/// The key of an add-on's password within its Secret.
pub const PASSWORD_KEY: &str = "password";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_secret_of_a_valid_name() {
        let name = |variable: &str| own_secret(&"shop".parse().unwrap(), &variable.parse().unwrap());
        assert_eq!(name("STRIPE_KEY").as_deref(), Some("shop-secrets-stripe-key"));
        for odd in ["_A", "A_", "stripe_key"] {
            assert_eq!(name(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_ciphertext_is_not_printed() {
        let text = format!("{:?}", Ciphertext::Sealed { scope: "a/b".to_owned(), value: "AgBx".to_owned() });
        assert_eq!(text, "sealed");
    }
}
