//! People: who they are, and what their password is checked with.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::statement::{Row, Statement, arg};
use super::{Cursor, Error, Page, Paging, Store, Tx, UserId};

/// A person. Their password's hash is not among it: see [`Store::password_hash`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// Their identity.
    pub id: UserId,
    /// Their address, in lower case; `None` for those who only come from a forge.
    pub email: Option<String>,
    /// What they call themselves and where messages reach them.
    pub profile: Profile,
    /// What they pay for.
    pub plan: String,
    /// Whether they may do everything.
    pub is_admin: bool,
    /// Counts what ends all their sessions at once.
    pub session_epoch: i64,
    /// When they came.
    pub created_at: Timestamp,
    /// When something about them was changed last.
    pub updated_at: Timestamp,
}

/// What people say about themselves.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Profile {
    /// Their name.
    pub name: Option<String>,
    /// Their company.
    pub company: Option<String>,
    /// Where Telegram reaches them.
    pub telegram_chat_id: Option<String>,
}

/// A person to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Their address, in any case.
    pub email: Option<String>,
    /// The hash of their password; without it they cannot sign in with one.
    pub password_hash: Option<SecretString>,
    /// What they say about themselves.
    pub profile: Profile,
    /// Whether they may do everything.
    pub is_admin: bool,
}

const COLUMNS: &str =
    "id, email, name, company, plan, telegram_chat_id, is_admin, session_epoch, created_at, updated_at";

impl User {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            email: row.get("email")?,
            profile: Profile {
                name: row.get("name")?,
                company: row.get("company")?,
                telegram_chat_id: row.get("telegram_chat_id")?,
            },
            plan: row.get("plan")?,
            is_admin: row.get("is_admin")?,
            session_epoch: row.get("session_epoch")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// One spelling for an address, so that it belongs to one person.
fn lower(email: &str) -> String {
    email.trim().to_lowercase()
}

fn select() -> Statement {
    Statement::new("SELECT ").sql(COLUMNS).sql(" FROM users")
}

impl Store {
    /// A person.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Error> {
        self.one_user(select().sql(" WHERE id = ").arg(id)).await
    }

    /// The person with an address.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        self.one_user(select().sql(" WHERE email = ").arg(lower(email))).await
    }

    /// The person behind an account of a forge or of an identity provider.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn user_by_identity(&self, provider: &str, subject: &str) -> Result<Option<User>, Error> {
        let statement = select().sql(" WHERE id = (SELECT user_id FROM identities WHERE provider = ").arg(provider);
        self.one_user(statement.sql(" AND subject = ").arg(subject).sql(")")).await
    }

    async fn one_user(&self, statement: Statement) -> Result<Option<User>, Error> {
        statement.first(self.read()).await?.map(|row| User::read(&row)).transpose()
    }

    /// The hash of a person's password.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn password_hash(&self, id: &UserId) -> Result<Option<SecretString>, Error> {
        let statement = Statement::new("SELECT password_hash FROM users WHERE id = ").arg(id);
        let Some(row) = statement.first(self.read()).await? else { return Ok(None) };
        Ok(row.get::<Option<String>>("password_hash")?.map(SecretString::from))
    }

    /// A page of people, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn users(&self, paging: &Paging) -> Result<Page<User>, Error> {
        let statement = select().sql(" WHERE TRUE");
        let rows = paging.newest_first(statement, "created_at", "id")?.all(self.read()).await?;
        paging.page(&rows, User::read, |user| Cursor::new(user.created_at.as_millisecond(), &user.id))
    }
}

impl Tx {
    /// How many people there are.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn count_users(&mut self) -> Result<i64, Error> {
        let row = Statement::new("SELECT COUNT(*) AS count FROM users").first(self.on()).await?;
        row.map_or(Ok(0), |row| row.get("count"))
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`Error::Conflict`] if somebody has the address.
    pub async fn insert_user(&mut self, user: &NewUser) -> Result<UserId, Error> {
        let id = UserId::random();
        let fields = vec![
            ("id", arg(&id)),
            ("email", arg(user.email.as_deref().map(lower))),
            ("password_hash", arg(user.password_hash.as_ref().map(ExposeSecret::expose_secret))),
            ("name", arg(user.profile.name.as_deref())),
            ("company", arg(user.profile.company.as_deref())),
            ("telegram_chat_id", arg(user.profile.telegram_chat_id.as_deref())),
            ("is_admin", arg(user.is_admin)),
        ];
        Statement::insert("users", fields).with_now("created_at").with_now("updated_at").run(self.on()).await?;
        Ok(id)
    }

    /// Sets, or takes away, the hash of a person's password. All their sessions end.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_password_hash(&mut self, id: &UserId, hash: Option<&SecretString>) -> Result<(), Error> {
        let fields = vec![("password_hash", arg(hash.map(ExposeSecret::expose_secret)))];
        self.change_user(id, Statement::update("users", fields).sql(", session_epoch = session_epoch + 1")).await
    }

    /// Ends all sessions of a person.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn end_sessions(&mut self, id: &UserId) -> Result<(), Error> {
        self.change_user(id, Statement::new("UPDATE users SET session_epoch = session_epoch + 1")).await
    }

    /// Sets what a person says about themselves.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_profile(&mut self, id: &UserId, profile: &Profile) -> Result<(), Error> {
        let fields = vec![
            ("name", arg(profile.name.as_deref())),
            ("company", arg(profile.company.as_deref())),
            ("telegram_chat_id", arg(profile.telegram_chat_id.as_deref())),
        ];
        self.change_user(id, Statement::update("users", fields)).await
    }

    /// Sets whether a person may do everything.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_admin(&mut self, id: &UserId, is_admin: bool) -> Result<(), Error> {
        self.change_user(id, Statement::update("users", vec![("is_admin", arg(is_admin))])).await
    }

    /// Those who may do everything. Until the end of the transaction nobody else makes them fewer: two that each leave
    /// one behind would else leave nobody behind.
    ///
    /// # Errors
    /// [`Error::Busy`] if another transaction waits for this one.
    pub async fn hold_admins(&mut self) -> Result<Vec<UserId>, Error> {
        let held = Statement::new("UPDATE users SET is_admin = is_admin WHERE is_admin RETURNING id");
        held.all(self.on()).await?.iter().map(|row| row.parse("id")).collect()
    }

    async fn change_user(&mut self, id: &UserId, statement: Statement) -> Result<(), Error> {
        match statement.sql(", updated_at = {now} WHERE id = ").arg(id).run(self.on()).await? {
            0 => Err(Error::NotFound { what: "user" }),
            _ => Ok(()),
        }
    }

    /// Removes a person with their sessions, tokens, accounts and roles.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn delete_user(&mut self, id: &UserId) -> Result<(), Error> {
        Statement::new("DELETE FROM users WHERE id = ").arg(id).run(self.on()).await?;
        Ok(())
    }
}
