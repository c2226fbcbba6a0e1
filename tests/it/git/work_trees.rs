//! Fast-forwarding a branch that somebody has checked out.

use std::fs;
use std::path::Path;

use wooo::git::{BranchName, CommitId, Error, Repository, TreeEdits};

use super::{assert_sound, git, main_branch, output, signature, write};

struct WorkTree {
    _folder: tempfile::TempDir,
    repository: Repository,
    first: CommitId,
}

impl WorkTree {
    /// A work tree on `main`, with one commit that was fast-forwarded to from nothing.
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path(), &main_branch(), false).unwrap();
        let tree = write(&repository, None, files);
        let first = repository.commit(tree, &[], &signature(), "first").unwrap();
        repository.fast_forward(&main_branch(), first, None).unwrap();
        Self { _folder: folder, repository, first }
    }

    fn path(&self) -> &Path {
        self.repository.work_tree().unwrap()
    }

    fn next(&self, files: &[(&str, &str)], removed: &[&str]) -> CommitId {
        let base = self.repository.tree(self.first).unwrap().id();
        let tree = write(&self.repository, Some(base), files);
        let mut edits = TreeEdits::new();
        removed.iter().for_each(|path| edits.remove(path).unwrap());
        let tree = self.repository.apply(Some(tree), &edits).unwrap();
        self.repository.commit(tree, &[self.first], &signature(), "next").unwrap()
    }

    fn forward(&self, to: CommitId) -> Result<(), Error> {
        self.repository.fast_forward(&main_branch(), to, self.first)
    }

    fn status(&self) -> String {
        output(self.path(), ["status", "--porcelain"])
    }

    fn put(&self, path: &str, content: &str) {
        fs::create_dir_all(self.path().join(path).parent().unwrap()).unwrap();
        fs::write(self.path().join(path), content).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path().join(path)).ok()
    }
}

fn refused(result: Result<(), Error>) -> Vec<String> {
    match result {
        Err(Error::LocalChanges { paths }) => paths,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_index_and_branch_follow() {
    let tree = WorkTree::new(&[("a", "1"), ("b/c", "1"), ("b/d/e", "1"), ("gone/x", "1")]);
    assert_eq!((tree.status().as_str(), tree.read("b/d/e").as_deref()), ("", Some("1")));
    let next = tree.next(&[("a", "2"), ("b/new", "2"), ("b/d", "now a file")], &["gone/x"]);
    tree.forward(next).unwrap();
    assert_eq!(tree.status(), "");
    assert_eq!(tree.read("b/d").as_deref(), Some("now a file"));
    assert!(!tree.path().join("gone").exists());
    assert_eq!(tree.repository.tip(&main_branch()).unwrap(), next);
    assert_sound(&tree.repository);
    // And a folder where a file was.
    let base = tree.repository.tree(next).unwrap().id();
    let third = write(&tree.repository, Some(base), &[("a/b", "3")]);
    let third = tree.repository.commit(third, &[next], &signature(), "third").unwrap();
    tree.repository.fast_forward(&main_branch(), third, next).unwrap();
    assert_eq!((tree.status().as_str(), tree.read("a/b").as_deref()), ("", Some("3")));
}

#[test]
fn other_local_changes_are_left_alone() {
    let tree = WorkTree::new(&[("a", "1"), ("mine", "1"), ("staged", "1")]);
    tree.put("mine", "edited");
    tree.put("staged", "edited");
    tree.put("untracked", "x");
    output(tree.path(), ["add", "staged"]);
    let before = tree.status();
    tree.forward(tree.next(&[("a", "2")], &[])).unwrap();
    assert_eq!(tree.status(), before);
    assert_eq!((tree.read("a").as_deref(), tree.read("mine").as_deref()), (Some("2"), Some("edited")));
}

#[test]
fn local_changes_in_the_way_are_named_and_nothing_is_written() {
    let tree = WorkTree::new(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("ok", "1")]);
    tree.put("a", "edited");
    tree.put("b", "staged");
    output(tree.path(), ["add", "b"]);
    tree.put("b", "1");
    tree.put("d", "edited");
    tree.put("new", "untracked");
    tree.put("folder/x", "untracked");
    tree.put("plain", "untracked");
    let next = tree.next(
        &[("a", "2"), ("b", "2"), ("c", "2"), ("new", "2"), ("folder", "2"), ("plain/x", "2"), ("ok", "2")],
        &["d"],
    );
    let before = tree.status();
    assert_eq!(refused(tree.forward(next)), ["a", "b", "d", "folder/x", "new", "plain"]);
    assert_eq!((tree.status(), tree.read("ok").as_deref()), (before, Some("1")));
    assert_eq!(tree.repository.tip(&main_branch()).unwrap(), tree.first);
}

#[test]
fn a_link_out_of_the_work_tree_is_not_written_through() {
    let outside = tempfile::tempdir().unwrap();
    let tree = WorkTree::new(&[("a", "1")]);
    std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
    assert_eq!(refused(tree.forward(tree.next(&[("link/x", "2")], &[]))), ["link"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_try_that_was_killed_is_completed_by_the_next() {
    let files = [("a", "2"), ("deep/new", "2")];
    for index_was_written in [false, true] {
        let tree = WorkTree::new(&[("a", "1"), ("gone", "1")]);
        let next = tree.next(&files, &["gone"]);
        // What a process leaves that dies after the files (and the index) and before the branch.
        files.iter().for_each(|(path, content)| tree.put(path, content));
        fs::remove_file(tree.path().join("gone")).unwrap();
        if index_was_written {
            output(tree.path(), ["add", "--all"]);
        }
        tree.forward(next).unwrap();
        assert_eq!(tree.status(), "");
    }
    // Or with only some of the files.
    let tree = WorkTree::new(&[("a", "1"), ("gone", "1")]);
    tree.put("deep/new", "2");
    tree.forward(tree.next(&files, &["gone"])).unwrap();
    assert_eq!((tree.status().as_str(), tree.read("a").as_deref()), ("", Some("2")));
}

#[test]
fn line_ends_that_git_changes_are_no_local_change() {
    let tree = WorkTree::new(&[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "1\n"), ("b.txt", "1\n")]);
    assert_eq!((tree.status().as_str(), tree.read("a.txt").as_deref()), ("", Some("1\r\n")));
    let next = tree.next(&[("a.txt", "2\n")], &["b.txt"]);
    tree.forward(next).unwrap();
    assert_eq!((tree.status().as_str(), tree.read("a.txt").as_deref()), ("", Some("2\r\n")));
}

#[test]
fn only_forward_and_only_from_where_it_was() {
    let tree = WorkTree::new(&[("a", "1")]);
    let next = tree.next(&[("a", "2")], &[]);
    let aside = tree.next(&[("a", "3")], &[]);
    tree.forward(next).unwrap();
    assert!(matches!(tree.forward(next), Err(Error::RefMoved { .. })));
    let error = tree.repository.fast_forward(&main_branch(), aside, next).unwrap_err();
    assert!(matches!(error, Error::NotFastForward { .. }), "{error}");
    // A branch that is not checked out moves alone.
    let other: BranchName = "other".parse().unwrap();
    tree.repository.update_branch(&other, tree.first, None).unwrap();
    tree.repository.fast_forward(&other, aside, tree.first).unwrap();
    assert_eq!((tree.status().as_str(), tree.read("a").as_deref()), ("", Some("2")));
    assert!(git(tree.path(), ["diff", "--quiet", "HEAD"]).status().unwrap().success());
}

#[test]
fn a_work_tree_in_use_is_an_error_that_names_the_lock() {
    let tree = WorkTree::new(&[("a", "1")]);
    tree.put(".git/index.lock", "");
    let error = tree.forward(tree.next(&[("a", "2")], &[])).unwrap_err();
    assert!(matches!(error, Error::IndexLocked { .. }), "{error:?}");
    fs::remove_file(tree.path().join(".git/index.lock")).unwrap();
    tree.forward(tree.next(&[("a", "2")], &[])).unwrap();
    assert_eq!(tree.status(), "");
}

#[test]
fn the_index_lock_of_a_dead_process_of_ours_is_cleared_and_no_other() {
    let tree = WorkTree::new(&[("a", "1")]);
    let next = tree.next(&[("a", "2")], &[]);
    let index_lock = tree.path().join(".git/index.lock");
    // Another program's lock: nothing says that we left it.
    fs::write(&index_lock, "").unwrap();
    assert!(matches!(tree.forward(next), Err(Error::IndexLocked { .. })));
    assert!(index_lock.exists());
    // Ours: the mark was written, the index was locked, and then the process died.
    fs::write(tree.path().join(".git/wooo-checkout.lock"), next.to_string()).unwrap();
    fs::write(&index_lock, "").unwrap();
    tree.forward(next).unwrap();
    assert!(!index_lock.exists());
    assert_eq!(fs::read_to_string(tree.path().join(".git/wooo-checkout.lock")).unwrap(), "");
    assert_eq!(tree.status(), "");
}

#[test]
fn what_a_dead_process_of_ours_wrote_is_taken_back_and_nothing_else() {
    let tree = WorkTree::new(&[("a", "1"), ("b", "1"), ("mine", "1")]);
    let dead = tree.next(&[("a", "2"), ("b", "2"), ("new", "2")], &[]);
    let next = tree.next(&[("a", "3")], &[]);
    let died = || {
        fs::write(tree.path().join(".git/wooo-checkout.lock"), dead.to_string()).unwrap();
        tree.put("a", "2");
        tree.put("new", "2");
        tree.put("mine", "local");
    };
    died();
    tree.put("a", "somebody's");
    assert!(matches!(tree.forward(next), Err(Error::LocalChanges { .. })));
    died();
    tree.forward(next).unwrap();
    assert_eq!(fs::read_to_string(tree.path().join("a")).unwrap(), "3");
    assert_eq!(tree.status().trim(), "M mine");
}
