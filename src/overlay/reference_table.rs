//! Which fields hold the names of which objects.
//!
//! Owns the table that kustomize has built in. Does not own following the names.

use std::collections::HashMap;

use super::fields::{self, FieldSpec};
use super::resource::Id;

/// The kind of an object that is named, and the fields that name it. An empty word stands for any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct NameReference {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) specs: Vec<FieldSpec>,
}

/// A field that names an object of some kind.
#[derive(Debug)]
pub(super) struct Reference {
    /// The kind that is named: group (empty for any), version (empty for any) and kind.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    /// Group and version of the object that has the field; empty for any.
    referrer: (String, String),
    pub(super) path: Vec<String>,
}

/// The fields by the kind of the object that has them, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct ReferenceTable {
    by_kind: HashMap<String, Vec<Reference>>,
}

impl ReferenceTable {
    pub(super) fn new(references: &[NameReference]) -> Self {
        let mut table = Self::default();
        for NameReference { group, version, kind, specs } in references {
            for spec in specs {
                table.by_kind.entry(spec.kind.clone()).or_default().push(Reference {
                    group: group.clone(),
                    version: version.clone(),
                    kind: kind.clone(),
                    referrer: (spec.group.clone(), spec.version.clone()),
                    path: fields::split(&spec.path, '/'),
                });
            }
        }
        table
    }

    /// The fields of an object that name others.
    pub(super) fn of(&self, id: Id<'_>) -> impl Iterator<Item = &Reference> {
        let fits = |word: &str, text: &str| word.is_empty() || word == text;
        let of_kind = self.by_kind.get(id.kind).into_iter().flatten();
        let of_any = self.by_kind.get("").into_iter().flatten();
        of_kind
            .chain(of_any)
            .filter(move |field| fits(&field.referrer.0, id.group) && fits(&field.referrer.1, id.version))
    }
}

/// Adds fields to those that name the same kind of object.
pub(super) fn merge_one(references: &mut Vec<NameReference>, new: NameReference) -> Result<(), String> {
    let same = |old: &&mut NameReference| old.group == new.group && old.version == new.version && old.kind == new.kind;
    match references.iter_mut().find(same) {
        Some(old) => fields::merge_all(&mut old.specs, new.specs),
        None => {
            references.push(new);
            Ok(())
        }
    }
}

/// Group (empty for any), version (empty for any) and kind.
type Target = (&'static str, &'static str, &'static str);
type PlainRow = (Target, &'static str, &'static str, &'static str);

const CONFIG_MAP: Target = ("", "v1", "ConfigMap");
const SECRET: Target = ("", "v1", "Secret");
const SERVICE: Target = ("", "v1", "Service");
const SERVICE_ACCOUNT: Target = ("", "v1", "ServiceAccount");
const CLAIM: Target = ("", "v1", "PersistentVolumeClaim");
const RBAC: &str = "rbac.authorization.k8s.io";
const ROLE: Target = (RBAC, "", "Role");
const CLUSTER_ROLE: Target = (RBAC, "", "ClusterRole");
const STORAGE_CLASS: Target = ("storage.k8s.io", "v1", "StorageClass");
const PRIORITY_CLASS: Target = ("scheduling.k8s.io", "v1", "PriorityClass");
const POLICY: Target = ("admissionregistration.k8s.io", "", "ValidatingAdmissionPolicy");

/// Where kinds have the specification of a pod.
const POD_SPECS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// Kinds with a pod in which kustomize does not follow ConfigMaps and Secrets.
const WITHOUT_DATA: &[&str] = &["ReplicationController"];
/// Kinds with a pod in which it follows nothing else.
const ONLY_DATA: &[&str] = &["PodTemplate", "ReplicaSet"];

const DATA_IN_PODS: &[(Target, &str)] = &[
    (CONFIG_MAP, "volumes/configMap/name"),
    (CONFIG_MAP, "volumes/projected/sources/configMap/name"),
    (CONFIG_MAP, "containers/env/valueFrom/configMapKeyRef/name"),
    (CONFIG_MAP, "initContainers/env/valueFrom/configMapKeyRef/name"),
    (CONFIG_MAP, "containers/envFrom/configMapRef/name"),
    (CONFIG_MAP, "initContainers/envFrom/configMapRef/name"),
    (SECRET, "volumes/secret/secretName"),
    (SECRET, "volumes/projected/sources/secret/name"),
    (SECRET, "containers/env/valueFrom/secretKeyRef/name"),
    (SECRET, "initContainers/env/valueFrom/secretKeyRef/name"),
    (SECRET, "containers/envFrom/secretRef/name"),
    (SECRET, "initContainers/envFrom/secretRef/name"),
    (SECRET, "imagePullSecrets/name"),
];

const OTHERS_IN_PODS: &[(Target, &str)] = &[
    (SERVICE_ACCOUNT, "serviceAccountName"),
    (CLAIM, "volumes/persistentVolumeClaim/claimName"),
    (PRIORITY_CLASS, "priorityClassName"),
];

/// Target, group and kind of the object with the field, and the field.
const ELSEWHERE: &[PlainRow] = &[
    (("", "", "Deployment"), "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    (("", "", "ReplicationController"), "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    (("", "", "ReplicaSet"), "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    (("", "", "StatefulSet"), "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    (CONFIG_MAP, "", "Node", "spec/configSource/configMap"),
    (CONFIG_MAP, "", "Role", "rules/resourceNames"),
    (CONFIG_MAP, "", "ClusterRole", "rules/resourceNames"),
    (CONFIG_MAP, "", "Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap"),
    (SECRET, "", "Ingress", "spec/tls/secretName"),
    (SECRET, "", "Ingress", r"metadata/annotations/ingress.kubernetes.io\/auth-secret"),
    (SECRET, "", "Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret"),
    (SECRET, "", "Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret"),
    (SECRET, "", "ServiceAccount", "imagePullSecrets/name"),
    (SECRET, "", "StorageClass", "parameters/secretName"),
    (SECRET, "", "StorageClass", "parameters/adminSecretName"),
    (SECRET, "", "StorageClass", "parameters/userSecretName"),
    (SECRET, "", "StorageClass", "parameters/secretRef"),
    (SECRET, "", "Role", "rules/resourceNames"),
    (SECRET, "", "ClusterRole", "rules/resourceNames"),
    (SECRET, "serving.knative.dev", "Service", "spec/template/spec/containers/env/valueFrom/secretKeyRef/name"),
    (SECRET, "", "PersistentVolume", "spec/azureFile/secretName"),
    (SERVICE, "apps", "StatefulSet", "spec/serviceName"),
    (SERVICE, "", "Ingress", "spec/rules/http/paths/backend/serviceName"),
    (SERVICE, "", "Ingress", "spec/backend/serviceName"),
    (SERVICE, "", "Ingress", "spec/rules/http/paths/backend/service/name"),
    (SERVICE, "", "Ingress", "spec/defaultBackend/service/name"),
    (SERVICE, "apiregistration.k8s.io", "APIService", "spec/service/name"),
    (SERVICE, "admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "webhooks/clientConfig/service"),
    (SERVICE, "admissionregistration.k8s.io", "MutatingWebhookConfiguration", "webhooks/clientConfig/service"),
    (ROLE, RBAC, "RoleBinding", "roleRef/name"),
    (CLUSTER_ROLE, RBAC, "RoleBinding", "roleRef/name"),
    (CLUSTER_ROLE, RBAC, "ClusterRoleBinding", "roleRef/name"),
    (SERVICE_ACCOUNT, RBAC, "RoleBinding", "subjects"),
    (SERVICE_ACCOUNT, RBAC, "ClusterRoleBinding", "subjects"),
    (("", "v1", "PersistentVolume"), "", "PersistentVolumeClaim", "spec/volumeName"),
    (("", "v1", "PersistentVolume"), "", "ClusterRole", "rules/resourceNames"),
    (STORAGE_CLASS, "", "PersistentVolume", "spec/storageClassName"),
    (STORAGE_CLASS, "", "PersistentVolumeClaim", "spec/storageClassName"),
    (STORAGE_CLASS, "", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
    (POLICY, "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "spec/policyName"),
];

/// The built-in references.
pub(super) fn built_in() -> Vec<NameReference> {
    let mut references: Vec<NameReference> = Vec::new();
    let mut add = |(group, version, kind): Target, referrer_group: &str, referrer: &str, path: String| {
        let spec =
            FieldSpec { group: referrer_group.to_owned(), kind: referrer.to_owned(), path, ..Default::default() };
        let same = |old: &&mut NameReference| old.group == group && old.version == version && old.kind == kind;
        match references.iter_mut().find(same) {
            Some(old) => old.specs.push(spec),
            None => {
                let [group, version, kind] = [group, version, kind].map(str::to_owned);
                references.push(NameReference { group, version, kind, specs: vec![spec] });
            }
        }
    };
    for (kind, pod) in POD_SPECS {
        let data = DATA_IN_PODS.iter().filter(|_| !WITHOUT_DATA.contains(kind));
        let others = OTHERS_IN_PODS.iter().filter(|_| !ONLY_DATA.contains(kind));
        for (target, path) in data.chain(others) {
            add(*target, "", kind, format!("{pod}/{path}"));
        }
    }
    for (target, group, kind, path) in ELSEWHERE {
        add(*target, group, kind, (*path).to_owned());
    }
    references
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_refer_to_data_wherever_their_template_is() {
        let table = ReferenceTable::new(&built_in());
        let paths = |kind: &str, target: &str| -> Vec<String> {
            let object = crate::yaml::Node::from(serde_json::json!({"kind": kind}));
            let references = table.of(Id::of(&object));
            references.filter(|field| field.kind == target).map(|field| field.path.join("/")).collect()
        };
        assert!(
            paths("CronJob", "ConfigMap")
                .contains(&"spec/jobTemplate/spec/template/spec/volumes/configMap/name".into())
        );
        assert_eq!(paths("ReplicaSet", "ServiceAccount"), [""; 0]);
        assert_eq!(paths("ReplicationController", "ServiceAccount"), ["spec/template/spec/serviceAccountName"]);
    }
}
