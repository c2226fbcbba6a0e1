//! The fleet-wide change: everything that templates, overlays, settings or hand-edited specs mean now, rendered and
//! committed, in few changes that are alike in what they risk.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;
use tracing::debug_span;

use super::batch::{Selection, Unit, render_each};
use super::change::{self, Attempt, Options, Stage, Standing, retry, signature, trailers};
use super::fleet::{Fleet, delivery_path, release_path, rendered_path};
use super::place::Place;
use super::routes::{self, Claim};
use super::{Request, file_problems, rendering};
use crate::domain::{Problem, Problems};
use crate::files::{self, FileTree, Kind};
use crate::git::{self, BlobId, BranchName, CommitId, GitTree, ObjectWriter, PreparedBlob, TreeEdits};
use crate::render::diff::{self, Risk};
use crate::render::{Record, Rendered};

/// What a rerendering did.
#[derive(Clone, Debug, Serialize)]
pub struct Rerendered {
    /// How far it came.
    pub stage: Stage,
    /// How many apps in how many environments were rendered.
    pub rendered: usize,
    /// The changes, least risk first.
    pub changes: Vec<Group>,
    /// `<app> in <env>`, for each that would differ and is held.
    pub held: Vec<String>,
}

/// One commit of a rerendering.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The highest risk among its differences; `None` if no object differs, only the record.
    pub risk: Option<Risk>,
    /// `<app> in <env>`, for each that differs.
    pub members: Vec<String>,
    /// A few of its differences.
    pub examples: Vec<String>,
    /// Its branch.
    pub branch: String,
    /// Its commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Renders the selected apps again and commits what differs: one commit if it is merged at once, otherwise one for each
/// class of risk. `done` is called after each app.
///
/// # Errors
/// Everything that cannot be rendered: nothing is written then.
pub fn run(
    place: &Place,
    selection: &Selection,
    request: &Request,
    options: Options,
    mut done: impl FnMut(usize),
) -> Result<Rerendered, Problems> {
    retry(place, || attempt(place, selection, request, options, &mut done))
}

/// What one unit changes.
struct Difference {
    unit: Unit,
    risk: Option<Risk>,
    examples: Vec<String>,
    edits: Vec<(String, Option<BlobId>)>,
}

fn attempt(
    place: &Place,
    selection: &Selection,
    request: &Request,
    options: Options,
    done: &mut impl FnMut(usize),
) -> Result<Rerendered, Attempt> {
    let opening = debug_span!("open the fleet").entered();
    let tip = place.tip()?;
    let tree = place.repository.tree(tip)?;
    let fleet = Fleet::open(&tree)?;
    let units = selection.units(&fleet)?;
    opening.exit();
    let total = units.len();
    let mut writer = place.repository.writer();
    let whole_fleet = selection.apps.is_empty() && selection.environments.is_empty();
    let (differences, held) = render_all(&fleet, &tree, units, whole_fleet, request, &mut writer, done)?;
    let base = tree.id();
    let groups = group(differences, options.merge);
    let mut result = Rerendered { stage: Stage::Unchanged, rendered: total, changes: Vec::new(), held };
    if groups.is_empty() {
        return Ok(result);
    }
    result.stage = Stage::Planned;
    if options.dry_run {
        result.changes = groups.into_values().map(|members| described(&members, String::new())).collect();
        return Ok(result);
    }
    // Blobs first: the groups' trees are written on top of them.
    debug_span!("write the pack").in_scope(|| writer.finish(Some(base), &TreeEdits::new()))?;
    for (class, members) in groups {
        let mut edits = TreeEdits::new();
        for (path, blob) in members.iter().flat_map(|member| &member.edits) {
            match blob {
                Some(blob) => edits.put(path, *blob)?,
                None => edits.remove(path)?,
            }
        }
        let _committing = debug_span!("write trees and commit").entered();
        let new_tree = place.repository.writer().finish(Some(base), &edits)?;
        let (branch, commit) = commit(place, request, class, &members, tip, new_tree)?;
        let mut described = described(&members, branch.to_string());
        described.commit = Some(commit.to_string());
        result.stage = Stage::Proposed;
        if options.merge {
            place.fast_forward(commit, tip)?;
            place.delete_branch(&branch, commit)?;
            result.stage = Stage::Merged;
        }
        result.changes.push(described);
    }
    Ok(result)
}

/// A rendering on its way to the repository.
struct Prepared {
    files: Vec<(String, PreparedBlob)>,
    digest: String,
    host: Option<String>,
    objects: Vec<Value>,
    held: bool,
}

/// What has been gathered while apps are gone through.
struct Gathering<'a> {
    tree: &'a GitTree<'a>,
    fleet: &'a Fleet<'a>,
    claims: Claims<'a>,
    problems: Vec<Problem>,
    differences: Vec<Difference>,
    held: Vec<String>,
}

fn render_all<'a>(
    fleet: &'a Fleet<'a>,
    tree: &'a GitTree<'a>,
    units: Vec<Unit>,
    whole_fleet: bool,
    request: &Request,
    writer: &mut ObjectWriter<'_>,
    done: &mut impl FnMut(usize),
) -> Result<(Vec<Difference>, Vec<String>), Attempt> {
    let renderer = debug_span!("compile templates and overlays").in_scope(|| fleet.renderer())?;
    let total = units.len();
    let claims = Claims { tree, changed: HashMap::new() };
    let mut gathering =
        Gathering { tree, fleet, claims, problems: Vec::new(), differences: Vec::new(), held: Vec::new() };
    render_each::<_, Attempt>(
        fleet,
        &renderer,
        units,
        |unit, app, rendered| Prepared {
            files: prepare(unit, &rendered),
            digest: rendered.digest,
            host: rendered.domain,
            objects: rendered.objects,
            held: app.hold.as_ref().is_some_and(|hold| hold.is_active(request.now)),
        },
        |unit, result| {
            done(total);
            match result {
                Ok(prepared) => gathering.take(unit, prepared, writer)?,
                Err(found) => gathering.problems.extend(found.into_vec()),
            }
            Ok(())
        },
    )?;
    Problems::check(std::mem::take(&mut gathering.problems))?;
    if whole_fleet {
        gathering.take_departed()?;
    }
    gathering.claims.settle(&mut gathering.differences, writer)?;
    Ok((gathering.differences, gathering.held))
}

impl Gathering<'_> {
    fn take(&mut self, unit: Unit, prepared: Prepared, writer: &mut ObjectWriter<'_>) -> Result<(), Attempt> {
        let record = self.fleet.record(&unit.app, &unit.environment).unwrap_or_default();
        if prepared.held {
            // A hold means hold: what the app runs stays, and so does the rendering of it.
            if record.as_ref().map(|record| &record.digest) != Some(&prepared.digest) {
                self.held.push(format!("{} in {}", unit.app, unit.environment));
            }
            return Ok(());
        }
        if let Err(problem) = self.claims.move_host(&unit, record.as_ref(), prepared.host.as_deref()) {
            self.problems.push(problem);
            return Ok(());
        }
        let edits = changed_files(self.tree, &unit, record.as_ref(), prepared.files, writer)?;
        if edits.is_empty() {
            return Ok(());
        }
        let entries = if record.as_ref().is_some_and(|record| record.digest == prepared.digest) {
            Vec::new()
        } else {
            let before = rendering::objects(self.tree, &unit.app, &unit.environment, record.as_ref())?;
            let impossible = diff::impossible(&before, &prepared.objects);
            if !impossible.is_empty() {
                self.problems.extend(impossible);
                return Ok(());
            }
            diff::compare(&before, &prepared.objects)
        };
        let risk = (!entries.is_empty()).then(|| diff::highest_risk(&entries));
        let examples = entries.iter().take(3).map(ToString::to_string).collect();
        self.differences.push(Difference { unit, risk, examples, edits });
        Ok(())
    }
}

/// The files of a rendering, hashed and compressed: this is the costly part, and it runs on every core.
fn prepare(unit: &Unit, rendered: &Rendered) -> Vec<(String, PreparedBlob)> {
    let folder = rendered_path(&unit.app, &unit.environment);
    let manifests = rendered.files.iter().map(|file| (format!("{folder}/{}", file.name), file.content.as_bytes()));
    let delivery = (delivery_path(&unit.app, &unit.environment), rendered.delivery_file.as_bytes());
    manifests.chain([delivery]).map(|(path, content)| (path, PreparedBlob::new(content))).collect()
}

fn changed_files(
    tree: &GitTree<'_>,
    unit: &Unit,
    record: Option<&Record>,
    files: Vec<(String, PreparedBlob)>,
    writer: &mut ObjectWriter<'_>,
) -> Result<Vec<(String, Option<BlobId>)>, Attempt> {
    let folder = rendered_path(&unit.app, &unit.environment);
    let mut edits: Vec<(String, Option<BlobId>)> = Vec::new();
    for gone in record.iter().flat_map(|record| &record.files) {
        let path = format!("{folder}/{gone}");
        if !files.iter().any(|(known, _)| *known == path) && tree.entry_id(&path).map_err(file_problems)?.is_some() {
            edits.push((path, None));
        }
    }
    for (path, blob) in files {
        let standing = tree.entry_id(&path).map_err(file_problems)?.and_then(|entry| entry.blob());
        if standing != Some(blob.id()) {
            edits.push((path, Some(writer.add(blob)?)));
        }
    }
    Ok(edits)
}

/// Host claims as they become while apps are gone through.
struct Claims<'a> {
    tree: &'a GitTree<'a>,
    changed: HashMap<String, Option<Claim>>,
}

impl Claims<'_> {
    fn read(&self, host: &str) -> Result<Option<Claim>, Problem> {
        match self.changed.get(host) {
            Some(claim) => Ok(claim.clone()),
            None => Claim::read(self.tree, host),
        }
    }

    fn move_host(&mut self, unit: &Unit, record: Option<&Record>, new: Option<&str>) -> Result<(), Problem> {
        let old = record.and_then(|record| record.host.as_deref());
        let (app, environment) = (unit.app.as_str(), unit.environment.as_str());
        if let Some(old) = old.filter(|old| Some(*old) != new)
            && let Some(mut claim) = self.read(old)?.filter(|claim| claim.app == app)
        {
            claim.environments.retain(|name| name != environment);
            self.changed.insert(old.to_owned(), (!claim.environments.is_empty()).then_some(claim));
        }
        let Some(new) = new else { return Ok(()) };
        let mut claim = self.read(new)?.unwrap_or_else(|| Claim { app: app.to_owned(), environments: Vec::new() });
        if claim.app != app {
            let detail = format!("`{app}` wants the host `{new}`, which is taken by the app `{}`", claim.app);
            return Err(Problem::new("route.taken", detail).field("domain"));
        }
        if !claim.environments.iter().any(|name| name == environment) {
            claim.environments.push(environment.to_owned());
            claim.environments.sort();
            self.changed.insert(new.to_owned(), Some(claim));
        }
        Ok(())
    }

    /// Adds the claims that changed to the changes of the apps that hold them.
    fn settle(self, differences: &mut [Difference], writer: &mut ObjectWriter<'_>) -> Result<(), Attempt> {
        let mut changed: Vec<_> = self.changed.into_iter().collect();
        changed.sort_by(|a, b| a.0.cmp(&b.0));
        let owners: HashMap<String, usize> =
            differences.iter().enumerate().map(|(at, difference)| (difference.unit.app.to_string(), at)).collect();
        for (host, claim) in changed {
            let owner = claim.as_ref().and_then(|claim| owners.get(&claim.app).copied());
            let blob = claim.map(|claim| writer.add(PreparedBlob::new(claim.text().as_bytes()))).transpose()?;
            let at = owner.or_else(|| (!differences.is_empty()).then_some(0));
            if let Some(difference) = at.and_then(|at| differences.get_mut(at)) {
                difference.edits.push((routes::path(&host), blob));
            }
        }
        Ok(())
    }
}

impl Gathering<'_> {
    /// What is rendered for apps that are no longer there: a person deleted a release file, or the whole app.
    fn take_departed(&mut self) -> Result<(), Problems> {
        for environment in self.fleet.settings.environments.keys() {
            let entries = match self.tree.list(&format!("rendered/{environment}")) {
                Ok(entries) => entries,
                Err(files::Error::NotFound { .. }) => continue,
                Err(error) => return Err(file_problems(error)),
            };
            for entry in entries.into_iter().filter(|entry| entry.kind == Kind::Directory) {
                let Ok(app) = entry.name.parse() else { continue };
                let unit = Unit { app, environment: environment.clone() };
                if self.tree.entry_id(&release_path(&unit.app, environment)).map_err(file_problems)?.is_none() {
                    self.take_departure(unit)?;
                }
            }
        }
        Ok(())
    }

    fn take_departure(&mut self, unit: Unit) -> Result<(), Problems> {
        let record = self.fleet.record(&unit.app, &unit.environment)?;
        let before = rendering::objects(self.tree, &unit.app, &unit.environment, record.as_ref())?;
        self.claims.move_host(&unit, record.as_ref(), None)?;
        let mut edits = Vec::new();
        for path in rendering::files_of(&unit.app, &unit.environment, record.as_ref()) {
            if self.tree.entry_id(&path).map_err(file_problems)?.is_some() {
                edits.push((path, None));
            }
        }
        if !edits.is_empty() {
            let examples = diff::compare(&before, &[]).iter().take(3).map(ToString::to_string).collect();
            self.differences.push(Difference { unit, risk: Some(Risk::High), examples, edits });
        }
        Ok(())
    }
}

/// The differences by class of risk, or all in one class.
fn group(differences: Vec<Difference>, as_one: bool) -> BTreeMap<&'static str, Vec<Difference>> {
    let mut groups: BTreeMap<&'static str, Vec<Difference>> = BTreeMap::new();
    for difference in differences {
        let class = match difference.risk {
            _ if as_one => "all",
            None => "record",
            Some(Risk::Low) => "low",
            Some(Risk::Medium) => "medium",
            Some(Risk::High) => "high",
        };
        groups.entry(class).or_default().push(difference);
    }
    groups
}

fn described(members: &[Difference], branch: String) -> Group {
    Group {
        risk: members.iter().filter_map(|member| member.risk).max(),
        members: members.iter().map(|member| format!("{} in {}", member.unit.app, member.unit.environment)).collect(),
        examples: members.iter().flat_map(|member| member.examples.iter().cloned()).take(5).collect(),
        branch,
        commit: None,
    }
}

/// How many apps a commit message lists.
const MAX_LISTED: usize = 50;

fn commit(
    place: &Place,
    request: &Request,
    class: &str,
    members: &[Difference],
    tip: CommitId,
    tree: git::TreeId,
) -> Result<(BranchName, CommitId), Attempt> {
    let branch: BranchName = format!("wooo/fleet/{class}/rerender").parse().map_err(Problem::from)?;
    let standing = place.repository.resolve(&branch)?;
    let change_id = match standing.map(|at| change::standing_of(place, at, tip)).transpose()? {
        Some(Standing::HandsOff(commit)) => return Err(change::hands_off(&branch, commit).into()),
        Some(Standing::Ours(id)) => id,
        Some(Standing::Merged) | None => change::new_change_id(request.now),
    };
    let subject = match members {
        [one] => format!("Rerender {} in {}", one.unit.app, one.unit.environment),
        many => format!("Rerender {} apps", many.len()),
    };
    let mut body = request.reason.as_ref().map(|reason| format!("{}\n\n", reason.trim())).unwrap_or_default();
    for member in members.iter().take(MAX_LISTED) {
        body.push_str(&format!(
            "- {} in {}: {}\n",
            member.unit.app,
            member.unit.environment,
            member.examples.first().map_or("the record", |example| example)
        ));
    }
    if members.len() > MAX_LISTED {
        body.push_str(&format!("- and {} more\n", members.len() - MAX_LISTED));
    }
    let trailers = trailers("fleet", class, "rerender", request, &change_id, &[]);
    let commit = place.repository.commit(
        tree,
        &[tip],
        &signature(request),
        &git::message(&subject, body.trim_end(), &trailers),
    )?;
    place.update_branch(&branch, commit, standing)?;
    Ok((branch, commit))
}
