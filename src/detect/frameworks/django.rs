//! Django: `manage.py`, the settings module that it names, and the WSGI or ASGI module beside it.

use super::{Match, Tier, python};
use crate::detect::answer::{EntryKind, NoteKind};
use crate::detect::claims::Claims;
use crate::detect::facts::Facts;
use crate::detect::place::Place;
use crate::detect::sources::routes::{self, Route};
use crate::domain::Framework;
use crate::files::parent;

/// Packages that make a Django site speak ASGI.
const ASGI_PACKAGES: [&str; 5] = ["channels", "daphne", "uvicorn", "hypercorn", "granian"];

/// Whether the folder holds a Django site.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    let dependency = facts.python.dependency("django");
    let manage = manage_file(facts);
    let object = python::best_object(facts, Framework::Django);
    let mut reasons = Vec::new();
    reasons.extend(dependency.map(|place| (place.clone(), "`django` is a dependency".to_owned())));
    reasons.extend(manage.map(|place| (place, "names Django's settings".to_owned())));
    reasons.extend(object.map(|object| (object.place.clone(), format!("Django's `{}`", object.name))));
    let is_proven = reasons.len() > usize::from(dependency.is_some());
    let tier = if is_proven || facts.container.launch.is_some() { Tier::App } else { Tier::Library };
    (!reasons.is_empty()).then_some(Match { framework: Framework::Django, tier, is_proven, reasons })
}

/// The `manage.py` that names settings.
fn manage_file(facts: &Facts<'_>) -> Option<Place> {
    let (_, place) = facts.python_source.settings.as_ref()?;
    place.file.ends_with("manage.py").then(|| place.clone())
}

/// Claims what a Django site's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    python::describe(facts, Framework::Django, EntryKind::Wsgi, claims);
    let site = Site::of(facts);
    let uses_asgi =
        facts.python.first_dependency(&ASGI_PACKAGES).filter(|_| facts.python_source.asgi_application.is_some());
    if let Some((package, _)) = uses_asgi {
        let why = format!("`ASGI_APPLICATION` is set and `{package}` is a dependency");
        site.entry(facts, EntryKind::Asgi, &why, claims);
    }
    site.entry(facts, EntryKind::Wsgi, "Django's WSGI module", claims);
    site.entry(facts, EntryKind::Asgi, "Django's ASGI module", claims);
    if claims.entry_point.is_none() {
        let text = "no WSGI or ASGI module was found; the image's command must name it".to_owned();
        claims.note(NoteKind::Advice, None, text);
    }
    site.note_subfolder(facts, claims);
    site.health(facts, claims);
    python::describe_sources(facts, &site.known_routes(facts), claims);
}

/// Where the site's own package is.
struct Site {
    /// The folder of `manage.py`, from which modules are named; `""` for the app's root.
    base: String,
    /// The package of the settings, dotted: `shop` of `shop.settings.production`.
    package: Option<String>,
}

impl Site {
    fn of(facts: &Facts<'_>) -> Self {
        let settings = facts.python_source.settings.as_ref();
        let base =
            settings.filter(|(_, place)| place.file.ends_with("manage.py")).map(|(_, place)| parent(&place.file));
        let package = settings.and_then(|(module, _)| {
            let package = module.split(".settings").next()?;
            (package != module).then(|| package.to_owned())
        });
        Self { base: facts.relative(base.unwrap_or(&facts.folder)).to_owned(), package }
    }

    fn entry(&self, facts: &Facts<'_>, kind: EntryKind, why: &str, claims: &mut Claims) {
        let source = &facts.python_source;
        let setting = if kind == EntryKind::Asgi { &source.asgi_application } else { &source.wsgi_application };
        if let Some((dotted, place)) = setting
            && let Some((module, variable)) = dotted.rsplit_once('.')
        {
            claims.entry_point(kind, &format!("{module}:{variable}"), Some(place), why);
            return;
        }
        let objects =
            source.objects.iter().filter(|object| object.framework == Framework::Django && object.kind == kind);
        let named = objects.filter_map(|object| Some((object, self.module(facts, &object.place.file)?)));
        let of_package = |module: &str| self.package.as_deref().is_some_and(|package| module.starts_with(package));
        if let Some((object, module)) = named.min_by_key(|(_, module)| (!of_package(module), module.len())) {
            claims.entry_point(kind, &format!("{module}:{}", object.name), Some(&object.place), why);
        }
    }

    /// The dotted module of a file, as `manage.py` sees it.
    fn module(&self, facts: &Facts<'_>, path: &str) -> Option<String> {
        let module = python::module_of(facts, path)?;
        let prefix = self.base.replace('/', ".");
        Some(module.strip_prefix(&prefix).unwrap_or(&module).trim_start_matches('.').to_owned())
    }

    fn note_subfolder(&self, facts: &Facts<'_>, claims: &mut Claims) {
        if !self.base.is_empty() && facts.container.launch.is_none() {
            let text = format!("`manage.py` is in `{}/`: the server must be started there", self.base);
            claims.note(NoteKind::Advice, None, text);
        }
    }

    /// The site's own `urls.py`, where paths start at the root.
    fn urls(&self, facts: &Facts<'_>) -> Option<String> {
        let package = self.package.as_ref()?.replace('.', "/");
        let base = if self.base.is_empty() { String::new() } else { format!("{}/", self.base) };
        facts.survey.resolve(&facts.folder, &format!("{base}{package}/urls.py"))
    }

    fn health(&self, facts: &Facts<'_>, claims: &mut Claims) {
        if let Some(route) = routes::health(&facts.python_source.routes)
            && routes::health(&self.known_routes(facts)).is_none()
        {
            let text = format!("`{}` is a health route below a prefix that is not known", route.path);
            claims.note(NoteKind::Advice, Some(&route.place), text);
        }
    }

    /// The routes whose whole path is known.
    fn known_routes(&self, facts: &Facts<'_>) -> Vec<Route> {
        let urls = self.urls(facts);
        let is_known = |route: &&Route| {
            let file = &route.place.file;
            !file.ends_with("urls.py") || self.package.is_none() || urls.as_ref() == Some(file)
        };
        facts.python_source.routes.iter().filter(is_known).cloned().collect()
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
    fn modules_are_named_as_manage_py_sees_them() {
        let target = |settings: &'static str, path: &'static str| {
            let files = [
                ("src/manage.py", settings),
                (path, "application = get_wsgi_application()"),
                ("requirements.txt", "django"),
            ];
            found(&files).unwrap().entry_point.map(|entry| entry.target)
        };
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.base')";
        assert_eq!(target(manage, "src/shop/wsgi.py").as_deref(), Some("shop.wsgi:application"));
        assert_eq!(target(manage, "src/shop/sites/wsgi.py").as_deref(), Some("shop.sites.wsgi:application"));
    }
}
