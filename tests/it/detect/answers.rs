//! Which file wins for each answer.

use insta::assert_snapshot;
use wooo::detect::{EntryKind, PackageManager, detect_as};
use wooo::domain::Framework;

use super::{answer, detection, tree};

const FLASK: (&str, &str) = ("requirements.txt", "flask\n");

#[test]
fn the_port_follows_the_strongest_file() {
    let files = [
        ("Procfile", "web: gunicorn app:app -b :1001\n"),
        ("Dockerfile", "FROM python\nENV PORT=1004\nEXPOSE 1003\nCMD gunicorn app:app -b :1002\n"),
        ("app.py", "app = Flask(__name__)\napp.run(port=1005)\n"),
        FLASK,
    ];
    assert_eq!(detection(&files).port, 1001);
    assert_eq!(detection(&files[1..]).port, 1002);
    let no_flag = [("Dockerfile", "FROM python\nENV PORT=1004\nEXPOSE 1003\nCMD gunicorn app:app\n"), files[2], FLASK];
    assert_eq!(detection(&no_flag).port, 1003);
    let only_env = [("Dockerfile", "FROM python\nENV PORT=1004\nCMD gunicorn app:app\n"), files[2], FLASK];
    assert_eq!(detection(&only_env).port, 1004);
    assert_eq!(detection(&files[2..]).port, 1005);
    assert_eq!(detection(&[FLASK]).port, 8000);
    assert_snapshot!(answer(&files), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    framework = flask (app.py:1: the flask app `app`)
    port = 1001 (Procfile:1: the port in the command line)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi app:app (Procfile:1: the `web` process of the Procfile)
    package_manager = pip (requirements.txt: a file that pip installs from)
    command = gunicorn app:app -b :1001 (Procfile:1: the `web` process of the Procfile)
    note disagreement: Dockerfile: 1003 is the port that the Dockerfile exposes, but 1001 is the stronger answer
    note disagreement: Dockerfile: 1004 is `PORT` in the Dockerfile, but 1001 is the stronger answer
    ");
}

#[test]
fn a_port_in_the_source_does_not_count_behind_a_server() {
    let port = |command: &str| {
        let app = ("app.py", "app = Flask(__name__)\nif __name__ == '__main__':\n    app.run(port=5055)\n");
        detection(&[("Procfile", command), app, FLASK]).port
    };
    assert_eq!(port("web: gunicorn app:app --bind 0.0.0.0:$PORT\n"), 8000);
    assert_eq!(port("web: flask run\n"), 5000);
    assert_eq!(port("web: python app.py\n"), 5055);
}

#[test]
fn several_exposed_ports() {
    let port = |text: &str| detection(&[("Dockerfile", text), FLASK]).port;
    assert_eq!(port("FROM x\nEXPOSE 9100 8000/tcp 53/udp\n"), 8000);
    assert_eq!(port("FROM x\nENV PORT 9100\nEXPOSE 8000 9100\n"), 9100);
    assert_eq!(port("ARG P=7000\nFROM x\nARG P\nEXPOSE 22 $P 8088\n"), 8088);
    assert_eq!(port("FROM x\nEXPOSE 22\n"), 22);
}

#[test]
fn gunicorn_settings_count_where_gunicorn_runs() {
    let conf = (
        "gunicorn.conf.py",
        "bind = '0.0.0.0:8600'\nworker_class = 'uvicorn.workers.UvicornWorker'\nwsgi_app = 'core.main:app'\n",
    );
    let fastapi = ("requirements.txt", "fastapi\ngunicorn\n");
    let found = detection(&[conf, fastapi, ("Procfile", "web: gunicorn\n")]);
    let entry = found.entry_point.unwrap();
    assert_eq!((found.port, entry.kind, entry.target.as_str()), (8600, EntryKind::Asgi, "core.main:app"));
    assert_eq!(detection(&[conf, fastapi, ("Procfile", "web: uvicorn main:app\n")]).port, 8000);
}

#[test]
fn entry_points() {
    let entry = |framework: &'static str, path: &'static str, text: &'static str| {
        let found = detection(&[("requirements.txt", framework), (path, text)]);
        found.entry_point.map(|entry| format!("{} {}", entry.kind, entry.target)).unwrap_or_default()
    };
    assert_eq!(entry("flask", "app.py", "application = Flask(__name__)"), "wsgi app:application");
    assert_eq!(
        entry("flask", "shop/__init__.py", "def create_app(c=None):\n    app = Flask(x)"),
        "wsgi shop:create_app()"
    );
    assert_eq!(entry("fastapi", "app/main.py", "api = FastAPI()"), "asgi app.main:api");
    assert_eq!(entry("fastapi", "run.py", "uvicorn.run('orders.web:app', port=1)"), "asgi orders.web:app");
    assert_eq!(entry("fastapi", "my-app.py", "api = FastAPI()"), "");
    let src = [
        ("pyproject.toml", "[project]\ndependencies = ['fastapi']\n[build-system]\n"),
        ("src/orders/api.py", "app = FastAPI()\n"),
    ];
    assert_eq!(detection(&src).entry_point.unwrap().target, "orders.api:app");
}

#[test]
fn package_managers() {
    let python = |file: &'static str, text: &'static str| {
        detection(&[(file, text), ("app.py", "app = Flask(__name__)\n")]).package_manager
    };
    assert_eq!(python("requirements.txt", "flask"), Some(PackageManager::Pip));
    assert_eq!(python("uv.lock", ""), Some(PackageManager::Uv));
    assert_eq!(python("Pipfile", "[packages]\nflask = '*'\n"), Some(PackageManager::Pipenv));
    assert_eq!(python("pyproject.toml", "[tool.poetry.dependencies]\nflask = '*'\n"), Some(PackageManager::Poetry));
    assert_eq!(python("setup.py", "setup(install_requires=['flask'])"), Some(PackageManager::Pip));
    let node = |lock: &'static str, package: &'static str| {
        detection(&[(lock, ""), ("package.json", package), ("server.js", "x.listen(1)")]).package_manager
    };
    assert_eq!(node("yarn.lock", "{}"), Some(PackageManager::Yarn));
    assert_eq!(node("bun.lock", "{}"), Some(PackageManager::Bun));
    assert_eq!(node("package-lock.json", r#"{"packageManager": "pnpm@9.0.0"}"#), Some(PackageManager::Pnpm));
    assert_eq!(node("x", "{}"), Some(PackageManager::Npm));
}

#[test]
fn runtime_versions() {
    let version = |file: &'static str, text: &'static str| detection(&[FLASK, (file, text)]).runtime_version;
    assert_eq!(version("Dockerfile", "FROM python:3.13-slim\n").as_deref(), Some("3.13"));
    assert_eq!(version("runtime.txt", "python-3.11.4\n").as_deref(), Some("3.11.4"));
    assert_eq!(version(".python-version", "\n3.12\n").as_deref(), Some("3.12"));
    assert_eq!(version("pyproject.toml", "[project]\nrequires-python = '>=3.10'\n").as_deref(), Some(">=3.10"));
}

#[test]
fn start_scripts_are_followed_to_what_they_run() {
    let framework = |scripts: &str| {
        let package = format!(r#"{{"scripts": {{"build": "x", {scripts}}}, "devDependencies": {{"vite": "6"}}}}"#);
        let found = detection(&[("package.json", &package), ("index.html", "")]);
        let command = found.command.map(|words| words.join(" ")).unwrap_or_default();
        format!("{} {command}", found.framework)
    };
    assert_eq!(framework(r#""start": "npm run dev", "dev": "vite""#), "static ");
    assert_eq!(framework(r#""start": "npm run start""#), "static ");
    assert_eq!(framework(r#""start": "serve -s dist""#), "static ");
    assert_eq!(framework(r#""start": "npm run build && npm run api", "api": "node api.js""#), "nodejs npm start");
    assert_eq!(framework(r#""start": "vite", "start:prod": "node dist/main""#), "nodejs npm run start:prod");
}

#[test]
fn a_server_of_files_has_the_port_of_its_image() {
    let port = |image: &str| detection(&[("Dockerfile", &format!("FROM {image}\n")), ("index.html", "")]).port;
    assert_eq!(port("nginx:1.27-alpine"), 80);
    assert_eq!(port("nginxinc/nginx-unprivileged:1"), 8080);
    assert_eq!(port("registry.example/base:1"), 8080);
}

#[test]
fn front_ends_say_where_their_build_goes() {
    assert_snapshot!(answer(&[
        ("package.json", r#"{"scripts": {"build": "react-scripts build", "start": "react-scripts start"}, "dependencies": {"react-scripts": "5"}}"#),
        ("public/index.html", ""),
        (".nvmrc", "v20\n"),
    ]), @"
    framework = static (package.json:1: `react-scripts` builds files only)
    port = 8080 (the default of the framework)
    health_path = / (the default of the framework; no health route was found)
    package_manager = npm (the package manager that comes with Node.js)
    note advice: package.json: the build puts the files into `build/`: the image serves that folder
    ");
}

#[test]
fn a_given_framework_is_not_asked_again() {
    let found = detect_as(&tree(&[("Dockerfile", "FROM x\nEXPOSE 9000\n")]), "", Framework::Go).unwrap();
    assert_eq!((found.framework, found.port, found.health_path.as_str()), (Framework::Go, 9000, "/health"));
    let both = tree(&[("requirements.txt", "flask\nfastapi\n")]);
    assert_eq!(detect_as(&both, "", Framework::Flask).unwrap().framework, Framework::Flask);
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let plain = [
        (
            "package.json",
            "{\n \"scripts\": {\"start\": \"node server.js\"},\n \"dependencies\": {\"express\": \"4\"}\n}\n",
        ),
        ("server.js", "app.get('/healthz', x)\napp.listen(4100)\n"),
        ("Dockerfile", "FROM node:22\nEXPOSE 4100\nCMD [\"node\", \\\n  \"server.js\"]\n"),
    ];
    let windows: Vec<(String, String)> = plain
        .iter()
        .map(|(path, text)| ((*path).to_owned(), format!("\u{feff}{}", text.replace('\n', "\r\n"))))
        .collect();
    let windows: Vec<(&str, &str)> = windows.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(detection(&windows), detection(&plain));
}
