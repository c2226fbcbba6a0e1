//! What checks say about commits.

use super::desk::{Desk, from_git};
use super::record::{self, statuses_file};
use crate::forge::{Error, NewStatus, Status};
use crate::git::CommitId;

/// As many contexts as GitHub takes.
const MOST: usize = 1000;

impl Desk {
    pub(super) fn set_status(&self, commit: CommitId, new: NewStatus) -> Result<(), Error> {
        if let Some(url) = &new.url {
            let is_web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_web {
                return Err(Error::invalid("the address of a status begins with `http://` or `https://`"));
            }
        }
        self.git.commit_info(commit).map_err(from_git)?;
        let writing = self.disk.lock()?;
        let file = statuses_file(commit);
        let mut statuses: record::Statuses = self.disk.read(&file)?.unwrap_or_default();
        let context = new.context.to_string();
        if statuses.len() >= MOST && !statuses.contains_key(&context) {
            return Err(Error::invalid(format!("a commit has at most {MOST} statuses")));
        }
        let status = Status {
            context: new.context,
            state: new.state,
            description: new.description.into(),
            url: new.url,
            updated: self.now,
        };
        statuses.insert(context, status);
        writing.write(&file, &statuses)
    }

    pub(super) fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        self.git.commit_info(commit).map_err(from_git)?;
        let statuses: record::Statuses = self.disk.read(&statuses_file(commit))?.unwrap_or_default();
        Ok(statuses.into_values().collect())
    }
}
