//! Comments and the reactions on them. The API keeps them with the issues, which share their numbers with merge requests.

use reqwest::Method;
use serde_json::json;

use super::{Place, wire};
use crate::forge::calls::Effect;
use crate::forge::{Body, Comment, CommentId, Error, MergeRequestNumber, Page, PageRequest, Reaction, User};

impl Place<'_> {
    pub(super) async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        // An issue of that number has comments too, and of one that is absent the forge knows no better than to fail.
        self.pull(number).await?;
        let call = self.read(&format!("issues/{number}/comments"));
        let found = self.client.list::<Option<Vec<wire::IssueComment>>>(Effect::Read, &call).await;
        let found = found.map_err(|failure| failure.about(&format!("merge request {number}")))?;
        let comments: Vec<_> = found.value.unwrap_or_default();
        if found.total.is_some_and(|total| total > comments.len()) {
            // All of them come at once. If that ever changes, nothing may be taken for all.
            return Err(Error::unavailable("it keeps some of the comments to itself"));
        }
        let comments: Result<Vec<Comment>, Error> =
            comments.into_iter().map(wire::IssueComment::into_comment).collect();
        Ok(Page::of(comments?.into_iter(), page))
    }

    pub(super) async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error> {
        refuse_empty(body)?;
        self.pull(number).await?;
        let call = self.call(Method::POST, &format!("issues/{number}/comments")).body(json!({ "body": body.as_str() }));
        let made: wire::IssueComment = self
            .client
            .ask(Effect::Twice, &call)
            .await
            .map_err(|failure| failure.about(&format!("merge request {number}")))?;
        made.into_comment()
    }

    pub(super) async fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: &Body,
    ) -> Result<Comment, Error> {
        refuse_empty(body)?;
        let now = self.comment_on(number, comment).await?;
        // Who may write in a repository may change what anybody said, as far as the forge is concerned.
        if !now.is_by(self.client.me().await?.as_str()) {
            return Err(Error::Forbidden { reason: "the comment is somebody else's".to_owned() });
        }
        if now.body == body.as_str() {
            return now.into_comment();
        }
        let call =
            self.call(Method::PATCH, &format!("issues/comments/{comment}")).body(json!({ "body": body.as_str() }));
        let changed: wire::IssueComment = self
            .client
            .ask(Effect::Same, &call)
            .await
            .map_err(|failure| failure.about(&format!("comment {comment}")))?;
        Ok(Comment { edited: true, ..changed.into_comment()? })
    }

    /// A comment, which must be on that merge request.
    async fn comment_on(&self, number: MergeRequestNumber, comment: CommentId) -> Result<wire::IssueComment, Error> {
        let what = format!("comment {comment} on merge request {number}");
        let found = self.client.ask(Effect::Read, &self.read(&format!("issues/comments/{comment}"))).await;
        // An event that is no comment has no content.
        let found: Option<wire::IssueComment> = found.map_err(|failure| failure.about(&what))?;
        found.filter(|found| found.is_on(number)).ok_or_else(|| Error::not_found(what))
    }

    pub(super) async fn react(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        reaction: Reaction,
    ) -> Result<(), Error> {
        self.comment_on(number, comment).await?;
        let body = json!({ "content": wire::reaction_name(reaction) });
        // One that is there already is answered like a new one.
        let call = self.call(Method::POST, &format!("issues/comments/{comment}/reactions")).body(body);
        let given = self.client.ask::<serde::de::IgnoredAny>(Effect::Same, &call).await;
        given.map(|_| ()).map_err(|failure| failure.about(&format!("comment {comment}")))
    }

    pub(super) async fn reactions(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
    ) -> Result<Vec<(Reaction, User)>, Error> {
        self.comment_on(number, comment).await?;
        let call = self.read(&format!("issues/comments/{comment}/reactions"));
        let found = self.client.ask::<Option<Vec<wire::GivenReaction>>>(Effect::Read, &call).await;
        let found = found.map_err(|failure| failure.about(&format!("comment {comment}")))?.unwrap_or_default();
        found.into_iter().filter_map(|given| given.into_reaction().transpose()).collect()
    }
}

fn refuse_empty(body: &Body) -> Result<(), Error> {
    if body.as_str().trim().is_empty() { Err(Error::invalid("a comment has a text")) } else { Ok(()) }
}
