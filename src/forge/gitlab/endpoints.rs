//! Endpoints and parameters of GitLab's API that the `gitlab` crate does not have.

use std::borrow::Cow;

use gitlab::api::common::path_escaped;
use gitlab::api::{BodyError, Endpoint, FormParams, QueryParams};
use jiff::Timestamp;
use reqwest::Method;

use crate::forge::{MergeRequestNumber, NewStatus, PageRequest};
use crate::git::CommitId;

/// One page of a list.
pub(super) struct OnPage<E> {
    pub(super) list: E,
    pub(super) request: PageRequest,
}

impl<E: Endpoint> Endpoint for OnPage<E> {
    fn method(&self) -> Method {
        self.list.method()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.list.endpoint()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = self.list.parameters();
        parameters.push("page", u64::from(self.request.number())).push("per_page", u64::from(self.request.size()));
        parameters
    }
}

/// A list of merge requests, of which only those are wanted that changed since a moment. The crate cuts the moment to
/// whole seconds, and would let through what did not.
pub(super) struct UpdatedSince<E> {
    pub(super) list: E,
    pub(super) since: Option<Timestamp>,
}

impl<E: Endpoint> Endpoint for UpdatedSince<E> {
    fn method(&self) -> Method {
        self.list.method()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.list.endpoint()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = self.list.parameters();
        parameters.push_opt("updated_after", self.since.map(|since| since.to_string()));
        parameters
    }
}

/// The notes that people wrote: those that GitLab writes about changes are left out.
pub(super) struct OnlyComments<E>(pub(super) E);

impl<E: Endpoint> Endpoint for OnlyComments<E> {
    fn method(&self) -> Method {
        self.0.method()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.0.endpoint()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = self.0.parameters();
        parameters.push("activity_filter", "only_comments");
        parameters
    }
}

/// One note of a merge request.
pub(super) struct Note {
    pub(super) project: u64,
    pub(super) number: MergeRequestNumber,
    pub(super) note: u64,
}

impl Endpoint for Note {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/notes/{}", self.project, self.number, self.note).into()
    }
}

/// What a merge request held over time: a version for each push.
pub(super) struct Versions {
    pub(super) project: u64,
    pub(super) number: MergeRequestNumber,
}

impl Endpoint for Versions {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/versions", self.project, self.number).into()
    }
}

/// The newest commit that two have in common. A comparison would answer with all differences.
pub(super) struct MergeBase {
    pub(super) project: u64,
    pub(super) commits: [CommitId; 2],
}

impl Endpoint for MergeBase {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/repository/merge_base", self.project).into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.extend(self.commits.iter().map(|commit| ("refs[]", commit.to_string())));
        parameters
    }
}

/// Says something about a commit. The crate counts the bytes of a description where GitLab counts characters.
pub(super) struct SetStatus<'a> {
    pub(super) project: u64,
    pub(super) commit: CommitId,
    pub(super) state: &'static str,
    pub(super) status: &'a NewStatus,
}

impl Endpoint for SetStatus<'_> {
    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/statuses/{}", self.project, path_escaped(&self.commit.to_string())).into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let mut parameters = FormParams::default();
        parameters
            .push("state", self.state)
            .push("name", self.status.context.as_str())
            .push("description", self.status.description.as_str())
            .push_opt("target_url", self.status.url.as_ref());
        parameters.into_body()
    }
}
