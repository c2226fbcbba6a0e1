//! What the build refuses whatever the input: links, and more work than its bounds allow.

use std::fmt::Write as _;
use std::fs;

use wooo::files::{DirectoryTree, MemoryTree};
use wooo::overlay::{self, BuildOptions, Error};

fn failure(tree: &MemoryTree, directory: &str) -> Error {
    overlay::build(tree, directory, &BuildOptions::default()).unwrap_err()
}

#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("cm.yaml"), "{kind: A, metadata: {name: a}}\n").unwrap();
    fs::write(outside.path().join("kustomization.yaml"), "resources: [cm.yaml]\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    for (path, shown) in [("link", "link"), ("link/cm.yaml", "link/cm.yaml")] {
        fs::write(folder.path().join("kustomization.yaml"), format!("resources: [{path}]\n")).unwrap();
        let error = overlay::build(&DirectoryTree::new(folder.path()), "", &BuildOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::Forbidden { .. }), "{error}");
        assert!(error.to_string().contains(&format!("`{shown}` is or leads through a link")), "{error}");
    }
    fs::remove_file(folder.path().join("kustomization.yaml")).unwrap();
    let target = outside.path().join("kustomization.yaml");
    std::os::unix::fs::symlink(target, folder.path().join("kustomization.yaml")).unwrap();
    let error = overlay::build(&DirectoryTree::new(folder.path()), "", &BuildOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Forbidden { .. }), "{error}");
}

#[test]
fn a_file_has_at_most_4_mib() {
    let mut tree = MemoryTree::default();
    tree.insert("kustomization.yaml", &b"resources: [big.yaml]\n"[..]);
    tree.insert("big.yaml", vec![b'#'; 4 * 1024 * 1024 + 1]);
    let error = failure(&tree, "");
    assert!(matches!(error, Error::Read { source: wooo::files::Error::TooLarge { .. }, .. }), "{error}");
}

#[test]
fn kustomizations_nest_64_deep_and_no_deeper() {
    let chain = |length: usize| {
        let mut tree = MemoryTree::default();
        for number in 1..length {
            tree.insert(
                format!("k{number}/kustomization.yaml"),
                format!("resources: [../k{}]\n", number + 1).into_bytes(),
            );
        }
        tree.insert(format!("k{length}/kustomization.yaml"), &b"resources: []\n"[..]);
        tree
    };
    assert!(overlay::build(&chain(64), "k1", &BuildOptions::default()).unwrap().is_empty());
    let error = failure(&chain(65), "k1");
    assert!(matches!(error, Error::Limit { .. }), "{error}");
}

#[test]
fn folders_that_include_each_other_twice_do_not_explode() {
    let mut tree = MemoryTree::default();
    for number in 0..40 {
        let text = format!("resources: [../k{0}, ../k{0}]\n", number + 1);
        tree.insert(format!("k{number}/kustomization.yaml"), text.into_bytes());
    }
    tree.insert("k40/kustomization.yaml", &b"resources: []\n"[..]);
    let error = failure(&tree, "k0");
    assert!(matches!(error, Error::Limit { .. }), "{error}");
}

#[test]
fn there_are_at_most_100_000_objects() {
    let mut tree = MemoryTree::default();
    let mut root = "resources:\n".to_owned();
    let mut objects = String::new();
    for number in 0..10_100 {
        let _ = writeln!(objects, "---\n{{kind: A, metadata: {{name: a{number}}}}}");
    }
    tree.insert("base/kustomization.yaml", &b"resources: [all.yaml]\n"[..]);
    tree.insert("base/all.yaml", objects.into_bytes());
    for number in 0..10 {
        let _ = writeln!(root, "- k{number}");
        let text = format!("resources: [../base]\nnamePrefix: k{number}-\n");
        tree.insert(format!("k{number}/kustomization.yaml"), text.into_bytes());
    }
    tree.insert("kustomization.yaml", root.into_bytes());
    let error = failure(&tree, "");
    assert!(error.to_string().ends_with("there are more than 100000 objects"), "{error}");
}

#[test]
fn deep_values_end_in_an_error_and_not_in_a_crash() {
    let mut tree = MemoryTree::default();
    let deep = format!("{{kind: A, metadata: {{name: a}}, x: {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    tree.insert("kustomization.yaml", &b"resources: [a.yaml]\n"[..]);
    tree.insert("a.yaml", deep.into_bytes());
    let error = failure(&tree, "");
    assert!(matches!(error, Error::Syntax { .. }), "{error}");
}

#[test]
fn texts_must_be_texts_and_numbers_numbers() {
    let fields = [
        "commonLabels: {a: 1}",
        "labels: [{pairs: {a: true}}]",
        "replicas: [{count: \"5\"}]",
        "images: [{newTag: 1.0}]",
    ];
    for field in fields {
        let mut tree = MemoryTree::default();
        tree.insert("kustomization.yaml", format!("{field}\n").into_bytes());
        let result = overlay::build(&tree, "", &BuildOptions::default());
        assert!(matches!(result, Err(Error::Syntax { .. })), "{field}: {result:?}");
    }
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {}}\ndata: {k: v, n: {}}\n";

/// The error of a build of one object, or what it prints.
fn built(kustomization: &str, others: &[(&str, String)]) -> Result<String, String> {
    let mut tree = MemoryTree::default();
    tree.insert("kustomization.yaml", format!("resources: [r.yaml]\n{kustomization}").into_bytes());
    tree.insert("r.yaml", OBJECT.as_bytes());
    for (path, text) in others {
        tree.insert(*path, text.clone().into_bytes());
    }
    let objects = overlay::build(&tree, "", &BuildOptions::default());
    objects.and_then(|objects| overlay::write(&objects)).map_err(|error| error.to_string())
}

#[test]
fn copies_within_an_object_neither_nest_nor_double_without_end() {
    let nested = (0..20).scan("/data/n".to_owned(), |path, _| {
        let operation = format!("- {{op: copy, from: /data/n, path: {path}/a}}\n");
        path.push_str(&"/a".repeat(path.matches("/a").count() + 1));
        Some(operation)
    });
    let doubled = (0..40).map(|number| format!("- {{op: copy, from: /data, path: /data/k{number}}}\n"));
    for (operations, reason) in
        [(nested.collect::<String>(), "more than 250 deep"), (doubled.collect(), "more than 200000 values")]
    {
        let error = built("patches: [{path: p.yaml, target: {kind: ConfigMap}}]\n", &[("p.yaml", operations)]);
        let error = error.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let entry = "- source: {kind: ConfigMap, fieldPath: data}\n  targets: [{select: {kind: ConfigMap}, options: {create: true}, fieldPaths: [data.NEW]}]\n";
    let doubled: String = (0..40).map(|number| entry.replace("NEW", &format!("k{number}"))).collect();
    let error = built(&format!("replacements:\n{doubled}"), &[]).unwrap_err();
    assert!(error.contains("more than 200000 values"), "{error}");
}

#[test]
fn paths_are_not_made_deeper_than_values_may_be() {
    let path = "a/".repeat(100_000);
    let configuration = format!("namePrefix:\n- {{path: {path}a, create: true}}\n");
    let error = built("namePrefix: p-\nconfigurations: [c.yaml]\n", &[("c.yaml", configuration)]).unwrap_err();
    assert!(error.contains("more than 250 segments"), "{error}");
    let path = "a.".repeat(100_000);
    let error = built(
        &format!(
            "replacements:\n- source: {{kind: ConfigMap, fieldPath: data.k}}\n  targets: [{{select: {{kind: ConfigMap}}, options: {{create: true}}, fieldPaths: [{path}a]}}]\n"
        ),
        &[],
    );
    let error = error.unwrap_err();
    assert!(error.contains("more than 250 segments"), "{error}");
}

#[test]
fn descriptions_of_kinds_may_be_long_chains_but_not_explode() {
    let schema: String = (0..50_000).fold("definitions:\n".to_owned(), |mut text, number| {
        let next = number + 1;
        writeln!(text, "  d{number}: {{properties: {{a: {{$ref: '#/definitions/d{next}'}}}}}}").unwrap();
        text
    });
    built("openapi: {path: s.yaml}\n", &[("s.yaml", schema)]).unwrap();
    let head = "x.Kind: {Schema: {properties: {kind: {}, apiVersion: {}, metadata: {}, t: {$ref: t0}}}}\n";
    let types = |properties: &dyn Fn(usize) -> String, count: usize| -> String {
        (0..count)
            .map(|number| format!("t{number}: {{Schema: {{properties: {{{}}}}}}}\n", properties(number)))
            .collect()
    };
    let twice = types(&|number| format!("a: {{$ref: t{0}}}, b: {{$ref: t{0}}}", number + 1), 40);
    let error = built("crds: [c.yaml]\n", &[("c.yaml", format!("{head}{twice}"))]).unwrap_err();
    assert!(error.contains("more than 100000 properties"), "{error}");
    let chain = types(&|number| format!("a: {{$ref: t{}}}", number + 1), 20_000);
    let error = built("crds: [c.yaml]\n", &[("c.yaml", format!("{head}{chain}"))]).unwrap_err();
    assert!(error.contains("more than 250 segments"), "{error}");
}

#[test]
fn variables_anchors_and_keys_that_come_twice_take_no_more_than_their_text() {
    let object = |annotations: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  annotations: {{{annotations}}}\n")
    };
    let variable = "vars: [{name: A, objref: {apiVersion: v1, kind: ConfigMap, name: b}, fieldref: {fieldpath: metadata.annotations.a}}]\nconfigurations: [c.yaml]\n";
    let places = "varReference: [{path: metadata/annotations, kind: ConfigMap}]\n".to_owned();
    let build = |annotations: String| {
        let mut tree = MemoryTree::default();
        tree.insert("kustomization.yaml", format!("resources: [r.yaml]\n{variable}").into_bytes());
        tree.insert("r.yaml", object(&annotations).into_bytes());
        tree.insert("c.yaml", places.clone().into_bytes());
        overlay::build(&tree, "", &BuildOptions::default()).map(drop).map_err(|error| error.to_string())
    };
    let error = build(format!("a: {}, b: {}", "x".repeat(1 << 20), "$(A)".repeat(100_000))).unwrap_err();
    assert!(error.contains("more than 64 MiB"), "{error}");
    build(format!("a: x, b: '{}'", "$(".repeat(1 << 19))).unwrap();

    let anchors: String = (0..200).map(|number| format!("&a{number} [")).collect();
    let text = format!("{OBJECT}x: {anchors}{}{}\n", "x,".repeat(100_000), "]".repeat(200));
    let mut tree = MemoryTree::default();
    tree.insert("kustomization.yaml", &b"resources: [r.yaml]\n"[..]);
    tree.insert("r.yaml", text.into_bytes());
    assert!(failure(&tree, "").to_string().contains("anchors name more than"));

    let text = format!("resources: [r.yaml]\n{}", "namePrefix: x\n".repeat(100_000));
    tree.insert("kustomization.yaml", text.into_bytes());
    tree.insert("r.yaml", OBJECT.as_bytes());
    overlay::build(&tree, "", &BuildOptions::default()).unwrap();
}
