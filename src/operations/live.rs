//! Whether what a controller has applied holds a change. Git alone answers: the controller only says which commit it is
//! at.

use super::batch::Unit;
use super::fleet::rendered_path;
use super::place::Place;
use super::{file_problems, git_problems};
use crate::domain::Problems;
use crate::git::{self, CommitId};

/// How a change stands to the commit that a controller has applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The commit holds it, and the app's manifests are the same there.
    Live,
    /// The commit comes before it, or is on another line of history.
    Behind,
    /// The commit holds it, and a later change has taken its place.
    Superseded,
    /// This repository does not know the commit.
    Unknown,
}

/// How the change of `commit` stands to `applied`, for one app in one environment.
///
/// # Errors
/// What is wrong with the repository.
pub fn standing(place: &Place, commit: CommitId, applied: CommitId, unit: &Unit) -> Result<Standing, Problems> {
    let repository = &place.repository;
    let after = match repository.tree(applied) {
        Ok(tree) => tree,
        Err(git::Error::NoObject { .. }) => return Ok(Standing::Unknown),
        Err(error) => return Err(git_problems(error)),
    };
    if !repository.is_ancestor(commit, applied).map_err(git_problems)? {
        return Ok(Standing::Behind);
    }
    let before = repository.tree(commit).map_err(git_problems)?;
    let folder = rendered_path(&unit.app, &unit.environment);
    let same = before.entry_id(&folder).map_err(file_problems)? == after.entry_id(&folder).map_err(file_problems)?;
    Ok(if same { Standing::Live } else { Standing::Superseded })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::git::{PreparedBlob, Repository, Signature, TreeEdits};

    #[test]
    fn a_change_is_live_as_long_as_its_manifests_are_what_was_applied() {
        let folder = tempfile::tempdir().unwrap();
        let branch: git::BranchName = "main".parse().unwrap();
        let place = Place::local(Repository::init(folder.path(), &branch, true).unwrap(), branch);
        let commit = |parent: &[CommitId], files: &[(&str, &str)]| {
            let mut edits = TreeEdits::new();
            let mut writer = place.repository.writer();
            for (path, text) in files {
                edits.put(path, writer.add(PreparedBlob::new(text.as_bytes())).unwrap()).unwrap();
            }
            let tree = writer.finish(None, &edits).unwrap();
            let signature = Signature { name: "a".to_owned(), email: "b".to_owned(), when: Timestamp::UNIX_EPOCH };
            place.repository.commit(tree, parent, &signature, "Change").unwrap()
        };
        let (shop, other) = ("rendered/staging/shop/deployment.yaml", "rendered/staging/other/deployment.yaml");
        let first = commit(&[], &[(shop, "1")]);
        let change = commit(&[first], &[(shop, "2")]);
        let unrelated = commit(&[change], &[(shop, "2"), (other, "1")]);
        let later = commit(&[unrelated], &[(shop, "3"), (other, "1")]);
        let unit = Unit { app: "shop".parse().unwrap(), environment: "staging".parse().unwrap() };
        let of = |applied| standing(&place, change, applied, &unit).unwrap();
        assert_eq!(of(first), Standing::Behind);
        assert_eq!((of(change), of(unrelated)), (Standing::Live, Standing::Live));
        assert_eq!(of(later), Standing::Superseded);
        assert_eq!(of("1111111111111111111111111111111111111111".parse().unwrap()), Standing::Unknown);
    }
}
