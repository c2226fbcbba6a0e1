//! Deployments: ReplicaSets by the hash of their template, and rolling updates.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::cluster::Cluster;
use super::super::patch::as_object;
use super::super::store::{Key, Object, SANDBOX_LABEL, Store};
use super::{Member, Memory, members, number, owner_reference, pod, template_hash};

/// The annotation that numbers ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// A ReplicaSet with its pods.
struct Set {
    object: Arc<Object>,
    value: Value,
    pods: Vec<Member>,
}

impl Set {
    fn ready(&self) -> i64 {
        count(self.pods.iter().filter(|pod| pod.is_ready))
    }

    fn available(&self) -> i64 {
        count(self.pods.iter().filter(|pod| pod.is_available))
    }

    fn total(&self) -> i64 {
        count(self.pods.iter())
    }

    fn revision(&self) -> i64 {
        let text =
            self.value.pointer("/metadata/annotations").and_then(|all| all.get(REVISION)).and_then(Value::as_str);
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Brings a Deployment a step further.
pub(super) fn step(cluster: &Cluster, memory: &mut Memory, key: &Key) -> Option<Duration> {
    let mut store = cluster.store();
    let Some(deployment) = store.value(key) else {
        memory.progress.remove(key);
        return None;
    };
    let wanted = replicas(&store, memory, key, &deployment);
    let min_ready = deployment.pointer("/spec/minReadySeconds").and_then(Value::as_f64).unwrap_or(0.0);
    let template = deployment.pointer("/spec/template").cloned().unwrap_or_default();
    let hash = template_hash(&template);
    ensure_set(&mut store, memory, key, &deployment, &template, &hash);
    let (mut sets, wait) = sets(cluster, &store, &deployment, min_ready);
    let at = sets.iter().position(|set| is_of(set, &hash))?;
    let new = sets.remove(at);
    roll(&mut store, &deployment, &new, &sets, wanted, &template, &hash);
    // What was just made or removed comes back as an event; the status is that of now.
    let (mut sets, _) = self::sets(cluster, &store, &deployment, min_ready);
    for set in &sets {
        write_set_status(&mut store, set);
    }
    forget_old(&mut store, &deployment, &sets, &hash);
    let at = sets.iter().position(|set| is_of(set, &hash))?;
    let new = sets.remove(at);
    let left = write_status(cluster, &mut store, memory, key, &deployment, &new, &sets, wanted);
    [wait, left].into_iter().flatten().min()
}

fn is_of(set: &Set, hash: &str) -> bool {
    set.value.pointer("/metadata/labels/pod-template-hash").is_some_and(|found| found == hash)
}

/// How many pods there should be: an autoscaler owns the number where the spec leaves it out.
fn replicas(store: &Store, memory: &Memory, key: &Key, deployment: &Value) -> i64 {
    if let Some(wanted) = deployment.pointer("/spec/replicas").and_then(Value::as_i64) {
        return wanted;
    }
    let targets = |scaler: &Value| {
        let name = scaler.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str);
        name.is_some_and(|name| name == &*key.name)
    };
    let scalers = store.list(memory.ids.autoscaler, Some(&key.namespace), None).map(|object| object.value());
    scalers.into_iter().find(targets).map_or(1, |scaler| number(&scaler, "/spec/minReplicas", 1))
}

fn sets(cluster: &Cluster, store: &Store, deployment: &Value, min_ready: f64) -> (Vec<Set>, Option<Duration>) {
    let uid = deployment.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let mut wait: Option<Duration> = None;
    let set = |object: Arc<Object>| {
        let (pods, left) = members(cluster, store, &object.uid, min_ready);
        wait = [wait, left].into_iter().flatten().min();
        Set { value: object.value(), object, pods }
    };
    let sets = store.owned_by(uid).into_iter().map(set).collect();
    (sets, wait)
}

/// Makes the ReplicaSet of the template, or gives an old one the newest number.
fn ensure_set(store: &mut Store, memory: &Memory, key: &Key, deployment: &Value, template: &Value, hash: &str) {
    let uid = deployment.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let all: Vec<Set> =
        store.owned_by(uid).into_iter().map(|object| Set { value: object.value(), object, pods: Vec::new() }).collect();
    let newest = all.iter().map(Set::revision).max().unwrap_or(0);
    let (revision, value) = match all.iter().find(|set| is_of(set, hash)) {
        Some(set) if set.revision() == newest => (newest, None),
        Some(set) => (newest + 1, Some(set.value.clone())),
        None => (newest + 1, Some(new_set(key, deployment, template, hash))),
    };
    if let Some(mut value) = value {
        let metadata = as_object(value.pointer_mut("/metadata").unwrap_or(&mut Value::Null)).clone();
        let mut metadata = Value::Object(metadata);
        let annotations = as_object(&mut metadata).entry("annotations").or_insert(Value::Null);
        as_object(annotations).insert(REVISION.to_owned(), json!(revision.to_string()));
        as_object(&mut value).insert("metadata".to_owned(), metadata);
        let _made = store.put_whole(memory.ids.replica_set, &key.namespace, value);
    }
    let noted = deployment.pointer("/metadata/annotations").and_then(|all| all.get(REVISION)).and_then(Value::as_str);
    if noted != Some(revision.to_string().as_str()) {
        let note = json!({"metadata": {"annotations": {REVISION: revision.to_string()}}});
        let _noted = store.apply(key, &note, "deployment-controller", super::super::store::Part::Main);
    }
}

fn new_set(key: &Key, deployment: &Value, template: &Value, hash: &str) -> Value {
    let mut template = template.clone();
    let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
    as_object(&mut labels).insert("pod-template-hash".to_owned(), json!(hash));
    let metadata = as_object(&mut template).entry("metadata").or_insert(Value::Null);
    as_object(metadata).insert("labels".to_owned(), labels.clone());
    as_object(&mut labels).insert(SANDBOX_LABEL.to_owned(), json!("true"));
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_default();
    let matches = as_object(&mut selector).entry("matchLabels").or_insert(Value::Null);
    as_object(matches).insert("pod-template-hash".to_owned(), json!(hash));
    json!({
        "metadata": {
            "name": format!("{}-{hash}", key.name),
            "labels": labels,
            "annotations": {},
            "ownerReferences": owner_reference(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    })
}

/// Makes and removes pods: old ones stay as long as new ones are not available.
fn roll(store: &mut Store, deployment: &Value, new: &Set, old: &[Set], wanted: i64, template: &Value, hash: &str) {
    let recreates = deployment.pointer("/spec/strategy/type").is_some_and(|kind| kind == "Recreate");
    let surge = share(deployment.pointer("/spec/strategy/rollingUpdate/maxSurge"), wanted, true);
    let missing = share(deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable"), wanted, false);
    // Both at nought would never get anywhere, which the real server refuses.
    let missing = if surge == 0 && missing == 0 { 1 } else { missing };
    let old_total: i64 = old.iter().map(Set::total).sum();
    let room = if recreates && old_total > 0 { 0 } else { wanted + surge - old_total - new.total() };
    let room = if old_total == 0 { wanted - new.total() } else { room };
    for _ in 0..(wanted - new.total()).min(room).max(0) {
        let name = format!("{}-{}", new.object.key.name, suffix());
        let made = pod(&new.value, &name, template, &[("pod-template-hash", hash)]);
        let kind = store.kinds().named("", "Pod");
        let _made = kind.and_then(|kind| store.put_whole(kind, &new.object.key.namespace, made));
    }
    let mut surplus: Vec<&Member> = new.pods.iter().collect();
    surplus.sort_by_key(|pod| (pod.is_available, pod.is_ready));
    for pod in surplus.iter().take(usize::try_from(new.total() - wanted).unwrap_or(0)) {
        let _gone = store.delete(&pod.key);
    }
    if recreates {
        missing_out(store, old.iter().flat_map(|set| &set.pods), i64::MAX);
        return;
    }
    let minimum = wanted - missing;
    let unready_new = new.total() - new.available();
    let mut removable = (old_total + new.total() - minimum - unready_new).max(0);
    let pods = || old.iter().flat_map(|set| &set.pods);
    removable -= missing_out(store, pods().filter(|pod| !pod.is_available), removable);
    let available: i64 = old.iter().map(Set::available).sum::<i64>() + new.available();
    missing_out(store, pods().filter(|pod| pod.is_available), removable.min(available - minimum));
}

/// Removes up to `most` pods, and says how many.
fn missing_out<'a>(store: &mut Store, pods: impl Iterator<Item = &'a Member>, most: i64) -> i64 {
    let mut removed = 0;
    for pod in pods.take(usize::try_from(most).unwrap_or(0)) {
        let _gone = store.delete(&pod.key);
        removed += 1;
    }
    removed
}

/// A number or a percentage of a number; a quarter if nothing is said.
fn share(value: Option<&Value>, of: i64, rounds_up: bool) -> i64 {
    let percent = |percent: i64| if rounds_up { (of * percent + 99) / 100 } else { of * percent / 100 };
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(1),
        Some(Value::String(text)) => text.trim_end_matches('%').parse().map_or(1, percent),
        _ => percent(25),
    }
}

fn suffix() -> String {
    template_hash(&json!(uuid::Uuid::new_v4().to_string())).chars().take(5).collect()
}

fn write_set_status(store: &mut Store, set: &Set) {
    let mut value = set.value.clone();
    if let Some(spec) = value.get_mut("spec") {
        as_object(spec).insert("replicas".to_owned(), json!(set.total()));
    }
    let generation = number(&set.value, "/metadata/generation", 1);
    let is_scaled = number(&set.value, "/spec/replicas", 0) != set.total();
    let mut status = Map::new();
    status.insert("replicas".to_owned(), json!(set.total()));
    for (field, amount) in
        [("fullyLabeledReplicas", set.total()), ("readyReplicas", set.ready()), ("availableReplicas", set.available())]
    {
        if amount > 0 {
            status.insert(field.to_owned(), json!(amount));
        }
    }
    status.insert("observedGeneration".to_owned(), json!(generation + i64::from(is_scaled)));
    as_object(&mut value).insert("status".to_owned(), Value::Object(status));
    let _stored = store.put_whole(set.object.key.kind, &set.object.key.namespace, value);
}

/// Removes the oldest ReplicaSets without pods, beyond as many as the Deployment wants to keep.
fn forget_old(store: &mut Store, deployment: &Value, sets: &[Set], hash: &str) {
    let keep = usize::try_from(number(deployment, "/spec/revisionHistoryLimit", 10)).unwrap_or(10);
    let mut empty: Vec<&Set> = sets.iter().filter(|set| set.pods.is_empty() && !is_of(set, hash)).collect();
    empty.sort_by_key(|set| std::cmp::Reverse(set.revision()));
    for set in empty.into_iter().skip(keep) {
        let _gone = store.delete(&set.object.key);
    }
}

#[expect(clippy::too_many_arguments, reason = "they are what a status is made from, and used once")]
fn write_status(
    cluster: &Cluster,
    store: &mut Store,
    memory: &mut Memory,
    key: &Key,
    deployment: &Value,
    new: &Set,
    old: &[Set],
    wanted: i64,
) -> Option<Duration> {
    let total = new.total() + old.iter().map(Set::total).sum::<i64>();
    let ready = new.ready() + old.iter().map(Set::ready).sum::<i64>();
    let available = new.available() + old.iter().map(Set::available).sum::<i64>();
    let is_complete = new.total() == wanted && total == wanted && new.available() == wanted;
    let now = cluster.now();
    let mark = format!("{} {} {} {total} {available}", new.object.key.name, new.total(), new.available());
    let since = match memory.progress.get(key) {
        Some((before, since)) if *before == mark => *since,
        _ => {
            memory.progress.insert(key.clone(), (mark, now));
            now
        }
    };
    let deadline = deployment.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_f64).unwrap_or(600.0);
    let left = since + super::super::pods::millis(cluster.timings.scaled(deadline)) - now;
    let set = &new.object.key.name;
    let (is_progressing, reason, message) = if is_complete {
        (true, "NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
    } else if left <= 0 {
        (false, "ProgressDeadlineExceeded", format!("ReplicaSet \"{set}\" has timed out progressing."))
    } else {
        (true, "ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
    };
    let minimum = wanted - share(deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable"), wanted, false);
    let mut status = Map::new();
    status.insert("observedGeneration".to_owned(), deployment.pointer("/metadata/generation").cloned().into());
    for (field, amount) in [
        ("replicas", total),
        ("updatedReplicas", new.total()),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (total.max(wanted) - available).max(0)),
    ] {
        if amount > 0 {
            status.insert(field.to_owned(), json!(amount));
        }
    }
    let timestamp = store.timestamp();
    let before = deployment.pointer("/status/conditions");
    let availability = if available >= minimum {
        ("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
    } else {
        ("Available", false, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.".to_owned())
    };
    let conditions = [availability, ("Progressing", is_progressing, reason, message)];
    let conditions: Vec<Value> = conditions.into_iter().map(|made| condition(before, made, &timestamp)).collect();
    status.insert("conditions".to_owned(), json!(conditions));
    store.set_status(key, Value::Object(status));
    (!is_complete && left > 0).then(|| Duration::from_millis(u64::try_from(left).unwrap_or(1)))
}

fn condition(before: Option<&Value>, made: (&str, bool, &str, String), now: &str) -> Value {
    let (name, is_true, reason, message) = made;
    let status = if is_true { "True" } else { "False" };
    let all = before.and_then(Value::as_array).into_iter().flatten();
    let before = all.into_iter().find(|old| old.get("type").is_some_and(|found| found == name));
    let keeps = |field: &str, is_same: bool| {
        let kept = before.filter(|_| is_same).and_then(|old| old.get(field)).cloned();
        kept.unwrap_or_else(|| json!(now))
    };
    let is = |field: &str, value: &str| before.and_then(|old| old.get(field)).is_some_and(|found| found == value);
    let updated = keeps("lastUpdateTime", is("reason", reason) && is("message", &message));
    let turned = keeps("lastTransitionTime", is("status", status));
    json!({
        "type": name,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": updated,
        "lastTransitionTime": turned,
    })
}
