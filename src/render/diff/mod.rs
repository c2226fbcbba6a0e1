//! What a change means: the differences between two renderings, in words that a reviewer uses, each with a risk.
//!
//! Owns the comparison of objects and the wording. Does not decide anything: a gate reads the entries.

mod describe;
mod walk;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::object::ObjectId;
use crate::domain::Problem;

/// How closely a reviewer should look.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Risk {
    /// Nothing that runs is affected, or only in the safe direction.
    Low,
    /// What runs changes in an ordinary way.
    Medium,
    /// Isolation, privileges, data or availability may suffer.
    High,
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The object, as `Kind name`.
    pub object: String,
    /// The field, in dotted form with list items named by their key; empty for a whole object.
    pub field: String,
    /// What happened, in words.
    pub summary: String,
    /// How closely to look.
    pub risk: Risk,
    /// The value before, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.summary)
    }
}

/// The differences between two renderings of an app, riskiest first, otherwise in the order of the objects.
#[must_use]
pub fn compare(before: &[Value], after: &[Value]) -> Vec<Entry> {
    let index = |objects: &[Value]| -> HashMap<ObjectId, usize> {
        objects.iter().enumerate().filter_map(|(index, object)| Some((ObjectId::of(object)?, index))).collect()
    };
    let (old, new) = (index(before), index(after));
    let mut entries = Vec::new();
    for object in after {
        let Some(id) = ObjectId::of(object) else { continue };
        match old.get(&id) {
            Some(at) => changed(&id, &before[*at], object, &mut entries),
            None => entries.push(describe::added(&id, object)),
        }
    }
    for object in before {
        if let Some(id) = ObjectId::of(object).filter(|id| !new.contains_key(id)) {
            entries.push(describe::removed(&id, object));
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.risk));
    entries
}

/// Changes that no cluster takes: a StatefulSet keeps the volumes that it was made with.
#[must_use]
pub fn impossible(before: &[Value], after: &[Value]) -> Vec<Problem> {
    let volumes = |object: &Value| object.pointer("/spec/volumeClaimTemplates").cloned();
    let sets = after.iter().filter(|object| object.get("kind").and_then(Value::as_str) == Some("StatefulSet"));
    sets.filter_map(|object| {
        let id = ObjectId::of(object)?;
        let old = before.iter().find(|old| ObjectId::of(old).as_ref() == Some(&id))?;
        (volumes(old) != volumes(object)).then(|| {
            Problem::new(
                "addon.volume",
                format!("the volumes of {id} are as it was made with: Kubernetes refuses others"),
            )
            .hint("the spec keeps the first size, and the cluster's profile its `storage_class`; a volume is grown in the cluster, where its StorageClass allows it")
        })
    })
    .collect()
}

/// The highest risk among `entries`; low if there are none.
#[must_use]
pub fn highest_risk(entries: &[Entry]) -> Risk {
    entries.iter().map(|entry| entry.risk).max().unwrap_or(Risk::Low)
}

fn changed(id: &ObjectId, before: &Value, after: &Value, entries: &mut Vec<Entry>) {
    if before == after {
        return;
    }
    for difference in walk::differences(before, after) {
        entries.extend(describe::field(id, difference));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(container: &Value, replicas: u32) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "event-system"}, "spec": {
            "replicas": replicas, "template": {"spec": {"containers": [container]}}}})
    }

    fn summaries(before: &[Value], after: &[Value]) -> Vec<String> {
        compare(before, after).iter().map(|entry| format!("{} [{}]", entry, entry.risk)).collect()
    }

    #[test]
    fn changes_are_told_in_words() {
        let before = deployment(
            &json!({"name": "a", "image": "x:1", "resources": {"limits": {"memory": "512Mi"}}, "env": [{"name": "A", "value": "1"}]}),
            2,
        );
        let after = deployment(
            &json!({"name": "a", "image": "x:2", "resources": {"limits": {"memory": "768Mi"}}, "env": [{"name": "B", "value": "1"}]}),
            3,
        );
        assert_eq!(
            summaries(&[before], &[after]),
            [
                "Deployment event-system: image x:1 -> x:2 [medium]",
                "Deployment event-system: variable A removed [medium]",
                "Deployment event-system: variable B added [medium]",
                "Deployment event-system: replicas 2 -> 3 [low]",
                "Deployment event-system: memory limit 512Mi -> 768Mi [low]",
            ]
        );
    }

    #[test]
    fn openings_are_risky_and_closings_less_so() {
        let policy = |egress: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}, "spec": {"egress": egress}});
        let dns = json!({"to": [{"podSelector": {}}]});
        let web = json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443, "protocol": "TCP"}]});
        let (closed, open) = (policy(json!([dns])), policy(json!([dns, web])));
        assert_eq!(
            summaries(std::slice::from_ref(&closed), std::slice::from_ref(&open)),
            ["NetworkPolicy a: egress to 0.0.0.0/0 on TCP 443 opened [high]"]
        );
        assert_eq!(
            summaries(std::slice::from_ref(&open), &[closed]),
            ["NetworkPolicy a: egress to 0.0.0.0/0 on TCP 443 closed [medium]"]
        );
        assert_eq!(summaries(&[open], &[]), ["NetworkPolicy a: removed [high]"]);
    }

    #[test]
    fn hosts_and_restarts_have_their_own_words() {
        let ingress = |hosts: &[&str]| json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {"rules": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>()}});
        assert_eq!(
            summaries(&[ingress(&["a.b"])], &[ingress(&["a.b", "c.d"])]),
            ["Ingress a: host c.d added [medium]"]
        );
        let restarted = |at: &str| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}}});
        assert_eq!(summaries(&[restarted("1")], &[restarted("2")]), ["Deployment a: pods restart [low]"]);
    }

    #[test]
    fn equal_renderings_differ_in_nothing() {
        let object = deployment(&json!({"name": "a"}), 1);
        assert!(compare(std::slice::from_ref(&object), std::slice::from_ref(&object)).is_empty());
    }
}
