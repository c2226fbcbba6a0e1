//! `wooo serve` as a process of its own, and a client for it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the service runs with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    /// The folder for everything.
    pub(crate) data: PathBuf,
    /// The database; SQLite in the data folder if absent.
    pub(crate) database: Option<String>,
    /// More of the settings file.
    pub(crate) more: String,
    /// The port; any if 0. A service that is started again has to be where its repository says that it is.
    pub(crate) port: u16,
}

/// A service that runs until it is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
    data: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Served {
    /// Starts it and waits until it is ready. `points` are what `FAILPOINTS` says.
    pub(crate) fn start(setting: &Setting, points: &str) -> Self {
        std::fs::create_dir_all(&setting.data).unwrap();
        let config = setting.data.join("service.yaml");
        let database = setting.database.as_ref().map_or_else(String::new, |url| format!("database: {url}\n"));
        let listen = format!("listen: 127.0.0.1:{}\n", setting.port);
        let data = format!("data: {}\n", setting.data.display());
        std::fs::write(&config, format!("{listen}{data}{database}{}", setting.more)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wooo"))
            .args(["serve", "--color", "never", "--config"])
            .arg(&config)
            .env("FAILPOINTS", points)
            .env("WOOO_LOG", "info,wooo::operations=debug,sqlx=warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (lines, errors) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.split_whitespace().nth(2).unwrap_or_default().to_owned();
        let served = Self { child, url, data: setting.data.clone(), log };
        assert!(served.url.starts_with("http://"), "it did not start: {first}\n{}", served.log());
        let began = Instant::now();
        while served.try_get("/readyz").is_none_or(|(status, _)| status != 200) {
            assert!(began.elapsed() < PATIENCE, "it is not ready: {}", served.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Waits until it says that it has reached a step.
    pub(crate) fn wait_for_step(&self, step: &str) {
        let wanted = format!("step=\"{step}\"");
        self.wait_for_line(&wanted);
    }

    /// Waits for a line of its log.
    pub(crate) fn wait_for_line(&self, wanted: &str) {
        let began = Instant::now();
        while !self.log.lock().unwrap().iter().any(|line| line.contains(wanted)) {
            assert!(began.elapsed() < PATIENCE, "it does not come to `{wanted}`:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn client() -> reqwest::blocking::Client {
        reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.data.join("admin.token")).unwrap_or_default().trim().to_owned()
    }

    fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        let request = Self::client().get(format!("{}{path}", self.url)).bearer_auth(self.token());
        let answer = request.send().ok()?;
        Some((answer.status().as_u16(), answer.json().unwrap_or_default()))
    }

    /// What it answers as JSON.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.log()));
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Posts JSON under an idempotency key. `None` if it died meanwhile.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let request = Self::client()
            .post(format!("{}{path}", self.url))
            .bearer_auth(self.token())
            .header("Idempotency-Key", key)
            .json(body);
        let answer = request.send().ok()?;
        Some((answer.status().as_u16(), answer.json().unwrap_or_default()))
    }

    /// Waits until a change is in one of its last states.
    pub(crate) fn settled(&self, id: &str) -> Value {
        let began = Instant::now();
        loop {
            let change = self.get(&format!("/api/changes/{id}"));
            let state = change["state"].as_str().unwrap_or_default().to_owned();
            if ["settled", "failed", "closed", "unchanged"].contains(&state.as_str()) {
                return change;
            }
            assert!(began.elapsed() < PATIENCE, "the change stays {state}: {change}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All changes.
    pub(crate) fn changes(&self) -> Vec<Value> {
        self.get("/api/changes?limit=200")["items"].as_array().cloned().unwrap_or_default()
    }

    /// The repository of its fleet.
    pub(crate) fn repository(&self) -> PathBuf {
        self.data.join("repositories/fleet.git")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A process that is stopped dies of this too.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What Git says about a repository.
pub(crate) fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An app as it is posted.
pub(crate) fn app(name: &str) -> Value {
    json!({
        "name": name,
        "framework": "flask",
        "image": format!("registry.example/{name}:1.0.0"),
        "environment": "staging",
    })
}
