//! The part of Argo CD's Applications and Flux's Kustomizations that is read, and what is kept of it.

use jiff::Timestamp;
use serde::Deserialize;

use super::report::{Controller, ControllerHealth, ObjectRef, commit_of};
use super::wire::{Meta, WireCondition, short, time};

/// How many objects that differ are kept.
const OBJECTS_MAX: usize = 20;

/// An Application of Argo CD.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Application {
    pub(super) metadata: Meta,
    spec: ApplicationSpec,
    status: Option<ApplicationStatus>,
    /// A sync that was asked for and has not begun.
    operation: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApplicationSpec {
    sync_policy: Option<SyncPolicy>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SyncPolicy {
    automated: Option<Automated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Automated {
    enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApplicationStatus {
    sync: Option<SyncStatus>,
    health: Option<HealthStatus>,
    operation_state: Option<OperationState>,
    conditions: Option<Vec<WireCondition>>,
    resources: Option<Vec<ResourceStatus>>,
    history: Option<Vec<Deployed>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SyncStatus {
    status: Option<String>,
    revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct HealthStatus {
    status: Option<String>,
    message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OperationState {
    phase: Option<String>,
    message: Option<String>,
    #[serde(deserialize_with = "time")]
    finished_at: Option<Timestamp>,
    sync_result: Option<Deployed>,
    operation: Option<Operation>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Operation {
    sync: Option<Deployed>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Deployed {
    revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceStatus {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    status: Option<String>,
    health: Option<HealthStatus>,
}

impl Application {
    /// What is kept. `old` is what was kept of it before.
    pub(super) fn keep(self, old: Option<&Controller>, now: Timestamp) -> Controller {
        let status = self.status.unwrap_or_default();
        let operation = status.operation_state.unwrap_or_default();
        let phase = operation.phase.as_deref().unwrap_or_default();
        let has_failed = matches!(phase, "Failed" | "Error");
        let sync = status.sync.unwrap_or_default();
        let is = |wanted: &str| sync.status.as_deref() == Some(wanted);
        let done = operation.sync_result.and_then(|result| result.revision);
        // A commit that changes nothing of the app is never synced: the comparison says that the cluster has it.
        let applied = match (is("Synced"), phase) {
            (true, _) => sync.revision.clone(),
            (false, "Succeeded") => done.clone(),
            _ => status.history.unwrap_or_default().pop().and_then(|deployed| deployed.revision),
        };
        let asked = operation.operation.and_then(|operation| operation.sync).and_then(|sync| sync.revision);
        let resources = status.resources.unwrap_or_default();
        let is_broken = |one: &&ResourceStatus| {
            one.health.as_ref().is_some_and(|health| health.status.as_deref() == Some("Degraded"))
        };
        let broken = resources.iter().find(is_broken).map(|one| {
            let message = one.health.as_ref().and_then(|health| health.message.clone()).unwrap_or_default();
            let [kind, name] = [&one.kind, &one.name].map(|text| text.as_deref().unwrap_or_default());
            format!("{kind} {name} is degraded: {message}").trim_end_matches([':', ' ']).to_owned()
        });
        let faults = status.conditions.unwrap_or_default().into_iter();
        let fault = faults.into_iter().find(|condition| condition.kind.ends_with("Error")).and_then(|one| one.message);
        let health = status.health.unwrap_or_default();
        let message = operation.message.filter(|_| has_failed).or(fault).or(health.message).or(broken);
        let differing = resources.into_iter().filter(|one| one.status.as_deref() == Some("OutOfSync"));
        let automated = self.spec.sync_policy.and_then(|policy| policy.automated);
        Controller {
            applied_revision: applied.as_deref().and_then(commit_of).map(str::to_owned),
            attempted_revision: done
                .or(asked)
                .or(sync.revision.clone())
                .as_deref()
                .and_then(commit_of)
                .map(str::to_owned),
            synced_at: operation.finished_at,
            seen_at: now,
            is_syncing: matches!(phase, "Running" | "Terminating") || self.operation.is_some(),
            health: health_of(health.status.as_deref().unwrap_or_default()),
            message: message.map(short).unwrap_or_default(),
            is_suspended: automated.is_none_or(|automated| automated.enabled == Some(false)),
            is_out_of_sync: is("OutOfSync"),
            out_of_sync: differing.take(OBJECTS_MAX).map(ResourceStatus::object).collect(),
        }
        .carried_on(old)
    }
}

impl ResourceStatus {
    fn object(self) -> ObjectRef {
        let [kind, namespace, name] = [self.kind, self.namespace, self.name].map(Option::unwrap_or_default);
        ObjectRef { kind, namespace, name }
    }
}

fn health_of(text: &str) -> ControllerHealth {
    match text {
        "Healthy" => ControllerHealth::Healthy,
        "Progressing" => ControllerHealth::Progressing,
        "Degraded" => ControllerHealth::Degraded,
        "Suspended" => ControllerHealth::Suspended,
        "Missing" => ControllerHealth::Missing,
        _ => ControllerHealth::Unknown,
    }
}

/// A Kustomization of Flux.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kustomization {
    pub(super) metadata: Meta,
    spec: KustomizationSpec,
    status: Option<KustomizationStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct KustomizationSpec {
    suspend: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct KustomizationStatus {
    last_applied_revision: Option<String>,
    last_attempted_revision: Option<String>,
    conditions: Option<Vec<WireCondition>>,
    history: Option<Vec<Reconciled>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reconciled {
    #[serde(deserialize_with = "time")]
    last_reconciled: Option<Timestamp>,
    last_reconciled_status: Option<String>,
}

impl Kustomization {
    /// What is kept. `old` is what was kept of it before.
    pub(super) fn keep(self, old: Option<&Controller>, now: Timestamp) -> Controller {
        let status = self.status.unwrap_or_default();
        let mut conditions = status.conditions.unwrap_or_default();
        let is_reconciling = conditions.iter().any(|one| one.kind == "Reconciling" && one.status == "True");
        let at = conditions.iter().position(|condition| condition.kind == "Ready");
        let ready = at.map(|at| conditions.swap_remove(at)).unwrap_or_default();
        let health = match ready.status.as_str() {
            "True" => ControllerHealth::Healthy,
            "False" => ControllerHealth::Degraded,
            "Unknown" => ControllerHealth::Progressing,
            _ => ControllerHealth::Unknown,
        };
        let is_ready = health == ControllerHealth::Healthy;
        let last = status.history.unwrap_or_default().into_iter().next();
        let reconciled = last
            .filter(|last| last.last_reconciled_status.as_deref() == Some("ReconciliationSucceeded"))
            .and_then(|last| last.last_reconciled);
        let message = match (is_ready, ready.reason, ready.message) {
            (true, ..) => String::new(),
            (false, Some(reason), Some(message)) => format!("{reason}: {message}"),
            (false, reason, message) => message.or(reason).unwrap_or_default(),
        };
        let commit = |revision: Option<String>| revision.as_deref().and_then(commit_of).map(str::to_owned);
        Controller {
            applied_revision: commit(status.last_applied_revision),
            attempted_revision: commit(status.last_attempted_revision),
            synced_at: reconciled.or(ready.last_transition_time.filter(|_| is_ready)),
            seen_at: now,
            is_syncing: is_reconciling || health == ControllerHealth::Progressing,
            health,
            message: short(message),
            is_suspended: self.spec.suspend.unwrap_or_default(),
            is_out_of_sync: health == ControllerHealth::Degraded,
            out_of_sync: Vec::new(),
        }
        .carried_on(old)
    }
}

impl Controller {
    /// Keeps the time at which the end of this sync was first heard of.
    fn carried_on(mut self, old: Option<&Self>) -> Self {
        let is_same = |old: &&Self| {
            old.applied_revision == self.applied_revision
                && old.synced_at == self.synced_at
                && old.is_syncing == self.is_syncing
        };
        if let Some(old) = old.filter(is_same) {
            self.seen_at = old.seen_at;
        }
        self
    }
}
