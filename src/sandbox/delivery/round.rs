//! One look at the fleet and at everything that is synced from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::kinds::KindId;
use super::super::patch::as_object;
use super::super::store::{Key, Object, Part, Store};
use super::Fleet;
use super::health::{Health, judge};
use super::manifests::{self, Seen};
use super::status;
use super::unit::{Dialect, Wish};
use crate::git::{CommitId, Repository, TreeId};

/// Who applies, in the words of server-side apply.
const MANAGER: &str = "kustomize-controller";

/// What is remembered between rounds.
#[derive(Debug, Default)]
pub(super) struct State {
    units: HashMap<Key, Unit>,
}

/// What is known of one unit.
#[derive(Debug)]
pub(super) struct Unit {
    /// The version of the object that `wish` was read from.
    version: u64,
    /// What it asks for.
    pub(super) wish: Wish,
    /// What was applied, by file.
    files: HashMap<String, Vec<Key>>,
    seen: Seen,
    tree: Option<TreeId>,
    /// The revision that was tried last.
    pub(super) attempted: Option<Revision>,
    /// The revision that was applied with success last.
    pub(super) applied: Option<Revision>,
    /// Where it stands.
    pub(super) phase: Phase,
    /// What is wrong, in one sentence.
    pub(super) message: String,
    due: Instant,
}

/// A commit, as a branch had it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Revision {
    /// The branch.
    pub(super) branch: String,
    /// The commit.
    pub(super) commit: CommitId,
}

/// Where a unit stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Nothing was tried yet.
    New,
    /// Applied; its objects have until then to become ready.
    Checking(Instant),
    /// Done.
    Ready,
    /// Its manifests cannot be built or applied.
    Broken,
    /// Its objects did not become ready.
    Unhealthy,
}

impl Unit {
    /// Everything that was applied, sorted.
    pub(super) fn inventory(&self) -> Vec<&Key> {
        let mut keys: Vec<&Key> = self.files.values().flatten().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl State {
    /// Whether something is on its way that another look may find done.
    pub(super) fn is_busy(&self) -> bool {
        self.units.values().any(|unit| matches!(unit.phase, Phase::Checking(_) | Phase::New))
    }

    /// Looks at everything once.
    pub(super) fn round(&mut self, cluster: &Cluster, fleet: &Fleet) {
        let kinds = [
            (Dialect::Flux, cluster.kinds.named("kustomize.toolkit.fluxcd.io", "Kustomization")),
            (Dialect::Argo, cluster.kinds.named("argoproj.io", "Application")),
        ];
        let repository = fleet.open();
        let mut tips = Tips { fleet, repository: repository.as_ref().ok(), known: HashMap::new() };
        let sources = sources(cluster, &mut tips);
        let mut present = HashSet::new();
        for (dialect, kind) in kinds {
            let Some(kind) = kind else { continue };
            self.notice(cluster, dialect, kind, &mut present);
        }
        self.forget(cluster, &present);
        let Ok(repository) = &repository else { return };
        let mut keys: Vec<Key> = present.into_iter().collect();
        keys.sort_unstable();
        for key in keys {
            let Some(unit) = self.units.get_mut(&key) else { continue };
            if unit.wish.suspended {
                continue;
            }
            let revision = match (&unit.wish.source, unit.wish.dialect) {
                (Some(source), Dialect::Flux) => sources.get(source).cloned(),
                _ => tips.find(&unit.wish.branch).ok(),
            };
            let Some(revision) = revision else { continue };
            sync(cluster, repository, &key, unit, &revision);
            if cluster.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Reads what is new or has changed.
    fn notice(&mut self, cluster: &Cluster, dialect: Dialect, kind: KindId, present: &mut HashSet<Key>) {
        let store = cluster.store();
        let objects: Vec<Arc<Object>> = store.list(kind, None, None).cloned().collect();
        for object in objects {
            present.insert(object.key.clone());
            let known = self.units.get_mut(&object.key);
            if known.as_ref().is_some_and(|unit| unit.version == object.version) {
                continue;
            }
            let wish = Wish::read(&store, dialect, &object.value());
            match known {
                Some(unit) => {
                    if unit.wish != wish {
                        unit.wish = wish;
                        unit.due = Instant::now();
                        unit.tree = None;
                    }
                    unit.version = object.version;
                }
                None => {
                    let unit = Unit {
                        version: object.version,
                        wish,
                        files: HashMap::new(),
                        seen: Seen::new(),
                        tree: None,
                        attempted: None,
                        applied: None,
                        phase: Phase::New,
                        message: String::new(),
                        due: Instant::now(),
                    };
                    self.units.insert(object.key.clone(), unit);
                }
            }
        }
    }

    /// Removes what belonged to units that are gone.
    fn forget(&mut self, cluster: &Cluster, present: &HashSet<Key>) {
        let gone: Vec<Key> = self.units.keys().filter(|key| !present.contains(*key)).cloned().collect();
        for key in gone {
            let Some(unit) = self.units.remove(&key).filter(|unit| unit.wish.prunes) else { continue };
            let mut store = cluster.store();
            for key in unit.inventory() {
                let _gone = store.delete(key);
            }
        }
    }
}

/// The newest commits, each asked for once in a round.
struct Tips<'a> {
    fleet: &'a Fleet,
    repository: Option<&'a Repository>,
    known: HashMap<String, Result<Revision, String>>,
}

impl Tips<'_> {
    fn find(&mut self, branch: &str) -> Result<Revision, String> {
        if let Some(known) = self.known.get(branch) {
            return known.clone();
        }
        let find = || {
            let repository = self.repository.ok_or("the fleet's repository cannot be opened")?;
            let name = branch.parse().map_err(|_| format!("`{}` is no branch", branch.escape_debug()))?;
            let commit = self.fleet.tip(repository, &name).map_err(|error| error.to_string())?;
            Ok(Revision { branch: branch.to_owned(), commit })
        };
        let found: Result<Revision, String> = find();
        self.known.insert(branch.to_owned(), found.clone());
        found
    }
}

/// Where every GitRepository stands, which is also written into its status.
fn sources(cluster: &Cluster, tips: &mut Tips<'_>) -> HashMap<Key, Revision> {
    let mut found = HashMap::new();
    let Some(kind) = cluster.kinds.named("source.toolkit.fluxcd.io", "GitRepository") else { return found };
    let all: Vec<Arc<Object>> = cluster.store().list(kind, None, None).cloned().collect();
    for object in all {
        let value = object.value();
        if value.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false) {
            continue;
        }
        let branch = value.pointer("/spec/ref/branch").and_then(Value::as_str).unwrap_or("master");
        let tip = tips.find(branch);
        let mut store = cluster.store();
        status::write_source(&mut store, &object.key, &value, tip.as_ref());
        if let Ok(revision) = tip {
            found.insert(object.key.clone(), revision);
        }
    }
    found
}

/// Brings one unit to a revision, or looks how far it is.
fn sync(cluster: &Cluster, repository: &Repository, key: &Key, unit: &mut Unit, revision: &Revision) {
    let is_new = unit.attempted.as_ref() != Some(revision);
    let is_due = unit.due <= Instant::now();
    if !is_new && !is_due {
        follow(cluster, key, unit);
        return;
    }
    let tree = repository.tree(revision.commit);
    let folder = unit.wish.path.trim_start_matches("./").trim_matches('/').to_owned();
    let id = tree.as_ref().ok().and_then(|tree| tree.entry_id(&folder).ok().flatten()).and_then(|id| id.tree());
    let is_same = unit.tree.is_some() && unit.tree == id && !is_due;
    unit.attempted = Some(revision.clone());
    unit.due = Instant::now() + cluster.timings.scaled(unit.wish.interval);
    if !is_same {
        let outcome = match &tree {
            Ok(tree) => manifests::read(tree, &folder, if is_due { &EMPTY } else { &unit.seen }),
            Err(error) => Err(error.to_string()),
        };
        let outcome = outcome.and_then(|parts| apply(cluster, key, unit, parts));
        if let Err(message) = outcome {
            unit.tree = None;
            unit.phase = Phase::Broken;
            unit.message = message;
            unit.due = Instant::now() + cluster.timings.scaled(unit.wish.retry);
            tell(cluster, key, unit);
            return;
        }
        unit.tree = id;
    } else if unit.phase == Phase::Ready {
        unit.applied = Some(revision.clone());
        tell(cluster, key, unit);
        return;
    }
    if unit.wish.waits || unit.wish.dialect == Dialect::Argo {
        unit.phase = Phase::Checking(Instant::now() + cluster.timings.scaled(unit.wish.timeout));
        tell(cluster, key, unit);
        follow(cluster, key, unit);
    } else {
        unit.phase = Phase::Ready;
        unit.applied = Some(revision.clone());
        tell(cluster, key, unit);
    }
}

/// Nothing is known of any file.
static EMPTY: std::sync::LazyLock<Seen> = std::sync::LazyLock::new(Seen::new);

/// Looks whether the objects of a unit have become ready.
fn follow(cluster: &Cluster, key: &Key, unit: &mut Unit) {
    let deadline = match (unit.phase, unit.wish.dialect) {
        (Phase::Checking(deadline), _) => Some(deadline),
        // Argo CD looks on after a sync is over.
        (Phase::Ready | Phase::Unhealthy, Dialect::Argo) => None,
        _ => return,
    };
    let (worst, names) = examine(&cluster.store(), unit);
    let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
    let before = unit.phase;
    match worst {
        Health::Current => {
            unit.phase = Phase::Ready;
            unit.applied.clone_from(&unit.attempted);
        }
        Health::Failed => {
            unit.phase = Phase::Unhealthy;
            unit.message = format!("failed early due to stalled resources: [{names}]");
        }
        Health::InProgress if is_late && unit.wish.dialect == Dialect::Flux => {
            unit.phase = Phase::Unhealthy;
            unit.message = format!("timeout waiting for: [{names}]");
        }
        Health::InProgress if unit.wish.dialect == Dialect::Argo => {
            unit.phase = Phase::Checking(deadline.unwrap_or_else(Instant::now));
        }
        Health::InProgress => {}
    }
    if unit.phase == before {
        return;
    }
    if unit.phase == Phase::Unhealthy && unit.wish.dialect == Dialect::Flux {
        unit.due = Instant::now() + cluster.timings.scaled(unit.wish.retry);
    }
    tell(cluster, key, unit);
}

fn examine(store: &Store, unit: &Unit) -> (Health, String) {
    let mut worst = Health::Current;
    let mut names = Vec::new();
    for key in unit.inventory() {
        let Some(kind) = store.kinds().all().get(key.kind) else { continue };
        let health = store.value(key).map_or(Health::InProgress, |object| judge(&object));
        if health != Health::Current {
            let word = if health == Health::Failed { "Failed" } else { "InProgress" };
            names.push(format!("{}/{}/{} status: '{word}'", kind.kind, key.namespace, key.name));
        }
        worst = worst.max(health);
    }
    (worst, names.join(", "))
}

/// Applies what has changed and removes what has left.
fn apply(cluster: &Cluster, unit_key: &Key, unit: &mut Unit, parts: Vec<manifests::Part>) -> Result<(), String> {
    let before: HashSet<Key> = unit.files.values().flatten().cloned().collect();
    let mut files = HashMap::new();
    let mut seen = Seen::new();
    for part in parts {
        let keys = match part.objects {
            None => unit.files.get(&part.path).cloned().unwrap_or_default(),
            Some(objects) => {
                let mut keys = Vec::new();
                for mut object in objects {
                    let mut store = cluster.store();
                    let key = key_of(&store, &object, &unit.wish.namespace)?;
                    if unit.wish.dialect == Dialect::Flux {
                        mark(&mut object, unit_key);
                    }
                    store.apply(&key, &object, MANAGER, Part::Main).map_err(|refusal| refusal.to_string())?;
                    keys.push(key);
                }
                keys
            }
        };
        if let Some(id) = part.id {
            seen.insert(part.path.clone(), id);
        }
        files.insert(part.path, keys);
    }
    unit.files = files;
    unit.seen = seen;
    if unit.wish.prunes {
        let now: HashSet<&Key> = unit.files.values().flatten().collect();
        let mut store = cluster.store();
        for key in before.iter().filter(|key| !now.contains(key)) {
            let _gone = store.delete(key);
        }
    }
    Ok(())
}

/// The labels by which Flux knows its own.
fn mark(object: &mut Value, unit: &Key) {
    let metadata = as_object(object).entry("metadata").or_insert(Value::Null);
    let labels = as_object(as_object(metadata).entry("labels").or_insert(Value::Null));
    labels.insert("kustomize.toolkit.fluxcd.io/name".to_owned(), json!(unit.name));
    labels.insert("kustomize.toolkit.fluxcd.io/namespace".to_owned(), json!(unit.namespace));
}

/// Where an object goes.
///
/// # Errors
/// One sentence if the cluster does not have its kind, or if it has no name.
pub(super) fn key_of(store: &Store, object: &Value, namespace: &str) -> Result<Key, String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(api_version), Some(kind)) = (text("/apiVersion"), text("/kind")) else {
        return Err("an object has no apiVersion or kind".to_owned());
    };
    let id = store.kinds().of(api_version, kind);
    let id = id.ok_or_else(|| format!("no matches for kind \"{kind}\" in version \"{api_version}\""))?;
    let name = text("/metadata/name").ok_or_else(|| format!("a {kind} has no name"))?;
    let namespaced = store.kinds().all().get(id).is_some_and(|kind| kind.namespaced);
    let namespace = if namespaced { text("/metadata/namespace").unwrap_or(namespace) } else { "" };
    Ok(store.key(id, namespace, name))
}

/// Writes the status of a unit, and remembers that the new version is our own.
fn tell(cluster: &Cluster, key: &Key, unit: &mut Unit) {
    let mut store = cluster.store();
    status::write_unit(&mut store, key, unit);
    if let Some(object) = store.get(key) {
        unit.version = object.version;
    }
}
