//! What is said on merge requests. To GitHub these are the comments of the issue that a merge request also is.

use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;

use super::repository::Repository;
use super::wire::{IssueComment, ReactionOf, content};
use crate::forge::calls::Effect;
use crate::forge::{
    Body, Comment, CommentId, Comments, Error, MergeRequestNumber, Page, PageRequest, Reaction, Rights as _, User,
};

fn refuse_empty(body: &Body) -> Result<(), Error> {
    if body.as_str().trim().is_empty() { Err(Error::invalid("a comment has a text")) } else { Ok(()) }
}

impl Repository {
    /// A comment, if it is one of that merge request.
    async fn comment_of(&self, number: MergeRequestNumber, id: CommentId) -> Result<IssueComment, Error> {
        let what = format!("comment {id}");
        let answer = self.connection.get(&self.path(&format!("/issues/comments/{id}"))).await?;
        let found: IssueComment = answer.json(&what)?;
        let is_here = found.issue_url.rsplit('/').next().is_some_and(|last| last == number.to_string());
        if is_here { Ok(found) } else { Err(Error::not_found(what)) }
    }
}

#[async_trait]
impl Comments for Repository {
    async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        let path = self.path(&format!("/issues/{number}/comments"));
        let answer = self.connection.page(&path, page).await?;
        let found: Vec<IssueComment> = answer.json(&format!("merge request {number}"))?;
        let items = found.into_iter().map(IssueComment::comment).collect::<Result<_, Error>>()?;
        Ok(Page { items, next: answer.has_next.then(|| page.next()) })
    }

    async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error> {
        refuse_empty(body)?;
        let path = self.path(&format!("/issues/{number}/comments"));
        let answer = self.connection.send(Method::POST, Effect::Twice, &path, &json!({"body": body.as_str()})).await?;
        answer.json::<IssueComment>(&format!("merge request {number}"))?.comment()
    }

    async fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: &Body,
    ) -> Result<Comment, Error> {
        refuse_empty(body)?;
        let there = self.comment_of(number, comment).await?.comment()?;
        // Whoever may write may change anybody's words on GitHub. wooo does not.
        if there.author.id != self.myself().await?.id {
            return Err(Error::Forbidden { reason: "the comment is somebody else's".to_owned() });
        }
        if there.body == body.as_str() {
            return Ok(there);
        }
        let path = self.path(&format!("/issues/comments/{comment}"));
        let answer = self.connection.send(Method::PATCH, Effect::Same, &path, &json!({"body": body.as_str()})).await?;
        answer.json::<IssueComment>(&format!("comment {comment}"))?.comment()
    }

    async fn react(&self, number: MergeRequestNumber, comment: CommentId, reaction: Reaction) -> Result<(), Error> {
        self.comment_of(number, comment).await?;
        // GitHub itself keeps one of each kind and person.
        let path = self.path(&format!("/issues/comments/{comment}/reactions"));
        let body = json!({"content": content(reaction)});
        self.connection.send(Method::POST, Effect::Same, &path, &body).await?.done(&format!("comment {comment}"))
    }

    async fn reactions(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<(Reaction, User)>, Error> {
        self.comment_of(number, comment).await?;
        let path = self.path(&format!("/issues/comments/{comment}/reactions"));
        let what = format!("comment {comment}");
        let found = self.connection.all(&path, &what, |found: Vec<ReactionOf>| found).await?;
        found.into_iter().filter_map(ReactionOf::known).collect()
    }
}
