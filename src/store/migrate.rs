//! The schema and its history: the files of `migrations/`, one set for both databases.
//!
//! All that is missing is applied in one transaction. What has been applied is remembered with a digest of its text, so
//! that a file that was changed afterwards is noticed. There is no way back: a database of a later version is refused.

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::AssertSqlSafe;

use super::statement::{On, Statement, arg};
use super::{Error, Options, Store};

/// The migrations, oldest first. The number of one is its place in this list, counted from 1.
const MIGRATIONS: [(&str, &str); 4] = [
    ("0001_core", include_str!("../../migrations/0001_core.sql")),
    ("0002_people_and_events", include_str!("../../migrations/0002_people_and_events.sql")),
    ("0003_intended_workloads", include_str!("../../migrations/0003_intended_workloads.sql")),
    ("0004_conversations", include_str!("../../migrations/0004_conversations.sql")),
];

/// Any number, as long as it is the same in every replica.
const ADVISORY_LOCK: i64 = 0x776f_6f6f;

/// The version that the schema has when all migrations are applied.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

impl Store {
    /// Opens a database with the schema of an earlier version of this program, for tests of what comes after it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_at(address: &str, version: i64) -> Result<Self, Error> {
        let store = Self::connect(address, &Options::default()).await?;
        run(&store, version).await?;
        Ok(store)
    }

    /// The version of the schema.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer.
    pub async fn schema_version(&self) -> Result<i64, Error> {
        let row = Statement::new("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions");
        row.first(self.read()).await?.map_or(Ok(0), |row| row.get("version"))
    }
}

/// Applies what is missing up to `target`.
pub(super) async fn run(store: &Store, target: i64) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    if let On::Postgres(_) = tx.on() {
        // Replicas start together.
        Statement::new("SELECT pg_advisory_xact_lock(").arg(ADVISORY_LOCK).sql(")").run(tx.on()).await?;
    }
    let create = "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
                  digest TEXT NOT NULL, applied_at BIGINT NOT NULL)";
    Statement::new(create).run(tx.on()).await?;
    let applied = Statement::new("SELECT version, digest FROM schema_versions ORDER BY version").all(tx.on()).await?;
    let mut current = 0;
    for row in applied {
        current = row.get("version")?;
        let known = usize::try_from(current - 1).ok().and_then(|index| MIGRATIONS.get(index));
        let Some((_, sql)) = known else {
            let found = Statement::new("SELECT MAX(version) AS version FROM schema_versions").first(tx.on()).await?;
            let found = found.map_or(Ok(current), |row| row.get("version"))?;
            return Err(Error::Newer { found, known: newest() });
        };
        if row.get::<String>("digest")? != fingerprint(sql) {
            return Err(Error::Schema { version: current });
        }
    }
    for (version, (name, sql)) in (1..).zip(MIGRATIONS) {
        if version <= current || version > target {
            continue;
        }
        match tx.on() {
            On::Postgres(connection) => {
                // SQLite compares text by bytes. So does PostgreSQL then, which a cursor and a prefix rely on.
                let sql = sql.replace(" TEXT", " TEXT COLLATE \"C\"");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
            }
            On::Sqlite(connection) => {
                sqlx::raw_sql(sql).execute(connection).await?;
            }
            On::SqlitePool(_) | On::PostgresPool(_) => {}
        }
        let fields = vec![("version", arg(version)), ("name", arg(name)), ("digest", arg(fingerprint(sql)))];
        let row = Statement::insert("schema_versions", fields);
        row.with_now("applied_at").run(tx.on()).await?;
        tracing::info!(version, name, "the schema of the database was brought up to date");
    }
    tx.commit().await
}

fn fingerprint(sql: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, sql.as_bytes()).as_ref() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_migration_and_none_is_left_out() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, MIGRATIONS.map(|(name, _)| name));
        for (number, (name, _)) in (1..).zip(MIGRATIONS) {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
    }
}
