//! Names at the end of a build: hashes, and references that follow.
//!
//! Owns finding the object that a name means. Only names of objects that were renamed are looked for, so a build that
//! renames nothing pays nothing. Which fields hold names is in [`reference_table`](super::reference_table).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::error::{Error, Origin};
use super::fields;
use super::hash;
use super::layer;
use super::reference_table::{REFERENCES, Reference};
use super::resource::{Affixes, Resource};

/// Appends the hashes and lets references follow all names that changed.
pub(super) fn finish(resources: &mut [Resource], file: &str) -> Result<(), Error> {
    for resource in resources.iter_mut().filter(|resource| resource.needs_hash) {
        let name = format!("{}-{}", resource.id().name, hash::hash(&resource.value));
        resource.rename(name);
    }
    let renamed: HashSet<String> = resources
        .iter()
        .filter(|resource| !resource.previous.is_empty())
        .flat_map(Resource::ids)
        .map(|id| id.kind.to_owned())
        .collect();
    if renamed.is_empty() {
        return Ok(());
    }
    layer::refuse_duplicates(resources, &Origin::new(file, "names"))?;
    let all: Vec<Candidate> = resources
        .iter()
        .filter(|resource| resource.ids().any(|id| renamed.contains(id.kind)))
        .map(Candidate::new)
        .collect();
    let index = Index::new(&all);
    for resource in resources.iter_mut() {
        let Some(references) = REFERENCES.get(resource.id().kind) else { continue };
        let mut references = references.iter().filter(|field| renamed.contains(field.target.2)).peekable();
        if references.peek().is_none() {
            continue;
        }
        let referrer = Referrer::new(resource);
        for reference in references.filter(|field| field.group.is_empty() || field.group == referrer.group) {
            let result = fields::visit(&mut resource.value, &reference.path, None, &mut |value| {
                index.follow(value, reference, &referrer)
            });
            result.map_err(|reason| Origin::new(file, reference.path.join("/")).target(reason))?;
        }
    }
    Ok(())
}

/// What is known of an object that has references, while the object itself is being changed.
struct Referrer {
    group: String,
    /// `None` for an object outside of namespaces, which may refer into each of them.
    namespace: Option<String>,
    affixes: Affixes,
    /// API group and kind of the role that a binding binds.
    role: Option<(String, String)>,
}

impl Referrer {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let role = resource.value.get("roleRef").map(|role| {
            let text = |field: &str| role.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("apiGroup"), text("kind"))
        });
        Self {
            group: id.group.to_owned(),
            namespace: id.effective_namespace().map(str::to_owned),
            affixes: resource.affixes.clone(),
            role,
        }
    }
}

/// An object that a reference may mean.
struct Candidate {
    group: String,
    version: String,
    /// Kinds, names and namespaces that it had, and the present ones last.
    ids: Vec<(String, String, Option<String>)>,
    /// As written.
    namespace: String,
    affixes: Affixes,
}

impl Candidate {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let ids = resource.ids();
        Self {
            group: id.group.to_owned(),
            version: id.version.to_owned(),
            ids: ids
                .map(|id| (id.kind.to_owned(), id.name.to_owned(), id.effective_namespace().map(str::to_owned)))
                .collect(),
            namespace: id.namespace.to_owned(),
            affixes: resource.affixes.clone(),
        }
    }

    fn name(&self) -> &str {
        self.ids.last().map_or("", |(_, name, _)| name)
    }

    fn effective_namespace(&self) -> Option<&str> {
        self.ids.last().and_then(|(_, _, namespace)| namespace.as_deref())
    }
}

/// Where an object must be, to be meant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Place<'a> {
    Anywhere,
    /// In this namespace now; `None` is outside of namespaces.
    Now(Option<&'a str>),
    /// In this namespace now or earlier.
    Ever(Option<&'a str>),
}

/// The objects of one kind and one present or earlier name in one place.
#[derive(Default)]
struct Bucket<'a> {
    all: Vec<&'a Candidate>,
    by_affixes: HashMap<&'a Affixes, Vec<&'a Candidate>>,
}

/// From how many objects of one name on they are looked up by their affixes and not searched.
const MANY: usize = 16;

/// The objects by kind, by every name that they have or had, and by place.
struct Index<'a> {
    buckets: HashMap<(&'a str, &'a str, Place<'a>), Bucket<'a>>,
}

impl<'a> Index<'a> {
    fn new(all: &'a [Candidate]) -> Self {
        let mut buckets: HashMap<_, Bucket<'a>> = HashMap::with_capacity(all.len());
        for candidate in all {
            let now = Place::Now(candidate.effective_namespace());
            for (kind, name, namespace) in &candidate.ids {
                for place in [Place::Anywhere, now, Place::Ever(namespace.as_deref())] {
                    let bucket = buckets.entry((kind.as_str(), name.as_str(), place)).or_default();
                    // An object comes with all of its names at once, so it can only be the last one.
                    if bucket.all.last().is_none_or(|last| !std::ptr::eq(*last, candidate)) {
                        bucket.all.push(candidate);
                        bucket.by_affixes.entry(&candidate.affixes).or_default().push(candidate);
                    }
                }
            }
        }
        Self { buckets }
    }

    fn follow(&self, value: &mut Value, reference: &Reference, referrer: &Referrer) -> Result<(), String> {
        match value {
            Value::String(name) => {
                let places = match &referrer.namespace {
                    Some(namespace) => vec![Place::Now(None), Place::Now(Some(namespace))],
                    None => vec![Place::Anywhere],
                };
                if let Some(found) = self.find(name, reference, referrer, &places)? {
                    found.name().clone_into(name);
                }
                Ok(())
            }
            Value::Object(map) => self.follow_map(map, reference, referrer),
            Value::Array(list) => list.iter_mut().try_for_each(|value| self.follow(value, reference, referrer)),
            _ => Ok(()),
        }
    }

    /// A reference that is a map says the namespace itself. Kustomize does not look at a `kind` in it: a User in a
    /// role binding follows the service account of the same name.
    fn follow_map(
        &self,
        map: &mut Map<String, Value>,
        reference: &Reference,
        referrer: &Referrer,
    ) -> Result<(), String> {
        let text = |field: &str| map.get(field).and_then(Value::as_str);
        let Some(name) = text("name") else {
            return Ok(());
        };
        let place = text("namespace").map_or(Place::Anywhere, |namespace| Place::Ever(Some(namespace)));
        if let Some(found) = self.find(name, reference, referrer, &[place])? {
            if !found.namespace.is_empty() {
                map.insert("namespace".to_owned(), found.namespace.as_str().into());
            }
            map.insert("name".to_owned(), found.name().into());
        }
        Ok(())
    }

    /// The one object that a name means. With several, the one that was given the same prefixes and suffixes.
    fn find(
        &self,
        name: &str,
        reference: &Reference,
        referrer: &Referrer,
        places: &[Place<'_>],
    ) -> Result<Option<&Candidate>, String> {
        let (group, version, kind) = reference.target;
        if reference.path.first().is_some_and(|first| first == "roleRef")
            && referrer.role.as_ref().is_none_or(|(role_group, role_kind)| role_group != group || role_kind != kind)
        {
            return Ok(None);
        }
        let buckets: Vec<&Bucket<'_>> =
            places.iter().filter_map(|place| self.buckets.get(&(kind, name, *place))).collect();
        let fits = |candidate: &&&Candidate| {
            (group.is_empty() || candidate.group == group) && (version.is_empty() || candidate.version == version)
        };
        if buckets.iter().map(|bucket| bucket.all.len()).sum::<usize>() < MANY {
            let found: Vec<&&Candidate> = buckets.iter().flat_map(|bucket| &bucket.all).filter(fits).collect();
            if found.len() <= 1 {
                return Ok(found.first().map(|found| **found));
            }
        }
        let alike = buckets.iter().filter_map(|bucket| bucket.by_affixes.get(&referrer.affixes)).flatten();
        let alike: Vec<&&Candidate> = alike.filter(fits).collect();
        match alike[..] {
            [] => Ok(None),
            [first, ref rest @ ..] if rest.iter().all(|other| other.name() == first.name()) => Ok(Some(first)),
            _ => Err(format!("the name `{name}` means more than one {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_follow_within_the_namespace() {
        let config = |namespace: &str| {
            let mut resource = Resource::new(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}}),
            );
            resource.rename(format!("c-{namespace}"));
            resource
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "b"},
            "spec": {"containers": [{"envFrom": [{"configMapRef": {"name": "c"}}, {"configMapRef": {"name": "x"}}]}]}});
        let mut resources = [config("a"), config("b"), Resource::new(pod)];
        finish(&mut resources, "k.yaml").unwrap();
        let sources = &resources[2].value["spec"]["containers"][0]["envFrom"];
        assert_eq!(sources, &json!([{"configMapRef": {"name": "c-b"}}, {"configMapRef": {"name": "x"}}]));
    }

    #[test]
    fn nothing_is_looked_for_where_nothing_was_renamed() {
        let object = json!({"kind": "Pod", "metadata": {"name": "p"}});
        let mut resources = [Resource::new(object.clone()), Resource::new(object)];
        finish(&mut resources, "k.yaml").unwrap();
    }
}
