//! The objects of one cluster, their versions, and the history that watches read.
//!
//! An object is kept as the JSON text that is sent: twenty thousand Deployments take tens of megabytes so, and a list is
//! little more than copying.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::kinds::{Kind, KindId, Kinds};
use super::options::Clock;
use super::patch::{self, Owned, as_object};
use super::refusal::Refusal;

/// The label of everything that the sandbox makes itself.
pub(super) const SANDBOX_LABEL: &str = "wooo.dev/sandbox";

/// The name of an object in its cluster.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    /// What it is.
    pub(super) kind: KindId,
    /// Its namespace; empty where there is none.
    pub(super) namespace: Box<str>,
    /// Its name.
    pub(super) name: Box<str>,
}

/// An object as it is stored.
#[derive(Debug)]
pub(super) struct Object {
    /// Its name.
    pub(super) key: Key,
    /// The identity that no other object ever has.
    pub(super) uid: Box<str>,
    /// Its `resourceVersion`.
    pub(super) version: u64,
    /// The whole object.
    pub(super) raw: Box<str>,
    owner: Option<Box<str>>,
    owned: Vec<(Box<str>, Owned)>,
}

impl Object {
    /// The object, to be looked into.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or_default()
    }
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The version that it made.
    pub(super) version: u64,
    /// The object before, unless it is new.
    pub(super) before: Option<Arc<Object>>,
    /// The object after, unless it is gone.
    pub(super) after: Option<Arc<Object>>,
}

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// All but the status.
    Main,
    /// The status alone.
    Status,
    /// Both, for controllers that make whole objects.
    Whole,
}

#[derive(Debug)]
struct Table {
    objects: BTreeMap<(Box<str>, Box<str>), Arc<Object>>,
    history: VecDeque<Event>,
    /// The newest version that the history has dropped.
    dropped: u64,
    latest: watch::Sender<u64>,
}

/// The objects of one cluster.
#[derive(Debug)]
pub(super) struct Store {
    kinds: Arc<Kinds>,
    tables: Vec<Table>,
    version: u64,
    owners: HashMap<Box<str>, BTreeSet<Key>>,
    changes: mpsc::UnboundedSender<Event>,
    history: usize,
    now: Clock,
}

impl Store {
    /// A cluster without objects, which remembers `history` events of each kind. Every event is also sent to `changes`.
    pub(super) fn new(kinds: Arc<Kinds>, history: usize, now: Clock, changes: mpsc::UnboundedSender<Event>) -> Self {
        let table = |_: &Kind| Table {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            dropped: 0,
            latest: watch::Sender::new(1),
        };
        let tables = kinds.all().iter().map(table).collect();
        Self { kinds, tables, version: 1, owners: HashMap::new(), changes, history: history.max(1), now }
    }

    /// The kinds that there are.
    pub(super) fn kinds(&self) -> &Arc<Kinds> {
        &self.kinds
    }

    /// The version of the whole.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The time, as objects write it.
    pub(super) fn timestamp(&self) -> String {
        timestamp(self.now.now())
    }

    /// Tells when something happens to a kind.
    pub(super) fn subscribe(&self, kind: KindId) -> Option<watch::Receiver<u64>> {
        self.tables.get(kind).map(|table| table.latest.subscribe())
    }

    /// The name of an object.
    pub(super) fn key(&self, kind: KindId, namespace: &str, name: &str) -> Key {
        Key { kind, namespace: namespace.into(), name: name.into() }
    }

    /// An object, or `None`.
    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.tables.get(key.kind)?.objects.get(&(key.namespace.clone(), key.name.clone()))
    }

    /// An object's value, or `None`.
    pub(super) fn value(&self, key: &Key) -> Option<Value> {
        self.get(key).map(|object| object.value())
    }

    /// The objects of a kind, of one namespace or all, that come after `after`, sorted.
    pub(super) fn list<'a>(
        &'a self,
        kind: KindId,
        namespace: Option<&'a str>,
        after: Option<(Box<str>, Box<str>)>,
    ) -> impl Iterator<Item = &'a Arc<Object>> {
        let start = match (after, namespace) {
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(namespace)) => Bound::Included((namespace.into(), "".into())),
            (None, None) => Bound::Unbounded,
        };
        let objects = self.tables.get(kind).map(|table| table.objects.range((start, Bound::Unbounded)));
        objects
            .into_iter()
            .flatten()
            .take_while(move |((found, _), _)| namespace.is_none_or(|namespace| namespace == &**found))
            .map(|(_, object)| object)
    }

    /// The objects that an object owns.
    pub(super) fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        let keys = self.owners.get(uid);
        keys.into_iter().flatten().filter_map(|key| self.get(key)).cloned().collect()
    }

    /// What happened to a kind after `version`.
    ///
    /// # Errors
    /// [`Refusal`] with the code 410 if that is no longer known.
    pub(super) fn events_after(&self, kind: KindId, version: u64) -> Result<Vec<Event>, Refusal> {
        let Some(table) = self.tables.get(kind) else { return Ok(Vec::new()) };
        if version < table.dropped {
            return Err(Refusal::expired(version, table.dropped));
        }
        let start = table.history.partition_point(|event| event.version <= version);
        Ok(table.history.range(start..).cloned().collect())
    }

    /// Forgets all history, as a real server does after a few minutes.
    pub(super) fn compact(&mut self) {
        let version = self.version;
        for table in &mut self.tables {
            table.history.clear();
            table.dropped = version;
        }
    }

    /// Stores a new object.
    ///
    /// # Errors
    /// [`Refusal`] if the name is taken or missing.
    pub(super) fn create(&mut self, kind: KindId, namespace: &str, value: Value) -> Result<Arc<Object>, Refusal> {
        let definition = self.definition(kind)?;
        let name = self.name_of(&value)?;
        let key = self.key(kind, if definition.namespaced { namespace } else { "" }, &name);
        if self.get(&key).is_some() {
            return Err(Refusal::exists(&definition.qualified(), &name));
        }
        if definition.namespaced {
            self.ensure_namespace(namespace);
        }
        self.put(key, value, None, Part::Main)
    }

    /// Stores an object, new or not, whole: for controllers.
    pub(super) fn put_whole(&mut self, kind: KindId, namespace: &str, value: Value) -> Option<Arc<Object>> {
        let name = value.pointer("/metadata/name").and_then(Value::as_str)?;
        let key = self.key(kind, namespace, name);
        let before = self.get(&key).cloned();
        self.put(key, value, before, Part::Whole).ok()
    }

    /// Replaces a part of an object.
    ///
    /// # Errors
    /// [`Refusal`] if there is no such object, or if `value` was made from another version of it.
    pub(super) fn replace(&mut self, key: &Key, value: Value, part: Part) -> Result<Arc<Object>, Refusal> {
        let definition = self.definition(key.kind)?;
        let before = self.get(key).cloned().ok_or_else(|| Refusal::not_found(&definition.qualified(), &key.name))?;
        let based_on = value.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        if !based_on.is_empty() && based_on != before.version.to_string() {
            return Err(Refusal::conflict(&definition.qualified(), &key.name));
        }
        if value.pointer("/metadata/name").and_then(Value::as_str).is_some_and(|name| name != &*key.name) {
            return Err(Refusal::bad_request("the name of the object does not match the name on the URL"));
        }
        self.put(key.clone(), value, Some(before), part)
    }

    /// Changes the status of an object, if it is there.
    pub(super) fn set_status(&mut self, key: &Key, status: Value) {
        let Some(mut value) = self.value(key) else { return };
        as_object(&mut value).insert("status".to_owned(), status);
        // It was read just now, and cannot be refused.
        let _stored = self.replace(key, value, Part::Status);
    }

    /// Server-side apply: makes the object if it is not there.
    ///
    /// # Errors
    /// [`Refusal`] as [`Store::create`] and [`Store::replace`].
    pub(super) fn apply(
        &mut self,
        key: &Key,
        desired: &Value,
        manager: &str,
        part: Part,
    ) -> Result<Arc<Object>, Refusal> {
        let definition = self.definition(key.kind)?;
        if self.get(key).is_none() && definition.namespaced {
            self.ensure_namespace(&key.namespace);
        }
        let before = self.get(key).cloned();
        let mut value = before.as_ref().map_or_else(|| json!({}), |object| object.value());
        let mut managed = before.as_ref().map(|object| object.owned.clone()).unwrap_or_default();
        let mine = managed.iter().position(|(name, _)| &**name == manager);
        let owned = mine.map(|at| managed.swap_remove(at).1).unwrap_or_default();
        let owned = patch::apply(&mut value, desired, &owned);
        managed.push((manager.into(), owned));
        self.put_managed(key.clone(), value, before, part, Some(managed))
    }

    /// Removes an object and everything that it owns; with a namespace, all that is in it.
    ///
    /// # Errors
    /// [`Refusal`] if there is no such object.
    pub(super) fn delete(&mut self, key: &Key) -> Result<Arc<Object>, Refusal> {
        let definition = self.definition(key.kind)?;
        let slot = (key.namespace.clone(), key.name.clone());
        let removed = self.tables.get_mut(key.kind).and_then(|table| table.objects.remove(&slot));
        let removed = removed.ok_or_else(|| Refusal::not_found(&definition.qualified(), &key.name))?;
        if let Some(owner) = &removed.owner
            && let Some(keys) = self.owners.get_mut(owner)
        {
            keys.remove(key);
        }
        self.version += 1;
        let mut value = removed.value();
        if let Some(metadata) = value.get_mut("metadata") {
            as_object(metadata).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        }
        let last = Arc::new(Object {
            key: key.clone(),
            uid: removed.uid.clone(),
            version: self.version,
            raw: value.to_string().into(),
            owner: removed.owner.clone(),
            owned: Vec::new(),
        });
        self.record(key.kind, Event { version: self.version, before: Some(last), after: None });
        for owned in self.owners.remove(&removed.uid).unwrap_or_default() {
            let _gone = self.delete(&owned);
        }
        if definition.kind == "Namespace" {
            self.empty_namespace(&key.name);
        }
        Ok(removed)
    }

    fn empty_namespace(&mut self, namespace: &str) {
        let inside: Vec<Key> = (0..self.tables.len())
            .filter(|kind| self.kinds.all().get(*kind).is_some_and(|kind| kind.namespaced))
            .flat_map(|kind| self.list(kind, Some(namespace), None).map(|object| object.key.clone()))
            .collect();
        for key in inside {
            let _gone = self.delete(&key);
        }
    }

    fn ensure_namespace(&mut self, namespace: &str) {
        let Some(kind) = self.kinds.named("", "Namespace") else { return };
        if self.get(&self.key(kind, "", namespace)).is_none() {
            let labels = json!({SANDBOX_LABEL: "true"});
            let _made = self.create(kind, "", json!({"metadata": {"name": namespace, "labels": labels}}));
        }
    }

    fn definition(&self, kind: KindId) -> Result<Kind, Refusal> {
        self.kinds.all().get(kind).copied().ok_or_else(Refusal::no_resource)
    }

    fn name_of(&self, value: &Value) -> Result<String, Refusal> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(name) = text("/metadata/name") {
            return Ok(name.to_owned());
        }
        match text("/metadata/generateName") {
            Some(prefix) => Ok(format!("{prefix}{:05x}", self.version + 1)),
            None => Err(Refusal::invalid("metadata.name: Required value: name or generateName is required")),
        }
    }

    fn put(&mut self, key: Key, value: Value, before: Option<Arc<Object>>, part: Part) -> Result<Arc<Object>, Refusal> {
        self.put_managed(key, value, before, part, None)
    }

    fn put_managed(
        &mut self,
        key: Key,
        value: Value,
        before: Option<Arc<Object>>,
        part: Part,
        managed: Option<Vec<(Box<str>, Owned)>>,
    ) -> Result<Arc<Object>, Refusal> {
        let definition = self.definition(key.kind)?;
        let old = before.as_ref().map(|object| object.value());
        let mut value = combine(value, old.as_ref(), part);
        if !value.is_object() {
            return Err(Refusal::invalid("the object is not an object"));
        }
        let uid: Box<str> = match &before {
            Some(object) => object.uid.clone(),
            None => uuid::Uuid::new_v4().to_string().into(),
        };
        self.stamp(&mut value, old.as_ref(), &key, definition, &uid);
        if let (Some(old), Some(before)) = (&old, &before)
            && *old == value
            && managed.as_ref().is_none_or(|managed| *managed == before.owned)
        {
            // What changes nothing makes no version, so that watchers are not woken.
            return Ok(Arc::clone(before));
        }
        self.version += 1;
        if let Some(metadata) = value.get_mut("metadata") {
            as_object(metadata).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        }
        let owner = value.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str).map(Into::into);
        let owned = managed.or_else(|| before.as_ref().map(|before| before.owned.clone())).unwrap_or_default();
        let object = Arc::new(Object {
            key: key.clone(),
            uid,
            version: self.version,
            raw: value.to_string().into(),
            owner,
            owned,
        });
        if let Some(owner) = &object.owner {
            self.owners.entry(owner.clone()).or_default().insert(key.clone());
        }
        if let Some(table) = self.tables.get_mut(key.kind) {
            table.objects.insert((key.namespace, key.name), Arc::clone(&object));
        }
        self.record(key.kind, Event { version: self.version, before, after: Some(Arc::clone(&object)) });
        Ok(object)
    }

    /// Fills in the metadata that the server owns.
    fn stamp(&self, value: &mut Value, old: Option<&Value>, key: &Key, definition: Kind, uid: &str) {
        let created = old.and_then(|old| old.pointer("/metadata/creationTimestamp")).cloned();
        let created = created.unwrap_or_else(|| json!(self.timestamp()));
        let version = old.and_then(|old| old.pointer("/metadata/resourceVersion")).cloned();
        let before = old.and_then(|old| old.pointer("/metadata/generation")).and_then(Value::as_u64);
        let is_changed = old.is_none_or(|old| meaning(old).ne(meaning(value)));
        let generation = before.unwrap_or(0) + u64::from(is_changed);
        let object = as_object(value);
        let mut fresh = Map::new();
        fresh.insert("apiVersion".to_owned(), json!(definition.api_version()));
        fresh.insert("kind".to_owned(), json!(definition.kind));
        for (field, value) in std::mem::take(object) {
            if field != "apiVersion" && field != "kind" {
                fresh.insert(field, value);
            }
        }
        let has_generation = fresh.contains_key("spec") && definition.kind != "Pod";
        let metadata = as_object(fresh.entry("metadata").or_insert(Value::Null));
        metadata.shift_remove("managedFields");
        metadata.insert("name".to_owned(), json!(key.name));
        if definition.namespaced {
            metadata.insert("namespace".to_owned(), json!(key.namespace));
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), created);
        match version {
            Some(version) => metadata.insert("resourceVersion".to_owned(), version),
            None => metadata.shift_remove("resourceVersion"),
        };
        if has_generation {
            metadata.insert("generation".to_owned(), json!(generation));
        }
        *object = fresh;
        if definition.kind == "Namespace" {
            if let Some(metadata) = value.get_mut("metadata") {
                let labels = as_object(metadata).entry("labels").or_insert(Value::Null);
                as_object(labels).insert("kubernetes.io/metadata.name".to_owned(), json!(key.name));
            }
            as_object(value).entry("status").or_insert_with(|| json!({"phase": "Active"}));
        }
    }

    fn record(&mut self, kind: KindId, event: Event) {
        // Nobody listens once the cluster stops.
        let _sent = self.changes.send(event.clone());
        let Some(table) = self.tables.get_mut(kind) else { return };
        let version = event.version;
        table.history.push_back(event);
        if table.history.len() > self.history
            && let Some(dropped) = table.history.pop_front()
        {
            table.dropped = dropped.version;
        }
        table.latest.send_replace(version);
    }
}

/// What a write makes of the object that is there.
fn combine(mut value: Value, old: Option<&Value>, part: Part) -> Value {
    let Some(old) = old else {
        if part == Part::Main
            && let Some(object) = value.as_object_mut()
        {
            object.shift_remove("status");
        }
        return value;
    };
    let set = |target: &mut Value, status: Option<Value>| {
        let target = as_object(target);
        match status {
            Some(status) => drop(target.insert("status".to_owned(), status)),
            None => drop(target.shift_remove("status")),
        }
    };
    match part {
        Part::Whole => value,
        Part::Main => {
            set(&mut value, old.get("status").cloned());
            value
        }
        Part::Status => {
            let mut kept = old.clone();
            set(&mut kept, value.get("status").cloned());
            kept
        }
    }
}

/// The fields whose change makes a new generation.
fn meaning(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let is_meaning =
        |(key, _): &(&String, &Value)| !["apiVersion", "kind", "metadata", "status"].contains(&key.as_str());
    value.as_object().into_iter().flatten().filter(is_meaning)
}

/// A time as objects write it, in whole seconds.
pub(super) fn timestamp(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
