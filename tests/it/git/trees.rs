//! Reading trees that somebody else made, not always with good intentions.

use wooo::files::{self, FileTree, Kind};
use wooo::git::{PreparedBlob, TreeEdits, TreeId};

use super::edits::make_tree;
use super::{bare, commit, main_branch, write};

#[test]
fn a_tree_is_read_like_any_other_file_tree() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let id = commit(&repository, &[("a/b.yaml", "text"), ("a.txt", "x"), ("a/c/d", "y")], "first");
    let tree = repository.tree(id).unwrap();
    let names = |path| tree.list(path).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names(""), ["a", "a.txt"]);
    assert_eq!(names("a"), ["b.yaml", "c"]);
    assert_eq!(tree.read_text("a/b.yaml", 4).unwrap(), "text");
    assert!(matches!(tree.read("a/b.yaml", 3), Err(files::Error::TooLarge { size: 4, limit: 3, .. })));
    assert!(matches!(tree.read("a", 9), Err(files::Error::WrongKind { found: Kind::Directory, .. })));
    assert!(matches!(tree.list("a.txt"), Err(files::Error::WrongKind { found: Kind::File, .. })));
    for absent in ["none", "a/none", "a.txt/x"] {
        assert_eq!(tree.kind(absent).unwrap(), None);
        assert!(matches!(tree.read(absent, 9), Err(files::Error::NotFound { .. })));
    }
    for outside in ["../x", "/a", "a/../a.txt", "a//b.yaml", "a\\b"] {
        assert!(matches!(tree.read(outside, 9), Err(files::Error::OutsideTree { .. })), "{outside}");
    }
    let below = tree.subtree("a").unwrap();
    assert_eq!(below.read_text("c/d", 9).unwrap(), "y");
    assert_eq!(tree.entry_id("a").unwrap().unwrap().tree(), Some(below.id()));
    assert_eq!(tree.entry_id("a.txt").unwrap().unwrap().blob(), Some(PreparedBlob::new(b"x").id()));
    assert_eq!(tree.entry_id("").unwrap().unwrap().tree(), Some(tree.id()));
    assert!(tree.subtree("a.txt").is_err());
    let _ = main_branch();
}

#[test]
fn links_submodules_and_git_folders_are_never_entered() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let mut writer = repository.writer();
    let [link, absolute, text] = [&b"../../../etc/passwd"[..], b"/proc/self/environ", b"[core]"]
        .map(|c| writer.add(PreparedBlob::new(c)).unwrap());
    writer.finish(None, &TreeEdits::new()).unwrap();
    let below = write(&repository, None, &[("config", "[core]")]);
    let sub = "1".repeat(40);
    let root = make_tree(
        folder.path(),
        &format!(
            "120000 blob {link}\tlink\n120000 blob {absolute}\tabsolute\n160000 commit {sub}\tmodule\n\
             040000 tree {below}\t.git\n100644 blob {text}\t.gitmodules\n040000 tree {below}\tPackage\n\
             100644 blob {text}\tpackage\n"
        ),
    );
    let tree = repository.tree_by_id(root.parse::<TreeId>().unwrap()).unwrap();
    for (path, kind) in [
        ("link", Kind::Symlink),
        ("link/x", Kind::Symlink),
        ("absolute", Kind::Symlink),
        ("module", Kind::Submodule),
        ("module/x/y", Kind::Submodule),
    ] {
        assert_eq!(tree.kind(path).unwrap(), Some(kind), "{path}");
        let error = tree.read(path, 100).unwrap_err();
        assert!(matches!(error, files::Error::WrongKind { found, .. } if found == kind), "{error}");
        assert!(tree.list(path).is_err());
    }
    assert_eq!(tree.entry_id("link/x").unwrap(), None);
    // Just bytes in the tree, as any other file; nothing on disk is reached.
    assert_eq!(tree.read_text(".git/config", 100).unwrap(), "[core]");
    assert_eq!(tree.list("").unwrap().len(), 7);
}

#[test]
fn names_that_are_not_text_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let mut writer = repository.writer();
    let blob = writer.add(PreparedBlob::new(b"x")).unwrap();
    writer.finish(None, &TreeEdits::new()).unwrap();
    let root = make_tree(folder.path(), &format!("100644 blob {blob}\t\"bad\\377name\"\n100644 blob {blob}\tgood\n"));
    let tree = repository.tree_by_id(root.parse().unwrap()).unwrap();
    assert_eq!(tree.list("").unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>(), ["good"]);
}

#[test]
fn a_missing_or_wrong_object_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let missing = "1".repeat(40);
    let root = make_tree(folder.path(), &format!("100644 blob {missing}\tfile\n040000 tree {missing}\tfolder\n"));
    let tree = repository.tree_by_id(root.parse().unwrap()).unwrap();
    assert!(matches!(tree.read("file", 9), Err(files::Error::Io { .. })));
    assert!(matches!(tree.list("folder"), Err(files::Error::Io { .. })));
    assert!(repository.tree_by_id(missing.parse().unwrap()).is_err());
    assert!(repository.tree(root.parse().unwrap()).is_err());
}

#[test]
fn a_bottomless_tree_is_an_error_and_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let mut tree = write(&repository, None, &[("file", "x")]);
    for _ in 0..64 {
        let below = make_tree(folder.path(), &format!("040000 tree {tree}\td\n"));
        tree = (0..63)
            .fold(below, |below, _| make_tree(folder.path(), &format!("040000 tree {below}\td\n")))
            .parse()
            .unwrap();
        if repository.changes(None, tree).is_err() {
            let deep = repository.tree_by_id(tree).unwrap();
            assert_eq!(deep.kind(&["d"; 256].join("/")).unwrap(), Some(Kind::Directory));
            return;
        }
    }
    panic!("no depth was too much");
}
