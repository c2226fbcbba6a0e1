//! Whatever the files hold, there is an answer or an error, and never a panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use wooo::detect::detect;
use wooo::domain::Problem;
use wooo::files::MemoryTree;

const NAMES: [&str; 36] = [
    "requirements.txt",
    "requirements-dev.txt",
    "requirements/base.txt",
    "pyproject.toml",
    "Pipfile",
    "setup.py",
    "setup.cfg",
    "package.json",
    "go.mod",
    "Dockerfile",
    "Containerfile",
    "Procfile",
    "gunicorn.conf.py",
    "manage.py",
    "app.py",
    "main.py",
    "wsgi.py",
    "shop/settings.py",
    "shop/urls.py",
    "shop/__init__.py",
    "server.js",
    "src/index.ts",
    "next.config.js",
    "app/api/health/route.ts",
    "pages/index.js",
    "main.go",
    "cmd/x/main.go",
    "index.html",
    ".python-version",
    "runtime.txt",
    ".nvmrc",
    "yarn.lock",
    "pnpm-lock.yaml",
    "uv.lock",
    "poetry.lock",
    "angular.json",
];

const FOLDERS: [&str; 5] = ["", "backend/", "apps/web/", "src/", "é/"];

/// Pieces of what such files hold, so that more than the first character is understood.
const PIECES: [&str; 48] = [
    "flask",
    "fastapi[all]>=1",
    "-r requirements.txt",
    "-r ../x",
    "django",
    "\\\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "#",
    "\"\"\"",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "=",
    ":",
    ",",
    "(",
    ")",
    "$PORT",
    "${PORT:-80}",
    "FROM python:3 AS a\n",
    "FROM a\n",
    "CMD ",
    "ENTRYPOINT [\"sh\", \"-c\", \"x\"]\n",
    "EXPOSE 80-90/tcp $X\n",
    "ENV A=$A$A ",
    "RUN <<EOF\n",
    "COPY a b c\n",
    "web: gunicorn -b :80 a:b",
    "uvicorn --port",
    "sh -c 'sh -c x'",
    "app = Flask(__name__)\n",
    "def create_app(:\n    x = FastAPI(\n",
    "app.run(port=99999)\n",
    "@app.get('/health')\n",
    "app.listen(0)\n",
    "\"dependencies\": {\"next\": \"1\"}",
    "\"scripts\": {\"start\": \"node x.js\", \"build\": \"vite\"}",
    "[project]\ndependencies = ['flask']\n",
    "[tool.poetry.dependencies]\npython = 3\n",
    "package main\nfunc main() {\n",
    "http.ListenAndServe(\":80\", nil)\n",
    "DJANGO_SETTINGS_MODULE', 'a.settings'",
];

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => vec(select(&PIECES[..]), 0..12).prop_map(|pieces| format!("{{{}}}", pieces.concat()).into_bytes()),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..64),
        1 => Just(b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn detection_never_panics(
        files in btree_map((select(&FOLDERS[..]), select(&NAMES[..])), content(), 0..10),
        start in select(&["", "backend", "apps", "src/", ".", "é"][..]),
    ) {
        let tree: MemoryTree =
            files.into_iter().map(|((folder, name), content)| (format!("{folder}{name}"), content)).collect();
        match detect(&tree, start) {
            Ok(found) => {
                assert!(found.port > 0 && found.health_path.starts_with('/'));
                assert!(serde_json::to_string(&found).is_ok());
                assert_eq!(detect(&tree, start).unwrap(), found);
            }
            Err(error) => assert!(Problem::from(error).code.starts_with("detect.")),
        }
    }
}
