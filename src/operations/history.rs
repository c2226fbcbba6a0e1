//! The releases that an app has had in an environment, from Git alone.

use jiff::Timestamp;

use super::fleet::Fleet;
use super::git_problems;
use crate::domain::{App, AppName, EnvironmentName, Problems};
use crate::git::{CommitId, Repository};

/// How many commits of an app's history are looked at for a release to go back to.
const MAX_COMMITS: usize = 1000;

/// A release that ran once.
#[derive(Clone, Debug)]
pub struct PastRelease {
    /// The commit that brought it, as 40 hexadecimal digits.
    pub commit: String,
    /// When that was committed.
    pub at: Timestamp,
    /// The app as it was.
    pub app: App,
}

impl PastRelease {
    /// What to call it: the image's version.
    #[must_use]
    pub fn name(&self) -> &str {
        self.app.spec.image.as_ref().map_or(&self.commit, |image| image.version())
    }
}

/// The releases of an app in an environment on the way back from `tip`, newest first, each once in a row. A commit
/// whose files cannot be read is passed over: nothing can be restored from it.
///
/// # Errors
/// What is wrong with the repository.
pub fn releases(
    repository: &Repository,
    tip: CommitId,
    app: &AppName,
    environment: &EnvironmentName,
) -> Result<Vec<PastRelease>, Problems> {
    let mut found: Vec<PastRelease> = Vec::new();
    for commit in repository.history(tip, &[&format!("apps/{app}")]).map_err(git_problems)?.take(MAX_COMMITS) {
        let info = commit.map_err(git_problems)?;
        let tree = repository.tree(info.id).map_err(git_problems)?;
        let resolved = Fleet::open(&tree).and_then(|fleet| fleet.app(app, environment));
        let Ok(Some(resolved)) = resolved else { continue };
        match found.last_mut() {
            // The same release seen further back: this is where it came from.
            Some(last) if last.app.same_release(&resolved) => {
                last.commit = info.id.to_string();
                last.at = info.committed_at;
            }
            _ => found.push(PastRelease { commit: info.id.to_string(), at: info.committed_at, app: resolved }),
        }
    }
    Ok(found)
}
