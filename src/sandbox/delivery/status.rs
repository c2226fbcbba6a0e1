//! What Flux and Argo CD say of themselves, as their objects' status.

use serde_json::{Value, json};

use super::super::patch::as_object;
use super::super::store::{Key, Store};
use super::round::{Phase, Revision, Unit};
use super::unit::Dialect;

impl Revision {
    /// As Flux writes it.
    fn flux(&self) -> String {
        format!("{}@sha1:{}", self.branch, self.commit)
    }
}

/// A condition of Flux: type, status, reason, message.
type Condition<'a> = (&'a str, &'a str, &'a str, String);

fn conditions(store: &Store, object: &Value, generation: i64, all: Vec<Condition<'_>>) -> Value {
    let before = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let make = |(name, status, reason, message): Condition<'_>| {
        let old = before.iter().find(|old| old.get("type").is_some_and(|found| found == name));
        let since = old.filter(|old| old.get("status").is_some_and(|found| found == status));
        let since = since.and_then(|old| old.get("lastTransitionTime")).cloned();
        json!({
            "type": name,
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": since.unwrap_or_else(|| json!(store.timestamp())),
        })
    };
    Value::Array(all.into_iter().map(make).collect())
}

/// Writes the status of a GitRepository.
pub(super) fn write_source(store: &mut Store, key: &Key, object: &Value, tip: Result<&Revision, &String>) {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
    let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let condition = match tip {
        Ok(revision) => {
            let revision = revision.flux();
            if object.pointer("/status/artifact/revision").is_none_or(|known| *known != revision) {
                let artifact = json!({
                    "revision": revision,
                    "digest": "",
                    "path": format!("gitrepository/{}/{}/sandbox.tar.gz", key.namespace, key.name),
                    "url": "http://sandbox.invalid/",
                    "lastUpdateTime": store.timestamp(),
                });
                as_object(&mut status).insert("artifact".to_owned(), artifact);
            }
            ("Ready", "True", "Succeeded", format!("stored artifact for revision '{revision}'"))
        }
        Err(message) => ("Ready", "False", "GitOperationFailed", message.clone()),
    };
    let conditions = conditions(store, object, generation, vec![condition]);
    let fields = as_object(&mut status);
    fields.insert("observedGeneration".to_owned(), json!(generation));
    fields.insert("conditions".to_owned(), conditions);
    if object.get("status") != Some(&status) {
        store.set_status(key, status);
    }
}

/// Writes the status of a unit.
pub(super) fn write_unit(store: &mut Store, key: &Key, unit: &Unit) {
    let Some(object) = store.value(key) else { return };
    let status = match unit.wish.dialect {
        Dialect::Flux => flux(store, &object, unit),
        Dialect::Argo => argo(store, &object, unit),
    };
    store.set_status(key, status);
}

fn flux(store: &Store, object: &Value, unit: &Unit) -> Value {
    let generation = unit.wish.generation;
    let revision = unit.attempted.as_ref().map(Revision::flux).unwrap_or_default();
    let applied = || format!("Applied revision: {revision}");
    let all = match unit.phase {
        Phase::New | Phase::Checking(_) => {
            let timeout = unit.wish.timeout;
            let checks = format!("Running health checks for revision {revision} with a timeout of {timeout}s");
            vec![
                ("Reconciling", "True", "Progressing", checks.clone()),
                ("Ready", "Unknown", "Progressing", "Reconciliation in progress".to_owned()),
                ("Healthy", "Unknown", "Progressing", checks),
            ]
        }
        Phase::Ready if unit.wish.waits => vec![
            ("Ready", "True", "ReconciliationSucceeded", applied()),
            ("Healthy", "True", "Succeeded", "Health check passed".to_owned()),
        ],
        Phase::Ready => vec![("Ready", "True", "ReconciliationSucceeded", applied())],
        Phase::Broken => vec![("Ready", "False", "ReconciliationFailed", unit.message.clone())],
        Phase::Unhealthy => vec![
            ("Ready", "False", "HealthCheckFailed", format!("health check failed: {}", unit.message)),
            ("Healthy", "False", "HealthCheckFailed", format!("health check failed: {}", unit.message)),
        ],
    };
    let entry = |key: &&Key| {
        let kind = store.kinds().all().get(key.kind)?;
        let id = format!("{}_{}_{}_{}", key.namespace, key.name, kind.group, kind.kind);
        Some(json!({"id": id, "v": kind.version}))
    };
    let entries: Vec<Value> = unit.inventory().iter().filter_map(entry).collect();
    let mut status = json!({
        "observedGeneration": generation,
        "lastAttemptedRevision": revision,
        "inventory": {"entries": entries},
        "conditions": conditions(store, object, generation, all),
    });
    let fields = as_object(&mut status);
    if let Some(applied) = &unit.applied {
        fields.insert("lastAppliedRevision".to_owned(), json!(applied.flux()));
    }
    if !unit.wish.requested.is_empty() {
        fields.insert("lastHandledReconcileAt".to_owned(), json!(unit.wish.requested));
    }
    status
}

fn argo(store: &Store, object: &Value, unit: &Unit) -> Value {
    let revision = unit.attempted.as_ref().map(|revision| revision.commit.to_string()).unwrap_or_default();
    let (sync, phase, message) = match unit.phase {
        Phase::Broken => ("OutOfSync", "Failed", unit.message.clone()),
        _ => ("Synced", "Succeeded", "successfully synced (all tasks run)".to_owned()),
    };
    let health = match unit.phase {
        Phase::New | Phase::Checking(_) => "Progressing",
        Phase::Ready => "Healthy",
        Phase::Broken => "Missing",
        Phase::Unhealthy => "Degraded",
    };
    let now = json!(store.timestamp());
    let is_same = object.pointer("/status/operationState/syncResult/revision").is_some_and(|known| *known == revision);
    let kept = |pointer: &str| object.pointer(pointer).filter(|_| is_same).cloned().unwrap_or_else(|| now.clone());
    let resource = |key: &&Key| {
        let kind = store.kinds().all().get(key.kind)?;
        Some(json!({
            "group": kind.group,
            "version": kind.version,
            "kind": kind.kind,
            "namespace": key.namespace,
            "name": key.name,
            "status": sync,
        }))
    };
    let resources: Vec<Value> = unit.inventory().iter().filter_map(resource).collect();
    let source = object.pointer("/spec/source");
    json!({
        "sync": {
            "status": sync,
            "revision": revision,
            "comparedTo": {"source": source, "destination": object.pointer("/spec/destination")},
        },
        "health": {"status": health},
        "operationState": {
            "phase": phase,
            "message": message,
            "startedAt": kept("/status/operationState/startedAt"),
            "finishedAt": kept("/status/operationState/finishedAt"),
            "operation": {"sync": {"revision": revision}},
            "syncResult": {"revision": revision, "source": source},
        },
        "reconciledAt": now,
        "resources": resources,
    })
}
