//! Comments and the reactions on them.

use super::desk::Desk;
use super::disk::Writing;
use super::record::{StoredComment, comments_file};
use crate::forge::{Body, Comment, CommentId, Error, MergeRequestNumber, Page, PageRequest, Reaction, User};

/// More comments than this on one merge request are not a conversation.
const MOST: usize = 10_000;

impl Desk {
    pub(super) fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        let stored = self.stored_comments(number)?;
        Ok(Page::of(stored.into_iter().map(|stored| stored.comment), page))
    }

    pub(super) fn comment(&self, number: MergeRequestNumber, body: Body) -> Result<Comment, Error> {
        refuse_empty(&body)?;
        let writing = self.disk.lock()?;
        let mut stored = self.stored_comments(number)?;
        if stored.len() >= MOST {
            return Err(Error::invalid(format!("a merge request has at most {MOST} comments")));
        }
        let comment = Comment {
            id: CommentId(self.count(&writing, |counters| &mut counters.comments)?),
            author: self.me.clone(),
            body: body.into(),
            created: self.now,
            updated: self.now,
            edited: false,
        };
        stored.push(StoredComment { comment: comment.clone(), reactions: Vec::new() });
        self.store_comments(&writing, number, &stored)?;
        Ok(comment)
    }

    pub(super) fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: Body,
    ) -> Result<Comment, Error> {
        refuse_empty(&body)?;
        let writing = self.disk.lock()?;
        let mut stored = self.stored_comments(number)?;
        let found = &mut find(&mut stored, comment)?.comment;
        if found.author.id != self.me.id {
            return Err(Error::Forbidden { reason: "the comment is somebody else's".to_owned() });
        }
        if found.body == body.as_str() {
            return Ok(found.clone());
        }
        (found.body, found.updated, found.edited) = (body.into(), self.now, true);
        let edited = found.clone();
        self.store_comments(&writing, number, &stored)?;
        Ok(edited)
    }

    pub(super) fn react(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        reaction: Reaction,
    ) -> Result<(), Error> {
        let writing = self.disk.lock()?;
        let mut stored = self.stored_comments(number)?;
        let reactions = &mut find(&mut stored, comment)?.reactions;
        if reactions.iter().any(|(kind, user)| *kind == reaction && user.id == self.me.id) {
            return Ok(());
        }
        reactions.push((reaction, self.me.clone()));
        writing.write(&comments_file(number), &stored)
    }

    pub(super) fn reactions(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
    ) -> Result<Vec<(Reaction, User)>, Error> {
        let mut stored = self.stored_comments(number)?;
        find(&mut stored, comment).map(|found| found.reactions.clone())
    }

    fn stored_comments(&self, number: MergeRequestNumber) -> Result<Vec<StoredComment>, Error> {
        self.load(number)?;
        Ok(self.disk.read(&comments_file(number))?.unwrap_or_default())
    }

    fn store_comments(
        &self,
        writing: &Writing<'_>,
        number: MergeRequestNumber,
        stored: &[StoredComment],
    ) -> Result<(), Error> {
        writing.write(&comments_file(number), &stored)?;
        // After the comments, so that who asks for what has changed since finds them.
        let mut record = self.look_up_in(writing, number)?.record;
        record.updated = self.now;
        self.store(writing, &record)
    }
}

fn find(stored: &mut [StoredComment], id: CommentId) -> Result<&mut StoredComment, Error> {
    let found = stored.iter_mut().find(|stored| stored.comment.id == id);
    found.ok_or_else(|| Error::not_found(format!("comment {id}")))
}

fn refuse_empty(body: &Body) -> Result<(), Error> {
    if body.as_str().trim().is_empty() { Err(Error::invalid("a comment has a text")) } else { Ok(()) }
}
