//! What was seen of one app: values only. Everything here can be shown, stored and judged without a cluster.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of one app in one environment, as its cluster told it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The time up to which all of it is known to be true, by our own clock: the oldest of the times at which each kind of
    /// object was last heard of. A cluster that falls silent keeps this time where it is.
    pub observed_at: Timestamp,
    /// The object that syncs the app; `None` if the cluster has none.
    pub controller: Option<Controller>,
    /// Deployments and StatefulSets, by kind and name.
    pub workloads: Vec<Workload>,
    /// The pods, by name.
    pub pods: Vec<Pod>,
    /// The certificates, by name.
    pub certificates: Vec<Certificate>,
    /// Warnings of the last half hour, newest first.
    pub events: Vec<Event>,
}

/// What Argo CD or Flux says of an app.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Controller {
    /// The commit whose files the cluster has, as hexadecimal digits. Flux says so only after everything has become ready.
    pub applied_revision: Option<String>,
    /// The commit that it last tried to apply, whatever came of it.
    pub attempted_revision: Option<String>,
    /// When the last sync that changed something ended, by the cluster's clock.
    pub synced_at: Option<Timestamp>,
    /// When we first heard of this applied revision and this end, by our clock. Compared with other times of ours it does
    /// not matter whether the two clocks agree.
    pub seen_at: Timestamp,
    /// Whether a sync is running.
    pub is_syncing: bool,
    /// What it thinks of the app.
    pub health: ControllerHealth,
    /// What it says about it, in its own words; empty if it says nothing.
    pub message: String,
    /// Whether somebody has told it to leave the app alone.
    pub is_suspended: bool,
    /// Whether the cluster differs from the commit that it was compared with.
    pub is_out_of_sync: bool,
    /// The objects that differ, where the controller lists them (Argo CD does).
    pub out_of_sync: Vec<ObjectRef>,
}

/// The verdict of a controller, in the words of Argo CD.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ControllerHealth {
    /// All is well.
    Healthy,
    /// Not yet.
    Progressing,
    /// Something is broken.
    Degraded,
    /// Something waits for a person.
    Suspended,
    /// An object is not there.
    Missing,
    /// It does not know, or says nothing.
    #[default]
    Unknown,
}

/// An object of a cluster by name.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ObjectRef {
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Its namespace; empty for objects that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The kinds of workload that are watched.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    strum::Display,
    strum::EnumString,
)]
pub enum WorkloadKind {
    /// A Deployment.
    #[default]
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

/// A Deployment or a StatefulSet. Counts are pods.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Workload {
    /// Which of the two.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// The containers of its template with their images, in order.
    pub images: Vec<ContainerImage>,
    /// How many pods are wanted.
    pub desired: u32,
    /// How many there are.
    pub total: u32,
    /// How many of them have the newest template.
    pub updated: u32,
    /// How many are ready.
    pub ready: u32,
    /// How many have been ready for long enough to count.
    pub available: u32,
    /// The generation of the spec.
    pub generation: i64,
    /// The generation that the status is about.
    pub observed_generation: i64,
    /// Whether its rollout is paused; Deployments only.
    pub is_paused: bool,
    /// The newest template: the revision of a Deployment, the update revision of a StatefulSet.
    pub template: String,
    /// How a StatefulSet is updated; absent for Deployments.
    pub stateful: Option<StatefulUpdate>,
    /// Its conditions. A text is kept only where something is wrong.
    pub conditions: Vec<Condition>,
}

/// How a StatefulSet replaces its pods, and how far it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct StatefulUpdate {
    /// Whether pods are only replaced when somebody deletes them.
    pub on_delete: bool,
    /// Pods below this ordinal keep the old template.
    pub partition: u32,
    /// The revision that is being replaced; the same as the workload's template once all pods have that.
    pub current_revision: String,
}

/// A container of a template.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ContainerImage {
    /// The container's name.
    pub container: String,
    /// Its image, as written.
    pub image: String,
}

/// A condition of an object.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Condition {
    /// What it is about, such as `Progressing`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence; empty where all is well.
    pub message: String,
}

/// A pod.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Why it is in that phase (`Evicted`) or not scheduled; empty if nothing is said.
    pub message: String,
    /// Whether it takes requests.
    pub is_ready: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// How often its containers were started again.
    pub restarts: u32,
    /// The object that made it.
    pub owner: Option<Owner>,
    /// The template that it was made from, by its hash.
    pub template: String,
    /// The workload that it belongs to, if it is one of the report's.
    pub workload: Option<Owner>,
    /// Whether it was made from the newest template of that workload: only such a pod says something about a change.
    pub is_newest: bool,
    /// The containers that have something to tell: that wait, ended, or were started again.
    pub containers: Vec<Container>,
}

/// The owner of an object in the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Owner {
    /// Its kind, such as `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The state of a container.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub is_ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// How it ended, if it does not run.
    pub terminated: Option<Termination>,
    /// How it ended before it was started again.
    pub last_termination: Option<Termination>,
}

/// Why a container does not run yet.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Waiting {
    /// In one word, such as `CrashLoopBackOff`.
    pub reason: String,
    /// In a sentence; may be empty.
    pub message: String,
    /// Since when we have seen it wait for this kind of reason, by our clock.
    pub since: Timestamp,
}

/// How a container ended.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Termination {
    /// In one word, such as `OOMKilled` or `Error`.
    pub reason: String,
    /// The exit code.
    pub exit_code: i32,
    /// When, by the cluster's clock.
    pub finished_at: Option<Timestamp>,
}

/// A certificate of cert-manager.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Certificate {
    /// Its name.
    pub name: String,
    /// Whether it has been issued and is valid.
    pub is_ready: bool,
    /// Why not; empty if nothing is said.
    pub message: String,
    /// When it ends to be valid.
    pub not_after: Option<Timestamp>,
}

/// A warning.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// The kind of the object that it is about.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// In one word, such as `FailedScheduling`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// How often it was said.
    pub count: u32,
    /// When it was last said, by the cluster's clock.
    pub last_at: Timestamp,
}

impl Workload {
    /// The condition of a kind.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether a container of its template has this image.
    #[must_use]
    pub fn runs(&self, image: &str) -> bool {
        self.images.iter().any(|container| container.image == image)
    }

    /// Whether `owner` names it.
    #[must_use]
    pub fn is(&self, owner: &Owner) -> bool {
        self.name == owner.name && self.kind.to_string() == owner.kind
    }

    /// What to call it in a sentence.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// The commit in a revision as controllers write it: `main@sha1:<40 digits>`, `main/<40 digits>` or the digits alone.
#[must_use]
pub fn commit_of(revision: &str) -> Option<&str> {
    let digits = revision.rsplit(['@', ':', '/']).next().unwrap_or_default();
    let is_hex = digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'a'..=b'f'));
    (is_hex && matches!(digits.len(), 40 | 64)).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_found_in_what_controllers_write() {
        let digits = "0123456789abcdef0123456789abcdef01234567";
        for revision in [format!("main@sha1:{digits}"), format!("main/{digits}"), digits.to_owned()] {
            assert_eq!(commit_of(&revision), Some(digits), "{revision}");
        }
        for revision in ["", "main", "main@sha1:", "main@sha1:0123", "v1.2.3", &digits.to_uppercase()] {
            assert_eq!(commit_of(revision), None, "{revision}");
        }
    }
}
