//! Pods: their status and their events, from what their containers do.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::cluster::{Cluster, NODE};
use super::super::pods::{Run, Step};
use super::super::store::{Key, SANDBOX_LABEL, Store, timestamp};
use super::Memory;

/// How many events a cluster keeps.
const MAX_EVENTS: usize = 5_000;

/// Brings a pod a step further.
pub(super) fn step(cluster: &Cluster, memory: &mut Memory, key: &Key) -> Option<Duration> {
    let mut store = cluster.store();
    let mut runs = cluster.runs();
    let now = cluster.now();
    let Some(object) = store.get(key).cloned() else {
        runs.end(key, now);
        return None;
    };
    if runs.get(key).is_some_and(|run| run.uid != *object.uid) {
        runs.end(key, now);
    }
    let is_new = runs.get(key).is_none();
    let mut pod = object.value();
    if is_new {
        let mut run = Run::new(key.clone(), &pod, now);
        run.listen(&cluster.behaviours());
        run.begin(&cluster.timings);
        runs.begin(run);
    }
    let run = runs.get_mut(key)?;
    let is_changed = run.advance(now, &cluster.timings);
    let due = run.due.map(|due| Duration::from_millis(u64::try_from(due - now).unwrap_or(0).max(1)));
    if is_new || is_changed {
        let run = run.clone();
        drop(runs);
        let status = status(&run, &pod, &store.timestamp());
        super::super::patch::as_object(&mut pod).insert("status".to_owned(), status);
        store.set_status(key, pod.get("status").cloned().unwrap_or_default());
        for (kind, reason, message) in news(&run, is_new) {
            tell(&mut store, memory, &pod, kind, reason, &message);
        }
    }
    due
}

/// Makes every pod look up how it behaves, and says which of them have to be looked at.
pub(super) fn change_moods(cluster: &Cluster) -> Vec<Key> {
    let now = cluster.now();
    let mut runs = cluster.runs();
    let wishes = cluster.behaviours();
    let mut changed = Vec::new();
    for key in runs.keys() {
        if let Some(run) = runs.get_mut(&key)
            && run.listen(&wishes)
        {
            run.change(now, &cluster.timings);
            changed.push(key);
        }
    }
    changed
}

fn date(milliseconds: i64) -> Value {
    jiff::Timestamp::from_millisecond(milliseconds).map_or(Value::Null, |at| json!(timestamp(at)))
}

/// A pod's status as a kubelet writes it.
fn status(run: &Run, pod: &Value, now: &str) -> Value {
    let is_ready = run.ready.is_some();
    let is_running = !matches!(run.step, Step::Creating | Step::Pulling(_)) || !run.restarts.is_empty();
    let old = pod.pointer("/status/conditions").and_then(Value::as_array);
    let condition = |name: &str, is_true: bool| {
        let status = if is_true { "True" } else { "False" };
        let before = old.into_iter().flatten().find(|old| old.get("type").is_some_and(|found| found == name));
        let since = before.filter(|old| old.get("status").is_some_and(|found| found == status));
        let since = since.and_then(|old| old.get("lastTransitionTime")).cloned().unwrap_or_else(|| json!(now));
        let mut made = json!({"type": name, "status": status, "lastTransitionTime": since});
        if !is_true && let Some(made) = made.as_object_mut() {
            let names: Vec<&str> = run.containers.get(run.failing).map(|one| one.name.as_str()).into_iter().collect();
            made.insert("reason".to_owned(), json!("ContainersNotReady"));
            made.insert("message".to_owned(), json!(format!("containers with unready status: [{}]", names.join(" "))));
        }
        made
    };
    let containers: Vec<Value> = (0..run.containers.len()).filter_map(|at| container_status(run, at)).collect();
    json!({
        "phase": if is_running { "Running" } else { "Pending" },
        "hostIP": "127.0.0.1",
        "podIP": if is_running { "127.0.0.1" } else { "" },
        "startTime": date(run.created),
        "qosClass": "Burstable",
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", is_ready),
            condition("Ready", is_ready),
        ],
        "containerStatuses": containers,
    })
}

fn container_status(run: &Run, at: usize) -> Option<Value> {
    let container = run.containers.get(at)?;
    let fails = at == run.failing;
    let waiting = if fails || run.step == Step::Creating { run.waiting() } else { None };
    let state = match waiting {
        Some(reason) => json!({"waiting": {"reason": reason, "message": explain(run, reason)}}),
        None => json!({"running": {"startedAt": date(run.started.unwrap_or(run.created))}}),
    };
    let mut status = Map::new();
    status.insert("name".to_owned(), json!(container.name));
    status.insert("image".to_owned(), json!(container.image));
    status.insert("imageID".to_owned(), json!(""));
    status.insert("ready".to_owned(), json!(waiting.is_none() && (run.ready.is_some() || !fails)));
    status.insert("started".to_owned(), json!(waiting.is_none()));
    status.insert("restartCount".to_owned(), json!(if fails { run.restarts.len() } else { 0 }));
    status.insert("state".to_owned(), state);
    let ended = run.exit.filter(|_| fails);
    let last = ended.map_or_else(
        || json!({}),
        |(code, reason)| {
            let times = (date(run.started.unwrap_or(run.created)), date(run.restarts.last().copied().unwrap_or(0)));
            json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": times.0, "finishedAt": times.1}})
        },
    );
    status.insert("lastState".to_owned(), last);
    Some(Value::Object(status))
}

fn explain(run: &Run, reason: &str) -> String {
    let container = run.containers.get(run.failing);
    let (name, image) = container.map_or(("", ""), |container| (&container.name, &container.image));
    match reason {
        "CrashLoopBackOff" => format!("back-off restarting failed container={name} pod={}", run.key.name),
        "ErrImagePull" => format!("failed to pull image \"{image}\": not found (the sandbox was asked for this)"),
        "ImagePullBackOff" => format!("Back-off pulling image \"{image}\""),
        _ => String::new(),
    }
}

/// What the kubelet says of a pod that has changed.
fn news(run: &Run, is_new: bool) -> Vec<(&'static str, &'static str, String)> {
    if is_new {
        return vec![("Normal", "Scheduled", format!("Successfully assigned {} to {NODE}", run.key.name))];
    }
    let container = run.containers.get(run.failing);
    let (name, image) = container.map_or(("", ""), |container| (&container.name, &container.image));
    match run.step {
        Step::Ready => vec![
            ("Normal", "Pulled", format!("Container image \"{image}\" already present on machine")),
            ("Normal", "Started", format!("Container started: {name}")),
        ],
        Step::Running => vec![("Normal", "Started", format!("Container started: {name}"))],
        Step::Pulling(false) => vec![("Warning", "Failed", explain(run, "ErrImagePull"))],
        Step::Pulling(true) => vec![("Warning", "BackOff", explain(run, "ImagePullBackOff"))],
        Step::BackOff => vec![("Warning", "BackOff", explain(run, "CrashLoopBackOff"))],
        Step::Creating => Vec::new(),
    }
}

/// Makes an event, or counts it once more.
fn tell(store: &mut Store, memory: &mut Memory, object: &Value, kind: &str, reason: &str, message: &str) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let mark = super::template_hash(&json!([text("/metadata/uid"), reason, message]));
    let key = store.key(memory.ids.event, namespace, &format!("{name}.{mark}"));
    let before = store.value(&key);
    let now = store.timestamp();
    let count = before.as_ref().map_or(0, |before| super::number(before, "/count", 0)) + 1;
    let first = before.as_ref().and_then(|before| before.get("firstTimestamp")).cloned();
    let event = json!({
        "metadata": {"name": key.name, "labels": {SANDBOX_LABEL: "true"}},
        "involvedObject": {
            "apiVersion": text("/apiVersion"),
            "kind": text("/kind"),
            "namespace": namespace,
            "name": name,
            "uid": text("/metadata/uid"),
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": first.unwrap_or_else(|| json!(now)),
        "lastTimestamp": now,
        "source": {"component": "kubelet", "host": NODE},
        "reportingComponent": "kubelet",
        "reportingInstance": NODE,
    });
    if before.is_none() {
        memory.events.push_back(key.clone());
        if memory.events.len() > MAX_EVENTS
            && let Some(oldest) = memory.events.pop_front()
        {
            let _gone = store.delete(&oldest);
        }
    }
    let _told = store.put_whole(key.kind, namespace, event);
}
