//! StatefulSets: numbered pods, made and replaced one after the other.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::cluster::Cluster;
use super::super::store::{Key, SANDBOX_LABEL, Store};
use super::{Member, Memory, members, number, pod, template_hash};

/// The label that says which template a pod was made from.
const REVISION: &str = "controller-revision-hash";

/// Brings a StatefulSet a step further.
pub(super) fn step(cluster: &Cluster, memory: &Memory, key: &Key) -> Option<Duration> {
    let mut store = cluster.store();
    let set = store.value(key)?;
    let uid = set.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let min_ready = set.pointer("/spec/minReadySeconds").and_then(Value::as_f64).unwrap_or(0.0);
    let template = set.pointer("/spec/template").cloned().unwrap_or_default();
    let revision = format!("{}-{}", key.name, template_hash(&template));
    let wanted = number(&set, "/spec/replicas", 1);
    let (pods, _) = members(cluster, &store, &uid, min_ready);
    move_on(&mut store, memory, key, &set, &pods, wanted, &template, &revision);
    let (pods, wait) = members(cluster, &store, &uid, min_ready);
    let is_new = |pod: &&Member| is_of(&store, &pod.key, &revision);
    let amount = |pods: usize| i64::try_from(pods).unwrap_or(i64::MAX);
    let updated = amount(pods.iter().filter(is_new).count());
    let before = set.pointer("/status/currentRevision").and_then(Value::as_str).unwrap_or(&revision);
    let current = if updated == wanted { revision.clone() } else { before.to_owned() };
    let mut status = Map::new();
    status.insert("observedGeneration".to_owned(), json!(number(&set, "/metadata/generation", 1)));
    status.insert("replicas".to_owned(), json!(pods.len()));
    for (field, count) in [
        ("readyReplicas", amount(pods.iter().filter(|pod| pod.is_ready).count())),
        ("availableReplicas", amount(pods.iter().filter(|pod| pod.is_available).count())),
        ("updatedReplicas", updated),
        ("currentReplicas", if current == revision { updated } else { amount(pods.len()) - updated }),
    ] {
        if count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    status.insert("currentRevision".to_owned(), json!(current));
    status.insert("updateRevision".to_owned(), json!(revision));
    store.set_status(key, Value::Object(status));
    wait
}

fn is_of(store: &Store, pod: &Key, revision: &str) -> bool {
    let label = store.value(pod).and_then(|pod| pod.pointer("/metadata/labels")?.get(REVISION).cloned());
    label.is_some_and(|label| label == revision)
}

/// Makes, replaces or removes at most one pod; all at once if the set says that its pods need no order.
#[expect(clippy::too_many_arguments, reason = "they are the parts of one set, and used once")]
fn move_on(
    store: &mut Store,
    memory: &Memory,
    key: &Key,
    set: &Value,
    pods: &[Member],
    wanted: i64,
    template: &Value,
    revision: &str,
) {
    let in_order = set.pointer("/spec/podManagementPolicy").is_none_or(|policy| policy != "Parallel");
    for index in 0..wanted {
        let name = format!("{}-{index}", key.name);
        match pods.iter().find(|pod| *pod.key.name == *name) {
            Some(pod) if in_order && !pod.is_ready && is_of(store, &pod.key, revision) => return,
            Some(_) => {}
            None => {
                let labels = [(REVISION, revision), ("statefulset.kubernetes.io/pod-name", name.as_str())];
                claim(store, memory, key, set, &name);
                let made = pod(set, &name, template, &labels);
                let _made = store.put_whole(memory.ids.pod, &key.namespace, made);
                if in_order {
                    return;
                }
            }
        }
    }
    let number_of = |pod: &Member| -> i64 {
        pod.key.name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(i64::MAX)
    };
    let surplus = pods.iter().filter(|pod| number_of(pod) >= wanted).max_by_key(|pod| number_of(pod));
    let outdated = || {
        let all = pods.iter().filter(|pod| !is_of(store, &pod.key, revision));
        all.max_by_key(|pod| (!pod.is_ready, number_of(pod)))
    };
    if let Some(pod) = surplus.or_else(outdated) {
        let _gone = store.delete(&pod.key);
    }
}

/// Makes the volume claims of a pod. They outlive it, as they do in a real cluster.
fn claim(store: &mut Store, memory: &Memory, key: &Key, set: &Value, pod: &str) {
    let templates = set.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    for template in templates.into_iter().flatten() {
        let name = template.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("data");
        let name = format!("{name}-{pod}");
        if store.get(&store.key(memory.ids.claim, &key.namespace, &name)).is_some() {
            continue;
        }
        let labels = json!({SANDBOX_LABEL: "true"});
        let claim = json!({"metadata": {"name": name, "labels": labels}, "spec": template.get("spec")});
        let _made = store.put_whole(memory.ids.claim, &key.namespace, claim);
    }
}
