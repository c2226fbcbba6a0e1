//! What is remembered of one cluster, in little memory, and how a report is put together from it.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::report::{Certificate, Controller, Event, Owner, Pod, Report, Workload, WorkloadKind};
use super::target::{ControllerRef, Target};
use super::watched::Watched;
use super::wire::{Meta, ReplicaSet};
use crate::domain::fleet::Delivery;

/// How many warnings of one namespace are kept.
const EVENTS_MAX: usize = 10;
/// The age from which a warning is forgotten.
const EVENT_AGE: SignedDuration = SignedDuration::from_mins(30);

/// The kinds of object that are followed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumCount, strum::EnumIter)]
pub(super) enum Kind {
    /// Deployments.
    Deployments,
    /// StatefulSets.
    StatefulSets,
    /// ReplicaSets.
    ReplicaSets,
    /// Pods.
    Pods,
    /// Warnings.
    Events,
    /// Certificates of cert-manager.
    Certificates,
    /// Applications of Argo CD.
    Applications,
    /// Kustomizations of Flux.
    Kustomizations,
}

impl Kind {
    /// Whether every cluster has it.
    pub(super) fn is_built_in(self) -> bool {
        !matches!(self, Self::Certificates | Self::Applications | Self::Kustomizations)
    }
}

/// Without these nothing can be said of an app.
pub(super) const NEEDED: [Kind; 4] = [Kind::Deployments, Kind::StatefulSets, Kind::ReplicaSets, Kind::Pods];

/// How far following one kind is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// When the cluster last proved that what is remembered of this kind is true; `None` before the first list.
    pub(super) heard_at: Option<Timestamp>,
    /// Whether the cluster does not have the kind.
    pub(super) is_absent: bool,
    /// Why it cannot be followed just now.
    pub(super) error: Option<String>,
}

/// What an observer may want to be woken for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// Anything: the cluster has just been read for the first time, or it fell silent, or it is heard again.
    All,
    /// Workloads, pods or certificates of a namespace.
    Namespace(String),
    /// The Application or Kustomization of this name.
    Controller(String),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    namespace: Box<str>,
    name: Box<str>,
}

/// The objects of one kind. Every row remembers the list in which it was last seen, so that what a new list lacks can be
/// told when it is over.
#[derive(Debug)]
pub(super) struct Table<R> {
    rows: BTreeMap<Key, (u32, Box<R>)>,
    list: u32,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), list: 0 }
    }
}

impl<R: PartialEq> Table<R> {
    fn key(meta: &Meta) -> Key {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        Key { namespace: namespace.into(), name: meta.name.as_str().into() }
    }

    fn get(&self, namespace: &str, name: &str) -> Option<&R> {
        let key = Key { namespace: namespace.into(), name: name.into() };
        self.rows.get(&key).map(|(_, row)| &**row)
    }

    /// The rows of a namespace, by name.
    fn of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a R)> {
        let from = Key { namespace: namespace.into(), name: "".into() };
        let rows = self.rows.range(from..).take_while(move |(key, _)| &*key.namespace == namespace);
        rows.map(|(key, (_, row))| (&*key.name, &**row))
    }

    /// Whether the row changed.
    fn put(&mut self, key: Key, row: R) -> bool {
        let list = self.list;
        match self.rows.get_mut(&key) {
            Some((seen, old)) => {
                *seen = list;
                let is_other = **old != row;
                if is_other {
                    **old = row;
                }
                is_other
            }
            None => {
                self.rows.insert(key, (list, Box::new(row)));
                true
            }
        }
    }
}

/// What is remembered of one cluster.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) deployments: Table<Workload>,
    pub(super) stateful_sets: Table<Workload>,
    pub(super) replica_sets: Table<ReplicaSet>,
    pub(super) pods: Table<Pod>,
    pub(super) events: Table<Event>,
    pub(super) certificates: Table<Certificate>,
    pub(super) applications: Table<Controller>,
    pub(super) kustomizations: Table<Controller>,
    progress: [Progress; <Kind as strum::EnumCount>::COUNT],
    changed: HashSet<Scope>,
}

impl Cache {
    /// How far a kind is.
    pub(super) fn progress(&self, kind: Kind) -> &Progress {
        &self.progress[kind as usize]
    }

    /// Notes that the cluster has spoken about a kind: what is remembered of it is true as of `now`.
    pub(super) fn heard<W: Watched>(&mut self, now: Timestamp) {
        let progress = &mut self.progress[W::KIND as usize];
        progress.heard_at = progress.heard_at.map(|before| before.max(now));
        progress.error = None;
    }

    /// Notes why a kind cannot be followed. What is remembered stays, and grows old.
    pub(super) fn failed(&mut self, kind: Kind, error: String) {
        self.progress[kind as usize].error = Some(error);
    }

    /// Notes that the cluster does not have a kind: there are no such objects, which is something to know.
    pub(super) fn absent<W: Watched>(&mut self, now: Timestamp) {
        W::table(self).rows.clear();
        self.progress[W::KIND as usize] = Progress { heard_at: Some(now), is_absent: true, error: None };
    }

    /// Begins a list of everything of a kind.
    pub(super) fn begin<W: Watched>(&mut self) {
        let table = W::table(self);
        table.list = table.list.wrapping_add(1);
    }

    /// Ends a list that began at `began`: what it did not have is gone.
    pub(super) fn end<W: Watched>(&mut self, began: Timestamp) {
        let table = W::table(self);
        let list = table.list;
        let mut gone = Vec::new();
        table.rows.retain(|key, (seen, _)| {
            if *seen != list {
                gone.push(key.clone());
            }
            *seen == list
        });
        for key in &gone {
            self.note(W::KIND, key);
        }
        let progress = &mut self.progress[W::KIND as usize];
        if progress.heard_at.is_none() {
            self.changed.insert(Scope::All);
        }
        *progress = Progress { heard_at: Some(began), is_absent: false, error: None };
    }

    /// Takes an object in.
    pub(super) fn put<W: Watched>(&mut self, object: W, now: Timestamp) {
        let key = Table::<W::Row>::key(object.meta());
        if W::KIND == Kind::Events && !self.is_ours(&key.namespace) {
            return;
        }
        let table = W::table(self);
        let old = table.rows.get(&key).map(|(_, row)| &**row);
        let Some(row) = object.keep(old, now) else { return };
        if table.put(key.clone(), row) {
            self.note(W::KIND, &key);
        }
        if W::KIND == Kind::Events {
            self.bound_events(&key.namespace, now);
        }
    }

    /// Forgets an object.
    pub(super) fn remove<W: Watched>(&mut self, object: &W) {
        let key = Table::<W::Row>::key(object.meta());
        if W::table(self).rows.remove(&key).is_some() {
            self.note(W::KIND, &key);
        }
    }

    /// Notes that everything may look different.
    pub(super) fn note_all(&mut self) {
        self.changed.insert(Scope::All);
    }

    fn note(&mut self, kind: Kind, key: &Key) {
        // Nobody can use a report before everything has been listed, and then everybody is woken.
        if self.progress(kind).heard_at.is_none() || self.changed.contains(&Scope::All) {
            return;
        }
        match kind {
            // A warning comes with the pod or the workload that it is about.
            Kind::Events => {}
            Kind::Applications | Kind::Kustomizations => {
                self.changed.insert(Scope::Controller(key.name.to_string()));
            }
            _ => {
                self.changed.insert(Scope::Namespace(key.namespace.to_string()));
            }
        }
    }

    /// Whether something has changed since [`Cache::take_changes`].
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has changed since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Scope> {
        let changed = std::mem::take(&mut self.changed);
        if changed.contains(&Scope::All) { vec![Scope::All] } else { changed.into_iter().collect() }
    }

    fn is_ours(&self, namespace: &str) -> bool {
        self.deployments.of(namespace).next().is_some() || self.stateful_sets.of(namespace).next().is_some()
    }

    fn bound_events(&mut self, namespace: &str, now: Timestamp) {
        let mut known: Vec<(Timestamp, Key)> = Vec::new();
        for (name, event) in self.events.of(namespace) {
            known.push((event.last_at, Key { namespace: namespace.into(), name: name.into() }));
        }
        known.sort();
        let surplus = known.len().saturating_sub(EVENTS_MAX);
        for (index, (last_at, key)) in known.iter().enumerate() {
            if index < surplus || now.duration_since(*last_at) > EVENT_AGE {
                self.events.rows.remove(key);
            }
        }
    }

    /// Forgets the warnings that are too old to tell anything.
    pub(super) fn forget_old_events(&mut self, now: Timestamp) {
        self.events.rows.retain(|_, (_, event)| now.duration_since(event.last_at) <= EVENT_AGE);
    }

    /// The time up to which all of `kinds` are known; `None` if one of them never was.
    pub(super) fn heard_at(&self, kinds: &[Kind]) -> Option<Timestamp> {
        let times: Option<Vec<Timestamp>> = kinds.iter().map(|kind| self.progress(*kind).heard_at).collect();
        times?.into_iter().min()
    }

    /// The object that syncs an app.
    pub(super) fn controller(&self, of: &ControllerRef) -> Option<Controller> {
        let table = match of.delivery {
            Delivery::Argocd => &self.applications,
            Delivery::Flux => &self.kustomizations,
        };
        table.get(&of.namespace, &of.name).cloned()
    }

    /// What is known of an app, but for its controller. `observed_at` is what the caller found out.
    pub(super) fn report(&self, target: &Target, observed_at: Timestamp, now: Timestamp) -> Report {
        let namespace = target.namespace.as_str();
        let deployments = self.deployments.of(namespace);
        let workloads: Vec<Workload> =
            deployments.chain(self.stateful_sets.of(namespace)).map(|(_, workload)| workload.clone()).collect();
        let templates = self.templates(namespace, &workloads);
        let pods = self.pods.of(namespace).map(|(_, pod)| attributed(pod.clone(), &templates)).collect();
        let recent = self.events.of(namespace).map(|(_, event)| event.clone());
        let mut events: Vec<Event> = recent.filter(|event| now.duration_since(event.last_at) <= EVENT_AGE).collect();
        events.sort_by(|one, other| other.last_at.cmp(&one.last_at).then_with(|| one.name.cmp(&other.name)));
        let certificates = self.certificates.of(namespace).map(|(_, certificate)| certificate.clone()).collect();
        Report { observed_at, controller: None, workloads, pods, certificates, events }
    }

    /// For each maker of pods of a namespace: the workload that it belongs to, and the hash of the only template that is
    /// new (or none, if all its pods are).
    fn templates(&self, namespace: &str, workloads: &[Workload]) -> BTreeMap<Owner, Template> {
        let mut templates = BTreeMap::new();
        for workload in workloads {
            let owner = Owner { kind: workload.kind.to_string(), name: workload.name.clone() };
            if workload.kind == WorkloadKind::StatefulSet {
                let newest = Newest::Hash(workload.template.clone());
                templates.insert(owner.clone(), Template { workload: owner, newest });
                continue;
            }
            let own = || self.replica_sets.of(namespace).filter(|(_, set)| set.deployment == workload.name);
            let revision = workload.template.parse().ok().or_else(|| own().map(|(_, set)| set.revision).max());
            for (name, set) in own() {
                let maker = Owner { kind: "ReplicaSet".to_owned(), name: name.to_owned() };
                let newest = if Some(set.revision) == revision { Newest::All } else { Newest::None };
                templates.insert(maker, Template { workload: owner.clone(), newest });
            }
        }
        templates
    }

    /// How many objects are remembered: Deployments, StatefulSets, ReplicaSets, pods.
    pub(super) fn counts(&self) -> [usize; 4] {
        [self.deployments.rows.len(), self.stateful_sets.rows.len(), self.replica_sets.rows.len(), self.pods.rows.len()]
    }
}

struct Template {
    workload: Owner,
    newest: Newest,
}

/// Which pods of a maker have the newest template.
enum Newest {
    All,
    None,
    Hash(String),
}

fn attributed(mut pod: Pod, templates: &BTreeMap<Owner, Template>) -> Pod {
    if let Some(template) = pod.owner.as_ref().and_then(|owner| templates.get(owner)) {
        pod.workload = Some(template.workload.clone());
        pod.is_newest = match &template.newest {
            Newest::All => true,
            Newest::None => false,
            Newest::Hash(hash) => pod.template == *hash,
        };
    }
    pod
}
