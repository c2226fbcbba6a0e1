//! Next.js: the `next` package, unless the build only makes files.

use super::{Match, Tier, nodejs};
use crate::detect::answer::{EntryKind, NoteKind};
use crate::detect::claims::Claims;
use crate::detect::command::Family;
use crate::detect::facts::Facts;
use crate::detect::manifests::next_config::Output;
use crate::detect::place::Place;
use crate::detect::sources::routes::{self, Route};
use crate::domain::Framework;

/// Folders that Next.js makes pages from.
const PAGES: [&str; 4] = ["app", "pages", "src/app", "src/pages"];

/// Whether the folder holds a Next.js server.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    if matches!(facts.next_output, Some((Output::Export, _))) {
        return None;
    }
    let package = facts.package.as_ref()?;
    let dependency = package.any_dependency("next")?;
    let is_proven = has_pages(facts);
    if package.has_workspaces() && !is_proven {
        return None;
    }
    let tier = if is_proven || facts.container.launch.is_some() { Tier::App } else { Tier::Library };
    let mut reasons = vec![(dependency, "`next` is a dependency".to_owned())];
    reasons.extend(
        facts
            .first_file(&crate::detect::manifests::next_config::NAMES)
            .map(|path| (Place::file(&path), "the settings of Next.js".to_owned())),
    );
    Some(Match { framework: Framework::Nextjs, tier, is_proven, reasons })
}

/// Whether there is a folder that pages are made from.
pub(super) fn has_pages(facts: &Facts<'_>) -> bool {
    PAGES.iter().any(|folder| facts.survey.has_folder(&facts.folder, folder))
}

/// Claims what a Next.js app's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    note_custom_server(facts, claims);
    if let Some((Output::Standalone, place)) = &facts.next_output {
        let text = "`output: standalone`: the image starts `node server.js` from `.next/standalone`".to_owned();
        claims.note(NoteKind::Advice, Some(place), text);
    }
    let found = file_routes(facts);
    if let Some(route) = routes::health(&found) {
        claims.health_path(&route.path, Some(&route.place), "a health route");
    }
    if let Some(route) = routes::metrics(&found) {
        claims.metrics_path(&route.path, Some(&route.place), "a metrics route");
    }
    let entry = claims.entry_point.as_ref().map(|entry| facts.path(&entry.target));
    let own_server = facts.javascript.ports.iter().find(|found| Some(&found.place.file) == entry.as_ref());
    if let Some(found) = own_server {
        claims.port(found.port, Some(&found.place), found.why, false);
    }
    nodejs::describe_routes(facts, claims);
    nodejs::describe_project(facts, claims);
}

fn note_custom_server(facts: &Facts<'_>, claims: &mut Claims) {
    let standalone = matches!(facts.next_output, Some((Output::Standalone, _)));
    let by_command = facts.container.launch.as_ref().is_some_and(|launch| launch.start.family == Family::Node);
    if !(standalone && by_command)
        && let Some(entry) = &claims.entry_point
        && entry.kind == EntryKind::Script
    {
        let text = format!("a server of its own, `{}`, runs Next.js", entry.target);
        claims.note(NoteKind::Advice, None, text);
        return;
    }
    let express = facts.package.as_ref().and_then(|package| package.first_dependency(&["express", "fastify", "koa"]));
    if let Some((name, place)) = express {
        let text = format!("`{name}` stands beside `next`: a server of its own may run Next.js");
        claims.note(NoteKind::Advice, Some(&place), text);
    }
}

/// The routes that files under `app/` and `pages/` make.
fn file_routes(facts: &Facts<'_>) -> Vec<Route> {
    facts.survey.files_below(&facts.folder).filter_map(|path| route_of(facts.relative(path), path)).collect()
}

fn route_of(relative: &str, path: &str) -> Option<Route> {
    let relative = relative.strip_prefix("src/").unwrap_or(relative);
    let (stem, extension) = relative.rsplit_once('.')?;
    if !matches!(extension, "ts" | "js" | "tsx" | "jsx") {
        return None;
    }
    let route = if let Some(inside) = stem.strip_prefix("app/") {
        inside.strip_suffix("/route").or_else(|| inside.strip_suffix("/page"))?
    } else {
        let inside = stem.strip_prefix("pages/")?;
        inside.strip_suffix("/index").unwrap_or(inside)
    };
    // `(group)` folders are not part of the path.
    let segments: Vec<&str> = route.split('/').filter(|segment| !segment.starts_with('(')).collect();
    routes::route("", &segments.join("/"), Place::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_make_routes() {
        let path = |relative| route_of(relative, relative).map(|route| route.path);
        assert_eq!(path("app/api/health/route.ts").as_deref(), Some("/api/health"));
        assert_eq!(path("src/app/(ops)/healthz/route.js").as_deref(), Some("/healthz"));
        assert_eq!(path("pages/api/health.ts").as_deref(), Some("/api/health"));
        assert_eq!(path("pages/api/health/index.js").as_deref(), Some("/api/health"));
        for other in ["app/api/[id]/health.ts", "app/api/orders/route.ts", "lib/health.ts", "app/health.css"] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
