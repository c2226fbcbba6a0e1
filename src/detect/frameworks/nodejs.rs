//! Node.js: a server framework and something to start.

use super::{Match, Tier, static_files};
use crate::detect::answer::{EntryKind, NoteKind, PackageManager};
use crate::detect::claims::Claims;
use crate::detect::command::{self, Family, Launch};
use crate::detect::facts::Facts;
use crate::detect::manifests::dockerfile::CommandLine;
use crate::detect::manifests::package_json::PackageJson;
use crate::detect::place::Place;
use crate::detect::sources::{best_port, routes};
use crate::domain::Framework;

/// Packages that serve HTTP.
const SERVERS: [&str; 21] = [
    "express",
    "fastify",
    "koa",
    "@nestjs/core",
    "@hapi/hapi",
    "hono",
    "@hono/node-server",
    "restify",
    "polka",
    "@apollo/server",
    "apollo-server",
    "nuxt",
    "@remix-run/serve",
    "@remix-run/node",
    "@react-router/serve",
    "@sveltejs/adapter-node",
    "@astrojs/node",
    "@feathersjs/feathers",
    "sails",
    "@adonisjs/core",
    "h3",
];

/// Files that Node.js apps start with, where nothing names one.
const ENTRIES: [&str; 12] = [
    "server.js",
    "index.js",
    "app.js",
    "main.js",
    "server.mjs",
    "index.mjs",
    "src/server.js",
    "src/index.js",
    "src/app.js",
    "src/main.ts",
    "src/index.ts",
    "src/server.ts",
];

/// Programs that run a package's scripts.
const RUNNERS: [&str; 4] = ["npm", "yarn", "pnpm", "bun"];

/// How many scripts are followed that only run another.
const MAX_SCRIPTS: usize = 4;

/// Whether the folder holds a Node.js server.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    let package = facts.package.as_ref()?;
    if package.any_dependency("next").is_some() {
        return None;
    }
    let dependency = package.first_dependency(&SERVERS);
    let script = start_script(facts).map(|(_, script)| script).filter(|script| is_server(facts, script));
    let listens = facts.javascript.listens.first();
    let launch = facts.container.launch.as_ref().filter(|launch| launch.start.family == Family::Node);
    let by_command = launch.filter(|launch| !RUNNERS.contains(&launch.start.program.as_str()));
    let entry = entry_file(facts);
    let mut reasons = Vec::new();
    reasons.extend(dependency.map(|(name, place)| (place, format!("`{name}` is a dependency"))));
    reasons.extend(script.as_ref().map(|script| (script.place.clone(), "the start script runs a server".to_owned())));
    reasons.extend(listens.map(|place| (place.clone(), "the program listens on a port".to_owned())));
    if reasons.is_empty() {
        return None;
    }
    let is_proven = script.is_some() || by_command.is_some() || (listens.is_some() && entry.is_some());
    // A front-end whose tools bring a server along, or the head of a workspace, has nothing to start.
    if !is_proven && (static_files::front_end(facts).is_some() || package.has_workspaces()) {
        return None;
    }
    let tier = if is_proven { Tier::App } else { Tier::Library };
    Some(Match { framework: Framework::Nodejs, tier, is_proven, reasons })
}

/// Claims what a Node.js server's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    if let Some((path, place, why)) = entry_file(facts) {
        claims.entry_point(EntryKind::Script, &path, Some(&place), why);
    }
    let entry = claims.entry_point.as_ref().map(|entry| facts.path(&entry.target));
    if let Some(found) = best_port(&facts.javascript.ports, |file| Some(file) == entry.as_deref()) {
        claims.port(found.port, Some(&found.place), found.why, false);
    }
    describe_routes(facts, claims);
    describe_project(facts, claims);
}

/// The command, the port and the entry point of the start script.
pub(super) fn describe_start(facts: &Facts<'_>, claims: &mut Claims) {
    let launch = facts.container.launch.as_ref().filter(|launch| launch.start.family == Family::Node);
    if let Some(launch) = launch
        && let (Some(kind), Some(target)) = (launch.start.kind, &launch.start.target)
    {
        claims.entry_point(kind, target.trim_start_matches("./"), Some(&launch.place), launch.origin);
    }
    let runs_script = launch.is_none_or(|launch| RUNNERS.contains(&launch.start.program.as_str()));
    let Some((name, script)) = start_script(facts).filter(|(_, script)| runs_script && is_server(facts, script)) else {
        return;
    };
    if let Some(port) = script.start.port {
        claims.port(port, Some(&script.place), "the port of the start script", true);
    }
    if let (Some(kind), Some(target)) = (script.start.kind, &script.start.target) {
        claims.entry_point(kind, target.trim_start_matches("./"), Some(&script.place), "the start script");
    }
    if launch.is_none() {
        let (manager, ..) = manager(facts);
        let run = (name != "start").then(|| "run".to_owned());
        let words: Vec<String> = [manager.to_string()].into_iter().chain(run).chain([name]).collect();
        claims.command(&words, Some(&script.place), "the start script");
    }
}

/// Health and metrics routes in the sources.
pub(super) fn describe_routes(facts: &Facts<'_>, claims: &mut Claims) {
    if let Some(route) = routes::health(&facts.javascript.routes) {
        claims.health_path(&route.path, Some(&route.place), "a health route");
    }
    if let Some(route) = routes::metrics(&facts.javascript.routes) {
        claims.metrics_path(&route.path, Some(&route.place), "a metrics route");
    }
}

/// The package manager and the version of Node.js.
pub(super) fn describe_project(facts: &Facts<'_>, claims: &mut Claims) {
    let (manager, place, why) = manager(facts);
    claims.package_manager(manager, place.as_ref(), why);
    if let Some((version, place)) = facts.package.as_ref().and_then(PackageJson::node_version) {
        claims.runtime_version(&version, Some(&place), "the Node.js version that the package asks for");
    }
}

/// The script that starts the app, with its name: the one that the container's command names, else `start:prod` or
/// `start`. A script that runs another script is followed.
fn start_script(facts: &Facts<'_>) -> Option<(String, Launch)> {
    let package = facts.package.as_ref()?;
    let called = |words: &[String]| words.iter().find(|word| package.script(word).is_some()).cloned();
    let launch = facts.container.launch.as_ref().filter(|launch| launch.start.family == Family::Node);
    let named = launch.and_then(|launch| called(&launch.start.arguments));
    let usual = ["start:prod", "start"].into_iter().find(|name| package.script(name).is_some());
    let name = named.or_else(|| usual.map(str::to_owned))?;
    let mut script = read_script(package, &name)?;
    for _ in 0..MAX_SCRIPTS {
        let next = called(&script.start.arguments).filter(|_| RUNNERS.contains(&script.start.program.as_str()));
        let Some(next) = next.and_then(|next| read_script(package, &next)) else { break };
        script = next;
    }
    Some((name, script))
}

fn read_script(package: &PackageJson, name: &str) -> Option<Launch> {
    let (text, place) = package.script(name)?;
    command::read(&CommandLine::Shell(text), place, "the start script", &|_| None)
}

/// Whether the start script runs a server here, and not the tools of a front-end or the packages of a workspace.
fn is_server(facts: &Facts<'_>, script: &Launch) -> bool {
    let in_workspace = facts.package.as_ref().is_some_and(PackageJson::has_workspaces);
    let is_bare_runner = RUNNERS.contains(&script.start.program.as_str()) && script.start.target.is_none();
    script.start.family == Family::Node && !is_bare_runner && !(in_workspace && script.start.target.is_none())
}

/// The file that is started, where neither a command nor a script names it.
fn entry_file(facts: &Facts<'_>) -> Option<(String, Place, &'static str)> {
    let main = facts.package.as_ref()?.string("main");
    if let Some((path, place)) = main
        && facts.survey.resolve(&facts.folder, &path).is_some()
    {
        return Some((path.trim_start_matches("./").to_owned(), place, "`main` of the package"));
    }
    let listens = |path: &str| facts.javascript.listens.iter().any(|place| place.file == facts.path(path));
    let present = || ENTRIES.iter().filter(|path| facts.has(path));
    let path = present().find(|path| listens(path)).or_else(|| present().next())?;
    Some(((*path).to_owned(), Place::file(&facts.path(path)), "the file that such apps start with"))
}

/// The package manager: as the package says, else by the lock file here or in a folder above.
pub(super) fn manager(facts: &Facts<'_>) -> (PackageManager, Option<Place>, &'static str) {
    const LOCKS: [(&str, PackageManager); 6] = [
        ("pnpm-lock.yaml", PackageManager::Pnpm),
        ("yarn.lock", PackageManager::Yarn),
        ("bun.lock", PackageManager::Bun),
        ("bun.lockb", PackageManager::Bun),
        ("package-lock.json", PackageManager::Npm),
        ("npm-shrinkwrap.json", PackageManager::Npm),
    ];
    if let Some((text, place)) = facts.package.as_ref().and_then(|package| package.string("packageManager"))
        && let Ok(manager) = text.split('@').next().unwrap_or_default().parse()
    {
        return (manager, Some(place), "`packageManager` of the package");
    }
    let names = LOCKS.map(|(name, _)| name);
    if let Some((index, path)) = facts.survey.nearest_lock(&facts.folder, &names) {
        return (LOCKS[index].1, Some(Place::file(&path)), "the lock file");
    }
    (PackageManager::Npm, None, "the package manager that comes with Node.js")
}

/// Notes lock files of more than one package manager.
pub(super) fn note_locks(facts: &Facts<'_>, claims: &mut Claims) {
    let locks = ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "package-lock.json"];
    let present: Vec<&str> = locks.into_iter().filter(|name| facts.has(name)).collect();
    if present.len() > 1 {
        claims.note(NoteKind::Disagreement, None, format!("there are several lock files: {}", present.join(", ")));
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
    fn the_head_of_a_workspace_is_no_server() {
        let head = r#"{"workspaces": ["a"], "scripts": {"start": "npm start -w a"}, "dependencies": {"express": "4"}}"#;
        assert_eq!(found(&[("package.json", head)]), None);
    }

    #[test]
    fn a_script_that_runs_itself_ends() {
        let circle = r#"{"scripts": {"start": "npm run a", "a": "npm run start"}}"#;
        assert_eq!(found(&[("package.json", circle)]), None);
    }
}
