//! The kinds of objects that a sandbox cluster has, and how they are addressed.

use std::collections::HashMap;

/// The most bytes of one request, and of one file of a fleet.
pub(super) const MAX_BODY_BYTES: u64 = 4 << 20;

/// One kind of object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Kind {
    /// The API group; empty for the core group.
    pub(super) group: &'static str,
    /// The version of the group.
    pub(super) version: &'static str,
    /// As `kind:` says it.
    pub(super) kind: &'static str,
    /// As paths say it.
    pub(super) plural: &'static str,
    /// Whether objects live in a namespace.
    pub(super) namespaced: bool,
    /// A shorter word for people, or nothing.
    pub(super) short: &'static str,
}

/// A kind, as its place in the cluster's list.
pub(super) type KindId = usize;

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    short: &'static str,
) -> Kind {
    Kind { group, version, kind, plural, namespaced, short }
}

const MONITORING: &str = "monitoring.coreos.com";
const NETWORKING: &str = "networking.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// Every kind that a sandbox can have.
const ALL: [Kind; 52] = [
    kind("", "v1", "Namespace", "namespaces", false, "ns"),
    kind("", "v1", "Node", "nodes", false, "no"),
    kind("", "v1", "Pod", "pods", true, "po"),
    kind("", "v1", "Service", "services", true, "svc"),
    kind("", "v1", "ConfigMap", "configmaps", true, "cm"),
    kind("", "v1", "Secret", "secrets", true, ""),
    kind("", "v1", "ServiceAccount", "serviceaccounts", true, "sa"),
    kind("", "v1", "Event", "events", true, "ev"),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, "pvc"),
    kind("", "v1", "PersistentVolume", "persistentvolumes", false, "pv"),
    kind("", "v1", "LimitRange", "limitranges", true, "limits"),
    kind("", "v1", "ResourceQuota", "resourcequotas", true, "quota"),
    kind("", "v1", "Endpoints", "endpoints", true, "ep"),
    kind("apps", "v1", "Deployment", "deployments", true, "deploy"),
    kind("apps", "v1", "ReplicaSet", "replicasets", true, "rs"),
    kind("apps", "v1", "StatefulSet", "statefulsets", true, "sts"),
    kind("apps", "v1", "DaemonSet", "daemonsets", true, "ds"),
    kind("batch", "v1", "Job", "jobs", true, ""),
    kind("batch", "v1", "CronJob", "cronjobs", true, "cj"),
    kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, "hpa"),
    kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true, "pdb"),
    kind(NETWORKING, "v1", "Ingress", "ingresses", true, "ing"),
    kind(NETWORKING, "v1", "IngressClass", "ingressclasses", false, ""),
    kind(NETWORKING, "v1", "NetworkPolicy", "networkpolicies", true, "netpol"),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", false, "sc"),
    kind("coordination.k8s.io", "v1", "Lease", "leases", true, ""),
    kind(RBAC, "v1", "Role", "roles", true, ""),
    kind(RBAC, "v1", "RoleBinding", "rolebindings", true, ""),
    kind(RBAC, "v1", "ClusterRole", "clusterroles", false, ""),
    kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", false, ""),
    kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false, "crd"),
    kind(GATEWAY, "v1", "GatewayClass", "gatewayclasses", false, "gc"),
    kind(GATEWAY, "v1", "Gateway", "gateways", true, "gtw"),
    kind(GATEWAY, "v1", "HTTPRoute", "httproutes", true, ""),
    kind(GATEWAY, "v1beta1", "ReferenceGrant", "referencegrants", true, "refgrant"),
    kind("cert-manager.io", "v1", "Certificate", "certificates", true, "cert"),
    kind("cert-manager.io", "v1", "Issuer", "issuers", true, ""),
    kind("cert-manager.io", "v1", "ClusterIssuer", "clusterissuers", false, ""),
    kind(MONITORING, "v1", "ServiceMonitor", "servicemonitors", true, "smon"),
    kind(MONITORING, "v1", "PodMonitor", "podmonitors", true, "pmon"),
    kind(MONITORING, "v1", "Probe", "probes", true, "prb"),
    kind(MONITORING, "v1", "PrometheusRule", "prometheusrules", true, "promrule"),
    kind(MONITORING, "v1alpha1", "AlertmanagerConfig", "alertmanagerconfigs", true, "amcfg"),
    kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", true, "ks"),
    kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories", true, "gitrepo"),
    kind("argoproj.io", "v1alpha1", "Application", "applications", true, "app"),
    kind("argoproj.io", "v1alpha1", "AppProject", "appprojects", true, ""),
    kind("bitnami.com", "v1alpha1", "SealedSecret", "sealedsecrets", true, ""),
    kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets", true, "es"),
    kind("external-secrets.io", "v1", "SecretStore", "secretstores", true, "ss"),
    kind("external-secrets.io", "v1", "ClusterSecretStore", "clustersecretstores", false, "css"),
    kind("generators.external-secrets.io", "v1alpha1", "Password", "passwords", true, ""),
];

/// The kinds of one cluster.
#[derive(Debug)]
pub(super) struct Kinds {
    all: Vec<Kind>,
    by_path: HashMap<(&'static str, &'static str, &'static str), KindId>,
    by_kind: HashMap<(&'static str, &'static str), KindId>,
}

impl Kinds {
    /// All kinds but those of the groups in `absent`, which are what a cluster without such definitions lacks.
    pub(super) fn without(absent: &[String]) -> Self {
        let is_there = |kind: &&Kind| !absent.iter().any(|group| group == kind.group);
        let all: Vec<Kind> = ALL.iter().filter(is_there).copied().collect();
        let by_path = all.iter().enumerate().map(|(id, kind)| ((kind.group, kind.version, kind.plural), id)).collect();
        let by_kind = all.iter().enumerate().map(|(id, kind)| ((kind.group, kind.kind), id)).collect();
        Self { all, by_path, by_kind }
    }

    /// The kinds, each at its [`KindId`].
    pub(super) fn all(&self) -> &[Kind] {
        &self.all
    }

    /// What a path addresses.
    pub(super) fn at_path(&self, group: &str, version: &str, plural: &str) -> Option<KindId> {
        self.by_path.get(&(group, version, plural)).copied()
    }

    /// The kind of a name, in the version that the cluster serves.
    pub(super) fn named(&self, group: &str, kind: &str) -> Option<KindId> {
        self.by_kind.get(&(group, kind)).copied()
    }

    /// What an object is, by its `apiVersion` and `kind`.
    pub(super) fn of(&self, api_version: &str, kind: &str) -> Option<KindId> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.named(group, kind).filter(|id| self.all.get(*id).is_some_and(|kind| kind.version == version))
    }
}

impl Kind {
    /// As `apiVersion:` says it.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As error messages name it: `deployments.apps`.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_can_be_absent() {
        let kinds = Kinds::without(&["cert-manager.io".to_owned()]);
        assert!(kinds.of("cert-manager.io/v1", "Certificate").is_none());
        let deployment = kinds.of("apps/v1", "Deployment").unwrap();
        assert_eq!(kinds.at_path("apps", "v1", "deployments"), Some(deployment));
        assert_eq!(kinds.all()[deployment].qualified(), "deployments.apps");
        assert!(kinds.of("apps/v2", "Deployment").is_none());
    }
}
