//! Looking at an app's source where it is kept, to find what it is built with.

use crate::detect::{self, Detection};
use crate::domain::{Framework, Problem};
use crate::files::FileTree;
use crate::git::{Remote, Repository};

/// Which part of a source is looked at, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The app's folder within the source; empty for all of it.
    pub root: String,
    /// The framework, if it is given and only the rest is to be found.
    pub framework: Option<Framework>,
}

/// Looks at a folder.
///
/// # Errors
/// What detection could not decide.
pub fn look(tree: &dyn FileTree, look: &Look) -> Result<Detection, Problem> {
    let root = look.root.trim_matches('/');
    let found = match look.framework {
        Some(framework) => detect::detect_as(tree, root, framework),
        None => detect::detect(tree, root),
    };
    found.map_err(Problem::from)
}

/// Fetches the newest commit alone into `scratch` (a folder that the caller removes) and looks at it where it lies:
/// nothing is checked out, so no link is followed, no submodule entered and no hook run. The limits of the remote's
/// network hold.
///
/// # Errors
/// What the network or the remote refuses, and what detection could not decide.
pub fn look_at_remote(remote: &Remote, scratch: &std::path::Path, wanted: &Look) -> Result<Detection, Problem> {
    let branch = "main".parse()?;
    let repository = Repository::init(scratch, &branch, true)?;
    let (_, commit) = remote.shallow_fetch(&repository, None)?;
    super::reached("clone");
    look(&repository.tree(commit)?, wanted)
}
