//! The Secrets of an app: where its pods find each value, and what is rendered so that it is there.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::context::Subject;
use crate::domain::addons::AddonKind;
use crate::domain::fleet::SecretBackend;
use crate::domain::secrets::{Ciphertext, addon_secret, own_secret, variables_secret};
use crate::domain::{App, Problem, VariableName};

/// A variable with the place of its value.
#[derive(Serialize)]
pub(super) struct SecretReference<'a> {
    name: &'a VariableName,
    /// The Secret.
    pub(super) secret: String,
    key: &'a VariableName,
}

/// Where each secret variable of the app has its value. With SOPS each has a Secret of its own: a file is encrypted as a
/// whole, and could not be given one more value without opening it.
pub(super) fn references<'a>(subject: &Subject<'a>) -> Vec<SecretReference<'a>> {
    let app = &subject.app.spec.name;
    let secret = |variable: &VariableName| match subject.app.secrets.variables.get(variable) {
        Some(Ciphertext::Sops(_)) => own_secret(app, variable).unwrap_or_else(|| variables_secret(app)),
        _ => variables_secret(app),
    };
    subject
        .app
        .spec
        .secrets
        .iter()
        .map(|variable| SecretReference { name: variable, secret: secret(variable), key: variable })
        .collect()
}

/// The encrypted variables that the spec still names.
fn variables(app: &App) -> impl Iterator<Item = (&VariableName, &Ciphertext)> {
    app.secrets.variables.iter().filter(|(name, _)| app.spec.secrets.contains(name))
}

/// The encrypted passwords of add-ons that the spec still names.
fn passwords(app: &App) -> impl Iterator<Item = (&AddonKind, &Ciphertext)> {
    app.secrets.addons.iter().filter(|(kind, _)| app.spec.addons.contains_key(*kind))
}

/// The encrypted values of the SealedSecret with the app's variables.
pub(super) fn sealed(app: &App) -> BTreeMap<&str, &str> {
    variables(app)
        .filter_map(|(name, value)| match value {
            Ciphertext::Sealed { value, .. } => Some((name.as_str(), value.as_str())),
            Ciphertext::Sops(_) => None,
        })
        .collect()
}

/// The Secrets that are encrypted as a whole. They are rendered as they were written: what changes them breaks the seal,
/// so that they come in behind all overlays.
pub(super) fn whole(app: &App) -> impl Iterator<Item = Value> {
    let values = variables(app).map(|(_, value)| value).chain(passwords(app).map(|(_, value)| value));
    values.filter_map(|value| match value {
        Ciphertext::Sops(secret) => Some(secret.clone()),
        Ciphertext::Sealed { .. } => None,
    })
}

/// One text for each encrypted variable, another one for each value.
pub(super) fn fingerprints(app: &App) -> Vec<String> {
    variables(app)
        .map(|(name, value)| match value {
            Ciphertext::Sealed { value, .. } => format!("{name} {value}"),
            Ciphertext::Sops(secret) => format!("{name} {secret}"),
        })
        .collect()
}

/// Whether there is a SealedSecret to render.
pub(super) fn are_sealed(subject: &Subject<'_>) -> bool {
    !sealed(subject.app).is_empty()
}

/// Whether there is an ExternalSecret to render.
pub(super) fn are_fetched(subject: &Subject<'_>) -> bool {
    subject.cluster.secrets == SecretBackend::ExternalSecrets && !subject.app.spec.secrets.is_empty()
}

/// Values that this cluster cannot open: encrypted for another way of keeping secrets, or for another Secret.
pub(super) fn problems(app: &App, namespace: &str, backend: SecretBackend) -> Vec<Problem> {
    let name = &app.spec.name;
    let variables = variables(app).map(|(variable, value)| (variable.to_string(), variables_secret(name), value));
    let passwords =
        passwords(app).map(|(kind, value)| (format!("the password of {kind}"), addon_secret(name, *kind), value));
    let problem = |(what, secret, value): (String, String, &Ciphertext)| {
        let wanted = format!("{namespace}/{secret}");
        if value.fits(&wanted, backend) {
            return None;
        }
        let detail = match (value, backend) {
            (Ciphertext::Sealed { scope, .. }, SecretBackend::SealedSecrets) => {
                format!("{what} was sealed for `{scope}` and cannot be opened as `{wanted}`")
            }
            _ => format!("{what} is encrypted in a way that the cluster does not use any more"),
        };
        let hint = if secret == variables_secret(name) {
            format!("set it anew: `wooo secret set {name} NAME --env ENV`")
        } else {
            format!(
                "`wooo secret generate {name}` makes a new one; a volume that is there keeps the old one until it is changed in it"
            )
        };
        Some(Problem::new("secret.stale", detail).hint(hint))
    };
    let stale = variables.chain(passwords).filter_map(problem);
    let has_password =
        |kind: &AddonKind| backend == SecretBackend::ExternalSecrets || app.secrets.addons.contains_key(kind);
    let missing = app.spec.addons.keys().filter(|kind| !has_password(kind)).map(|kind| {
        Problem::new("secret.missing", format!("the add-on {kind} of `{name}` has no password here yet"))
            .hint(format!("`wooo secret generate {name}` makes one"))
    });
    stale.chain(missing).collect()
}
