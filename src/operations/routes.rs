//! Who serves which host: one small file per host name, so that two apps cannot have the same one.
//!
//! `rendered/.hosts/<two digits>/<host>` names the app and its environments. A claim costs one look-up however many
//! apps there are, and two merge requests that claim the same host conflict in Git itself. The two digits (of the
//! host's digest) keep each folder small.

use aws_lc_rs::digest::{SHA256, digest};

use crate::domain::document::MAX_DOCUMENT_BYTES;
use crate::domain::{AppName, EnvironmentName, Problem};
use crate::files::FileTree;

use super::unreadable;

/// The folder of all claims.
pub(super) const FOLDER: &str = "rendered/.hosts";

/// A host's claim: the app, and the environments in which it serves the host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Claim {
    pub(super) app: String,
    pub(super) environments: Vec<String>,
}

impl Claim {
    pub(super) fn read(tree: &dyn FileTree, host: &str) -> Result<Option<Self>, Problem> {
        let text = tree.read_text_if_present(&path(host), MAX_DOCUMENT_BYTES).map_err(|error| unreadable(&error))?;
        Ok(text.and_then(|text| {
            let mut words = text.split_whitespace().map(str::to_owned);
            Some(Self { app: words.next()?, environments: words.collect() })
        }))
    }

    /// The claim's file: the app on the first line, its environments below.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.app);
        for environment in &self.environments {
            text.push_str(environment);
            text.push('\n');
        }
        text
    }
}

/// The file of a host's claim.
pub(super) fn path(host: &str) -> String {
    let digest = digest(&SHA256, host.as_bytes());
    let first = digest.as_ref().first().copied().unwrap_or_default();
    format!("{FOLDER}/{first:02x}/{host}")
}

/// The files that change when `app` serves `new` instead of `old` in `environment`.
///
/// # Errors
/// `route.taken` if another app serves `new`.
pub(super) fn moves(
    tree: &dyn FileTree,
    app: &AppName,
    environment: &EnvironmentName,
    old: Option<&str>,
    new: Option<&str>,
) -> Result<Vec<(String, Option<String>)>, Problem> {
    let mut edits = Vec::new();
    if let Some(old) = old.filter(|old| Some(*old) != new)
        && let Some(mut claim) = Claim::read(tree, old)?.filter(|claim| claim.app == app.as_str())
    {
        claim.environments.retain(|name| name != environment.as_str());
        edits.push((path(old), (!claim.environments.is_empty()).then(|| claim.text())));
    }
    if let Some(new) = new {
        let mut claim =
            Claim::read(tree, new)?.unwrap_or_else(|| Claim { app: app.to_string(), environments: Vec::new() });
        if claim.app != app.as_str() {
            let detail = format!("the host `{new}` is taken by the app `{}`", claim.app);
            return Err(Problem::new("route.taken", detail)
                .field("domain")
                .hint("choose another `domain`, or offboard that app first"));
        }
        if !claim.environments.iter().any(|name| name == environment.as_str()) {
            claim.environments.push(environment.to_string());
            claim.environments.sort();
            edits.push((path(new), Some(claim.text())));
        }
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryTree;

    fn apply(tree: &mut MemoryTree, edits: Vec<(String, Option<String>)>) {
        let kept: Vec<(String, Vec<u8>)> = tree
            .iter()
            .filter(|(path, _)| !edits.iter().any(|(edited, _)| edited == path))
            .map(|(path, content)| (path.to_owned(), content.to_vec()))
            .collect();
        *tree = kept.into_iter().collect();
        for (path, content) in edits {
            if let Some(content) = content {
                tree.insert(path, content.into_bytes());
            }
        }
    }

    #[test]
    fn a_host_has_one_app_and_goes_with_its_last_environment() {
        let mut tree = MemoryTree::default();
        let (shop, blog): (AppName, AppName) = ("shop".parse().unwrap(), "blog".parse().unwrap());
        let (staging, production): (EnvironmentName, EnvironmentName) =
            ("staging".parse().unwrap(), "production".parse().unwrap());
        for environment in [&staging, &production] {
            let edits = moves(&tree, &shop, environment, None, Some("a.b")).unwrap();
            apply(&mut tree, edits);
        }
        assert_eq!(tree.iter().map(|(_, text)| text.to_vec()).collect::<Vec<_>>(), [b"shop\nproduction\nstaging\n"]);
        let problem = moves(&tree, &blog, &staging, None, Some("a.b")).unwrap_err();
        assert_eq!(problem.detail, "the host `a.b` is taken by the app `shop`");
        let edits = moves(&tree, &shop, &staging, Some("a.b"), Some("c.d")).unwrap();
        apply(&mut tree, edits);
        let edits = moves(&tree, &shop, &production, Some("a.b"), None).unwrap();
        apply(&mut tree, edits);
        assert_eq!(Claim::read(&tree, "a.b").unwrap(), None);
        assert_eq!(Claim::read(&tree, "c.d").unwrap().unwrap().environments, ["staging"]);
    }
}
