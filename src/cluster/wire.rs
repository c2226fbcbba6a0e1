//! The part of Kubernetes' own objects that is read, as it comes over the wire, and what is kept of it. Everything else,
//! `managedFields` above all, is skipped while it is parsed: it never takes memory.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::faults::{self, Class};
use super::report::{
    Certificate, Condition, Container, ContainerImage, Event, Owner, Pod, StatefulUpdate, Termination, Waiting,
    Workload, WorkloadKind,
};

/// What is kept of a text that a cluster writes, in characters.
const TEXT_MAX: usize = 300;

/// The metadata of any object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<Labels>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Labels {
    #[serde(rename = "pod-template-hash")]
    pod_template_hash: Option<String>,
    #[serde(rename = "controller-revision-hash")]
    controller_revision_hash: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    /// By this a Deployment and its ReplicaSets count templates.
    #[serde(rename = "deployment.kubernetes.io/revision")]
    revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    controller: Option<bool>,
}

impl Meta {
    fn owner(&mut self) -> Option<Owner> {
        let owners = self.owner_references.take().unwrap_or_default();
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true))?;
        Some(Owner { kind: owner.kind, name: owner.name })
    }

    fn revision(&mut self) -> Option<String> {
        self.annotations.take()?.revision
    }
}

/// A condition, as all kinds have them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireCondition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(super) last_transition_time: Option<Timestamp>,
}

/// A time; what is none is as good as absent, because no decision hangs on a time that cannot be read.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A Deployment or a StatefulSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireWorkload {
    pub(super) metadata: Meta,
    spec: WorkloadSpec,
    status: Option<WorkloadStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadSpec {
    replicas: Option<i64>,
    paused: Option<bool>,
    template: Template,
    update_strategy: Option<UpdateStrategy>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: TemplateSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateSpec {
    containers: Vec<TemplateContainer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateContainer {
    name: String,
    image: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UpdateStrategy {
    #[serde(rename = "type")]
    kind: Option<String>,
    rolling_update: Option<RollingUpdate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RollingUpdate {
    partition: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadStatus {
    observed_generation: Option<i64>,
    replicas: Option<i64>,
    updated_replicas: Option<i64>,
    ready_replicas: Option<i64>,
    available_replicas: Option<i64>,
    current_revision: Option<String>,
    update_revision: Option<String>,
    conditions: Option<Vec<WireCondition>>,
}

impl WireWorkload {
    /// What is kept.
    pub(super) fn keep(mut self, kind: WorkloadKind) -> Workload {
        let status = self.status.unwrap_or_default();
        let revision = self.metadata.revision();
        let stateful = (kind == WorkloadKind::StatefulSet).then(|| {
            let strategy = self.spec.update_strategy.unwrap_or_default();
            StatefulUpdate {
                on_delete: strategy.kind.as_deref() == Some("OnDelete"),
                partition: count(strategy.rolling_update.and_then(|rolling| rolling.partition)),
                current_revision: status.current_revision.unwrap_or_default(),
            }
        });
        let containers = self.spec.template.spec.containers;
        Workload {
            kind,
            name: self.metadata.name,
            images: containers
                .into_iter()
                .map(|one| ContainerImage { container: one.name, image: one.image })
                .collect(),
            desired: self.spec.replicas.map_or(1, |replicas| count(Some(replicas))),
            total: count(status.replicas),
            updated: count(status.updated_replicas),
            ready: count(status.ready_replicas),
            available: count(status.available_replicas),
            generation: self.metadata.generation.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            is_paused: self.spec.paused.unwrap_or_default(),
            template: status.update_revision.or(revision).unwrap_or_default(),
            stateful,
            conditions: status.conditions.unwrap_or_default().into_iter().map(condition).collect(),
        }
    }
}

fn condition(wire: WireCondition) -> Condition {
    // What is as it should be needs no explanation, and there are as many of those as there are Deployments.
    let is_well = wire.status == "True" && matches!(wire.kind.as_str(), "Available" | "Progressing");
    let message = wire.message.filter(|_| !is_well).map(short).unwrap_or_default();
    Condition { kind: wire.kind, status: wire.status, reason: wire.reason.unwrap_or_default(), message }
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireReplicaSet {
    pub(super) metadata: Meta,
}

/// What is kept of a ReplicaSet: whose it is, and which template of its it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ReplicaSet {
    /// The name of the Deployment.
    pub(super) deployment: String,
    /// The number of the template.
    pub(super) revision: u64,
}

impl WireReplicaSet {
    /// What is kept.
    pub(super) fn keep(mut self) -> ReplicaSet {
        let deployment = self.metadata.owner().map(|owner| owner.name).unwrap_or_default();
        let revision = self.metadata.revision().and_then(|text| text.parse().ok()).unwrap_or_default();
        ReplicaSet { deployment, revision }
    }
}

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WirePod {
    pub(super) metadata: Meta,
    status: Option<PodStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    phase: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    conditions: Option<Vec<WireCondition>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    ready: Option<bool>,
    restart_count: Option<i64>,
    state: Option<ContainerState>,
    last_state: Option<ContainerState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<WireWaiting>,
    terminated: Option<WireTermination>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct WireWaiting {
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireTermination {
    reason: Option<String>,
    exit_code: Option<i32>,
    #[serde(deserialize_with = "time")]
    finished_at: Option<Timestamp>,
}

impl WirePod {
    /// What is kept. `old` is what was kept of it before: how long a container has been waiting is carried on from there.
    pub(super) fn keep(mut self, old: Option<&Pod>, now: Timestamp) -> Pod {
        let owner = self.metadata.owner();
        let labels = self.metadata.labels.take().unwrap_or_default();
        let status = self.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let find = |kind: &str| conditions.iter().find(|condition| condition.kind == kind);
        let unscheduled = find("PodScheduled").filter(|condition| condition.status == "False");
        let message = unscheduled.and_then(|condition| condition.message.clone()).or(status.message).or(status.reason);
        let init = status.init_container_statuses.unwrap_or_default();
        let statuses: Vec<ContainerStatus> =
            init.into_iter().chain(status.container_statuses.unwrap_or_default()).collect();
        Pod {
            name: self.metadata.name,
            phase: status.phase.unwrap_or_default(),
            message: message.map(short).unwrap_or_default(),
            is_ready: find("Ready").is_some_and(|condition| condition.status == "True"),
            is_deleting: self.metadata.deletion_timestamp.is_some(),
            restarts: statuses.iter().map(|status| count(status.restart_count)).fold(0, u32::saturating_add),
            owner,
            template: labels.controller_revision_hash.or(labels.pod_template_hash).unwrap_or_default(),
            workload: None,
            is_newest: false,
            containers: statuses.into_iter().filter_map(|status| status.keep(old, now)).collect(),
        }
    }
}

impl ContainerStatus {
    /// `None` for a container of which there is nothing to tell, as nearly all are.
    fn keep(self, old: Option<&Pod>, now: Timestamp) -> Option<Container> {
        let restarts = count(self.restart_count);
        let state = self.state.unwrap_or_default();
        let terminated = state.terminated.map(WireTermination::keep);
        let has_failed = terminated.as_ref().is_some_and(|end| end.exit_code != 0);
        if state.waiting.is_none() && !has_failed && restarts == 0 {
            return None;
        }
        let waiting = state.waiting.map(|wire| {
            let reason = wire.reason.unwrap_or_default();
            let before = old.and_then(|pod| pod.containers.iter().find(|container| container.name == self.name));
            Waiting {
                since: since(before, faults::class(&reason), now),
                reason,
                message: short(wire.message.unwrap_or_default()),
            }
        });
        Some(Container {
            name: self.name,
            is_ready: self.ready.unwrap_or_default(),
            restarts,
            waiting,
            terminated,
            last_termination: self.last_state.and_then(|state| state.terminated).map(WireTermination::keep),
        })
    }
}

/// Since when a container waits for a reason of this class.
fn since(before: Option<&Container>, class: Class, now: Timestamp) -> Timestamp {
    let waited = before.and_then(|container| container.waiting.as_ref());
    waited.filter(|waiting| faults::class(&waiting.reason) == class).map_or(now, |waiting| waiting.since)
}

impl WireTermination {
    fn keep(self) -> Termination {
        let exit_code = self.exit_code.unwrap_or_default();
        Termination { reason: self.reason.unwrap_or_default(), exit_code, finished_at: self.finished_at }
    }
}

/// An event of the core group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireEvent {
    pub(super) metadata: Meta,
    involved_object: InvolvedObject,
    reason: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    count: Option<i64>,
    #[serde(deserialize_with = "time")]
    last_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    event_time: Option<Timestamp>,
    series: Option<Series>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct InvolvedObject {
    kind: Option<String>,
    name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Series {
    count: Option<i64>,
    #[serde(deserialize_with = "time")]
    last_observed_time: Option<Timestamp>,
}

impl WireEvent {
    /// What is kept; `None` unless it is a warning. One without any time is as old as `now`.
    pub(super) fn keep(self, now: Timestamp) -> Option<Event> {
        if self.kind.as_deref() != Some("Warning") {
            return None;
        }
        let (repeats, repeated_at) =
            self.series.map(|series| (series.count, series.last_observed_time)).unwrap_or_default();
        Some(Event {
            kind: self.involved_object.kind.unwrap_or_default(),
            name: self.involved_object.name.unwrap_or_default(),
            reason: self.reason.unwrap_or_default(),
            message: self.message.map(short).unwrap_or_default(),
            count: count(repeats.or(self.count)).max(1),
            last_at: repeated_at.or(self.last_timestamp).or(self.event_time).unwrap_or(now),
        })
    }
}

/// A Certificate of cert-manager.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireCertificate {
    pub(super) metadata: Meta,
    status: Option<CertificateStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CertificateStatus {
    #[serde(deserialize_with = "time")]
    not_after: Option<Timestamp>,
    conditions: Option<Vec<WireCondition>>,
}

impl WireCertificate {
    /// What is kept.
    pub(super) fn keep(self) -> Certificate {
        let status = self.status.unwrap_or_default();
        let ready = status.conditions.unwrap_or_default().into_iter().find(|condition| condition.kind == "Ready");
        let is_ready = ready.as_ref().is_some_and(|condition| condition.status == "True");
        let message = ready.and_then(|condition| condition.message).filter(|_| !is_ready).map(short);
        Certificate {
            name: self.metadata.name,
            is_ready,
            message: message.unwrap_or_default(),
            not_after: status.not_after,
        }
    }
}

fn count(number: Option<i64>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// A text, cut to what a comment has room for.
pub(super) fn short(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(at);
        text.push('…');
    }
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::constant(1_000, 0) + jiff::SignedDuration::from_secs(seconds)
    }

    fn pod(state: Value, old: Option<&Pod>, seconds: i64) -> Pod {
        let status = json!({"name": "shop", "restartCount": 0, "state": state});
        let wire = json!({"metadata": {"name": "a"}, "status": {"phase": "Pending", "containerStatuses": [status]}});
        serde_json::from_value::<WirePod>(wire).unwrap().keep(old, at(seconds))
    }

    fn since(pod: &Pod) -> Timestamp {
        pod.containers[0].waiting.as_ref().unwrap().since
    }

    #[test]
    fn waiting_goes_on_over_reasons_of_one_class() {
        let waits = |reason: &str, old, seconds| pod(json!({"waiting": {"reason": reason}}), old, seconds);
        let first = waits("ErrImagePull", None, 1);
        let second = waits("ImagePullBackOff", Some(&first), 5);
        assert_eq!((since(&first), since(&second)), (at(1), at(1)));
        let other = waits("CreateContainerConfigError", Some(&second), 9);
        assert_eq!(since(&other), at(9));
    }

    #[test]
    fn a_container_that_runs_or_is_done_has_nothing_to_tell() {
        for state in
            [json!({"running": {}}), json!({"terminated": {"exitCode": 0, "reason": "Completed"}}), json!(null)]
        {
            assert_eq!(pod(state, None, 0).containers, []);
        }
        let failed = pod(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), None, 0);
        assert_eq!(failed.containers[0].terminated.as_ref().unwrap().reason, "OOMKilled");
    }

    #[test]
    fn lists_and_maps_may_be_null() {
        let wire = json!({"metadata": {"name": "a", "labels": null, "annotations": null, "ownerReferences": null},
            "status": {"conditions": null, "containerStatuses": null}});
        assert_eq!(serde_json::from_value::<WirePod>(wire).unwrap().keep(None, at(0)).name, "a");
        let wire = json!({"metadata": {"name": "a"}, "status": null});
        assert_eq!(serde_json::from_value::<WireWorkload>(wire).unwrap().keep(WorkloadKind::Deployment).desired, 1);
    }

    #[test]
    fn an_unscheduled_pod_says_why() {
        let scheduled = json!({"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"});
        let wire = json!({"metadata": {"name": "a"}, "status": {"phase": "Pending", "conditions": [scheduled]}});
        let pod = serde_json::from_value::<WirePod>(wire).unwrap().keep(None, at(0));
        assert_eq!(pod.message, "0/3 nodes are available");
    }

    #[test]
    fn an_event_is_as_old_as_the_last_of_its_series() {
        let event = |value: Value| serde_json::from_value::<WireEvent>(value).unwrap().keep(at(0));
        assert_eq!(event(json!({"type": "Normal"})), None);
        let old = event(json!({"type": "Warning", "count": 4, "lastTimestamp": "1970-01-01T00:00:01Z"})).unwrap();
        assert_eq!((old.count, old.last_at), (4, Timestamp::constant(1, 0)));
        let series = json!({"count": 7, "lastObservedTime": "1970-01-01T00:00:02.000001Z"});
        let new = event(json!({"type": "Warning", "eventTime": "1970-01-01T00:00:01Z", "series": series})).unwrap();
        assert_eq!((new.count, new.last_at.as_second()), (7, 2));
        let timeless = event(json!({"type": "Warning", "lastTimestamp": null, "eventTime": "yesterday"}));
        assert!(timeless.is_some_and(|event| event.last_at == at(0)), "a time that is none is none");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(short("é".repeat(400)).chars().count(), 301);
        assert_eq!(short("short".to_owned()), "short");
    }
}
