//! Opening a database: addresses, pools, the lock of a SQLite file, readiness.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;

use super::statement::{On, Statement};
use super::wake::Wake;
use super::{Error, migrate};

/// The database. Cloning it is cheap, and all clones are one.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

/// What all clones of a store have in common.
pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) wake: Wake,
    lock: Mutex<Option<File>>,
    /// Where a database that is not kept lies; it vanishes with the store.
    _folder: Option<TempDir>,
}

/// The pools.
pub(super) enum Db {
    /// One connection writes, so that no writer meets another one's lock halfway.
    Sqlite {
        /// Connections that only read.
        read: SqlitePool,
        /// The one that writes.
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most connections to PostgreSQL of this process; one more listens for work.
    pub connections: u32,
    /// How long a statement may take on PostgreSQL.
    pub statement_timeout: Duration,
    /// How long to wait for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 10, statement_timeout: Duration::from_secs(30), acquire_timeout: Duration::from_secs(5) }
    }
}

/// Connections that read a SQLite file at once.
const SQLITE_READERS: u32 = 4;
/// How long SQLite waits for a lock of another process, such as a backup.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.inner.db {
            Db::Sqlite { .. } => "SQLite",
            Db::Postgres(_) => "PostgreSQL",
        };
        f.debug_tuple("Store").field(&kind).finish()
    }
}

impl Store {
    /// Opens a database and brings its schema up to date: a path or `sqlite:///path/file.db` (made if it is not there),
    /// `sqlite::memory:` (kept nowhere), or `postgres://user@host/database`.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::InUse`] for a SQLite file of another process, [`Error::Newer`] for a database of a
    /// later version, [`Error::Unavailable`].
    pub async fn open(address: &str) -> Result<Self, Error> {
        Self::open_with(address, &Options::default()).await
    }

    /// As [`Store::open`], with other settings.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(address: &str, options: &Options) -> Result<Self, Error> {
        let store = Self::connect(address, options).await?;
        migrate::run(&store, migrate::newest()).await?;
        Ok(store)
    }

    /// Connects without looking at the schema.
    pub(super) async fn connect(address: &str, options: &Options) -> Result<Self, Error> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            let db = Db::Postgres(connect_postgres(address, options).await?);
            return Ok(Self::new(db, None, None));
        }
        if address == "sqlite::memory:" {
            let folder = tempfile::tempdir().map_err(|error| Error::Unavailable(error.to_string()))?;
            let (db, lock) = connect_sqlite(&folder.path().join("wooo.db"), options).await?;
            return Ok(Self::new(db, Some(lock), Some(folder)));
        }
        let path = address.strip_prefix("sqlite://").unwrap_or(address);
        let other_scheme = path.contains("://") || path.starts_with("sqlite:");
        if other_scheme || path.is_empty() || path.contains(['\0', '?']) {
            return Err(Error::Address("the address of the database is neither a path nor a PostgreSQL URL"));
        }
        let (db, lock) = connect_sqlite(Path::new(path), options).await?;
        Ok(Self::new(db, Some(lock), None))
    }

    fn new(db: Db, lock: Option<File>, folder: Option<TempDir>) -> Self {
        Self { inner: Arc::new(Inner { db, wake: Wake::default(), lock: Mutex::new(lock), _folder: folder }) }
    }

    /// Whether several processes may use this database at once.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.inner.db, Db::Postgres(_))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        Statement::new("SELECT 1 AS one").first(self.read()).await?;
        Ok(())
    }

    /// The time as the database has it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it does not answer.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        match Statement::new("SELECT {now} AS now").first(self.read()).await? {
            Some(row) => row.time("now"),
            None => Err(Error::Failed("the database does not say the time".to_owned())),
        }
    }

    /// Ends all connections, after the statements that run now, and lets another process have the file.
    pub async fn close(&self) {
        self.inner.wake.stop();
        match &self.inner.db {
            Db::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
        self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Where reads run.
    pub(super) fn read(&self) -> On<'_> {
        match &self.inner.db {
            Db::Sqlite { read, .. } => On::SqlitePool(read),
            Db::Postgres(pool) => On::PostgresPool(pool),
        }
    }

    /// Where single statements that write run.
    pub(super) fn write(&self) -> On<'_> {
        match &self.inner.db {
            Db::Sqlite { write, .. } => On::SqlitePool(write),
            Db::Postgres(pool) => On::PostgresPool(pool),
        }
    }
}

async fn connect_postgres(address: &str, options: &Options) -> Result<PgPool, Error> {
    let timeout = options.statement_timeout.as_millis().to_string();
    let connect = PgConnectOptions::from_str(address)?.application_name("wooo").options([
        ("statement_timeout", timeout.as_str()),
        // A process that is stopped in the middle of a transaction must not hold its locks for ever.
        ("idle_in_transaction_session_timeout", "60000"),
        ("lock_timeout", timeout.as_str()),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.saturating_add(1))
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect);
    Ok(pool.await?)
}

async fn connect_sqlite(path: &Path, options: &Options) -> Result<(Db, File), Error> {
    let lock = lock(path)?;
    create_private(path)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY)
        .pragma("journal_size_limit", "67108864");
    let pool = |connections: u32| {
        // A connection costs nothing, and its cache of pages and statements is worth keeping.
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    // The writer comes first: it makes the file what it is.
    let write = pool(1).connect_with(connect.clone()).await?;
    let read = pool(SQLITE_READERS).connect_with(connect.pragma("query_only", "ON")).await?;
    Ok((Db::Sqlite { read, write }, lock))
}

/// Takes the lock of a database file. It is the operating system's, so it ends with the process, however that ends.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = open_private(&PathBuf::from(name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::Unavailable(error.to_string())),
    }
}

/// Makes the database file before SQLite does, which would let everybody read it.
fn create_private(path: &Path) -> Result<(), Error> {
    open_private(path).map(drop)
}

fn open_private(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| Error::Unavailable(format!("`{}`: {error}", path.display())))
}
