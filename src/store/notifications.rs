//! Messages to be sent. Each is claimed for a while by who sends it, so that one that died with its sender is sent later
//! and, but for that, none is sent twice.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments, json};
use super::{AppId, Error, NotificationId, Store, Tx};

/// How far a message has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum NotificationState {
    /// It is to be sent.
    Pending,
    /// It was sent.
    Sent,
    /// It was given up.
    Failed,
}

arguments! { Text: NotificationState => |state| state.to_string() }

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotification {
    /// Where to.
    pub channel: String,
    /// The app that it is about.
    pub app_id: Option<AppId>,
    /// What happened.
    pub event: String,
    /// What is said, as JSON.
    pub body: Value,
    /// A message with the same key is the same message, even after it was sent.
    pub dedup_key: Option<String>,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Its identity.
    pub id: NotificationId,
    /// What it says.
    pub content: NewNotification,
    /// How far it has come.
    pub state: NotificationState,
    /// How often it was claimed.
    pub attempts: u32,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// Why it could not be sent.
    pub last_error: Option<String>,
}

const COLUMNS: &str = "id, channel, app_id, event, body, dedup_key, state, attempts, created_at, sent_at, last_error";

fn read(row: &Row) -> Result<Notification, Error> {
    Ok(Notification {
        id: row.parse("id")?,
        content: NewNotification {
            channel: row.get("channel")?,
            app_id: row.parse_or_null("app_id")?,
            event: row.get("event")?,
            body: row.json("body")?,
            dedup_key: row.get("dedup_key")?,
        },
        state: row.parse("state")?,
        attempts: row.number("attempts")?,
        created_at: row.time("created_at")?,
        sent_at: row.time_or_null("sent_at")?,
        last_error: row.get("last_error")?,
    })
}

impl Store {
    /// A message.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn notification(&self, id: &NotificationId) -> Result<Option<Notification>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM notifications WHERE id = ").arg(id);
        statement.first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// Claims up to `limit` messages that are due, for `lease`.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn claim_notifications(&self, limit: u32, lease: Duration) -> Result<Vec<Notification>, Error> {
        Statement::new("WITH due AS (SELECT id FROM notifications WHERE state = 'pending' AND due_at <= {now} ")
            .sql("ORDER BY due_at, id LIMIT ")
            .arg(limit)
            .sql(" {skip_locked}) UPDATE notifications SET attempts = attempts + 1, due_at = {now} + ")
            .arg(lease)
            .sql(" WHERE id IN (SELECT id FROM due) RETURNING ")
            .sql(COLUMNS)
            .all(self.write())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// Notes that a message was sent.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn notification_sent(&self, id: &NotificationId) -> Result<(), Error> {
        let statement = Statement::update("notifications", vec![("state", arg(NotificationState::Sent))]);
        statement.sql(", sent_at = {now}, last_error = NULL WHERE id = ").arg(id).run(self.write()).await?;
        Ok(())
    }

    /// Notes that a message could not be sent: to be tried again after `retry_after`, or given up without that.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn notification_failed(
        &self,
        id: &NotificationId,
        error: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), Error> {
        let state = if retry_after.is_some() { NotificationState::Pending } else { NotificationState::Failed };
        let fields = vec![("state", arg(state)), ("last_error", arg(error))];
        let statement = Statement::update("notifications", fields).sql(", due_at = {now} + ");
        let statement = statement.arg(retry_after.unwrap_or_default()).sql(" WHERE state = 'pending'");
        statement.and_equal("id", Some(id)).run(self.write()).await?;
        Ok(())
    }

    /// Deletes messages that were sent or given up and are older than `age`, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_notifications(&self, age: Duration) -> Result<u64, Error> {
        let statement = Statement::new("DELETE FROM notifications WHERE state <> 'pending' AND created_at < {now} - ");
        statement.arg(age).run(self.write()).await
    }
}

impl Tx {
    /// Writes a message down; `None` if it is there already.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn insert_notification(&mut self, message: &NewNotification) -> Result<Option<NotificationId>, Error> {
        let id = NotificationId::random();
        let fields = vec![
            ("id", arg(&id)),
            ("channel", arg(&message.channel)),
            ("app_id", arg(message.app_id.as_ref())),
            ("event", arg(&message.event)),
            ("body", arg(json(&message.body)?)),
            ("dedup_key", arg(message.dedup_key.as_deref())),
            ("state", arg(NotificationState::Pending)),
        ];
        let statement = Statement::insert("notifications", fields).with_now("created_at").with_now("due_at");
        let new = statement.sql(" ON CONFLICT (dedup_key) DO NOTHING").run(self.on()).await? == 1;
        Ok(new.then_some(id))
    }
}
