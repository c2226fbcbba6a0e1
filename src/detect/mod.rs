//! What an app is built with and how it runs, read from its files.
//!
//! Owns the answers ([`Detection`]), the evidence for each, and the refusal to guess: where the files fit two apps the
//! answer is [`Error::Ambiguous`], with what decides. It reads a [`FileTree`] and nothing else; no program is run, no
//! link or submodule followed.
//!
//! The work is bounded, whatever the tree: 20,000 names and 8 folders of depth are looked at, 32 folders as homes of an
//! app; 1,024 files and 32 MiB are read, of which 256 sources; a file that says what the app is may have 1 MiB, a source
//! 256 KiB. What lies behind a bound is noted.
//!
//! An answer follows the strongest file that gives it: the command line of a Procfile or Dockerfile, then the rest of
//! the Dockerfile, then the sources, then the framework's default.
//!
//! Does not own: the app spec (which overrules every answer here), cloning, or what is rendered from the answers.

mod answer;
mod choose;
mod claims;
mod command;
mod container;
mod error;
mod facts;
mod frameworks;
mod manifests;
mod notes;
mod pattern;
mod place;
mod python_project;
mod reader;
mod runtime;
mod shell;
mod sources;
mod survey;

pub use answer::{Answer, Detection, EntryKind, EntryPoint, Evidence, Note, NoteKind, PackageManager};
pub use error::{Candidate, Error};

use choose::{Chosen, Verdict};
use claims::Claims;
use facts::Facts;
use frameworks::{Match, Tier};
use notes::Notes;
use place::Place;
use reader::Reader;
use survey::Survey;

use crate::domain::Framework;
use crate::files::{FileTree, join};

/// What the app in `subfolder` of the tree is, with the evidence; `""` is the tree's root. If that folder itself holds
/// no app, the folders below it are looked at.
///
/// # Errors
/// [`Error::Ambiguous`] if the files fit several apps, [`Error::NothingFound`] if they fit none, [`Error::Broken`] and
/// [`Error::FileTooLarge`] for a file that would have decided, [`Error::Files`] if `subfolder` is no folder of the tree
/// or the tree cannot be read.
pub fn detect(tree: &dyn FileTree, subfolder: &str) -> Result<Detection, Error> {
    run(tree, subfolder, None)
}

/// As [`detect`], with the framework given: what the app spec says is not asked again.
///
/// # Errors
/// [`Error::Ambiguous`] if several folders hold an app of this framework, [`Error::Files`] as [`detect`].
pub fn detect_as(tree: &dyn FileTree, subfolder: &str, framework: Framework) -> Result<Detection, Error> {
    run(tree, subfolder, Some(framework))
}

fn run(tree: &dyn FileTree, subfolder: &str, only: Option<Framework>) -> Result<Detection, Error> {
    let start = join("", subfolder)?;
    let mut notes = Notes::default();
    let survey = Survey::take(tree, &start, &mut notes)?;
    let folders = survey.app_folders(&mut notes);
    let mut reader = Reader::new(tree, notes);
    let mut all = Vec::new();
    for folder in &folders {
        all.push(Facts::gather(&survey, folder, &mut reader)?);
    }
    let chosen = match choose::choose(&all, only) {
        Verdict::App(chosen) => chosen,
        Verdict::Several(several) => {
            let candidates = choose::candidates(&all, &several);
            let how_to_decide = choose::how_to_decide(&candidates);
            return Err(Error::Ambiguous { candidates, how_to_decide });
        }
        Verdict::Nothing => match only {
            Some(framework) => given(framework),
            None => return Err(nothing_found(&all, reader.notes)),
        },
        Verdict::Fault(index) => {
            let fault = all.swap_remove(index).faults.into_iter().next();
            return Err(fault.unwrap_or_else(|| nothing_found(&all, reader.notes)));
        }
    };
    adopt_container(&mut all, &chosen);
    answer(&all, &chosen, only.is_some(), reader)
}

/// What the app spec says, where no file says it.
fn given(framework: Framework) -> Chosen {
    let matched = Match { framework, tier: Tier::App, is_proven: false, reasons: Vec::new() };
    Chosen { index: 0, matched, decided_by: None }
}

/// The one app of a tree is what the Dockerfile at the top starts, even if that does not name its folder.
fn adopt_container(all: &mut [Facts<'_>], chosen: &Chosen) {
    let Some((start, rest)) = all.split_first_mut() else { return };
    let Some(facts) = chosen.index.checked_sub(1).and_then(|index| rest.get_mut(index)) else { return };
    let family = frameworks::family(chosen.matched.framework);
    if facts.container == container::Container::default() && start.container.family().is_none_or(|at| at == family) {
        facts.container = start.container.clone();
    }
}

fn answer(all: &[Facts<'_>], chosen: &Chosen, is_given: bool, mut reader: Reader<'_>) -> Result<Detection, Error> {
    let facts = &all[chosen.index];
    let framework = chosen.matched.framework;
    let mut claims = Claims::default();
    for (place, why) in &chosen.matched.reasons {
        claims.prove(Answer::Framework, &framework.to_string(), Some(place), why);
    }
    if is_given {
        claims.prove(Answer::Framework, &framework.to_string(), None, "the app spec says so");
    }
    if chosen.index > 0 {
        let (place, why) = match &chosen.decided_by {
            Some((place, why)) => (place.clone(), *why),
            None => (Place::file(&facts.folder), "the only folder that holds an app"),
        };
        claims.prove(Answer::Root, &facts.folder, Some(&place), why);
    }
    describe_command(facts, &mut claims);
    frameworks::describe_start(framework, facts, &mut claims);
    describe_container(facts, framework, &mut claims);
    runtime::describe(facts, frameworks::family(framework), &mut reader, &mut claims)?;
    frameworks::describe(framework, facts, &mut claims);
    describe_defaults(facts, framework, &mut claims);
    note_faults(all, &mut reader.notes);
    choose::note_others(all, chosen, &mut reader.notes);
    Ok(assemble(facts, framework, claims, reader.notes))
}

/// What the command line of a Procfile or Dockerfile says.
fn describe_command(facts: &Facts<'_>, claims: &mut Claims) {
    let Some(launch) = &facts.container.launch else { return };
    claims.command(&launch.words, Some(&launch.place), launch.origin);
    if let Some(port) = launch.start.port {
        claims.port(port, Some(&launch.place), "the port in the command line", true);
    }
}

/// What the rest of the Dockerfile says.
fn describe_container(facts: &Facts<'_>, framework: Framework, claims: &mut Claims) {
    let Some(file) = &facts.container.dockerfile else { return };
    let variable = file.environment.get("PORT").and_then(|(text, line)| Some((command::port(text)?, *line)));
    if let Some((port, line)) = exposed(&file.exposed, framework, variable.map(|(port, _)| port)) {
        claims.port(port, Some(&Place::new(&file.file, line)), "the port that the Dockerfile exposes", true);
    }
    let ports: Vec<u16> = file.exposed.iter().map(|(port, _)| *port).collect();
    if ports.len() > 1 && claims.port.is_some_and(|port| ports.contains(&port)) {
        let names: Vec<String> = ports.iter().map(u16::to_string).collect();
        let text =
            format!("the Dockerfile exposes several ports: {}; `port:` in the app spec decides", names.join(", "));
        claims.note(NoteKind::Advice, Some(&Place::file(&file.file)), text);
    }
    if let Some((port, line)) = variable {
        claims.port(port, Some(&Place::new(&file.file, line)), "`PORT` in the Dockerfile", true);
    }
    if let Some((image, line)) = &file.image
        && let Some(port) = container::image_port(image)
    {
        claims.port(port, Some(&Place::new(&file.file, *line)), "the port of the image that serves the files", false);
    }
    if let Some((path, line)) = &file.health {
        claims.health_path(path, Some(&Place::new(&file.file, *line)), "the health check of the Dockerfile");
    }
}

/// Of several exposed ports the one that `PORT` names, else the framework's own, else the first that is used for HTTP.
fn exposed(ports: &[(u16, usize)], framework: Framework, variable: Option<u16>) -> Option<(u16, usize)> {
    let find = |wanted: &dyn Fn(u16) -> bool| ports.iter().copied().find(|(port, _)| wanted(*port));
    find(&|port| Some(port) == variable)
        .or_else(|| find(&|port| port == framework.default_port()))
        .or_else(|| find(&|port| matches!(port, 80 | 3000..=3999 | 5000 | 8000..=8999)))
        .or_else(|| ports.first().copied())
}

/// What holds where no file says otherwise.
fn describe_defaults(facts: &Facts<'_>, framework: Framework, claims: &mut Claims) {
    if let Some(launch) = &facts.container.launch
        && let Some(port) = launch.start.default_port
    {
        let why = format!("the port that {} takes if it is told none", launch.start.program);
        claims.port(port, Some(&launch.place), &why, false);
    }
    claims.port(framework.default_port(), None, "the default of the framework", false);
    claims.health_path(
        framework.default_health_path(),
        None,
        "the default of the framework; no health route was found",
    );
}

fn note_faults(all: &[Facts<'_>], notes: &mut Notes) {
    for fault in all.iter().flat_map(|facts| &facts.faults) {
        match fault {
            Error::Broken { file, line, column, reason, .. } => {
                notes.about(NoteKind::Broken, file, format!("line {line}, column {column}: {reason}; not used"));
            }
            Error::FileTooLarge { file, size, limit } => {
                notes.about(NoteKind::TooLarge, file, format!("{size} bytes, and at most {limit} are read; not used"));
            }
            _ => {}
        }
    }
}

fn assemble(facts: &Facts<'_>, framework: Framework, mut claims: Claims, mut notes: Notes) -> Detection {
    let port = claims.port.take().unwrap_or_else(|| framework.default_port());
    let health_path = claims.health_path.take().unwrap_or_else(|| framework.default_health_path().to_owned());
    let (metrics_path, entry_point) = (claims.metrics_path.take(), claims.entry_point.take());
    let (package_manager, runtime_version) = (claims.package_manager.take(), claims.runtime_version.take());
    let command = claims.command.take();
    let (evidence, found) = claims.finish();
    for note in found {
        notes.push(note);
    }
    Detection {
        framework,
        root: facts.folder.clone(),
        port,
        health_path,
        metrics_path,
        entry_point,
        package_manager,
        runtime_version,
        command,
        evidence,
        notes: notes.into_vec(),
    }
}

/// What would have said it, and what is there instead.
fn nothing_found(all: &[Facts<'_>], mut notes: Notes) -> Error {
    let looked_at = [
        "requirements*.txt, pyproject.toml, Pipfile, setup.cfg, setup.py, manage.py and Python sources",
        "package.json",
        "go.mod with a main function",
        "index.html",
        "a Procfile or Dockerfile beside one of them",
    ];
    for file in all.iter().filter_map(|facts| facts.container.dockerfile.as_ref()) {
        let text = "a Dockerfile says how an image is made, not what the app is built with";
        notes.about(NoteKind::Advice, &file.file, text);
    }
    Error::NothingFound { looked_at: looked_at.map(str::to_owned).to_vec(), notes: notes.into_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_exposed_ports_one_is_for_http() {
        let pick = |ports: &[u16], variable| {
            let lined: Vec<(u16, usize)> = ports.iter().map(|port| (*port, 1)).collect();
            exposed(&lined, Framework::Flask, variable).map(|(port, _)| port)
        };
        assert_eq!(pick(&[9100, 8000], None), Some(8000));
        assert_eq!(pick(&[9100, 8000], Some(9100)), Some(9100));
        assert_eq!(pick(&[22, 8080], None), Some(8080));
        assert_eq!(pick(&[22, 9000], None), Some(22));
        assert_eq!(pick(&[], Some(80)), None);
    }
}
