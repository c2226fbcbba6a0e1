//! The wording and the risk of each difference.

use serde_json::Value;

use super::walk::Difference;
use super::{Entry, Risk};
use crate::domain::{Cpu, Memory};
use crate::render::object::{ObjectId, items_at, text_at};

/// How much of a value is shown.
const MAX_SHOWN: usize = 80;

/// An object that was not there before.
pub(super) fn added(id: &ObjectId, object: &Value) -> Entry {
    let risk = match id.kind.as_str() {
        "Ingress" | "HTTPRoute" | "Deployment" | "StatefulSet" | "Job" | "CronJob" => Risk::Medium,
        _ => Risk::Low,
    };
    let hosts: Vec<&str> = items_at(object, &["spec", "rules"])
        .filter_map(|rule| text_at(rule, &["host"]))
        .chain(items_at(object, &["spec", "hostnames"]).filter_map(Value::as_str))
        .collect();
    let summary = if hosts.is_empty() { "added".to_owned() } else { format!("added, host {}", hosts.join(", ")) };
    entry(id, String::new(), summary, risk, None, None)
}

/// An object that is gone.
pub(super) fn removed(id: &ObjectId, object: &Value) -> Entry {
    if let Some(summary) = lost_volume(id, object) {
        return entry(id, String::new(), summary, Risk::High, None, None);
    }
    let risk = match id.kind.as_str() {
        "HorizontalPodAutoscaler" | "PodDisruptionBudget" | "ServiceAccount" | "ConfigMap" => Risk::Medium,
        _ => Risk::High,
    };
    entry(id, String::new(), "removed".to_owned(), risk, None, None)
}

/// What becomes of the data of an object that goes.
fn lost_volume(id: &ObjectId, object: &Value) -> Option<String> {
    let size = |claim: &Value| text_at(claim, &["spec", "resources", "requests", "storage"]).unwrap_or("?").to_owned();
    match id.kind.as_str() {
        "PersistentVolumeClaim" => {
            let stays = object.pointer("/metadata/annotations/kustomize.toolkit.fluxcd.io~1prune").is_some();
            Some(match stays {
                true => {
                    format!("removed from the fleet; the volume {} ({}) stays in the cluster", id.name, size(object))
                }
                false => {
                    format!("removed, and the volume {} ({}) is lost with everything in it", id.name, size(object))
                }
            })
        }
        "StatefulSet" => {
            let claims: Vec<String> = items_at(object, &["spec", "volumeClaimTemplates"])
                .map(|claim| {
                    let name = text_at(claim, &["metadata", "name"]).unwrap_or_default();
                    format!("{name}-{}-0 ({})", id.name, size(claim))
                })
                .collect();
            let is_deleted =
                text_at(object, &["spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"]) == Some("Delete");
            let listed = claims.join(", ");
            match (claims.len(), is_deleted) {
                (0, _) => None,
                (1, true) => Some(format!("removed, and the volume {listed} is lost with everything in it")),
                (1, false) => {
                    Some(format!("removed; its volume {listed} stays in the cluster until someone deletes it"))
                }
                (_, true) => Some(format!("removed, and the volumes {listed} are lost with everything in them")),
                (_, false) => {
                    Some(format!("removed; its volumes {listed} stay in the cluster until someone deletes them"))
                }
            }
        }
        _ => None,
    }
}

/// A field that differs; `None` if it only repeats what another entry says.
pub(super) fn field(id: &ObjectId, difference: Difference<'_>) -> Option<Entry> {
    let keys = difference.keys();
    let (before, after) = (difference.before, difference.after);
    let item = difference.item().unwrap_or_default();
    let last = *keys.last()?;
    let arrow = |what: &str| match (before, after) {
        (Some(before), Some(after)) => format!("{what} {} -> {}", show(before), show(after)),
        (None, Some(after)) => format!("{what} set to {}", show(after)),
        (Some(before), None) => format!("{what} removed (was {})", show(before)),
        (None, None) => what.to_owned(),
    };
    let came = |what: String| {
        if before.is_none() {
            format!("{what} added")
        } else if after.is_none() {
            format!("{what} removed")
        } else {
            format!("{what} changed")
        }
    };
    let (summary, risk) = match keys.as_slice() {
        // Follows from the image and is shown there.
        [.., "labels", "app.kubernetes.io/version"] => return None,
        [.., "annotations", "kubectl.kubernetes.io/restartedAt"] => ("pods restart".to_owned(), Risk::Low),
        [.., "annotations", "wooo.work/config-hash"] => ("pods restart, their variables changed".to_owned(), Risk::Low),
        [.., "annotations" | "labels", name] if keys.len() <= 3 => {
            (arrow(&format!("{} {name}", keys[1].trim_end_matches('s'))), Risk::Low)
        }
        ["spec", "replicas"] => (arrow("replicas"), replicas_risk(after)),
        ["spec", "minReplicas"] => (arrow("least replicas"), replicas_risk(after)),
        ["spec", "maxReplicas"] => (arrow("most replicas"), Risk::Low),
        [.., "containers" | "initContainers", "image"] => (arrow("image"), Risk::Medium),
        [.., "resources", part @ ("limits" | "requests"), resource] => {
            let what = format!("{resource} {}", part.trim_end_matches('s'));
            (arrow(&what), amount_risk(resource, before, after))
        }
        [.., "containers", "env"] => (came(format!("variable {item}")), Risk::Medium),
        [.., "containers", "env", "value"] => (arrow(&format!("variable {item}")), Risk::Medium),
        // What is encrypted means nothing to a reader, and differs each time.
        ["spec", "encryptedData", name] if id.kind == "SealedSecret" => {
            return Some(entry(id, difference.dotted(), came(format!("secret {name}")), Risk::Medium, None, None));
        }
        _ if id.kind == "Secret" => {
            return (keys.first() == Some(&"stringData"))
                .then(|| entry(id, difference.dotted(), came(format!("secret {last}")), Risk::Medium, None, None));
        }
        ["data", name] => (arrow(&format!("variable {name}")), Risk::Medium),
        ["data"] => (came("variables".to_owned()), Risk::Medium),
        ["spec", "rules"] if !item.is_empty() => (came(format!("host {item}")), Risk::Medium),
        ["spec", "hostnames"] | ["spec", "dnsNames"] | ["spec", "tls", "hosts"] => (arrow("hosts"), Risk::Medium),
        ["spec", direction @ ("egress" | "ingress")] if id.kind == "NetworkPolicy" => traffic(direction, before, after),
        ["spec", "hard", name] => (arrow(&format!("quota {name}")), Risk::Low),
        path if path.contains(&"securityContext") => (arrow(&difference.dotted()), Risk::High),
        [.., "volumes"] => (came(format!("volume {item}")), Risk::Medium),
        [.., "volumeMounts"] => (came(format!("mount {item}")), Risk::Medium),
        [.., "containers" | "initContainers"] if !item.is_empty() => (came(format!("container {item}")), Risk::High),
        [.., "command" | "args"] => (arrow(last), Risk::Medium),
        ["spec", "selector", ..] => (arrow(&difference.dotted()), Risk::High),
        _ => (arrow(&difference.dotted()), Risk::Medium),
    };
    Some(entry(id, difference.dotted(), summary, risk, before.cloned(), after.cloned()))
}

fn entry(
    id: &ObjectId,
    field: String,
    summary: String,
    risk: Risk,
    before: Option<Value>,
    after: Option<Value>,
) -> Entry {
    Entry { object: id.to_string(), field, summary, risk, before, after }
}

fn replicas_risk(after: Option<&Value>) -> Risk {
    if after.and_then(Value::as_u64) == Some(0) { Risk::High } else { Risk::Low }
}

/// More is safe, less is a change, and what cannot be compared is one too.
fn amount_risk(resource: &str, before: Option<&Value>, after: Option<&Value>) -> Risk {
    let amount = |value: Option<&Value>| -> Option<u64> {
        let text = value?.as_str()?;
        match resource {
            "cpu" => text.parse::<Cpu>().ok().map(Cpu::millicores),
            _ => text.parse::<Memory>().ok().map(Memory::bytes),
        }
    };
    match (amount(before), amount(after)) {
        (Some(before), Some(after)) if after >= before => Risk::Low,
        _ => Risk::Medium,
    }
}

/// A rule of a NetworkPolicy that came or went: opening is what a reviewer must see.
fn traffic(direction: &str, before: Option<&Value>, after: Option<&Value>) -> (String, Risk) {
    let (rule, verb, risk) = match (before, after) {
        (None, Some(rule)) => (rule, "opened", Risk::High),
        (Some(rule), None) => (rule, "closed", Risk::Medium),
        (_, after) => (after.unwrap_or(&Value::Null), "changed", Risk::High),
    };
    let (preposition, peers_key) = if direction == "egress" { ("to", "to") } else { ("from", "from") };
    let peers: Vec<String> = items_at(rule, &[peers_key]).map(peer).collect();
    let peers = if peers.is_empty() { "anywhere".to_owned() } else { peers.join(" and ") };
    let ports: Vec<String> = items_at(rule, &["ports"])
        .map(|port| {
            let number = port.get("port").map(show).unwrap_or_default();
            format!("{} {number}", text_at(port, &["protocol"]).unwrap_or("TCP"))
        })
        .collect();
    let ports = if ports.is_empty() { String::new() } else { format!(" on {}", ports.join(", ")) };
    (format!("{direction} {preposition} {peers}{ports} {verb}"), risk)
}

fn peer(peer: &Value) -> String {
    if let Some(cidr) = text_at(peer, &["ipBlock", "cidr"]) {
        return cidr.to_owned();
    }
    match (peer.get("namespaceSelector"), peer.get("podSelector")) {
        (Some(selector), None) => format!("namespaces {}", labels(selector)),
        (Some(selector), Some(pods)) => format!("pods {} of namespaces {}", labels(pods), labels(selector)),
        (None, Some(pods)) => format!("pods {}", labels(pods)),
        (None, None) => "anywhere".to_owned(),
    }
}

fn labels(selector: &Value) -> String {
    let pairs = selector.get("matchLabels").and_then(Value::as_object);
    match pairs {
        Some(pairs) if !pairs.is_empty() => pairs
            .iter()
            .map(|(key, value)| format!("{}={}", key.rsplit('/').next().unwrap_or(key), show(value)))
            .collect::<Vec<_>>()
            .join(","),
        _ if selector.get("matchExpressions").is_some() => "by expression".to_owned(),
        _ => "of its own namespace".to_owned(),
    }
}

/// A value on one line, cut where it is long; control characters are escaped, because this goes to terminals.
fn show(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.chars().any(|c| c.is_control() || c == ' ') => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    format!("{cut}…")
}
