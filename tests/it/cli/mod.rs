//! The program as people run it: real processes, real Git repositories, nobody's settings but the test's own.
#![expect(clippy::unwrap_used, reason = "clippy knows a test by its attribute, and the helpers here have none")]

mod addons;
mod change;
mod check;
mod concurrency;
mod configure;
mod hold;
mod init;
mod kill;
mod kubectl;
mod onboard;
mod program;
mod proposal;
mod release;
mod render;
mod service;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The time that every command believes it is, unless a test says otherwise.
const NOW: i64 = 1_750_000_000;

const SHOP: &str = "\
# The shop, as its team wants it.
name: shop
domain: shop.example.com   # the real one
framework: flask
image: registry.example/shop:1.0.0
replicas: 2
env:
  TZ: Asia/Taipei   # where the team is
";

const BLOG: &str = "\
name: blog
domain: blog.example.com
framework: nodejs
image: registry.example/blog:7.0.0
";

/// A folder for one test: the home of its user, with whatever the test puts there.
struct Lab {
    folder: TempDir,
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Standard output of a command that must have succeeded.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard error of a command that must have refused.
    #[track_caller]
    fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// `wooo` with `words`, which are parted by spaces; a part in single quotes may hold some.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wooo"));
        for (index, part) in words.split('\'').enumerate() {
            if index % 2 == 1 {
                command.arg(part);
            } else {
                command.args(part.split_whitespace());
            }
        }
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.env("SOURCE_DATE_EPOCH", NOW.to_string()).env("WOOO_ACTOR", "local:tester");
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Ended {
        self.command(words).output().unwrap().into()
    }
}

/// A fleet with its lab.
struct Fleet {
    lab: Lab,
    dir: PathBuf,
}

impl Fleet {
    /// A new fleet with a work tree.
    fn new() -> Self {
        Self::of("init fleet")
    }

    fn bare() -> Self {
        Self::of("init fleet --bare")
    }

    fn of(words: &str) -> Self {
        let lab = Lab::new();
        lab.run(words).ok();
        lab.write("shop/wooo.yaml", SHOP);
        lab.write("blog/wooo.yaml", BLOG);
        let dir = lab.path("fleet");
        Self { lab, dir }
    }

    /// A fleet with the shop and the blog in staging and the shop in production.
    fn with_apps() -> Self {
        let fleet = Self::new();
        fleet.fill();
        fleet
    }

    fn fill(&self) {
        self.ok("onboard shop/wooo.yaml --env staging --merge");
        self.ok("onboard blog/wooo.yaml --env staging --merge");
        self.ok("onboard shop/wooo.yaml --env production --merge");
    }

    fn command(&self, words: &str) -> Command {
        let mut command = self.lab.command(words);
        command.env("WOOO_FLEET", &self.dir);
        command
    }

    fn run(&self, words: &str) -> Ended {
        self.command(words).output().unwrap().into()
    }

    /// The command, `seconds` after [`NOW`].
    fn run_later(&self, seconds: i64, words: &str) -> Ended {
        self.command(words).env("SOURCE_DATE_EPOCH", (NOW + seconds).to_string()).output().unwrap().into()
    }

    #[track_caller]
    fn ok(&self, words: &str) -> String {
        self.run(words).ok()
    }

    #[track_caller]
    fn refused(&self, words: &str) -> String {
        self.run(words).refused()
    }

    /// What `git` prints about the fleet. It must succeed.
    #[track_caller]
    fn git(&self, words: &str) -> String {
        let output = git(&self.dir, words.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "git {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// A file of the synced branch.
    #[track_caller]
    fn file(&self, path: &str) -> String {
        self.git(&format!("show main:{path}"))
    }

    fn tip(&self) -> String {
        self.git("rev-parse main")
    }

    fn tree(&self) -> String {
        self.git("rev-parse main^{tree}")
    }

    fn commits(&self) -> usize {
        self.git("rev-list --count main").parse().unwrap()
    }

    /// The branches that wooo made, sorted.
    fn branches(&self) -> Vec<String> {
        self.git("for-each-ref --format=%(refname:short) refs/heads/wooo").lines().map(str::to_owned).collect()
    }

    /// The one branch that wooo made.
    #[track_caller]
    fn branch(&self) -> String {
        let branches = self.branches();
        assert_eq!(branches.len(), 1, "{branches:?}");
        branches[0].clone()
    }

    /// A file in the work tree.
    fn put(&self, path: &str, content: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A person's commit of everything in the work tree.
    #[track_caller]
    fn commit(&self, message: &str) {
        self.git("add --all");
        let output = git(&self.dir, ["commit", "--quiet", "-m", message]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Every object is sound, and every rendered byte is what the specs say.
    #[track_caller]
    fn assert_sound(&self) {
        let output = git(&self.dir, ["fsck", "--full", "--strict", "--no-dangling"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.ok("verify");
    }
}

fn git<'a>(folder: &Path, words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = crate::git::git(folder, words);
    command.env("HOME", folder);
    command
}

/// Everything below a folder but its `.git`: path, and content in hexadecimal form where it is not text.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.push((name, fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Inline snapshots of what people read, with ids and folders made plain.
macro_rules! assert_message {
    ($lab:expr, $text:expr, @$expected:literal) => {{
        let folder = $lab.path("").to_string_lossy().trim_end_matches('/').to_owned();
        let text = $text.replace(&folder, "[lab]");
        insta::with_settings!({filters => vec![
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[change-id]"),
            (r"\b[0-9a-f]{40}\b", "[commit]"),
            (r"\b(commit|as) [0-9a-f]{7,10}\b", "$1 [commit]"),
            (r"\b[0-9a-f]{10} is ", "[commit] is "),
            (r"(wooo/[a-z/]+)-[0-9a-f]{8}\b", "$1-[hash]"),
        ]}, { insta::assert_snapshot!(text, @$expected); });
    }};
}
use assert_message;
