//! Commits and refs.

use std::fs;

use wooo::git::{BranchName, CommitId, Error, Key, Trailers, message};

use super::{assert_sound, bare, commit, git, main_branch, output, signature, write};

#[test]
fn a_commit_is_what_git_log_shows() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let trailers = Trailers::new().with(Key::APP, "shop").with(Key::CHANGE_ID, "0199");
    let second = commit(&repository, &[("a", "2")], &message("Deploy shop", "Because.", &trailers));
    assert_eq!(
        output(folder.path(), ["log", "--format=%an <%ae> %ct %s", "-1"]),
        "Wooo <wooo@example.org> 1750000000 Deploy shop"
    );
    assert_eq!(output(folder.path(), ["log", "--format=%(trailers:key=Wooo-App,valueonly)", "-1"]).trim(), "shop");
    let info = repository.commit_info(second).unwrap();
    assert_eq!((info.subject(), info.parents.as_slice()), ("Deploy shop", [first].as_slice()));
    assert_eq!((info.author.name.as_str(), info.committed_at), ("Wooo", signature().when));
    assert_eq!(info.trailers, trailers);
    assert!(repository.is_ancestor(first, second).unwrap());
    assert!(!repository.is_ancestor(second, first).unwrap());
    assert!(!repository.is_ancestor("1".repeat(40).parse().unwrap(), second).unwrap());
    assert_eq!(repository.merge_base(first, second).unwrap(), Some(first));
    assert_sound(&repository);
}

#[test]
fn a_commit_needs_its_tree_and_parents() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let tree = write(&repository, None, &[("a", "1")]);
    let missing = "1".repeat(40);
    let refused = |result| assert!(matches!(result, Err(Error::NoObject { .. })), "{result:?}");
    refused(repository.commit(missing.parse().unwrap(), &[], &signature(), "x"));
    refused(repository.commit(tree, &[missing.parse().unwrap()], &signature(), "x"));
    assert!(matches!(
        repository.update_branch(&main_branch(), missing.parse().unwrap(), None),
        Err(Error::NoObject { .. })
    ));
}

#[test]
fn a_branch_moves_only_from_where_it_was_believed_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let second = commit(&repository, &[("a", "2")], "second");
    let main = main_branch();
    for expected in [None, Some(first)] {
        let error = repository.update_branch(&main, first, expected).unwrap_err();
        assert!(matches!(error, Error::RefMoved { found, .. } if found == Some(second)), "{error}");
    }
    let work: BranchName = "wooo/shop/production/deploy-1".parse().unwrap();
    assert!(matches!(repository.update_branch(&work, first, Some(first)), Err(Error::RefMoved { found: None, .. })));
    repository.update_branch(&work, first, None).unwrap();
    assert!(repository.update_branch(&work, second, None).is_err());
    assert_eq!(repository.branches_with_prefix("wooo/").unwrap(), [(work.clone(), first)]);
    // What `git gc` does to refs changes nothing.
    output(folder.path(), ["pack-refs", "--all"]);
    repository.update_branch(&work, second, Some(first)).unwrap();
    assert!(matches!(repository.delete_branch(&work, first), Err(Error::RefMoved { .. })));
    repository.delete_branch(&work, second).unwrap();
    assert_eq!(repository.resolve(&work).unwrap(), None);
    assert!(
        git(folder.path(), ["rev-parse", "--verify", "refs/heads/wooo/shop/production/deploy-1"])
            .output()
            .unwrap()
            .stdout
            .is_empty()
    );
    assert_eq!(repository.tip(&main).unwrap(), second);
}

#[test]
fn a_lock_that_stays_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let lock = folder.path().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let error = repository.update_branch(&main_branch(), first, Some(first)).unwrap_err();
    assert!(error.to_string().contains("refs/heads/main.lock"), "{error}");
    assert!(matches!(error, Error::RefLocked { .. }));
    fs::remove_file(lock).unwrap();
    repository.update_branch(&main_branch(), first, Some(first)).unwrap();
}

#[test]
fn a_branch_cannot_stand_where_others_have_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let inner: BranchName = "wooo/a".parse().unwrap();
    repository.update_branch(&inner, first, None).unwrap();
    for pack in [false, true] {
        if pack {
            output(folder.path(), ["pack-refs", "--all"]);
        }
        let error = repository.update_branch(&"wooo".parse().unwrap(), first, None).unwrap_err();
        assert!(matches!(error, Error::RefBlocked { .. }), "packed {pack}: {error}");
        let error = repository.update_branch(&"wooo/a/b".parse().unwrap(), first, None).unwrap_err();
        assert!(matches!(error, Error::RefBlocked { .. }), "packed {pack}: {error}");
    }
    assert_sound(&repository);
}

#[test]
fn what_a_merge_brought_in_is_news_however_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let repository = bare(folder.path());
    let first = commit(&repository, &[("a", "1")], "first");
    let next = |subject: &str, seconds: u64, parents: &[CommitId]| -> CommitId {
        let tree = format!("{first}^{{tree}}");
        let mut arguments = vec!["commit-tree".to_owned(), tree, "-m".to_owned(), subject.to_owned()];
        arguments.extend(parents.iter().flat_map(|parent| ["-p".to_owned(), parent.to_string()]));
        let mut command = git(folder.path(), &arguments);
        command.env("GIT_COMMITTER_DATE", format!("{seconds} +0000"));
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().parse().unwrap()
    };
    let old = next("old", 1_760_000_000, &[first]);
    let known = next("known", 1_770_000_000, &[first]);
    let merge = next("merge", 1_780_000_000, &[known, old]);
    let since = |known| -> Vec<CommitId> {
        repository.history_since(merge, known).unwrap().map(|info| info.unwrap().id).collect()
    };
    assert_eq!(since(known), [merge, old]);
    assert_eq!(since(first), [merge, known, old]);
    assert_eq!(since(merge), []);
    assert!(matches!(repository.history_since(merge, "1".repeat(40).parse().unwrap()), Err(Error::NoObject { .. })));
}
