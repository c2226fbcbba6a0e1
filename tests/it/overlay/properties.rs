//! Properties of the overlay build: what holds for all input, and agreement with kustomize on a random sample.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use wooo::files::MemoryTree;
use wooo::overlay::{self, BuildOptions, Overlay};
use wooo::yaml::Node;

use super::kustomize;

/// How many pairs of object and patch one kustomization holds, and how many kustomizations there are.
const PAIRS: usize = 50;
const RUNS: usize = 4;

fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Texts that a YAML reader could take for something else are a matter of the reader, not of the merge.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just("aa"), Just("bb"), Just("cc"), Just("dd")].prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![word().prop_map(Value::from), (0..9_u8).prop_map(Value::from), any::<bool>().prop_map(Value::from)]
}

fn object_of(fields: Vec<(String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect::<Map<_, _>>())
}

/// A list whose elements have distinct keys out of a few. In a patch they may have directives.
fn keyed(
    key: &'static str,
    rest: impl Strategy<Value = Value> + 'static,
    is_patch: bool,
) -> impl Strategy<Value = Value> {
    let order =
        prop_oneof![6 => Just(None), 1 => Just(Some("delete")), 1 => Just(Some("merge")), 1 => Just(Some("replace"))];
    let element = (word(), rest, order).prop_map(move |(name, rest, order)| {
        let mut element = Map::from_iter([(key.to_owned(), Value::from(name))]);
        element.extend(rest.as_object().cloned().unwrap_or_default());
        element.extend(order.filter(|_| is_patch).map(|order| ("$patch".to_owned(), order.into())));
        Value::Object(element)
    });
    let list = proptest::collection::vec(element, 0..4).prop_map(move |elements| {
        let mut seen = std::collections::HashSet::new();
        Value::Array(elements.into_iter().filter(|element| seen.insert(element[key].to_string())).collect())
    });
    let replaced = is_patch.then_some("replace");
    (list, proptest::bool::weighted(0.1)).prop_map(move |(mut list, is_replaced)| {
        if let (Some(order), true, Some(elements)) = (replaced, is_replaced, list.as_array_mut()) {
            // Next to a directive for the list, those of elements make no sense, and kustomize makes none of them.
            elements.iter_mut().filter_map(Value::as_object_mut).for_each(|element| drop(element.remove("$patch")));
            elements.insert(0, json!({"$patch": order}));
        }
        list
    })
}

/// Ports, some with a protocol and some without. No list has one number both ways: what kustomize makes of that depends on
/// the whole list, and it is no valid list of ports.
fn ports(key: &'static str) -> impl Strategy<Value = Value> {
    let protocol = prop_oneof![Just(None), Just(Some("TCP")), Just(Some("UDP"))];
    let port = (80..83_u8, protocol, word()).prop_map(move |(number, protocol, name)| {
        let mut port = json!({key: number, "name": name});
        if let Some(protocol) = protocol {
            port["protocol"] = protocol.into();
        }
        port
    });
    proptest::collection::vec(port, 0..4).prop_map(move |ports| {
        let mut kept: Vec<Value> = Vec::new();
        for port in ports {
            let is_like = |other: &Value| {
                other[key] == port[key] && (other.get("protocol").is_none() || port.get("protocol").is_none())
            };
            if !kept.iter().any(is_like) {
                kept.push(port);
            }
        }
        Value::Array(kept)
    })
}

/// A map of scalars. In a patch, some are `null`, and the map may have a directive.
fn plain_map(is_patch: bool) -> impl Strategy<Value = Value> {
    let value = (scalar(), proptest::bool::weighted(0.2));
    let value = value.prop_map(move |(value, is_null)| if is_patch && is_null { Value::Null } else { value });
    let order = prop_oneof![8 => Just(None), 1 => Just(Some("delete")), 1 => Just(Some("replace"))];
    (proptest::collection::vec((word(), value), 0..4), order).prop_map(move |(fields, order)| {
        let mut map = object_of(fields);
        if let (true, Some(order)) = (is_patch, order) {
            map["$patch"] = order.into();
        }
        map
    })
}

/// Some of these fields.
fn fields(all: Vec<(&'static str, proptest::strategy::BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let each: Vec<_> = all
        .into_iter()
        .map(|(name, value)| {
            (proptest::bool::weighted(0.6), value).prop_map(move |(is_there, value)| (is_there, name, value))
        })
        .collect();
    each.prop_map(|fields| {
        object_of(fields.into_iter().filter(|field| field.0).map(|(_, name, value)| (name.to_owned(), value)).collect())
    })
}

fn container(is_patch: bool) -> impl Strategy<Value = Value> {
    fields(vec![
        ("image", word().prop_map(Value::from).boxed()),
        ("args", proptest::collection::vec(scalar(), 0..3).prop_map(Value::Array).boxed()),
        ("env", keyed("name", fields(vec![("value", word().prop_map(Value::from).boxed())]), is_patch).boxed()),
        ("volumeMounts", keyed("mountPath", plain_map(false), is_patch).boxed()),
        ("ports", ports("containerPort").boxed()),
        ("resources", fields(vec![("limits", plain_map(is_patch).boxed())]).boxed()),
    ])
}

fn deployment_spec(is_patch: bool) -> impl Strategy<Value = Value> {
    let pod = fields(vec![
        ("containers", keyed("name", container(is_patch), is_patch).boxed()),
        ("initContainers", keyed("name", container(is_patch), is_patch).boxed()),
        ("volumes", keyed("name", fields(vec![("emptyDir", plain_map(is_patch).boxed())]), is_patch).boxed()),
        ("tolerations", keyed("key", plain_map(false), false).boxed()),
        ("nodeSelector", plain_map(is_patch).boxed()),
        ("hostAliases", keyed("ip", plain_map(false), is_patch).boxed()),
    ]);
    fields(vec![
        ("replicas", (0..9_u8).prop_map(Value::from).boxed()),
        ("strategy", plain_map(is_patch).boxed()),
        ("template", fields(vec![("spec", pod.boxed())]).boxed()),
    ])
}

fn service_spec() -> impl Strategy<Value = Value> {
    fields(vec![("ports", ports("port").boxed()), ("selector", plain_map(false).boxed())])
}

/// The parts of a custom resource: what looks like a list with keys is none.
fn custom_spec(is_patch: bool) -> impl Strategy<Value = Value> {
    fields(vec![
        ("containers", keyed("name", plain_map(is_patch), is_patch).boxed()),
        ("inner", plain_map(is_patch).boxed()),
    ])
}

fn pair() -> impl Strategy<Value = (&'static str, &'static str, Value, Value)> {
    prop_oneof![
        4 => (deployment_spec(false), deployment_spec(true))
            .prop_map(|(base, patch)| ("apps/v1", "Deployment", base, patch)),
        1 => (service_spec(), service_spec()).prop_map(|(base, patch)| ("v1", "Service", base, patch)),
        1 => (custom_spec(false), custom_spec(true)).prop_map(|(base, patch)| ("example.com/v1", "Widget", base, patch)),
    ]
}

/// Takes the directive out of lists that the object does not have, where kustomize drops the list and keeps the directive.
fn without_directives_for_absent_lists(base: &Value, patch: &mut Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (name, patch) in patch {
                match (base.get(name), patch) {
                    (Some(base), patch) => without_directives_for_absent_lists(base, patch),
                    (None, Value::Array(list)) => list.retain(|element| element != &json!({"$patch": "replace"})),
                    _ => {}
                }
            }
        }
        (Value::Array(base), Value::Array(patch)) => {
            let key =
                |value: &Value| ["name", "ip", "mountPath"].iter().find_map(|key| value.get(key)).map(Value::to_string);
            for patch in patch {
                let same = base.iter().find(|base| key(base).is_some() && key(base) == key(patch));
                if let Some(base) = same {
                    without_directives_for_absent_lists(base, patch);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn merging_agrees_with_kustomize() {
    let Some(program) = kustomize::program() else { return kustomize::absent() };
    let mut runner = TestRunner::deterministic();
    for _ in 0..RUNS {
        let mut bases = Vec::new();
        let mut patches = Vec::new();
        for number in 0..PAIRS {
            let (api_version, kind, base, mut patch) = pair().new_tree(&mut runner).unwrap().current();
            without_directives_for_absent_lists(&base, &mut patch);
            let object = |spec: Value| {
                let metadata = json!({"name": format!("object-{number}")});
                json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
            };
            bases.push(object(base));
            patches.push(object(patch));
        }
        let nodes = |objects: Vec<Value>| -> Vec<Node> { objects.into_iter().map(Node::from).collect() };
        let files = [
            ("kustomization.yaml", "resources: [base.yaml]\npatches: [{path: patch.yaml}]\n".to_owned()),
            ("base.yaml", overlay::write(&nodes(bases)).unwrap()),
            ("patch.yaml", overlay::write(&nodes(patches)).unwrap()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text));
        let folder = tempfile::tempdir().unwrap();
        kustomize::write(folder.path(), &files);
        let expected = kustomize::build(&program, folder.path()).unwrap();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let found = overlay::build(&tree(&files), "", &BuildOptions::default()).unwrap();
        assert_eq!(overlay::write(&found).unwrap(), expected, "\n{files:?}");
    }
}

#[test]
fn an_overlay_that_orders_nothing_changes_nothing() {
    let overlay = Overlay::load(&tree(&[("o/kustomization.yaml", "resources: []\n")]), "o").unwrap();
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let (api_version, kind, spec, _) = pair().new_tree(&mut runner).unwrap().current();
        let metadata = json!({"name": "a"});
        let objects = vec![json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})];
        let applied = overlay.apply(objects.iter().cloned().map(Node::from).collect()).unwrap();
        let applied: Vec<Value> = applied.into_iter().map(|node| Value::try_from(node).unwrap()).collect();
        // Equality of maps does not see the order of keys; their text does.
        assert_eq!(serde_json::to_string(&applied).unwrap(), serde_json::to_string(&objects).unwrap());
    }
}

#[test]
fn an_overlay_is_shared_by_threads_and_gives_the_same_each_time() {
    let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";
    let files = tree(&[("kustomization.yaml", "patches: [{path: p.yaml}]\n"), ("p.yaml", patch)]);
    let overlay = Overlay::load(&files, "").unwrap();
    let object = || Node::from(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}));
    let apply = || overlay.apply(vec![object()]);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| apply().unwrap())).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap()[0].get("data"), Some(&Node::from(json!({"k": "v"}))));
        }
    });
    assert_eq!(overlay.files(), ["kustomization.yaml", "p.yaml"]);
    assert!(overlay.apply(Vec::new()).is_err());
}
