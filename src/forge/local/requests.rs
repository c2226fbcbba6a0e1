//! Opening, finding, changing and closing merge requests.

use super::desk::{Desk, from_git};
use super::disk::Writing;
use super::record::{COUNTERS, Counters, OPEN, Record, source_folder};
use crate::forge::{
    Edit, Error, Filter, MergeRequest, MergeRequestNumber, MergeRequestState, NewMergeRequest, Page, PageRequest,
};
use crate::git::BranchName;

impl Desk {
    pub(super) fn open(&self, new: NewMergeRequest) -> Result<MergeRequest, Error> {
        if new.title.as_str().is_empty() {
            return Err(Error::invalid("a merge request has a title"));
        }
        let writing = self.disk.lock()?;
        let head = self.git.tip(&new.source).map_err(from_git)?;
        let target = self.git.tip(&new.target).map_err(from_git)?;
        if let Some(there) = self.find_open(&new.source, &new.target)? {
            return Err(Error::Exists { number: there.number });
        }
        if self.git.is_ancestor(head, target).map_err(from_git)? {
            return Err(Error::invalid(format!(
                "`{}` has nothing that `{}` does not have already",
                new.source, new.target
            )));
        }
        let number = MergeRequestNumber(self.count(&writing, |counters| &mut counters.merge_requests)?);
        let record = Record {
            number,
            state: MergeRequestState::Open,
            source: new.source,
            target: new.target,
            head,
            title: new.title.into(),
            body: new.body.into(),
            labels: new.labels.into_iter().map(String::from).collect(),
            reviewers: new.reviewers,
            author: self.me.clone(),
            draft: new.draft,
            merged: None,
            closed_by: None,
            created: self.now,
            updated: self.now,
            approvals: Vec::new(),
        };
        writing.mark(&source_folder(&record.source), number.0)?;
        self.store(&writing, &record)?;
        Ok(self.look(record)?.shown)
    }

    /// Gives away the next number of a kind.
    pub(super) fn count(
        &self,
        writing: &Writing<'_>,
        kind: impl FnOnce(&mut Counters) -> &mut u64,
    ) -> Result<u64, Error> {
        let mut counters: Counters = self.disk.read(COUNTERS)?.unwrap_or_default();
        let counter = kind(&mut counters);
        *counter += 1;
        let number = *counter;
        writing.write(COUNTERS, &counters)?;
        Ok(number)
    }

    pub(super) fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        Ok(self.look_up(number)?.shown)
    }

    pub(super) fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        self.find(source, |found| found.target == *target && found.state == MergeRequestState::Open)
    }

    pub(super) fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        self.find(source, |found| found.target == *target)
    }

    fn find(
        &self,
        source: &BranchName,
        is_wanted: impl Fn(&MergeRequest) -> bool,
    ) -> Result<Option<MergeRequest>, Error> {
        for number in self.disk.marks(&source_folder(source))? {
            let Some(record) = self.recorded(MergeRequestNumber(number))? else { continue };
            let found = self.look(record)?.shown;
            if found.source == *source && is_wanted(&found) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The record behind a mark; `None` if its process died before it wrote one.
    fn recorded(&self, number: MergeRequestNumber) -> Result<Option<Record>, Error> {
        match self.load(number) {
            Ok(record) => Ok(Some(record)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        let numbers = if filter.state == Some(MergeRequestState::Open) {
            self.disk.marks(OPEN)?
        } else {
            let last = self.disk.read::<Counters>(COUNTERS)?.unwrap_or_default().merge_requests;
            (1..=last).rev().collect()
        };
        let mut failed = None;
        let found = numbers.into_iter().map_while(|number| {
            let found = self.listed(MergeRequestNumber(number), filter);
            found.map_err(|error| failed = Some(error)).ok()
        });
        let page = Page::of(found.flatten(), page);
        failed.map_or(Ok(page), Err)
    }

    fn listed(&self, number: MergeRequestNumber, filter: &Filter) -> Result<Option<MergeRequest>, Error> {
        let found = match self.look_up(number) {
            Ok(looked) => looked.shown,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_wanted = filter.state.is_none_or(|state| state == found.state)
            && filter.target.as_ref().is_none_or(|target| *target == found.target)
            && filter.updated_since.is_none_or(|since| since <= found.updated);
        Ok(is_wanted.then_some(found))
    }

    pub(super) fn update(&self, number: MergeRequestNumber, edit: Edit) -> Result<MergeRequest, Error> {
        if edit.title.as_ref().is_some_and(|title| title.as_str().is_empty()) {
            return Err(Error::invalid("a merge request has a title"));
        }
        let writing = self.disk.lock()?;
        let mut record = self.look_up_in(&writing, number)?.record;
        let before = record.clone();
        if let Some(title) = edit.title {
            record.title = title.into();
        }
        if let Some(body) = edit.body {
            record.body = body.into();
        }
        if let Some(labels) = edit.labels {
            record.labels = labels.into_iter().map(String::from).collect();
        }
        if let Some(reviewers) = edit.reviewers {
            record.reviewers = reviewers;
        }
        if record != before {
            record.updated = self.now;
            self.store(&writing, &record)?;
        }
        Ok(self.look(record)?.shown)
    }

    pub(super) fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let writing = self.disk.lock()?;
        let looked = self.look_up_in(&writing, number)?;
        let mut record = looked.record;
        match record.state {
            MergeRequestState::Merged => Err(Error::NotOpen { number, state: record.state }),
            MergeRequestState::Closed => Ok(looked.shown),
            MergeRequestState::Open => {
                record.state = MergeRequestState::Closed;
                record.closed_by = Some(self.me.clone());
                record.updated = self.now;
                self.store(&writing, &record)?;
                Ok(self.look(record)?.shown)
            }
        }
    }

    pub(super) fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let writing = self.disk.lock()?;
        let looked = self.look_up_in(&writing, number)?;
        let mut record = looked.record;
        match record.state {
            MergeRequestState::Merged => return Err(Error::NotOpen { number, state: record.state }),
            MergeRequestState::Open => return Ok(looked.shown),
            MergeRequestState::Closed => {}
        }
        if let Some(other) = self.find_open(&record.source, &record.target)? {
            return Err(Error::Exists { number: other.number });
        }
        let head = self.git.tip(&record.source).map_err(from_git)?;
        let target = self.git.tip(&record.target).map_err(from_git)?;
        if self.git.is_ancestor(head, target).map_err(from_git)? {
            return Err(Error::invalid(format!("`{}` has all of `{}` already", record.target, record.source)));
        }
        record.state = MergeRequestState::Open;
        record.head = head;
        record.closed_by = None;
        record.updated = self.now;
        self.store(&writing, &record)?;
        Ok(self.look(record)?.shown)
    }
}
