//! Python: app objects, factories, ports and routes.

use std::collections::BTreeMap;

use super::PortFound;
use super::routes::{Route, route};
use crate::detect::answer::EntryKind;
use crate::detect::pattern::Pattern;
use crate::detect::place::Place;
use crate::domain::Framework;

/// Something that a server can be pointed at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AppObject {
    /// What it is made with.
    pub(crate) framework: Framework,
    /// How it is served.
    pub(crate) kind: EntryKind,
    /// The variable, or `create_app()` for a factory.
    pub(crate) name: String,
    /// Whether [`AppObject::name`] is a call.
    pub(crate) is_factory: bool,
    /// Where it is.
    pub(crate) place: Place,
}

/// What the Python files of an app say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PythonSource {
    /// App objects in the order of the files.
    pub(crate) objects: Vec<AppObject>,
    /// Variables at module level that hold what a factory gave: `app = create_app()`.
    pub(crate) made: Vec<(String, Place)>,
    /// Ports.
    pub(crate) ports: Vec<PortFound>,
    /// Health and metrics routes.
    pub(crate) routes: Vec<Route>,
    /// `module:variable` in `uvicorn.run("…")`.
    pub(crate) uvicorn_run: Option<(String, Place)>,
    /// The value of `DJANGO_SETTINGS_MODULE`.
    pub(crate) settings: Option<(String, Place)>,
    /// `WSGI_APPLICATION`, as `module.variable`.
    pub(crate) wsgi_application: Option<(String, Place)>,
    /// `ASGI_APPLICATION`, as `module.variable`.
    pub(crate) asgi_application: Option<(String, Place)>,
    /// Where the exporter of django-prometheus is mounted at the root, or the FastAPI instrumentator exposes its route.
    pub(crate) exporter: Option<Place>,
}

static OBJECT: Pattern = Pattern::new(
    r"^(\s*)([A-Za-z_]\w*)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)*(Flask|APIFlask|FastAPI|get_wsgi_application|get_asgi_application|ProtocolTypeRouter)\s*\(",
);
static RETURNED: Pattern = Pattern::new(r"^\s+return\s+(?:\w+\.)*(Flask|APIFlask|FastAPI)\s*\(");
static FUNCTION: Pattern = Pattern::new(r"^(?:async\s+)?def\s+([A-Za-z_]\w*)\s*\(");
static MADE: Pattern =
    Pattern::new(r"^([A-Za-z_]\w*)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)*(?:create|make|build|get)_?\w*app\w*\(");
static DECORATOR: Pattern =
    Pattern::new(r#"^\s*@(\w+)\.(?:route|get|head|api_route)\(\s*(?:path\s*=\s*)?["']([^"']+)["']"#);
static DJANGO_PATH: Pattern = Pattern::new(r#"\b(?:path|re_path|url)\(\s*r?["']\^?([^"'$]*)\$?["']"#);
static PREFIX: Pattern = Pattern::new(
    r#"^\s*(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)*(?:Blueprint|APIBlueprint|APIRouter)\(.*?prefix\s*=\s*["']([^"']*)["']"#,
);
static ENV_PORT: Pattern = Pattern::new(r#"(?:environ\.get|getenv)\(\s*["']PORT["']\s*,\s*["']?(\d{2,5})\b"#);
static RUN: Pattern = Pattern::new(r"\b(?:\w*app\w*|uvicorn|serve|socketio|server)(?:\.run)?\(");
static RUN_PORT: Pattern = Pattern::new(r#"\bport\s*=\s*(?:int\()?["']?(\d{2,5})\b"#);
static UVICORN_RUN: Pattern = Pattern::new(r#"uvicorn\.run\(\s*["']([A-Za-z_][\w.]*:[A-Za-z_]\w*)["']"#);
static SETTINGS: Pattern = Pattern::new(r#"["']DJANGO_SETTINGS_MODULE["']\s*[,\]]\s*=?\s*["']([A-Za-z_][\w.]*)["']"#);
static APPLICATION: Pattern = Pattern::new(r#"^(WSGI|ASGI)_APPLICATION\s*=\s*["']([A-Za-z_][\w.]*)["']"#);
static EXPORTER: Pattern =
    Pattern::new(r#"path\(\s*["']["']\s*,\s*include\(\s*["']django_prometheus\.urls["']|Instrumentator\(.*\.expose\("#);

/// How many lines a call may go on for its `port=` to be seen.
const CALL_LINES: usize = 8;

impl PythonSource {
    /// Adds what the file says.
    pub(crate) fn scan(&mut self, file: &str, text: &str) {
        let mut docstring: Option<&str> = None;
        let mut function: Option<&str> = None;
        let mut prefixes: BTreeMap<&str, &str> = BTreeMap::new();
        let mut call_left = 0;
        for (at, line) in text.lines().enumerate() {
            if line.len() > 2000 || !is_code(line, &mut docstring) {
                continue;
            }
            let place = || Place::new(file, at + 1);
            if let Some(name) = FUNCTION.first(line) {
                function = Some(name);
            } else if !line.is_empty() && !line.starts_with([' ', '\t', ')', '#', '@']) {
                function = None;
            }
            if let Some(found) = PREFIX.captures(line) {
                prefixes.insert(found.get(1).map_or("", |m| m.as_str()), found.get(2).map_or("", |m| m.as_str()));
            }
            self.objects(line, function, &place);
            self.routes(file, line, &prefixes, &place);
            self.settings(line, &place);
            self.ports(line, &mut call_left, &place);
        }
    }

    fn objects(&mut self, line: &str, function: Option<&str>, place: &dyn Fn() -> Place) {
        let (variable, class, indented) = if let Some(found) = OBJECT.captures(line) {
            let group = |index| found.get(index).map_or("", |m| m.as_str());
            (group(2).to_owned(), group(3).to_owned(), !group(1).is_empty())
        } else if let Some(class) = RETURNED.first(line) {
            (String::new(), class.to_owned(), true)
        } else {
            if let Some(name) = MADE.first(line) {
                self.made.push((name.to_owned(), place()));
            }
            return;
        };
        let (framework, kind) = match class.as_str() {
            "FastAPI" => (Framework::Fastapi, EntryKind::Asgi),
            "Flask" | "APIFlask" => (Framework::Flask, EntryKind::Wsgi),
            "get_wsgi_application" => (Framework::Django, EntryKind::Wsgi),
            _ => (Framework::Django, EntryKind::Asgi),
        };
        let name = match function {
            Some(function) if indented => format!("{function}()"),
            _ if indented => return,
            _ => variable,
        };
        self.objects.push(AppObject { framework, kind, name, is_factory: indented, place: place() });
    }

    fn routes(&mut self, file: &str, line: &str, prefixes: &BTreeMap<&str, &str>, place: &dyn Fn() -> Place) {
        if let Some(found) = DECORATOR.captures(line) {
            let group = |index| found.get(index).map_or("", |m| m.as_str());
            let prefix = prefixes.get(group(1)).copied().unwrap_or_default();
            self.routes.extend(route(prefix, group(2), place()));
        } else if file.ends_with("urls.py") {
            self.routes.extend(DJANGO_PATH.first(line).and_then(|path| route("", path, place())));
        }
        if self.exporter.is_none() && EXPORTER.matches(line) {
            self.exporter = Some(place());
        }
    }

    fn settings(&mut self, line: &str, place: &dyn Fn() -> Place) {
        if self.settings.is_none() {
            self.settings = SETTINGS.first(line).map(|module| (module.to_owned(), place()));
        }
        if self.uvicorn_run.is_none() {
            self.uvicorn_run = UVICORN_RUN.first(line).map(|target| (target.to_owned(), place()));
        }
        let Some(found) = APPLICATION.captures(line) else { return };
        let target = found.get(2).map(|m| (m.as_str().to_owned(), place()));
        match found.get(1).map(|m| m.as_str()) {
            Some("ASGI") => self.asgi_application = target,
            _ => self.wsgi_application = target,
        }
    }

    fn ports(&mut self, line: &str, call_left: &mut usize, place: &dyn Fn() -> Place) {
        let mut found = |port: Option<&str>, why| {
            let port = port.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
            self.ports.extend(port.map(|port| PortFound { port, place: place(), why }));
        };
        if let Some(port) = ENV_PORT.first(line) {
            found(Some(port), "the port if `PORT` is not set");
            return;
        }
        if RUN.matches(line) {
            *call_left = CALL_LINES;
        }
        if *call_left > 0 {
            *call_left -= 1;
            if let Some(port) = RUN_PORT.first(line) {
                found(Some(port), "the port that the program itself listens on");
                *call_left = 0;
            }
        }
    }
}

/// Whether the line is code: not a comment, not blank, not inside a text of several lines.
fn is_code<'a>(line: &str, docstring: &mut Option<&'a str>) -> bool {
    const MARKS: [&str; 2] = ["\"\"\"", "'''"];
    if let Some(mark) = *docstring {
        if line.contains(mark) {
            *docstring = None;
        }
        return false;
    }
    let trimmed = line.trim_start();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return false;
    }
    let mark: Option<&'a str> = MARKS.into_iter().find(|mark| line.matches(*mark).count() % 2 == 1);
    *docstring = mark;
    // A line on which a text starts may still be code: `query = """select`.
    !MARKS.iter().any(|mark| trimmed.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(file: &str, text: &str) -> PythonSource {
        let mut source = PythonSource::default();
        source.scan(file, text);
        source
    }

    #[test]
    fn objects_factories_and_what_they_give() {
        let source = scan(
            "app.py",
            "\"\"\"Docs:\napp = Flask(__name__)\n\"\"\"\n# app = Flask(x)\nfrom flask import Flask\napp: Flask = flask.Flask(__name__)\n\
             def create_api() -> FastAPI:\n    if x:\n        pass\n    api = FastAPI(title='x')\n    return api\n\nserver = create_app()\n\
             application = get_wsgi_application()\ndef make():\n    return Flask(__name__)\n",
        );
        let objects: Vec<_> = source.objects.iter().map(|o| (o.framework, o.name.as_str(), o.place.line)).collect();
        assert_eq!(
            objects,
            [
                (Framework::Flask, "app", Some(6)),
                (Framework::Fastapi, "create_api()", Some(10)),
                (Framework::Django, "application", Some(14)),
                (Framework::Flask, "make()", Some(16)),
            ]
        );
        assert_eq!(source.made, [("server".to_owned(), Place::new("app.py", 13))]);
    }

    #[test]
    fn routes_take_the_prefix_of_their_blueprint() {
        let source = scan(
            "app.py",
            "bp = Blueprint('ops', __name__, url_prefix='/ops')\n@bp.route('/healthz')\ndef f(): ...\n@app.get(\"/health\")\n@app.post('/ready')\n",
        );
        let paths: Vec<_> = source.routes.iter().map(|route| route.path.as_str()).collect();
        assert_eq!(paths, ["/ops/healthz", "/health"]);
        let urls =
            scan("shop/urls.py", "urlpatterns = [path('healthz/', x), re_path(r'^ready$', y)]\n  path('ready', y),");
        assert_eq!(urls.routes.iter().map(|route| route.path.as_str()).collect::<Vec<_>>(), ["/healthz/", "/ready"]);
    }

    #[test]
    fn ports_and_settings() {
        let ports = |text| scan("app.py", text).ports.into_iter().map(|found| found.port).collect::<Vec<_>>();
        assert_eq!(ports("app.run(host='0.0.0.0', port=5001)"), [5001]);
        assert_eq!(ports("uvicorn.run(\n    'main:app',\n    port=9000,\n)"), [9000]);
        assert_eq!(ports("app.run(port=int(os.environ.get('PORT', 5002)))"), [5002]);
        assert_eq!(ports("db = connect(port=5432)"), [] as [u16; 0]);
        assert_eq!(scan("m.py", "uvicorn.run(\"main:app\")").uvicorn_run.unwrap().0, "main:app");
        let manage = scan("manage.py", "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.local')");
        assert_eq!(manage.settings.unwrap().0, "config.settings.local");
        let settings = scan("s.py", "ASGI_APPLICATION = 'config.asgi.application'");
        assert_eq!(settings.asgi_application.unwrap().0, "config.asgi.application");
    }
}
