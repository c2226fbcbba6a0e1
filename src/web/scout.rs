//! Looking at the sources of new apps from within the service: a bounded number at once, on threads that may block.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::detect::Detection;
use crate::domain::{Framework, Problem};
use crate::git::{Access, Network, NetworkPolicy, Remote, RemoteUrl};
use crate::operations::source::{Look, look_at_remote};

/// How long a request waits for its turn before it is told to come back.
const TURN: Duration = Duration::from_secs(5);

/// The way to the sources of apps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scout(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    policy: NetworkPolicy,
    network: OnceLock<Network>,
    turns: Arc<Semaphore>,
}

impl Scout {
    /// Looks at sources by these rules, `at_once` at the same time.
    #[must_use]
    pub fn new(policy: NetworkPolicy, at_once: usize) -> Self {
        let turns = Arc::new(Semaphore::new(at_once.max(1)));
        Self(Arc::new(Inner { policy, network: OnceLock::new(), turns }))
    }

    /// What the source at `url` is built with.
    ///
    /// # Errors
    /// `service.busy` if too many are being looked at; what the URL, the network, the remote or detection refuses.
    pub async fn look(&self, url: &str, framework: Option<Framework>) -> Result<Detection, Problem> {
        let url =
            RemoteUrl::parse(url, &self.0.policy.urls).map_err(|error| Problem::from(error).field("source_url"))?;
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.0.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::new("service.busy", "too many sources are being looked at").hint("try again"));
        };
        let inner = Arc::clone(&self.0);
        let looking = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.look(url, framework)
        });
        looking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "looking at a source ended early");
            Err(Problem::new("service.interrupted", "looking at the source ended early"))
        })
    }
}

impl Inner {
    fn look(&self, url: RemoteUrl, framework: Option<Framework>) -> Result<Detection, Problem> {
        // It may only be made where a thread may block.
        let network = match self.network.get() {
            Some(network) => network,
            None => {
                let made = Network::new(self.policy.clone())?;
                self.network.get_or_init(|| made)
            }
        };
        let scratch = tempfile::tempdir()
            .map_err(|error| Problem::new("files.unwritable", format!("no temporary folder can be made: {error}")))?;
        let remote = Remote::new(url, Access::Anonymous, network);
        let look = Look { root: String::new(), framework };
        look_at_remote(&remote, scratch.path(), &look).map_err(about_the_source)
    }
}

/// A problem of looking, in terms of who named the source: that it cannot be read is no fault of this service, and
/// naming the framework does without.
fn about_the_source(problem: Problem) -> Problem {
    match problem.code {
        "git.unreachable" | "git.timeout" | "git.auth" | "git.rejected" => {
            Problem::new("source.unreachable", problem.detail)
                .field("source_url")
                .hint("check the URL, or name the `framework`: then the source need not be looked at")
        }
        _ if problem.field.is_none() => problem.field("source_url"),
        _ => problem,
    }
}
