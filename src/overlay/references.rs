//! Names at the end of a build: hashes, and references that follow.
//!
//! Owns which fields hold the name of which kind of object, and finding the object that a name means. Only objects that
//! were renamed are looked for, so a build that renames nothing pays nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::{Error, Origin};
use super::fields;
use super::hash;
use super::layer;
use super::resource::{Id, Resource};

/// A field that names an object of some kind.
#[derive(Debug)]
struct Reference {
    /// The kind that is named: group (empty for any), version (empty for any) and kind.
    target: (&'static str, &'static str, &'static str),
    /// The group of the object that has the field; empty for any.
    group: &'static str,
    path: Vec<String>,
}

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

/// The fields by the kind of the object that has them.
static REFERENCES: LazyLock<HashMap<&'static str, Vec<Reference>>> = LazyLock::new(|| {
    let mut references: HashMap<&'static str, Vec<Reference>> = HashMap::new();
    let mut add = |target, group, kind, path: &str| {
        references.entry(kind).or_default().push(Reference { target, group, path: fields::split(path) });
    };
    for (kind, pod) in POD_SPECS {
        let data = DATA_IN_PODS.iter().filter(|_| !WITHOUT_DATA.contains(kind));
        let others = OTHERS_IN_PODS.iter().filter(|_| !ONLY_DATA.contains(kind));
        for (target, path) in data.chain(others) {
            add(*target, "", *kind, &format!("{pod}/{path}"));
        }
    }
    for (target, group, kind, path) in ELSEWHERE {
        add(*target, group, kind, path);
    }
    references
});

/// Appends the hashes and lets references follow all names that changed.
pub(super) fn finish(resources: &mut [Resource], file: &str) -> Result<(), Error> {
    for resource in resources.iter_mut().filter(|resource| resource.needs_hash) {
        let name = format!("{}-{}", resource.id().name, hash::hash(&resource.value));
        resource.rename(name);
    }
    if resources.iter().all(|resource| resource.previous.is_empty()) {
        return Ok(());
    }
    layer::refuse_duplicates(resources, &Origin::new(file, "names"))?;
    let candidates = Candidates::new(resources);
    let referrers: Vec<Referrer> = resources.iter().map(Referrer::new).collect();
    for (resource, referrer) in resources.iter_mut().zip(&referrers) {
        let Some(references) = REFERENCES.get(referrer.kind.as_str()) else { continue };
        for reference in references.iter().filter(|field| field.group.is_empty() || field.group == referrer.group) {
            let result = fields::visit(&mut resource.value, &reference.path, None, &mut |value| {
                candidates.follow(value, reference, referrer)
            });
            result.map_err(|reason| Origin::new(file, reference.path.join("/")).target(reason))?;
        }
    }
    Ok(())
}

/// What is known of an object that has references, while the object itself is being changed.
struct Referrer {
    kind: String,
    group: String,
    /// `None` for an object outside of namespaces, which may refer into each of them.
    namespace: Option<String>,
    affixes: super::resource::Affixes,
    role: Option<(String, String)>,
}

impl Referrer {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let role = resource.value.get("roleRef").map(|role| {
            let text = |field: &str| role.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("apiGroup"), text("kind"))
        });
        Self {
            kind: id.kind.to_owned(),
            group: id.group.to_owned(),
            namespace: id.effective_namespace().map(str::to_owned),
            affixes: resource.affixes.clone(),
            role,
        }
    }
}

/// An object that a reference may mean.
struct Candidate {
    group: String,
    version: String,
    /// Names and namespaces that it had, and the present ones last.
    ids: Vec<(String, Option<String>)>,
    /// As written.
    namespace: String,
    affixes: super::resource::Affixes,
}

impl Candidate {
    fn name(&self) -> &str {
        self.ids.last().map_or("", |(name, _)| name)
    }

    fn effective_namespace(&self) -> Option<&str> {
        self.ids.last().and_then(|(_, namespace)| namespace.as_deref())
    }
}

/// The objects by kind and by every name that they have or had.
struct Candidates {
    all: Vec<Candidate>,
    by_name: HashMap<(String, String), Vec<usize>>,
}

impl Candidates {
    fn new(resources: &[Resource]) -> Self {
        let mut by_name: HashMap<(String, String), Vec<usize>> = HashMap::new();
        let mut all = Vec::with_capacity(resources.len());
        for (position, resource) in resources.iter().enumerate() {
            for id in resource.ids() {
                let places = by_name.entry((id.kind.to_owned(), id.name.to_owned())).or_default();
                if places.last() != Some(&position) {
                    places.push(position);
                }
            }
            let id: Id<'_> = resource.id();
            all.push(Candidate {
                group: id.group.to_owned(),
                version: id.version.to_owned(),
                ids: resource
                    .ids()
                    .map(|id| (id.name.to_owned(), id.effective_namespace().map(str::to_owned)))
                    .collect(),
                namespace: id.namespace.to_owned(),
                affixes: resource.affixes.clone(),
            });
        }
        Self { all, by_name }
    }

    fn follow(&self, value: &mut Value, reference: &Reference, referrer: &Referrer) -> Result<(), String> {
        match value {
            Value::String(name) => {
                let found = self.find(name, reference, referrer, |candidate| {
                    referrer.namespace.is_none()
                        || candidate.effective_namespace().is_none()
                        || candidate.effective_namespace() == referrer.namespace.as_deref()
                })?;
                if let Some(found) = found {
                    found.name().clone_into(name);
                }
                Ok(())
            }
            Value::Object(map) => self.follow_map(map, reference, referrer),
            Value::Array(list) => list.iter_mut().try_for_each(|value| self.follow(value, reference, referrer)),
            _ => Ok(()),
        }
    }

    /// A reference that is a map says the namespace itself. Kustomize does not look at a `kind` in it: a User in a
    /// role binding follows the service account of the same name.
    fn follow_map(
        &self,
        map: &mut Map<String, Value>,
        reference: &Reference,
        referrer: &Referrer,
    ) -> Result<(), String> {
        let Some(name) = map.get("name").and_then(Value::as_str) else {
            return Ok(());
        };
        let namespace = map.get("namespace").and_then(Value::as_str);
        let found = self.find(name, reference, referrer, |candidate| match namespace {
            Some(namespace) => candidate.ids.iter().any(|(_, known)| known.as_deref() == Some(namespace)),
            None => true,
        })?;
        if let Some(found) = found {
            if !found.namespace.is_empty() {
                map.insert("namespace".to_owned(), found.namespace.as_str().into());
            }
            map.insert("name".to_owned(), found.name().into());
        }
        Ok(())
    }

    /// The one object that a name means. With several, the one that was given the same prefixes and suffixes.
    fn find(
        &self,
        name: &str,
        reference: &Reference,
        referrer: &Referrer,
        fits: impl Fn(&Candidate) -> bool,
    ) -> Result<Option<&Candidate>, String> {
        let (group, version, kind) = reference.target;
        if reference.path.first().is_some_and(|first| first == "roleRef")
            && referrer.role.as_ref().is_none_or(|(role_group, role_kind)| role_group != group || role_kind != kind)
        {
            return Ok(None);
        }
        let places = self.by_name.get(&(kind.to_owned(), name.to_owned()));
        let found: Vec<&Candidate> = places
            .into_iter()
            .flatten()
            .filter_map(|place| self.all.get(*place))
            .filter(|candidate| group.is_empty() || candidate.group == group)
            .filter(|candidate| version.is_empty() || candidate.version == version)
            .filter(|candidate| fits(candidate))
            .collect();
        if found.len() <= 1 {
            return Ok(found.first().copied());
        }
        let alike: Vec<&Candidate> =
            found.iter().copied().filter(|candidate| candidate.affixes == referrer.affixes).collect();
        match alike[..] {
            [] => Ok(None),
            [first, ref rest @ ..] if rest.iter().all(|other| other.name() == first.name()) => Ok(Some(first)),
            _ => Err(format!("the name `{name}` means more than one {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_follow_within_the_namespace() {
        let config = |namespace: &str| {
            let mut resource = Resource::new(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}}),
            );
            resource.rename(format!("c-{namespace}"));
            resource
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "b"},
            "spec": {"containers": [{"envFrom": [{"configMapRef": {"name": "c"}}, {"configMapRef": {"name": "x"}}]}]}});
        let mut resources = [config("a"), config("b"), Resource::new(pod)];
        finish(&mut resources, "k.yaml").unwrap();
        let sources = &resources[2].value["spec"]["containers"][0]["envFrom"];
        assert_eq!(sources, &json!([{"configMapRef": {"name": "c-b"}}, {"configMapRef": {"name": "x"}}]));
    }

    #[test]
    fn nothing_is_looked_for_where_nothing_was_renamed() {
        let object = json!({"kind": "Pod", "metadata": {"name": "p"}});
        let mut resources = [Resource::new(object.clone()), Resource::new(object)];
        finish(&mut resources, "k.yaml").unwrap();
    }
}
