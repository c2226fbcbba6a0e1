//! GitLab's REST API, as far as wooo uses it: its addresses, its JSON, its statuses. What it is about is the model's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wooo::forge::{
    Comment, CommentId, Comments, Edit, Error, Filter, Forge, GitLab, LocalForge, MergeRequest, MergeRequestNumber,
    MergeRequestState, MergeRequests, NewMergeRequest, NewStatus, PageRequest, Permission, Reaction, RepositoryId,
    RepositoryInfo, RepositoryPath, Rights, Status, StatusState, Statuses, User,
};
use wooo::git::{CommitId, Repository};

use super::{Dialect, World};
use crate::git::git;

/// The checks that the settings of the client name. Branches ask for them once a pipeline has to succeed.
const REQUIRED_CHECKS: [&str; 2] = ["wooo/policy", "wooo/render"];

pub(crate) struct GitLabDialect;

/// What this GitLab keeps beside the model.
struct Instance {
    world: Arc<World>,
    /// Which heads each merge request had, and since when.
    versions: Mutex<BTreeMap<u64, Vec<(CommitId, Timestamp)>>>,
    /// Why each merge request was not merged.
    refusals: Mutex<BTreeMap<u64, &'static str>>,
    /// Statuses that are `running`.
    running: Mutex<BTreeSet<(String, String)>>,
}

type Shared = State<Arc<Instance>>;
type Answer = Result<Response, Response>;

#[async_trait]
impl Dialect for GitLabDialect {
    const OPEN: &'static str = "/merge_requests";
    const COMMENT: &'static str = "/notes";
    const MERGE: Method = Method::PUT;

    fn router(world: Arc<World>) -> Router {
        let instance =
            Instance { world, versions: Mutex::default(), refusals: Mutex::default(), running: Mutex::default() };
        let parts = Router::new()
            .route("/members/all/{user}", get(member))
            .route("/approval_rules", get(approval_rules))
            .route("/repository/branches/{branch}", get(branch))
            .route("/repository/merge_base", get(merge_base))
            .route("/repository/commits/{sha}/statuses", get(statuses))
            .route("/statuses/{sha}", post(set_status))
            .route("/merge_requests", get(list).post(open))
            .route("/merge_requests/{iid}", get(show).put(edit))
            .route("/merge_requests/{iid}/merge", put(merge))
            .route("/merge_requests/{iid}/approvals", get(approvals))
            .route("/merge_requests/{iid}/versions", get(versions))
            .route("/merge_requests/{iid}/notes", get(notes).post(write_note))
            .route("/merge_requests/{iid}/notes/{note}", get(note).put(edit_note))
            .route("/merge_requests/{iid}/notes/{note}/award_emoji", get(awards).post(award));
        let api = Router::new()
            .route("/user", get(current_user))
            .route("/users", get(users))
            .route("/projects/{id}", get(project))
            .nest("/projects/{id}", parts);
        Router::new().nest("/api/v4", api).with_state(Arc::new(instance))
    }

    fn limited(seconds: u64) -> Response {
        let reset = Timestamp::now().as_second() + i64::try_from(seconds).unwrap();
        let headers = [
            ("retry-after", seconds.to_string()),
            ("ratelimit-name", "throttle_authenticated_api".to_owned()),
            ("ratelimit-limit", "2000".to_owned()),
            ("ratelimit-observed", "2001".to_owned()),
            ("ratelimit-remaining", "0".to_owned()),
            ("ratelimit-reset", reset.to_string()),
            ("content-type", "text/plain".to_owned()),
        ];
        (StatusCode::TOO_MANY_REQUESTS, headers, "Retry later\n").into_response()
    }

    async fn connect(
        address: &str,
        token: &str,
        path: RepositoryPath,
        id: Option<RepositoryId>,
    ) -> Result<Arc<dyn Forge>, Error> {
        let checks = REQUIRED_CHECKS.iter().map(|name| name.parse().unwrap()).collect();
        GitLab::new(address, token.to_owned().into(), checks)?.repository(&path, id.as_ref()).await
    }
}

fn said(status: u16, message: impl Into<Value>) -> Response {
    let body = Json(json!({ "message": message.into() }));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// What an error of the model is here. `what` is the kind of thing that was asked for.
fn refused(error: Error, what: &str) -> Response {
    match error {
        Error::NotFound { .. } => said(404, format!("404 {what} Not Found")),
        Error::Exists { number } => {
            said(409, json!([format!("Another open merge request already exists for this source branch: !{number}")]))
        }
        Error::Forbidden { .. } => said(403, "403 Forbidden"),
        Error::Invalid { reason } => said(400, json!({ "base": [reason] })),
        other => panic!("{other:?}"),
    }
}

/// Who asks, about the one repository that there is.
struct Caller {
    forge: LocalForge,
    /// The other parts of the address.
    rest: BTreeMap<String, String>,
}

fn authenticated(instance: &Instance, headers: &HeaderMap) -> Result<LocalForge, Response> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    token.and_then(|token| instance.world.acting(token)).ok_or_else(|| said(401, "401 Unauthorized"))
}

impl FromRequestParts<Arc<Instance>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, instance: &Arc<Instance>) -> Result<Self, Response> {
        let forge = authenticated(instance, &parts.headers)?;
        let Path(mut rest) = Path::<BTreeMap<String, String>>::from_request_parts(parts, instance)
            .await
            .map_err(IntoResponse::into_response)?;
        let asked = rest.remove("id").unwrap();
        let world = &instance.world;
        if world.was_called(&asked) && asked != world.name() {
            let location = format!("/api/v4/projects/{}", world.id());
            let text = format!("This resource has been moved permanently to {location}");
            return Err((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)], text).into_response());
        }
        if asked != world.id().to_string() && asked != world.name() {
            return Err(said(404, "404 Project Not Found"));
        }
        Ok(Self { forge, rest })
    }
}

impl Caller {
    fn part(&self, name: &str) -> &str {
        &self.rest[name]
    }

    fn number(&self) -> MergeRequestNumber {
        MergeRequestNumber(self.part("iid").parse().unwrap())
    }

    fn note(&self) -> CommentId {
        CommentId(self.part("note").parse().unwrap())
    }

    fn sha(&self) -> CommitId {
        self.part("sha").parse().unwrap()
    }

    fn git(&self) -> Repository {
        Repository::open(self.forge.path()).unwrap()
    }
}

/// The parameters of a query or of a form.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    fn query(query: RawQuery) -> Self {
        Self::of(query.0.unwrap_or_default().as_bytes())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// One page of a list, with the headers that say where it is.
    fn page(&self, entries: Vec<Value>) -> Response {
        let number = |name, default| self.get(name).map_or(default, |value| value.parse::<usize>().unwrap());
        let (page, size) = (number("page", 1), number("per_page", 20).min(100));
        let total = entries.len();
        let next = if page * size < total { (page + 1).to_string() } else { String::new() };
        let headers = [
            ("x-page", page.to_string()),
            ("x-per-page", size.to_string()),
            ("x-next-page", next),
            ("x-total", total.to_string()),
        ];
        let shown: Vec<Value> = entries.into_iter().skip((page - 1) * size).take(size).collect();
        (headers, Json(shown)).into_response()
    }
}

/// A moment as GitLab writes it: to the millisecond.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn person(user: &User) -> Value {
    let id: u64 = user.id.as_str().parse().unwrap();
    json!({ "id": id, "username": user.login, "name": user.login, "state": "active", "locked": false })
}

async fn current_user(State(instance): Shared, headers: HeaderMap) -> Answer {
    Ok(Json(person(&authenticated(&instance, &headers)?.myself().await.unwrap())).into_response())
}

async fn users(State(instance): Shared, headers: HeaderMap, query: RawQuery) -> Answer {
    authenticated(&instance, &headers)?;
    let query = Parameters::query(query);
    let found = query.get("username").and_then(|name| instance.world.user_called(name));
    Ok(query.page(found.iter().map(person).collect()))
}

async fn project(State(instance): Shared, caller: Caller) -> Answer {
    let identity = caller.forge.identity().await.unwrap();
    let main = caller.forge.default_branch().await.unwrap();
    let protection = caller.forge.protection(&main).await.unwrap();
    let name = instance.world.name();
    Ok(Json(json!({
        "id": instance.world.id(),
        "path_with_namespace": name,
        "default_branch": main.as_str(),
        "http_url_to_repo": identity.clone_url,
        "web_url": identity.url,
        "visibility": "private",
        "merge_method": "ff",
        "only_allow_merge_if_pipeline_succeeds": !protection.required_checks.is_empty(),
    }))
    .into_response())
}

async fn member(State(instance): Shared, caller: Caller) -> Answer {
    let absent = || said(404, "404 Not found");
    let user = caller.part("user").parse().ok().and_then(|id| instance.world.user(id)).ok_or_else(absent)?;
    let level = match caller.forge.permission(&user.id).await.unwrap() {
        Permission::None => return Err(absent()),
        Permission::Read => 20,
        Permission::Write => 30,
        Permission::Admin => 40,
    };
    let mut member = person(&user);
    member["access_level"] = level.into();
    member["membership_state"] = "active".into();
    Ok(Json(member).into_response())
}

async fn approval_rules(caller: Caller, query: RawQuery) -> Answer {
    let protection = caller.forge.protection(&"main".parse().unwrap()).await.unwrap();
    let rule = json!({
        "id": 1,
        "name": "All Members",
        "rule_type": "any_approver",
        "approvals_required": protection.required_approvals,
        "protected_branches": [{ "id": 1, "name": "main" }],
        "applies_to_all_protected_branches": false,
    });
    Ok(Parameters::query(query).page(vec![rule]))
}

async fn branch(caller: Caller) -> Answer {
    let absent = || said(404, "404 Branch Not Found");
    let name = caller.part("branch").parse().map_err(|_| absent())?;
    let tip = caller.git().resolve(&name).unwrap().ok_or_else(absent)?;
    let protected = caller.forge.protected_branches().await.unwrap();
    let asks = |name| protected.iter().any(|(branch, asked)| branch == name && *asked != Default::default());
    Ok(Json(json!({
        "name": name.as_str(),
        "commit": { "id": tip.to_string() },
        "protected": asks(&name),
        "default": name.as_str() == "main",
    }))
    .into_response())
}

async fn merge_base(caller: Caller, query: RawQuery) -> Answer {
    let query = Parameters::query(query);
    let commits: Vec<&str> = query.all("refs[]").collect();
    let found = git(caller.forge.path(), [&["merge-base"], &commits[..]].concat()).output().unwrap();
    if !found.status.success() {
        return Err(said(404, "404 Merge Base Not Found"));
    }
    Ok(Json(json!({ "id": String::from_utf8(found.stdout).unwrap().trim() })).into_response())
}

fn status_json(id: usize, sha: CommitId, status: &Status, running: bool) -> Value {
    let word = match status.state {
        StatusState::Pending if running => "running",
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failed",
        StatusState::Error => "canceled",
    };
    let ended = !matches!(status.state, StatusState::Pending);
    json!({
        "id": id,
        "sha": sha.to_string(),
        "ref": "main",
        "status": word,
        "name": status.context.as_str(),
        "target_url": status.url,
        "description": status.description,
        "created_at": moment(status.updated),
        "started_at": null,
        "finished_at": ended.then(|| moment(status.updated)),
        "allow_failure": false,
    })
}

async fn statuses(State(instance): Shared, caller: Caller, query: RawQuery) -> Answer {
    let sha = caller.sha();
    let found = caller.forge.statuses(sha).await.map_err(|error| refused(error, "Commit"))?;
    let running = instance.running.lock().unwrap();
    let is_running = |status: &Status| running.contains(&(sha.to_string(), status.context.to_string()));
    let shown = found.iter().enumerate().map(|(at, status)| status_json(at + 1, sha, status, is_running(status)));
    Ok(Parameters::query(query).page(shown.collect()))
}

async fn set_status(State(instance): Shared, caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let sha = caller.sha();
    let name = form.get("name").unwrap().to_owned();
    let word = form.get("state").unwrap();
    let state = match word {
        "pending" | "running" => StatusState::Pending,
        "success" => StatusState::Success,
        "failed" => StatusState::Failure,
        "canceled" => StatusState::Error,
        other => panic!("{other}"),
    };
    let there = caller.forge.statuses(sha).await.map_err(|error| refused(error, "Commit"))?;
    let key = (sha.to_string(), name.clone());
    let is_pending = there.iter().any(|status| status.context.as_str() == name && status.state == StatusState::Pending);
    {
        let mut running = instance.running.lock().unwrap();
        let is_running = running.contains(&key);
        if is_pending && (word == "pending" || (word == "running" && is_running)) {
            let (event, from) = if word == "pending" { ("enqueue", "pending") } else { ("run", "running") };
            let reason =
                format!("Cannot transition status via :{event} from :{from} (Reason(s): Status cannot transition)");
            return Err(said(400, reason));
        }
        if word == "running" {
            running.insert(key)
        } else {
            running.remove(&key)
        };
    }
    let status = NewStatus {
        context: name.parse().map_err(|error| refused(error, "Name"))?,
        state,
        description: form.get("description").unwrap_or_default().into(),
        url: form.get("target_url").map(ToOwned::to_owned),
    };
    caller.forge.set_status(sha, &status).await.map_err(|error| refused(error, "Commit"))?;
    Ok((StatusCode::CREATED, Json(json!({ "id": 1, "sha": sha.to_string(), "status": word }))).into_response())
}

/// A merge request as GitLab shows it. Its head is noted, as GitLab notes each push.
fn shown(instance: &Instance, found: &MergeRequest) -> Value {
    let state = match found.state {
        MergeRequestState::Open => "opened",
        MergeRequestState::Closed => "closed",
        MergeRequestState::Merged => "merged",
    };
    let number = found.number.0;
    let mut versions = instance.versions.lock().unwrap();
    let known = versions.entry(number).or_default();
    if known.last().is_none_or(|(head, _)| *head != found.head) {
        known.push((found.head, Timestamp::now()));
    }
    let status = instance.refusals.lock().unwrap().get(&number).copied().unwrap_or("mergeable");
    let ended_by = |state| found.closed_by.as_ref().filter(|_| found.state == state).map(person);
    let title = if found.draft { format!("Draft: {}", found.title) } else { found.title.clone() };
    let reviewers = found.reviewers.iter().filter_map(|login| instance.world.user_called(login));
    json!({
        "id": 9000 + number,
        "iid": number,
        "project_id": instance.world.id(),
        "source_project_id": instance.world.id(),
        "target_project_id": instance.world.id(),
        "title": title,
        "description": found.body,
        "state": state,
        "source_branch": found.source.as_str(),
        "target_branch": found.target.as_str(),
        "sha": found.head.to_string(),
        // A fast-forward makes no commit.
        "merge_commit_sha": found.merged.filter(|merged| *merged != found.head).map(|merged| merged.to_string()),
        "squash_commit_sha": null,
        "labels": found.labels,
        "reviewers": reviewers.map(|user| person(&user)).collect::<Vec<_>>(),
        "author": person(&found.author),
        "draft": found.draft,
        "work_in_progress": found.draft,
        "merge_user": ended_by(MergeRequestState::Merged),
        "merged_by": ended_by(MergeRequestState::Merged),
        "closed_by": ended_by(MergeRequestState::Closed),
        "created_at": moment(found.created),
        "updated_at": moment(found.updated),
        "detailed_merge_status": status,
        "web_url": found.url,
    })
}

fn labels(form: &Parameters) -> Option<BTreeSet<wooo::forge::Label>> {
    let labels = form.get("labels")?.split(',').filter(|label| !label.is_empty());
    Some(labels.map(|label| label.parse().unwrap()).collect())
}

fn reviewers(instance: &Instance, form: &Parameters) -> BTreeSet<String> {
    let ids = form.all("reviewer_ids[]").map(|id| id.parse().unwrap());
    ids.filter_map(|id| instance.world.user(id)).map(|user| user.login).collect()
}

async fn list(State(instance): Shared, caller: Caller, query: RawQuery) -> Answer {
    let query = Parameters::query(query);
    let filter = Filter {
        state: match query.get("state") {
            Some("opened") => Some(MergeRequestState::Open),
            Some("closed") => Some(MergeRequestState::Closed),
            Some("merged") => Some(MergeRequestState::Merged),
            _ => None,
        },
        target: query.get("target_branch").map(|name| name.parse().unwrap()),
        updated_since: query.get("updated_after").map(|since| since.parse().unwrap()),
    };
    let (mut found, mut next) = (Vec::new(), Some(PageRequest::first()));
    while let Some(request) = next {
        let page = caller.forge.list(&filter, request).await.unwrap();
        found.extend(page.items);
        next = page.next;
    }
    let source = query.get("source_branch");
    found.retain(|merge_request| source.is_none_or(|source| merge_request.source.as_str() == source));
    assert_eq!(query.get("sort"), Some("desc"));
    if query.get("order_by") == Some("updated_at") {
        found.sort_by_key(|merge_request| std::cmp::Reverse(merge_request.updated));
    }
    Ok(query.page(found.iter().map(|found| shown(&instance, found)).collect()))
}

async fn open(State(instance): Shared, caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let title = form.get("title").unwrap();
    let plain = title.strip_prefix("Draft: ");
    let new = NewMergeRequest {
        source: form.get("source_branch").unwrap().parse().unwrap(),
        target: form.get("target_branch").unwrap().parse().unwrap(),
        title: plain.unwrap_or(title).into(),
        body: form.get("description").unwrap_or_default().into(),
        labels: labels(&form).unwrap_or_default(),
        reviewers: reviewers(&instance, &form),
        draft: plain.is_some(),
    };
    let made = caller.forge.open(&new).await.map_err(|error| refused(error, "Branch"))?;
    Ok((StatusCode::CREATED, Json(shown(&instance, &made))).into_response())
}

async fn show(State(instance): Shared, caller: Caller) -> Answer {
    let found = caller.forge.get(caller.number()).await.map_err(|error| refused(error, "Merge Request"))?;
    Ok(Json(shown(&instance, &found)).into_response())
}

async fn edit(State(instance): Shared, caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let number = caller.number();
    let has_reviewers = form.get("reviewer_ids[]").is_some() || form.get("reviewer_ids") == Some("0");
    let edit = Edit {
        title: form.get("title").map(|title| title.strip_prefix("Draft: ").unwrap_or(title).into()),
        body: form.get("description").map(Into::into),
        labels: labels(&form),
        reviewers: has_reviewers.then(|| reviewers(&instance, &form)),
    };
    let mut changed = caller.forge.update(number, &edit).await;
    match form.get("state_event") {
        Some("close") => changed = caller.forge.close(number).await,
        Some("reopen") => changed = caller.forge.reopen(number).await,
        _ => {}
    }
    let changed = changed.map_err(|error| refused(error, "Merge Request"))?;
    Ok(Json(shown(&instance, &changed)).into_response())
}

async fn merge(State(instance): Shared, caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    assert_eq!(form.get("squash"), Some("false"));
    let number = caller.number();
    let head = form.get("sha").expect("wooo says which head it means").parse().unwrap();
    let before = caller.forge.get(number).await.map_err(|error| refused(error, "Merge Request"))?;
    if before.state != MergeRequestState::Open {
        return Err(said(405, "405 Method Not Allowed"));
    }
    let (status, message, reason) = match caller.forge.merge(number, head).await {
        Ok(_) => {
            let merged = caller.forge.get(number).await.unwrap();
            return Ok(Json(shown(&instance, &merged)).into_response());
        }
        Err(Error::HeadMoved { found, .. }) => {
            return Err(said(409, format!("SHA does not match HEAD of source branch: {found}")));
        }
        Err(Error::ChecksMissing { .. }) => (405, "405 Method Not Allowed", "ci_must_pass"),
        Err(Error::NotApproved { .. }) => (405, "405 Method Not Allowed", "not_approved"),
        Err(Error::Conflict) => (422, "Branch cannot be merged", "need_rebase"),
        Err(Error::Invalid { .. }) => (405, "405 Method Not Allowed", "draft_status"),
        Err(error) => return Err(refused(error, "Merge Request")),
    };
    instance.refusals.lock().unwrap().insert(number.0, reason);
    Err(said(status, message))
}

async fn approvals(caller: Caller) -> Answer {
    let number = caller.number();
    let found = caller.forge.get(number).await.map_err(|error| refused(error, "Merge Request"))?;
    let given = caller.forge.approvals(number).await.unwrap();
    let needed = caller.forge.protection(&found.target).await.unwrap().required_approvals;
    let given: Vec<Value> =
        given.iter().map(|one| json!({ "user": person(&one.user), "approved_at": moment(one.at) })).collect();
    Ok(Json(json!({
        "iid": number.0,
        "title": found.title,
        "approvals_required": needed,
        "approved_by": given,
        "created_at": moment(found.created),
        "updated_at": moment(found.updated),
    }))
    .into_response())
}

async fn versions(State(instance): Shared, caller: Caller, query: RawQuery) -> Answer {
    let number = caller.number();
    let found = caller.forge.get(number).await.map_err(|error| refused(error, "Merge Request"))?;
    let given = caller.forge.approvals(number).await.unwrap();
    shown(&instance, &found);
    let mut all = instance.versions.lock().unwrap();
    let known = all.get_mut(&number.0).unwrap();
    // A head that nobody asked about before it was approved was there before that, too.
    for one in given {
        let before = one.at - SignedDuration::from_millis(2);
        match known.iter_mut().find(|(head, _)| Some(*head) == one.commit) {
            Some((_, since)) => *since = before.min(*since),
            None => known.push((one.commit.unwrap(), before)),
        }
    }
    known.sort_by_key(|(_, since)| *since);
    let shown = known.iter().enumerate().rev().map(|(at, (head, since))| {
        json!({
            "id": at + 1,
            "head_commit_sha": head.to_string(),
            "created_at": moment(*since),
            "merge_request_id": 9000 + number.0,
            "state": "collected",
        })
    });
    Ok(Parameters::query(query).page(shown.collect()))
}

fn note_json(comment: &Comment) -> Value {
    json!({
        "id": comment.id.0,
        "type": null,
        "body": comment.body,
        "author": person(&comment.author),
        "created_at": moment(comment.created),
        "updated_at": moment(comment.updated),
        "system": false,
        "noteable_type": "MergeRequest",
        "internal": false,
    })
}

async fn all_notes(caller: &Caller) -> Result<Vec<Comment>, Response> {
    let (mut found, mut next) = (Vec::new(), Some(PageRequest::first()));
    while let Some(request) = next {
        let page = caller.forge.comments(caller.number(), request).await;
        let page = page.map_err(|error| refused(error, "Noteable"))?;
        found.extend(page.items);
        next = page.next;
    }
    Ok(found)
}

async fn notes(caller: Caller, query: RawQuery) -> Answer {
    let query = Parameters::query(query);
    assert_eq!((query.get("sort"), query.get("order_by")), (Some("asc"), Some("created_at")));
    let mut shown: Vec<Value> = all_notes(&caller).await?.iter().map(note_json).collect();
    if query.get("activity_filter") != Some("only_comments") {
        let author = person(&caller.forge.myself().await.unwrap());
        let at = moment(Timestamp::UNIX_EPOCH);
        shown.insert(
            0,
            json!({ "id": 900_000, "body": "added 1 commit", "system": true, "author": author, "created_at": at, "updated_at": at }),
        );
    }
    Ok(query.page(shown))
}

async fn write_note(caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let made = caller.forge.comment(caller.number(), &form.get("body").unwrap().into()).await;
    let made = made.map_err(|error| refused(error, "Noteable"))?;
    Ok((StatusCode::CREATED, Json(note_json(&made))).into_response())
}

async fn note(caller: Caller) -> Answer {
    let found = all_notes(&caller).await?.into_iter().find(|comment| comment.id == caller.note());
    let found = found.ok_or_else(|| said(404, "404 Note Not Found"))?;
    Ok(Json(note_json(&found)).into_response())
}

async fn edit_note(caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let edited = caller.forge.edit_comment(caller.number(), caller.note(), &form.get("body").unwrap().into()).await;
    Ok(Json(note_json(&edited.map_err(|error| refused(error, "Note"))?)).into_response())
}

const AWARDS: [(Reaction, &str); 5] = [
    (Reaction::Eyes, "eyes"),
    (Reaction::ThumbsUp, "thumbsup"),
    (Reaction::ThumbsDown, "thumbsdown"),
    (Reaction::Confused, "confused"),
    (Reaction::Rocket, "rocket"),
];

async fn awards(caller: Caller, query: RawQuery) -> Answer {
    let found = caller.forge.reactions(caller.number(), caller.note()).await.map_err(|error| refused(error, "Note"))?;
    let name = |reaction| AWARDS.iter().find(|(known, _)| *known == reaction).unwrap().1;
    let mut shown: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(at, (reaction, user))| json!({ "id": at + 1, "name": name(*reaction), "user": person(user), "awardable_type": "Note" }))
        .collect();
    // A kind that wooo does not know.
    if let Some(first) = shown.first().cloned() {
        shown.push(json!({ "id": 99, "name": "tada", "user": first["user"], "awardable_type": "Note" }));
    }
    Ok(Parameters::query(query).page(shown))
}

async fn award(caller: Caller, body: axum::body::Bytes) -> Answer {
    let form = Parameters::of(&body);
    let name = form.get("name").unwrap();
    let (reaction, _) = AWARDS.iter().find(|(_, known)| *known == name).unwrap();
    let (number, note) = (caller.number(), caller.note());
    let there = caller.forge.reactions(number, note).await.map_err(|error| refused(error, "Note"))?;
    let me = caller.forge.myself().await.unwrap();
    if there.contains(&(*reaction, me.clone())) {
        return Err(said(404, "404 Award Emoji Name has already been taken Not Found"));
    }
    caller.forge.react(number, note, *reaction).await.unwrap();
    Ok((StatusCode::CREATED, Json(json!({ "id": 1, "name": name, "user": person(&me) }))).into_response())
}
