//! What was said to wooo on merge requests: each comment that it has dealt with, which merge requests it has read, and
//! who approved which change.
//!
//! A comment is known by its source (the name of a fleet, or of a repository that is linked to an app) and its id there.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments, json};
use super::{Error, Store, Tx};
use crate::domain::ChangeId;

/// What became of a comment that says something to wooo.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumIter, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum CommentAnswer {
    /// Its commands were carried out.
    Done,
    /// One of its commands was refused.
    Refused,
    /// It was not understood.
    Confused,
    /// Whoever wrote it has nothing to say here.
    Outsider,
    /// Its text was changed after it was written.
    Edited,
    /// The merge request comes from somebody's copy of the repository.
    Fork,
    /// The forge took no reply.
    Unanswered,
}

arguments! { Text: CommentAnswer => |answer| answer.to_string() }

/// A comment that was dealt with.
#[derive(Clone, Debug, PartialEq)]
pub struct HandledComment {
    /// The name of the fleet or link.
    pub source: String,
    /// Its id on the forge.
    pub comment: i64,
    /// The number of the merge request.
    pub merge_request: i64,
    /// The id of its author on the forge.
    pub author_id: String,
    /// What its author was called.
    pub author: String,
    /// The verbs that it held: a JSON array of words.
    pub verbs: Value,
    /// What became of it.
    pub answer: CommentAnswer,
    /// The id of the comment with the answer, if there is one.
    pub reply: Option<i64>,
}

/// How a merge request was when its comments were read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conversation {
    /// When it had last changed.
    pub updated: Timestamp,
    /// When it was read.
    pub looked_at: Timestamp,
}

/// Somebody's consent to a change, given in a comment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeApproval {
    /// The change.
    pub change_id: ChangeId,
    /// The id of the person on the forge of the fleet.
    pub user_id: String,
    /// What they were called.
    pub login: String,
    /// What they said yes to: the digest of what was rendered, or the commit where nothing is. A yes to something else is
    /// none.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// The comments of a merge request that were dealt with, by their id on the forge.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn handled_comments(
        &self,
        source: &str,
        merge_request: i64,
    ) -> Result<BTreeMap<i64, CommentAnswer>, Error> {
        let statement = Statement::new("SELECT comment, answer FROM comments WHERE source = ").arg(source);
        let rows = statement.and_equal("merge_request", Some(merge_request)).all(self.read()).await?;
        rows.iter().map(|row| Ok((row.get("comment")?, row.parse("answer")?))).collect()
    }

    /// How the merge requests of a source were when they were read, by their number.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn conversations(&self, source: &str) -> Result<BTreeMap<i64, Conversation>, Error> {
        let sql = "SELECT merge_request, updated, looked_at FROM conversations WHERE source = ";
        let read = |row: &Row| {
            let conversation = Conversation { updated: row.time("updated")?, looked_at: row.time("looked_at")? };
            Ok((row.get("merge_request")?, conversation))
        };
        Statement::new(sql).arg(source).all(self.read()).await?.iter().map(read).collect()
    }

    /// Who approved a change, the first one first. Those of what it was before are among them.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn change_approvals(&self, change: &ChangeId) -> Result<Vec<ChangeApproval>, Error> {
        let sql = "SELECT change_id, user_id, login, subject, at FROM approvals WHERE change_id = ";
        let read = |row: &Row| {
            Ok(ChangeApproval {
                change_id: row.parse("change_id")?,
                user_id: row.get("user_id")?,
                login: row.get("login")?,
                subject: row.get("subject")?,
                at: row.time("at")?,
            })
        };
        Statement::new(sql).arg(change).sql(" ORDER BY at, user_id").all(self.read()).await?.iter().map(read).collect()
    }

    /// Forgets comments that were dealt with longer than `age` ago: what is that old is not listened to again.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_comments(&self, age: Duration) -> Result<u64, Error> {
        Statement::new("DELETE FROM comments WHERE handled_at < {now} - ").arg(age).run(self.write()).await
    }

    /// Forgets which merge requests of a source were read, but for `open` ones: those that are not open are not asked
    /// about again.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn retain_conversations(&self, source: &str, open: &[i64]) -> Result<u64, Error> {
        let mut statement = Statement::new("DELETE FROM conversations WHERE source = ").arg(source);
        if !open.is_empty() {
            statement = statement.sql(" AND merge_request NOT IN ").list(open.iter().copied());
        }
        statement.run(self.write()).await
    }
}

impl Tx {
    /// Writes down what became of a comment. What is written of one stays.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_comment(&mut self, comment: &HandledComment) -> Result<(), Error> {
        let fields = vec![
            ("source", arg(&comment.source)),
            ("comment", arg(comment.comment)),
            ("merge_request", arg(comment.merge_request)),
            ("author_id", arg(&comment.author_id)),
            ("author", arg(&comment.author)),
            ("verbs", arg(json(&comment.verbs)?)),
            ("answer", arg(comment.answer)),
            ("reply", arg(comment.reply)),
        ];
        let statement = Statement::insert("comments", fields).with_now("handled_at");
        statement.sql(" ON CONFLICT (source, comment) DO NOTHING").run(self.on()).await?;
        Ok(())
    }

    /// Writes down that the comments of a merge request were read when it had last changed at `updated`.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_conversation(
        &mut self,
        source: &str,
        merge_request: i64,
        conversation: Conversation,
    ) -> Result<(), Error> {
        let fields = vec![
            ("source", arg(source)),
            ("merge_request", arg(merge_request)),
            ("updated", arg(conversation.updated)),
            ("looked_at", arg(conversation.looked_at)),
        ];
        let statement = Statement::insert("conversations", fields);
        statement.or_replace("source, merge_request", &["updated", "looked_at"]).run(self.on()).await?;
        Ok(())
    }

    /// Writes down that somebody approved a change, in the place of what they approved of it before.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_change_approval(&mut self, approval: &ChangeApproval) -> Result<(), Error> {
        let fields = vec![
            ("change_id", arg(&approval.change_id)),
            ("user_id", arg(&approval.user_id)),
            ("login", arg(&approval.login)),
            ("subject", arg(&approval.subject)),
            ("at", arg(approval.at)),
        ];
        let statement = Statement::insert("approvals", fields);
        statement.or_replace("change_id, user_id", &["login", "subject", "at"]).run(self.on()).await?;
        Ok(())
    }
}
