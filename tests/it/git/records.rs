//! History, notes and differences: what the record is read back from.

use std::thread;

use serde_json::json;
use wooo::git::{CommitId, Repository};

use super::{assert_sound, bare, commit, git, main_branch, output, signature, write};

fn subjects(repository: &Repository, from: CommitId, paths: &[&str]) -> Vec<String> {
    repository.history(from, paths).unwrap().map(|commit| commit.unwrap().subject().to_owned()).collect()
}

#[test]
fn history_is_that_of_git_log() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    commit(&repository, &[("a/x", "1"), ("b", "1")], "one");
    let fork = commit(&repository, &[("a/x", "2")], "two");
    commit(&repository, &[("b", "2")], "three");
    let side = {
        let tree = write(&repository, Some(repository.tree(fork).unwrap().id()), &[("a/y", "4")]);
        repository.commit(tree, &[fork], &signature(), "side").unwrap()
    };
    let main = repository.tip(&main_branch()).unwrap();
    let merged = write(&repository, Some(repository.tree(main).unwrap().id()), &[("a/y", "4")]);
    let merge = repository.commit(merged, &[main, side], &signature(), "merge").unwrap();
    repository.update_branch(&main_branch(), merge, Some(main)).unwrap();
    let last = commit(&repository, &[("a", "a file now")], "last");
    for path in ["a", "a/x", "a/y", "b", "none"] {
        let mut expected: Vec<_> =
            output(folder.path(), ["log", "--format=%s", "main", "--", path]).lines().map(str::to_owned).collect();
        let mut found = subjects(&repository, last, &[path]);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(subjects(&repository, last, &[]).len(), 6);
    assert_eq!(repository.history(last, &[]).unwrap().next().unwrap().unwrap().id, last);
    assert!(repository.history("1".repeat(40).parse().unwrap(), &[]).is_err());
}

#[test]
fn differences_are_those_of_git_diff_tree() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let before = write(&repository, None, &[("a/b", "1"), ("a.b", "1"), ("a-", "1"), ("same/x", "1"), ("f", "1")]);
    let after = write(&repository, Some(before), &[("a", "2"), ("a.b/c", "2"), ("a-", "2"), ("f", "1"), ("new", "1")]);
    let names = output(folder.path(), ["diff-tree", "-r", "--name-only", &before.to_string(), &after.to_string()]);
    let mut expected: Vec<_> = names.lines().collect();
    expected.sort_unstable();
    let changes = repository.changes(Some(before), after).unwrap();
    assert_eq!(changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), expected);
    assert!(changes.iter().any(|change| change.path == "a/b" && change.after.is_none()));
    assert_eq!(repository.changes(None, before).unwrap().len(), 5);
    assert!(repository.changes(Some(after), after).unwrap().is_empty());
}

#[test]
fn notes_are_kept_beside_commits_and_git_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let second = commit(&repository, &[("a", "2")], "second");
    assert!(repository.notes(first).unwrap().is_empty());
    repository.append_note(first, &json!({"outcome": "healthy"}), &signature()).unwrap();
    repository.append_note(first, &json!({"text": "two\nlines"}), &signature()).unwrap();
    assert_eq!(repository.notes(first).unwrap(), [json!({"outcome": "healthy"}), json!({"text": "two\nlines"})]);
    let shown = output(folder.path(), ["notes", "--ref=wooo", "show", &first.to_string()]);
    assert_eq!(shown, "{\"outcome\":\"healthy\"}\n{\"text\":\"two\\nlines\"}");
    // A note that a person adds stands where Git wants it, and need not be JSON.
    assert!(
        git(folder.path(), ["notes", "--ref=wooo", "add", "-m", "by hand", &second.to_string()])
            .status()
            .unwrap()
            .success()
    );
    repository.append_note(second, &json!(1), &signature()).unwrap();
    assert_eq!(repository.notes(second).unwrap(), [json!(1)]);
    assert_eq!(output(folder.path(), ["notes", "--ref=wooo", "show", &second.to_string()]), "by hand\n1");
    let mut all = repository.all_notes().unwrap();
    all.sort_by_key(|(commit, _)| *commit == second);
    assert_eq!(
        all.iter().map(|(commit, values)| (*commit, values.len())).collect::<Vec<_>>(),
        [(first, 2), (second, 1)]
    );
    assert_sound(&repository);
}

#[test]
fn notes_of_many_writers_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let first = commit(&bare(folder.path()), &[("a", "1")], "first");
    thread::scope(|scope| {
        for writer in 0..8 {
            let path = folder.path();
            scope.spawn(move || {
                Repository::open(path).unwrap().append_note(first, &json!(writer), &signature()).unwrap();
            });
        }
    });
    let mut notes: Vec<_> = Repository::open(folder.path())
        .unwrap()
        .notes(first)
        .unwrap()
        .iter()
        .map(|note| note.as_u64().unwrap())
        .collect();
    notes.sort_unstable();
    assert_eq!(notes, (0..8).collect::<Vec<_>>());
}
