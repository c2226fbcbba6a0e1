//! Trees that mean harm, or that only look as if they did.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use wooo::detect::{Error, detect};
use wooo::files::{DirectoryTree, MemoryTree};

use super::{answer, shown, tree};

#[test]
fn a_broken_file_that_decides_is_named() {
    assert_snapshot!(answer(&[("package.json", "{\n  \"dependencies\": {\n    \"express\": \"4\",\n  }\n}"), ("index.html", "")]), @"
    package.json:4:3: `package.json` is broken: trailing comma [detect.broken_file]
    hint: mend package.json, or set `framework:` in the app spec
    ");
    assert_snapshot!(answer(&[("api/pyproject.toml", "[project\nname = 'x'\n"), ("web/index.html", "")]), @"
    api/pyproject.toml:1:9: `api/pyproject.toml` is broken: unclosed table, expected `]` [detect.broken_file]
    hint: mend api/pyproject.toml, or set `framework:` in the app spec
    ");
}

#[test]
fn a_broken_file_that_does_not_decide_is_noted() {
    assert_snapshot!(answer(&[
        ("requirements.txt", "flask\n"),
        ("app.py", "app = Flask(__name__)\n"),
        ("package.json", "{"),
    ]), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    framework = flask (app.py:1: the flask app `app`)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    entry_point = wsgi app:app (app.py:1: the app object)
    package_manager = pip (requirements.txt: a file that pip installs from)
    note broken: package.json: line 1, column 1: EOF while parsing an object; not used
    ");
}

#[test]
fn a_huge_file_is_refused() {
    let mut tree = MemoryTree::default();
    tree.insert("package.json", vec![b' '; 100_000_000]);
    assert_snapshot!(shown(&tree, ""), @"
    `package.json` has 100000000 bytes; at most 1048576 are read [detect.file_too_large]
    hint: set `framework:` in the app spec, and detection is not needed
    hint: keep generated data out of the files that name dependencies
    ");
    tree.insert("go.mod", b"module x\n".to_vec());
    tree.insert("main.go", b"package main\nfunc main() {}\n".to_vec());
    assert_eq!(detect(&tree, "").unwrap().framework.to_string(), "go");
}

#[test]
fn links_submodules_and_pointers_are_listed_and_not_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("package.json"), r#"{"dependencies": {"express": "canary"}}"#).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    symlink(outside.path().join("package.json"), path("package.json")).unwrap();
    symlink(outside.path(), path("web")).unwrap();
    fs::create_dir_all(path("lib/.git")).unwrap();
    fs::write(path("lib/requirements.txt"), "flask").unwrap();
    fs::write(path("go.mod"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").unwrap();
    fs::write(path("requirements.txt"), b"flask\xff").unwrap();
    assert_snapshot!(shown(&DirectoryTree::new(folder.path()), ""), @"
    no file says what this app is built with [detect.nothing_found]
    hint: set `framework:` in the app spec: flask, django, fastapi, nodejs, nextjs, static or go
    hint: if the app lives in a subfolder, name it: `--root web/`
    hint: looked at: requirements*.txt, pyproject.toml, Pipfile, setup.cfg, setup.py, manage.py and Python sources, package.json, go.mod with a main function, index.html, a Procfile or Dockerfile beside one of them
    hint: `package.json`: a symbolic link, not followed
    hint: `web`: a symbolic link, not followed
    hint: `lib`: a repository of its own, not entered
    hint: `requirements.txt`: not UTF-8 text, not read
    hint: `go.mod`: a Git LFS pointer, not the file itself; not read
    ");
    for name in ["web", "package.json", "nowhere", "../..", "/etc"] {
        assert!(matches!(detect(&DirectoryTree::new(folder.path()), name), Err(Error::Files(_))), "{name}");
    }
}

#[test]
fn a_folder_that_is_none_has_its_own_message() {
    let tree = tree(&[("app.py", "")]);
    assert_snapshot!(shown(&tree, "web"), @"
    `web` does not exist [detect.no_such_folder]
    hint: `--root` names a folder of the repository
    ");
    assert_snapshot!(shown(&tree, "app.py"), @"
    `app.py` is a file, not a directory [detect.not_a_folder]
    hint: `--root` names a folder; links and submodules are never followed
    ");
    assert_snapshot!(shown(&tree, "../x"), @"
    `../x` leads out of the tree [detect.outside_tree]
    hint: `--root` is relative to the repository: `--root web/`
    ");
}

#[test]
fn text_of_a_hostile_file_cannot_move_the_cursor() {
    let text = answer(&[
        ("package.json", r#"{"scripts": {"start": "node \u001b[2J.js"}, "dependencies": {"express": "4"}}"#),
        ("requirements-\u{202e}x.txt", "flask"),
    ]);
    assert!(text.contains("framework = nodejs") && !text.contains('\u{1b}'), "{text}");
    let broken = answer(&[("package.json", "{\u{1b}[31m")]);
    assert!(!broken.contains('\u{1b}'), "{broken}");
}

#[test]
fn names_that_differ_only_in_case_are_noted() {
    assert_snapshot!(answer(&[
        ("Requirements.txt", "django\n"),
        ("requirements.txt", "flask\n"),
        ("PACKAGE.JSON", "{"),
    ]), @"
    framework = flask (requirements.txt:1: `flask` is a dependency)
    port = 8000 (the default of the framework)
    health_path = /health (the default of the framework; no health route was found)
    package_manager = pip (requirements.txt: a file that pip installs from)
    note name_collision: requirements.txt: `Requirements.txt` and `requirements.txt` are one file on some systems
    note advice: no flask app object was found; the image's command must name it
    ");
}
