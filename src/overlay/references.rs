//! Names at the end of a build: hashes, and references that follow.
//!
//! Owns finding the object that a name means. Only names of objects that were renamed are looked for, so a build that
//! renames nothing pays nothing. Which fields hold names is in [`reference_table`](super::reference_table).

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use super::error::{Error, Origin};
use super::fields;
use super::hash;
use super::layer;
use super::reference_table::{Reference, ReferenceTable};
use super::resource::{Affixes, OwnedId, Resource};
use crate::yaml::{Mapping, Node, Tag};

/// Appends the hashes to the names of the objects that want one.
pub(super) fn append_hashes(resources: &mut [Resource], file: &str) -> Result<(), Error> {
    for resource in resources.iter_mut().filter(|resource| resource.needs_hash) {
        let hash = hash::hash(&resource.node)
            .map_err(|error| Origin::new(file, "names").patch(resource.id(), error.to_string()))?;
        let name = format!("{}-{hash}", resource.id().name);
        resource.rename(&name);
    }
    Ok(())
}

/// Lets references follow all names that changed.
pub(super) fn follow(resources: &mut [Resource], table: &ReferenceTable, file: &str) -> Result<(), Error> {
    for resource in resources.iter() {
        check_subjects(resource).map_err(|reason| Origin::new(file, "subjects").patch(resource.id(), reason))?;
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
    let follow_one = |resource: &mut Resource| follow_in(resource, table, &renamed, &index, file);
    match resources.len() {
        0..WORTH_THREADS => resources.iter_mut().try_for_each(follow_one),
        _ => {
            // Threads find faults in no order; the one to be told is the first one's.
            let results: Vec<Result<(), Error>> = resources.par_iter_mut().map(follow_one).collect();
            results.into_iter().collect()
        }
    }
}

/// From how many objects on several threads look for references.
const WORTH_THREADS: usize = 256;

fn follow_in(
    resource: &mut Resource,
    table: &ReferenceTable,
    renamed: &HashSet<String>,
    index: &Index<'_>,
    file: &str,
) -> Result<(), Error> {
    let is_meant = |field: &&Reference| field.kind.is_empty() || renamed.contains(&field.kind);
    let references: Vec<&Reference> = table.of(resource.original_id()).filter(is_meant).collect();
    if references.is_empty() {
        return Ok(());
    }
    let referrer = Referrer::new(resource);
    for reference in references {
        let result = fields::visit(&mut resource.node, &reference.path, None, &mut |node| {
            index.follow(node, reference, &referrer)
        });
        result.map_err(|reason| Origin::new(file, reference.path.join("/")).target(reason))?;
    }
    Ok(())
}

/// What is known of an object that has references, while the object itself is being changed.
struct Referrer {
    /// `None` for an object outside of namespaces, which may refer into each of them.
    namespace: Option<String>,
    affixes: Affixes,
    /// API group and kind of the role that a binding binds.
    role: Option<(String, String)>,
    /// Where the service accounts of a RoleBinding are, as it says.
    subjects: Vec<String>,
}

impl Referrer {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let role = resource.node.get("roleRef").and_then(|role| {
            let text = |field: &str| role.get(field).and_then(Node::text).map(str::to_owned);
            text("apiGroup").zip(text("kind"))
        });
        let subjects = match id.kind {
            "RoleBinding" => subject_namespaces(&resource.node),
            _ => Vec::new(),
        };
        Self {
            namespace: id.effective_namespace().map(str::to_owned),
            affixes: resource.affixes.clone(),
            role,
            subjects,
        }
    }

    /// Whether the object can be meant at all: one in another namespace can only by a RoleBinding with a subject there.
    fn reaches(&self, candidate: &Candidate) -> bool {
        self.namespace.is_none()
            || candidate.effective_namespace.is_none()
            || self.namespace == candidate.effective_namespace
            || self.subjects.contains(&candidate.namespace)
    }
}

/// The subjects of a binding of roles are read whether or not a name changed.
fn check_subjects(binding: &Resource) -> Result<(), String> {
    let id = binding.id();
    let is_role_binding = match id.kind {
        "RoleBinding" => true,
        "ClusterRoleBinding" => false,
        _ => return Ok(()),
    };
    let subjects = match binding.node.get("subjects") {
        Some(Node::Sequence(items)) => items.as_slice(),
        Some(node @ Node::Mapping(_)) => std::slice::from_ref(node),
        _ => return Ok(()),
    };
    if id.group != "rbac.authorization.k8s.io" {
        return Ok(());
    }
    for subject in subjects {
        match subject {
            Node::Mapping(subject) if !subject.contains_key("name") => return Err("a subject has no `name`".to_owned()),
            Node::Mapping(subject) if is_role_binding => {
                let is_account = subject.get("kind").and_then(Node::text) == Some("ServiceAccount");
                let is_text = |node: &Node| node.as_scalar().is_some_and(|scalar| scalar.tag() == Tag::Str);
                if is_account && subject.get("namespace").is_some_and(|namespace| !is_text(namespace)) {
                    return Err("the `namespace` of a subject is not a text".to_owned());
                }
            }
            Node::Mapping(_) => {}
            Node::Scalar(_) if !is_role_binding => {}
            _ => return Err("a subject is not a map".to_owned()),
        }
    }
    Ok(())
}

fn subject_namespaces(binding: &Node) -> Vec<String> {
    let subjects = binding.get("subjects").and_then(Node::as_sequence).unwrap_or_default();
    let text = |subject: &Node, field: &str| subject.get(field).and_then(Node::text).map(str::to_owned);
    let accounts = subjects.iter().filter(|subject| text(subject, "kind").as_deref() == Some("ServiceAccount"));
    accounts.filter_map(|subject| text(subject, "namespace")).filter(|namespace| !namespace.is_empty()).collect()
}

/// An object that a reference may mean.
struct Candidate {
    group: String,
    version: String,
    /// Kinds, names and namespaces that it had before.
    previous: Vec<(String, String, Option<String>)>,
    name: String,
    /// As written.
    namespace: String,
    effective_namespace: Option<String>,
    affixes: Affixes,
}

impl Candidate {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let previous = resource.previous.iter().map(OwnedId::borrow);
        Self {
            group: id.group.to_owned(),
            version: id.version.to_owned(),
            previous: previous
                .map(|id| (id.kind.to_owned(), id.name.to_owned(), id.effective_namespace().map(str::to_owned)))
                .collect(),
            name: id.name.to_owned(),
            namespace: id.namespace.to_owned(),
            effective_namespace: id.effective_namespace().map(str::to_owned),
            affixes: resource.affixes.clone(),
        }
    }
}

impl Candidate {
    /// Whether the object was called so, was of this kind (any, if it is empty), and is at the place.
    fn was(&self, name: &str, kind: &str, place: Place<'_>) -> bool {
        let now = self.effective_namespace.as_deref();
        let is_called = |(was_kind, was_name, _): &&(String, String, Option<String>)| {
            was_name == name && (kind.is_empty() || was_kind == kind)
        };
        let mut earlier = self.previous.iter().filter(is_called).peekable();
        match place {
            Place::Anywhere => earlier.peek().is_some(),
            Place::Now(namespace) => earlier.peek().is_some() && (now.is_none() || now == Some(namespace)),
            Place::Ever(namespace) => {
                let is_now = now == Some(namespace);
                earlier.any(|(_, _, was)| is_now || was.as_deref() == Some(namespace))
            }
        }
    }
}

/// Where an object must be, to be meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place<'a> {
    Anywhere,
    /// In this namespace now, or outside of namespaces.
    Now(&'a str),
    /// In this namespace now or earlier.
    Ever(&'a str),
}

/// The objects of one earlier name. Where there are many, they are also kept apart by namespace.
#[derive(Default)]
struct Bucket<'a> {
    all: Vec<&'a Candidate>,
    by_namespace: OnceLock<HashMap<Option<&'a str>, Vec<&'a Candidate>>>,
}

/// From how many objects of one name on they are looked up by their namespace and not searched.
const MANY: usize = 16;

impl<'a> Bucket<'a> {
    /// The objects among which those at a place are, in their order.
    fn near(&self, place: Place<'_>) -> Vec<&'a Candidate> {
        if self.all.len() < MANY {
            return self.all.clone();
        }
        let by_namespace = self.by_namespace.get_or_init(|| {
            let mut map: HashMap<Option<&'a str>, Vec<&'a Candidate>> = HashMap::new();
            for candidate in &self.all {
                let earlier = candidate.previous.iter().map(|(_, _, namespace)| namespace.as_deref());
                for namespace in earlier.chain([candidate.effective_namespace.as_deref()]) {
                    let list = map.entry(namespace).or_default();
                    if list.last().is_none_or(|last| !std::ptr::eq(*last, *candidate)) {
                        list.push(candidate);
                    }
                }
            }
            map
        });
        let of = |namespace| by_namespace.get(&namespace).into_iter().flatten().copied();
        match place {
            Place::Anywhere => self.all.clone(),
            Place::Now(namespace) => of(None).chain(of(Some(namespace))).collect(),
            Place::Ever(namespace) => of(Some(namespace)).collect(),
        }
    }
}

/// The objects by every name that they had.
struct Index<'a> {
    buckets: HashMap<&'a str, Bucket<'a>>,
}

impl<'a> Index<'a> {
    fn new(all: &'a [Candidate]) -> Self {
        let mut buckets: HashMap<_, Bucket<'a>> = HashMap::with_capacity(all.len());
        for candidate in all {
            for (_, name, _) in &candidate.previous {
                let bucket = buckets.entry(name.as_str()).or_default();
                // An object comes with all of its names at once, so it can only be the last one.
                if bucket.all.last().is_none_or(|last| !std::ptr::eq(*last, candidate)) {
                    bucket.all.push(candidate);
                }
            }
        }
        Self { buckets }
    }

    fn follow(&self, node: &mut Node, reference: &Reference, referrer: &Referrer) -> Result<(), String> {
        match node {
            Node::Scalar(_) => {
                let Some(name) = node.text() else { return Ok(()) };
                let place = referrer.namespace.as_deref().map_or(Place::Anywhere, Place::Now);
                if let Some(found) = self.find(name, reference, referrer, place, false)?
                    && found.name != name
                {
                    node.set_text(&found.name);
                }
                Ok(())
            }
            Node::Mapping(mapping) => self.follow_map(mapping, reference, referrer),
            Node::Sequence(items) => items.iter_mut().try_for_each(|item| self.follow(item, reference, referrer)),
        }
    }

    /// A reference that is a map says the namespace itself. Kustomize does not look at a `kind` in it: a User in a
    /// role binding follows the service account of the same name.
    fn follow_map(&self, mapping: &mut Mapping, reference: &Reference, referrer: &Referrer) -> Result<(), String> {
        let text = |field: &str| mapping.get(field).and_then(Node::text);
        let Some(name) = text("name") else {
            return Err("there is a map without a `name` where a name is expected".to_owned());
        };
        let place = text("namespace").map_or(Place::Anywhere, Place::Ever);
        if let Some(found) = self.find(name, reference, referrer, place, true)? {
            if let Some(node) = mapping.get_mut("name") {
                node.set_text(&found.name);
            }
            if !found.namespace.is_empty() {
                mapping.entry("namespace", Node::null).set_text(&found.namespace);
            }
        }
        Ok(())
    }

    /// The one object that a name means. With several, the one that was given the same prefixes and suffixes.
    fn find(
        &self,
        name: &str,
        reference: &Reference,
        referrer: &Referrer,
        place: Place<'_>,
        is_map: bool,
    ) -> Result<Option<&Candidate>, String> {
        let Reference { group, version, kind, .. } = reference;
        if reference.path.ends_with(&["roleRef".to_owned(), "name".to_owned()])
            && referrer.role.as_ref().is_some_and(|(role_group, role_kind)| role_group != group || role_kind != kind)
        {
            return Ok(None);
        }
        let Some(bucket) = self.buckets.get(name) else { return Ok(None) };
        let found: Vec<&Candidate> = bucket
            .near(place)
            .into_iter()
            .filter(|candidate| referrer.reaches(candidate) && candidate.was(name, kind, place))
            .filter(|candidate| group.is_empty() || candidate.group == *group)
            .filter(|candidate| version.is_empty() || candidate.version == *version)
            .collect();
        if found.len() <= 1 {
            return Ok(found.first().copied());
        }
        let alike: Vec<&Candidate> = found.into_iter().filter(|found| found.affixes == referrer.affixes).collect();
        let is_map = is_map && referrer.namespace.is_some();
        let is_same = |left: &Candidate, right: &Candidate| {
            left.name == right.name && (!is_map || left.namespace == right.namespace)
        };
        match alike[..] {
            [] => Ok(None),
            [first, ref rest @ ..] if rest.iter().all(|other| is_same(first, other)) => Ok(Some(first)),
            _ => Err(format!("the name `{name}` means more than one {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;
    use serde_json::{Value, json};

    fn followed(mut resources: Vec<Resource>) -> Vec<Value> {
        follow(&mut resources, &Config::built_in().references(), "k.yaml").unwrap();
        resources.into_iter().map(|resource| Value::try_from(resource.node).unwrap()).collect()
    }

    #[test]
    fn references_follow_within_the_namespace() {
        let config = |namespace: &str| {
            let metadata = json!({"name": "c", "namespace": namespace});
            let mut resource =
                Resource::new(Node::from(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})));
            resource.rename(&format!("c-{namespace}"));
            resource
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "b"},
            "spec": {"containers": [{"envFrom": [{"configMapRef": {"name": "c"}}, {"configMapRef": {"name": "x"}}]}]}});
        let objects = followed(vec![config("a"), config("b"), Resource::new(Node::from(pod))]);
        let sources = &objects[2]["spec"]["containers"][0]["envFrom"];
        assert_eq!(sources, &json!([{"configMapRef": {"name": "c-b"}}, {"configMapRef": {"name": "x"}}]));
    }

    #[test]
    fn nothing_is_looked_for_where_nothing_was_renamed() {
        let object = || Resource::new(Node::from(json!({"kind": "Pod", "metadata": {"name": "p"}})));
        assert_eq!(followed(vec![object(), object()]).len(), 2);
    }

    #[test]
    fn a_hash_is_part_of_the_name() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
        let mut resources = [Resource::new(Node::from(object))];
        resources[0].needs_hash = true;
        append_hashes(&mut resources, "k.yaml").unwrap();
        assert_eq!(resources[0].id().name, "c-4h2mbtbbt6");
    }
}
