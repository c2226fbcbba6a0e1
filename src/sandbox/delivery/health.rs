//! When an object counts as ready: the rules that Flux and Argo CD go by.

use serde_json::Value;

/// How an object is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Health {
    /// As it should be.
    Current,
    /// On its way.
    InProgress,
    /// It will not get there by itself.
    Failed,
}

/// Judges an object by its status.
pub(super) fn judge(object: &Value) -> Health {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let observed = number("/status/observedGeneration");
    let is_workload = matches!(kind, "Deployment" | "StatefulSet");
    if (is_workload || observed.is_some()) && observed != number("/metadata/generation") {
        return Health::InProgress;
    }
    let wanted = number("/spec/replicas").unwrap_or(1);
    let has = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    let is_done = match kind {
        "Deployment" if condition(object, "Progressing", "reason") == Some("ProgressDeadlineExceeded") => {
            return Health::Failed;
        }
        "Deployment" => {
            has("updatedReplicas") >= wanted
                && has("replicas") <= has("updatedReplicas")
                && has("availableReplicas") >= has("updatedReplicas")
                && condition(object, "Available", "status") != Some("False")
        }
        "StatefulSet" => {
            has("readyReplicas") >= wanted
                && object.pointer("/status/currentRevision") == object.pointer("/status/updateRevision")
        }
        "PersistentVolumeClaim" => object.pointer("/status/phase").is_some_and(|phase| phase == "Bound"),
        _ if condition(object, "Stalled", "status") == Some("True") => return Health::Failed,
        _ => condition(object, "Ready", "status").is_none_or(|status| status == "True"),
    };
    if is_done { Health::Current } else { Health::InProgress }
}

fn condition<'a>(object: &'a Value, name: &str, field: &str) -> Option<&'a str> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array)?;
    all.iter().find(|condition| condition.get("type").is_some_and(|found| found == name))?.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_ready_when_only_new_pods_are_left() {
        let deployment = |updated: i64, total: i64, reason: &str| {
            json!({
                "kind": "Deployment",
                "metadata": {"generation": 2},
                "spec": {"replicas": 2},
                "status": {
                    "observedGeneration": 2,
                    "replicas": total,
                    "updatedReplicas": updated,
                    "availableReplicas": total,
                    "conditions": [{"type": "Progressing", "status": "True", "reason": reason}],
                },
            })
        };
        assert_eq!(judge(&deployment(2, 2, "")), Health::Current);
        assert_eq!(judge(&deployment(2, 3, "")), Health::InProgress);
        assert_eq!(judge(&deployment(1, 2, "ProgressDeadlineExceeded")), Health::Failed);
        assert_eq!(judge(&json!({"kind": "Deployment", "metadata": {"generation": 1}})), Health::InProgress);
        assert_eq!(judge(&json!({"kind": "ConfigMap"})), Health::Current);
    }
}
