//! The local forge as a service runs it: its repositories behind the real router on a port of this machine, and people
//! with clones of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use base64::Engine;
use futures::FutureExt;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use wooo::forge::{LocalForge, LocalForges, RepositoryName, User};
use wooo::git::CommitId;
use wooo::web::git_http::{Authorise, Limits, Question, Service, Verdict, router};

use crate::git::{git, output};

/// A service with the repository `fleet`, until it is dropped. A user is let in by name: `stranger` may not see
/// anything, `reader` may only read, `wooo` is the service itself, and all others may push.
pub(crate) struct Served {
    folder: tempfile::TempDir,
    address: SocketAddr,
    pub(crate) forges: LocalForges,
    runtime: Option<Runtime>,
}

pub(crate) fn user(name: &str) -> User {
    User { id: format!("id-{name}").parse().unwrap(), login: name.to_owned() }
}

pub(crate) fn fleet() -> RepositoryName {
    "fleet".parse().unwrap()
}

impl Served {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), "git")
    }

    pub(crate) fn with(limits: Limits, git: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let forges = LocalForges::new(
            folder.path().join("repositories"),
            &format!("http://{address}/"),
            Arc::new(Timestamp::now),
        );
        let authorise: Authorise = Arc::new(|question| verdict(question).boxed());
        let app = router(forges.clone(), authorise, limits, git);
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), app).await });
        let served = Self { folder, address, forges, runtime: Some(runtime) };
        served.forges.create(&fleet(), &"main".parse().unwrap(), "4711".parse().unwrap(), user("wooo")).unwrap();
        served
    }

    /// The repository as wooo uses it.
    pub(crate) fn forge(&self) -> LocalForge {
        self.forges.open(&fleet(), user("wooo")).unwrap()
    }

    /// The bare repository.
    pub(crate) fn bare(&self) -> PathBuf {
        self.forges.path(&fleet())
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, user: &str) -> String {
        format!("http://{user}:token@{}/git/fleet.git", self.address)
    }

    /// A clone of somebody's, with the base branch in it, which gets its first commit if it has none.
    pub(crate) fn clone_of(&self, user: &str) -> Clone {
        let path = self.folder.path().join(format!("clone-{user}"));
        if !path.exists() {
            let url = self.url(user);
            output(self.folder.path(), ["clone", "--quiet", &url, &path.display().to_string()]);
        }
        let clone = Clone { path };
        clone.fetch();
        if output(&clone.path, ["branch", "--remotes", "--list", "origin/main"]).is_empty() {
            output(&clone.path, ["checkout", "--quiet", "-B", "main"]);
            clone.write("README");
            output(&clone.path, ["push", "--quiet", "origin", "main"]);
            clone.fetch();
        }
        clone
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that is asynchronous itself must not wait here.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn verdict(question: Question) -> Verdict {
    let basic = question.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let decoded = basic.and_then(|basic| base64::engine::general_purpose::STANDARD.decode(basic).ok());
    let Some(decoded) = decoded else { return Verdict::Unknown };
    let text = String::from_utf8(decoded).unwrap();
    let name = text.split(':').next().unwrap();
    match name {
        "stranger" => Verdict::Refused,
        "reader" if question.service == Service::Push => Verdict::Refused,
        "nobody-knows" => Verdict::Unavailable,
        // The names that wooo gives to Git on the other forges.
        "x-access-token" | "oauth2" => Verdict::Allowed { user: user("wooo"), is_service: true },
        name => Verdict::Allowed { user: user(name), is_service: name == "wooo" },
    }
}

/// A work tree of a person's.
pub(crate) struct Clone {
    pub(crate) path: PathBuf,
}

impl Clone {
    pub(crate) fn fetch(&self) {
        output(&self.path, ["fetch", "--quiet", "--prune", "origin"]);
    }

    /// Stands on a branch as the server has it, or on a new one that begins at the base.
    pub(crate) fn switch(&self, branch: &str) {
        self.fetch();
        let remote = format!("origin/{branch}");
        let is_there = !output(&self.path, ["branch", "--remotes", "--list", &remote]).is_empty();
        let start = if is_there { remote } else { "origin/main".to_owned() };
        output(&self.path, ["checkout", "--quiet", "-B", branch, &start]);
    }

    /// A commit of one file, whose content is never the same.
    pub(crate) fn write(&self, file: &str) -> CommitId {
        fs::write(self.path.join(file), format!("{file} {}", Timestamp::now())).unwrap();
        output(&self.path, ["add", "--all"]);
        output(&self.path, ["commit", "--quiet", "--message", file]);
        self.head()
    }

    pub(crate) fn head(&self) -> CommitId {
        output(&self.path, ["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub(crate) fn push(&self, arguments: &[&str]) -> Output {
        run(&self.path, &[&["push", "origin"], arguments].concat())
    }
}

/// What became of a `git` command. It may fail, and asks nobody anything.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    git(folder, arguments).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").output().unwrap()
}

pub(crate) fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "it did not fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
