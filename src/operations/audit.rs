//! Who did what, from Git alone: the trailers of the commits that wooo made.

use jiff::Timestamp;
use serde::Serialize;

use super::fleet::{Fleet, rendered_path};
use super::git_problems;
use super::place::Place;
use crate::domain::{AppName, Problems};
use crate::git::{CommitId, CommitInfo, Key};

/// One act.
#[derive(Clone, Debug, Serialize)]
pub struct Act {
    /// When it was committed.
    pub at: Timestamp,
    /// Its commit.
    pub commit: String,
    /// Who asked for it; the commit's author where no trailer says so.
    pub actor: String,
    /// What was done, as a verb; `edit` for a commit that wooo did not make.
    pub action: String,
    /// The app, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The environment, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The change's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// The commit's first line.
    pub subject: String,
}

/// The latest `limit` acts on the synced branch, newest first; only those that touched `app` if one is named.
///
/// # Errors
/// What is wrong with the repository.
pub fn run(place: &Place, app: Option<&AppName>, limit: usize) -> Result<Vec<Act>, Problems> {
    let tip = place.tip()?;
    // A rerendering touches what an app renders to, and not its spec.
    let paths: Vec<String> = match app {
        Some(app) => {
            let tree = place.repository.tree(tip).map_err(git_problems)?;
            let environments = Fleet::open(&tree)?.settings.environments.into_keys();
            let rendered = environments.map(|environment| rendered_path(app, &environment));
            rendered.chain([format!("apps/{app}")]).collect()
        }
        None => Vec::new(),
    };
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut acts = Vec::new();
    for info in place.repository.history(tip, &paths).map_err(git_problems)?.take(limit) {
        acts.push(act(&info.map_err(git_problems)?));
    }
    Ok(acts)
}

/// The acts on the synced branch after the commit `known`, newest first.
///
/// # Errors
/// What is wrong with the repository.
pub fn since(place: &Place, known: CommitId) -> Result<Vec<Act>, Problems> {
    let history = place.repository.history_since(place.tip()?, known).map_err(git_problems)?;
    history.map(|info| Ok(act(&info.map_err(git_problems)?))).collect()
}

fn act(info: &CommitInfo) -> Act {
    let trailer = |key| info.trailers.get(key).map(str::to_owned);
    Act {
        at: info.committed_at,
        commit: info.id.to_string(),
        actor: trailer(Key::ACTOR).unwrap_or_else(|| info.author.name.clone()),
        action: trailer(Key::ACTION).unwrap_or_else(|| "edit".to_owned()),
        app: trailer(Key::APP),
        environment: trailer(Key::ENV),
        change_id: trailer(Key::CHANGE_ID),
        subject: info.subject().to_owned(),
    }
}
