//! One SQL text for both databases: its arguments, where it runs, and the rows that come back.
//!
//! A text is put together from literals only, and every value is an argument; nothing that somebody wrote can become
//! SQL. Three words stand for what the databases say differently: `{now}`, `{for_update}` and `{skip_locked}`.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnection, PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Row as _, Type};

use super::Error;

/// A statement in the making.
#[derive(Debug)]
pub(super) struct Statement {
    sql: String,
    arguments: Vec<Argument>,
}

/// A value for a statement. Each kind has its own NULL, because PostgreSQL asks for the type of a NULL too.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Real(Option<f64>),
}

/// Where a statement runs.
pub(super) enum On<'a> {
    /// On any connection of a SQLite pool.
    SqlitePool(&'a SqlitePool),
    /// On any connection of a PostgreSQL pool.
    PostgresPool(&'a PgPool),
    /// In a transaction.
    Sqlite(&'a mut SqliteConnection),
    /// In a transaction.
    Postgres(&'a mut PgConnection),
}

/// One row of an answer.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Statement {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), arguments: Vec::new() }
    }

    /// `INSERT` of one row.
    pub(super) fn insert(table: &'static str, fields: Vec<(&'static str, Argument)>) -> Self {
        let mut statement = Self::new("INSERT INTO ").sql(table).sql(" (");
        for (index, (column, _)) in fields.iter().enumerate() {
            statement = statement.sql(if index > 0 { ", " } else { "" }).sql(column);
        }
        statement = statement.sql(") VALUES (");
        for (index, (_, value)) in fields.into_iter().enumerate() {
            statement = statement.sql(if index > 0 { ", " } else { "" }).argument(value);
        }
        statement.sql(")")
    }

    /// Adds a column to an `INSERT` that is complete so far.
    pub(super) fn with(self, column: &'static str, value: impl IntoArgument) -> Self {
        self.reopen(column).arg(value).sql(")")
    }

    /// Adds a column with the time of the database to an `INSERT` that is complete so far.
    pub(super) fn with_now(self, column: &'static str) -> Self {
        self.reopen(column).sql("{now})")
    }

    /// Adds a column with a time from now to an `INSERT` that is complete so far.
    pub(super) fn with_now_plus(self, column: &'static str, duration: std::time::Duration) -> Self {
        self.reopen(column).sql("{now} + ").arg(duration).sql(")")
    }

    fn reopen(mut self, column: &'static str) -> Self {
        self.sql = self.sql.replacen(") VALUES (", &format!(", {column}) VALUES ("), 1);
        self.sql.truncate(self.sql.len() - 1);
        self.sql(", ")
    }

    /// `UPDATE` without its `WHERE`, which has to follow.
    pub(super) fn update(table: &'static str, fields: Vec<(&'static str, Argument)>) -> Self {
        let mut statement = Self::new("UPDATE ").sql(table).sql(" SET ");
        for (index, (column, value)) in fields.into_iter().enumerate() {
            statement = statement.sql(if index > 0 { ", " } else { "" }).sql(column).sql(" = ").argument(value);
        }
        statement
    }

    /// Adds ` ON CONFLICT (target) DO UPDATE`, which takes each of `columns` from the new row.
    pub(super) fn or_replace(mut self, target: &'static str, columns: &[&'static str]) -> Self {
        self = self.sql(" ON CONFLICT (").sql(target).sql(") DO UPDATE SET ");
        for (index, column) in columns.iter().enumerate() {
            self = self.sql(if index > 0 { ", " } else { "" }).sql(column).sql(" = excluded.").sql(column);
        }
        self
    }

    /// Appends SQL.
    pub(super) fn sql(mut self, sql: &'static str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends an argument at this place of the text.
    pub(super) fn arg(self, value: impl IntoArgument) -> Self {
        self.argument(value.into_argument())
    }

    /// Appends `AND column IN (values)` if there are values.
    pub(super) fn and_one_of<T: IntoArgument>(self, column: &'static str, values: Vec<T>) -> Self {
        match values.len() {
            0 => self,
            // An index that is sorted by something else next is of use for one value only.
            1 => self.and_equal(column, values.into_iter().next()),
            _ => self.sql(" AND ").sql(column).sql(" IN ").list(values),
        }
    }

    /// Appends arguments in parentheses, with commas. There has to be one.
    pub(super) fn list<T: IntoArgument>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self = self.sql(if index > 0 { ", " } else { "(" }).arg(value);
        }
        self.sql(")")
    }

    fn argument(mut self, value: Argument) -> Self {
        self.arguments.push(match value {
            // PostgreSQL has no text with a NUL, and what comes from outside may have one.
            Argument::Text(Some(text)) if text.contains('\0') => Argument::Text(Some(text.replace('\0', "\u{fffd}"))),
            other => other,
        });
        self.sql.push('$');
        self.sql.push_str(&self.arguments.len().to_string());
        self
    }

    /// Appends `AND column = value` if there is a value.
    pub(super) fn and_equal<T: IntoArgument>(self, column: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.sql(" AND ").sql(column).sql(" = ").arg(value),
            None => self,
        }
    }

    /// All rows.
    pub(super) async fn all(self, on: On<'_>) -> Result<Vec<Row>, Error> {
        Ok(match on {
            On::SqlitePool(pool) => self.sqlite().fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect(),
            On::Sqlite(connection) => self.sqlite().fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect(),
            On::PostgresPool(pool) => self.postgres().fetch_all(pool).await?.into_iter().map(Row::Postgres).collect(),
            On::Postgres(connection) => {
                self.postgres().fetch_all(connection).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row, if there is one.
    pub(super) async fn first(self, on: On<'_>) -> Result<Option<Row>, Error> {
        Ok(match on {
            On::SqlitePool(pool) => self.sqlite().fetch_optional(pool).await?.map(Row::Sqlite),
            On::Sqlite(connection) => self.sqlite().fetch_optional(connection).await?.map(Row::Sqlite),
            On::PostgresPool(pool) => self.postgres().fetch_optional(pool).await?.map(Row::Postgres),
            On::Postgres(connection) => self.postgres().fetch_optional(connection).await?.map(Row::Postgres),
        })
    }

    /// Runs it and says how many rows it touched.
    pub(super) async fn run(self, on: On<'_>) -> Result<u64, Error> {
        Ok(match on {
            On::SqlitePool(pool) => self.sqlite().execute(pool).await?.rows_affected(),
            On::Sqlite(connection) => self.sqlite().execute(connection).await?.rows_affected(),
            On::PostgresPool(pool) => self.postgres().execute(pool).await?.rows_affected(),
            On::Postgres(connection) => self.postgres().execute(connection).await?.rows_affected(),
        })
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
        // The time of the process, which is the time of SQLite.
        let now = "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)";
        let sql = self.sql.replace("{now}", now).replace("{for_update}", "").replace("{skip_locked}", "");
        let query = sqlx::query(AssertSqlSafe(sql));
        self.arguments.into_iter().fold(query, |query, argument| match argument {
            Argument::Text(value) => query.bind(value),
            Argument::Integer(value) => query.bind(value),
            Argument::Boolean(value) => query.bind(value),
            Argument::Real(value) => query.bind(value),
        })
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
        let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let sql = self
            .sql
            .replace("{now}", now)
            .replace("{for_update}", "FOR UPDATE")
            .replace("{skip_locked}", "FOR UPDATE SKIP LOCKED");
        let query = sqlx::query(AssertSqlSafe(sql));
        self.arguments.into_iter().fold(query, |query, argument| match argument {
            Argument::Text(value) => query.bind(value),
            Argument::Integer(value) => query.bind(value),
            Argument::Boolean(value) => query.bind(value),
            Argument::Real(value) => query.bind(value),
        })
    }
}

/// What can be an argument.
pub(super) trait IntoArgument {
    /// The value.
    fn into_argument(self) -> Argument;
    /// The NULL of this type.
    fn null() -> Argument;
}

/// Shorthand for the lists of [`Statement::insert`] and [`Statement::update`].
pub(super) fn arg(value: impl IntoArgument) -> Argument {
    value.into_argument()
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Failed(error.to_string()))
}

/// A value, or NULL, as JSON text.
pub(super) fn json_or_null(value: Option<&impl Serialize>) -> Result<Option<String>, Error> {
    value.map(json).transpose()
}

/// The word that a value is in JSON, for enums without another text form.
pub(super) fn word(value: &impl Serialize) -> Result<String, Error> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

impl<T: IntoArgument> IntoArgument for Option<T> {
    fn into_argument(self) -> Argument {
        self.map_or_else(T::null, T::into_argument)
    }

    fn null() -> Argument {
        T::null()
    }
}

/// Makes types into arguments: how a value becomes the one inside of a variant.
macro_rules! arguments {
    ($variant:ident: $($type:ty => $convert:expr),+ $(,)?) => {
        $(impl IntoArgument for $type {
            fn into_argument(self) -> Argument {
                let convert: fn(Self) -> _ = $convert;
                Argument::$variant(Some(convert(self)))
            }

            fn null() -> Argument {
                Argument::$variant(None)
            }
        })+
    };
}
pub(super) use arguments;

arguments! { Text:
    &str => str::to_owned,
    &String => String::clone,
    String => |text| text,
    &crate::domain::AppName => |name| name.as_str().to_owned(),
    &crate::domain::EnvironmentName => |name| name.as_str().to_owned(),
    &crate::domain::TenantName => |name| name.as_str().to_owned(),
    &crate::domain::PlanName => |name| name.as_str().to_owned(),
    &crate::domain::HostName => |name| name.as_str().to_owned(),
    &crate::domain::ChangeId => |id| id.as_str().to_owned(),
    crate::domain::ChangeState => |state| state.to_string(),
    crate::domain::Outcome => |outcome| outcome.to_string(),
    crate::domain::Role => |role| role.to_string(),
    crate::domain::Framework => |framework| framework.to_string(),
}
arguments! { Integer:
    i64 => |number| number,
    u32 => i64::from,
    Timestamp => Timestamp::as_millisecond,
    std::time::Duration => milliseconds,
}
arguments! { Boolean: bool => |flag| flag }
arguments! { Real: f64 => |number| number }

/// A duration as the database counts time; longer than it can count is the longest.
pub(super) fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// What a column can be read as, in both databases.
pub(super) trait Stored:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Stored for String {}
impl Stored for i64 {}
impl Stored for bool {}
impl Stored for f64 {}
impl<T: Stored> Stored for Option<T> where
    Self: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    /// The value of a column.
    pub(super) fn get<T: Stored>(&self, column: &'static str) -> Result<T, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A number that is not negative.
    pub(super) fn number(&self, column: &'static str) -> Result<u32, Error> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| unreadable(column))
    }

    /// Text as what it stands for.
    pub(super) fn parse<T: FromStr>(&self, column: &'static str) -> Result<T, Error> {
        self.get::<String>(column)?.parse().map_err(|_| unreadable(column))
    }

    /// Text, or NULL, as what it stands for.
    pub(super) fn parse_or_null<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, Error> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| unreadable(column))).transpose()
    }

    /// A word, or NULL, as what it is in JSON.
    pub(super) fn word_or_null<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, Error> {
        let text: Option<String> = self.get(column)?;
        let read = |text| serde_json::from_value(serde_json::Value::String(text)).map_err(|_| unreadable(column));
        text.map(read).transpose()
    }

    /// A time.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, Error> {
        Timestamp::from_millisecond(self.get(column)?).map_err(|_| unreadable(column))
    }

    /// A time, or NULL.
    pub(super) fn time_or_null(&self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        let time: Option<i64> = self.get(column)?;
        time.map(|time| Timestamp::from_millisecond(time).map_err(|_| unreadable(column))).transpose()
    }

    /// JSON text as what it stands for.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Error> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|_| unreadable(column))
    }

    /// JSON text, or NULL, as what it stands for.
    pub(super) fn json_or_null<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, Error> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(column))).transpose()
    }
}

fn unreadable(column: &'static str) -> Error {
    Error::Corrupt(format!("a value of the column `{column}`"))
}
