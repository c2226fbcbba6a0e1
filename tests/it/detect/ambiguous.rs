//! Trees that could be taken for several apps: each comes out right, or says what decides.

use insta::assert_snapshot;
use wooo::detect::{detect, detect_as};
use wooo::domain::Framework;

use super::{answer, shown, shown_detection, tree};

const MANAGE: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.local')\n";
const VITE: &str = r#"{"scripts": {"build": "vite build", "dev": "vite"},
"dependencies": {"react": "19"}, "devDependencies": {"vite": "6"}}"#;
const EXPRESS: &str = r#"{"scripts": {"start": "node server.js"}, "dependencies": {"express": "4"}}"#;
const NEXT: &str = r#"{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "15"}}"#;
const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";
const FLASK: &str = "from flask import Flask\napp = Flask(__name__)\n";

#[test]
fn django_with_a_package_json_for_assets() {
    assert_snapshot!(answer(&[
        ("manage.py", MANAGE),
        ("config/settings/base.py", "WSGI_APPLICATION = 'config.wsgi.application'\n"),
        ("config/urls.py", "urlpatterns = [path('health/', x)]\n"),
        ("config/wsgi.py", "application = get_wsgi_application()\n"),
        ("requirements/base.txt", "Django==5.1\n"),
        ("requirements/dev.txt", "-r base.txt\nfastapi\n"),
        ("package.json", VITE),
        ("index.html", ""),
    ]), @"
    framework = django (requirements/base.txt:1: `django` is a dependency)
    framework = django (manage.py:2: names Django's settings)
    framework = django (config/wsgi.py:1: Django's `application`)
    port = 8000 (the default of the framework)
    health_path = /health/ (config/urls.py:1: a health route)
    entry_point = wsgi config.wsgi:application (config/settings/base.py:1: Django's WSGI module)
    package_manager = pip (requirements/base.txt: a file that pip installs from)
    ");
}

#[test]
fn django_with_channels_is_asgi() {
    assert_snapshot!(answer(&[
        ("manage.py", MANAGE),
        ("config/settings/local.py", "WSGI_APPLICATION = 'config.wsgi.application'\nASGI_APPLICATION = 'config.asgi.application'\n"),
        ("config/wsgi.py", "application = get_wsgi_application()\n"),
        ("config/asgi.py", "application = ProtocolTypeRouter({})\n"),
        ("requirements.txt", "Django\ndjangorestframework\nchannels[daphne]\n"),
    ]), @"
    framework = django (requirements.txt:1: `django` is a dependency)
    framework = django (manage.py:2: names Django's settings)
    framework = django (config/wsgi.py:1: Django's `application`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = asgi config.asgi:application (config/settings/local.py:2: `ASGI_APPLICATION` is set and `channels` is a dependency)
    package_manager = pip (requirements.txt: a file that pip installs from)
    ");
}

#[test]
fn django_below_its_dependency_file() {
    assert_snapshot!(answer(&[
        ("requirements.txt", "django\n"),
        ("mysite/manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"),
        ("mysite/mysite/settings.py", "DEBUG = False\n"),
        ("mysite/mysite/wsgi.py", "application = get_wsgi_application()\n"),
        ("mysite/polls/urls.py", "urlpatterns = [path('health', x)]\n"),
    ]), @"
    framework = django (requirements.txt:1: `django` is a dependency)
    framework = django (mysite/manage.py:1: names Django's settings)
    framework = django (mysite/mysite/wsgi.py:1: Django's `application`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi mysite.wsgi:application (mysite/mysite/wsgi.py:1: Django's WSGI module)
    package_manager = pip (requirements.txt: a file that pip installs from)
    note advice: `manage.py` is in `mysite/`: the server must be started there
    note advice: mysite/polls/urls.py: `/health` is a health route below a prefix that is not known
    ");
}

#[test]
fn next_in_a_monorepo() {
    assert_snapshot!(answer(&[
        ("package.json", r#"{"private": true, "workspaces": ["apps/*", "packages/*"], "scripts": {"build": "turbo build", "start": "turbo start"}, "devDependencies": {"turbo": "2"}}"#),
        ("yarn.lock", ""),
        ("apps/web/package.json", NEXT),
        ("apps/web/src/app/page.tsx", ""),
        ("apps/web/src/app/api/healthz/route.ts", ""),
        ("packages/ui/package.json", r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}"#),
        ("packages/api-client/package.json", r#"{"dependencies": {"express": "4"}}"#),
    ]), @"
    framework = nextjs (apps/web/package.json:1: `next` is a dependency)
    root = apps/web (apps/web: the only folder that holds an app)
    port = 3000 (the default of the framework)
    health_path = /api/healthz (apps/web/src/app/api/healthz/route.ts: a health route)
    package_manager = yarn (yarn.lock: the lock file)
    command = yarn start (apps/web/package.json:1: the start script)
    ");
}

#[test]
fn two_apps_in_a_monorepo() {
    let files = [
        ("package.json", r#"{"private": true, "workspaces": ["apps/*"]}"#),
        ("pnpm-lock.yaml", ""),
        ("apps/web/package.json", NEXT),
        ("apps/web/pages/index.tsx", ""),
        ("apps/admin/package.json", NEXT),
        ("apps/admin/app/page.tsx", ""),
    ];
    assert_snapshot!(answer(&files), @"
    the files fit 2 apps: nextjs in `apps/admin/`, nextjs in `apps/web/` [detect.ambiguous]
    for nextjs: apps/admin/package.json:1 `next` is a dependency
    for nextjs: apps/web/package.json:1 `next` is a dependency
    hint: use `--root apps/admin/` for the nextjs app
    hint: use `--root apps/web/` for the nextjs app
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
    assert_snapshot!(shown(&tree(&files), "apps/admin"), @"
    framework = nextjs (apps/admin/package.json:1: `next` is a dependency)
    port = 3000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    package_manager = pnpm (pnpm-lock.yaml: the lock file)
    command = pnpm start (apps/admin/package.json:1: the start script)
    ");
}

#[test]
fn node_beside_files_to_serve() {
    assert_snapshot!(answer(&[
        ("package.json", EXPRESS),
        ("server.js", "app.use(express.static('static'))\napp.get('/ready', ok)\napp.listen(process.env.PORT || 4000)\n"),
        ("static/index.html", ""),
        ("public/index.html", ""),
        ("index.html", ""),
    ]), @"
    framework = nodejs (package.json:1: `express` is a dependency)
    framework = nodejs (package.json:1: the start script runs a server)
    framework = nodejs (server.js:3: the program listens on a port)
    port = 4000 (server.js:3: the port if `PORT` is not set)
    health_path = /ready (server.js:2: a health route)
    entry_point = script server.js (package.json:1: the start script)
    package_manager = npm (the package manager that comes with Node.js)
    command = npm start (package.json:1: the start script)
    ");
}

#[test]
fn fastapi_beside_a_front_end() {
    assert_snapshot!(answer(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", FASTAPI),
        ("frontend/package.json", VITE),
        ("frontend/index.html", ""),
    ]), @"
    framework = fastapi (requirements.txt:1: `fastapi` is a dependency)
    framework = fastapi (main.py:2: the fastapi app `app`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = asgi main:app (main.py:2: the app object)
    package_manager = pip (requirements.txt: a file that pip installs from)
    note other_app: frontend: another app, static, is in `frontend/`
    ");
}

const TWO_FOLDERS: [(&str, &str); 4] = [
    ("backend/requirements.txt", "fastapi\nuvicorn\n"),
    ("backend/main.py", FASTAPI),
    ("frontend/package.json", VITE),
    ("frontend/index.html", ""),
];

#[test]
fn back_end_and_front_end_in_folders_of_their_own() {
    assert_snapshot!(answer(&TWO_FOLDERS), @"
    the files fit 2 apps: fastapi in `backend/`, static in `frontend/` [detect.ambiguous]
    for fastapi: backend/requirements.txt:1 `fastapi` is a dependency
    for fastapi: backend/main.py:2 the fastapi app `app`
    for static: frontend/package.json:2 `vite` builds files only
    hint: use `--root backend/` for the fastapi app
    hint: use `--root frontend/` for the static app
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
    assert_snapshot!(shown_detection(&detect_as(&tree(&TWO_FOLDERS), "", Framework::Static).unwrap()), @"
    framework = static (frontend/package.json:2: `vite` builds files only)
    framework = static (the app spec says so)
    root = frontend (frontend: the only folder that holds an app)
    port = 8080 (the default of the framework)
    health_path = / (the default of the framework; no health route was found)
    package_manager = npm (the package manager that comes with Node.js)
    note other_app: backend: another app, fastapi, is in `backend/`
    note advice: frontend/package.json: the build puts the files into `dist/`: the image serves that folder
    ");
}

#[test]
fn a_dockerfile_at_the_top_decides() {
    let with = |dockerfile: &'static str| answer(&[&TWO_FOLDERS[..], &[("Dockerfile", dockerfile)]].concat());
    assert_snapshot!(with("FROM node:22 AS web\nCOPY frontend .\nRUN npm run build\n\
        FROM python:3.13\nCOPY backend/ /app/\nCOPY --from=web /dist /static\nEXPOSE 8090\nCMD [\"uvicorn\", \"main:app\"]\n"), @"
    framework = fastapi (backend/requirements.txt:1: `fastapi` is a dependency)
    framework = fastapi (backend/main.py:2: the fastapi app `app`)
    root = backend (Dockerfile:8: it names this folder)
    port = 8090 (Dockerfile:7: the port that the Dockerfile exposes)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = asgi main:app (Dockerfile:8: the command of the Dockerfile)
    package_manager = pip (backend/requirements.txt: a file that pip installs from)
    runtime_version = 3.13 (Dockerfile:4: the image that runs the app)
    command = uvicorn main:app (Dockerfile:8: the command of the Dockerfile)
    note other_app: frontend: another app, static, is in `frontend/`
    ");
    assert_snapshot!(with("FROM node:22 AS web\nCOPY . .\nRUN npm run build\nFROM nginx:1\nCOPY --from=web /dist /html\n"), @"
    framework = static (frontend/package.json:2: `vite` builds files only)
    root = frontend (Dockerfile: only this folder's app is started that way)
    port = 80 (Dockerfile:4: the port of the image that serves the files)
    health_path = / (the default of the framework; no health route was found)
    package_manager = npm (the package manager that comes with Node.js)
    note other_app: backend: another app, fastapi, is in `backend/`
    note advice: frontend/package.json: the build puts the files into `dist/`: the image serves that folder
    ");
}

#[test]
fn a_front_end_at_the_top_and_a_server_below() {
    assert_snapshot!(answer(&[
        ("package.json", VITE),
        ("index.html", ""),
        ("server/package.json", EXPRESS),
        ("server/server.js", "app.listen(5000)\n"),
    ]), @"
    the files fit 2 apps: static in the root folder, nodejs in `server/` [detect.ambiguous]
    for static: package.json:2 `vite` builds files only
    for nodejs: server/package.json:1 `express` is a dependency
    for nodejs: server/package.json:1 the start script runs a server
    for nodejs: server/server.js:1 the program listens on a port
    hint: write `framework: static` in the app spec for the static app in the root folder
    hint: use `--root server/` for the nodejs app
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
}

#[test]
fn what_the_hints_say_decides() {
    let page = [("index.html", ""), ("frontend/package.json", VITE), ("frontend/index.html", "")];
    assert_eq!(detect_as(&tree(&page), "", Framework::Static).unwrap().root, "");
    assert_eq!(detect(&tree(&page), "frontend/").unwrap().root, "frontend");
    let python = [("requirements.txt", "flask\nfastapi\n")];
    assert_eq!(detect_as(&tree(&python), "", Framework::Fastapi).unwrap().framework, Framework::Fastapi);
}

#[test]
fn a_page_at_the_top_and_an_app_below() {
    let page = [("index.html", "")];
    let with = |more: &[(&'static str, &'static str)]| answer(&[&page[..], more].concat());
    assert_snapshot!(with(&[("api/package.json", EXPRESS)]), @"
    the files fit 2 apps: static in the root folder, nodejs in `api/` [detect.ambiguous]
    for static: index.html a page to serve, and no server beside it
    for nodejs: api/package.json:1 `express` is a dependency
    for nodejs: api/package.json:1 the start script runs a server
    hint: write `framework: static` in the app spec for the static app in the root folder
    hint: use `--root api/` for the nodejs app
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
    assert_snapshot!(with(&[("frontend/package.json", VITE), ("frontend/index.html", "")]), @"
    the files fit 2 apps: static in the root folder, static in `frontend/` [detect.ambiguous]
    for static: index.html a page to serve, and no server beside it
    for static: frontend/package.json:2 `vite` builds files only
    hint: write `framework: static` in the app spec for the static app in the root folder
    hint: use `--root frontend/` for the static app
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
    assert_snapshot!(with(&[("blog/index.html", "")]), @"
    framework = static (index.html: a page to serve, and no server beside it)
    port = 8080 (the default of the framework)
    health_path = / (the default of the framework; no health route was found)
    ");
}

#[test]
fn flask_with_fastapi_for_development_only() {
    assert_snapshot!(answer(&[
        ("pyproject.toml", "[project]\ndependencies = ['flask']\n[dependency-groups]\ndev = ['fastapi']\n"),
        ("src/shop/__init__.py", "def create_app():\n    app = Flask(__name__)\n    return app\n"),
        ("wsgi.py", "from shop import create_app\n\napp = create_app()\n"),
    ]), @"
    framework = flask (pyproject.toml:2: `flask` is a dependency)
    framework = flask (src/shop/__init__.py:2: the flask app `create_app()`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi wsgi:app (wsgi.py:3: the variable that holds the app)
    package_manager = pip (pyproject.toml: a file that pip installs from)
    ");
}

#[test]
fn flask_and_fastapi_the_app_object_decides() {
    assert_snapshot!(answer(&[("requirements.txt", "flask\nfastapi\n"), ("service/web.py", FLASK)]), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    framework = flask (service/web.py:2: the flask app `app`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi service.web:app (service/web.py:2: the app object)
    package_manager = pip (requirements.txt: a file that pip installs from)
    ");
}

#[test]
fn flask_and_fastapi_the_command_decides() {
    let files = [("requirements.txt", "flask\nfastapi\n"), ("old.py", FLASK), ("new.py", FASTAPI)];
    assert_snapshot!(answer(&files), @"
    the files fit 2 apps: flask in the root folder, fastapi in the root folder [detect.ambiguous]
    for flask: requirements.txt:1 `flask` is a dependency
    for flask: old.py:2 the flask app `app`
    for fastapi: requirements.txt:2 `fastapi` is a dependency
    for fastapi: new.py:2 the fastapi app `app`
    hint: write `framework: flask` in the app spec for the flask app in the root folder
    hint: write `framework: fastapi` in the app spec for the fastapi app in the root folder
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
    let with = |file: &'static str, text: &'static str| answer(&[&files[..], &[(file, text)]].concat());
    assert_snapshot!(with("Procfile", "web: gunicorn old:app\n"), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    framework = flask (old.py:2: the flask app `app`)
    port = 8000 (Procfile:1: the port that gunicorn takes if it is told none)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi old:app (Procfile:1: the `web` process of the Procfile)
    package_manager = pip (requirements.txt: a file that pip installs from)
    command = gunicorn old:app (Procfile:1: the `web` process of the Procfile)
    ");
    assert_snapshot!(with("Dockerfile", "FROM python\nCMD gunicorn new:app -k uvicorn.workers.UvicornWorker -b :9000\n"), @"
    framework = fastapi (requirements.txt:2: `fastapi` is a dependency)
    framework = fastapi (new.py:2: the fastapi app `app`)
    port = 9000 (Dockerfile:2: the port in the command line)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = asgi new:app (Dockerfile:2: the command of the Dockerfile)
    package_manager = pip (requirements.txt: a file that pip installs from)
    command = gunicorn new:app -k uvicorn.workers.UvicornWorker -b :9000 (Dockerfile:2: the command of the Dockerfile)
    ");
}

#[test]
fn flask_and_fastapi_the_server_decides_where_no_object_is_found() {
    let with = |command: &'static str| answer(&[("requirements.txt", "flask\nfastapi\n"), ("Procfile", command)]);
    assert_snapshot!(with("web: uvicorn site:app --port 8100"), @"
    framework = fastapi (requirements.txt:2: `fastapi` is a dependency)
    port = 8100 (Procfile:1: the port in the command line)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = asgi site:app (Procfile:1: the `web` process of the Procfile)
    package_manager = pip (requirements.txt: a file that pip installs from)
    command = uvicorn site:app --port 8100 (Procfile:1: the `web` process of the Procfile)
    ");
    assert_snapshot!(with("web: python run.py"), @"
    the files fit 2 apps: flask in the root folder, fastapi in the root folder [detect.ambiguous]
    for flask: requirements.txt:1 `flask` is a dependency
    for fastapi: requirements.txt:2 `fastapi` is a dependency
    hint: write `framework: flask` in the app spec for the flask app in the root folder
    hint: write `framework: fastapi` in the app spec for the fastapi app in the root folder
    hint: or let a Dockerfile or Procfile at the top start one of them
    ");
}

#[test]
fn go_with_a_web_folder() {
    assert_snapshot!(answer(&[
        ("go.mod", "module example.com/x\n\ngo 1.24\n"),
        ("main.go", "package main\n\nfunc main() {\n\thttp.ListenAndServe(\":9000\", nil)\n}\n"),
        ("web/package.json", VITE),
        ("web/index.html", ""),
        ("package.json", r#"{"devDependencies": {"prettier": "3"}}"#),
    ]), @"
    framework = go (go.mod:1: the Go module `example.com/x`)
    framework = go (main.go:3: a `main` function)
    port = 9000 (main.go:4: the port that the program itself listens on)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = binary . (main.go:3: the only `main` function)
    package_manager = go (go.mod: a Go module)
    runtime_version = 1.24 (go.mod:3: the Go version of the module)
    note other_app: web: another app, static, is in `web/`
    ");
}

#[test]
fn go_with_several_programs() {
    let files = [
        ("go.mod", "module example.com/x\n"),
        ("cmd/api/main.go", "package main\n\nfunc main() {\n\tapi.Run()\n}\n"),
        ("cmd/worker/main.go", "package main\n\nfunc main() {\n\twork()\n}\n"),
        ("internal/api/server.go", "package api\n\nvar s = http.Server{Addr: \":7000\"}\n"),
    ];
    assert_snapshot!(answer(&files), @"
    framework = go (go.mod:1: the Go module `example.com/x`)
    framework = go (cmd/api/main.go:3: a `main` function)
    port = 7000 (internal/api/server.go:3: the port that the program itself listens on)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = binary ./cmd/api (cmd/api/main.go:3: the only `main` function that listens)
    package_manager = go (go.mod: a Go module)
    ");
    let docker = ("Dockerfile", "FROM golang:1.24 AS b\nRUN go build -o /x ./cmd/api\nFROM scratch\nCMD [\"/x\"]\n");
    assert_snapshot!(answer(&[&files[..], &[docker]].concat()), @"
    framework = go (go.mod:1: the Go module `example.com/x`)
    framework = go (cmd/api/main.go:3: a `main` function)
    port = 7000 (internal/api/server.go:3: the port that the program itself listens on)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = binary ./cmd/api (Dockerfile:2: what the Dockerfile builds)
    package_manager = go (go.mod: a Go module)
    command = /x (Dockerfile:4: the command of the Dockerfile)
    ");
}

#[test]
fn next_behind_express() {
    assert_snapshot!(answer(&[
        ("package.json", r#"{"scripts": {"build": "next build", "start": "NODE_ENV=production node server.js"},
"dependencies": {"express": "4", "next": "15"}}"#),
        ("server.js", "app.get('/healthz', ok)\nserver.listen(4000)\n"),
        ("pages/index.js", ""),
    ]), @"
    framework = nextjs (package.json:2: `next` is a dependency)
    port = 4000 (server.js:2: the port that the program itself listens on)
    health_path = /healthz (server.js:1: a health route)
    entry_point = script server.js (package.json:1: the start script)
    package_manager = npm (the package manager that comes with Node.js)
    command = npm start (package.json:1: the start script)
    note advice: a server of its own, `server.js`, runs Next.js
    ");
}

#[test]
fn next_that_exports_files_is_static() {
    assert_snapshot!(answer(&[
        ("package.json", NEXT),
        ("app/page.tsx", ""),
        ("next.config.ts", "export default {\n  output: 'export',\n}\n"),
    ]), @"
    framework = static (next.config.ts:2: `output: export`: the build makes files only)
    port = 8080 (the default of the framework)
    health_path = / (the default of the framework; no health route was found)
    package_manager = npm (the package manager that comes with Node.js)
    note advice: next.config.ts: the build puts the files into `out/`: the image serves that folder
    ");
}

#[test]
fn nothing_that_says_what_it_is() {
    assert_snapshot!(answer(&[]), @"
    no file says what this app is built with [detect.nothing_found]
    hint: set `framework:` in the app spec: flask, django, fastapi, nodejs, nextjs, static or go
    hint: if the app lives in a subfolder, name it: `--root web/`
    hint: looked at: requirements*.txt, pyproject.toml, Pipfile, setup.cfg, setup.py, manage.py and Python sources, package.json, go.mod with a main function, index.html, a Procfile or Dockerfile beside one of them
    ");
    assert_snapshot!(answer(&[("README.md", "# Notes"), ("docs/index.md", ""), ("docs/index.html", "")]), @"
    no file says what this app is built with [detect.nothing_found]
    hint: set `framework:` in the app spec: flask, django, fastapi, nodejs, nextjs, static or go
    hint: if the app lives in a subfolder, name it: `--root web/`
    hint: looked at: requirements*.txt, pyproject.toml, Pipfile, setup.cfg, setup.py, manage.py and Python sources, package.json, go.mod with a main function, index.html, a Procfile or Dockerfile beside one of them
    ");
    assert_snapshot!(answer(&[("Dockerfile", "FROM rust:1\nCMD [\"/app\"]\nEXPOSE 80\n")]), @"
    no file says what this app is built with [detect.nothing_found]
    hint: set `framework:` in the app spec: flask, django, fastapi, nodejs, nextjs, static or go
    hint: if the app lives in a subfolder, name it: `--root web/`
    hint: looked at: requirements*.txt, pyproject.toml, Pipfile, setup.cfg, setup.py, manage.py and Python sources, package.json, go.mod with a main function, index.html, a Procfile or Dockerfile beside one of them
    hint: `Dockerfile`: a Dockerfile says how an image is made, not what the app is built with
    ");
}

#[test]
fn a_go_library_and_a_node_library_are_no_apps() {
    assert!(detect(&tree(&[("go.mod", "module x\n"), ("x.go", "package x\n")]), "").is_err());
    assert!(
        detect(&tree(&[("package.json", r#"{"main": "index.js"}"#), ("index.js", "module.exports = 1")]), "").is_err()
    );
}
