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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::constant(1_000, 0) + jiff::SignedDuration::from_secs(seconds)
    }

    fn application(status: Value) -> Controller {
        let spec = json!({"syncPolicy": {"automated": {}}});
        let wire: Application = serde_json::from_value(json!({"spec": spec, "status": status})).unwrap();
        wire.keep(None, at(0))
    }

    fn kustomization(status: Value) -> Controller {
        let wire: Kustomization = serde_json::from_value(json!({"spec": {}, "status": status})).unwrap();
        wire.keep(None, at(0))
    }

    #[test]
    fn argo_cd_applied_what_it_compares_equal_to_and_else_what_it_last_synced() {
        let operation = |phase: &str, revision: &str| json!({"phase": phase, "syncResult": {"revision": revision}});
        let cases = [
            ("Synced", operation("Succeeded", OLD), Some(NEW)),
            ("OutOfSync", operation("Succeeded", OLD), Some(OLD)),
            ("OutOfSync", operation("Failed", NEW), Some(OLD)),
            ("OutOfSync", operation("Running", NEW), Some(OLD)),
            ("Unknown", json!({}), Some(OLD)),
        ];
        for (sync, operation, applied) in cases {
            let found = application(json!({
                "sync": {"status": sync, "revision": NEW}, "operationState": operation, "history": [{"revision": OLD}],
            }));
            assert_eq!(found.applied_revision.as_deref(), applied, "{sync} {operation}");
        }
        assert_eq!(application(json!({})).applied_revision, None);
    }

    #[test]
    fn argo_cd_says_why_in_the_most_telling_place() {
        let failed = json!({"phase": "Failed", "message": "one object is invalid"});
        let condition = json!([{"type": "ComparisonError", "message": "the repository is not there"}]);
        let resources = json!([{"kind": "Ingress", "name": "shop", "health": {"status": "Degraded"}}]);
        let told = |status: Value| application(status).message;
        assert_eq!(told(json!({"operationState": failed, "conditions": condition})), "one object is invalid");
        assert_eq!(told(json!({"conditions": condition, "resources": resources})), "the repository is not there");
        assert_eq!(told(json!({"resources": resources})), "Ingress shop is degraded");
        assert_eq!(told(json!({"operationState": {"phase": "Succeeded", "message": "synced"}})), "");
    }

    #[test]
    fn an_application_without_automation_is_suspended() {
        let is_suspended = |spec: Value| {
            let wire: Application = serde_json::from_value(json!({"spec": spec})).unwrap();
            wire.keep(None, at(0)).is_suspended
        };
        assert!(!is_suspended(json!({"syncPolicy": {"automated": {"prune": true}}})));
        assert!(is_suspended(json!({"syncPolicy": {"automated": {"enabled": false}}})));
        assert!(is_suspended(json!({"syncPolicy": {"automated": null}})));
        assert!(is_suspended(json!({})));
    }

    #[test]
    fn flux_is_read_by_its_ready_condition() {
        let ready = |status: &str, reason: &str| {
            let condition = json!({"type": "Ready", "status": status, "reason": reason, "message": "words",
                "lastTransitionTime": "1970-01-01T00:00:09Z"});
            kustomization(json!({"conditions": [condition], "lastAppliedRevision": format!("main@sha1:{OLD}"),
                "lastAttemptedRevision": format!("main@sha1:{NEW}")}))
        };
        let well = ready("True", "ReconciliationSucceeded");
        assert_eq!((well.health, well.message.as_str(), well.is_syncing), (ControllerHealth::Healthy, "", false));
        assert_eq!(well.synced_at, Some(Timestamp::constant(9, 0)));
        assert_eq!((well.applied_revision.as_deref(), well.attempted_revision.as_deref()), (Some(OLD), Some(NEW)));
        let broken = ready("False", "HealthCheckFailed");
        assert_eq!((broken.health, broken.synced_at), (ControllerHealth::Degraded, None));
        assert_eq!((broken.message.as_str(), broken.is_out_of_sync), ("HealthCheckFailed: words", true));
        let begun = ready("Unknown", "Progressing");
        assert_eq!((begun.health, begun.is_syncing), (ControllerHealth::Progressing, true));
        assert_eq!(kustomization(json!({})).health, ControllerHealth::Unknown);
    }

    #[test]
    fn the_end_of_a_sync_is_dated_by_when_it_was_first_heard_of() {
        let told = |revision: &str, finished: &str, old: Option<&Controller>, seconds: i64| {
            let operation = json!({"phase": "Succeeded", "finishedAt": finished, "syncResult": {"revision": revision}});
            let sync = json!({"status": "Synced", "revision": revision});
            let status = json!({"sync": sync, "operationState": operation, "health": {"status": format!("{seconds}")}});
            let wire: Application = serde_json::from_value(json!({"status": status})).unwrap();
            wire.keep(old, at(seconds))
        };
        let first = told(OLD, "2026-01-02T03:04:05Z", None, 1);
        let again = told(OLD, "2026-01-02T03:04:05Z", Some(&first), 2);
        assert_eq!((first.seen_at, again.seen_at), (at(1), at(1)));
        assert_eq!(told(NEW, "2026-01-02T03:04:05Z", Some(&again), 3).seen_at, at(3));
        assert_eq!(told(OLD, "2026-01-02T03:04:06Z", Some(&again), 4).seen_at, at(4));
    }
}
