//! Forges that are spoken to over HTTP: one model, which is the local forge on real repositories, and for each forge a
//! thin dialect in front of it. What happens on the way (limits, failures, answers that are lost) happens here, to every
//! dialect alike.

pub(crate) mod gitea;
pub(crate) mod github;
pub(crate) mod gitlab;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use wooo::forge::{Forge, LocalForge, MergeRequestNumber, Permission, Protection, RepositoryId, RepositoryPath, User};
use wooo::git::CommitId;

use super::conformance::Harness;
use super::server::{Served, fleet};
use crate::git::output;

/// The token that wooo uses, which must never show in a message.
pub(crate) const TOKEN: &str = "canary-token-of-wooo";

/// What a forge is, beyond what all of them have in common.
#[async_trait]
pub(crate) trait Dialect: Send + Sync + 'static {
    /// What the path of a request that opens a merge request ends with.
    const OPEN: &'static str;
    /// What the path of a request that writes a comment ends with.
    const COMMENT: &'static str;
    /// The method of a request that merges, whose path ends with `/merge`.
    const MERGE: Method;

    /// Its API, as far as wooo uses it. The paths begin where the base URL of the API does.
    fn router(world: Arc<World>) -> Router;
    /// How it says that there were too many requests, for so many seconds.
    fn limited(seconds: u64) -> Response;
    /// A client of this forge at `http://<address>`, for the repository at `path`, which must be the one with that id if
    /// one is given.
    async fn connect(
        address: &str,
        token: &str,
        path: RepositoryPath,
        id: Option<RepositoryId>,
    ) -> Result<Arc<dyn Forge>, wooo::forge::Error>;
}

/// What happens to requests.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// This status, with a JSON body.
    Status(u16),
    /// The page of a proxy that stands before the forge, with this status.
    Page(u16),
    /// Too many requests, for so many seconds.
    Limited(u64),
    /// It is done, and the answer is lost.
    AnswerLost,
}

/// A failure of the next so many requests of that method to a path that holds the text.
#[derive(Clone, Debug)]
struct Fault {
    method: Method,
    path: &'static str,
    times: u32,
    failure: Failure,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The forge's people, its one repository, and what came in.
pub(crate) struct World {
    pub(crate) served: Served,
    state: Mutex<Inner>,
    limited: fn(u64) -> Response,
}

struct Inner {
    /// By numeric id.
    people: BTreeMap<u64, String>,
    /// What the repository is called now, and was called before.
    names: Vec<String>,
    /// The id that the repository has.
    id: u64,
    faults: Vec<Fault>,
    seen: Vec<Seen>,
}

/// The numeric id of wooo's own account.
pub(crate) const ME: u64 = 100;

impl World {
    fn new(limited: fn(u64) -> Response) -> Self {
        let served = Served::new();
        served.clone_of("human");
        let inner = Inner {
            people: BTreeMap::from([(ME, "wooo".to_owned())]),
            names: vec!["acme/fleet".to_owned()],
            id: 4711,
            faults: Vec::new(),
            seen: Vec::new(),
        };
        Self { served, state: Mutex::new(inner), limited }
    }

    fn state(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }

    /// The repository as the owner of a token uses it: `canary-token-of-wooo`, or `token-of-<numeric id>`.
    pub(crate) fn acting(&self, token: &str) -> Option<LocalForge> {
        let id = if token == TOKEN { ME } else { token.strip_prefix("token-of-")?.parse().ok()? };
        Some(self.model().acting_as(self.user(id)?))
    }

    /// The repository, as wooo.
    pub(crate) fn model(&self) -> LocalForge {
        let me = self.user(ME).unwrap();
        self.served.forges.open(&fleet(), me).unwrap()
    }

    /// Somebody by their numeric id.
    pub(crate) fn user(&self, id: u64) -> Option<User> {
        let login = self.state().people.get(&id)?.clone();
        Some(User { id: id.to_string().parse().unwrap(), login })
    }

    /// Somebody by their login.
    pub(crate) fn user_called(&self, login: &str) -> Option<User> {
        let id = self.state().people.iter().find(|(_, name)| *name == login).map(|(id, _)| *id)?;
        self.user(id)
    }

    /// Makes somebody, whose numeric id is new.
    pub(crate) fn add_person(&self, login: &str) -> User {
        let id = {
            let mut state = self.state();
            let id = state.people.keys().max().unwrap() + 1;
            state.people.insert(id, login.to_owned());
            id
        };
        self.user(id).unwrap()
    }

    /// What the repository is called now.
    pub(crate) fn name(&self) -> String {
        self.state().names.last().unwrap().clone()
    }

    /// Whether it was called so before: forges lead from there to the new name.
    pub(crate) fn was_called(&self, name: &str) -> bool {
        let state = self.state();
        state.names.iter().rev().skip(1).any(|old| old == name)
    }

    /// Gives the repository another name.
    pub(crate) fn rename(&self, name: &str) {
        self.state().names.push(name.to_owned());
    }

    /// Puts another repository in its place, under the same name.
    pub(crate) fn replace(&self) {
        self.state().id += 1;
    }

    /// The repository's numeric id.
    pub(crate) fn id(&self) -> u64 {
        self.state().id
    }

    /// Lets the next requests fail.
    pub(crate) fn fail(&self, method: Method, path: &'static str, times: u32, failure: Failure) {
        self.state().faults.push(Fault { method, path, times, failure });
    }

    /// Lets no more requests fail.
    pub(crate) fn mend(&self) {
        self.state().faults.clear();
    }

    /// The requests that came since this was last asked.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// Failures that nobody met.
    pub(crate) fn unmet(&self) -> usize {
        self.state().faults.len()
    }

    fn next_failure(&self, method: &Method, path: &str) -> Option<Failure> {
        let mut state = self.state();
        let at = state.faults.iter().position(|fault| fault.method == *method && path.contains(fault.path))?;
        let fault = &mut state.faults[at];
        fault.times -= 1;
        let failure = fault.failure.clone();
        if fault.times == 0 {
            state.faults.remove(at);
        }
        Some(failure)
    }
}

/// Everything that comes in is written down, and may fail before or after it is done.
async fn on_the_way(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 * 1024 * 1024).await.unwrap();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let seen = Seen { method: parts.method.clone(), path, headers: parts.headers.clone(), body: body.clone() };
    let failure = world.next_failure(&seen.method, &seen.path);
    world.state().seen.push(seen);
    let json = [(header::CONTENT_TYPE, "application/json")];
    match failure {
        None => next.run(Request::from_parts(parts, Body::from(body))).await,
        Some(Failure::Status(status)) => {
            (StatusCode::from_u16(status).unwrap(), json, r#"{"message":"it does not work"}"#).into_response()
        }
        Some(Failure::Page(status)) => {
            let page = [(header::CONTENT_TYPE, "text/html")];
            (StatusCode::from_u16(status).unwrap(), page, "<html><h1>the unicorn is sad</h1></html>").into_response()
        }
        Some(Failure::Limited(seconds)) => (world.limited)(seconds),
        Some(Failure::AnswerLost) => {
            let _lost = next.run(Request::from_parts(parts, Body::from(body))).await;
            (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], "<html>bad gateway</html>").into_response()
        }
    }
}

/// A forge of that dialect, until it is dropped.
pub(crate) struct Remote<D> {
    pub(crate) world: Arc<World>,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
    forge: Arc<dyn Forge>,
    dialect: std::marker::PhantomData<fn() -> D>,
}

impl<D: Dialect> Remote<D> {
    pub(crate) async fn new() -> Self {
        wooo::cluster::install_crypto_provider();
        let world = Arc::new(World::new(D::limited));
        world.model().set_permission(ME.to_string().parse().unwrap(), Permission::Write).await.unwrap();
        let app = D::router(Arc::clone(&world)).layer(from_fn_with_state(Arc::clone(&world), on_the_way));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let path = world.name().parse().unwrap();
        let id = Some(world.id().to_string().parse().unwrap());
        let forge = D::connect(&format!("http://{address}"), TOKEN, path, id).await.unwrap();
        Self { world, address, server, forge, dialect: std::marker::PhantomData }
    }

    /// Where its API is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Another client, of whoever owns the token, which expects the repository with that id under the first name.
    pub(crate) async fn connect(&self, token: &str, id: Option<u64>) -> Result<Arc<dyn Forge>, wooo::forge::Error> {
        let id = id.map(|id| id.to_string().parse().unwrap());
        D::connect(&format!("http://{}", self.address), token, "acme/fleet".parse().unwrap(), id).await
    }
}

impl<D> Drop for Remote<D> {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[async_trait]
impl<D: Dialect> Harness for Remote<D> {
    fn forge(&self) -> Arc<dyn Forge> {
        Arc::clone(&self.forge)
    }

    fn forge_as(&self, user: &User) -> Arc<dyn Forge> {
        let token = format!("token-of-{}", user.id);
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.connect(&token, Some(self.world.id()))).unwrap()
        })
    }

    async fn person(&self, login: &str, permission: Permission) -> User {
        let person = self.world.add_person(login);
        self.world.model().set_permission(person.id.clone(), permission).await.unwrap();
        person
    }

    async fn push(&self, branch: &str, file: &str) -> CommitId {
        let clone = self.world.served.clone_of("human");
        clone.switch(branch);
        let commit = clone.write(file);
        assert!(clone.push(&[branch]).status.success());
        commit
    }

    async fn rewrite(&self, branch: &str, file: &str) -> CommitId {
        let clone = self.world.served.clone_of("human");
        output(&clone.path, ["checkout", "--quiet", "-B", branch, "origin/main"]);
        let commit = clone.write(file);
        assert!(clone.push(&["--force", branch]).status.success());
        commit
    }

    async fn reset(&self, branch: &str) {
        let clone = self.world.served.clone_of("human");
        assert!(clone.push(&["--force", &format!("origin/main:refs/heads/{branch}")]).status.success());
    }

    async fn delete(&self, branch: &str) {
        assert!(self.world.served.clone_of("human").push(&["--delete", branch]).status.success());
    }

    async fn push_to_base(&self, branch: &str) {
        let clone = self.world.served.clone_of("human");
        assert!(clone.push(&[&format!("origin/{branch}:refs/heads/main")]).status.success());
    }

    async fn protect(&self, protection: Protection) {
        self.world.model().set_protection("main".parse().unwrap(), protection).await.unwrap();
    }

    async fn approve(&self, user: &User, number: MergeRequestNumber, head: CommitId) {
        self.world.model().acting_as(user.clone()).approve(number, head).await.unwrap();
    }
}

/// How long a client may take over what it tries again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
