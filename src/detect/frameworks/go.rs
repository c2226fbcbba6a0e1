//! Go: a module with a `main` function.

use super::{Match, Tier};
use crate::detect::answer::{EntryKind, NoteKind, PackageManager};
use crate::detect::claims::Claims;
use crate::detect::facts::Facts;
use crate::detect::place::Place;
use crate::detect::sources::{best_port, routes};
use crate::domain::Framework;
use crate::files::parent;

/// Whether the folder holds a Go program.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    let module = facts.module.as_ref()?;
    let (name, place) = match &module.module {
        Some((name, line)) => (name.as_str(), Place::new(&module.file, *line)),
        None => ("", Place::file(&module.file)),
    };
    let mut reasons = vec![(place, format!("the Go module `{name}`"))];
    let main = facts.go.mains.first();
    reasons.extend(main.map(|place| (place.clone(), "a `main` function".to_owned())));
    let built = facts.container.dockerfile.as_ref().is_some_and(|file| !file.go_builds.is_empty());
    // Without either it is a library.
    (main.is_some() || built).then_some(Match {
        framework: Framework::Go,
        tier: Tier::App,
        is_proven: main.is_some(),
        reasons,
    })
}

/// Claims what a Go program's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    entry_point(facts, claims);
    let main = claims.entry_point.as_ref().map(|entry| entry.target.trim_start_matches("./").to_owned());
    let folder = main.map(|main| facts.survey.resolve_folder(&facts.folder, &main));
    if let Some(found) = best_port(&facts.go.ports, |file| Some(parent(file)) == folder.as_deref()) {
        claims.port(found.port, Some(&found.place), found.why, false);
    }
    if let Some(route) = routes::health(&facts.go.routes) {
        claims.health_path(&route.path, Some(&route.place), "a health route");
    }
    if let Some(route) = routes::metrics(&facts.go.routes) {
        claims.metrics_path(&route.path, Some(&route.place), "a metrics route");
    }
    let Some(module) = &facts.module else { return };
    claims.package_manager(PackageManager::Go, Some(&Place::file(&module.file)), "a Go module");
    if let Some((version, line)) = &module.go {
        claims.runtime_version(version, Some(&Place::new(&module.file, *line)), "the Go version of the module");
    }
}

/// The package that the Dockerfile builds, else the only one with a `main`, else the only one that listens.
fn entry_point(facts: &Facts<'_>, claims: &mut Claims) {
    let mains = facts.go.main_folders();
    let target = |folder: &str| match facts.relative(folder) {
        "" => ".".to_owned(),
        relative => format!("./{relative}"),
    };
    if let Some(file) = &facts.container.dockerfile {
        let builds = file.go_builds.iter().filter(|(package, _)| !package.contains("..."));
        let known = |package: &str| {
            // The build runs where the module is, or where the Dockerfile is.
            [facts.folder.as_str(), parent(&file.file)].into_iter().find_map(|base| {
                let path = facts.survey.resolve_folder(base, package);
                let folder = if path.ends_with(".go") { parent(&path) } else { path.as_str() };
                mains.iter().copied().find(|main| *main == folder)
            })
        };
        let found: Vec<_> = builds.filter_map(|(package, line)| Some((known(package)?, *line))).collect();
        if let [(folder, line), ..] = found.as_slice() {
            claims.entry_point(
                EntryKind::Binary,
                &target(folder),
                Some(&Place::new(&file.file, *line)),
                "what the Dockerfile builds",
            );
            return;
        }
    }
    let place = |folder: &str| facts.go.mains.iter().find(|place| parent(&place.file) == folder);
    let listening: Vec<&str> = mains
        .iter()
        .copied()
        .filter(|main| facts.go.listens.iter().any(|place| parent(&place.file) == *main))
        .collect();
    match (mains.as_slice(), listening.as_slice()) {
        ([only], _) => claims.entry_point(EntryKind::Binary, &target(only), place(only), "the only `main` function"),
        (_, [only]) => {
            claims.entry_point(EntryKind::Binary, &target(only), place(only), "the only `main` function that listens");
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|folder| target(folder)).collect();
            let text = format!("several programs: {}; the Dockerfile must say which one is built", names.join(", "));
            claims.note(NoteKind::Advice, None, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detection, detect};
    use crate::files::MemoryTree;

    fn found(files: &[(&'static str, &'static str)]) -> Option<Detection> {
        let tree: MemoryTree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        detect(&tree, "").ok()
    }

    #[test]
    fn several_programs_of_which_none_listens_are_named() {
        let main = "package main\nfunc main() {}";
        let app = found(&[("go.mod", "module x"), ("cmd/a/main.go", main), ("cmd/b/main.go", main)]).unwrap();
        assert_eq!(app.entry_point, None);
        assert!(app.notes[0].text.starts_with("several programs: ./cmd/a, ./cmd/b"), "{:?}", app.notes);
    }
}
