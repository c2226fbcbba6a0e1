//! Objects as a cluster has them, with the fields that matter and some that do not.

use serde_json::{Value, json};

/// A commit.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn metadata(namespace: &str, name: &str) -> Value {
    json!({
        "namespace": namespace, "name": name, "uid": "7d1e", "generation": 1,
        "labels": {"app.kubernetes.io/managed-by": "wooo", "app.kubernetes.io/name": "shop"},
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:replicas": {}}}}],
    })
}

pub(super) fn deployment(namespace: &str, name: &str, image: &str, revision: u64, pods: u32) -> Value {
    let mut metadata = metadata(namespace, name);
    metadata["annotations"] = json!({"deployment.kubernetes.io/revision": revision.to_string()});
    json!({
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": metadata,
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "shop", "image": image}]}}},
        "status": {"observedGeneration": 1, "replicas": pods, "updatedReplicas": pods, "readyReplicas": pods,
            "availableReplicas": pods, "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "has it"}]},
    })
}

pub(super) fn stateful_set(namespace: &str, name: &str, revision: &str) -> Value {
    json!({
        "kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": metadata(namespace, name),
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "db", "image": "postgres:18"}]}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "currentRevision": revision, "updateRevision": revision},
    })
}

pub(super) fn replica_set(namespace: &str, name: &str, deployment: &str, revision: u64) -> Value {
    let mut metadata = metadata(namespace, name);
    metadata["annotations"] = json!({"deployment.kubernetes.io/revision": revision.to_string()});
    metadata["ownerReferences"] = json!([{"kind": "Deployment", "name": deployment, "uid": "1", "controller": true}]);
    json!({"metadata": metadata, "spec": {"replicas": 1}, "status": {"replicas": 1}})
}

pub(super) fn pod(namespace: &str, name: &str, owner: (&str, &str), state: Value) -> Value {
    let mut metadata = metadata(namespace, name);
    metadata["ownerReferences"] = json!([{"kind": owner.0, "name": owner.1, "uid": "1", "controller": true}]);
    metadata["labels"]["controller-revision-hash"] = json!("db-1");
    let is_ready = state.get("running").is_some();
    json!({
        "metadata": metadata, "spec": {"nodeName": "a"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": "shop", "ready": is_ready, "restartCount": 0, "image": "x", "state": state}]},
    })
}

pub(super) fn warning(namespace: &str, name: &str, pod: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name}, "type": "Warning", "reason": "FailedScheduling",
        "message": "0/3 nodes are available", "count": 3, "lastTimestamp": jiff::Timestamp::now().to_string(),
        "involvedObject": {"kind": "Pod", "name": pod, "namespace": namespace},
    })
}

pub(super) fn certificate(namespace: &str, name: &str) -> Value {
    let condition = json!({"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no Secret yet"});
    json!({"metadata": metadata(namespace, name), "spec": {"secretName": name}, "status": {"conditions": [condition]}})
}

pub(super) fn kustomization(commit: &str) -> Value {
    let ready = json!({"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded",
        "message": "Applied revision", "lastTransitionTime": "2026-01-02T03:04:05Z"});
    json!({
        "metadata": metadata("flux-system", "shop-production"), "spec": {"interval": "10m"},
        "status": {"lastAppliedRevision": format!("main@sha1:{commit}"), "conditions": [ready],
            "lastAttemptedRevision": format!("main@sha1:{commit}")},
    })
}

pub(super) fn application(commit: &str) -> Value {
    json!({
        "metadata": metadata("argocd", "shop-production"),
        "spec": {"syncPolicy": {"automated": {"prune": true}}},
        "status": {
            "sync": {"status": "OutOfSync", "revision": commit},
            "health": {"status": "Progressing"},
            "operationState": {"phase": "Succeeded", "finishedAt": "2026-01-02T03:04:05Z", "message": "done",
                "operation": {"sync": {"revision": commit}}, "syncResult": {"revision": commit}},
            "resources": [
                {"kind": "Service", "namespace": "app-shop", "name": "shop", "status": "Synced"},
                {"group": "apps", "kind": "Deployment", "namespace": "app-shop", "name": "shop", "status": "OutOfSync"}],
        },
    })
}
