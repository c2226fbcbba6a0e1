//! What can go wrong with the database, one variant for each thing that a caller does about it.

use std::path::PathBuf;

use sqlx::error::{DatabaseError, ErrorKind};

use crate::domain::{Problem, Problems};

/// Why the store did not do what it was asked to. No variant holds the address of the database, which may hold its
/// password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another row has what must be unique, or a row that this one points at is gone.
    #[error("the database refuses the row: {constraint}")]
    Conflict {
        /// The rule, as the database names it.
        constraint: String,
    },
    /// The row was changed since it was read. Read it again and decide again.
    #[error("the {what} was changed meanwhile")]
    Stale {
        /// What kind of row.
        what: &'static str,
    },
    /// There is no such row.
    #[error("there is no such {what}")]
    NotFound {
        /// What kind of row.
        what: &'static str,
    },
    /// The lease of a job, or of a role, ran out or went to somebody else. Stop, and write nothing.
    #[error("the lease was lost to another worker")]
    LeaseLost,
    /// Somebody else's transaction was in the way. Nothing was written; try again at once.
    #[error("the database was busy: {0}")]
    Busy(String),
    /// The database cannot be reached or cannot write now. If this comes from a commit, what was written may be there.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Another process has the SQLite file open.
    #[error("`{}` is in use by another process", .path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// A later version of wooo has been here, and this one does not know what it left.
    #[error("the database has schema {found}, and this program knows schemas up to {known}")]
    Newer {
        /// The schema of the database.
        found: i64,
        /// The last schema of this program.
        known: i64,
    },
    /// The schema is not what this program made of it.
    #[error("migration {version} of the database is not the one that this program has")]
    Schema {
        /// The migration that differs.
        version: i64,
    },
    /// A stored value makes no sense, or the file is damaged.
    #[error("the database holds what cannot be read: {0}")]
    Corrupt(String),
    /// The address of the database is not one.
    #[error("{0}")]
    Address(&'static str),
    /// A page was asked for with a cursor that this store did not make.
    #[error("the cursor is not one that was given out")]
    Cursor,
    /// Anything else that the database says.
    #[error("the database reports: {0}")]
    Failed(String),
}

impl Error {
    /// The stable, dotted name of this error, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem().code
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }

    /// The error as people see it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        match self {
            Self::Conflict { .. } => Problem::new("store.conflict", detail),
            Self::Stale { .. } => Problem::new("store.stale", detail).hint("read it again, and decide again"),
            Self::NotFound { .. } => Problem::new("store.not_found", detail),
            Self::LeaseLost => Problem::new("store.lease_lost", detail),
            Self::Busy(_) => Problem::new("store.busy", detail).hint("try again"),
            Self::Unavailable(_) => Problem::new("store.unavailable", detail).hint("try again in a while"),
            Self::InUse { .. } => Problem::new("store.in_use", detail)
                .hint("stop the other process")
                .hint("several processes need a PostgreSQL database"),
            Self::Newer { .. } => Problem::new("store.newer", detail)
                .hint("run the newer program, or restore the copy of the database from before it ran"),
            Self::Schema { .. } => Problem::new("store.schema", detail),
            Self::Corrupt(_) => Problem::new("store.corrupt", detail)
                .hint("restore a copy of the database, or start with an empty one and run `wooo reindex`"),
            Self::Address(_) => Problem::new("store.address", detail)
                .hint("write a path, `sqlite:///path/to/wooo.db` or `postgres://user@host/database`"),
            Self::Cursor => Problem::new("store.cursor", detail).hint("begin with the first page"),
            Self::Failed(_) => Problem::new("store.failed", detail),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        error.problem()
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Self {
        error.problem().into()
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => from_database(error.as_ref()),
            // What is in a configuration is an address, and an address may hold a password.
            sqlx::Error::Configuration(_) => Self::Address("the address of the database cannot be read"),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(error.to_string()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

fn from_database(error: &(dyn DatabaseError + 'static)) -> Error {
    let message = error.message().to_owned();
    match error.kind() {
        ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation => {
            return Error::Conflict { constraint: error.constraint().map_or(message, str::to_owned) };
        }
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // The low byte is the kind of error, the rest says more of it.
        return match code.parse::<i32>().unwrap_or_default() & 0xff {
            5 | 6 => Error::Busy(message),
            8 | 10 | 13 | 14 => Error::Unavailable(message),
            11 | 26 => Error::Corrupt(message),
            _ => Error::Failed(message),
        };
    }
    match code.as_ref() {
        // A serialization failure, a deadlock, a lock that was not to be waited for.
        "40001" | "40P01" | "55P03" => Error::Busy(message),
        // Cancelled because it took too long; a transaction that was left open too long; a standby; a full disk.
        "57014" | "25P03" | "25006" | "53100" | "53200" | "53300" | "57P01" | "57P02" | "57P03" | "57P05" => {
            Error::Unavailable(message)
        }
        code if code.starts_with("08") => Error::Unavailable(message),
        code if code.starts_with("XX") => Error::Corrupt(message),
        _ => Error::Failed(message),
    }
}
