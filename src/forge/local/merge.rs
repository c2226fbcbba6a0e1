//! Approvals, and merging: never past what the target branch asks for.

use std::collections::BTreeSet;

use super::desk::{Desk, from_git};
use super::record::{MEMBERS, Members, Record, Statuses, statuses_file};
use crate::forge::{
    Approval, Error, MergeRequestNumber, MergeRequestState, Permission, Protection, StatusState, UserId,
};
use crate::git::{self, CommitId};

/// How often the target branch may move between looking and merging before it is left to the caller.
const TRIES: usize = 5;

impl Desk {
    pub(super) fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        Ok(self.load(number)?.approvals)
    }

    pub(super) fn approve(&self, number: MergeRequestNumber, head: CommitId) -> Result<(), Error> {
        let writing = self.disk.lock()?;
        let looked = self.look_up_in(&writing, number)?;
        let mut record = looked.record;
        if record.state != MergeRequestState::Open {
            return Err(Error::NotOpen { number, state: record.state });
        }
        if looked.shown.head != head {
            return Err(Error::HeadMoved { expected: head, found: looked.shown.head });
        }
        if record.author.id == self.me.id {
            return Err(Error::Forbidden { reason: "nobody approves their own merge request".to_owned() });
        }
        record.approvals.retain(|approval| approval.user.id != self.me.id);
        record.approvals.push(Approval { user: self.me.clone(), commit: Some(head), at: self.now });
        record.updated = self.now;
        self.store(&writing, &record)
    }

    pub(super) fn withdraw_approval(&self, number: MergeRequestNumber) -> Result<(), Error> {
        let writing = self.disk.lock()?;
        let mut record = self.look_up_in(&writing, number)?.record;
        let before = record.approvals.len();
        record.approvals.retain(|approval| approval.user.id != self.me.id);
        if record.approvals.len() == before {
            return Ok(());
        }
        record.updated = self.now;
        self.store(&writing, &record)
    }

    pub(super) fn merge(&self, number: MergeRequestNumber, expected: CommitId) -> Result<CommitId, Error> {
        let writing = self.disk.lock()?;
        for _ in 0..TRIES {
            let looked = self.look_up_in(&writing, number)?;
            let mut record = looked.record;
            match record.state {
                MergeRequestState::Merged if record.head == expected => return Ok(record.merged.unwrap_or(expected)),
                MergeRequestState::Merged => return Err(Error::HeadMoved { expected, found: record.head }),
                MergeRequestState::Closed => return Err(Error::NotOpen { number, state: record.state }),
                MergeRequestState::Open => {}
            }
            let head = self.git.tip(&record.source).map_err(from_git)?;
            if head != expected {
                return Err(Error::HeadMoved { expected, found: head });
            }
            if record.draft {
                return Err(Error::invalid("a draft is not merged"));
            }
            self.refuse_unready(&record, head)?;
            let target = self.git.tip(&record.target).map_err(from_git)?;
            if self.git.is_ancestor(head, target).map_err(from_git)? {
                return Err(Error::invalid(format!("`{}` has all of `{}` already", record.target, record.source)));
            }
            match self.git.fast_forward(&record.target, head, target) {
                Ok(()) => {}
                Err(git::Error::RefMoved { .. }) => continue,
                Err(error) => return Err(from_git(error)),
            }
            // A process that dies here has merged: the next one who looks sees it in Git.
            fail::fail_point!("forge_local_merged");
            record.state = MergeRequestState::Merged;
            (record.head, record.merged) = (head, Some(head));
            record.closed_by = Some(self.me.clone());
            record.updated = self.now;
            self.store(&writing, &record)?;
            return Ok(head);
        }
        Err(Error::unavailable("the target branch keeps moving"))
    }

    fn refuse_unready(&self, record: &Record, head: CommitId) -> Result<(), Error> {
        let Protection { required_checks, required_approvals } = self.protection(&record.target)?;
        let statuses: Statuses = self.disk.read(&statuses_file(head))?.unwrap_or_default();
        let has_succeeded =
            |check: &str| statuses.get(check).is_some_and(|status| status.state == StatusState::Success);
        let checks: Vec<String> =
            required_checks.iter().filter(|check| !has_succeeded(check.as_str())).map(ToString::to_string).collect();
        if !checks.is_empty() {
            return Err(Error::ChecksMissing { checks });
        }
        if required_approvals == 0 {
            return Ok(());
        }
        let members: Members = self.disk.read(MEMBERS)?.unwrap_or_default();
        let may_approve = |user: &UserId| members.get(user).is_some_and(|right| *right >= Permission::Write);
        let approved_by: BTreeSet<&UserId> = record
            .approvals
            .iter()
            .filter(|approval| approval.covers(head))
            .map(|approval| &approval.user.id)
            .filter(|user| **user != record.author.id && may_approve(user))
            .collect();
        let given = u32::try_from(approved_by.len()).unwrap_or(u32::MAX);
        if given < required_approvals {
            return Err(Error::NotApproved { needed: required_approvals, given });
        }
        Ok(())
    }
}
