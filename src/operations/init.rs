//! A new fleet repository.

use std::path::Path;

use super::change::signature;
use super::fleet::{Fleet, SETTINGS_FILE};
use super::place::Place;
use super::{Request, git_problems};
use crate::domain::fleet::{Delivery, Provider, SecretBackend};
use crate::domain::{Problem, Problems};
use crate::files::{FileTree, LayeredTree, MemoryTree};
use crate::git::{self, BranchName, Key, PreparedBlob, Repository, Trailers, TreeEdits};
use crate::yaml;

/// What a new fleet starts with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The URL under which the controllers find the repository.
    pub url: String,
    /// The branch that they sync.
    pub branch: BranchName,
    /// Whether the repository has no work tree.
    pub bare: bool,
    /// The controller.
    pub delivery: Delivery,
    /// Whose Kubernetes it is.
    pub provider: Provider,
    /// How secrets reach the clusters.
    pub secrets: SecretBackend,
    /// Where Alertmanager sends every alert, if that is known.
    pub alert_webhook: Option<String>,
}

/// What was made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Initialised {
    /// Whether there was a fleet already, which was left as it is.
    pub existed: bool,
    /// The synced branch.
    pub branch: String,
    /// The pointers to apply once, one per environment.
    pub pointers: Vec<String>,
}

/// Makes a fleet repository in `folder`, or adds the fleet's files to an empty one. A fleet that is there already is
/// left alone, so that a run that was cut short can be repeated.
///
/// # Errors
/// `init.not_a_fleet` for a repository that has commits of another kind.
pub fn run(folder: &Path, start: &Start, request: &Request) -> Result<Initialised, Problems> {
    let repository = open_or_create(folder, start)?;
    let base = repository.head_branch().map_err(git_problems)?.unwrap_or_else(|| start.branch.clone());
    let place = Place::local(repository, base);
    if let Some(tip) = place.repository.resolve(&place.base).map_err(git_problems)? {
        let tree = place.repository.tree(tip).map_err(git_problems)?;
        if tree.kind(SETTINGS_FILE).map_err(super::file_problems)?.is_none() {
            let detail = format!("{} has commits and no fleet.yaml", folder.display());
            return Err(Problem::new("init.not_a_fleet", detail).hint("choose an empty folder").into());
        }
        let fleet = Fleet::open(&tree)?;
        return Ok(Initialised { existed: true, branch: place.base.to_string(), pointers: pointers(&fleet) });
    }
    let files = first_files(start)?;
    let mut edits = TreeEdits::new();
    let mut writer = place.repository.writer();
    for (path, content) in files.iter() {
        let blob = writer.add(PreparedBlob::new(content)).map_err(git_problems)?;
        edits.put(path, blob).map_err(git_problems)?;
    }
    let tree = writer.finish(None, &edits).map_err(git_problems)?;
    let trailers = Trailers::new().with(Key::ACTION, "init").with(Key::ACTOR, &request.actor);
    let text = git::message("Start a fleet", "", &trailers);
    let commit = place.repository.commit(tree, &[], &signature(request), &text).map_err(git_problems)?;
    place.repository.fast_forward(&place.base, commit, None).map_err(git_problems)?;
    let fleet = Fleet::open(&files)?;
    Ok(Initialised { existed: false, branch: place.base.to_string(), pointers: pointers(&fleet) })
}

fn open_or_create(folder: &Path, start: &Start) -> Result<Repository, Problems> {
    match Repository::open(folder) {
        Ok(repository) => Ok(repository),
        Err(git::Error::NoRepository { .. }) => {
            if is_occupied(folder, start.bare) {
                let detail = format!("{} is not empty and not a Git repository", folder.display());
                return Err(Problem::new("init.occupied", detail)
                    .hint("choose an empty folder, or `git init` this one first")
                    .into());
            }
            // Nothing is a repository here yet, so that nobody works in it: these are a killed run's.
            let inside = if start.bare { folder.to_owned() } else { folder.join(".git") };
            for lock in ["HEAD.lock", "config.lock"] {
                let _gone = std::fs::remove_file(inside.join(lock));
            }
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(PROBE) {
                    let _gone = std::fs::remove_file(entry.path());
                }
            }
            Repository::init(folder, &start.branch, start.bare).map_err(git_problems)
        }
        Err(error) => Err(git_problems(error)),
    }
}

/// How the files begin with which libgit2 tries what the file system can do.
const PROBE: &str = "_git2_";

/// Whether a folder holds anything but what a run left that was killed while it made the repository.
fn is_occupied(folder: &Path, bare: bool) -> bool {
    const BARE: [&str; 10] =
        ["HEAD", "HEAD.lock", "branches", "config", "config.lock", "description", "hooks", "info", "objects", "refs"];
    let is_unfinished =
        |name: &str| name.starts_with(PROBE) || if bare { BARE.contains(&name) } else { name == ".git" };
    std::fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| !entry.file_name().to_str().is_some_and(is_unfinished)))
}

fn pointers(fleet: &Fleet<'_>) -> Vec<String> {
    fleet.settings.environments.keys().map(|name| format!("delivery/{name}.yaml")).collect()
}

/// The files of a fleet without apps.
///
/// # Errors
/// What is wrong with the built-in templates, which a test rules out.
pub fn first_files(start: &Start) -> Result<MemoryTree, Problems> {
    let mut files = MemoryTree::default();
    files.insert(SETTINGS_FILE, settings_text(start).into_bytes());
    files.insert("README.md", README.as_bytes());
    let built_in = crate::render::builtin::files();
    let mut pointers = Vec::new();
    {
        let layered = LayeredTree::new(&files, &built_in);
        let fleet = Fleet::open(&layered)?;
        let renderer = fleet.renderer()?;
        for environment in fleet.settings.environments.keys() {
            let objects = renderer.environment_pointer(environment)?;
            let text =
                yaml::write_all(&objects).map_err(|_| Problem::new("render.invalid", "a pointer cannot be written"))?;
            pointers.push((format!("delivery/{environment}.yaml"), text));
        }
    }
    for (path, text) in pointers {
        files.insert(path, text.into_bytes());
    }
    Ok(files)
}

/// What a cluster has besides, each on a line of its own.
fn more_settings(start: &Start) -> String {
    let mut lines = format!("    storage_class: {}\n", start.provider.storage_class());
    if start.secrets != SecretBackend::default() {
        lines.push_str(&format!("    secrets: {}\n", start.secrets));
    }
    if let Some(url) = &start.alert_webhook {
        lines.push_str(&format!("    monitoring: {{webhook: {{url: {}}}}}\n", serde_json::Value::from(url.as_str())));
    }
    lines
}

fn settings_text(start: &Start) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "# The settings of this fleet. `wooo schema fleet` prints every field with its meaning.
repository:
  url: {url}
  branch: {branch}

environments:
  staging:
    cluster: staging
    provider: {provider}
    promote_from: null
    merge: auto
    # Apps are served as <app>.<suffix> here, so that production alone has the real host names.
    domain_suffix: staging.example.com
  production:
    cluster: production
    provider: {provider}
    promote_from: staging
    merge: propose

clusters:
  staging:
    delivery: {delivery}
    ingress: {{class: nginx, namespace: ingress-nginx}}   # or gateway: {{name: public, namespace: gateways}}
    issuer: letsencrypt-prod
    dns: {{prefix: alpha}}
{more}  production:
    delivery: {delivery}
    ingress: {{class: nginx, namespace: ingress-nginx}}
    issuer: letsencrypt-prod
    dns: {{prefix: alpha}}
{more}
# Sizes that replace or add to basic, standard, advanced and professional:
# plans:
#   huge: {{memory: 8Gi, cpu: 4000m}}

policy: {{}}
tenants: {{}}
",
        url = quoted(&start.url),
        branch = quoted(start.branch.as_str()),
        provider = start.provider,
        delivery = start.delivery,
        more = more_settings(start),
    )
}

const README: &str = "# Fleet

What runs on our clusters, and nothing else. [wooo](https://github.com/wooo/wooo) writes `rendered/` and `delivery/`;
people write the rest.

| path | what it is | who writes it |
|---|---|---|
| `fleet.yaml` | environments, clusters, plans, policy, tenants | people |
| `apps/<app>/app.yaml` | what the app's owner wants, in all environments | people |
| `apps/<app>/<env>.yaml` | what differs in one environment: image, replicas, hold | wooo, people |
| `apps/<app>/overlay/<env>/` | the app team's own kustomize overlay | people |
| `templates/`, `overlays/` | the platform team's own, in place of the built-in ones | people |
| `rendered/<env>/<app>/` | the manifests that the cluster gets | wooo only |
| `delivery/<env>/` | what Argo CD or Flux syncs | wooo only |

Apply `delivery/<env>.yaml` once to each cluster; from then on a merge to the synced branch is a deployment.
`wooo verify` tells whether `rendered/` still is what the specs say.
";
