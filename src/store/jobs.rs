//! The queue: rows that are claimed with a lease, and the fence that keeps out whoever lost it.
//!
//! A job is *queued* until somebody claims it and *running* until its holder says how it ended or the lease runs out; then
//! it can be claimed again, with a higher token. What a kind means, when to try again and when to give up is a matter of
//! the module `jobs`.

use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{Error, JobId, Store, Tx};

/// A piece of work to be queued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewJob {
    /// What is to be done.
    pub kind: String,
    /// What it is to be done to: an id.
    pub payload: String,
    /// While a job with this key is queued, another one is the same job.
    pub dedup_key: Option<String>,
    /// Of the jobs with this key, one runs at a time.
    pub serial_key: Option<String>,
    /// Higher comes first; 0 is usual.
    pub priority: i64,
    /// Not before; `None` is now.
    pub run_at: Option<Timestamp>,
    /// How many claims may fail.
    pub max_attempts: u32,
}

impl NewJob {
    /// A job of usual priority, due now, with ten attempts.
    #[must_use]
    pub fn new(kind: impl Into<String>, payload: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: payload.into(),
            dedup_key: None,
            serial_key: None,
            priority: 0,
            run_at: None,
            max_attempts: 10,
        }
    }

    /// Makes it the same as a job that is queued with this key.
    #[must_use]
    pub fn dedup(self, key: impl Into<String>) -> Self {
        Self { dedup_key: Some(key.into()), ..self }
    }

    /// Lets it run only while no other job with this key runs.
    #[must_use]
    pub fn serial(self, key: impl Into<String>) -> Self {
        Self { serial_key: Some(key.into()), ..self }
    }

    /// Puts it before those of lower priority.
    #[must_use]
    pub fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    /// Lets it wait until then.
    #[must_use]
    pub fn at(self, run_at: Timestamp) -> Self {
        Self { run_at: Some(run_at), ..self }
    }

    /// Says how many claims may fail.
    #[must_use]
    pub fn attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }
}

/// How far a job has come.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, strum::Display, strum::EnumIter, strum::EnumString,
)]
#[strum(serialize_all = "lowercase")]
pub enum JobState {
    /// It waits to be claimed.
    Queued,
    /// Somebody has it.
    Running,
    /// It was completed.
    Done,
    /// It was given up.
    Failed,
}

/// A job that was claimed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// What it is to be done to.
    pub payload: String,
    /// See [`NewJob::dedup_key`].
    pub dedup_key: Option<String>,
    /// See [`NewJob::serial_key`].
    pub serial_key: Option<String>,
    /// Higher comes first.
    pub priority: i64,
    /// When it was due.
    pub run_at: Timestamp,
    /// How far it has come.
    pub state: JobState,
    /// How often it was claimed, this claim included.
    pub attempts: u32,
    /// How many claims may fail.
    pub max_attempts: u32,
    /// The number of the claim; it only grows.
    pub token: i64,
    /// Until when it belongs to the one who claimed it.
    pub lease_until: Option<Timestamp>,
    /// Why it failed before.
    pub last_error: Option<String>,
    /// When it was queued first.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Job {
    /// What every write for this job is checked with.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { job: self.id.clone(), token: self.token }
    }

    /// Whether it was claimed more often than it may fail: those who had it died with it. It must be given up, with its
    /// reason where people see it, not run.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.attempts > self.max_attempts
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            kind: row.get("kind")?,
            payload: row.get("payload")?,
            dedup_key: row.get("dedup_key")?,
            serial_key: row.get("serial_key")?,
            priority: row.get("priority")?,
            run_at: row.time("run_at")?,
            state: row.parse("state")?,
            attempts: row.number("attempts")?,
            max_attempts: row.number("max_attempts")?,
            token: row.get("lease_token")?,
            lease_until: row.time_or_null("lease_until")?,
            last_error: row.get("last_error")?,
            created_at: row.time("created_at")?,
            finished_at: row.time_or_null("finished_at")?,
        })
    }
}

const COLUMNS: &str = "id, kind, payload, dedup_key, serial_key, priority, run_at, state, attempts, max_attempts, \
                       lease_token, lease_until, last_error, created_at, finished_at";

/// One claim of one job. A transaction under it is only begun while the claim stands.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Fence {
    /// The job.
    pub job: JobId,
    /// The number of the claim.
    pub token: i64,
}

/// How many jobs there are of a kind in a state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// How many.
    pub count: i64,
}

/// How often a claim is tried again when others were faster.
const CLAIM_TRIES: usize = 16;

impl Store {
    /// Queues a job, and says which: the one that is queued already if the key of the new one is.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn enqueue(&self, job: &NewJob) -> Result<JobId, Error> {
        let mut tx = self.begin().await?;
        let id = tx.enqueue(job).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Claims the most urgent job of one of `kinds` for `lease`: a queued one that is due, or a running one whose lease
    /// ran out. `worker` says whose it is, for people. A job that [is exhausted](Job::is_exhausted) is handed out too.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn claim(&self, worker: &str, kinds: &[&str], lease: Duration) -> Result<Option<Job>, Error> {
        if kinds.is_empty() {
            return Ok(None);
        }
        for _ in 0..CLAIM_TRIES {
            // Two who choose different jobs with one serial key at once are told apart by an index: one of them is
            // refused and chooses again.
            match claim_statement(worker, kinds, lease).first(self.write()).await {
                Ok(None) => return Ok(None),
                Ok(Some(row)) => {
                    self.inner.wake.notify();
                    return Ok(Some(Job::read(&row)?));
                }
                Err(Error::Conflict { .. } | Error::Busy(_)) => {}
                Err(error) => return Err(error),
            }
        }
        // Somebody else is served all the time, so the work goes on.
        Ok(None)
    }

    /// Begins a transaction that exists only if `fence` holds: the job still runs, under that claim, within its lease.
    /// The job's row is locked until the end, so that nobody can claim it meanwhile.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], and those of [`Store::begin`].
    pub async fn fenced(&self, fence: &Fence) -> Result<Tx, Error> {
        let mut tx = self.begin().await?;
        let check = Statement::new("SELECT id FROM jobs WHERE id = ")
            .arg(&fence.job)
            .sql(" AND lease_token = ")
            .arg(fence.token)
            .sql(" AND state = 'running' AND lease_until > {now} {for_update}");
        match check.first(tx.on()).await? {
            Some(_) => Ok(tx),
            None => Err(Error::LeaseLost),
        }
    }

    /// Makes the lease last for `lease` from now.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn extend(&self, fence: &Fence, lease: Duration) -> Result<(), Error> {
        let statement = Statement::new("UPDATE jobs SET lease_until = {now} + ").arg(lease);
        held(statement, fence).run(self.write()).await.and_then(one_row)
    }

    /// Ends a job well. To do so together with its last write, see [`Tx::complete`].
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn complete(&self, fence: &Fence) -> Result<(), Error> {
        let mut tx = self.fenced(fence).await?;
        tx.complete(fence).await?;
        tx.commit().await
    }

    /// Notes that an attempt failed. The job is queued again, to run after `retry_after`; without that, or when it has no
    /// attempts left, it is given up. Returns which of the two.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn fail(&self, fence: &Fence, error: &str, retry_after: Option<Duration>) -> Result<JobState, Error> {
        let mut tx = self.fenced(fence).await?;
        let state = tx.fail(fence, error, retry_after).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Queues a job again, to look after `after`, without that having been an attempt.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn reschedule(&self, fence: &Fence, after: Duration) -> Result<(), Error> {
        let mut tx = self.fenced(fence).await?;
        tx.reschedule(fence, after).await?;
        tx.commit().await
    }

    /// The job.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM jobs WHERE id = ").arg(id);
        statement.first(self.read()).await?.map(|row| Job::read(&row)).transpose()
    }

    /// How many jobs there are, by kind and state.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, Error> {
        let sql = "SELECT kind, state, COUNT(*) AS count FROM jobs GROUP BY kind, state ORDER BY kind, state";
        let read =
            |row: &Row| Ok(JobCount { kind: row.get("kind")?, state: row.parse("state")?, count: row.get("count")? });
        Statement::new(sql).all(self.read()).await?.iter().map(read).collect()
    }

    /// For how long the oldest job that could run has been waiting to be claimed.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn oldest_job_wait(&self) -> Result<Option<Duration>, Error> {
        let sql = "SELECT {now} - MIN(run_at) AS wait FROM jobs WHERE state = 'queued' AND run_at <= {now}";
        let Some(row) = Statement::new(sql).first(self.read()).await? else { return Ok(None) };
        let wait: Option<i64> = row.get("wait")?;
        Ok(wait.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or_default())))
    }

    /// Deletes jobs that ended longer than `age` ago, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_jobs(&self, age: Duration) -> Result<u64, Error> {
        let statement = Statement::new("DELETE FROM jobs WHERE finished_at < {now} - ").arg(age);
        statement.run(self.write()).await
    }
}

impl Tx {
    /// Queues a job together with everything else in this transaction.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn enqueue(&mut self, job: &NewJob) -> Result<JobId, Error> {
        let insert = Statement::insert(
            "jobs",
            vec![
                ("id", arg(&JobId::random())),
                ("kind", arg(&job.kind)),
                ("payload", arg(&job.payload)),
                ("dedup_key", arg(job.dedup_key.as_deref())),
                ("serial_key", arg(job.serial_key.as_deref())),
                ("priority", arg(job.priority)),
                ("state", arg("queued")),
                ("max_attempts", arg(job.max_attempts)),
            ],
        )
        .with_now("created_at");
        let statement = match job.run_at {
            Some(time) => insert.with("run_at", time),
            None => insert.with_now("run_at"),
        };
        let row = statement
            .sql(
                " ON CONFLICT (dedup_key) WHERE state = 'queued' DO UPDATE SET \
                 run_at = CASE WHEN excluded.run_at < jobs.run_at THEN excluded.run_at ELSE jobs.run_at END, \
                 priority = CASE WHEN excluded.priority > jobs.priority THEN excluded.priority ELSE jobs.priority END \
                 RETURNING id",
            )
            .first(self.on())
            .await?;
        self.wake().await?;
        row.ok_or(Error::NotFound { what: "job" })?.parse("id")
    }

    /// Ends the job of this transaction well.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn complete(&mut self, fence: &Fence) -> Result<(), Error> {
        let sql = "UPDATE jobs SET state = 'done', finished_at = {now}, lease_owner = NULL, lease_until = NULL";
        held(Statement::new(sql), fence).run(self.on()).await.and_then(one_row)?;
        // Another job with its serial key may have waited for it.
        self.wake().await
    }

    /// As [`Store::fail`], in this transaction.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn fail(&mut self, fence: &Fence, error: &str, retry_after: Option<Duration>) -> Result<JobState, Error> {
        if let Some(after) = retry_after
            && self.has_attempts_left(fence).await?
        {
            self.requeue(fence, after, Some(error)).await?;
            return Ok(JobState::Queued);
        }
        let given_up = Statement::new("UPDATE jobs SET state = 'failed', finished_at = {now}, lease_owner = NULL, ")
            .sql("lease_until = NULL, last_error = ")
            .arg(error);
        held(given_up, fence).run(self.on()).await.and_then(one_row)?;
        self.wake().await?;
        Ok(JobState::Failed)
    }

    /// As [`Store::reschedule`], in this transaction.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn reschedule(&mut self, fence: &Fence, after: Duration) -> Result<(), Error> {
        self.requeue(fence, after, None).await
    }

    async fn has_attempts_left(&mut self, fence: &Fence) -> Result<bool, Error> {
        let sql = "SELECT attempts < max_attempts AS left_over FROM jobs WHERE id = ";
        let row = Statement::new(sql).arg(&fence.job).first(self.on()).await?;
        row.map_or(Ok(false), |row| row.get("left_over"))
    }

    /// Queues the job again; with an error it was an attempt. If its like was queued meanwhile, that one does its work.
    async fn requeue(&mut self, fence: &Fence, after: Duration, error: Option<&str>) -> Result<(), Error> {
        let twin = Statement::new("SELECT id FROM jobs WHERE state = 'queued' AND dedup_key = ")
            .sql("(SELECT dedup_key FROM jobs WHERE id = ")
            .arg(&fence.job)
            .sql(") {for_update}");
        if twin.first(self.on()).await?.is_some() {
            return self.complete(fence).await;
        }
        let mut again = Statement::new("UPDATE jobs SET state = 'queued', lease_owner = NULL, lease_until = NULL, ")
            .sql("run_at = {now} + ")
            .arg(after);
        again = match error {
            Some(error) => again.sql(", last_error = ").arg(error),
            None => again.sql(", attempts = attempts - 1"),
        };
        held(again, fence).run(self.on()).await.and_then(one_row)?;
        self.wake().await
    }
}

/// Adds the condition that the claim still stands.
fn held(statement: Statement, fence: &Fence) -> Statement {
    statement
        .sql(" WHERE id = ")
        .arg(&fence.job)
        .sql(" AND lease_token = ")
        .arg(fence.token)
        .sql(" AND state = 'running' AND lease_until > {now}")
}

fn one_row(count: u64) -> Result<(), Error> {
    if count == 1 { Ok(()) } else { Err(Error::LeaseLost) }
}

fn claim_statement(worker: &str, kinds: &[&str], lease: Duration) -> Statement {
    Statement::new("UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_token = lease_token + 1, ")
        .sql("lease_owner = ")
        .arg(worker)
        .sql(", lease_until = {now} + ")
        .arg(lease)
        // Compared with `=`, so that PostgreSQL looks for it once.
        .sql(" WHERE id = (SELECT id FROM jobs AS candidate WHERE state IN ('queued', 'running') AND kind IN ")
        .list(kinds.iter().copied())
        .sql(
            " AND ((state = 'queued' AND run_at <= {now}) OR (state = 'running' AND lease_until <= {now})) \
             AND (serial_key IS NULL OR NOT EXISTS (SELECT 1 FROM jobs AS other WHERE \
             other.serial_key = candidate.serial_key AND other.state = 'running' AND other.id <> candidate.id)) \
             ORDER BY priority DESC, run_at, created_at, id LIMIT 1 {skip_locked}) RETURNING ",
        )
        .sql(COLUMNS)
}
