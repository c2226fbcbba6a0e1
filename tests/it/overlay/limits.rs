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
