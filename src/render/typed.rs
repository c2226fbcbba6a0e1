//! Every object against its type: nothing unknown, nothing of the wrong kind, nothing lost.
//!
//! A cluster drops a misspelt field without a word (`containrs` is not an error to every client). So an object is read
//! into the typed model of its kind and written back: what did not come back was never there for the cluster.

use k8s_openapi::api::{apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core};
use k8s_openapi::api::{networking::v1 as networking, policy::v1 as policy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::models::{self, monitoring, secrets};
use super::object::text_at;
use crate::secrets::is_sealed;
use crate::secrets::sops_file::is_encrypted;

/// Why an object does not fit its kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Misfit {
    /// A kind that an app has no use for, or that wooo does not know.
    #[error("the kind `{api_version}` `{kind}` is not one that an app may have")]
    UnknownKind {
        /// As written.
        api_version: String,
        /// As written.
        kind: String,
    },
    /// A Secret in plain text.
    #[error("a Secret would put its value into Git in plain text")]
    PlainSecret,
    /// A value of a SealedSecret that is not sealed.
    #[error("the value of `{key}` is not sealed: it would be in Git in plain text")]
    NotSealed {
        /// The key, whose value is not repeated.
        key: String,
    },
    /// A field that the kind does not have.
    #[error("the field `{field}` does not exist")]
    UnknownField {
        /// Dotted, with `[n]` for list items.
        field: String,
    },
    /// A field of the wrong type, or a missing one.
    #[error("the field `{field}` does not fit: {reason}")]
    WrongType {
        /// Dotted, with `[n]` for list items.
        field: String,
        /// What the type says.
        reason: String,
    },
}

type Check = fn(&Value) -> Result<(), Misfit>;

/// Every kind that an app may consist of, with its model.
const KINDS: &[(&str, &str, Check)] = &[
    ("v1", "Namespace", fits::<core::Namespace>),
    ("v1", "ServiceAccount", fits::<core::ServiceAccount>),
    ("v1", "ConfigMap", fits::<core::ConfigMap>),
    ("v1", "Service", fits::<core::Service>),
    ("v1", "PersistentVolumeClaim", fits::<core::PersistentVolumeClaim>),
    ("v1", "ResourceQuota", fits::<core::ResourceQuota>),
    ("v1", "LimitRange", fits::<core::LimitRange>),
    ("apps/v1", "Deployment", fits::<apps::Deployment>),
    ("apps/v1", "StatefulSet", fits::<apps::StatefulSet>),
    ("batch/v1", "CronJob", fits::<batch::CronJob>),
    ("batch/v1", "Job", fits::<batch::Job>),
    ("networking.k8s.io/v1", "Ingress", fits::<networking::Ingress>),
    ("networking.k8s.io/v1", "NetworkPolicy", fits::<networking::NetworkPolicy>),
    ("policy/v1", "PodDisruptionBudget", fits::<policy::PodDisruptionBudget>),
    ("autoscaling/v2", "HorizontalPodAutoscaler", fits::<autoscaling::HorizontalPodAutoscaler>),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", fits::<models::Resource<models::HttpRouteSpec>>),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", fits::<models::Resource<models::ReferenceGrantSpec>>),
    ("cert-manager.io/v1", "Certificate", fits::<models::Resource<models::CertificateSpec>>),
    ("bitnami.com/v1alpha1", "SealedSecret", fits::<models::Resource<secrets::SealedSecretSpec>>),
    ("external-secrets.io/v1", "ExternalSecret", fits::<models::Resource<secrets::ExternalSecretSpec>>),
    ("generators.external-secrets.io/v1alpha1", "Password", fits::<models::Resource<secrets::PasswordSpec>>),
    ("monitoring.coreos.com/v1", "ServiceMonitor", fits::<models::Resource<monitoring::ServiceMonitorSpec>>),
    ("monitoring.coreos.com/v1", "Probe", fits::<models::Resource<monitoring::ProbeSpec>>),
    ("monitoring.coreos.com/v1", "PrometheusRule", fits::<models::Resource<monitoring::PrometheusRuleSpec>>),
    (
        "monitoring.coreos.com/v1alpha1",
        "AlertmanagerConfig",
        fits::<models::Resource<monitoring::AlertmanagerConfigSpec>>,
    ),
];

/// The kinds that tell a controller what to sync. They stand beside an app, never inside it.
const DELIVERY_KINDS: &[(&str, &str, Check)] = &[
    ("argoproj.io/v1alpha1", "Application", fits::<models::Resource<models::ApplicationSpec>>),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", fits::<models::Resource<models::FluxKustomizationSpec>>),
    ("source.toolkit.fluxcd.io/v1", "GitRepository", fits::<models::Resource<models::GitRepositorySpec>>),
];

/// Checks an object of an app.
///
/// # Errors
/// [`Misfit`] with the first fault.
pub(super) fn check(object: &Value) -> Result<(), Misfit> {
    check_among(KINDS, object)
}

/// Checks an object of the delivery.
///
/// # Errors
/// [`Misfit`] with the first fault.
pub(super) fn check_delivery(object: &Value) -> Result<(), Misfit> {
    check_among(DELIVERY_KINDS, object)
}

fn check_among(kinds: &[(&str, &str, Check)], object: &Value) -> Result<(), Misfit> {
    let api_version = text_at(object, &["apiVersion"]).unwrap_or_default();
    let kind = text_at(object, &["kind"]).unwrap_or_default();
    if kind == "Secret" {
        return if is_encrypted(object) { fits::<secrets::EncryptedSecret>(object) } else { Err(Misfit::PlainSecret) };
    }
    let found = kinds.iter().find(|(version, name, _)| *version == api_version && *name == kind);
    let Some((_, _, check)) = found else {
        return Err(Misfit::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() });
    };
    check(object)?;
    if kind == "SealedSecret"
        && let Some(values) = object.pointer("/spec/encryptedData").and_then(Value::as_object)
        && let Some((key, _)) = values.iter().find(|(_, value)| !value.as_str().is_some_and(is_sealed))
    {
        return Err(Misfit::NotSealed { key: key.clone() });
    }
    Ok(())
}

fn fits<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), Misfit> {
    let typed = T::deserialize(object).map_err(|error| wrong_type::<T>(object, &error.to_string()))?;
    let back = serde_json::to_value(&typed)
        .map_err(|error| Misfit::WrongType { field: String::new(), reason: error.to_string() })?;
    match lost(object, &back, &mut String::new()) {
        Some(field) => Err(Misfit::UnknownField { field }),
        None => Ok(()),
    }
}

fn wrong_type<T: DeserializeOwned>(object: &Value, reason: &str) -> Misfit {
    let field = culprit::<T>(object, reason);
    match reason.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) if field.is_empty() => Misfit::UnknownField { field: name.to_owned() },
        Some(_) => Misfit::UnknownField { field },
        None => Misfit::WrongType { field, reason: reason.to_owned() },
    }
}

/// Finds the field behind an error: the one without which the error is another, or none. Only a fault pays for knowing
/// where it is; a deserializer that keeps track of the path would double the code of every kind.
fn culprit<T: DeserializeOwned>(object: &Value, reason: &str) -> String {
    let mut path = String::new();
    let mut pointer = String::new();
    let changes = |pointer: &str, step: &Step| {
        let mut without = object.clone();
        match (without.pointer_mut(pointer), step) {
            (Some(Value::Object(map)), Step::Key(key)) => drop(map.shift_remove(key)),
            (Some(Value::Array(items)), Step::Index(index)) => drop(items.remove(*index)),
            _ => return false,
        }
        T::deserialize(&without).err().is_none_or(|error| error.to_string() != reason)
    };
    loop {
        let steps: Vec<Step> = match object.pointer(&pointer) {
            Some(Value::Object(map)) => map.keys().cloned().map(Step::Key).collect(),
            Some(Value::Array(items)) => (0..items.len()).map(Step::Index).collect(),
            _ => return path,
        };
        match steps.into_iter().find(|step| changes(&pointer, step)) {
            Some(Step::Key(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
                pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            }
            Some(Step::Index(index)) => {
                path.push_str(&format!("[{index}]"));
                pointer = format!("{pointer}/{index}");
            }
            None => return path,
        }
    }
}

enum Step {
    Key(String),
    Index(usize),
}

/// The path of the first value of `before` that `after` lacks or has otherwise.
fn lost(before: &Value, after: &Value, path: &mut String) -> Option<String> {
    let length = path.len();
    match (before, after) {
        (Value::Null, _) => None,
        (Value::Object(before), Value::Object(after)) => before.iter().find_map(|(key, value)| {
            if length > 0 {
                path.push('.');
            }
            path.push_str(key);
            let found = match after.get(key) {
                Some(after) => lost(value, after, path),
                None => (!value.is_null()).then(|| path.clone()),
            };
            path.truncate(length);
            found
        }),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).enumerate().find_map(|(index, (before, after))| {
                path.push_str(&format!("[{index}]"));
                let found = lost(before, after, path);
                path.truncate(length);
                found
            })
        }
        (before, after) if same_scalar(before, after) => None,
        _ => Some(path.clone()),
    }
}

/// Numbers may change their representation on the way (`3` and `3.0`), nothing else.
fn same_scalar(before: &Value, after: &Value) -> bool {
    before == after
        || matches!((before.as_f64(), after.as_f64()), (Some(before), Some(after)) if before.to_bits() == after.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(container: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}}})
    }

    #[test]
    fn what_a_cluster_would_drop_is_named() {
        assert_eq!(
            check(&deployment(json!({"name": "a", "image": "x:1", "resources": {"limits": {"memory": "1Gi"}}}))),
            Ok(())
        );
        assert_eq!(
            check(&deployment(json!({"name": "a", "imagePullPolicyy": "Always"}))).unwrap_err().to_string(),
            "the field `spec.template.spec.containers[0].imagePullPolicyy` does not exist"
        );
        let misfit = check(&deployment(json!({"name": "a", "ports": [{"containerPort": "http"}]}))).unwrap_err();
        assert!(
            misfit
                .to_string()
                .starts_with("the field `spec.template.spec.containers[0].ports[0].containerPort` does not fit: "),
            "{misfit}"
        );
    }

    #[test]
    fn custom_resources_are_as_strict() {
        let mut certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "a"},
            "spec": {"secretName": "s", "dnsNames": ["a.b"], "issuerRef": {"name": "i"}}});
        assert_eq!(check(&certificate), Ok(()));
        certificate["spec"]["dnsNams"] = json!(["x"]);
        assert_eq!(check(&certificate).unwrap_err(), Misfit::UnknownField { field: "spec.dnsNams".to_owned() });
        certificate["spec"] = json!({"secretName": "s", "dnsNames": ["a.b"], "issuerRef": {"nam": "i"}});
        assert_eq!(check(&certificate).unwrap_err(), Misfit::UnknownField { field: "spec.issuerRef.nam".to_owned() });
    }

    #[test]
    fn secrets_and_strangers_are_refused() {
        assert_eq!(check(&json!({"apiVersion": "v1", "kind": "Secret"})), Err(Misfit::PlainSecret));
        let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "a"},
            "spec": {"encryptedData": {"A": "aHVudGVyMg=="}}});
        assert_eq!(check(&sealed), Err(Misfit::NotSealed { key: "A".to_owned() }));
        let stranger = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"});
        assert!(matches!(check(&stranger), Err(Misfit::UnknownKind { .. })));
        let delivery = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"});
        assert!(matches!(check(&delivery), Err(Misfit::UnknownKind { .. })));
    }
}
