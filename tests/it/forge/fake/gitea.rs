//! The dialect of Gitea and Forgejo: their API's paths, shapes and status codes in front of the model, as far as wooo uses
//! them. Times are finer here than there, where they are whole seconds: a test is faster than that.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::extract::{FromRequestParts, Path, Query, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};
use wooo::forge::{
    Comment, CommentId, Comments, Edit, Error, Filter, Forge, Gitea, LocalForge, MergeRequest, MergeRequestNumber,
    MergeRequestState, MergeRequests, NewMergeRequest, NewStatus, PageRequest, Permission, Reaction, RepositoryId,
    RepositoryInfo, RepositoryPath, Rights, Statuses, User,
};
use wooo::git::{BranchName, CommitId, Repository};

use super::{Dialect, World};
use crate::git::{git, output};

/// As many entries as a page has at most, unless its settings say otherwise.
const MOST: usize = 50;

pub(crate) struct GiteaDialect;

#[async_trait]
impl Dialect for GiteaDialect {
    const OPEN: &'static str = "/pulls";
    const COMMENT: &'static str = "/comments";
    const MERGE: Method = Method::POST;

    fn router(world: Arc<World>) -> Router {
        let repository = Router::new()
            .route("/", get(repository))
            .route("/branches/{*branch}", get(branch))
            .route("/commits", get(commits))
            .route("/git/commits/{sha}", get(commit))
            .route("/git/refs/{*name}", get(reference))
            .route("/labels", get(labels).post(make_label))
            .route("/pulls", get(list).post(open))
            .route("/pulls/{number}", get(pull).patch(change))
            .route("/pulls/{number}/{*head}", get(pull_of))
            .route("/pulls/{number}/merge", post(merge))
            .route("/pulls/{number}/reviews", get(reviews))
            .route("/pulls/{number}/requested_reviewers", post(ask_reviewers).delete(spare_reviewers))
            .route("/issues/{number}/timeline", get(timeline))
            .route("/issues/{number}/comments", get(comments).post(make_comment))
            .route("/issues/comments/{id}", get(comment).patch(edit_comment))
            .route("/issues/comments/{id}/reactions", get(reactions).post(react))
            .route("/statuses/{sha}", get(statuses).post(set_status))
            .route("/collaborators/{login}/permission", get(permission));
        let api = Router::new()
            .route("/settings/api", get(settings))
            .route("/user", get(myself))
            .route("/users/search", get(search))
            .route("/repositories/{id}", get(by_id))
            .nest("/repos/{owner}/{repo}", repository);
        let fake = Fake { world, labels: Arc::default(), merges: Arc::default(), looked: Arc::default() };
        Router::new().nest("/api/v1", api).with_state(fake)
    }

    fn limited(seconds: u64) -> Response {
        let headers = [(header::RETRY_AFTER, seconds.to_string())];
        (StatusCode::TOO_MANY_REQUESTS, headers, Json(json!({"message": "slow down"}))).into_response()
    }

    async fn connect(
        address: &str,
        token: &str,
        path: RepositoryPath,
        id: Option<RepositoryId>,
    ) -> Result<Arc<dyn Forge>, Error> {
        Gitea::new(address, SecretString::from(token))?.repository(&path, id.as_ref()).await
    }
}

#[derive(Clone)]
struct Fake {
    world: Arc<World>,
    /// Names; an id is a place in it, counted from 1.
    labels: Arc<Mutex<Vec<String>>>,
    /// The merges by the button, by number: the commit that was made, and by whom.
    merges: Arc<Mutex<HashMap<u64, (CommitId, User)>>>,
    /// The merge requests of which it has been asked whether they can be merged.
    looked: Arc<Mutex<BTreeSet<u64>>>,
}

/// The title of a merge request that the forge looks at no sooner than it is asked to merge it.
pub(crate) const SLOW: &str = "slow";

type Answered = Result<Response, Response>;
type Asked = Query<HashMap<String, String>>;

fn says(status: u16, message: &str) -> Response {
    let body = json!({"message": message, "url": "https://git.example/api/swagger"});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn absent() -> Response {
    says(404, "The target couldn't be found.")
}

/// What the model refuses.
fn refused(error: Error) -> Response {
    let status = match &error {
        Error::NotFound { .. } => 404,
        Error::Forbidden { .. } => 403,
        Error::Exists { .. } | Error::HeadMoved { .. } | Error::Conflict => 409,
        Error::NotOpen { .. } => 412,
        Error::Invalid { .. } => 422,
        other => panic!("{other}"),
    };
    says(status, &error.to_string())
}

/// A page of a list, and how many entries it has in all.
fn paged(entries: Vec<Value>, asked: &HashMap<String, String>) -> Response {
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let (page, limit) = (number("page").unwrap_or(1), number("limit").unwrap_or(30).min(MOST));
    let total = entries.len();
    let items: Vec<Value> = entries.into_iter().skip((page - 1) * limit).take(limit).collect();
    ([("x-total-count", total.to_string())], Json(items)).into_response()
}

/// Who asks, if the token is somebody's.
struct Caller(LocalForge, Fake);

impl FromRequestParts<Fake> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, fake: &Fake) -> Result<Self, Response> {
        let header =
            parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("token "));
        let acting = header.and_then(|token| fake.world.acting(token));
        acting.map(|acting| Self(acting, fake.clone())).ok_or_else(|| says(401, "invalid username, password or token"))
    }
}

/// The repository as the caller uses it, if the address leads to it.
struct Here {
    forge: LocalForge,
    fake: Fake,
}

impl FromRequestParts<Fake> for Here {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, fake: &Fake) -> Result<Self, Response> {
        let Caller(forge, fake) = Caller::from_request_parts(parts, fake).await?;
        let params = RawPathParams::from_request_parts(parts, &fake).await.map_err(IntoResponse::into_response)?;
        let param =
            |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap();
        let name = format!("{}/{}", param("owner"), param("repo"));
        if fake.world.name() == name {
            return Ok(Self { forge, fake });
        }
        if !fake.world.was_called(&name) {
            return Err(absent());
        }
        let uri =
            parts.extensions.get::<axum::extract::OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        let to = uri.to_string().replacen(&name, &fake.world.name(), 1);
        Err((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response())
    }
}

impl Here {
    fn git(&self) -> Repository {
        Repository::open(self.fake.world.served.bare()).unwrap()
    }

    async fn get(&self, number: &str) -> Result<MergeRequest, Response> {
        let number = number.parse().map_err(|_| absent())?;
        self.forge.get(MergeRequestNumber(number)).await.map_err(refused)
    }

    async fn all(&self) -> Vec<MergeRequest> {
        let (mut found, mut page) = (Vec::new(), Some(PageRequest::first()));
        while let Some(request) = page {
            let more = self.forge.list(&Filter::default(), request).await.unwrap();
            found.extend(more.items);
            page = more.next;
        }
        found
    }

    /// A comment, and the number of its merge request.
    async fn comment(&self, id: u64) -> Result<(MergeRequestNumber, Comment), Response> {
        for request in self.all().await {
            let comments = self.forge.comments(request.number, PageRequest::first()).await.unwrap();
            if let Some(found) = comments.items.into_iter().find(|comment| comment.id == CommentId(id)) {
                return Ok((request.number, found));
            }
        }
        Err(absent())
    }

    fn label_id(&self, name: &str) -> usize {
        let mut labels = self.fake.labels.lock().unwrap();
        let at = labels.iter().position(|known| known == name).unwrap_or_else(|| {
            labels.push(name.to_owned());
            labels.len() - 1
        });
        at + 1
    }

    fn label(&self, name: &str) -> Value {
        json!({"id": self.label_id(name), "name": name, "color": "00aabb", "description": "", "is_archived": false})
    }

    fn label_names(&self, ids: &Value) -> BTreeSet<wooo::forge::Label> {
        let labels = self.fake.labels.lock().unwrap();
        let ids = ids.as_array().unwrap().iter().map(|id| usize::try_from(id.as_u64().unwrap()).unwrap());
        ids.map(|id| labels[id - 1].parse().unwrap()).collect()
    }

    fn json(&self, request: &MergeRequest) -> Value {
        let (git, world) = (self.git(), &self.fake.world);
        let base = git.resolve(&request.target).unwrap();
        let tip = git.resolve(&request.source).unwrap();
        let is_open = request.state == MergeRequestState::Open;
        // The branch's tip, whatever was merged or closed, as long as there is a branch.
        let head = if is_open { request.head } else { tip.unwrap_or(request.head) };
        let head_ref = match request.source_exists {
            true => request.source.to_string(),
            false => format!("refs/pull/{}/head", request.number),
        };
        let merge_base = match request.merged {
            Some(_) => git.commit_info(request.head).unwrap().parents.first().copied(),
            None => base.and_then(|base| git.merge_base(base, request.head).unwrap()),
        };
        let title = if request.draft { format!("WIP: {}", request.title) } else { request.title.clone() };
        let is_merged = request.state == MergeRequestState::Merged;
        let by_button = self.fake.merges.lock().unwrap().get(&request.number.0).cloned();
        // Nobody knows who pushed; the forge takes the owner, or whoever wrote the commit.
        let by_push = || (request.merged, request.author.clone());
        let (merge_commit, merged_by) = by_button.map_or_else(by_push, |(commit, user)| (Some(commit), user));
        let url = format!("{}/{}/pulls/{}", world.served.origin(), world.name(), request.number);
        let reviewers = request.reviewers.iter().map(|login| person(&world.user_called(login).unwrap()));
        json!({
            "id": 1000 + request.number.0, "url": url, "number": request.number, "user": person(&request.author),
            "title": title, "body": request.body, "draft": request.draft,
            "labels": request.labels.iter().map(|name| self.label(name)).collect::<Vec<_>>(),
            "milestone": null, "assignee": null, "assignees": null,
            "requested_reviewers": reviewers.collect::<Vec<_>>(), "requested_reviewers_teams": null,
            "state": if is_open { "open" } else { "closed" }, "is_locked": false, "comments": 0,
            "html_url": url, "mergeable": is_open, "merged": is_merged,
            "merged_at": is_merged.then_some(request.updated),
            "merge_commit_sha": merge_commit.filter(|_| is_merged),
            "merged_by": is_merged.then(|| person(&merged_by)),
            "base": {"label": request.target, "ref": request.target, "sha": base, "repo_id": world.id(), "repo": self.repository()},
            "head": {"label": request.source, "ref": head_ref, "sha": head, "repo_id": world.id(), "repo": self.repository()},
            "merge_base": merge_base, "due_date": null,
            "created_at": request.created, "updated_at": request.updated,
            "closed_at": (!is_open).then_some(request.updated),
        })
    }

    fn repository(&self) -> Value {
        repository_json(&self.fake.world)
    }
}

fn person(user: &User) -> Value {
    json!({
        "id": user.id.as_str().parse::<u64>().unwrap(), "login": user.login, "login_name": "", "full_name": "",
        "email": format!("{}@noreply.example", user.login), "is_admin": false, "active": true, "visibility": "public",
    })
}

fn repository_json(world: &World) -> Value {
    let (name, origin) = (world.name(), world.served.origin());
    json!({
        "id": world.id(), "name": name.split('/').nth(1), "full_name": name, "private": true, "fork": false,
        "owner": {"id": 7, "login": name.split('/').next()}, "empty": false, "archived": false,
        "default_branch": "main", "html_url": format!("{origin}/{name}"), "clone_url": format!("{origin}/git/fleet.git"),
    })
}

async fn settings() -> Response {
    Json(json!({"max_response_items": MOST, "default_paging_num": 30, "default_git_trees_per_page": 1000}))
        .into_response()
}

async fn myself(Caller(forge, _): Caller) -> Response {
    Json(person(&forge.myself().await.unwrap())).into_response()
}

async fn search(Caller(_, fake): Caller, Query(asked): Asked) -> Response {
    let found = fake.world.user(asked["uid"].parse().unwrap());
    Json(json!({"ok": true, "data": found.iter().map(person).collect::<Vec<_>>()})).into_response()
}

async fn by_id(Caller(_, fake): Caller, Path(id): Path<u64>) -> Answered {
    if fake.world.id() == id { Ok(Json(repository_json(&fake.world)).into_response()) } else { Err(absent()) }
}

async fn repository(here: Here) -> Response {
    Json(here.repository()).into_response()
}

async fn branch(here: Here, Path((_, _, name)): Path<(String, String, BranchName)>) -> Answered {
    let tip = here.git().resolve(&name).unwrap().ok_or_else(absent)?;
    let asked = here.forge.protection(&name).await.map_err(refused)?;
    let (checks, approvals) = (&asked.required_checks, asked.required_approvals);
    let body = json!({
        "name": name, "commit": {"id": tip, "message": ""}, "protected": approvals > 0 || !checks.is_empty(),
        "required_approvals": approvals, "enable_status_check": !checks.is_empty(), "status_check_contexts": checks,
        "user_can_push": true, "user_can_merge": true, "effective_branch_protection_name": "",
    });
    Ok(Json(body).into_response())
}

async fn commits(here: Here, Query(asked): Asked) -> Answered {
    let folder = here.fake.world.served.bare();
    let listed = git(&folder, ["rev-list", &asked["sha"], "--not", &asked["not"]]).output().unwrap();
    if !listed.status.success() {
        return Err(absent());
    }
    let listed = String::from_utf8(listed.stdout).unwrap();
    Ok(paged(listed.lines().map(|sha| json!({"sha": sha, "commit": {"message": ""}})).collect(), &asked))
}

fn known(here: &Here, sha: CommitId) -> Result<(), Response> {
    here.git().commit_info(sha).map(|_| ()).map_err(|_| absent())
}

async fn commit(here: Here, Path((_, _, sha)): Path<(String, String, CommitId)>) -> Answered {
    known(&here, sha)?;
    Ok(Json(json!({"sha": sha})).into_response())
}

async fn reference(here: Here, Path((_, _, name)): Path<(String, String, String)>) -> Answered {
    let number = name.strip_prefix("pull/").and_then(|rest| rest.strip_suffix("/head")).ok_or_else(absent)?;
    let head = here.get(number).await?.head;
    Ok(Json(json!({"ref": format!("refs/{name}"), "url": "", "object": {"type": "commit", "sha": head, "url": ""}}))
        .into_response())
}

async fn labels(here: Here, Query(asked): Asked) -> Response {
    let names = here.fake.labels.lock().unwrap().clone();
    paged(names.iter().map(|name| here.label(name)).collect(), &asked)
}

async fn make_label(here: Here, Json(body): Json<Value>) -> Response {
    assert!(body["color"].as_str().unwrap().starts_with('#'));
    // One of the same name would be another one.
    let name = body["name"].as_str().unwrap();
    assert!(!here.fake.labels.lock().unwrap().iter().any(|known| known == name), "{name} is made twice");
    (StatusCode::CREATED, Json(here.label(name))).into_response()
}

async fn list(here: Here, Query(asked): Asked) -> Response {
    let mut found = here.all().await;
    found.retain(|request| {
        let is_open = request.state == MergeRequestState::Open;
        let is_state = match asked.get("state").map_or("open", String::as_str) {
            "open" => is_open,
            "closed" => !is_open,
            _ => true,
        };
        is_state && asked.get("base_branch").is_none_or(|base| request.target.as_str() == base)
    });
    if asked.get("sort").is_some_and(|sort| sort == "recentupdate") {
        found.sort_by_key(|request| std::cmp::Reverse(request.updated));
    }
    paged(found.iter().map(|request| here.json(request)).collect(), &asked)
}

async fn open(here: Here, Json(body): Json<Value>) -> Answered {
    let branch = |name: &str| body[name].as_str().unwrap().parse::<BranchName>().map_err(|_| absent());
    let (source, target) = (branch("head")?, branch("base")?);
    if here.git().resolve(&source).unwrap().is_none() || here.git().resolve(&target).unwrap().is_none() {
        return Err(absent());
    }
    let title = body["title"].as_str().unwrap();
    let new = NewMergeRequest {
        source,
        target,
        title: title.strip_prefix("WIP: ").unwrap_or(title).into(),
        body: body["body"].as_str().unwrap().into(),
        labels: here.label_names(&body["labels"]),
        reviewers: BTreeSet::new(),
        draft: title.starts_with("WIP: "),
    };
    let made = here.forge.open(&new).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(here.json(&made))).into_response())
}

async fn pull(here: Here, Path((_, _, number)): Path<(String, String, String)>) -> Answered {
    let found = here.get(&number).await?;
    Ok(Json(here.json(&found)).into_response())
}

/// Of several merge requests of two branches, whichever the database comes upon: the oldest, as a rule.
async fn pull_of(here: Here, Path((_, _, base, head)): Path<(String, String, String, String)>) -> Answered {
    let found = here.all().await.into_iter().rev();
    let found = found.into_iter().find(|found| found.target.as_str() == base && found.source.as_str() == head);
    Ok(Json(here.json(&found.ok_or_else(absent)?)).into_response())
}

async fn change(here: Here, Path((_, _, number)): Path<(String, String, String)>, Json(body): Json<Value>) -> Answered {
    let now = here.get(&number).await?;
    let title = body["title"].as_str().map(|title| title.strip_prefix("WIP: ").unwrap_or(title).into());
    let labels = body.get("labels").map(|ids| here.label_names(ids));
    let edit = Edit { title, body: body["body"].as_str().map(Into::into), labels, reviewers: None };
    let mut changed = here.forge.update(now.number, &edit).await.map_err(refused)?;
    match body["state"].as_str() {
        Some("closed") => changed = here.forge.close(now.number).await.map_err(refused)?,
        Some("open") => changed = here.forge.reopen(now.number).await.map_err(refused)?,
        _ => {}
    }
    Ok((StatusCode::CREATED, Json(here.json(&changed))).into_response())
}

async fn merge(here: Here, Path((_, _, number)): Path<(String, String, String)>, Json(body): Json<Value>) -> Answered {
    assert_eq!((&body["Do"], body.get("force_merge")), (&json!("merge"), None));
    let now = here.get(&number).await?;
    match now.state {
        MergeRequestState::Closed => return Err(absent()),
        MergeRequestState::Merged => return Err(says(405, "")),
        MergeRequestState::Open => {}
    }
    if now.title == SLOW && here.fake.looked.lock().unwrap().insert(now.number.0) {
        return Err(says(405, "Please try again later"));
    }
    let me = here.forge.myself().await.unwrap();
    let (git, folder) = (here.git(), here.fake.world.served.bare());
    let tip = |branch: &BranchName| git.resolve(branch).unwrap().ok_or_else(absent);
    let (head, base) = (tip(&now.source)?, tip(&now.target)?);
    if body["head_commit_id"] != json!(head) {
        return Err(says(409, "head out of date"));
    }
    // It would put together what can be, and asks for nothing here: what is required, wooo has to see itself.
    if !git.is_ancestor(base, head).unwrap() {
        return Err(says(409, "merge conflict"));
    }
    let run = |arguments: &[&str]| output(&folder, arguments);
    let (head_id, base_id) = (head.to_string(), base.to_string());
    let (tree, message) = (format!("{head_id}^{{tree}}"), format!("Merge #{number}"));
    let made = run(&["commit-tree", &tree, "-p", &base_id, "-p", &head_id, "-m", &message]);
    run(&["update-ref", now.target.to_ref().as_str(), &made, &base_id]);
    here.fake.merges.lock().unwrap().insert(now.number.0, (made.parse().unwrap(), me));
    Ok(StatusCode::OK.into_response())
}

async fn reviews(here: Here, Path((_, _, number)): Path<(String, String, String)>, Query(asked): Asked) -> Answered {
    let now = here.get(&number).await?;
    let mut found = Vec::new();
    for approval in here.forge.approvals(now.number).await.map_err(refused)? {
        let official = here.forge.permission(&approval.user.id).await.unwrap() >= Permission::Write;
        // Who has approved goes on talking.
        for state in ["APPROVED", "COMMENT"] {
            found.push(json!({
                "id": found.len() + 1, "user": person(&approval.user), "team": null, "state": state, "body": "",
                "commit_id": approval.commit, "stale": approval.commit != Some(now.head),
                "official": official && state == "APPROVED", "dismissed": false, "comments_count": 0,
                "submitted_at": approval.at, "updated_at": approval.at,
            }));
        }
    }
    Ok(paged(found, &asked))
}

async fn change_reviewers(here: &Here, number: &str, body: &Value, is_asked: bool) -> Result<(), Response> {
    let now = here.get(number).await?;
    let mut reviewers = now.reviewers.clone();
    for login in body["reviewers"].as_array().into_iter().flatten().map(|login| login.as_str().unwrap()) {
        let user = here.fake.world.user_called(login).ok_or_else(|| says(404, "UserNotExist"))?;
        if user == now.author {
            return Err(says(422, "poster of pr can't be reviewer"));
        }
        if is_asked {
            reviewers.insert(user.login)
        } else {
            reviewers.remove(login)
        };
    }
    let edit = Edit { reviewers: Some(reviewers), ..Edit::default() };
    here.forge.update(now.number, &edit).await.map(|_| ()).map_err(refused)
}

async fn ask_reviewers(
    here: Here,
    Path((_, _, number)): Path<(String, String, String)>,
    Json(body): Json<Value>,
) -> Answered {
    change_reviewers(&here, &number, &body, true).await?;
    Ok((StatusCode::CREATED, Json(json!([]))).into_response())
}

async fn spare_reviewers(
    here: Here,
    Path((_, _, number)): Path<(String, String, String)>,
    Json(body): Json<Value>,
) -> Answered {
    change_reviewers(&here, &number, &body, false).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn timeline(here: Here, Path((_, _, number)): Path<(String, String, String)>, Query(asked): Asked) -> Answered {
    let now = here.get(&number).await?;
    let since = asked["since"].parse::<jiff::Timestamp>().unwrap();
    let event =
        |kind: &str, user: &User| json!({"id": 1, "type": kind, "user": person(user), "created_at": now.updated});
    let mut events: Vec<Value> = Vec::new();
    events.extend(now.closed_by.iter().filter(|_| since <= now.updated).map(|user| event("close", user)));
    events.push(event("comment", &now.author));
    Ok(Json(events).into_response())
}

fn comment_json(here: &Here, number: MergeRequestNumber, comment: &Comment) -> Value {
    let url = format!("{}/{}/pulls/{number}", here.fake.world.served.origin(), here.fake.world.name());
    json!({
        "id": comment.id, "html_url": format!("{url}#issuecomment-{}", comment.id), "pull_request_url": url,
        "issue_url": "", "user": person(&comment.author), "original_author": "", "original_author_id": 0,
        "body": comment.body, "assets": [], "created_at": comment.created, "updated_at": comment.updated,
    })
}

/// All of them, whichever page is asked for. An issue that is absent is a failure of the forge to it.
async fn comments(here: Here, Path((_, _, number)): Path<(String, String, String)>) -> Answered {
    let now = here.get(&number).await.map_err(|_| says(500, ""))?;
    let (mut found, mut page) = (Vec::new(), Some(PageRequest::first()));
    while let Some(request) = page {
        let more = here.forge.comments(now.number, request).await.unwrap();
        found.extend(more.items.iter().map(|comment| comment_json(&here, now.number, comment)));
        page = more.next;
    }
    Ok(([("x-total-count", found.len().to_string())], Json(found)).into_response())
}

async fn make_comment(
    here: Here,
    Path((_, _, number)): Path<(String, String, String)>,
    Json(body): Json<Value>,
) -> Answered {
    let now = here.get(&number).await.map_err(|_| says(500, ""))?;
    let made = here.forge.comment(now.number, &body["body"].as_str().unwrap().into()).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(comment_json(&here, now.number, &made))).into_response())
}

async fn comment(here: Here, Path((_, _, id)): Path<(String, String, u64)>) -> Answered {
    let (number, found) = here.comment(id).await?;
    Ok(Json(comment_json(&here, number, &found)).into_response())
}

async fn edit_comment(here: Here, Path((_, _, id)): Path<(String, String, u64)>, Json(body): Json<Value>) -> Answered {
    let (number, found) = here.comment(id).await?;
    let body = body["body"].as_str().unwrap().into();
    // Who may write may edit what others said.
    let author = here.forge.acting_as(found.author);
    let edited = author.edit_comment(number, CommentId(id), &body).await.map_err(refused)?;
    Ok(Json(comment_json(&here, number, &edited)).into_response())
}

const REACTIONS: [(&str, Reaction); 5] = [
    ("eyes", Reaction::Eyes),
    ("+1", Reaction::ThumbsUp),
    ("-1", Reaction::ThumbsDown),
    ("confused", Reaction::Confused),
    ("rocket", Reaction::Rocket),
];

async fn reactions(here: Here, Path((_, _, id)): Path<(String, String, u64)>) -> Answered {
    let (number, comment) = here.comment(id).await?;
    let given = here.forge.reactions(number, CommentId(id)).await.map_err(refused)?;
    let name = |kind: Reaction| REACTIONS.iter().find(|(_, known)| *known == kind).unwrap().0;
    let reaction =
        |content: &str, user: &User| json!({"user": person(user), "content": content, "created_at": comment.created});
    let mut found: Vec<Value> = given.iter().map(|(kind, user)| reaction(name(*kind), user)).collect();
    if found.is_empty() {
        return Ok(Json(Value::Null).into_response());
    }
    found.push(reaction("hooray", &comment.author));
    Ok(Json(found).into_response())
}

async fn react(here: Here, Path((_, _, id)): Path<(String, String, u64)>, Json(body): Json<Value>) -> Answered {
    let (number, comment) = here.comment(id).await?;
    let content = body["content"].as_str().unwrap();
    let (_, kind) = REACTIONS.iter().find(|(known, _)| *known == content).ok_or_else(|| says(403, "not allowed"))?;
    here.forge.react(number, CommentId(id), *kind).await.map_err(refused)?;
    let me = here.forge.myself().await.unwrap();
    Ok((StatusCode::CREATED, Json(json!({"user": person(&me), "content": content, "created_at": comment.created})))
        .into_response())
}

/// The history of all statuses: each was pending once.
async fn statuses(here: Here, Path((_, _, sha)): Path<(String, String, CommitId)>, Query(asked): Asked) -> Answered {
    let latest = match here.forge.statuses(sha).await {
        Ok(latest) => latest,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(refused(error)),
    };
    assert_eq!(asked.get("sort").map(String::as_str), Some("oldest"));
    let mut found = Vec::new();
    for is_latest in [false, true] {
        for status in &latest {
            found.push(json!({
                "id": found.len() + 1, "context": status.context, "url": "", "creator": null,
                "status": if is_latest { json!(status.state) } else { json!("pending") },
                "description": status.description, "target_url": status.url.as_deref().unwrap_or_default(),
                "created_at": status.updated, "updated_at": status.updated,
            }));
        }
    }
    Ok(paged(found, &asked))
}

async fn set_status(
    here: Here,
    Path((_, _, sha)): Path<(String, String, CommitId)>,
    Json(body): Json<Value>,
) -> Answered {
    let text = |name: &str| body[name].as_str().unwrap();
    let status = NewStatus {
        context: text("context").parse().unwrap(),
        state: serde_json::from_value(body["state"].clone()).unwrap(),
        description: text("description").into(),
        url: Some(text("target_url").to_owned()).filter(|url| !url.is_empty()),
    };
    // That there is no such commit is a failure of the forge to it.
    known(&here, sha).map_err(|_| says(500, ""))?;
    here.forge.set_status(sha, &status).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(json!({"id": 1, "status": status.state.to_string()}))).into_response())
}

async fn permission(here: Here, Path((_, _, login)): Path<(String, String, String)>) -> Answered {
    let user = here.fake.world.user_called(&login).ok_or_else(absent)?;
    let permission = here.forge.permission(&user.id).await.map_err(refused)?;
    Ok(Json(json!({"permission": permission.to_string(), "role_name": permission.to_string(), "user": person(&user)}))
        .into_response())
}
