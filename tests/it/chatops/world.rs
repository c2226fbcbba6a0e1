//! A service whose fleet people talk about: an app `shop` in two environments, and an open merge request about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use wooo::cluster::{Clusters, Timing as ClusterTiming};
use wooo::domain::fleet::{Delivery, Provider, SecretBackend};
use wooo::domain::{Action, AppName, ChangeId, ChangeState, EnvironmentName, Intent};
use wooo::files::FileTree as _;
use wooo::forge::{
    CommentId, Comments as _, LocalForge, LocalForges, MergeRequestNumber, MergeRequests as _, PageRequest, Permission,
    Reaction, User,
};
use wooo::git::{PreparedBlob, Repository, Signature, TreeEdits, message};
use wooo::jobs::{Workers, WorkersOptions};
use wooo::operations::change::{self, Options};
use wooo::operations::lifecycle::{self, FleetSource, LinkedRepository, ServedFleet, Service, Timing, Wish};
use wooo::operations::place::Place;
use wooo::operations::{Request, init};
use wooo::store::{Change, ChangeFilter, Paging, Store};

/// Whose which app is.
const TENANTS: &str = "tenants:
  growth: {apps: [shop], viewers: ['gitea:vera'], deployers: ['gitea:alice', 'gitea:rita', 'gitea:dora'], owners: []}
  core: {apps: [blog], deployers: ['gitea:bob']}
";

/// A service with its fleet.
pub(super) struct World {
    pub(super) service: Arc<Service>,
    pub(super) forge: LocalForge,
    /// The repository of the code of `shop`.
    pub(super) code: LocalForge,
    /// What the forge's clock is off by, in seconds.
    pub(super) offset: Arc<AtomicI64>,
    /// The merge request that people talk on, about `shop` in production, and its change.
    pub(super) number: MergeRequestNumber,
    pub(super) change: ChangeId,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

pub(super) fn user(login: &str) -> User {
    let id = format!("id-{}", login.replace(['[', ']'], "-"));
    User { id: id.parse().unwrap(), login: login.to_owned() }
}

fn asking() -> Request {
    Request {
        actor: "local:test".to_owned(),
        reason: None,
        now: Timestamp::now(),
        committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
        change_id: None,
    }
}

/// Writes a file on the synced branch, as a person would by a push.
pub(super) fn edit(folder: &std::path::Path, edit: impl Fn(&str) -> String) {
    let repository = Repository::open(folder).unwrap();
    let base = "main".parse().unwrap();
    let tip = repository.tip(&base).unwrap();
    let tree = repository.tree(tip).unwrap();
    let text = edit(&tree.read_text("fleet.yaml", 1 << 20).unwrap());
    let mut edits = TreeEdits::new();
    let mut writer = repository.writer();
    edits.put("fleet.yaml", writer.add(PreparedBlob::new(text.as_bytes())).unwrap()).unwrap();
    let written = writer.finish(Some(tree.id()), &edits).unwrap();
    let who = Signature { name: "t".to_owned(), email: "t@localhost".to_owned(), when: Timestamp::now() };
    let text = message("Edit the settings", "", &wooo::git::Trailers::new());
    let commit = repository.commit(written, &[tip], &who, &text).unwrap();
    repository.fast_forward(&base, commit, Some(tip)).unwrap();
}

fn start_fleet(folder: &std::path::Path) {
    let start = init::Start {
        url: "https://git.example.com/fleet.git".to_owned(),
        branch: "main".parse().unwrap(),
        bare: true,
        delivery: Delivery::Flux,
        provider: Provider::K3s,
        secrets: SecretBackend::default(),
        alert_webhook: None,
    };
    init::run(folder, &start, &asking()).unwrap();
    edit(folder, |text| text.replace("tenants: {}\n", TENANTS));
    let place = Place::open(folder).unwrap();
    for environment in ["staging", "production"] {
        let spec = "name: shop\nframework: flask\nimage: registry.example/shop:1.0.0\n".to_owned();
        let action = Action::Onboard { spec, file: "wooo.yaml".to_owned() };
        let intent = intent(environment, action);
        change::run(&place, &intent, &asking(), Options { merge: true, dry_run: false }).unwrap();
    }
}

pub(super) fn intent(environment: &str, action: Action) -> Intent {
    Intent { app: "shop".parse().unwrap(), environment: Some(environment.parse().unwrap()), action }
}

pub(super) fn deploy(version: &str) -> Action {
    Action::Deploy { image: format!("registry.example/shop:{version}").parse().unwrap() }
}

impl World {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let offset = Arc::new(AtomicI64::new(0));
        let own = Arc::clone(&offset);
        let clock = move || Timestamp::now() + SignedDuration::from_secs(own.load(Ordering::SeqCst));
        let forges = LocalForges::new(folder.path().join("git"), "http://localhost", Arc::new(clock));
        let making = tokio::task::spawn_blocking(move || {
            let branch = "main".parse().unwrap();
            let open = |name: &str, id: &str| {
                forges.create(&name.parse().unwrap(), &branch, id.parse().unwrap(), user("wooo")).unwrap()
            };
            let (fleet, code) = (open("fleet", "1"), open("shop", "2"));
            start_fleet(fleet.path());
            start_code(code.path());
            (fleet, code)
        });
        let (forge, code) = making.await.unwrap();
        for (login, permission) in [
            ("alice", Permission::Write),
            ("bob", Permission::Write),
            ("dora", Permission::Write),
            ("vera", Permission::Read),
            ("rita", Permission::Read),
        ] {
            forge.set_permission(user(login).id, permission).await.unwrap();
            code.set_permission(user(login).id, permission).await.unwrap();
        }
        let store = Store::open(&folder.path().join("wooo.db").display().to_string()).await.unwrap();
        let name: wooo::store::FleetName = "main".parse().unwrap();
        let fleet =
            ServedFleet::new(name.clone(), Arc::new(forge.clone()), FleetSource::Folder(forge.path().to_owned()))
                .with_accounts(lifecycle::Accounts::Gitea);
        let stop = CancellationToken::new();
        let link = LinkedRepository {
            name: "shop-code".to_owned(),
            forge: Arc::new(code.clone()),
            accounts: lifecycle::Accounts::Gitea,
            fleet: name.clone(),
            app: "shop".parse().unwrap(),
        };
        let service = Arc::new(Service {
            store,
            fleets: BTreeMap::from([(name, fleet)]),
            links: vec![link],
            clusters: Clusters::start([], ClusterTiming::default(), &stop),
            committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
            timing: Timing {
                follow: Duration::from_millis(100),
                refresh: Duration::from_secs(600),
                ..Timing::default()
            },
        });
        lifecycle::start(&service).await.unwrap();
        let options = WorkersOptions { idle: Duration::from_millis(50), ..WorkersOptions::new("test") };
        tokio::spawn(Workers::new(Arc::clone(&service), options).run(stop.clone()));
        let wish = Wish {
            fleet: "main".parse().unwrap(),
            intent: intent("production", deploy("1.1.0")),
            actor: "gitea:alice".to_owned(),
            reason: None,
            notes: Vec::new(),
        };
        let accepted = lifecycle::accept(&service, &wish).await.unwrap();
        let mut world = Self {
            service,
            forge,
            code,
            offset,
            number: MergeRequestNumber(0),
            change: accepted.change.id,
            stop,
            _folder: folder,
        };
        let id = world.change.clone();
        let change = world.until(&id, ChangeState::Proposed).await;
        world.number = MergeRequestNumber(u64::try_from(change.merge_request.unwrap()).unwrap());
        world
    }

    /// Waits until a change is in a state.
    pub(super) async fn until(&self, id: &ChangeId, state: ChangeState) -> Change {
        for _ in 0..600 {
            match self.service.store.change(id).await.unwrap() {
                Some(change) if change.state == state => return change,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("{id} is not {state}: {:?}", self.service.store.change(id).await.unwrap())
    }

    /// The newest change of `shop`.
    pub(super) async fn newest(&self) -> Change {
        let filter = ChangeFilter { app: Some("shop".parse::<AppName>().unwrap()), ..ChangeFilter::default() };
        let changes = self.service.store.changes(&filter, &Paging::default()).await.unwrap();
        changes.items.into_iter().next().unwrap()
    }

    pub(super) async fn count(&self) -> usize {
        self.service.store.changes(&ChangeFilter::default(), &Paging::default()).await.unwrap().items.len()
    }

    /// Has somebody write on the merge request, waits until it was read, and says what came of it.
    pub(super) async fn say(&self, login: &str, body: &str) -> Answered {
        self.say_on(&self.forge, "main", self.number, login, body).await
    }

    pub(super) async fn say_on(
        &self,
        forge: &LocalForge,
        source: &str,
        number: MergeRequestNumber,
        login: &str,
        body: &str,
    ) -> Answered {
        let comment = forge.acting_as(user(login)).comment(number, &body.into()).await.unwrap();
        self.read(source, number).await;
        self.answered(forge, number, comment.id).await
    }

    /// Has the comments of a merge request read.
    pub(super) async fn read(&self, source: &str, number: MergeRequestNumber) {
        let store = &self.service.store;
        // Times are kept to the millisecond.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let since = store.now().await.unwrap();
        lifecycle::converse_soon(&self.service, source, number).await.unwrap();
        for _ in 0..600 {
            let row = store.conversations(source).await.unwrap().get(&i64::try_from(number.0).unwrap()).copied();
            if row.is_some_and(|row| row.looked_at >= since) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("merge request {number} of {source} is not read")
    }

    /// What came of a comment.
    pub(super) async fn answered(&self, forge: &LocalForge, number: MergeRequestNumber, id: CommentId) -> Answered {
        let reactions = forge.reactions(number, id).await.unwrap();
        let own = reactions.into_iter().filter(|(_, by)| by.login == "wooo").map(|(kind, _)| kind).collect();
        let comments = forge.comments(number, PageRequest::first()).await.unwrap();
        let marker = format!("<!-- wooo reply {id} ");
        let replies: Vec<String> = comments
            .items
            .into_iter()
            .filter(|comment| comment.author.login == "wooo" && comment.body.starts_with(&marker))
            .map(|comment| comment.body.split_once('\n').unwrap().1.to_owned())
            .collect();
        assert!(replies.len() <= 1, "{replies:?}");
        Answered { reactions: own, reply: replies.into_iter().next() }
    }

    pub(super) async fn state(&self) -> wooo::forge::MergeRequestState {
        self.forge.get(self.number).await.unwrap().state
    }

    pub(super) fn production(&self) -> EnvironmentName {
        "production".parse().unwrap()
    }
}

fn start_code(folder: &std::path::Path) {
    let repository = Repository::open(folder).unwrap();
    let who = Signature { name: "t".to_owned(), email: "t@localhost".to_owned(), when: Timestamp::now() };
    let mut parent = None;
    for (branch, text) in [("main", "one"), ("wooo/feature", "two")] {
        let mut writer = repository.writer();
        let mut edits = TreeEdits::new();
        edits.put("readme", writer.add(PreparedBlob::new(text.as_bytes())).unwrap()).unwrap();
        let tree = writer.finish(None, &edits).unwrap();
        let parents: Vec<_> = parent.into_iter().collect();
        let commit = repository.commit(tree, &parents, &who, "x\n").unwrap();
        let branch = branch.parse().unwrap();
        match parent {
            None => repository.fast_forward(&branch, commit, None).unwrap(),
            Some(_) => repository.update_branch(&branch, commit, None).unwrap(),
        }
        parent = Some(commit);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What came of a comment.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) reactions: Vec<Reaction>,
    pub(super) reply: Option<String>,
}

impl Answered {
    /// The text of the reply, with what is another one each time left out.
    #[track_caller]
    pub(super) fn text(&self) -> String {
        let text = self.reply.as_deref().unwrap_or_else(|| panic!("there is no reply: {self:?}"));
        let id = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
        let commit = regex::Regex::new(r"\(([0-9a-f]{7,12})\)").unwrap();
        let text = id.replace_all(text, "{id}");
        commit.replace_all(&text, "({commit})").replace('\u{200b}', "{zwsp}").trim_end().to_owned()
    }

    /// The same on one line, without the quoted command.
    pub(super) fn line(&self) -> String {
        let word = |reaction: &Reaction| match reaction {
            Reaction::Eyes => "eyes",
            Reaction::ThumbsUp => "up",
            Reaction::ThumbsDown => "down",
            Reaction::Confused => "confused",
            Reaction::Rocket => "rocket",
        };
        let reactions: Vec<&str> = self.reactions.iter().map(word).collect();
        if self.reply.is_none() {
            return if reactions.is_empty() { "nothing".to_owned() } else { reactions.join(" ") };
        }
        let text = self.text();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('>'));
        format!("{} | {}", reactions.join(" "), lines.collect::<Vec<_>>().join(" / "))
    }
}

impl World {
    /// The newest change of `shop` in an environment.
    pub(super) async fn newest_in(&self, environment: &str) -> Change {
        let filter = ChangeFilter { environment: Some(environment.parse().unwrap()), ..ChangeFilter::default() };
        let changes = self.service.store.changes(&filter, &Paging::default()).await.unwrap();
        changes.items.into_iter().next().unwrap()
    }
}
