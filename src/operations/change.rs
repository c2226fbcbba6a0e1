//! One intent, one commit: plan, render, write, move the ref.
//!
//! Any number of processes may do this at once. Everything is worked out from the tip of the synced branch and bound to
//! it: a ref only moves if it still stands where the plan was made, otherwise the plan is made again from where it
//! stands now. A process that dies leaves at most unreachable objects, or a branch that the next run finds and takes
//! over.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use serde::Serialize;

use super::fleet::Fleet;
use super::place::Place;
use super::plan::{self, Plan};
use super::rendering::{self, FileChanges};
use super::{Request, history, reached, secrets};
use crate::domain::{Action, EnvironmentName, Intent, Problem, Problems};
use crate::files::LayeredTree;
use crate::git::{self, BranchName, CommitId, Key, PreparedBlob, Signature, Trailers, TreeEdits, TreeId};
use crate::render::diff::{self, Entry, Risk};

/// What to do with the commit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Fast-forward the synced branch to it.
    pub merge: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// How far a change came.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// There is nothing to change: the fleet already says what was wished for.
    Unchanged,
    /// It would be made; nothing was written.
    Planned,
    /// Its commit is on a branch of its own.
    Proposed,
    /// Its commit is on the synced branch.
    Merged,
}

/// What differs in one environment.
#[derive(Clone, Debug, Serialize)]
pub struct EnvironmentDiff {
    /// The environment.
    pub environment: EnvironmentName,
    /// The differences, riskiest first.
    pub entries: Vec<Entry>,
    /// The digest of the rendered files; none where the app leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A change, as far as it came.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// How far it came.
    pub stage: Stage,
    /// One line that says what it does.
    pub subject: String,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// The branch that holds it, or held it until it was merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Its commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Its identity, which outlives regeneration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// What differs, by environment.
    pub diffs: Vec<EnvironmentDiff>,
    /// The files that it writes or removes.
    pub files: Vec<String>,
}

/// Makes the change that `intent` asks for.
///
/// # Errors
/// What refuses it, what is wrong with the fleet, or `change.contended` after fifty tries (ten on a remote).
pub fn run(place: &Place, intent: &Intent, request: &Request, options: Options) -> Result<Change, Problems> {
    retry(place, || attempt(place, intent, request, options))
}

/// Tries until the ref stays where it was for as long as one attempt takes.
pub(super) fn retry<T>(place: &Place, mut attempt: impl FnMut() -> Result<T, Attempt>) -> Result<T, Problems> {
    // A local attempt takes tens of milliseconds, so that many writers get their turn within fifty. A remote is asked
    // ten times at most, a second apart and slower each time.
    let (first, longest, most) = if place.is_remote() {
        (Duration::from_secs(1), Duration::from_secs(30), 10)
    } else {
        (Duration::from_millis(5), Duration::from_millis(500), 50)
    };
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(longest)
        .with_factor(1.5)
        .with_max_times(most)
        .with_jitter()
        .build();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Attempt::Failed(problems)) => return Err(problems),
            Err(Attempt::Moved(error)) => match pauses.next() {
                Some(pause) => {
                    tracing::debug!(%error, ?pause, "someone else was faster; planning again");
                    std::thread::sleep(pause);
                    place.refresh()?;
                }
                None => {
                    let detail = format!("the fleet changed {most} times while this change was made: {error}");
                    return Err(Problem::new("change.contended", detail).hint("run the command again").into());
                }
            },
        }
    }
}

/// Why an attempt did not succeed.
pub(super) enum Attempt {
    /// Someone else was faster.
    Moved(git::Error),
    /// It cannot succeed.
    Failed(Problems),
}

impl From<Problems> for Attempt {
    fn from(problems: Problems) -> Self {
        Self::Failed(problems)
    }
}

impl From<Problem> for Attempt {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem.into())
    }
}

impl From<git::Error> for Attempt {
    fn from(error: git::Error) -> Self {
        match error {
            git::Error::RefMoved { .. } => Self::Moved(error),
            other => Self::Failed(other.into()),
        }
    }
}

fn attempt(place: &Place, intent: &Intent, request: &Request, options: Options) -> Result<Change, Attempt> {
    let tip = place.tip()?;
    let tree = place.repository.tree(tip)?;
    let fleet = Fleet::open(&tree)?;
    let past = match (&intent.action, &intent.environment) {
        (Action::Rollback { .. }, Some(environment)) => {
            history::releases(&place.repository, tip, &intent.app, environment)?
        }
        _ => Vec::new(),
    };
    let mut plan = plan::plan(&fleet, intent, request, &past)?;
    secrets::add_passwords(&fleet, &intent.app, &mut plan.edits, &plan.affected, request.now)?;
    let branch = branch_name(intent)?;
    let mut change = Change {
        stage: Stage::Unchanged,
        subject: plan.subject.clone(),
        notes: plan.notes.clone(),
        branch: Some(branch.to_string()),
        commit: None,
        change_id: None,
        diffs: Vec::new(),
        files: Vec::new(),
    };
    let work = work_out(&fleet, intent, plan)?;
    change.files =
        work.files.iter().map(|(path, _)| path.clone()).chain(work.removed_folders.iter().cloned()).collect();
    change.diffs = work.diffs.clone();
    change.notes.extend(work.notes.iter().cloned());
    if options.dry_run {
        if !work.is_empty_against(&tree)? {
            change.stage = Stage::Planned;
        }
        return Ok(change);
    }
    reached("render");
    let new_tree = write(place, tree.id(), &work)?;
    if new_tree == tree.id() {
        clean_up_fulfilled(place, &branch, tip)?;
        return Ok(change);
    }
    let (commit, change_id) = propose(place, intent, request, &branch, tip, new_tree, &change)?;
    change.stage = Stage::Proposed;
    if options.merge {
        place.fast_forward(commit, tip)?;
        clean_up_merged(place, &branch, commit)?;
        change.stage = Stage::Merged;
    }
    change.commit = Some(commit.to_string());
    change.change_id = Some(change_id);
    Ok(change)
}

/// Everything that a change writes.
pub(super) struct Work {
    pub(super) files: FileChanges,
    pub(super) removed_folders: Vec<String>,
    pub(super) diffs: Vec<EnvironmentDiff>,
    /// What the reader should know of what was rendered.
    pub(super) notes: Vec<String>,
}

impl Work {
    fn is_empty_against(&self, tree: &git::GitTree<'_>) -> Result<bool, Problems> {
        for (path, content) in &self.files {
            let standing = tree.entry_id(path).map_err(super::file_problems)?;
            let wanted = content.as_ref().map(|content| git::BlobId::of(content.as_bytes()));
            if standing.and_then(|entry| entry.blob()) != wanted {
                return Ok(false);
            }
        }
        for folder in &self.removed_folders {
            if tree.entry_id(folder).map_err(super::file_problems)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Renders what a plan affects, against the fleet as it would be.
pub(super) fn work_out(fleet: &Fleet<'_>, intent: &Intent, plan: Plan) -> Result<Work, Problems> {
    let edited = plan::edited(&plan.edits);
    let layered = LayeredTree::new(&edited, fleet.tree);
    let after = Fleet { tree: &layered, settings: fleet.settings.clone() };
    let mut files: FileChanges = Vec::new();
    let mut diffs = Vec::new();
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    if !plan.affected.is_empty() {
        let renderer = after.renderer()?;
        for environment in &plan.affected {
            // One that cannot be rendered does not hide what is wrong with the next.
            match arrive(&after, &renderer, intent, environment) {
                Ok((changes, diff, note)) => {
                    files.extend(changes);
                    diffs.push(diff);
                    notes.extend(note);
                }
                Err(found) => problems.extend(found.into_vec()),
            }
        }
    }
    Problems::check(problems)?;
    for environment in &plan.leaving {
        let record = fleet.record(&intent.app, environment)?;
        let before = rendering::objects(fleet.tree, &intent.app, environment, record.as_ref())?;
        files.extend(rendering::departure(fleet.tree, &intent.app, environment, record.as_ref())?);
        diffs.push(EnvironmentDiff {
            environment: environment.clone(),
            entries: diff::compare(&before, &[]),
            digest: None,
        });
    }
    files.extend(plan.edits);
    Ok(Work { files, removed_folders: plan.removed_folders, diffs, notes })
}

fn arrive(
    after: &Fleet<'_>,
    renderer: &crate::render::Renderer,
    intent: &Intent,
    environment: &EnvironmentName,
) -> Result<(FileChanges, EnvironmentDiff, Option<String>), Problems> {
    let app = &intent.app;
    let record = after.record(app, environment)?;
    let (resolved, rendered) = rendering::render(after, renderer, app, environment)?;
    let before = rendering::objects(after.tree, app, environment, record.as_ref())?;
    Problems::check(diff::impossible(&before, &rendered.objects))?;
    let diff = EnvironmentDiff {
        environment: environment.clone(),
        entries: diff::compare(&before, &rendered.objects),
        digest: Some(rendered.digest.clone()),
    };
    let is_told = matches!(
        intent.action,
        Action::Onboard { .. } | Action::Promote | Action::Configure { .. } | Action::SetSecret { .. }
    );
    let note = is_told.then(|| secrets::without_value(after, &resolved, environment)).flatten();
    Ok((rendering::changes(after.tree, app, environment, record.as_ref(), rendered)?, diff, note))
}

fn write(place: &Place, base: TreeId, work: &Work) -> Result<TreeId, git::Error> {
    let mut writer = place.repository.writer();
    let mut edits = TreeEdits::new();
    for folder in &work.removed_folders {
        edits.remove_tree(folder)?;
    }
    for (path, content) in &work.files {
        match content {
            Some(content) => edits.put(path, writer.add(PreparedBlob::new(content.as_bytes()))?)?,
            None => edits.remove(path)?,
        }
    }
    writer.finish(Some(base), &edits)
}

/// `wooo/<app>/<env>/<verb>-<hash>`: the same wish always has the same branch, so that it is found and never opened
/// twice.
pub(super) fn branch_name(intent: &Intent) -> Result<BranchName, Problem> {
    let wish = format!("{intent:?}");
    let hash = git::BlobId::of(wish.as_bytes()).to_string();
    let name = format!("{}{}", branch_prefix(intent), &hash[..8]);
    name.parse().map_err(|error: git::Error| error.into())
}

/// What the branches of all wishes of one kind begin with: of those, one is open at most.
pub(super) fn branch_prefix(intent: &Intent) -> String {
    let environment = intent.environment.as_ref().map_or("all", EnvironmentName::as_str);
    let kind = match &intent.action {
        // Values of two variables are two wishes: the second must not take the first one's place.
        Action::SetSecret { name, .. } => {
            let hash = git::BlobId::of(name.as_str().as_bytes()).to_string();
            format!("{}-{}", intent.action.verb(), &hash[..8])
        }
        action => action.verb().to_owned(),
    };
    format!("wooo/{}/{environment}/{kind}-", intent.app)
}

/// Makes the commit and puts the branch on it, taking over what an earlier run left. At most one branch per app,
/// environment and kind stays: another wish of the same kind replaces the one before.
fn propose(
    place: &Place,
    intent: &Intent,
    request: &Request,
    branch: &BranchName,
    tip: CommitId,
    tree: TreeId,
    change: &Change,
) -> Result<(CommitId, String), Attempt> {
    let repository = &place.repository;
    let environment = intent.environment.as_ref().map_or("all", EnvironmentName::as_str);
    // Else two wishes of one kind could each find no branch, and both open one.
    let alone = repository.lock_branches()?;
    let mut adopted = None;
    for (name, at) in repository.branches_with_prefix(&branch_prefix(intent))? {
        let ours = standing_of(place, at, tip)?;
        match ours {
            Standing::HandsOff(commit) => {
                // Or another process has put it on a tip that came after this one.
                let found = repository.resolve(&place.base)?;
                if found != Some(tip) {
                    let error = git::Error::RefMoved { name: place.base.to_ref(), expected: Some(tip), found };
                    return Err(Attempt::Moved(error));
                }
                return Err(hands_off(&name, commit).into());
            }
            Standing::Merged if name != *branch => place.delete_branch(&name, at)?,
            Standing::Merged => adopted = Some((at, None)),
            Standing::Ours(_) if name != *branch => place.delete_branch(&name, at)?,
            Standing::Ours(change_id) => {
                let info = repository.commit_info(at)?;
                let is_same = request.change_id.as_ref().is_none_or(|own| own.as_str() == change_id);
                if is_same && info.parents == [tip] && repository.tree(at)?.id() == tree {
                    return Ok((at, change_id));
                }
                adopted = Some((at, Some(change_id)));
            }
        }
    }
    let standing = adopted.as_ref().map(|(at, _)| *at);
    let given = request.change_id.as_ref().map(ToString::to_string);
    let change_id = given.or_else(|| adopted.and_then(|(_, id)| id)).unwrap_or_else(|| new_change_id(request.now));
    let trailers = trailers(intent.app.as_str(), environment, intent.action.verb(), request, &change_id, &change.diffs);
    let text = git::message(&change.subject, &body(request, change), &trailers);
    let commit = repository.commit(tree, &[tip], &signature(request), &text)?;
    reached("commit");
    place.update_branch(branch, commit, standing)?;
    drop(alone);
    reached("push");
    Ok((commit, change_id))
}

/// What an earlier branch of the same kind is.
pub(super) enum Standing {
    /// Its commit is part of the synced branch already.
    Merged,
    /// Exactly one commit of wooo's own, with this change id.
    Ours(String),
    /// A person has worked on it, with this commit: one of their own on top, or wooo's own amended.
    HandsOff(CommitId),
}

pub(super) fn standing_of(place: &Place, at: CommitId, tip: CommitId) -> Result<Standing, git::Error> {
    let repository = &place.repository;
    if repository.is_ancestor(at, tip)? {
        return Ok(Standing::Merged);
    }
    let info = repository.commit_info(at)?;
    match (info.parents.as_slice(), info.trailers.get(Key::CHANGE_ID)) {
        ([parent], Some(id)) if info.is_original && repository.is_ancestor(*parent, tip)? => {
            Ok(Standing::Ours(id.to_owned()))
        }
        _ => Ok(Standing::HandsOff(at)),
    }
}

/// A person's commit on a branch of wooo's means that wooo leaves it alone.
pub(super) fn hands_off(branch: &BranchName, commit: CommitId) -> Problem {
    let detail = format!("the branch `{branch}` holds commit {} that wooo did not make", commit.short());
    Problem::new("change.hands_off", detail).hint(format!("merge it or delete it: `git branch -D {branch}`"))
}

/// Deletes the change's branch once its commit is part of the synced branch.
pub(super) fn clean_up_merged(place: &Place, branch: &BranchName, tip: CommitId) -> Result<(), git::Error> {
    match place.repository.resolve(branch)? {
        Some(at) if place.repository.is_ancestor(at, tip)? => place.delete_branch(branch, at),
        _ => Ok(()),
    }
}

/// Deletes the change's branch once the synced branch says what it asks for, be it through another commit. What a person
/// has worked on stays.
fn clean_up_fulfilled(place: &Place, branch: &BranchName, tip: CommitId) -> Result<(), git::Error> {
    let Some(at) = place.repository.resolve(branch)? else { return Ok(()) };
    match standing_of(place, at, tip)? {
        Standing::Merged | Standing::Ours(_) => place.repository.delete_branch(branch, at),
        Standing::HandsOff(_) => Ok(()),
    }
}

/// A new change's identity: a UUID of version 7 made of the request's time and chance.
pub(super) fn new_change_id(now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)).to_string()
}

pub(super) fn signature(request: &Request) -> Signature {
    let (name, email) = request.committer.clone();
    Signature { name, email, when: request.now }
}

pub(super) fn trailers(
    app: &str,
    environment: &str,
    verb: &str,
    request: &Request,
    change_id: &str,
    diffs: &[EnvironmentDiff],
) -> Trailers {
    let mut trailers = Trailers::new()
        .with(Key::APP, app)
        .with(Key::ENV, environment)
        .with(Key::ACTION, verb)
        .with(Key::ACTOR, &request.actor)
        .with(Key::CHANGE_ID, change_id);
    for diff in diffs.iter().filter_map(|diff| diff.digest.as_ref()) {
        trailers = trailers.with(Key::RENDER_DIGEST, diff);
    }
    trailers
}

/// How many differences a commit message lists.
const MAX_LISTED: usize = 40;

fn body(request: &Request, change: &Change) -> String {
    let mut text = String::new();
    if let Some(reason) = &request.reason {
        text.push_str(reason.trim());
        text.push_str("\n\n");
    }
    for diff in &change.diffs {
        text.push_str(&format!("{}:\n", diff.environment));
        for entry in diff.entries.iter().take(MAX_LISTED) {
            let mark = if entry.risk == Risk::High { "! " } else { "" };
            text.push_str(&format!("- {mark}{entry}\n"));
        }
        if diff.entries.len() > MAX_LISTED {
            text.push_str(&format!("- and {} more\n", diff.entries.len() - MAX_LISTED));
        }
        text.push('\n');
    }
    for note in &change.notes {
        text.push_str(&format!("{note}\n"));
    }
    text.trim_end().to_owned()
}
