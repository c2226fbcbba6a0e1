//! Making a change: rendering, committing and pushing it, and having one open merge request for it that says what it
//! does. Done again, it finds what it made before.

use super::Failure;
use super::accept::content;
use super::propose::WAITS;
use super::service::{ServedFleet, Service};
use crate::domain::fleet::MergeMode;
use crate::domain::{EnvironmentName, ImageRef, Intent, Problem, Problems};
use crate::forge::{self, Edit, Label, MergeRequest, NewMergeRequest};
use crate::git::{BranchName, CommitId};
use crate::operations::change::{self, Options, Stage};
use crate::operations::file_diff::FileDiff;
use crate::operations::fleet::Fleet;
use crate::operations::gate::{self, Decision, Verdict};
use crate::operations::place::Place;
use crate::operations::record::{Event, What, note};
use crate::operations::{file_diff, git_problems, reached, tell};
use crate::store::{Change, ChangeUpdate, Fence};

/// A change that was made.
pub(super) struct Made {
    pub(super) change: change::Change,
    pub(super) commit: CommitId,
    /// The commit of the synced branch that it was made on.
    pub(super) base: CommitId,
    pub(super) verdict: Verdict,
    pub(super) merge_request: MergeRequest,
    /// The image that runs in each environment that it touches.
    pub(super) images: Vec<(EnvironmentName, Option<ImageRef>)>,
}

/// Makes the change; `None` if there is nothing to change. With a fence, the forge is only asked for something while it
/// holds: a worker that slept through its lease must not open what another one has opened and merged by now.
pub(super) async fn make(
    service: &Service,
    fence: Option<&Fence>,
    fleet: &ServedFleet,
    change: &Change,
) -> Result<Option<Made>, Failure> {
    let intent = intent_of(change)?;
    // The time is that of the wish: made again, the change is the same.
    let request = service.request(&change.actor, change.reason.as_deref(), change.created_at, &change.id);
    let (wish, by) = (intent.clone(), request.clone());
    let (made, base, settings, target, images, files) = fleet
        .with_place(move |place| {
            let made = change::run(place, &wish, &by, Options { merge: false, dry_run: false })?;
            let base = match made.commit.as_deref().map(str::parse::<CommitId>) {
                Some(Ok(commit)) => place.repository.commit_info(commit).map_err(git_problems)?.parents,
                _ => vec![place.tip()?],
            };
            let base =
                base.into_iter().next().ok_or_else(|| Problem::new("git.damaged", "the commit has no parent"))?;
            let tree = place.repository.tree(base).map_err(git_problems)?;
            let images = images(place, &wish, &made)?;
            let files = match made.commit.as_deref().map(str::parse::<CommitId>) {
                Some(Ok(commit)) => file_diff::between(place, base, commit)?,
                _ => Vec::new(),
            };
            Ok((made, base, Fleet::open(&tree)?.settings, place.base.clone(), images, files))
        })
        .await?;
    if made.stage == Stage::Unchanged {
        return Ok(None);
    }
    let commit = parsed::<CommitId>(made.commit.as_deref())?;
    let branch = parsed::<BranchName>(made.branch.as_deref())?;
    let verdict = gate::decide(&settings, &made.diffs);
    service.check(fence).await?;
    let merge_request = propose(fleet, change, &intent, (&made, &files, &verdict), branch, target).await?;
    reached("open");
    for status in tell::check_statuses(&made.diffs, &verdict)? {
        fleet.forge.set_status(commit, &status).await?;
    }
    let event = Event {
        change: change.id.clone(),
        at: service.now().await?,
        what: What::Proposed {
            intent,
            requested_at: change.created_at,
            reason: change.reason.clone(),
            merge_request: merge_request.number.0,
            url: merge_request.url.clone(),
        },
    };
    let committer = service.committer.clone();
    fleet.with_place(move |place| note(place, commit, &event, &committer)).await?;
    Ok(Some(Made { change: made, commit, base, verdict, merge_request, images }))
}

/// What runs where after the change: the image in each environment that it touches.
fn images(
    place: &Place,
    intent: &Intent,
    made: &change::Change,
) -> Result<Vec<(EnvironmentName, Option<ImageRef>)>, Problems> {
    let Some(Ok(commit)) = made.commit.as_deref().map(str::parse::<CommitId>) else { return Ok(Vec::new()) };
    let tree = place.repository.tree(commit).map_err(git_problems)?;
    let fleet = Fleet::open(&tree)?;
    let mut environments: Vec<EnvironmentName> = made.diffs.iter().map(|diff| diff.environment.clone()).collect();
    environments.extend(intent.environment.clone().filter(|own| !environments.contains(own)));
    let image = |environment: EnvironmentName| {
        let app = fleet.app(&intent.app, &environment)?;
        Ok((environment, app.and_then(|app| app.spec.image)))
    };
    environments.into_iter().map(image).collect()
}

impl Made {
    /// What the database is told.
    pub(super) fn update(&self, before: &Change) -> ChangeUpdate {
        ChangeUpdate {
            notes: Some(notes(before, &self.change).into()),
            content: Some(content(&self.change)),
            subject: Some(self.change.subject.clone()),
            branch: self.change.branch.clone(),
            base_commit: Some(self.base.to_string()),
            commit_sha: Some(self.commit.to_string()),
            digest: self.digest(),
            merge_request: i64::try_from(self.merge_request.number.0).ok(),
            merge_request_url: Some(self.merge_request.url.clone()),
            merge_mode: Some(match self.verdict.decision {
                Decision::Auto => MergeMode::Auto,
                Decision::Propose => MergeMode::Propose,
            }),
            ..ChangeUpdate::default()
        }
    }

    /// What an approval is bound to: the digests of all environments.
    pub(super) fn digest(&self) -> Option<String> {
        let digests: Vec<&str> = self.change.diffs.iter().filter_map(|diff| diff.digest.as_deref()).collect();
        (!digests.is_empty()).then(|| digests.join(" "))
    }
}

/// What is worth knowing of a change: what was known before, and what making it has found.
fn notes(before: &Change, made: &change::Change) -> Vec<String> {
    let known = before.notes.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let mut notes: Vec<String> = known.filter(|note| !note.starts_with(WAITS)).map(str::to_owned).collect();
    for note in &made.notes {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

/// Has the one open merge request of the branch say what the change does.
async fn propose(
    fleet: &ServedFleet,
    change: &Change,
    intent: &Intent,
    (made, files, verdict): (&change::Change, &[FileDiff], &Verdict),
    source: BranchName,
    target: BranchName,
) -> Result<MergeRequest, Failure> {
    let undo = tell::undo(&intent.action, &intent.app, intent.environment.as_ref());
    let notes = notes(change, made);
    let (title, body) = tell::merge_request(&tell::Proposal {
        id: &change.id,
        subject: &made.subject,
        actor: &change.actor,
        reason: change.reason.as_deref(),
        notes: &notes,
        diffs: &made.diffs,
        files,
        verdict,
        undo: &undo,
    });
    let labels = labels(intent)?;
    let edit =
        Edit { title: Some(title.clone()), body: Some(body.clone()), labels: Some(labels.clone()), ..Edit::default() };
    if let Some(open) = fleet.forge.find_open(&source, &target).await? {
        return Ok(fleet.forge.update(open.number, &edit).await?);
    }
    let new = NewMergeRequest { source, target, title, body, labels, reviewers: Default::default(), draft: false };
    match fleet.forge.open(&new).await {
        Err(forge::Error::Exists { number }) => Ok(fleet.forge.update(number, &edit).await?),
        opened => Ok(opened?),
    }
}

fn labels(intent: &Intent) -> Result<std::collections::BTreeSet<Label>, Failure> {
    let mut texts = vec!["wooo".to_owned(), format!("wooo/{}", intent.action.verb())];
    texts.extend(intent.environment.as_ref().map(|environment| format!("env/{environment}")));
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, forge::Error>>()?)
}

pub(super) fn intent_of(change: &Change) -> Result<Intent, Failure> {
    change.intent.clone().ok_or_else(|| {
        Failure::lasting(Problem::new(
            "change.unknown_intent",
            format!("what change {} asked for is not known", change.id),
        ))
    })
}

fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Result<T, Failure> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Failure::from(Problems::from(Problem::new("change.incomplete", "the change has no commit or no branch")))
    })
}
