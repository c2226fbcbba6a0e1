//! A runner of GitHub Actions, as far as a composite action can tell: it fills in expressions, runs each step's script
//! with the variables of the step, obeys what the script prints for it, and reads the files that it writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::{Captures, Regex};
use serde_json::Value;
use tempfile::TempDir;

/// The folder of the action.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The action as it is published.
pub(super) fn action() -> Value {
    wooo::yaml::read(&std::fs::read_to_string(root().join("action.yml")).unwrap()).unwrap()
}

/// A folder of programs, put before all others.
pub(super) fn with_program(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A job on a machine of its own.
pub(super) struct Job {
    folder: TempDir,
    inputs: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

/// What came of a job.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    /// What a person sees: without commands, and with what was to be masked masked.
    pub(super) log: String,
    /// The commands that the runner was given, but for masks.
    pub(super) commands: Vec<String>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) summary: String,
}

impl Ended {
    #[track_caller]
    pub(super) fn expect(self, code: i32, outcome: &str) -> Self {
        let found = (self.code, self.outputs.get("outcome").map_or("", String::as_str));
        assert_eq!(found, (code, outcome), "{}\n{}", self.log, self.summary);
        self
    }
}

impl Job {
    /// A job in a checked-out repository, with the program on its path.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "temp", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_wooo")).parent().unwrap().display().to_string();
        let own = folder.path().join("bin").display().to_string();
        let path = format!("{own}:{program}:{}", std::env::var("PATH").unwrap());
        let home = folder.path().display().to_string();
        let variables = BTreeMap::from([("PATH".to_owned(), path), ("HOME".to_owned(), home)]);
        Self { folder, inputs: BTreeMap::new(), variables }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The folder that the steps run in.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The folder whose programs go before all others.
    pub(super) fn programs(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the action's steps until one fails.
    pub(super) fn run(&mut self) -> Ended {
        let action = action();
        for name in self.inputs.keys() {
            assert!(action["inputs"].get(name).is_some(), "the action has no input `{name}`");
        }
        let mut told = Told::default();
        let mut code = 0;
        for file in ["output", "summary", "path"] {
            std::fs::write(self.folder.path().join(file), "").unwrap();
        }
        for step in action["runs"]["steps"].as_array().unwrap() {
            assert_eq!(step["shell"], "bash");
            let script = self.folder.path().join("step.sh");
            std::fs::write(&script, step["run"].as_str().unwrap()).unwrap();
            let mut command = Command::new("bash");
            command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script);
            self.surround(&mut command);
            for (name, value) in step["env"].as_object().unwrap() {
                command.env(name, self.filled_in(&action, value.as_str().unwrap()));
            }
            let output = command.output().unwrap();
            told.hear(&String::from_utf8(output.stdout).unwrap());
            told.hear(&String::from_utf8(output.stderr).unwrap());
            code = output.status.code().unwrap();
            if code != 0 {
                break;
            }
            let added = std::fs::read_to_string(self.folder.path().join("path")).unwrap();
            for folder in added.lines() {
                let path = format!("{folder}:{}", self.variables["PATH"]);
                self.variables.insert("PATH".to_owned(), path);
            }
        }
        assert!(told.stopped.is_none(), "the runner was left deaf");
        let outputs = outputs(&std::fs::read_to_string(self.folder.path().join("output")).unwrap());
        let summary = std::fs::read_to_string(self.folder.path().join("summary")).unwrap();
        Ended { code, log: told.masked(), commands: told.commands, outputs, summary }
    }

    fn surround(&self, command: &mut Command) {
        let file = |name: &str| self.folder.path().join(name);
        command.env_clear().current_dir(self.work()).stdin(Stdio::null());
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_ACTION_PATH", root());
        command.env("GITHUB_REPOSITORY", "acme/shop").env("GITHUB_SHA", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        command.env("GITHUB_OUTPUT", file("output")).env("GITHUB_STEP_SUMMARY", file("summary"));
        command.env("GITHUB_PATH", file("path")).env("RUNNER_TEMP", file("temp"));
        command.envs(&self.variables);
    }

    /// A text with its expressions filled in.
    fn filled_in(&self, action: &Value, text: &str) -> String {
        let expression = Regex::new(r"\$\{\{ inputs\.([a-z_]+)(?: \|\| (format\(.*\)))? \}\}").unwrap();
        let filled = expression.replace_all(text, |found: &Captures<'_>| {
            let usual = action["inputs"][&found[1]]["default"].as_str().unwrap_or_default();
            let value = self.inputs.get(&found[1]).map_or(usual, String::as_str);
            if value.is_empty() && found.get(2).is_some() {
                return "https://github.example/platform/wooo/releases/download".to_owned();
            }
            value.to_owned()
        });
        let inputs: String = self.inputs.values().cloned().collect();
        assert!(!filled.contains("${{") || inputs.contains("${{"), "an expression was not understood: {filled}");
        filled.into_owned()
    }
}

/// What a runner hears of a step.
#[derive(Default)]
struct Told {
    log: Vec<String>,
    masks: Vec<String>,
    commands: Vec<String>,
    /// The word that ends a time in which lines are only lines.
    stopped: Option<String>,
}

impl Told {
    fn hear(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(word) = &self.stopped {
                if line == format!("::{word}::") {
                    self.stopped = None;
                } else {
                    self.log.push(line.to_owned());
                }
            } else if let Some(word) = line.strip_prefix("::stop-commands::") {
                self.stopped = Some(word.to_owned());
            } else if let Some(secret) = line.strip_prefix("::add-mask::") {
                self.masks.push(secret.to_owned());
            } else if line.trim_start().starts_with("::") {
                self.commands.push(line.to_owned());
            } else {
                self.log.push(line.to_owned());
            }
        }
    }

    fn masked(&self) -> String {
        self.masks.iter().fold(self.log.join("\n"), |log, secret| log.replace(secret, "***"))
    }
}

/// What a step has put out: `name=value`, or `name<<word` and everything up to the word.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, word) = line.split_once("<<").unwrap_or_else(|| panic!("`{line}` is no output"));
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != word).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}
