//! The controllers of a sandbox cluster: what happens because something happened.
//!
//! One task per cluster reads what has changed, works out which objects that concerns, and brings each of them a step
//! further. Every step is a plain function on the store; what has to wait says for how long.

mod deployment;
mod kubelet;
mod others;
mod stateful;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::cluster::Cluster;
use super::kinds::KindId;
use super::store::{Event, Key, Object, SANDBOX_LABEL, Store};

/// How many objects are brought further before others get a turn.
const BATCH: usize = 256;

/// The kinds that have a controller here.
#[derive(Clone, Copy, Debug)]
struct Ids {
    pod: KindId,
    deployment: KindId,
    replica_set: KindId,
    stateful_set: KindId,
    event: KindId,
    claim: KindId,
    autoscaler: KindId,
    secret: KindId,
    certificate: Option<KindId>,
    sealed_secret: Option<KindId>,
    external_secret: Option<KindId>,
}

impl Ids {
    fn of(store: &Store) -> Option<Self> {
        let named = |group, kind| store.kinds().named(group, kind);
        Some(Self {
            pod: named("", "Pod")?,
            deployment: named("apps", "Deployment")?,
            replica_set: named("apps", "ReplicaSet")?,
            stateful_set: named("apps", "StatefulSet")?,
            event: named("", "Event")?,
            claim: named("", "PersistentVolumeClaim")?,
            autoscaler: named("autoscaling", "HorizontalPodAutoscaler")?,
            secret: named("", "Secret")?,
            certificate: named("cert-manager.io", "Certificate"),
            sealed_secret: named("bitnami.com", "SealedSecret"),
            external_secret: named("external-secrets.io", "ExternalSecret"),
        })
    }
}

/// What controllers remember between two steps.
#[derive(Debug)]
struct Memory {
    ids: Ids,
    /// How far a rollout was, and since when (milliseconds).
    progress: HashMap<Key, (String, i64)>,
    /// The events that there are, oldest first.
    events: std::collections::VecDeque<Key>,
}

/// Runs the controllers until the sandbox stops.
pub(super) async fn run(cluster: Arc<Cluster>, mut changes: mpsc::UnboundedReceiver<Event>) {
    let Some(ids) = Ids::of(&cluster.store()) else { return };
    let mut memory = Memory { ids, progress: HashMap::new(), events: std::collections::VecDeque::new() };
    let mut timers: BTreeMap<Instant, BTreeSet<Key>> = BTreeMap::new();
    loop {
        let mut work = BTreeSet::new();
        let next = timers.keys().next().copied().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            event = changes.recv() => match event {
                Some(event) => concern(&cluster, &memory.ids, &event, &mut work),
                None => return,
            },
            () = sleep_until(next) => {}
            () = cluster.moods.notified() => work.extend(kubelet::change_moods(&cluster)),
            () = cluster.stop.cancelled() => return,
        }
        while work.len() < BATCH
            && let Ok(event) = changes.try_recv()
        {
            concern(&cluster, &memory.ids, &event, &mut work);
        }
        let later = timers.split_off(&Instant::now());
        work.extend(std::mem::replace(&mut timers, later).into_values().flatten());
        for key in work {
            if let Some(wait) = step(&cluster, &mut memory, &key) {
                timers.entry(Instant::now() + wait).or_default().insert(key);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Brings one object a step further, and says when to look at it again.
fn step(cluster: &Cluster, memory: &mut Memory, key: &Key) -> Option<Duration> {
    let ids = memory.ids;
    if key.kind == ids.pod {
        kubelet::step(cluster, memory, key)
    } else if key.kind == ids.deployment {
        deployment::step(cluster, memory, key)
    } else if key.kind == ids.stateful_set {
        stateful::step(cluster, memory, key)
    } else {
        others::step(cluster, memory, key);
        None
    }
}

/// Adds what an event concerns to the work.
fn concern(cluster: &Cluster, ids: &Ids, event: &Event, work: &mut BTreeSet<Key>) {
    let Some(object) = event.after.as_ref().or(event.before.as_ref()) else { return };
    let kind = object.key.kind;
    if kind == ids.pod {
        if event.after.is_none() || event.before.is_none() {
            work.insert(object.key.clone());
        }
        let store = cluster.store();
        let Some(owner) = owner(&store, object) else { return };
        if owner.kind == ids.replica_set {
            let set = store.get(&owner).cloned();
            work.extend(set.and_then(|set| self::owner(&store, &set)));
        } else {
            work.insert(owner);
        }
    } else if kind == ids.replica_set {
        // Its own status is written by the Deployment's step, which needs no second look for it.
        if event.after.is_none() {
            work.extend(owner(&cluster.store(), object));
        }
    } else if kind == ids.autoscaler {
        let target = object.value().pointer("/spec/scaleTargetRef/name").and_then(Value::as_str).map(str::to_owned);
        work.extend(target.map(|name| cluster.store().key(ids.deployment, &object.key.namespace, &name)));
    } else if [ids.deployment, ids.stateful_set, ids.claim].contains(&kind)
        || [ids.certificate, ids.sealed_secret, ids.external_secret].contains(&Some(kind))
    {
        work.insert(object.key.clone());
    }
}

/// The object that owns another, if it is there or was.
fn owner(store: &Store, object: &Object) -> Option<Key> {
    let value = object.value();
    let owner = value.pointer("/metadata/ownerReferences/0")?;
    let text = |key: &str| owner.get(key).and_then(Value::as_str);
    let kind = store.kinds().of(text("apiVersion")?, text("kind")?)?;
    Some(store.key(kind, &object.key.namespace, text("name")?))
}

/// A reference from what is owned to its owner.
fn owner_reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner.get("apiVersion"),
        "kind": owner.get("kind"),
        "name": owner.pointer("/metadata/name"),
        "uid": owner.pointer("/metadata/uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// A pod made from a template.
fn pod(owner: &Value, name: &str, template: &Value, labels: &[(&str, &str)]) -> Value {
    let mut metadata = template.get("metadata").cloned().unwrap_or_default();
    let map = super::patch::as_object(&mut metadata);
    map.insert("name".to_owned(), json!(name));
    map.insert("ownerReferences".to_owned(), owner_reference(owner));
    let all = super::patch::as_object(map.entry("labels").or_insert(Value::Null));
    for (key, value) in labels {
        all.insert((*key).to_owned(), json!(value));
    }
    all.insert(SANDBOX_LABEL.to_owned(), json!("true"));
    let mut spec = template.get("spec").cloned().unwrap_or_default();
    super::patch::as_object(&mut spec).insert("nodeName".to_owned(), json!(super::cluster::NODE));
    let status = json!({"phase": "Pending"});
    json!({"metadata": metadata, "spec": spec, "status": status})
}

/// A pod's name and state, as workloads see it.
#[derive(Clone, Debug)]
struct Member {
    key: Key,
    is_ready: bool,
    is_available: bool,
}

/// The pods that an object owns, and how long until the next of them counts as available.
fn members(cluster: &Cluster, store: &Store, uid: &str, min_ready: f64) -> (Vec<Member>, Option<Duration>) {
    let now = cluster.now();
    let wait = super::pods::millis(cluster.timings.scaled(min_ready));
    let mut soonest: Option<i64> = None;
    let runs = cluster.runs();
    let member = |object: Arc<Object>| {
        let ready = runs.get(&object.key).and_then(|run| run.ready);
        let left = ready.map(|ready| ready + wait - now);
        if let Some(left) = left.filter(|left| *left > 0) {
            soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
        }
        let is_available = left.is_some_and(|left| left <= 0);
        Member { key: object.key.clone(), is_ready: ready.is_some(), is_available }
    };
    let members = store.owned_by(uid).into_iter().map(member).collect();
    (members, soonest.map(|left| Duration::from_millis(u64::try_from(left).unwrap_or(0))))
}

/// A short text that is the same for the same template.
fn template_hash(template: &Value) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash = template
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut text = String::new();
    for _ in 0..10 {
        let at = usize::try_from(hash % 27).unwrap_or(0);
        text.extend(LETTERS.get(at).map(|letter| char::from(*letter)));
        hash /= 27;
    }
    text
}

/// A number of a spec.
fn number(value: &Value, pointer: &str, default: i64) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(default)
}
