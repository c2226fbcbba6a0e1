//! Tree edits: against a model, in both forms of storage, and by several writers at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use proptest::prelude::*;
use wooo::files::FileTree;
use wooo::git::{Error, PreparedBlob, Repository, TreeEdits};

use super::{assert_sound, bare, commit, git, main_branch, output, signature, write};

#[derive(Clone, Debug)]
enum Edit {
    Put(String, u8),
    Remove(String),
    RemoveTree(String),
}

fn path() -> impl Strategy<Value = String> {
    // Few and awkward names, so that files and folders often meet at one path and sort on either side of each other.
    proptest::collection::vec(proptest::sample::select(vec!["a", "a.b", "a0", "a-", "b"]), 1..4)
        .prop_map(|segments| segments.join("/"))
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        5 => (path(), 0..4_u8).prop_map(|(path, content)| Edit::Put(path, content)),
        2 => path().prop_map(Edit::Remove),
        1 => path().prop_map(Edit::RemoveTree),
    ]
}

/// The same edits on a plain map of files.
fn model(files: &mut BTreeMap<String, u8>, edit: &Edit) {
    let is_below = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    match edit {
        Edit::Put(path, content) => {
            files.retain(|other, _| !is_below(other, path) && !is_below(path, other));
            files.insert(path.clone(), *content);
        }
        Edit::Remove(path) => {
            files.remove(path);
        }
        Edit::RemoveTree(path) => files.retain(|other, _| other != path && !is_below(other, path)),
    }
}

fn listed(repository: &Repository, tree: &str) -> Vec<String> {
    let lines = output(repository.path(), ["ls-tree", "-r", "--format=%(objectmode) %(path) %(objectname)", tree]);
    lines.lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn edits_do_what_a_map_of_files_does(batches in proptest::collection::vec(proptest::collection::vec(edit(), 0..12), 1..5)) {
        let folder = tempfile::tempdir().unwrap();
        let repository = bare(folder.path());
        let mut files = BTreeMap::new();
        let mut base = None;
        for batch in &batches {
            let mut writer = repository.writer();
            let mut edits = TreeEdits::new();
            for edit in batch {
                model(&mut files, edit);
                match edit {
                    Edit::Put(path, content) => {
                        let blob = writer.add(PreparedBlob::new(&[*content])).unwrap();
                        edits.put(path, blob).unwrap();
                    }
                    Edit::Remove(path) => edits.remove(path).unwrap(),
                    Edit::RemoveTree(path) => edits.remove_tree(path).unwrap(),
                }
            }
            base = Some(writer.finish(base, &edits).unwrap());
        }
        let tree = base.unwrap();
        let mut expected: Vec<_> = files
            .iter()
            .map(|(path, content)| format!("100644 {path} {}", PreparedBlob::new(&[*content]).id()))
            .collect();
        let mut found = listed(&repository, &tree.to_string());
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
        // The order of the edits and their grouping leave no trace in the id.
        let mut edits = TreeEdits::new();
        for (path, content) in &files {
            edits.put(path, PreparedBlob::new(&[*content]).id()).unwrap();
        }
        prop_assert_eq!(repository.apply(None, &edits).unwrap(), tree);
        let id = repository.commit(tree, &[], &signature(), "x").unwrap();
        repository.update_branch(&main_branch(), id, None).unwrap();
        assert_sound(&repository);
    }
}

#[test]
fn an_edit_that_changes_nothing_gives_the_same_tree_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let base = write(&repository, None, &[("a/b/c", "1"), ("a/d", "2")]);
    let objects = || output(folder.path(), ["count-objects"]);
    let before = objects();
    let mut edits = TreeEdits::new();
    edits.put("a/b/c", PreparedBlob::new(b"1").id()).unwrap();
    edits.remove("a/none/x").unwrap();
    edits.remove("a/b").unwrap();
    edits.remove_tree("z").unwrap();
    assert_eq!(repository.apply(Some(base), &edits).unwrap(), base);
    assert_eq!(repository.apply(Some(base), &TreeEdits::new()).unwrap(), base);
    assert_eq!(objects(), before);
}

#[test]
fn the_last_file_takes_its_folders_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let base = write(&repository, None, &[("a/b/c", "1"), ("z", "2")]);
    let mut edits = TreeEdits::new();
    edits.remove("a/b/c").unwrap();
    let tree = repository.apply(Some(base), &edits).unwrap();
    assert_eq!(listed(&repository, &tree.to_string()).len(), 1);
    assert_eq!(repository.tree_by_id(tree).unwrap().kind("a").unwrap(), None);
    edits.remove("z").unwrap();
    let empty = repository.apply(Some(base), &edits).unwrap();
    assert_eq!(empty.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert!(repository.tree_by_id(empty).unwrap().list("").unwrap().is_empty());
}

#[test]
fn foreign_entries_stay_and_links_and_submodules_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let blob = {
        let mut writer = repository.writer();
        let blob = writer.add(PreparedBlob::new(b"../../etc/passwd")).unwrap();
        writer.finish(None, &TreeEdits::new()).unwrap();
        blob
    };
    let sub = "1".repeat(40);
    let entries = format!(
        "120000 blob {blob}\tlink\n100755 blob {blob}\trun.sh\n160000 commit {sub}\tmodule\n100644 blob {blob}\tfile\n"
    );
    let base = make_tree(folder.path(), &entries).parse().unwrap();
    let tree = write(&repository, Some(base), &[("link/below", "1"), ("module", "2"), ("new", "3")]);
    let found = listed(&repository, &tree.to_string());
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found.contains(&format!("100755 run.sh {blob}")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("100644 link/below")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("100644 module ")), "{found:?}");
}

pub(super) fn make_tree(repository: &Path, entries: &str) -> String {
    use std::io::Write;
    let mut child = git(repository, ["mktree", "--missing"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn many_objects_become_one_pack_that_git_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("apps/app-7/app.yaml", "old"), ("keep", "x")], "first");
    let mut writer = repository.writer();
    let mut edits = TreeEdits::new();
    for app in 0..150 {
        for file in 0..3 {
            let content = format!("app {app} file {file}\n").repeat(1 + app * 40);
            let blob = writer.add(PreparedBlob::new(content.as_bytes())).unwrap();
            edits.put(&format!("apps/app-{app}/file-{file}.yaml"), blob).unwrap();
        }
    }
    let base = repository.tree(first).unwrap().id();
    let tree = writer.finish(Some(base), &edits).unwrap();
    let second = repository.commit(tree, &[first], &signature(), "second").unwrap();
    repository.update_branch(&main_branch(), second, Some(first)).unwrap();
    assert_sound(&repository);
    let counts = output(folder.path(), ["count-objects", "-v"]);
    assert!(counts.contains("packs: 1\n") && counts.contains("garbage: 0\n"), "{counts}");
    let read = repository.tree(second).unwrap().read_text("apps/app-149/file-2.yaml", 1 << 20).unwrap();
    assert!(read.starts_with("app 149 file 2\n"));
    assert_eq!(output(folder.path(), ["ls-tree", "-r", "--name-only", "main"]).lines().count(), 452);
    // Everything is there already, so nothing is written again.
    let mut writer = repository.writer();
    for app in 0..150 {
        for file in 0..3 {
            let content = format!("app {app} file {file}\n").repeat(1 + app * 40);
            writer.add(PreparedBlob::new(content.as_bytes())).unwrap();
        }
    }
    assert_eq!(writer.finish(Some(base), &edits).unwrap(), tree);
    assert_eq!(output(folder.path(), ["count-objects", "-v"]), counts);
}

#[test]
fn paths_that_no_clone_should_hold_are_refused() {
    let mut edits = TreeEdits::new();
    let blob = PreparedBlob::new(b"").id();
    for path in ["", "/etc/passwd", "../x", "a//b", ".git/config", "a/.Git/hooks/x", "GIT~1/x", "a\nb"] {
        assert!(matches!(edits.put(path, blob), Err(Error::Path { .. })), "{path:?}");
        assert!(matches!(edits.remove(path), Err(Error::Path { .. })), "{path:?}");
        assert!(matches!(edits.remove_tree(path), Err(Error::Path { .. })), "{path:?}");
    }
    assert!(edits.is_empty());
}

#[test]
fn twenty_writers_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    commit(&bare(folder.path()), &[("fleet.yaml", "x")], "first");
    thread::scope(|scope| {
        for writer in 0..20 {
            let path = folder.path();
            scope.spawn(move || {
                let repository = Repository::open(path).unwrap();
                for turn in 0..3 {
                    let file = format!("apps/app-{writer}/{turn}.yaml");
                    let mut tries = 0;
                    while let Err(error) = append(&repository, &file) {
                        assert!(matches!(error, Error::RefMoved { .. } | Error::RefLocked { .. }), "{error}");
                        tries += 1;
                        assert!(tries < 1000, "{error}");
                    }
                }
            });
        }
    });
    let repository = Repository::open(folder.path()).unwrap();
    assert_sound(&repository);
    assert_eq!(output(folder.path(), ["ls-tree", "-r", "--name-only", "main"]).lines().count(), 61);
    assert_eq!(output(folder.path(), ["rev-list", "--count", "main"]), "61");
}

/// One turn of reading, editing, committing and swapping.
fn append(repository: &Repository, file: &str) -> Result<(), Error> {
    let tip = repository.tip(&main_branch())?;
    let tree = write(repository, Some(repository.tree(tip)?.id()), &[(file, file)]);
    let id = repository.commit(tree, &[tip], &signature(), file)?;
    repository.update_branch(&main_branch(), id, Some(tip))
}
