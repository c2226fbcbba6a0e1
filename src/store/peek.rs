//! A look at a database from outside: whether it answers and which schema it has. Nothing is made and nothing migrated.

use std::fs::{File, TryLockError};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::statement::{On, Statement};
use super::{Error, Options, Store, migrate};

/// What was seen of a database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peek {
    /// The version of its schema; 0 for one that was never used.
    pub version: i64,
    /// The version that this program makes of it.
    pub newest: i64,
    /// Whether another process has it, for a SQLite file.
    pub is_in_use: bool,
}

/// Looks at the database at an address of [`Store::open`]. `None` if there is no such file yet.
///
/// # Errors
/// [`Error::Address`], [`Error::Unavailable`], [`Error::Failed`] for one that wooo did not make.
pub async fn peek(address: &str) -> Result<Option<Peek>, Error> {
    let newest = migrate::newest();
    if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        let store = Store::connect(address, &Options { connections: 1, ..Options::default() }).await?;
        store.ping().await?;
        let table =
            Statement::new("SELECT 1 AS one FROM information_schema.tables WHERE table_name = 'schema_versions'");
        let is_used = table.first(store.read()).await?.is_some();
        let version = if is_used { store.schema_version().await? } else { 0 };
        store.close().await;
        return Ok(Some(Peek { version, newest, is_in_use: false }));
    }
    let path = Path::new(address.strip_prefix("sqlite://").unwrap_or(address));
    if !path.is_file() {
        return Ok(None);
    }
    let connect = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await?;
    let table = Statement::new("SELECT 1 AS one FROM sqlite_master WHERE name = 'schema_versions'");
    let version = match table.first(On::SqlitePool(&pool)).await? {
        Some(_) => {
            let row = Statement::new("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions");
            row.first(On::SqlitePool(&pool)).await?.map_or(Ok(0), |row| row.get("version"))?
        }
        None => 0,
    };
    pool.close().await;
    Ok(Some(Peek { version, newest, is_in_use: is_locked(path) }))
}

/// Whether a process holds the lock of a database file. If none does, it is let go at once.
fn is_locked(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    File::open(name).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
