//! Which lists of the built-in kinds are merged by a key.
//!
//! Owns the part of the Kubernetes API description that strategic merge needs: for every built-in kind the lists that
//! are merged, and by which fields. Everything that is not here is replaced as a whole, as is every list of a custom
//! resource. The contents are those of the description that kustomize carries (Kubernetes 1.21), not of a newer one:
//! `extensions/v1beta1` workloads or `autoscaling/v2` are custom resources to it.

use std::borrow::Cow;

use super::openapi::Schema;
use super::resource::Id;

/// The name of a field by which the elements of a list are known.
pub(super) type Key = Cow<'static, str>;

/// How the value at one place is merged: an entry of the built-in description, or of one that a kustomization brings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'s> {
    BuiltIn(&'static Entry),
    Custom(&'s Schema, usize),
}

/// What a rule says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'s> {
    /// No list below is merged.
    Plain,
    /// A map, some fields of which have rules of their own.
    Map,
    /// A list of maps in which an element is known by its keys. Where elements have only the first key, it suffices.
    Keyed(&'s [Key], Rule<'s>),
    /// A list that is merged, and of which no key is known: it can only be one of scalars, in which each stands once.
    Set,
}

impl<'s> Rule<'s> {
    /// The rule where nothing is known.
    pub(super) const PLAIN: Self = Self::BuiltIn(&PLAIN);

    /// The rule for a field of a map.
    pub(super) fn field(self, name: &str) -> Self {
        match self {
            Self::BuiltIn(Entry::Map(fields)) => {
                Self::BuiltIn(fields.iter().find(|(field, _)| *field == name).map_or(&PLAIN, |(_, rule)| rule))
            }
            Self::BuiltIn(_) => Self::PLAIN,
            Self::Custom(schema, entry) => {
                schema.field(entry, name).map_or(Self::PLAIN, |entry| Self::Custom(schema, entry))
            }
        }
    }

    /// What it says.
    pub(super) fn shape(self) -> Shape<'s> {
        match self {
            Self::BuiltIn(Entry::Plain) => Shape::Plain,
            Self::BuiltIn(Entry::Map(_)) => Shape::Map,
            Self::BuiltIn(Entry::Keyed(keys, element)) => Shape::Keyed(keys, Self::BuiltIn(element)),
            Self::BuiltIn(Entry::Set) => Shape::Set,
            Self::Custom(schema, entry) => schema.shape(entry),
        }
    }
}

/// An entry of the built-in description.
#[derive(Debug)]
pub(super) enum Entry {
    Plain,
    Map(&'static [(&'static str, &'static Entry)]),
    Keyed(&'static [Key], &'static Entry),
    Set,
}

static PLAIN: Entry = Entry::Plain;
static BY_NAME: Entry = Entry::Keyed(&[Cow::Borrowed("name")], &PLAIN);
static BY_TYPE: Entry = Entry::Keyed(&[Cow::Borrowed("type")], &PLAIN);
static BY_IP: Entry = Entry::Keyed(&[Cow::Borrowed("ip")], &PLAIN);
static BY_UID: Entry = Entry::Keyed(&[Cow::Borrowed("uid")], &PLAIN);
static BY_MOUNT_PATH: Entry = Entry::Keyed(&[Cow::Borrowed("mountPath")], &PLAIN);
static BY_DEVICE_PATH: Entry = Entry::Keyed(&[Cow::Borrowed("devicePath")], &PLAIN);
static CONTAINER_PORTS: Entry = Entry::Keyed(&[Cow::Borrowed("containerPort"), Cow::Borrowed("protocol")], &PLAIN);
static SERVICE_PORTS: Entry = Entry::Keyed(&[Cow::Borrowed("port"), Cow::Borrowed("protocol")], &PLAIN);
static SPREAD: Entry = Entry::Keyed(&[Cow::Borrowed("topologyKey"), Cow::Borrowed("whenUnsatisfiable")], &PLAIN);
static SET: Entry = Entry::Set;

static METADATA: Entry = Entry::Map(&[("finalizers", &SET), ("ownerReferences", &BY_UID)]);
static CONDITIONS: Entry = Entry::Map(&[("conditions", &BY_TYPE)]);

static CONTAINER: Entry = Entry::Map(&[
    ("env", &BY_NAME),
    ("ports", &CONTAINER_PORTS),
    ("volumeDevices", &BY_DEVICE_PATH),
    ("volumeMounts", &BY_MOUNT_PATH),
]);
/// Ephemeral containers may not have ports, and their description gives none a key.
static EPHEMERAL_CONTAINER: Entry =
    Entry::Map(&[("env", &BY_NAME), ("volumeDevices", &BY_DEVICE_PATH), ("volumeMounts", &BY_MOUNT_PATH)]);
static VOLUME: Entry = Entry::Map(&[("ephemeral", &EPHEMERAL_VOLUME)]);
static EPHEMERAL_VOLUME: Entry = Entry::Map(&[("volumeClaimTemplate", &CLAIM_TEMPLATE)]);
static CLAIM_TEMPLATE: Entry = Entry::Map(&[("metadata", &METADATA)]);
static CONTAINERS: Entry = Entry::Keyed(&[Cow::Borrowed("name")], &CONTAINER);
static EPHEMERAL_CONTAINERS: Entry = Entry::Keyed(&[Cow::Borrowed("name")], &EPHEMERAL_CONTAINER);
static VOLUMES: Entry = Entry::Keyed(&[Cow::Borrowed("name")], &VOLUME);
static POD_SPEC: Entry = Entry::Map(&[
    ("containers", &CONTAINERS),
    ("initContainers", &CONTAINERS),
    ("ephemeralContainers", &EPHEMERAL_CONTAINERS),
    ("hostAliases", &BY_IP),
    ("imagePullSecrets", &BY_NAME),
    ("topologySpreadConstraints", &SPREAD),
    ("volumes", &VOLUMES),
]);
static POD_TEMPLATE: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &POD_SPEC)]);
static WORKLOAD_SPEC: Entry = Entry::Map(&[("template", &POD_TEMPLATE)]);
static JOB_TEMPLATE: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &WORKLOAD_SPEC)]);
static CRON_JOB_SPEC: Entry = Entry::Map(&[("jobTemplate", &JOB_TEMPLATE)]);
static SERVICE_SPEC: Entry = Entry::Map(&[("ports", &SERVICE_PORTS)]);
static POD_STATUS: Entry = Entry::Map(&[("conditions", &BY_TYPE), ("podIPs", &BY_IP)]);
static NODE_SPEC: Entry = Entry::Map(&[("podCIDRs", &SET)]);
static NODE_STATUS: Entry = Entry::Map(&[("addresses", &BY_TYPE), ("conditions", &BY_TYPE)]);
static CSI_NODE_SPEC: Entry = Entry::Map(&[("drivers", &BY_NAME)]);

static WORKLOAD: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &WORKLOAD_SPEC), ("status", &CONDITIONS)]);
static CRON_JOB: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &CRON_JOB_SPEC)]);
static POD: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &POD_SPEC), ("status", &POD_STATUS)]);
static POD_TEMPLATE_OBJECT: Entry = Entry::Map(&[("metadata", &METADATA), ("template", &POD_TEMPLATE)]);
static SERVICE: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &SERVICE_SPEC), ("status", &CONDITIONS)]);
static SERVICE_ACCOUNT: Entry = Entry::Map(&[("metadata", &METADATA), ("secrets", &BY_NAME)]);
static WEBHOOKS: Entry = Entry::Map(&[("metadata", &METADATA), ("webhooks", &BY_NAME)]);
static NODE: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &NODE_SPEC), ("status", &NODE_STATUS)]);
static CSI_NODE: Entry = Entry::Map(&[("metadata", &METADATA), ("spec", &CSI_NODE_SPEC)]);
static COMPONENT_STATUS: Entry = Entry::Map(&[("metadata", &METADATA), ("conditions", &BY_TYPE)]);
static WITH_CONDITIONS: Entry = Entry::Map(&[("metadata", &METADATA), ("status", &CONDITIONS)]);
static BUILT_IN: Entry = Entry::Map(&[("metadata", &METADATA)]);

/// The rule for a whole object.
pub(super) fn rule_of<'s>(id: &Id<'_>, schema: Option<&'s Schema>) -> Rule<'s> {
    match schema {
        Some(schema) => schema.of(id).map_or(Rule::PLAIN, |entry| Rule::Custom(schema, entry)),
        None => Rule::BuiltIn(entry_of(id)),
    }
}

fn entry_of(id: &Id<'_>) -> &'static Entry {
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

    fn keys(api_version: &str, kind: &str, path: &str) -> Vec<String> {
        let object = crate::yaml::Node::from(serde_json::json!({"apiVersion": api_version, "kind": kind}));
        let mut rule = rule_of(&Id::of(&object), None);
        for name in path.split('/') {
            if let Shape::Keyed(_, element) = rule.shape() {
                rule = element;
            }
            rule = rule.field(name);
        }
        match rule.shape() {
            Shape::Keyed(keys, _) => keys.iter().map(ToString::to_string).collect(),
            Shape::Set => vec!["(set)".to_owned()],
            Shape::Plain | Shape::Map => Vec::new(),
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
