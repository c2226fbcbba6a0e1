//! Which lists of the built-in kinds are merged by a key.
//!
//! Owns the part of the Kubernetes API description that strategic merge needs: for every built-in kind the lists that
//! are merged, and by which fields. Everything that is not here is replaced as a whole, as is every list of a custom
//! resource. The contents are those of the description that kustomize carries (Kubernetes 1.21), not of a newer one:
//! `extensions/v1beta1` workloads or `autoscaling/v2` are custom resources to it.

use super::resource::Id;

/// How the value at one place is merged.
#[derive(Debug)]
pub(super) enum Rule {
    /// No list below is merged.
    Plain,
    /// A map, some fields of which have rules of their own.
    Map(&'static [(&'static str, &'static Rule)]),
    /// A list of maps in which an element is known by its keys. Where elements have only the first key, it suffices.
    Keyed(&'static [&'static str], &'static Rule),
    /// A list of scalars in which each stands once.
    Set,
}

impl Rule {
    /// The rule for a field of a map.
    pub(super) fn field(&self, name: &str) -> &'static Rule {
        match self {
            Self::Map(fields) => fields.iter().find(|(field, _)| *field == name).map_or(&PLAIN, |(_, rule)| rule),
            _ => &PLAIN,
        }
    }
}

static PLAIN: Rule = Rule::Plain;
static BY_NAME: Rule = Rule::Keyed(&["name"], &PLAIN);
static BY_TYPE: Rule = Rule::Keyed(&["type"], &PLAIN);
static BY_IP: Rule = Rule::Keyed(&["ip"], &PLAIN);
static BY_UID: Rule = Rule::Keyed(&["uid"], &PLAIN);
static BY_MOUNT_PATH: Rule = Rule::Keyed(&["mountPath"], &PLAIN);
static BY_DEVICE_PATH: Rule = Rule::Keyed(&["devicePath"], &PLAIN);
static CONTAINER_PORTS: Rule = Rule::Keyed(&["containerPort", "protocol"], &PLAIN);
static SERVICE_PORTS: Rule = Rule::Keyed(&["port", "protocol"], &PLAIN);
static SPREAD: Rule = Rule::Keyed(&["topologyKey", "whenUnsatisfiable"], &PLAIN);
static SET: Rule = Rule::Set;

static METADATA: Rule = Rule::Map(&[("finalizers", &SET), ("ownerReferences", &BY_UID)]);
static CONDITIONS: Rule = Rule::Map(&[("conditions", &BY_TYPE)]);

static CONTAINER: Rule = Rule::Map(&[
    ("env", &BY_NAME),
    ("ports", &CONTAINER_PORTS),
    ("volumeDevices", &BY_DEVICE_PATH),
    ("volumeMounts", &BY_MOUNT_PATH),
]);
/// Ephemeral containers may not have ports, and their description gives none a key.
static EPHEMERAL_CONTAINER: Rule =
    Rule::Map(&[("env", &BY_NAME), ("volumeDevices", &BY_DEVICE_PATH), ("volumeMounts", &BY_MOUNT_PATH)]);
static VOLUME: Rule = Rule::Map(&[("ephemeral", &EPHEMERAL_VOLUME)]);
static EPHEMERAL_VOLUME: Rule = Rule::Map(&[("volumeClaimTemplate", &CLAIM_TEMPLATE)]);
static CLAIM_TEMPLATE: Rule = Rule::Map(&[("metadata", &METADATA)]);
static CONTAINERS: Rule = Rule::Keyed(&["name"], &CONTAINER);
static EPHEMERAL_CONTAINERS: Rule = Rule::Keyed(&["name"], &EPHEMERAL_CONTAINER);
static VOLUMES: Rule = Rule::Keyed(&["name"], &VOLUME);
static POD_SPEC: Rule = Rule::Map(&[
    ("containers", &CONTAINERS),
    ("initContainers", &CONTAINERS),
    ("ephemeralContainers", &EPHEMERAL_CONTAINERS),
    ("hostAliases", &BY_IP),
    ("imagePullSecrets", &BY_NAME),
    ("topologySpreadConstraints", &SPREAD),
    ("volumes", &VOLUMES),
]);
static POD_TEMPLATE: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &POD_SPEC)]);
static WORKLOAD_SPEC: Rule = Rule::Map(&[("template", &POD_TEMPLATE)]);
static JOB_TEMPLATE: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &WORKLOAD_SPEC)]);
static CRON_JOB_SPEC: Rule = Rule::Map(&[("jobTemplate", &JOB_TEMPLATE)]);
static SERVICE_SPEC: Rule = Rule::Map(&[("ports", &SERVICE_PORTS)]);
static POD_STATUS: Rule = Rule::Map(&[("conditions", &BY_TYPE), ("podIPs", &BY_IP)]);
static NODE_SPEC: Rule = Rule::Map(&[("podCIDRs", &SET)]);
static NODE_STATUS: Rule = Rule::Map(&[("addresses", &BY_TYPE), ("conditions", &BY_TYPE)]);
static CSI_NODE_SPEC: Rule = Rule::Map(&[("drivers", &BY_NAME)]);

static WORKLOAD: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &WORKLOAD_SPEC), ("status", &CONDITIONS)]);
static CRON_JOB: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &CRON_JOB_SPEC)]);
static POD: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &POD_SPEC), ("status", &POD_STATUS)]);
static POD_TEMPLATE_OBJECT: Rule = Rule::Map(&[("metadata", &METADATA), ("template", &POD_TEMPLATE)]);
static SERVICE: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &SERVICE_SPEC), ("status", &CONDITIONS)]);
static SERVICE_ACCOUNT: Rule = Rule::Map(&[("metadata", &METADATA), ("secrets", &BY_NAME)]);
static WEBHOOKS: Rule = Rule::Map(&[("metadata", &METADATA), ("webhooks", &BY_NAME)]);
static NODE: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &NODE_SPEC), ("status", &NODE_STATUS)]);
static CSI_NODE: Rule = Rule::Map(&[("metadata", &METADATA), ("spec", &CSI_NODE_SPEC)]);
static COMPONENT_STATUS: Rule = Rule::Map(&[("metadata", &METADATA), ("conditions", &BY_TYPE)]);
static WITH_CONDITIONS: Rule = Rule::Map(&[("metadata", &METADATA), ("status", &CONDITIONS)]);
static BUILT_IN: Rule = Rule::Map(&[("metadata", &METADATA)]);

/// The rule for a whole object.
pub(super) fn rule_of(id: &Id<'_>) -> &'static Rule {
    match ((id.group, id.version), id.kind) {
        (("apps", "v1"), "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | (("", "v1"), "ReplicationController")
        | (("batch", "v1"), "Job") => &WORKLOAD,
        (("batch", "v1" | "v1beta1"), "CronJob") => &CRON_JOB,
        (("", "v1"), "Pod") => &POD,
        (("", "v1"), "PodTemplate") => &POD_TEMPLATE_OBJECT,
        (("", "v1"), "Service") => &SERVICE,
        (("", "v1"), "ServiceAccount") => &SERVICE_ACCOUNT,
        (("", "v1"), "Node") => &NODE,
        (("", "v1"), "ComponentStatus") => &COMPONENT_STATUS,
        (
            ("admissionregistration.k8s.io", "v1" | "v1beta1"),
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => &WEBHOOKS,
        (("storage.k8s.io", "v1" | "v1beta1"), "CSINode") => &CSI_NODE,
        (("", "v1"), "Namespace" | "PersistentVolumeClaim")
        | (("policy", "v1" | "v1beta1"), "PodDisruptionBudget")
        | (("apiregistration.k8s.io", "v1" | "v1beta1"), "APIService") => &WITH_CONDITIONS,
        ((group, version), kind) if is_built_in(group, version, kind) => &BUILT_IN,
        _ => &PLAIN,
    }
}

/// The remaining kinds of the description: only their metadata has lists that are merged.
fn is_built_in(group: &str, version: &str, kind: &str) -> bool {
    let kinds: &[&str] = match (group, version) {
        ("", "v1") => {
            &["Binding", "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolume", "ResourceQuota", "Secret"]
        }
        ("apps", "v1") => &["ControllerRevision"],
        ("apiextensions.k8s.io", "v1" | "v1beta1") => &["CustomResourceDefinition"],
        ("autoscaling", "v1" | "v2beta1" | "v2beta2") => &["HorizontalPodAutoscaler"],
        ("certificates.k8s.io", "v1" | "v1beta1") => &["CertificateSigningRequest"],
        ("coordination.k8s.io", "v1" | "v1beta1") => &["Lease"],
        ("discovery.k8s.io", "v1" | "v1beta1") => &["EndpointSlice"],
        ("events.k8s.io", "v1" | "v1beta1") => &["Event"],
        ("extensions", "v1beta1") => &["Ingress"],
        ("flowcontrol.apiserver.k8s.io", "v1beta1") => &["FlowSchema", "PriorityLevelConfiguration"],
        ("networking.k8s.io", "v1") => &["Ingress", "IngressClass", "NetworkPolicy"],
        ("networking.k8s.io", "v1beta1") => &["Ingress", "IngressClass"],
        ("node.k8s.io", "v1" | "v1beta1") => &["RuntimeClass"],
        ("policy", "v1beta1") => &["Eviction", "PodSecurityPolicy"],
        ("rbac.authorization.k8s.io", "v1" | "v1beta1") => {
            &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
        }
        ("scheduling.k8s.io", "v1" | "v1beta1") => &["PriorityClass"],
        ("storage.k8s.io", "v1") => &["CSIDriver", "StorageClass", "VolumeAttachment"],
        ("storage.k8s.io", "v1beta1") => &["CSIDriver", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"],
        _ => &[],
    };
    kinds.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(api_version: &str, kind: &str, path: &str) -> Vec<&'static str> {
        let object = serde_json::json!({"apiVersion": api_version, "kind": kind});
        let mut rule = rule_of(&Id::of(&object));
        for name in path.split('/') {
            if let Rule::Keyed(_, element) = rule {
                rule = element;
            }
            rule = rule.field(name);
        }
        match rule {
            Rule::Keyed(keys, _) => keys.to_vec(),
            Rule::Set => vec!["(set)"],
            Rule::Plain | Rule::Map(_) => Vec::new(),
        }
    }

    #[test]
    fn lists_of_a_pod_template_have_their_keys() {
        let keys = |path: &str| keys("apps/v1", "Deployment", &format!("spec/template/spec/{path}"));
        assert_eq!(keys("containers/env"), ["name"]);
        assert_eq!(keys("containers/ports"), ["containerPort", "protocol"]);
        assert_eq!(keys("initContainers/volumeMounts"), ["mountPath"]);
        assert_eq!(keys("topologySpreadConstraints"), ["topologyKey", "whenUnsatisfiable"]);
        for replaced in ["tolerations", "containers/envFrom", "containers/args", "ephemeralContainers/ports"] {
            assert_eq!(keys(replaced), [""; 0], "{replaced}");
        }
    }

    #[test]
    fn custom_resources_have_none() {
        assert_eq!(keys("networking.k8s.io/v1", "Ingress", "metadata/finalizers"), ["(set)"]);
        assert_eq!(keys("example.com/v1", "Ingress", "metadata/finalizers"), [""; 0]);
        assert_eq!(keys("autoscaling/v2", "HorizontalPodAutoscaler", "metadata/finalizers"), [""; 0]);
    }
}
