//! Putting a secret into a fleet: the value is encrypted for each environment's cluster before anything is planned, so
//! that no part behind this one ever holds it.

use jiff::Timestamp;
use secrecy::SecretString;

use super::fleet::{Fleet, secrets_path};
use super::place::Place;
use super::plan::Edits;
use crate::domain::addons::AddonKind;
use crate::domain::document::MAX_DOCUMENT_BYTES;
use crate::domain::fleet::{Cluster, SecretBackend};
use crate::domain::secrets::{PASSWORD_KEY, addon_secret, own_secret, variables_secret};
use crate::domain::{Action, App, AppName, ClusterName, EnvironmentName, Intent, Problem, Problems, VariableName};
use crate::files::LayeredTree;
use crate::secrets::{self, Backend, ExternalSecrets, SealedSecrets, Sops};
use crate::yaml;

/// The wish to give an app's variable this value, in one environment or in each that the app is in.
///
/// # Errors
/// `app.not_found`, `app.not_there`, and what is wrong with the clusters' keys.
pub fn set(
    place: &Place,
    app: &AppName,
    environment: Option<&EnvironmentName>,
    name: &VariableName,
    value: &SecretString,
    now: Timestamp,
) -> Result<Intent, Problems> {
    let tree = place.tree()?;
    let fleet = Fleet::open(&tree)?;
    let environments = match environment {
        Some(environment) => vec![environment.clone()],
        None => fleet.environments_of(app)?,
    };
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for environment in environments {
        match encrypt(&fleet, app, &environment, name, value, now) {
            Ok(ciphertext) => values.push((environment, ciphertext)),
            Err(problem) => problems.push(problem),
        }
    }
    Problems::check(problems)?;
    let action = Action::SetSecret { name: name.clone(), values };
    Ok(Intent { app: app.clone(), environment: environment.cloned(), action })
}

fn encrypt(
    fleet: &Fleet<'_>,
    app: &AppName,
    environment: &EnvironmentName,
    name: &VariableName,
    value: &SecretString,
    now: Timestamp,
) -> Result<crate::domain::secrets::Ciphertext, Problem> {
    let (settings, cluster) = fleet.settings.place(environment)?;
    let secret = match cluster.secrets {
        SecretBackend::Sops => own_secret(app, name).ok_or_else(|| {
            Problem::new(
                "secret.name",
                format!("with SOPS `{name}` needs a Secret of its own, and none can be called so"),
            )
            .hint("use capital letters, digits and `_`, which neither begin nor end the name")
        })?,
        _ => variables_secret(app),
    };
    let namespace = settings.namespace_of(app);
    let at = secrets::Place { namespace: &namespace, name: &secret, key: name.as_str(), app: app.as_str() };
    backend(fleet, &settings.cluster, cluster, now)?.encrypt(&at, value).map_err(|error| failed(&error, cluster))
}

/// A word about the secret variables that have no value in an environment yet: pods do not start without.
pub(super) fn without_value(fleet: &Fleet<'_>, app: &App, environment: &EnvironmentName) -> Option<String> {
    let (_, cluster) = fleet.settings.place(environment).ok()?;
    if cluster.secrets == SecretBackend::ExternalSecrets {
        return None;
    }
    let missing: Vec<&str> = app
        .spec
        .secrets
        .iter()
        .filter(|name| !app.secrets.variables.contains_key(*name))
        .map(VariableName::as_str)
        .collect();
    let first = missing.first()?;
    let name = &app.spec.name;
    Some(format!(
        "no value in {environment} yet: {}; pods need it, so `wooo secret set {name} {first} --env {environment}`",
        missing.join(", ")
    ))
}

/// Adds to a plan a password for each add-on that has none where it is about to run: nobody ever has to know it, so nobody
/// has to choose it. Where the cluster makes passwords itself there is nothing to add.
///
/// # Errors
/// What is wrong with the clusters' keys.
pub(super) fn add_passwords(
    fleet: &Fleet<'_>,
    app: &AppName,
    edits: &mut Edits,
    environments: &[EnvironmentName],
    now: Timestamp,
) -> Result<(), Problems> {
    let edited = super::plan::edited(edits);
    let layered = LayeredTree::new(&edited, fleet.tree);
    let after = Fleet { tree: &layered, settings: fleet.settings.clone() };
    let mut problems = Vec::new();
    for environment in environments {
        // Whatever is wrong with the app itself is told by who renders it.
        let Ok(Some(resolved)) = after.app(app, environment) else { continue };
        let (settings, cluster) = fleet.settings.place(environment)?;
        let missing = resolved.spec.addons.keys().filter(|kind| !resolved.secrets.addons.contains_key(*kind));
        let missing: Vec<AddonKind> = missing.copied().collect();
        if missing.is_empty() || cluster.secrets == SecretBackend::ExternalSecrets {
            continue;
        }
        let backend = match backend(fleet, &settings.cluster, cluster, now) {
            Ok(backend) => backend,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let path = secrets_path(app, environment);
        let mut text = after.secrets(app, environment)?.text;
        let namespace = settings.namespace_of(app);
        for kind in missing {
            let secret = addon_secret(app, kind);
            let at = secrets::Place { namespace: &namespace, name: &secret, key: PASSWORD_KEY, app: app.as_str() };
            let password = secrets::random_password().map_err(|error| failed(&error, cluster))?;
            let value = backend.encrypt(&at, &password).map_err(|error| failed(&error, cluster))?;
            let value = serde_json::to_value(value).unwrap_or_default();
            text = yaml::set(&text, &["addons", kind.key()], Some(&value))
                .map_err(|error| Problem::new("spec.syntax", format!("{path}: {error}")))?;
        }
        edits.insert(path, Some(text));
    }
    Problems::check(problems)
}

/// The way in which secrets reach a cluster, with its public key.
///
/// # Errors
/// `secret.no_key` if the fleet does not have it, `secret.key` if it is no key.
fn backend(
    fleet: &Fleet<'_>,
    name: &ClusterName,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Box<dyn Backend>, Problem> {
    let unusable = |error: secrets::Error| Problem::new("secret.key", format!("the key of cluster `{name}`: {error}"));
    match cluster.secrets {
        SecretBackend::SealedSecrets => {
            let usual = || format!("keys/{name}.pem");
            let path = cluster.sealed_secrets.certificate.clone().unwrap_or_else(usual);
            let pem = fleet
                .tree
                .read_text_if_present(&path, MAX_DOCUMENT_BYTES)
                .map_err(|error| super::unreadable(&error))?;
            let Some(pem) = pem else {
                let detail = format!("the certificate of cluster `{name}` is not in the fleet: there is no `{path}`");
                return Err(Problem::new("secret.no_key", detail)
                    .hint(format!("`kubeseal --fetch-cert > {path}` on that cluster, and commit the file")));
            };
            Ok(Box::new(SealedSecrets::new(&pem).map_err(unusable)?))
        }
        SecretBackend::Sops if cluster.sops.age.is_empty() => {
            let detail = format!("cluster `{name}` has nobody to encrypt for");
            Err(Problem::new("secret.no_key", detail)
                .hint("name the cluster's public key in fleet.yaml: `sops: {age: [age1...]}`"))
        }
        SecretBackend::Sops => Ok(Box::new(Sops::new(&cluster.sops.age, now).map_err(unusable)?)),
        SecretBackend::ExternalSecrets => Ok(Box::new(ExternalSecrets)),
    }
}

fn failed(error: &secrets::Error, cluster: &Cluster) -> Problem {
    let problem = Problem::new("secret.refused", error.to_string());
    match error {
        secrets::Error::ElsewhereKept => problem.hint(format!(
            "put it into the store `{}`, and name the variable under `secrets:` of the spec",
            cluster.external_secrets.store
        )),
        _ => problem,
    }
}
