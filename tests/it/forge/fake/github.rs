//! GitHub's REST API as far as wooo uses it, as GitHub documents it: paths, shapes, status codes, pages, ETags.
//!
//! Only the times are finer than GitHub's whole seconds: they are the model's, so that no test waits for a second to pass.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use wooo::forge::{
    Comment, CommentId, Comments as _, Edit, Error, Filter, Forge, GitHub, LocalForge, MergeRequest,
    MergeRequestNumber, MergeRequestState, MergeRequests as _, NewMergeRequest, NewStatus, PageRequest, Permission,
    Reaction, RepositoryId, RepositoryInfo as _, RepositoryPath, Rights as _, Status, StatusState, Statuses as _, User,
};

use super::{Dialect, TOKEN, World};
use crate::forge::server::run;

/// GitHub Enterprise Server, whose API is under `/api/v3`.
pub(crate) struct GitHubDialect;

/// A status of the model whose context begins so is shown as a check run.
pub(crate) const RUN: &str = "actions/";

#[async_trait]
impl Dialect for GitHubDialect {
    const OPEN: &'static str = "/pulls";
    const COMMENT: &'static str = "/comments";
    const MERGE: Method = Method::PUT;

    fn router(world: Arc<World>) -> Router {
        Router::new().nest("/api/v3", api(world))
    }

    fn limited(seconds: u64) -> Response {
        if seconds < 60 {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            return (StatusCode::FORBIDDEN, after, Json(json!({"message": message}))).into_response();
        }
        let reset = Timestamp::now().as_second() + i64::try_from(seconds).unwrap();
        let headers = [("x-ratelimit-limit", "5000".to_owned()), ("x-ratelimit-remaining", "0".to_owned())];
        let reset = [("x-ratelimit-reset", reset.to_string())];
        let message = json!({"message": "API rate limit exceeded for user ID 100."});
        (StatusCode::FORBIDDEN, headers, reset, Json(message)).into_response()
    }

    async fn connect(
        address: &str,
        token: &str,
        path: RepositoryPath,
        id: Option<RepositoryId>,
    ) -> Result<Arc<dyn Forge>, Error> {
        let github = GitHub::with_token(address, &SecretString::from(token))?;
        quick(&github).repository(&path, id.as_ref()).await
    }
}

/// Without the pauses that GitHub itself asks for.
pub(crate) fn quick(github: &GitHub) -> GitHub {
    github.paced(Duration::ZERO, Duration::from_millis(5)).unwrap()
}

fn api(world: Arc<World>) -> Router {
    let repository = Router::new()
        .route("/", get(repository))
        .route("/pulls", get(pulls).post(open))
        .route("/pulls/{number}", get(pull).patch(change))
        .route("/pulls/{number}/merge", put(merge))
        .route("/pulls/{number}/reviews", get(reviews))
        .route("/pulls/{number}/requested_reviewers", post(request).delete(unrequest))
        .route("/issues/{number}", get(issue))
        .route("/issues/{number}/labels", put(label))
        .route("/issues/{number}/comments", get(comments).post(comment))
        .route("/issues/comments/{comment}", patch(edit_comment).get(one_comment))
        .route("/issues/comments/{comment}/reactions", get(reactions).post(react))
        .route("/statuses/{commit}", post(set_status))
        .route("/commits/{commit}/status", get(combined_status))
        .route("/commits/{commit}/check-runs", get(check_runs))
        .route("/compare/{ends}", get(compare))
        .route("/git/ref/heads/{*branch}", get(reference))
        .route("/branches/{branch}", get(branch))
        .route("/branches/{branch}/protection", get(protection))
        .route("/rules/branches/{branch}", get(rules))
        .route("/collaborators/{login}/permission", get(permission));
    Router::new()
        .route("/repos/{owner}/{name}", get(by_name))
        .nest("/repositories/{id}", repository.layer(from_fn_with_state(Arc::clone(&world), only_this)))
        .route("/user", get(myself))
        .route("/user/{id}", get(user_by_id))
        .route("/users/{login}", get(user_by_login))
        .layer(from_fn(confirm))
        .with_state(world)
}

/// An ETag for what is answered, nothing for what is known, and what is left of the budget.
async fn confirm(request: Request, next: Next) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let is_read = request.method() == Method::GET;
    let (mut parts, body) = next.run(request).await.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    for (name, value) in [("limit", 5000), ("remaining", 4999), ("reset", Timestamp::now().as_second() + 3600)] {
        parts.headers.insert(format!("x-ratelimit-{name}").parse::<header::HeaderName>().unwrap(), value.into());
    }
    if is_read && parts.status == StatusCode::OK {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag: header::HeaderValue = format!("W/\"{:x}\"", hasher.finish()).parse().unwrap();
        parts.headers.insert(header::ETAG, etag.clone());
        if known.as_ref() == Some(&etag) {
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.status = StatusCode::NOT_MODIFIED;
            return Response::from_parts(parts, Body::empty());
        }
    }
    Response::from_parts(parts, Body::from(body))
}

async fn only_this(
    State(world): State<Arc<World>>,
    Path(parameters): Path<HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    if parameters["id"] == world.id().to_string() { next.run(request).await } else { absent() }
}

/// Who calls: whoever the token belongs to.
struct Caller(LocalForge);

impl FromRequestParts<Arc<World>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Response> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let forge = token.and_then(|token| world.acting(token.strip_prefix("Bearer ")?));
        forge.map(Self).ok_or_else(|| said(401, "Bad credentials"))
    }
}

fn said(status: u16, message: &str) -> Response {
    let documentation = "https://docs.github.com/rest";
    let body = Json(json!({"message": message, "documentation_url": documentation, "status": status.to_string()}));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn absent() -> Response {
    said(404, "Not Found")
}

fn invalid(message: &str) -> Response {
    let errors = json!([{"resource": "PullRequest", "code": "custom", "message": message}]);
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"message": "Validation Failed", "errors": errors}))).into_response()
}

/// How GitHub says what the model says.
fn refused(error: &Error) -> Response {
    match error {
        Error::NotFound { .. } => absent(),
        Error::Forbidden { .. } => said(403, "Must have admin rights to Repository."),
        Error::HeadMoved { .. } => said(409, "Head branch was modified. Review and try the merge again."),
        Error::ChecksMissing { checks } => said(405, &format!("Required status check \"{}\" is expected.", checks[0])),
        Error::NotApproved { needed, .. } => {
            said(405, &format!("At least {needed} approving review is required by reviewers with write access."))
        }
        Error::Conflict | Error::NotOpen { .. } => said(405, "Pull Request is not mergeable"),
        other => invalid(&other.to_string()),
    }
}

type Asked = Query<HashMap<String, String>>;
type There = State<Arc<World>>;

/// The page that is asked for, with the header that tells of the next one.
fn paged(
    uri: &Uri,
    query: &HashMap<String, String>,
    entries: Vec<Value>,
    wrap: impl Fn(Vec<Value>) -> Value,
) -> Response {
    let number = |name: &str, default: usize| query.get(name).map_or(default, |text| text.parse().unwrap());
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let rest = entries.len().saturating_sub(size * page);
    let shown = entries.into_iter().skip(size * (page - 1)).take(size).collect();
    let mut headers = HeaderMap::new();
    if rest > 0 {
        let link = format!("<http://github.invalid{}?page={}>; rel=\"next\"", uri.path(), page + 1);
        headers.insert(header::LINK, link.parse().unwrap());
    }
    (headers, Json(wrap(shown))).into_response()
}

fn account(user: &User) -> Value {
    json!({"login": user.login, "id": user.id.as_str().parse::<u64>().unwrap(), "type": "User"})
}

fn repository_json(world: &World) -> Value {
    let name = world.name();
    let (owner, short) = name.split_once('/').unwrap();
    json!({
        "id": world.id(),
        "name": short,
        "full_name": name,
        "private": true,
        "owner": {"login": owner, "id": 1, "type": "Organization"},
        "html_url": format!("https://github.invalid/{name}"),
        "clone_url": format!("{}/git/fleet.git", world.served.origin()),
        "default_branch": "main",
    })
}

/// GitHub closes a merge request when its branch goes.
fn state(merge_request: &MergeRequest) -> MergeRequestState {
    match merge_request.state {
        MergeRequestState::Open if !merge_request.source_exists => MergeRequestState::Closed,
        state => state,
    }
}

fn pull_json(world: &World, found: &MergeRequest, is_alone: bool) -> Value {
    let name = world.name();
    let (owner, _) = name.split_once('/').unwrap();
    let repo = json!({"id": world.id(), "full_name": name});
    let end = |branch: &str, sha: &str| json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "repo": repo});
    let is_merged = found.state == MergeRequestState::Merged;
    let (people, teams): (Vec<&String>, Vec<&String>) = found.reviewers.iter().partition(|name| !name.contains('/'));
    let people: Vec<Value> = people.iter().map(|login| account(&world.user_called(login).unwrap())).collect();
    let team = |name: &&String| {
        let (organisation, slug) = name.split_once('/').unwrap();
        json!({"slug": slug, "html_url": format!("https://github.invalid/orgs/{organisation}/teams/{slug}")})
    };
    let mut pull = json!({
        "number": found.number,
        "html_url": format!("https://github.invalid/{name}/pull/{}", found.number),
        "state": if state(found) == MergeRequestState::Open { "open" } else { "closed" },
        "title": found.title,
        "body": if found.body.is_empty() { None } else { Some(&found.body) },
        "user": account(&found.author),
        "labels": found.labels.iter().map(|label| json!({"name": label, "color": "ededed"})).collect::<Vec<_>>(),
        "requested_reviewers": people,
        "requested_teams": teams.iter().map(team).collect::<Vec<_>>(),
        "draft": found.draft,
        "head": end(found.source.as_str(), &found.head.to_string()),
        "base": end(found.target.as_str(), &"0".repeat(40)),
        "created_at": found.created,
        "updated_at": found.updated,
        "merged_at": is_merged.then_some(found.updated),
        // Of an open one this is a commit that GitHub made to try.
        "merge_commit_sha": found.merged.map_or_else(|| "f".repeat(40), |commit| commit.to_string()),
    });
    if is_alone {
        pull["merged"] = json!(is_merged);
        pull["merged_by"] = if is_merged { json!(found.closed_by.as_ref().map(account)) } else { Value::Null };
    }
    pull
}

async fn by_name(State(world): There, _: Caller, Path((owner, name)): Path<(String, String)>) -> Response {
    let asked = format!("{owner}/{name}");
    if asked == world.name() {
        return Json(repository_json(&world)).into_response();
    }
    if world.was_called(&asked) {
        let location = [(header::LOCATION, format!("/api/v3/repositories/{}", world.id()))];
        return (StatusCode::MOVED_PERMANENTLY, location, Json(json!({"message": "Moved Permanently"})))
            .into_response();
    }
    absent()
}

async fn repository(State(world): There, _: Caller, Path(id): Path<u64>) -> Response {
    if id == world.id() { Json(repository_json(&world)).into_response() } else { absent() }
}

async fn all(forge: &LocalForge) -> Vec<MergeRequest> {
    let (mut found, mut page) = (Vec::new(), Some(PageRequest::first()));
    while let Some(request) = page {
        let some = forge.list(&Filter::default(), request).await.unwrap();
        found.extend(some.items);
        page = some.next;
    }
    found
}

async fn pulls(State(world): There, Caller(forge): Caller, uri: Uri, Query(query): Asked) -> Response {
    let name = world.name();
    let (owner, _) = name.split_once('/').unwrap();
    let wanted = query.get("state").map_or("open", String::as_str);
    let mut found = all(&forge).await;
    found.retain(|one| {
        let is_open = state(one) == MergeRequestState::Open;
        let head = format!("{owner}:{}", one.source);
        (wanted == "all" || (wanted == "open") == is_open)
            && query.get("head").is_none_or(|asked| *asked == head)
            && query.get("base").is_none_or(|asked| asked == one.target.as_str())
    });
    if query.get("sort").is_some_and(|sort| sort == "updated") {
        found.sort_by_key(|one| std::cmp::Reverse(one.updated));
    }
    if query.get("direction").is_none_or(|direction| direction != "desc") {
        found.reverse();
    }
    let found = found.iter().map(|one| pull_json(&world, one, false)).collect();
    paged(&uri, &query, found, Value::Array)
}

async fn open(State(world): There, Caller(forge): Caller, Json(body): Json<Value>) -> Response {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let (Ok(source), Ok(target)) = (text("head").parse(), text("base").parse()) else { return invalid("head invalid") };
    let new = NewMergeRequest {
        source,
        target,
        title: text("title").into(),
        body: text("body").into(),
        labels: BTreeSet::new(),
        reviewers: BTreeSet::new(),
        draft: body["draft"].as_bool().unwrap_or_default(),
    };
    match forge.open(&new).await {
        Ok(made) => (StatusCode::CREATED, Json(pull_json(&world, &made, true))).into_response(),
        Err(Error::Exists { .. }) => invalid(&format!("A pull request already exists for acme:{}.", new.source)),
        Err(error) => refused(&error),
    }
}

async fn pull(State(world): There, Caller(forge): Caller, Path((_, number)): Path<(u64, u64)>) -> Response {
    match forge.get(MergeRequestNumber(number)).await {
        Ok(found) => Json(pull_json(&world, &found, true)).into_response(),
        Err(error) => refused(&error),
    }
}

async fn change(
    State(world): There,
    Caller(forge): Caller,
    Path((_, number)): Path<(u64, u64)>,
    Json(body): Json<Value>,
) -> Response {
    let number = MergeRequestNumber(number);
    let edit = Edit {
        title: body["title"].as_str().map(Into::into),
        body: body["body"].as_str().map(Into::into),
        ..Edit::default()
    };
    let changed = match body["state"].as_str() {
        Some("closed") => forge.close(number).await,
        Some("open") => match forge.reopen(number).await {
            Ok(found) if !found.source_exists => {
                return invalid("state cannot be changed. The branch has been deleted.");
            }
            found => found,
        },
        _ => forge.update(number, &edit).await,
    };
    match changed {
        Ok(found) => Json(pull_json(&world, &found, true)).into_response(),
        Err(Error::Exists { .. }) => invalid("state cannot be changed. There is already an open pull request."),
        Err(error) => refused(&error),
    }
}

async fn merge(Caller(forge): Caller, Path((_, number)): Path<(u64, u64)>, Json(body): Json<Value>) -> Response {
    let number = MergeRequestNumber(number);
    let there = match forge.get(number).await {
        Ok(there) => there,
        Err(error) => return refused(&error),
    };
    if state(&there) != MergeRequestState::Open {
        return said(405, "Pull Request is not mergeable");
    }
    assert_eq!(body["merge_method"], "merge");
    match forge.merge(number, body["sha"].as_str().unwrap().parse().unwrap()).await {
        Ok(commit) => {
            Json(json!({"sha": commit, "merged": true, "message": "Pull Request successfully merged"})).into_response()
        }
        Err(error) => refused(&error),
    }
}

async fn reviews(
    Caller(forge): Caller,
    Path((_, number)): Path<(u64, u64)>,
    uri: Uri,
    Query(query): Asked,
) -> Response {
    let found = match forge.approvals(MergeRequestNumber(number)).await {
        Ok(found) => found,
        Err(error) => return refused(&error),
    };
    let review = |said: &str, approval: &wooo::forge::Approval| {
        json!({
            "id": 1,
            "user": account(&approval.user),
            "state": said,
            "commit_id": approval.commit,
            "submitted_at": approval.at,
        })
    };
    // Each has changed their mind, and has said something afterwards.
    let said = ["CHANGES_REQUESTED", "APPROVED", "COMMENTED"];
    let all = found.iter().flat_map(|approval| said.map(|said| review(said, approval))).collect();
    paged(&uri, &query, all, Value::Array)
}

fn names(body: &Value) -> BTreeSet<String> {
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let people = list("reviewers").into_iter().map(|login| login.as_str().unwrap().to_owned());
    let teams = list("team_reviewers").into_iter().map(|slug| format!("acme/{}", slug.as_str().unwrap()));
    people.chain(teams).collect()
}

async fn request(
    State(world): There,
    Caller(forge): Caller,
    Path((_, number)): Path<(u64, u64)>,
    Json(body): Json<Value>,
) -> Response {
    let asked = names(&body);
    let is_known = |name: &String| name == "acme/platform" || world.user_called(name).is_some();
    if !asked.iter().all(is_known) {
        return said(422, "Reviews may only be requested from collaborators.");
    }
    let there = forge.get(MergeRequestNumber(number)).await.unwrap();
    if asked.contains(&there.author.login) {
        return said(422, "Review cannot be requested from pull request author.");
    }
    let reviewers = there.reviewers.union(&asked).cloned().collect();
    let edit = Edit { reviewers: Some(reviewers), ..Edit::default() };
    let changed = forge.update(there.number, &edit).await.unwrap();
    (StatusCode::CREATED, Json(pull_json(&world, &changed, false))).into_response()
}

async fn unrequest(
    State(world): There,
    Caller(forge): Caller,
    Path((_, number)): Path<(u64, u64)>,
    Json(body): Json<Value>,
) -> Response {
    let there = forge.get(MergeRequestNumber(number)).await.unwrap();
    let reviewers = there.reviewers.difference(&names(&body)).cloned().collect();
    let edit = Edit { reviewers: Some(reviewers), ..Edit::default() };
    let changed = forge.update(there.number, &edit).await.unwrap();
    Json(pull_json(&world, &changed, false)).into_response()
}

async fn issue(Caller(forge): Caller, Path((_, number)): Path<(u64, u64)>) -> Response {
    match forge.get(MergeRequestNumber(number)).await {
        Ok(found) => {
            let is_open = state(&found) == MergeRequestState::Open;
            Json(json!({
                "number": number,
                "state": if is_open { "open" } else { "closed" },
                "closed_by": found.closed_by.as_ref().map(account),
                "pull_request": {},
            }))
            .into_response()
        }
        Err(error) => refused(&error),
    }
}

async fn label(Caller(forge): Caller, Path((_, number)): Path<(u64, u64)>, Json(body): Json<Value>) -> Response {
    let labels = body["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap().parse().unwrap());
    let edit = Edit { labels: Some(labels.collect()), ..Edit::default() };
    match forge.update(MergeRequestNumber(number), &edit).await {
        Ok(found) => Json(found.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()).into_response(),
        Err(error) => refused(&error),
    }
}

fn comment_json(number: MergeRequestNumber, comment: &Comment) -> Value {
    json!({
        "id": comment.id,
        "body": comment.body,
        "user": account(&comment.author),
        "created_at": comment.created,
        "updated_at": comment.updated,
        "issue_url": format!("https://github.invalid/api/v3/repos/acme/fleet/issues/{number}"),
    })
}

async fn all_comments(forge: &LocalForge, number: MergeRequestNumber) -> Result<Vec<Comment>, Error> {
    let (mut found, mut page) = (Vec::new(), Some(PageRequest::first()));
    while let Some(request) = page {
        let some = forge.comments(number, request).await?;
        found.extend(some.items);
        page = some.next;
    }
    Ok(found)
}

/// Where a comment is; GitHub does not ask for that.
async fn found_comment(forge: &LocalForge, id: u64) -> Option<(MergeRequestNumber, Comment)> {
    for one in all(forge).await {
        let comments = all_comments(forge, one.number).await.unwrap();
        if let Some(comment) = comments.into_iter().find(|comment| comment.id == CommentId(id)) {
            return Some((one.number, comment));
        }
    }
    None
}

async fn comments(
    Caller(forge): Caller,
    Path((_, number)): Path<(u64, u64)>,
    uri: Uri,
    Query(query): Asked,
) -> Response {
    let number = MergeRequestNumber(number);
    match all_comments(&forge, number).await {
        Ok(found) => {
            let found = found.iter().map(|comment| comment_json(number, comment)).collect();
            paged(&uri, &query, found, Value::Array)
        }
        Err(error) => refused(&error),
    }
}

async fn comment(Caller(forge): Caller, Path((_, number)): Path<(u64, u64)>, Json(body): Json<Value>) -> Response {
    let number = MergeRequestNumber(number);
    match forge.comment(number, &body["body"].as_str().unwrap().into()).await {
        Ok(made) => (StatusCode::CREATED, Json(comment_json(number, &made))).into_response(),
        Err(error) => refused(&error),
    }
}

async fn one_comment(Caller(forge): Caller, Path((_, id)): Path<(u64, u64)>) -> Response {
    match found_comment(&forge, id).await {
        Some((number, found)) => Json(comment_json(number, &found)).into_response(),
        None => absent(),
    }
}

/// Whoever may write may change anybody's comment.
async fn edit_comment(
    State(world): There,
    Caller(forge): Caller,
    Path((_, id)): Path<(u64, u64)>,
    Json(body): Json<Value>,
) -> Response {
    let Some((number, found)) = found_comment(&forge, id).await else { return absent() };
    let author = world.model().acting_as(found.author);
    match author.edit_comment(number, CommentId(id), &body["body"].as_str().unwrap().into()).await {
        Ok(edited) => Json(comment_json(number, &edited)).into_response(),
        Err(error) => refused(&error),
    }
}

const REACTIONS: [(&str, Reaction); 5] = [
    ("eyes", Reaction::Eyes),
    ("+1", Reaction::ThumbsUp),
    ("-1", Reaction::ThumbsDown),
    ("confused", Reaction::Confused),
    ("rocket", Reaction::Rocket),
];

async fn reactions(Caller(forge): Caller, Path((_, id)): Path<(u64, u64)>, uri: Uri, Query(query): Asked) -> Response {
    let Some((number, _)) = found_comment(&forge, id).await else { return absent() };
    let found = forge.reactions(number, CommentId(id)).await.unwrap();
    let mut shown: Vec<Value> = found
        .iter()
        .map(|(reaction, user)| {
            let content = REACTIONS.iter().find(|(_, kind)| kind == reaction).unwrap().0;
            json!({"id": 1, "user": account(user), "content": content})
        })
        .collect();
    // One of a kind that wooo has no word for.
    shown.push(json!({"id": 2, "user": null, "content": "heart"}));
    paged(&uri, &query, shown, Value::Array)
}

async fn react(Caller(forge): Caller, Path((_, id)): Path<(u64, u64)>, Json(body): Json<Value>) -> Response {
    let Some((number, _)) = found_comment(&forge, id).await else { return absent() };
    let Some((_, kind)) = REACTIONS.iter().find(|(content, _)| body["content"] == *content) else {
        return invalid("content is not one of the reactions");
    };
    forge.react(number, CommentId(id), *kind).await.unwrap();
    (StatusCode::CREATED, Json(json!({"id": 1, "content": body["content"]}))).into_response()
}

const STATES: [(&str, StatusState); 4] = [
    ("pending", StatusState::Pending),
    ("success", StatusState::Success),
    ("failure", StatusState::Failure),
    ("error", StatusState::Error),
];

async fn set_status(
    Caller(forge): Caller,
    Path((_, commit)): Path<(u64, String)>,
    Json(body): Json<Value>,
) -> Response {
    let new = NewStatus {
        context: body["context"].as_str().unwrap().parse().unwrap(),
        state: STATES.iter().find(|(state, _)| body["state"] == *state).unwrap().1,
        description: body["description"].as_str().unwrap().into(),
        url: body["target_url"].as_str().map(str::to_owned),
    };
    match forge.set_status(commit.parse().unwrap(), &new).await {
        Ok(()) => (StatusCode::CREATED, Json(json!({"context": new.context}))).into_response(),
        Err(Error::NotFound { .. }) => said(422, &format!("No commit found for SHA: {commit}")),
        Err(error) => refused(&error),
    }
}

async fn statuses(forge: &LocalForge, commit: &str, are_runs: bool) -> Result<Vec<Status>, Response> {
    let found = forge.statuses(commit.parse().unwrap()).await;
    let mut found = found.map_err(|_| said(422, &format!("No commit found for SHA: {commit}")))?;
    found.retain(|status| status.context.as_str().starts_with(RUN) == are_runs);
    Ok(found)
}

async fn combined_status(
    Caller(forge): Caller,
    Path((_, commit)): Path<(u64, String)>,
    uri: Uri,
    Query(query): Asked,
) -> Response {
    let found = match statuses(&forge, &commit, false).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let shown = found.iter().map(|status| {
        json!({
            "context": status.context,
            "state": status.state,
            "description": status.description,
            "target_url": status.url,
            "updated_at": status.updated,
            "created_at": status.updated,
        })
    });
    let (total, shown) = (found.len(), shown.collect());
    paged(
        &uri,
        &query,
        shown,
        |statuses| json!({"state": "pending", "sha": commit, "total_count": total, "statuses": statuses}),
    )
}

async fn check_runs(
    Caller(forge): Caller,
    Path((_, commit)): Path<(u64, String)>,
    uri: Uri,
    Query(query): Asked,
) -> Response {
    let found = match statuses(&forge, &commit, true).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let shown = found.iter().map(|status| {
        let (state, conclusion) = match status.state {
            StatusState::Pending => ("in_progress", None),
            StatusState::Success => ("completed", Some("success")),
            StatusState::Failure => ("completed", Some("failure")),
            StatusState::Error => ("completed", Some("skipped")),
        };
        json!({
            "id": 1,
            "name": status.context.as_str().strip_prefix(RUN),
            "status": state,
            "conclusion": conclusion,
            "details_url": status.url,
            "started_at": status.updated,
            "completed_at": conclusion.map(|_| status.updated),
            "output": {"title": status.description, "summary": null},
        })
    });
    let (total, shown) = (found.len(), shown.collect());
    paged(&uri, &query, shown, |runs| json!({"total_count": total, "check_runs": runs}))
}

fn git(world: &World, arguments: &[&str]) -> Option<String> {
    let output = run(&world.served.bare(), arguments);
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

async fn compare(State(world): There, _: Caller, Path((_, ends)): Path<(u64, String)>) -> Response {
    let Some(counts) = git(&world, &["rev-list", "--left-right", "--count", &ends]) else { return absent() };
    let (behind, ahead) = counts.split_once('\t').unwrap();
    let (behind, ahead): (u64, u64) = (behind.parse().unwrap(), ahead.parse().unwrap());
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    Json(json!({"status": status, "ahead_by": ahead, "behind_by": behind, "commits": [], "files": []})).into_response()
}

fn tip(world: &World, branch: &str) -> Option<String> {
    git(world, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
}

async fn reference(State(world): There, _: Caller, Path((_, branch)): Path<(u64, String)>) -> Response {
    match tip(&world, &branch) {
        Some(sha) => {
            let object = json!({"type": "commit", "sha": sha});
            Json(json!({"ref": format!("refs/heads/{branch}"), "object": object})).into_response()
        }
        None => absent(),
    }
}

/// What the model's branch asks for: the checks by branch protection, the approvals by a ruleset.
async fn asked(forge: &LocalForge, branch: &str) -> (Vec<String>, u32) {
    let found = forge.protection(&branch.parse().unwrap()).await.unwrap();
    (found.required_checks.iter().map(ToString::to_string).collect(), found.required_approvals)
}

async fn branch(State(world): There, Caller(forge): Caller, Path((_, name)): Path<(u64, String)>) -> Response {
    let Some(sha) = tip(&world, &name) else { return said(404, "Branch not found") };
    let (checks, approvals) = asked(&forge, &name).await;
    let protection = json!({"enabled": !checks.is_empty()});
    let is_protected = !checks.is_empty() || approvals > 0;
    let found = json!({"name": name, "commit": {"sha": sha}, "protected": is_protected, "protection": protection});
    Json(found).into_response()
}

async fn protection(Caller(forge): Caller, Path((_, name)): Path<(u64, String)>) -> Response {
    let me = forge.myself().await.unwrap();
    if forge.permission(&me.id).await.unwrap() < Permission::Write {
        return said(403, "Resource not accessible by personal access token");
    }
    let (checks, _) = asked(&forge, &name).await;
    if checks.is_empty() {
        return said(404, "Branch not protected");
    }
    let named: Vec<Value> = checks.iter().map(|check| json!({"context": check, "app_id": null})).collect();
    let required = json!({"strict": true, "contexts": checks, "checks": named});
    Json(json!({"required_status_checks": required, "enforce_admins": {"enabled": true}})).into_response()
}

async fn rules(Caller(forge): Caller, Path((_, name)): Path<(u64, String)>, uri: Uri, Query(query): Asked) -> Response {
    let (_, approvals) = asked(&forge, &name).await;
    let mut rules = vec![json!({"type": "deletion", "ruleset_id": 1}), json!({"type": "non_fast_forward"})];
    if approvals > 0 {
        let parameters = json!({"required_approving_review_count": approvals, "require_code_owner_review": false});
        rules.push(json!({"type": "pull_request", "parameters": parameters}));
    }
    paged(&uri, &query, rules, Value::Array)
}

async fn permission(State(world): There, Caller(forge): Caller, Path((_, login)): Path<(u64, String)>) -> Response {
    let Some(user) = world.user_called(&login) else { return absent() };
    let permission = forge.permission(&user.id).await.unwrap();
    Json(json!({"permission": permission, "role_name": permission, "user": account(&user)})).into_response()
}

async fn myself(Caller(forge): Caller) -> Response {
    Json(account(&forge.myself().await.unwrap())).into_response()
}

async fn user_by_id(State(world): There, _: Caller, Path(id): Path<u64>) -> Response {
    world.user(id).map_or_else(absent, |user| Json(account(&user)).into_response())
}

async fn user_by_login(State(world): There, _: Caller, Path(login): Path<String>) -> Response {
    // The account of a GitHub App that has wooo's name.
    let login = if login == "wooo[bot]" { "wooo" } else { &login };
    world.user_called(login).map_or_else(absent, |user| Json(account(&user)).into_response())
}

/// What a GitHub App may ask for besides: with a signature, which the caller of this checks.
pub(crate) fn app_routes(world: Arc<World>, is_signed: fn(&str) -> bool) -> Router {
    async fn check(State(is_signed): State<fn(&str) -> bool>, request: Request, next: Next) -> Response {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some_and(is_signed) {
            next.run(request).await
        } else {
            said(401, "A JSON web token could not be decoded")
        }
    }
    async fn installation(State(world): There, Path((owner, name)): Path<(String, String)>) -> Response {
        if format!("{owner}/{name}") == world.name() { Json(json!({"id": 77})).into_response() } else { absent() }
    }
    async fn access_token(Path(_): Path<u64>, Json(body): Json<Value>) -> Response {
        // What it opens is told here, so that a test finds it among the requests.
        let expires = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let token =
            json!({"token": TOKEN, "expires_at": expires, "permissions": {}, "repository_ids": body["repository_ids"]});
        (StatusCode::CREATED, Json(token)).into_response()
    }
    Router::new()
        .route("/api/v3/app", get(|| async { Json(json!({"id": 12, "slug": "wooo"})) }))
        .route("/api/v3/repos/{owner}/{name}/installation", get(installation))
        .route("/api/v3/app/installations/{id}/access_tokens", post(access_token))
        .layer(from_fn_with_state(is_signed, check))
        .with_state(world)
}
