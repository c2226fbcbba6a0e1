//! Which kinds live outside of namespaces.
//!
//! Owns the list of the cluster-wide kinds that kustomize knows. Every other kind counts as namespaced, custom resources
//! included.

/// Group, versions and kinds of the Kubernetes API that kustomize carries (1.21).
const CLUSTER_WIDE: &[(&str, &[&str], &[&str])] = &[
    ("", &["v1"], &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &["v1", "v1beta1"],
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
    ("apiextensions.k8s.io", &["v1", "v1beta1"], &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["v1", "v1beta1"], &["APIService"]),
    ("authentication.k8s.io", &["v1", "v1beta1"], &["TokenReview"]),
    (
        "authorization.k8s.io",
        &["v1", "v1beta1"],
        &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
    ),
    ("certificates.k8s.io", &["v1", "v1beta1"], &["CertificateSigningRequest"]),
    ("flowcontrol.apiserver.k8s.io", &["v1beta1"], &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["v1", "v1beta1"], &["IngressClass"]),
    ("node.k8s.io", &["v1", "v1beta1"], &["RuntimeClass"]),
    ("policy", &["v1beta1"], &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["v1", "v1beta1"], &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["v1", "v1beta1"], &["PriorityClass"]),
    ("storage.k8s.io", &["v1", "v1beta1"], &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"]),
];

/// Whether objects of this kind certainly have no namespace.
pub(super) fn is_cluster_wide(group: &str, version: &str, kind: &str) -> bool {
    CLUSTER_WIDE
        .iter()
        .any(|(known, versions, kinds)| *known == group && kinds.contains(&kind) && versions.contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_kinds_are_cluster_wide() {
        assert!(is_cluster_wide("", "v1", "Namespace"));
        assert!(is_cluster_wide("rbac.authorization.k8s.io", "v1", "ClusterRole"));
        assert!(!is_cluster_wide("rbac.authorization.k8s.io", "v1", "Role"));
        assert!(!is_cluster_wide("cert-manager.io", "v1", "ClusterIssuer"));
    }
}
