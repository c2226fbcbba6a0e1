//! One file per family of verbs: arguments to an operation, its result to words.

mod ask;
pub(super) mod build;
pub(super) mod changes;
pub(super) mod check;
pub(super) mod demo;
pub(super) mod detect;
pub(super) mod diff;
pub(super) mod doctor;
mod follow;
pub(super) mod init;
pub(super) mod intent;
pub(super) mod read;
pub(super) mod reindex;
pub(super) mod render;
pub(super) mod rerender;
pub(super) mod schema;
pub(super) mod secret;
pub(super) mod serve;
mod served;

use std::path::Path;

use jiff::Timestamp;

use super::args::{ChangeArgs, FleetArg};
use crate::domain::document::MAX_DOCUMENT_BYTES;
use crate::domain::{Problem, Problems};
use crate::files::DirectoryTree;
use crate::git::{Access, CommitId, Credential, Network, NetworkPolicy, RemoteUrl, UrlPolicy};
use crate::operations::Request;
use crate::operations::change::Options;
use crate::operations::place::Place;

/// The time: the system's, or that of `SOURCE_DATE_EPOCH` for those who reproduce a commit
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn now() -> Timestamp {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    fixed.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_else(Timestamp::now)
}

/// Who asks, and in whose name commits are made: Git's own settings, unless told otherwise.
fn request(actor: Option<String>, reason: Option<String>, (name, email): (Option<String>, Option<String>)) -> Request {
    let person = name.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unknown".to_owned());
    Request {
        actor: actor.unwrap_or_else(|| format!("local:{person}")),
        reason,
        now: now(),
        committer: (name.unwrap_or_else(|| "wooo".to_owned()), email.unwrap_or_else(|| "wooo@localhost".to_owned())),
        change_id: None,
    }
}

fn change_request(args: &ChangeArgs, place: &Place) -> (Request, Options) {
    let request = request(args.actor.clone(), args.reason.clone(), place.repository.configured_identity());
    (request, Options { merge: args.merge, dry_run: args.dry_run })
}

/// The text of a file that the user named.
fn read_text(path: &Path) -> Result<String, Problem> {
    let fail = |reason: String| Problem::new("files.unreadable", format!("{}: {reason}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > MAX_DOCUMENT_BYTES {
        return Err(fail(format!("it has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))
}

/// A folder that the user named.
fn folder(path: &Path) -> Result<DirectoryTree, Problem> {
    if !path.is_dir() {
        return Err(Problem::new("files.not_found", format!("{} is not a folder", path.display())));
    }
    Ok(DirectoryTree::new(path))
}

/// The commit that a branch name or a full commit id means. Nothing else is resolved: no expression, no abbreviation.
fn commit(place: &Place, rev: Option<&str>) -> Result<CommitId, Problems> {
    let Some(rev) = rev else { return place.tip() };
    let unknown = || {
        Problem::new(
            "git.unknown_revision",
            format!("`{}` is neither a branch nor a full commit id", rev.escape_debug()),
        )
        .hint("`git branch --list 'wooo/*'` lists the open changes")
    };
    if let Ok(id) = rev.parse::<CommitId>() {
        return Ok(id);
    }
    let branch = rev.parse().map_err(|_| unknown())?;
    let found = place.repository.resolve(&branch)?;
    Ok(found.ok_or_else(unknown)?)
}

/// The fleet that the user named: a folder, or a URL.
fn place(args: &FleetArg) -> Result<Place, Problems> {
    match remote(&args.fleet)? {
        Some((url, access, network)) => Place::fetch(url, access, &network),
        None => Place::open(Path::new(&args.fleet)),
    }
}

/// The remote that the user named, and the way to it; `None` for a folder.
fn remote(text: &str) -> Result<Option<(RemoteUrl, Access, Network)>, Problem> {
    let scp_like = text.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    if Path::new(text).exists() || !(text.contains("://") || scp_like) {
        return Ok(None);
    }
    let urls = trusted_origins()?;
    let url = RemoteUrl::parse(text, &urls)?;
    let network = Network::new(NetworkPolicy { urls, ..NetworkPolicy::default() })?;
    let access = access(&url)?;
    Ok(Some((url, access, network)))
}

/// Installations on premises name the origins inside their network that may be talked to, separated by commas.
fn trusted_origins() -> Result<UrlPolicy, Problem> {
    let listed = std::env::var("WOOO_TRUSTED_ORIGINS").unwrap_or_default();
    let origins = listed.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let trusted = origins.map(str::parse).collect::<Result<Vec<_>, _>>().map_err(|error| {
        Problem::new("git.trusted_origins", format!("WOOO_TRUSTED_ORIGINS: {error}"))
            .hint("write it as `https://git.internal:8443`")
    })?;
    Ok(UrlPolicy { trusted })
}

/// The way in, from the environment: an argument would show in the list of processes.
fn access(url: &RemoteUrl) -> Result<Access, Problem> {
    if url.is_ssh() {
        let path = |name: &str| {
            std::env::var_os(name).map(std::path::PathBuf::from).ok_or_else(|| {
                Problem::new("git.ssh_access", format!("{url} needs a key and known hosts"))
                    .hint("set WOOO_SSH_KEY and WOOO_SSH_KNOWN_HOSTS to their files")
            })
        };
        return Ok(Access::SshKey { key: path("WOOO_SSH_KEY")?, known_hosts: path("WOOO_SSH_KNOWN_HOSTS")? });
    }
    let Ok(token) = std::env::var("WOOO_GIT_TOKEN") else { return Ok(Access::Anonymous) };
    let user = std::env::var("WOOO_GIT_USER").unwrap_or_else(|_| "oauth2".to_owned());
    Ok(Access::Token(Credential::new(url, user, token.into())))
}
