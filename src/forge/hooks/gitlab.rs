//! The payloads of GitLab. What kind one is stands in the body too, which is signed, where the header is not.

use serde::Deserialize;

use super::{Changed, Identified, OTHER, Pushed, Read, Unreadable, part, word};
use crate::forge::RepositoryId;

/// The kinds of which something may follow, and tags, of which nothing does.
const KINDS: [&str; 6] = ["build", "merge_request", "note", "pipeline", "push", "tag_push"];

/// What every payload of a project says.
#[derive(Deserialize)]
struct About {
    object_kind: Option<String>,
    project: Option<Identified>,
    project_id: Option<u64>,
}

#[derive(Deserialize)]
struct Request {
    iid: u64,
}

#[derive(Deserialize)]
struct MergeRequest {
    object_attributes: Request,
}

#[derive(Deserialize)]
struct Note {
    object_attributes: NoteAttributes,
    merge_request: Option<Request>,
}

#[derive(Deserialize)]
struct NoteAttributes {
    noteable_type: Option<String>,
    /// `create` or `update`; older servers do not say, and send no updates.
    action: Option<String>,
    /// What GitLab itself writes about what people do.
    system: Option<bool>,
}

#[derive(Deserialize)]
struct Pipeline {
    object_attributes: PipelineAttributes,
    merge_request: Option<Request>,
}

#[derive(Deserialize)]
struct PipelineAttributes {
    r#ref: Option<String>,
    #[serde(default)]
    tag: Option<bool>,
}

#[derive(Deserialize)]
struct Build {
    r#ref: Option<String>,
    #[serde(default)]
    tag: Option<bool>,
}

pub(super) fn read(body: &[u8]) -> Read {
    let about: About = match part(body) {
        Ok(about) => about,
        Err(error) => return Read { repository: None, event: OTHER, changed: Err(error) },
    };
    let event = word(&KINDS, about.object_kind.as_deref().unwrap_or_default());
    match about.repository() {
        Ok(repository) => Read { repository, event, changed: changed(event, body) },
        Err(error) => Read { repository: None, event, changed: Err(error) },
    }
}

impl About {
    /// Some kinds name the project in two places. Which of two ids would count must not be a matter of taste.
    fn repository(&self) -> Result<Option<RepositoryId>, Unreadable> {
        let id = match (self.project.as_ref().map(|project| project.id), self.project_id) {
            (Some(one), Some(two)) if one != two => return Err(Unreadable::Repository),
            (one, two) => one.or(two),
        };
        Ok(id.and_then(|id| id.to_string().parse().ok()))
    }
}

fn changed(event: &str, body: &[u8]) -> Result<Changed, Unreadable> {
    match event {
        "merge_request" => part(body).map(|found: MergeRequest| Changed::merge_request(found.object_attributes.iid)),
        "note" => part(body).map(|found: Note| note(&found)),
        "push" => Changed::full_ref(&part::<Pushed>(body)?.r#ref),
        "pipeline" => {
            let found: Pipeline = part(body)?;
            match found.merge_request {
                Some(request) => Ok(Changed::merge_request(request.iid)),
                None => branch(found.object_attributes.r#ref.as_deref(), found.object_attributes.tag),
            }
        }
        "build" => {
            let found: Build = part(body)?;
            branch(found.r#ref.as_deref(), found.tag)
        }
        _ => Ok(Changed::default()),
    }
}

fn note(note: &Note) -> Changed {
    let attributes = &note.object_attributes;
    let is_new = attributes.action.as_deref().is_none_or(|action| action == "create")
        && attributes.noteable_type.as_deref() == Some("MergeRequest")
        && attributes.system != Some(true);
    match &note.merge_request {
        Some(request) if is_new => Changed::comment(request.iid),
        _ => Changed::default(),
    }
}

fn branch(name: Option<&str>, tag: Option<bool>) -> Result<Changed, Unreadable> {
    // The pipeline of a merge request runs on a ref of its own, which is no branch.
    match name.filter(|name| tag != Some(true) && !name.starts_with("refs/")) {
        Some(name) => Changed::branches([name]),
        None => Ok(Changed::default()),
    }
}
