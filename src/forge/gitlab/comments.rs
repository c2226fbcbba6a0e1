//! What is said on merge requests: GitLab's notes, and the emoji that are awarded to them.

use async_trait::async_trait;
use gitlab::api::common::SortOrder;
use gitlab::api::projects::merge_requests::notes::awards::{CreateMergeRequestNoteAward, MergeRequestNoteAwards};
use gitlab::api::projects::merge_requests::notes::{
    CreateMergeRequestNote, EditMergeRequestNote, MergeRequestNotes, NoteOrderBy,
};
use serde::de::IgnoredAny;

use super::Project;
use super::endpoints::{Note, OnlyComments};
use super::quick_actions::disarmed;
use super::wire::{WireAward, WireNote};
use crate::forge::calls::Effect;
use crate::forge::{Body, Comment, CommentId, Comments, Error, MergeRequestNumber, Page, PageRequest, Reaction, User};

/// The reactions, as GitLab calls them.
const NAMES: [(Reaction, &str); 5] = [
    (Reaction::Eyes, "eyes"),
    (Reaction::ThumbsUp, "thumbsup"),
    (Reaction::ThumbsDown, "thumbsdown"),
    (Reaction::Confused, "confused"),
    (Reaction::Rocket, "rocket"),
];

fn refuse_empty(body: &Body) -> Result<(), Error> {
    if body.as_str().trim().is_empty() { Err(Error::invalid("a comment has a text")) } else { Ok(()) }
}

impl Project {
    async fn awards(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<WireAward>, Error> {
        let what = format!("comment {comment}");
        let endpoint =
            MergeRequestNoteAwards::builder().project(self.id).merge_request(number.0).note(comment.0).build();
        self.connection.all(&what, endpoint).await
    }

    async fn is_awarded(&self, number: MergeRequestNumber, comment: CommentId, name: &str) -> Result<bool, Error> {
        let me = &self.connection.me().await?.id;
        let awards = self.awards(number, comment).await?;
        Ok(awards.iter().any(|award| award.name == name && award.user.id.to_string() == me.as_str()))
    }
}

#[async_trait]
impl Comments for Project {
    async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        let what = format!("merge request {number}");
        let endpoint = MergeRequestNotes::builder()
            .project(self.id)
            .merge_request(number.0)
            .order_by(NoteOrderBy::CreatedAt)
            .sort(SortOrder::Ascending)
            .build()
            .map(OnlyComments);
        let found: Page<WireNote> = self.connection.page(&what, endpoint, page).await?;
        let said = found.items.into_iter().filter(|note| !note.system).map(Comment::try_from);
        Ok(Page { items: said.collect::<Result<_, _>>()?, next: found.next })
    }

    async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error> {
        refuse_empty(body)?;
        let what = format!("merge request {number}");
        let endpoint = CreateMergeRequestNote::builder()
            .project(self.id)
            .merge_request(number.0)
            .body(disarmed(body.as_str()))
            .build();
        let made: WireNote = self.connection.ask(Effect::Twice, &what, endpoint).await?;
        made.try_into()
    }

    async fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: &Body,
    ) -> Result<Comment, Error> {
        refuse_empty(body)?;
        let what = format!("comment {comment}");
        let endpoint = Ok::<_, Error>(Note { project: self.id, number, note: comment.0 });
        let there: WireNote = self.connection.ask(Effect::Read, &what, endpoint).await?;
        // GitLab lets maintainers change what others said.
        if there.author.id.to_string() != self.connection.me().await?.id.as_str() {
            return Err(Error::Forbidden { reason: "the comment is somebody else's".to_owned() });
        }
        let endpoint = EditMergeRequestNote::builder()
            .project(self.id)
            .merge_request(number.0)
            .note(comment.0)
            .body(disarmed(body.as_str()))
            .build();
        let edited: WireNote = self.connection.ask(Effect::Same, &what, endpoint).await?;
        edited.try_into()
    }

    async fn react(&self, number: MergeRequestNumber, comment: CommentId, reaction: Reaction) -> Result<(), Error> {
        let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == reaction) else { return Ok(()) };
        if self.is_awarded(number, comment, name).await? {
            return Ok(());
        }
        let what = format!("comment {comment}");
        let endpoint = CreateMergeRequestNoteAward::builder()
            .project(self.id)
            .merge_request(number.0)
            .note(comment.0)
            .name(*name)
            .build();
        let made: Result<IgnoredAny, Error> = self.connection.ask(Effect::Same, &what, endpoint).await;
        match made {
            Ok(_) => Ok(()),
            // GitLab answers 404 for one that is there, too, as after an answer that was lost.
            Err(absent @ Error::NotFound { .. }) => {
                if self.is_awarded(number, comment, name).await? {
                    Ok(())
                } else {
                    Err(absent)
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn reactions(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<(Reaction, User)>, Error> {
        let mut reactions = Vec::new();
        for award in self.awards(number, comment).await? {
            if let Some((reaction, _)) = NAMES.iter().find(|(_, name)| *name == award.name) {
                reactions.push((*reaction, award.user.try_into()?));
            }
        }
        Ok(reactions)
    }
}
