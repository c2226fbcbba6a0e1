//! The sample apps in `fixtures/apps`.

use std::path::Path;

use insta::assert_snapshot;
use wooo::detect::detect;
use wooo::files::DirectoryTree;

use super::shown;

fn app(name: &str) -> String {
    shown(&DirectoryTree::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/apps").join(name)), "")
}

#[test]
fn flask_event_system() {
    assert_snapshot!(app("flask-event-system"), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    framework = flask (app.py:8: the flask app `app`)
    port = 8000 (Dockerfile:10: the port in the command line)
    health_path = /health (app.py:14: a health route)
    metrics_path = /metrics (requirements.txt:3: the path that `prometheus-flask-exporter` serves)
    entry_point = wsgi app:app (Dockerfile:10: the command of the Dockerfile)
    package_manager = pip (requirements.txt: a file that pip installs from)
    runtime_version = 3.12 (Dockerfile:1: the image that runs the app)
    command = gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm app:app (Dockerfile:10: the command of the Dockerfile)
    ");
}

#[test]
fn django_shop() {
    assert_snapshot!(app("django-shop"), @"
    framework = django (pyproject.toml:7: `django` is a dependency)
    framework = django (manage.py:6: names Django's settings)
    framework = django (shop/wsgi.py:6: Django's `application`)
    port = 8000 (Procfile:1: the port in the command line)
    health_path = /healthz/ (shop/urls.py:7: a health route)
    entry_point = wsgi shop.wsgi:application (Procfile:1: the `web` process of the Procfile)
    package_manager = uv (pyproject.toml:14: the settings of uv)
    runtime_version = >=3.12 (pyproject.toml:4: the Python version that the dependencies ask for)
    command = gunicorn shop.wsgi --bind 0.0.0.0:8000 (Procfile:1: the `web` process of the Procfile)
    ");
}

#[test]
fn fastapi_orders() {
    assert_snapshot!(app("fastapi-orders"), @"
    framework = fastapi (pyproject.toml:10: `fastapi` is a dependency)
    framework = fastapi (orders/main.py:7: the fastapi app `app`)
    port = 8000 (Dockerfile:14: the port in the command line)
    health_path = /healthz (orders/health.py:6: a health route)
    metrics_path = /metrics (orders/main.py:9: a Prometheus exporter is mounted)
    entry_point = asgi orders.main:app (Dockerfile:14: the command of the Dockerfile)
    package_manager = poetry (pyproject.toml:1: the settings of Poetry)
    runtime_version = 3.12 (Dockerfile:8: the image that runs the app)
    command = sh -c exec uvicorn orders.main:app --host 0.0.0.0 --port $PORT (Dockerfile:14: the command of the Dockerfile)
    ");
}

#[test]
fn node_api() {
    assert_snapshot!(app("node-api"), @"
    framework = nodejs (package.json:14: `express` is a dependency)
    framework = nodejs (package.json:10: the start script runs a server)
    framework = nodejs (src/server.js:16: the program listens on a port)
    port = 3000 (Dockerfile:9: the port that the Dockerfile exposes)
    health_path = /health (src/server.js:8: a health route)
    entry_point = script src/server.js (Dockerfile:10: the command of the Dockerfile)
    package_manager = npm (the package manager that comes with Node.js)
    runtime_version = 22 (Dockerfile:1: the image that runs the app)
    command = node src/server.js (Dockerfile:10: the command of the Dockerfile)
    ");
}

#[test]
fn nextjs_portal() {
    assert_snapshot!(app("nextjs-portal"), @"
    framework = nextjs (package.json:12: `next` is a dependency)
    framework = nextjs (next.config.mjs: the settings of Next.js)
    port = 3000 (Dockerfile:13: the port that the Dockerfile exposes)
    health_path = /api/health (app/api/health/route.ts: a health route)
    entry_point = script server.js (Dockerfile:14: the command of the Dockerfile)
    package_manager = pnpm (package.json:5: `packageManager` of the package)
    runtime_version = 22 (Dockerfile:7: the image that runs the app)
    command = node server.js (Dockerfile:14: the command of the Dockerfile)
    note advice: next.config.mjs: `output: standalone`: the image starts `node server.js` from `.next/standalone`
    ");
}

#[test]
fn static_docs() {
    assert_snapshot!(app("static-docs"), @"
    framework = static (index.html: a page to serve, and no server beside it)
    port = 8080 (Dockerfile:4: the port that the Dockerfile exposes)
    health_path = / (the default of the framework; no health route was found)
    ");
}

#[test]
fn go_ledger() {
    assert_snapshot!(app("go-ledger"), @"
    framework = go (go.mod:1: the Go module `example.com/ledger`)
    framework = go (cmd/ledger/main.go:27: a `main` function)
    port = 8080 (Dockerfile:9: the port that the Dockerfile exposes)
    health_path = /healthz (cmd/ledger/main.go:30: a health route)
    metrics_path = /metrics (cmd/ledger/main.go:31: a metrics route)
    entry_point = binary ./cmd/ledger (Dockerfile:5: what the Dockerfile builds)
    package_manager = go (go.mod: a Go module)
    runtime_version = 1.23 (go.mod:3: the Go version of the module)
    command = /ledger (Dockerfile:10: the command of the Dockerfile)
    ");
}

#[test]
fn every_answer_is_the_one_in_the_spec_beside_it() {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/apps");
    let mut seen = 0;
    for entry in apps.read_dir().unwrap() {
        let folder = entry.unwrap().path();
        let spec: serde_json::Value =
            wooo::yaml::read(&std::fs::read_to_string(folder.join("wooo.yaml")).unwrap()).unwrap();
        let detection = detect(&DirectoryTree::new(&folder), "").unwrap();
        assert_eq!(spec["framework"], detection.framework.to_string(), "{folder:?}");
        assert_eq!(spec["port"], detection.port, "{folder:?}");
        if let Some(path) = spec.get("health_path") {
            assert_eq!(path, &detection.health_path, "{folder:?}");
        }
        assert_eq!(
            spec.get("metrics_path").and_then(|path| path.as_str()),
            detection.metrics_path.as_deref(),
            "{folder:?}"
        );
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn the_answer_has_a_stable_form_for_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/apps/static-docs");
    let detection = detect(&DirectoryTree::new(folder), "").unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&detection).unwrap(), @r#"
    {
      "framework": "static",
      "root": "",
      "port": 8080,
      "health_path": "/",
      "metrics_path": null,
      "entry_point": null,
      "package_manager": null,
      "runtime_version": null,
      "command": null,
      "evidence": [
        {
          "answer": "framework",
          "value": "static",
          "file": "index.html",
          "line": null,
          "why": "a page to serve, and no server beside it"
        },
        {
          "answer": "port",
          "value": "8080",
          "file": "Dockerfile",
          "line": 4,
          "why": "the port that the Dockerfile exposes"
        },
        {
          "answer": "health_path",
          "value": "/",
          "file": null,
          "line": null,
          "why": "the default of the framework; no health route was found"
        }
      ],
      "notes": []
    }
    "#);
}
