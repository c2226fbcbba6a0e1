//! What the three Python frameworks share: entry points, ports, package managers.

use super::{Match, Tier};
use crate::detect::answer::{EntryKind, NoteKind, PackageManager};
use crate::detect::claims::Claims;
use crate::detect::command::Family;
use crate::detect::facts::Facts;
use crate::detect::pattern::Pattern;
use crate::detect::place::Place;
use crate::detect::sources::best_port;
use crate::detect::sources::python::AppObject;
use crate::detect::sources::routes::{self, Route};
use crate::domain::Framework;

/// The match of a framework that is a dependency called `package` or whose app object is in the sources.
pub(super) fn recognise(facts: &Facts<'_>, framework: Framework, package: &str) -> Option<Match> {
    let dependency = facts.python.dependency(package);
    let object = best_object(facts, framework);
    let mut reasons = Vec::new();
    reasons.extend(dependency.map(|place| (place.clone(), format!("`{package}` is a dependency"))));
    reasons.extend(object.map(|object| (object.place.clone(), format!("the {framework} app `{}`", object.name))));
    if reasons.is_empty() {
        return None;
    }
    let tier = if object.is_some() || facts.container.launch.is_some() { Tier::App } else { Tier::Library };
    Some(Match { framework, tier, is_proven: object.is_some(), reasons })
}

/// The framework that the command names, by its program or by the app object in the file of its entry point.
pub(in crate::detect) fn named_by_command(facts: &Facts<'_>, fitting: &[Framework]) -> Option<Framework> {
    let start = &facts.container.launch.as_ref().filter(|launch| launch.start.family == Family::Python)?.start;
    if let Some(framework) = start.framework {
        return Some(framework);
    }
    let target = start.target.as_deref().or_else(|| Some(facts.gunicorn.as_ref()?.1.target.as_ref()?.0.as_str()));
    let files = target.map(|target| module_files(facts, target)).unwrap_or_default();
    let object = facts.python_source.objects.iter().find(|object| files.contains(&object.place.file));
    if let Some(object) = object {
        return Some(object.framework);
    }
    let module = target.and_then(|target| target.split(':').next()).unwrap_or_default();
    if fitting.contains(&Framework::Django) && (module.ends_with("wsgi") || module.ends_with("asgi")) {
        return Some(Framework::Django);
    }
    match server_kind(facts)? {
        EntryKind::Asgi => Some(Framework::Fastapi),
        EntryKind::Wsgi => Some(Framework::Flask),
        EntryKind::Script | EntryKind::Binary => None,
    }
}

/// How the command's server calls the app; the settings of gunicorn count where gunicorn is what runs.
pub(super) fn server_kind(facts: &Facts<'_>) -> Option<EntryKind> {
    let start = &facts.container.launch.as_ref()?.start;
    let asgi_worker = facts.gunicorn.as_ref().is_some_and(|(_, conf)| conf.asgi.is_some());
    if start.program == "gunicorn" && asgi_worker { Some(EntryKind::Asgi) } else { start.kind }
}

/// The files that a `module:variable` or a script could mean.
fn module_files(facts: &Facts<'_>, target: &str) -> Vec<String> {
    let folder = facts.container.launch.as_ref().and_then(|launch| launch.start.folder.as_deref()).unwrap_or_default();
    let module = target.split(':').next().unwrap_or_default();
    let stem = module.strip_suffix(".py").map_or_else(|| module.replace('.', "/"), str::to_owned);
    let folder = folder.trim_start_matches("./").trim_matches('/').to_owned() + "/";
    let bases = ["", "src/", if folder == "/" { "" } else { folder.as_str() }];
    let forms = bases.iter().flat_map(|base| [format!("{base}{stem}.py"), format!("{base}{stem}/__init__.py")]);
    forms.filter_map(|path| facts.survey.resolve(&facts.folder, &path)).collect()
}

/// The app object that a server is most likely pointed at: a variable before a factory, and near the top.
pub(super) fn best_object<'f>(facts: &'f Facts<'_>, framework: Framework) -> Option<&'f AppObject> {
    const NAMES: [&str; 5] = ["wsgi.py", "asgi.py", "app.py", "main.py", "server.py"];
    facts.python_source.objects.iter().filter(|object| object.framework == framework).min_by_key(|object| {
        let file = object.place.file.as_str();
        let name = file.rsplit('/').next().unwrap_or(file);
        let rank = NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len());
        (object.is_factory, file.matches('/').count(), rank)
    })
}

/// The dotted module of a file, as seen from the folder; `None` if a part of it is no Python name.
pub(super) fn module_of(facts: &Facts<'_>, path: &str) -> Option<String> {
    static MODULE: Pattern = Pattern::new(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$");
    let relative = facts.relative(path).strip_suffix(".py")?;
    let relative = relative.strip_suffix("/__init__").unwrap_or(relative);
    // In the `src` layout the package is installed, and `src` is no part of its name.
    let installed = facts.python.is_package && !facts.has("src/__init__.py") && relative.matches('/').count() > 0;
    let relative = relative.strip_prefix("src/").filter(|_| installed).unwrap_or(relative);
    let module = relative.replace('/', ".");
    MODULE.matches(&module).then_some(module)
}

/// Claims the port that gunicorn's settings name, if gunicorn is what runs.
pub(super) fn describe_start(facts: &Facts<'_>, claims: &mut Claims) {
    if let Some((file, conf)) = &facts.gunicorn {
        let runs = facts.container.launch.as_ref().is_none_or(|launch| launch.start.program == "gunicorn");
        if let Some((port, line)) = conf.port.filter(|_| runs) {
            claims.port(port, Some(&Place::new(file, line)), "`bind` of gunicorn", true);
        }
    }
}

/// Claims what holds for every Python app; the entry point of Flask and FastAPI too.
pub(super) fn describe(facts: &Facts<'_>, framework: Framework, kind: EntryKind, claims: &mut Claims) {
    command_entry(facts, framework, claims);
    if framework != Framework::Django {
        source_entry(facts, framework, kind, claims);
    }
    package_manager(facts, claims);
    if let Some((version, place)) = &facts.python.version {
        claims.runtime_version(version, Some(place), "the Python version that the dependencies ask for");
    }
}

/// The entry point that the command or gunicorn's settings name.
fn command_entry(facts: &Facts<'_>, framework: Framework, claims: &mut Claims) {
    let launch = facts.container.launch.as_ref().filter(|launch| launch.start.family == Family::Python);
    if let Some(launch) = launch
        && let Some(target) = &launch.start.target
        && let Some(kind) = server_kind(facts)
    {
        claims.entry_point(kind, target, Some(&launch.place), launch.origin);
    }
    if let Some((file, conf)) = &facts.gunicorn
        && let Some((target, line)) = &conf.target
    {
        let kind =
            if conf.asgi.is_some() || framework == Framework::Fastapi { EntryKind::Asgi } else { EntryKind::Wsgi };
        claims.entry_point(kind, &with_variable(target), Some(&Place::new(file, *line)), "`wsgi_app` of gunicorn");
    }
}

/// gunicorn looks for `application` where only a module is named.
fn with_variable(target: &str) -> String {
    if target.contains(':') { target.to_owned() } else { format!("{target}:application") }
}

fn source_entry(facts: &Facts<'_>, framework: Framework, kind: EntryKind, claims: &mut Claims) {
    if let Some((target, place)) = facts.python_source.uvicorn_run.as_ref().filter(|_| framework == Framework::Fastapi)
    {
        claims.entry_point(kind, target, Some(place), "what the program gives to uvicorn");
    }
    let object = best_object(facts, framework);
    if object.is_none_or(|object| object.is_factory) {
        let made = facts.python_source.made.iter().filter(|(_, place)| !place.file.ends_with("manage.py"));
        let first = made.min_by_key(|(_, place)| place.file.matches('/').count());
        if let Some((name, place)) = first
            && let Some(module) = module_of(facts, &place.file)
        {
            claims.entry_point(kind, &format!("{module}:{name}"), Some(place), "the variable that holds the app");
        }
    }
    match object.and_then(|object| Some((object, module_of(facts, &object.place.file)?))) {
        Some((object, module)) => {
            let why = if object.is_factory { "the function that makes the app" } else { "the app object" };
            claims.entry_point(kind, &format!("{module}:{}", object.name), Some(&object.place), why);
        }
        None if claims.entry_point.is_none() => {
            let text = format!("no {framework} app object was found; the image's command must name it");
            claims.note(NoteKind::Advice, None, text);
        }
        None => {}
    }
}

/// Ports and routes in the sources. A port there counts only for a program that is run itself: a server in front of it
/// does not read it.
pub(super) fn describe_sources(facts: &Facts<'_>, routes: &[Route], claims: &mut Claims) {
    let start = facts.container.launch.as_ref().map(|launch| &launch.start);
    let behind_server = start.is_some_and(|start| start.family == Family::Python && start.default_port.is_some());
    let entry =
        start.and_then(|start| start.target.as_deref()).map(|target| module_files(facts, target)).unwrap_or_default();
    if !behind_server
        && let Some(found) = best_port(&facts.python_source.ports, |file| entry.iter().any(|path| path == file))
    {
        claims.port(found.port, Some(&found.place), found.why, false);
    }
    if let Some(route) = routes::health(routes) {
        claims.health_path(&route.path, Some(&route.place), "a health route");
    }
    if let Some(route) = routes::metrics(routes) {
        claims.metrics_path(&route.path, Some(&route.place), "a metrics route");
    }
    if let Some(place) = &facts.python_source.exporter {
        claims.metrics_path("/metrics", Some(place), "a Prometheus exporter is mounted");
    }
    if let Some(place) = facts.python.dependency("prometheus-flask-exporter") {
        claims.metrics_path("/metrics", Some(place), "the path that `prometheus-flask-exporter` serves");
    }
}

fn package_manager(facts: &Facts<'_>, claims: &mut Claims) {
    let project = &facts.python;
    let lock = |name: &str| facts.first_file(&[name]).map(|path| Place::file(&path));
    let workspace_lock = facts.survey.nearest_lock(&facts.folder, &["uv.lock"]).map(|(_, path)| Place::file(&path));
    let answers = [
        (PackageManager::Uv, workspace_lock, "the lock file of uv"),
        (PackageManager::Poetry, lock("poetry.lock"), "the lock file of Poetry"),
        (PackageManager::Pipenv, lock("Pipfile.lock"), "the lock file of Pipenv"),
        (PackageManager::Poetry, project.poetry.clone(), "the settings of Poetry"),
        (PackageManager::Uv, project.uv.clone(), "the settings of uv"),
        (PackageManager::Pipenv, project.pipfile.clone(), "the file of Pipenv"),
        (PackageManager::Pip, project.pip.clone(), "a file that pip installs from"),
    ];
    for (manager, place, why) in answers {
        if let Some(place) = place {
            claims.package_manager(manager, Some(&place), why);
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
    fn a_variable_is_preferred_to_a_factory_and_the_top_to_the_depths() {
        let app = found(&[
            ("requirements.txt", "flask"),
            ("a/b/app.py", "app = Flask(__name__)"),
            ("core/app.py", "app = Flask(__name__)"),
            ("main.py", "def create_app():\n    return Flask(__name__)"),
        ]);
        assert_eq!(app.unwrap().entry_point.unwrap().target, "core.app:app");
    }

    #[test]
    fn a_module_that_no_name_can_mean_is_no_entry_point() {
        let app = found(&[("requirements.txt", "flask"), ("my app/app.py", "app = Flask(__name__)")]).unwrap();
        assert_eq!(app.entry_point, None);
    }
}
