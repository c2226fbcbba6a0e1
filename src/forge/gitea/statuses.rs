//! What checks say about commits.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use url::Url;

use super::call::Failure;
use super::{Place, wire};
use crate::forge::calls::Effect;
use crate::forge::{Error, NewStatus, Status};
use crate::git::CommitId;

impl Place<'_> {
    pub(super) async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error> {
        if let Some(url) = &status.url {
            let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_web {
                return Err(Error::invalid("the address of a status begins with `http://` or `https://`"));
            }
        }
        let body = json!({
            "state": wire::state_name(status.state), "context": status.context.as_str(),
            "description": status.description.as_str(), "target_url": status.url.as_deref().unwrap_or_default(),
        });
        let call = self.call(Method::POST, &format!("statuses/{commit}")).body(body);
        let failure = match self.client.ask::<serde::de::IgnoredAny>(Effect::Same, &call).await {
            Ok(_) => return Ok(()),
            Err(failure) => failure,
        };
        // A commit that is not there is answered in many ways, a failure of the forge among them.
        if matches!(failure, Failure::Refused(_) | Failure::Failed(Error::Unavailable { .. })) {
            self.refuse_absent(commit).await?;
        }
        Err(failure.about(&format!("the commit {commit}")))
    }

    /// The whole history comes, the oldest first, so that what is said meanwhile does not move what is yet to come. The
    /// forge's own summary has no end that could be seen.
    pub(super) async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        let call = self.read(&format!("statuses/{commit}")).query("sort", "oldest");
        let mut latest: BTreeMap<String, wire::CommitStatus> = BTreeMap::new();
        let look = |status: wire::CommitStatus| {
            if latest.get(&status.context).is_none_or(|known| known.id < status.id) {
                latest.insert(status.context.clone(), status);
            }
            true
        };
        let what = format!("the commit {commit}");
        self.client.walk(&call, 0, look).await.map_err(|failure| failure.about(&what))?;
        if latest.is_empty() {
            self.refuse_absent(commit).await?;
        }
        Ok(latest.into_values().filter_map(wire::CommitStatus::into_status).collect())
    }

    /// Of a commit that is not there, an empty list says as little as of one that nobody has looked at.
    async fn refuse_absent(&self, commit: CommitId) -> Result<(), Error> {
        let call = self.read(&format!("git/commits/{commit}"));
        let call = call.query("stat", false).query("verification", false).query("files", false);
        let found = self.client.ask::<serde::de::IgnoredAny>(Effect::Read, &call).await;
        match found {
            Err(failure) if failure.is_absence() => Err(Error::not_found(format!("the commit {commit}"))),
            _ => Ok(()),
        }
    }
}
