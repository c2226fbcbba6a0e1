//! Choosing the app, or saying why it cannot be chosen.
//!
//! Owns the order of what decides. In one folder: what serves over what is served, then the command, then what was
//! found to run. Between folders: the folder that was asked for over those below it, then a Dockerfile that names one of
//! them. Where that leaves two, the answer is that there are two.

use super::answer::{Answer, NoteKind};
use super::claims::evidence;
use super::command::Family;
use super::error::{Candidate, folder_name};
use super::facts::Facts;
use super::frameworks::{self, Match, Tier, python};
use super::notes::Notes;
use super::place::Place;
use crate::domain::Framework;

/// What was chosen. Folders are named by their index among the facts; the first is the folder that was asked for.
pub(super) enum Verdict {
    /// One app.
    App(Chosen),
    /// Several.
    Several(Vec<(usize, Match)>),
    /// A manifest of this folder that could not be used would have decided.
    Fault(usize),
    /// None.
    Nothing,
}

/// The one app.
pub(super) struct Chosen {
    /// Its folder.
    pub(super) index: usize,
    /// What it is built with, and why.
    pub(super) matched: Match,
    /// What chose its folder among others.
    pub(super) decided_by: Option<(Place, &'static str)>,
}

/// One folder and what fits it, at least one.
struct Fit {
    index: usize,
    matches: Vec<Match>,
}

impl Fit {
    fn is_served(&self) -> bool {
        self.matches.iter().all(|matched| matched.framework == Framework::Static)
    }

    fn tier(&self) -> Tier {
        self.matches.iter().map(|matched| matched.tier).max().unwrap_or(Tier::Files)
    }
}

/// Chooses among the folders. With `only`, no other framework is considered.
pub(super) fn choose(all: &[Facts<'_>], only: Option<Framework>) -> Verdict {
    let mut fits: Vec<Fit> = all
        .iter()
        .enumerate()
        .map(|(index, facts)| Fit { index, matches: in_folder(facts, only) })
        .filter(|fit| !fit.matches.is_empty())
        .collect();
    let start = (fits.first().is_some_and(|fit| fit.index == 0)).then(|| fits.remove(0));
    match start {
        Some(fit) if !fit.is_served() || only.is_some() => settle(vec![fit], None),
        None if all.first().is_some_and(|facts| !facts.faults.is_empty()) && only.is_none() => Verdict::Fault(0),
        start => below_start(all, start, fits, only),
    }
}

/// The folder that was asked for holds nothing, or only files to serve.
fn below_start(all: &[Facts<'_>], start: Option<Fit>, mut fits: Vec<Fit>, only: Option<Framework>) -> Verdict {
    match start {
        // Beside files to serve, only something that surely is an app makes a doubt.
        Some(start) => {
            let plain = start.tier() == Tier::Files;
            fits.retain(|fit| fit.tier() == Tier::App && (plain || !fit.is_served()));
            fits.insert(0, start);
        }
        None => drop_weak(&mut fits),
    }
    drop_nested(all, &mut fits);
    if fits.len() > 1
        && let Some((index, decided_by)) = by_container(all, &fits)
    {
        fits.retain(|fit| fit.index == index);
        return settle(fits, Some(decided_by));
    }
    // A manifest that cannot be read may have been one more app.
    let is_inside = |facts: &Facts<'_>| fits.iter().any(|fit| is_below(&facts.folder, &all[fit.index].folder));
    let fault = all.iter().position(|facts| !facts.faults.is_empty() && !is_inside(facts));
    match fault {
        Some(index) if only.is_none() => Verdict::Fault(index),
        _ => settle(fits, None),
    }
}

fn settle(fits: Vec<Fit>, decided_by: Option<(Place, &'static str)>) -> Verdict {
    let mut all: Vec<(usize, Match)> =
        fits.into_iter().flat_map(|fit| fit.matches.into_iter().map(move |matched| (fit.index, matched))).collect();
    match (all.pop(), all.is_empty()) {
        (None, _) => Verdict::Nothing,
        (Some((index, matched)), true) => Verdict::App(Chosen { index, matched, decided_by }),
        (Some(last), false) => {
            all.push(last);
            Verdict::Several(all)
        }
    }
}

/// The frameworks that fit one folder, after everything in the folder that can decide has decided.
fn in_folder(facts: &Facts<'_>, only: Option<Framework>) -> Vec<Match> {
    let mut matches = frameworks::recognise(facts);
    if let Some(only) = only {
        matches.retain(|matched| matched.framework == only);
    }
    // Pages beside a server belong to it: assets of a Django project, the public folder of a Node.js server.
    prefer(&mut matches, |matched| matched.framework != Framework::Static);
    if matches.iter().any(|matched| matched.tier == Tier::App) {
        let is_node = |matched: &Match| frameworks::family(matched.framework) == Family::Node;
        matches.retain(|matched| matched.tier == Tier::App || !is_node(matched));
    }
    if let Some(family) = facts.container.family() {
        prefer(&mut matches, |matched| frameworks::family(matched.framework) == family);
    }
    if matches.len() > 1 {
        let fitting: Vec<Framework> = matches.iter().map(|matched| matched.framework).collect();
        let named = python::named_by_command(facts, &fitting);
        prefer(&mut matches, |matched| Some(matched.framework) == named);
    }
    if matches.len() > 1 {
        prefer(&mut matches, |matched| matched.is_proven);
    }
    matches
}

/// Keeps those that `wanted` takes, if it takes any.
fn prefer(matches: &mut Vec<Match>, wanted: impl Fn(&Match) -> bool) {
    if matches.iter().any(&wanted) {
        matches.retain(wanted);
    }
}

/// Plain pages yield to everything, and what cannot be started yields to a server that can.
fn drop_weak(fits: &mut Vec<Fit>) {
    if fits.iter().any(|fit| fit.tier() > Tier::Files) {
        fits.retain(|fit| fit.tier() > Tier::Files);
    }
    if fits.iter().any(|fit| fit.tier() == Tier::App && !fit.is_served()) {
        fits.retain(|fit| fit.tier() != Tier::Library);
    }
}

/// What lies inside another app's folder belongs to that app; files to serve own nothing but what is served.
fn drop_nested(all: &[Facts<'_>], fits: &mut Vec<Fit>) {
    let owners: Vec<(usize, bool, Tier)> = fits.iter().map(|fit| (fit.index, fit.is_served(), fit.tier())).collect();
    fits.retain(|fit| {
        !owners.iter().any(|(owner, served, tier)| {
            let inside = *owner != fit.index && is_below(&all[fit.index].folder, &all[*owner].folder);
            inside && (!served || fit.is_served() && fit.tier() <= *tier)
        })
    });
}

fn is_below(folder: &str, owner: &str) -> bool {
    owner.is_empty() || folder == owner || folder.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'))
}

/// The folder that a Dockerfile or Procfile above them decides for.
fn by_container(all: &[Facts<'_>], fits: &[Fit]) -> Option<(usize, (Place, &'static str))> {
    let only = |wanted: &dyn Fn(&Fit) -> bool| {
        let mut found = fits.iter().filter(|fit| wanted(fit));
        found.next().filter(|_| found.next().is_none()).map(|fit| fit.index)
    };
    let above = |fit: &Fit| all[fit.index].container.is_inherited;
    if let Some(index) = only(&above) {
        return Some((index, (place(&all[index])?, "it names this folder")));
    }
    let start = all.first()?;
    let family = start.container.family()?;
    let fits_family = |fit: &Fit| fit.matches.iter().any(|matched| frameworks::family(matched.framework) == family);
    Some((only(&fits_family)?, (place(start)?, "only this folder's app is started that way")))
}

fn place(facts: &Facts<'_>) -> Option<Place> {
    let container = &facts.container;
    let launch = container.launch.as_ref().map(|launch| launch.place.clone());
    launch.or_else(|| container.dockerfile.as_ref().map(|file| Place::file(&file.file)))
}

/// The apps of a verdict, as an error tells them.
pub(super) fn candidates(all: &[Facts<'_>], several: &[(usize, Match)]) -> Vec<Candidate> {
    let candidate = |(index, matched): &(usize, Match)| Candidate {
        framework: matched.framework,
        root: all[*index].folder.clone(),
        evidence: matched
            .reasons
            .iter()
            .map(|(place, why)| evidence(Answer::Framework, &matched.framework.to_string(), Some(place), why))
            .collect(),
    };
    let mut candidates: Vec<Candidate> = several.iter().map(candidate).collect();
    candidates.sort_by(|a, b| (&a.root, a.framework).cmp(&(&b.root, b.framework)));
    candidates
}

/// What the owner can write to decide between `candidates`.
pub(super) fn how_to_decide(candidates: &[Candidate]) -> Vec<String> {
    let shared = |root: &str| candidates.iter().filter(|candidate| candidate.root == root).count() > 1;
    let mut ways: Vec<String> = candidates
        .iter()
        .map(|Candidate { framework, root, .. }| match root.as_str() {
            "" => format!("write `framework: {framework}` in the app spec for the {framework} app in the root folder"),
            root if shared(root) => {
                format!(
                    "write `framework: {framework}` in the app spec for the {framework} app in {}",
                    folder_name(root)
                )
            }
            root => format!("use `--root {}/` for the {framework} app", super::place::shown(root)),
        })
        .collect();
    ways.push("or let a Dockerfile or Procfile at the top start one of them".to_owned());
    ways
}

/// Notes the other apps in the tree.
pub(super) fn note_others(all: &[Facts<'_>], chosen: &Chosen, notes: &mut Notes) {
    let own = &all[chosen.index].folder;
    let mut fits: Vec<Fit> = all
        .iter()
        .enumerate()
        .filter(|(index, facts)| *index != chosen.index && (facts.has_manifest() || !is_below(&facts.folder, own)))
        .map(|(index, facts)| Fit { index, matches: in_folder(facts, None) })
        .filter(|fit| !fit.matches.is_empty() && fit.tier() == Tier::App)
        .collect();
    drop_nested(all, &mut fits);
    for fit in fits {
        let (Some(matched), folder) = (fit.matches.first(), &all[fit.index].folder) else { continue };
        let text = format!("another app, {}, is in {}", matched.framework, folder_name(folder));
        notes.about(NoteKind::OtherApp, folder, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_below_another_by_whole_names() {
        assert!(is_below("apps/web", "apps") && is_below("apps", "apps") && is_below("apps", ""));
        assert!(!is_below("apps-old", "apps") && !is_below("", "apps"));
    }

    #[test]
    fn what_decides_is_named_for_each_candidate() {
        let candidate = |framework, root: &str| Candidate { framework, root: root.to_owned(), evidence: Vec::new() };
        let ways = how_to_decide(&[
            candidate(Framework::Flask, "api"),
            candidate(Framework::Fastapi, "api"),
            candidate(Framework::Nextjs, "web"),
        ]);
        assert_eq!(ways[0], "write `framework: flask` in the app spec for the flask app in `api/`");
        assert_eq!(ways[2], "use `--root web/` for the nextjs app");
    }
}
