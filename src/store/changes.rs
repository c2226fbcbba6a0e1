//! Changes: what was asked for, how far it has come, and what came of it.
//!
//! What a reviewer reads (diffs, files) can be large, so it is kept apart from the [`Change`] that lists show.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, Row, Statement, arg, json, json_or_null, word};
use super::{AppId, Cursor, Error, FleetName, Page, Paging, Scope, Store, Tx};
use crate::domain::fleet::MergeMode;
use crate::domain::{AppName, ChangeId, ChangeState, EnvironmentName, Intent, Outcome, TenantName};

/// One intent made concrete.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its identity.
    pub id: ChangeId,
    /// The fleet that it changes.
    pub fleet: FleetName,
    /// The app, once it is in the index.
    pub app_id: Option<AppId>,
    /// The app's name.
    pub app: AppName,
    /// The environment; `None` for all of them.
    pub environment: Option<EnvironmentName>,
    /// The verb.
    pub action: String,
    /// What was asked for; `None` if all that is known of it is its commit.
    pub intent: Option<Intent>,
    /// Who asked.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The tenant that the app belongs to.
    pub tenant: Option<TenantName>,
    /// The first line of its commit.
    pub subject: Option<String>,
    /// How far it has come.
    pub state: ChangeState,
    /// What the cluster said.
    pub outcome: Option<Outcome>,
    /// Why it failed: a problem as JSON.
    pub problem: Option<Value>,
    /// What is worth knowing about it: a JSON array.
    pub notes: Value,
    /// The branch of its commit.
    pub branch: Option<String>,
    /// The commit that it was planned on.
    pub base_commit: Option<String>,
    /// Its commit.
    pub commit_sha: Option<String>,
    /// The digest of what was rendered.
    pub digest: Option<String>,
    /// The number of its merge request.
    pub merge_request: Option<i64>,
    /// Where its merge request is.
    pub merge_request_url: Option<String>,
    /// Who merges it.
    pub merge_mode: MergeMode,
    /// The commit that brought it to the synced branch.
    pub merged_sha: Option<String>,
    /// Counts its writes.
    pub version: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// When its merge request was opened.
    pub proposed_at: Option<Timestamp>,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// When nothing more was to happen to it.
    pub settled_at: Option<Timestamp>,
}

/// What a reviewer reads of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeContent {
    /// The differences of meaning: a JSON array.
    pub diffs: Value,
    /// The files that it touches: a JSON array.
    pub files: Value,
}

impl Default for ChangeContent {
    fn default() -> Self {
        Self { diffs: Value::Array(Vec::new()), files: Value::Array(Vec::new()) }
    }
}

/// What is new about a change. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeUpdate {
    /// How far it has come. The time of it is written down too: with `Proposed`, `Merged` and every final state.
    pub state: Option<ChangeState>,
    /// What the cluster said.
    pub outcome: Option<Outcome>,
    /// Why it failed; `Some(None)` if it no longer does.
    pub problem: Option<Option<Value>>,
    /// What is worth knowing.
    pub notes: Option<Value>,
    /// What a reviewer reads.
    pub content: Option<ChangeContent>,
    /// The app, once it is in the index.
    pub app_id: Option<AppId>,
    /// The tenant.
    pub tenant: Option<TenantName>,
    /// The first line of its commit.
    pub subject: Option<String>,
    /// The branch of its commit.
    pub branch: Option<String>,
    /// The commit that it was planned on.
    pub base_commit: Option<String>,
    /// Its commit.
    pub commit_sha: Option<String>,
    /// The digest of what was rendered.
    pub digest: Option<String>,
    /// The number of its merge request.
    pub merge_request: Option<i64>,
    /// Where its merge request is.
    pub merge_request_url: Option<String>,
    /// Who merges it.
    pub merge_mode: Option<MergeMode>,
    /// The commit that brought it to the synced branch.
    pub merged_sha: Option<String>,
}

/// Which changes.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one fleet.
    pub fleet: Option<FleetName>,
    /// Of one app.
    pub app: Option<AppName>,
    /// In one environment, or in all of them at once.
    pub environment: Option<EnvironmentName>,
    /// In one of these states; any if there is none.
    pub states: Vec<ChangeState>,
    /// By one actor.
    pub actor: Option<String>,
    /// With this verb.
    pub action: Option<String>,
}

const COLUMNS: &str = "id, fleet, app_id, app, environment, action, intent, actor, reason, tenant, subject, state, \
                       outcome, problem, notes, branch, base_commit, commit_sha, digest, merge_request, \
                       merge_request_url, merge_mode, merged_sha, version, created_at, updated_at, proposed_at, \
                       merged_at, settled_at";

impl Change {
    /// A change that was just asked for.
    #[must_use]
    pub fn accepted(
        id: ChangeId,
        fleet: FleetName,
        intent: Intent,
        actor: impl Into<String>,
        reason: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            app_id: None,
            app: intent.app.clone(),
            environment: intent.environment.clone(),
            action: intent.action.verb().to_owned(),
            intent: Some(intent),
            fleet,
            actor: actor.into(),
            reason,
            tenant: None,
            subject: None,
            state: ChangeState::Accepted,
            outcome: None,
            problem: None,
            notes: Value::Array(Vec::new()),
            branch: None,
            base_commit: None,
            commit_sha: None,
            digest: None,
            merge_request: None,
            merge_request_url: None,
            merge_mode: MergeMode::Propose,
            merged_sha: None,
            version: 1,
            created_at: at,
            updated_at: at,
            proposed_at: None,
            merged_at: None,
            settled_at: None,
        }
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            fleet: row.parse("fleet")?,
            app_id: row.parse_or_null("app_id")?,
            app: row.parse("app")?,
            environment: row.parse_or_null("environment")?,
            action: row.get("action")?,
            intent: row.json_or_null("intent")?,
            actor: row.get("actor")?,
            reason: row.get("reason")?,
            tenant: row.parse_or_null("tenant")?,
            subject: row.get("subject")?,
            state: row.parse("state")?,
            outcome: row.parse_or_null("outcome")?,
            problem: row.json_or_null("problem")?,
            notes: row.json("notes")?,
            branch: row.get("branch")?,
            base_commit: row.get("base_commit")?,
            commit_sha: row.get("commit_sha")?,
            digest: row.get("digest")?,
            merge_request: row.get("merge_request")?,
            merge_request_url: row.get("merge_request_url")?,
            merge_mode: row.word_or_null("merge_mode")?.unwrap_or_default(),
            merged_sha: row.get("merged_sha")?,
            version: row.get("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            proposed_at: row.time_or_null("proposed_at")?,
            merged_at: row.time_or_null("merged_at")?,
            settled_at: row.time_or_null("settled_at")?,
        })
    }

    fn fields(&self, content: &ChangeContent) -> Result<Vec<(&'static str, Argument)>, Error> {
        Ok(vec![
            ("id", arg(&self.id)),
            ("fleet", arg(&self.fleet)),
            ("app_id", arg(self.app_id.as_ref())),
            ("app", arg(&self.app)),
            ("environment", arg(self.environment.as_ref())),
            ("action", arg(&self.action)),
            ("intent", arg(json_or_null(self.intent.as_ref())?)),
            ("actor", arg(&self.actor)),
            ("reason", arg(self.reason.as_deref())),
            ("tenant", arg(self.tenant.as_ref())),
            ("subject", arg(self.subject.as_deref())),
            ("state", arg(self.state)),
            ("outcome", arg(self.outcome)),
            ("problem", arg(json_or_null(self.problem.as_ref())?)),
            ("notes", arg(json(&self.notes)?)),
            ("diffs", arg(json(&content.diffs)?)),
            ("files", arg(json(&content.files)?)),
            ("branch", arg(self.branch.as_deref())),
            ("base_commit", arg(self.base_commit.as_deref())),
            ("commit_sha", arg(self.commit_sha.as_deref())),
            ("digest", arg(self.digest.as_deref())),
            ("merge_request", arg(self.merge_request)),
            ("merge_request_url", arg(self.merge_request_url.as_deref())),
            ("merge_mode", arg(word(&self.merge_mode)?)),
            ("merged_sha", arg(self.merged_sha.as_deref())),
            ("version", arg(self.version)),
            ("created_at", arg(self.created_at)),
            ("updated_at", arg(self.updated_at)),
            ("proposed_at", arg(self.proposed_at)),
            ("merged_at", arg(self.merged_at)),
            ("settled_at", arg(self.settled_at)),
        ])
    }
}

impl ChangeUpdate {
    fn fields(&self) -> Result<Vec<(&'static str, Argument)>, Error> {
        let texts = [
            ("subject", &self.subject),
            ("branch", &self.branch),
            ("base_commit", &self.base_commit),
            ("commit_sha", &self.commit_sha),
            ("digest", &self.digest),
            ("merge_request_url", &self.merge_request_url),
            ("merged_sha", &self.merged_sha),
        ];
        let mut fields: Vec<(&'static str, Argument)> =
            texts.into_iter().filter_map(|(column, text)| Some((column, arg(text.as_ref()?)))).collect();
        fields.extend(self.state.map(|state| ("state", arg(state))));
        fields.extend(self.outcome.map(|outcome| ("outcome", arg(outcome))));
        if let Some(problem) = &self.problem {
            fields.push(("problem", arg(json_or_null(problem.as_ref())?)));
        }
        if let Some(notes) = &self.notes {
            fields.push(("notes", arg(json(notes)?)));
        }
        if let Some(content) = &self.content {
            fields.push(("diffs", arg(json(&content.diffs)?)));
            fields.push(("files", arg(json(&content.files)?)));
        }
        fields.extend(self.app_id.as_ref().map(|id| ("app_id", arg(id))));
        fields.extend(self.tenant.as_ref().map(|tenant| ("tenant", arg(tenant))));
        fields.extend(self.merge_request.map(|number| ("merge_request", arg(number))));
        if let Some(mode) = &self.merge_mode {
            fields.push(("merge_mode", arg(word(mode)?)));
        }
        Ok(fields)
    }

    /// The column of the time at which the new state was reached. The first time counts, but for the end: a change that is
    /// open again has none.
    fn reached(&self) -> &'static str {
        match self.state {
            Some(ChangeState::Proposed) => ", proposed_at = COALESCE(proposed_at, {now}), settled_at = NULL",
            Some(ChangeState::Merged) => ", merged_at = COALESCE(merged_at, {now})",
            Some(state) if state.is_final() => ", settled_at = COALESCE(settled_at, {now})",
            _ => "",
        }
    }
}

fn one(id: &ChangeId) -> Statement {
    Statement::new("SELECT ").sql(COLUMNS).sql(" FROM changes WHERE id = ").arg(id)
}

impl Store {
    /// A change.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn change(&self, id: &ChangeId) -> Result<Option<Change>, Error> {
        one(id).first(self.read()).await?.map(|row| Change::read(&row)).transpose()
    }

    /// What a reviewer reads of a change.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn change_content(&self, id: &ChangeId) -> Result<Option<ChangeContent>, Error> {
        let statement = Statement::new("SELECT diffs, files FROM changes WHERE id = ").arg(id);
        let read = |row: Row| Ok(ChangeContent { diffs: row.json("diffs")?, files: row.json("files")? });
        statement.first(self.read()).await?.map(read).transpose()
    }

    /// How many changes there are, by state.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn change_counts(&self) -> Result<Vec<(ChangeState, i64)>, Error> {
        let statement = Statement::new("SELECT state, COUNT(*) AS count FROM changes GROUP BY state ORDER BY state");
        let read = |row: &Row| Ok((row.parse("state")?, row.get("count")?));
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// The changes of a branch, newest first. There is more than one where a branch was used again.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn changes_on_branch(&self, fleet: &FleetName, branch: &str) -> Result<Vec<Change>, Error> {
        self.changes_with(fleet, " AND branch = ", branch).await
    }

    /// The changes of a merge request, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn changes_of_merge_request(&self, fleet: &FleetName, number: i64) -> Result<Vec<Change>, Error> {
        self.changes_with(fleet, " AND merge_request = ", number).await
    }

    async fn changes_with(
        &self,
        fleet: &FleetName,
        condition: &'static str,
        value: impl super::statement::IntoArgument,
    ) -> Result<Vec<Change>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM changes WHERE fleet = ").arg(fleet);
        let statement = statement.sql(condition).arg(value).sql(" ORDER BY created_at DESC, id DESC LIMIT 200");
        statement.all(self.read()).await?.iter().map(Change::read).collect()
    }

    /// A page of changes, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn changes(&self, filter: &ChangeFilter, paging: &Paging) -> Result<Page<Change>, Error> {
        let mut statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM changes WHERE TRUE");
        statement = filter
            .scope
            .restrict(statement)
            .and_equal("fleet", filter.fleet.as_ref())
            .and_equal("app", filter.app.as_ref())
            .and_equal("actor", filter.actor.as_deref())
            .and_equal("action", filter.action.as_deref());
        if let Some(environment) = &filter.environment {
            statement = statement.sql(" AND (environment = ").arg(environment).sql(" OR environment IS NULL)");
        }
        statement = statement.and_one_of("state", filter.states.clone());
        let rows = paging.newest_first(statement, "created_at", "id")?.all(self.read()).await?;
        paging.page(&rows, Change::read, |change| Cursor::new(change.created_at.as_millisecond(), &change.id))
    }
}

impl Tx {
    /// A change, as this transaction sees it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn change(&mut self, id: &ChangeId) -> Result<Option<Change>, Error> {
        one(id).sql(" {for_update}").first(self.on()).await?.map(|row| Change::read(&row)).transpose()
    }

    /// Writes down a new change.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is one with its identity.
    pub async fn insert_change(&mut self, change: &Change, content: &ChangeContent) -> Result<(), Error> {
        Statement::insert("changes", change.fields(content)?).run(self.on()).await?;
        Ok(())
    }

    /// Writes down what is new about a change, and returns the version that it has then.
    ///
    /// # Errors
    /// [`Error::Stale`] if its version is not `expected`; [`Error::NotFound`].
    pub async fn update_change(&mut self, id: &ChangeId, expected: i64, update: &ChangeUpdate) -> Result<i64, Error> {
        let mut fields = update.fields()?;
        fields.push(("version", arg(expected + 1)));
        let statement = Statement::update("changes", fields)
            .sql(", updated_at = {now}")
            .sql(update.reached())
            .sql(" WHERE id = ")
            .arg(id)
            .sql(" AND version = ")
            .arg(expected);
        if statement.run(self.on()).await? == 1 {
            return Ok(expected + 1);
        }
        match one(id).first(self.on()).await? {
            Some(_) => Err(Error::Stale { what: "change" }),
            None => Err(Error::NotFound { what: "change" }),
        }
    }
}
