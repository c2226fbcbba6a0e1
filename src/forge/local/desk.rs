//! Where one request is worked on: the repository, its files, who asks and what time it is. Everything here blocks.

use jiff::Timestamp;

use super::disk::{Disk, Writing};
use super::record::{OPEN, Record, request_file};
use super::{LocalForge, RepositoryName};
use crate::forge::{Error, MergeRequest, MergeRequestNumber, MergeRequestState, User};
use crate::git::{self, Repository};

/// One request's view of a repository.
pub(super) struct Desk {
    pub(super) git: Repository,
    pub(super) disk: Disk,
    pub(super) me: User,
    pub(super) now: Timestamp,
    pub(super) name: RepositoryName,
    pub(super) base_url: String,
}

/// A record beside what Git says about it now.
pub(super) struct Looked {
    /// The record, with what Git has changed about it.
    pub(super) record: Record,
    /// Whether that differs from what is stored.
    pub(super) is_news: bool,
    /// The head to show. Not that of the record if the branch was moved back into the target branch, which is no merge.
    pub(super) shown: MergeRequest,
}

impl Desk {
    pub(super) fn new(forge: &LocalForge) -> Result<Self, Error> {
        let place = &forge.place;
        Ok(Self {
            git: Repository::open(&place.path).map_err(from_git)?,
            disk: Disk::in_repository(&place.path),
            me: forge.me.clone(),
            now: (place.clock)(),
            name: place.name.clone(),
            base_url: place.base_url.clone(),
        })
    }

    /// The stored record.
    pub(super) fn load(&self, number: MergeRequestNumber) -> Result<Record, Error> {
        let record = self.disk.read(&request_file(number))?;
        record.ok_or_else(|| Error::not_found(format!("merge request {number}")))
    }

    /// The record as Git has it now, stored if that is news. A read that cannot store it still answers: the next one
    /// finds the same.
    pub(super) fn look_up(&self, number: MergeRequestNumber) -> Result<Looked, Error> {
        let looked = self.look(self.load(number)?)?;
        if !looked.is_news {
            return Ok(looked);
        }
        match self.disk.lock() {
            Ok(writing) => self.look_up_in(&writing, number),
            Err(_) => Ok(looked),
        }
    }

    /// [`Desk::look_up`] for who writes anyway.
    pub(super) fn look_up_in(&self, writing: &Writing<'_>, number: MergeRequestNumber) -> Result<Looked, Error> {
        let looked = self.look(self.load(number)?)?;
        if looked.is_news {
            self.store(writing, &looked.record)?;
        }
        Ok(looked)
    }

    /// Stores a record. Its mark is there before it is open, and goes after it is not: a process that dies between leaves
    /// a mark too many, never one too few.
    pub(super) fn store(&self, writing: &Writing<'_>, record: &Record) -> Result<(), Error> {
        let is_open = record.state == MergeRequestState::Open;
        if is_open {
            writing.mark(OPEN, record.number.0)?;
        }
        writing.write(&request_file(record.number), record)?;
        if !is_open {
            writing.unmark(OPEN, record.number.0)?;
        }
        Ok(())
    }

    /// Compares a record with Git.
    pub(super) fn look(&self, mut record: Record) -> Result<Looked, Error> {
        let tip = self.git.resolve(&record.source).map_err(from_git)?;
        let mut head = record.head;
        let mut is_news = false;
        if record.state == MergeRequestState::Open {
            let target = self.git.resolve(&record.target).map_err(from_git)?;
            let is_in_target = |commit| match target {
                Some(target) => self.git.is_ancestor(commit, target).map_err(from_git),
                None => Ok(false),
            };
            let moved = tip.filter(|tip| *tip != record.head);
            // Where the branch has gone by the time that somebody looks, if all of that is in the target branch too.
            let gone_in = match moved {
                Some(tip) if is_in_target(tip)? => Some(tip),
                _ => None,
            };
            // What was moved back to something old does not build on what was proposed, and is no merge.
            let went_on = match gone_in {
                Some(tip) if self.git.is_ancestor(record.head, tip).map_err(from_git)? => Some(tip),
                _ => None,
            };
            let merged = match went_on {
                Some(tip) => Some(tip),
                None => is_in_target(record.head)?.then_some(record.head),
            };
            if let (None, Some(tip)) = (merged, moved) {
                head = tip;
                if gone_in.is_none() {
                    (record.head, record.updated, is_news) = (tip, self.now, true);
                }
            }
            if let Some(merged) = merged {
                (head, record.head, record.updated, is_news) = (merged, merged, self.now, true);
                record.state = MergeRequestState::Merged;
                record.merged = Some(merged);
            }
        }
        let shown = self.shown(&record, head, tip.is_some());
        Ok(Looked { record, is_news, shown })
    }

    fn shown(&self, record: &Record, head: git::CommitId, source_exists: bool) -> MergeRequest {
        let record = record.clone();
        MergeRequest {
            number: record.number,
            url: format!("{}/merge-requests/{}/{}", self.base_url, self.name, record.number),
            state: record.state,
            source: record.source,
            target: record.target,
            head,
            source_exists,
            from_fork: false,
            title: record.title,
            body: record.body,
            labels: record.labels,
            reviewers: record.reviewers,
            author: record.author,
            draft: record.draft,
            merged: record.merged,
            closed_by: record.closed_by,
            created: record.created,
            updated: record.updated,
        }
    }
}

/// What a failure of Git means to who uses the forge.
pub(super) fn from_git(error: git::Error) -> Error {
    match error {
        git::Error::NoRepository { .. } => Error::not_found("the repository"),
        git::Error::NoBranch { name } => Error::invalid(format!("there is no branch `{name}`")),
        git::Error::NoObject { kind, id } => Error::not_found(format!("the {kind} {id}")),
        git::Error::NotFastForward { .. } => Error::Conflict,
        other => Error::unavailable(other),
    }
}
