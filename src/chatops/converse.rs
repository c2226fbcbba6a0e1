//! Reading the comments of a merge request and answering those that are new: what the job of that kind does.
//!
//! It may be stopped anywhere and begun again. A comment is done with once its row is written; before that, its reply is
//! looked for on the forge by a hidden marker, and what its commands make is called by names that are made of the
//! comment, so that nothing is done or said twice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command::Command;
use super::judge::{Judgement, judge};
use super::parse::{Heard, parse};
use super::registry::entry;
use super::reply::{self, Mood, Said};
use super::rights::Standing;
use super::scene::Scene;
use crate::domain::{FleetSettings, Problem, Problems};
use crate::forge::{
    self, Body, Comment, CommentId, MergeRequest, MergeRequestNumber, MergeRequestState, PageRequest, Reaction, User,
};
use crate::operations::lifecycle::{Failure, Next, Service, Source, conversed};
use crate::store::{Change, CommentAnswer, Conversation, Fence, HandledComment};

/// More comments than this on one merge request are not read.
const MAX_COMMENTS: usize = 10_000;

/// Reads the comments of a merge request and answers those that are new. `source` is the name of a fleet or of a link.
///
/// # Errors
/// [`Failure`].
pub async fn converse(
    service: &Service,
    fence: &Fence,
    source: &str,
    number: MergeRequestNumber,
) -> Result<Next, Failure> {
    let Some(source) = Source::find(service, source) else {
        tracing::info!(source, "this service no longer reads the comments there");
        return Ok(Next::Done);
    };
    let now = service.now().await?;
    // Before its comments: what is written after this look is seen by the next.
    let found = match source.forge.get(number).await {
        Ok(found) => found,
        Err(forge::Error::NotFound { .. }) => return Ok(Next::Done),
        Err(error) => return Err(error.into()),
    };
    let comments = comments(&source, number).await?;
    let me = source.forge.myself().await?;
    let handled = service.store.handled_comments(&source.name, as_row(number.0)).await?;
    let mut talk = Talk { service, fence, source: &source, found: &found, me, handled, comments: &comments };
    for comment in &comments {
        let is_new = !talk.handled.contains_key(&as_row(comment.id.0));
        match judge(&found, comment, &talk.me, now) {
            _ if !is_new => {}
            Judgement::Ignore => {}
            judgement => talk.hear(comment, judgement).await?,
        }
    }
    let seen = Conversation { updated: found.updated, looked_at: now };
    conversed(service, fence, &source, number, seen).await?;
    Ok(Next::Ended)
}

async fn comments(source: &Source, number: MergeRequestNumber) -> Result<Vec<Comment>, forge::Error> {
    let mut comments = Vec::new();
    let mut page = PageRequest::first();
    loop {
        let answer = source.forge.comments(number, page).await?;
        comments.extend(answer.items);
        match answer.next {
            Some(next) if comments.len() < MAX_COMMENTS => page = next,
            _ => return Ok(comments),
        }
    }
}

fn as_row(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// One merge request with all that was said on it.
struct Talk<'a> {
    service: &'a Service,
    fence: &'a Fence,
    source: &'a Source,
    found: &'a MergeRequest,
    me: User,
    /// What became of the comments that were dealt with.
    handled: BTreeMap<i64, CommentAnswer>,
    comments: &'a [Comment],
}

/// How a comment is answered.
struct Answer {
    became: CommentAnswer,
    /// None where it was said before and is not said again.
    body: Option<Body>,
}

impl Talk<'_> {
    /// Deals with a comment that is new.
    async fn hear(&mut self, comment: &Comment, judgement: Judgement) -> Result<(), Failure> {
        let heard = parse(&comment.body);
        if heard == Heard::Nothing {
            return Ok(());
        }
        let reply = self.reply_to(comment.id);
        let answer = match (reply, judgement) {
            // An earlier run wrote it, so all of this was done.
            (Some((_, became)), _) => Answer { became, body: None },
            (None, Judgement::Ignore) => return Ok(()),
            (None, Judgement::Edited) => self.once(CommentAnswer::Edited, reply::edited(comment.id)),
            (None, Judgement::Fork) => self.once(CommentAnswer::Fork, reply::fork(comment.id)),
            (None, Judgement::Hear) => self.answer(comment, &heard).await?,
        };
        self.say(comment, &heard, answer, reply.map(|(id, _)| id)).await
    }

    /// The reply that is there already. Only wooo's own counts.
    fn reply_to(&self, comment: CommentId) -> Option<(CommentId, CommentAnswer)> {
        let mut own = self.comments.iter().filter(|other| other.author.id == self.me.id);
        own.find_map(|other| Some((other.id, reply::is_reply(&other.body, comment)?)))
    }

    /// An answer that is given once on each merge request; after that only a reaction is.
    fn once(&self, became: CommentAnswer, body: Body) -> Answer {
        let was_said = self.handled.values().any(|known| *known == became);
        Answer { became, body: (!was_said).then_some(body) }
    }

    async fn answer(&self, comment: &Comment, heard: &Heard) -> Result<Answer, Failure> {
        let (_, standing) = self.standing(comment).await?;
        if standing.is_outsider() {
            return Ok(self.once(CommentAnswer::Outsider, reply::outsider(comment.id)));
        }
        let confused = |body| Answer { became: CommentAnswer::Confused, body: Some(body) };
        let commands = match heard {
            Heard::Nothing => return Ok(Answer { became: CommentAnswer::Confused, body: None }),
            Heard::Faults(faults) => return Ok(confused(reply::faults(comment.id, faults))),
            Heard::TooMany(count) => return Ok(confused(reply::too_many(comment.id, *count))),
            Heard::Commands(commands) => commands,
        };
        self.service.check(Some(self.fence)).await?;
        self.react(comment, Reaction::Eyes).await?;
        let mut answers: Vec<(String, Said)> = Vec::new();
        for (place, command) in commands.iter().enumerate() {
            let said = match answers.last() {
                Some((_, before)) if before.mood != Mood::Done => reply::skipped(),
                _ => self.run(comment, command, (place, commands.len())).await?,
            };
            answers.push((command.line.clone(), said));
        }
        let (became, body) = reply::answer(comment.id, &answers);
        Ok(Answer { became, body: Some(body) })
    }

    /// The settings of the fleet, and what the author of a comment may do by them, now.
    async fn standing(&self, comment: &Comment) -> Result<(FleetSettings, Standing), Failure> {
        let settings = self.service.fleet(&self.source.fleet).map_err(Failure::lasting)?.settings().await?;
        let standing = Standing::of(self.service, self.source, &settings, &comment.author).await?;
        Ok((settings, standing))
    }

    async fn react(&self, comment: &Comment, reaction: Reaction) -> Result<(), Failure> {
        match self.source.forge.react(self.found.number, comment.id, reaction).await {
            Err(error) if error.is_temporary() => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, comment = %comment.id, "a comment got no reaction");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Carries out one command. What its author may do is asked now, not when the comment was written.
    async fn run(&self, comment: &Comment, command: &Command, (place, of): (usize, usize)) -> Result<Said, Failure> {
        let entry = entry(command.verb);
        if self.found.state != MergeRequestState::Open && !entry.is_for_closed {
            let detail = format!("this merge request is {}, and `{}` is for open ones", self.found.state, entry.verb);
            return Ok(Said::refused(&Problem::new("comment.closed", detail).into()));
        }
        let (settings, standing) = self.standing(comment).await?;
        let change = self.change().await?;
        let scene = Scene {
            service: self.service,
            source: self.source,
            found: self.found,
            comment,
            change,
            settings,
            standing,
            place,
            room: reply::ROOM / of.max(1),
        };
        match (entry.run)(&scene, command).await {
            Ok(said) => Ok(said),
            Err(problems) if may_pass(&problems) => Err(later(problems)),
            Err(problems) => {
                tracing::info!(%problems, verb = %command.verb, actor = scene.actor(), "a command was refused");
                Ok(Said::refused(&problems))
            }
        }
    }

    /// The newest change of the merge request, if it is the fleet's.
    async fn change(&self) -> Result<Option<Change>, Failure> {
        if self.source.app.is_some() {
            return Ok(None);
        }
        let number = as_row(self.found.number.0);
        let changes = self.service.store.changes_of_merge_request(&self.source.fleet, number).await?;
        Ok(changes.into_iter().next())
    }

    /// Replies, reacts, and writes down that it is done.
    async fn say(
        &mut self,
        comment: &Comment,
        heard: &Heard,
        answer: Answer,
        known: Option<CommentId>,
    ) -> Result<(), Failure> {
        self.service.check(Some(self.fence)).await?;
        let mut became = answer.became;
        let reply = match (known, &answer.body) {
            (Some(reply), _) => Some(reply),
            (None, None) => None,
            (None, Some(body)) => match self.source.forge.comment(self.found.number, body).await {
                Ok(reply) => Some(reply.id),
                Err(error) if error.is_temporary() => return Err(error.into()),
                // A locked conversation stays locked; asking again each time it is read would change nothing.
                Err(error) => {
                    tracing::warn!(%error, comment = %comment.id, "a comment got no reply");
                    became = CommentAnswer::Unanswered;
                    None
                }
            },
        };
        self.react(comment, reply::reaction(answer.became)).await?;
        let row = HandledComment {
            source: self.source.name.clone(),
            comment: as_row(comment.id.0),
            merge_request: as_row(self.found.number.0),
            author_id: comment.author.id.to_string(),
            author: comment.author.login.clone(),
            verbs: verbs(heard),
            answer: became,
            reply: reply.map(|reply| as_row(reply.0)),
        };
        let mut tx = self.service.store.fenced(self.fence).await?;
        tx.put_comment(&row).await?;
        tx.commit().await?;
        self.handled.insert(row.comment, row.answer);
        Ok(())
    }
}

fn verbs(heard: &Heard) -> Value {
    let Heard::Commands(commands) = heard else { return Value::Array(Vec::new()) };
    commands.iter().map(|command| Value::String(command.verb.to_string())).collect()
}

/// Whether what is in the way may be gone when the job is run again.
fn may_pass(problems: &Problems) -> bool {
    let passes = |code: &str| {
        code.starts_with("store.") || matches!(code, "forge.unavailable" | "forge.rate_limited" | "git.unreachable")
    };
    problems.as_slice().iter().any(|problem| passes(problem.code))
        || matches!(Failure::from(problems.clone()), Failure::Problem { is_temporary: true, .. })
}

fn later(problems: Problems) -> Failure {
    match Failure::from(problems) {
        Failure::Problem { problem, .. } => Failure::Problem { problem, is_temporary: true },
        lost @ Failure::Lost => lost,
    }
}
