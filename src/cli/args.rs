//! The grammar of the command line. The help texts here are the command reference.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use crate::domain::app_spec::Replicas;
use crate::domain::fleet::{Delivery, Provider, SecretBackend};
use crate::domain::{
    AppName, ChangeId, ChangeState, Cpu, EnvironmentName, Framework, ImageRef, Memory, PlanName, VariableName,
};
use crate::git::{BranchName, CommitId};
use crate::store::FleetName;

/// From a short app spec to a reviewed commit on a fleet repository.
///
/// wooo renders everything that an app needs on Kubernetes and commits it to a Git repository that Argo CD or Flux
/// syncs. It never applies anything to a cluster.
#[derive(Debug, Parser)]
#[command(name = "wooo", bin_name = "wooo", version, propagate_version = true, max_term_width = 100, color = clap::ColorChoice::Auto)]
pub(super) struct Cli {
    /// The form of the answer
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, env = "WOOO_OUTPUT", hide_env_values = true)]
    pub(super) output: Format,
    /// The form of the log, which goes to standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "WOOO_LOG_FORMAT", hide_env_values = true)]
    pub(super) log_format: LogFormat,
    #[command(flatten)]
    pub(super) color: ColorArg,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Args, Debug)]
pub(super) struct ColorArg {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the whole loop on embedded parts: onboard, merge request, merge, sync, healthy, a bad image, rollback
    #[command(after_help = "Examples:\n  wooo demo\n  wooo demo --once")]
    Demo(DemoArgs),
    /// Run the service
    #[command(after_help = "Examples:\n  wooo serve\n  wooo serve --config /etc/wooo/service.yaml --role worker")]
    Serve(ServeArgs),
    /// Make a new fleet repository
    #[command(after_help = "Example:\n  wooo init fleet --url https://git.example.com/platform/fleet.git")]
    Init(InitArgs),
    /// Find an app's framework, port and health path in its source, with the evidence
    #[command(
        after_help = "Examples:\n  wooo detect .\n  wooo detect ../shop --root apps/web --output json\n  wooo detect https://gitlab.com/wooo/event-system.git"
    )]
    Detect(DetectArgs),
    /// Render a spec to standard output or a folder; no Git, no network
    #[command(
        after_help = "Examples:\n  wooo render wooo.yaml --env staging\n  wooo render wooo.yaml --env production --fleet ../fleet -o out\n  wooo render --alertmanager --env production --fleet ../fleet > alertmanager.yml"
    )]
    Render(RenderArgs),
    /// Build a kustomization to standard output, as `kustomize build` does
    #[command(
        after_help = "Examples:\n  wooo build overlays/production\n  wooo build overlays/production -o manifests/ --reorder none"
    )]
    Build(BuildArgs),
    /// Check a whole fleet: settings, specs, templates, overlays, hosts; every problem at once
    #[command(after_help = "Example:\n  wooo validate ../fleet")]
    Validate(CheckArgs),
    /// Render every app again and compare byte by byte with what is committed
    #[command(after_help = "Example:\n  wooo verify --fleet ../fleet --branch wooo/shop/production/deploy-1a2b3c4d")]
    Verify(VerifyArgs),
    /// Show what a branch changes, in words and with its risk
    #[command(
        after_help = "Examples:\n  wooo diff wooo/shop/production/deploy-1a2b3c4d\n  wooo diff wooo/shop/production/deploy-1a2b3c4d --raw"
    )]
    Diff(DiffArgs),
    /// Show who did what, from Git alone
    #[command(
        after_help = "Examples:\n  wooo audit shop --fleet ../fleet --limit 20\n  wooo audit shop --server https://wooo.example.com"
    )]
    Audit(AuditArgs),
    /// Show what runs where, as the fleet says; from a service, also how it is
    #[command(
        after_help = "Examples:\n  wooo status shop --fleet ../fleet\n  wooo status shop --server https://wooo.example.com"
    )]
    Status(StatusArgs),
    /// List the changes of a service, newest first
    #[command(after_help = "Example:\n  wooo changes --app shop --state proposed --server https://wooo.example.com")]
    Changes(ChangesArgs),
    /// Show a change of a service: what it changes, and how far it has come
    #[command(after_help = "Example:\n  wooo change 0195e7a0-7c1e-7000-8000-0123456789ab --wait=merged")]
    Change(ShowChangeArgs),
    /// Merge the merge request of a change
    #[command(after_help = "Example:\n  wooo merge 0195e7a0-7c1e-7000-8000-0123456789ab --wait")]
    Merge(MergeArgs),
    /// Close the merge request of a change: it is not wanted
    #[command(
        after_help = "Example:\n  wooo close 0195e7a0-7c1e-7000-8000-0123456789ab --reason 'not before the sale'"
    )]
    Close(CloseArgs),
    /// Check the parts that wooo works with, and say what to do about what is not as it should be
    #[command(
        after_help = "Examples:\n  wooo doctor --fleet ../fleet\n  wooo doctor --config /etc/wooo/service.yaml\n  wooo doctor --server https://wooo.example.com"
    )]
    Doctor(DoctorArgs),
    /// Build the service's index anew from its fleet repositories
    #[command(after_help = "Example:\n  wooo reindex --config /etc/wooo/service.yaml")]
    Reindex(ReindexArgs),
    /// Print the OpenAPI document of the service
    #[command(after_help = "Example:\n  wooo openapi > openapi.json")]
    Openapi,
    /// Print the JSON Schema of the app spec, of a release file or of fleet.yaml
    #[command(after_help = "Example:\n  wooo schema app > wooo.schema.json")]
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  wooo completions bash > ~/.local/share/bash-completion/completions/wooo")]
    Completions(CompletionsArgs),
    /// Bring an app into an environment
    #[command(
        after_help = "Examples:\n  wooo onboard wooo.yaml --env staging --fleet ../fleet\n  wooo onboard wooo.yaml --env staging --server https://wooo.example.com --wait"
    )]
    Onboard(OnboardArgs),
    /// Run another image
    #[command(
        after_help = "Examples:\n  wooo deploy shop registry.example/shop:1.5.0 --env staging --fleet ../fleet\n  wooo deploy shop registry.example/shop:1.5.0 --env staging --server https://wooo.example.com --wait"
    )]
    Deploy(DeployArgs),
    /// Change fields of an app's spec, in one environment or in all
    #[command(
        after_help = "Examples:\n  wooo configure shop --env staging --set env.TZ=Asia/Taipei --set port=8080\n  wooo configure shop --unset env.DEBUG"
    )]
    Configure(ConfigureArgs),
    /// Go back to the release before, or to an earlier one, and hold the app there
    #[command(
        after_help = "Examples:\n  wooo rollback shop --env production\n  wooo rollback shop --env production --to 1.4.1 --reason 'checkout fails'"
    )]
    Rollback(RollbackArgs),
    /// Replace an app's pods without changing what they run
    #[command(after_help = "Example:\n  wooo restart shop --env production")]
    Restart(AppArgs),
    /// Run another number of pods
    #[command(after_help = "Example:\n  wooo scale shop 4 --env production")]
    Scale(ScaleArgs),
    /// Give an app another plan, or memory and processor time of its own
    #[command(
        after_help = "Examples:\n  wooo resize shop --env production --plan advanced\n  wooo resize shop --env production --memory 1536Mi"
    )]
    Resize(ResizeArgs),
    /// Bring here the release that runs in the environment before this one
    #[command(after_help = "Example:\n  wooo promote shop --env production")]
    Promote(AppArgs),
    /// Pin an app where it is: nothing but `unhold` and `rollback` touches it
    #[command(
        after_help = "Example:\n  wooo hold shop --env production --reason 'sale until Sunday' --until 2026-11-30T00:00:00Z"
    )]
    Hold(HoldArgs),
    /// Lift a hold
    #[command(after_help = "Example:\n  wooo unhold shop --env production")]
    Unhold(AppArgs),
    /// Keep secrets, encrypted for the cluster
    #[command(
        subcommand,
        after_help = "Examples:\n  wooo secret set shop STRIPE_KEY --env production\n  wooo secret generate shop --env production"
    )]
    Secret(SecretVerb),
    /// Render apps again after templates, overlays, settings or specs changed
    #[command(
        after_help = "Examples:\n  wooo rerender --fleet ../fleet --dry-run\n  wooo rerender --app shop --env staging --merge"
    )]
    Rerender(RerenderArgs),
    /// Take an app out of an environment, or out of the fleet
    #[command(after_help = "Example:\n  wooo offboard shop --env staging")]
    Offboard(OffboardArgs),
}

/// Where the fleet is.
#[derive(Args, Clone, Debug)]
pub(super) struct FleetArg {
    /// The fleet repository: a work tree, a bare repository, or an https or ssh URL
    #[arg(long, value_name = "DIR|URL", env = "WOOO_FLEET", hide_env_values = true, default_value = ".")]
    pub(super) fleet: String,
}

/// A service.
#[derive(Args, Clone, Debug)]
pub(super) struct ServerArgs {
    /// Ask this service, by its URL [env: WOOO_SERVER]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// A file with the token for the service [default: the token in WOOO_TOKEN; in GitHub Actions and GitLab CI, one
    /// for the job]
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// The data folder of a service on this machine: its administrator's token is used, and without --server its usual
    /// address
    #[arg(long, value_name = "DIR", conflicts_with = "token_file")]
    pub(super) data: Option<PathBuf>,
    /// Which of the service's fleets, where it has several
    #[arg(long, value_name = "NAME")]
    pub(super) served_fleet: Option<FleetName>,
}

/// Where the fleet is: in a repository at hand, or behind a service.
#[derive(Args, Clone, Debug)]
pub(super) struct TargetArgs {
    /// The fleet repository: a work tree, a bare repository, or an https or ssh URL [env: WOOO_FLEET] [default: .]
    #[arg(long, value_name = "DIR|URL", conflicts_with_all = ["server", "token_file", "data", "served_fleet"])]
    pub(super) fleet: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(super) enum WaitFor {
    /// The cluster runs it and is healthy
    Healthy,
    /// It is on the synced branch
    Merged,
    /// It has a merge request
    Proposed,
    /// As far as it comes without a person: healthy where wooo merges, a merge request where a person does
    Unattended,
}

/// Whether to wait, and how long.
#[derive(Args, Clone, Debug)]
pub(super) struct WaitArgs {
    /// Follow the change on the service until it is there; the exit code is 0 only then, and 3 if the time is over first
    #[arg(long, value_enum, value_name = "FOR", num_args = 0..=1, require_equals = true, default_missing_value = "healthy")]
    pub(super) wait: Option<WaitFor>,
    /// How long to wait, for example 90s or 20m
    #[arg(long, value_name = "TIME", default_value = "20m", requires = "wait")]
    pub(super) timeout: SignedDuration,
    /// Write what a service makes of it into this folder: wooo.md for people, wooo.env for the jobs after this one
    #[arg(long, value_name = "DIR")]
    pub(super) report: Option<PathBuf>,
}

/// Who asks whom, why, and how far to go.
#[derive(Args, Clone, Debug)]
pub(super) struct IntentArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Who asks; recorded in the commit. A service knows it by the token [default: local: and your Git user name]
    #[arg(long, value_name = "WHO", env = "WOOO_ACTOR", hide_env_values = true)]
    pub(super) actor: Option<String>,
    /// Why; recorded in the commit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Fast-forward the synced branch to the change at once; with a service, merge its merge request
    #[arg(long)]
    pub(super) merge: bool,
    /// Show what would change and write nothing
    #[arg(long, conflicts_with_all = ["merge", "wait"])]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// Who asks, why, and how far to go.
#[derive(Args, Clone, Debug)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    pub(super) fleet: FleetArg,
    /// Who asks; recorded in the commit [default: local: and your Git user name]
    #[arg(long, value_name = "WHO", env = "WOOO_ACTOR", hide_env_values = true)]
    pub(super) actor: Option<String>,
    /// Why; recorded in the commit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Fast-forward the synced branch to the change at once
    #[arg(long)]
    pub(super) merge: bool,
    /// Show what would change and write nothing
    #[arg(long, conflicts_with = "merge")]
    pub(super) dry_run: bool,
}

/// An app in an environment.
#[derive(Args, Clone, Debug)]
pub(super) struct AppArgs {
    /// The app's name
    pub(super) app: AppName,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: EnvironmentName,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// End after the last step, with exit code 0 only if every step was seen
    #[arg(long)]
    pub(super) once: bool,
    /// Keep everything in this folder, instead of in a temporary one
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// The settings [default: embedded parts in one data folder]
    #[arg(long, value_name = "FILE", env = "WOOO_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "WOOO_LISTEN", hide_env_values = true)]
    pub(super) listen: Option<std::net::SocketAddr>,
    /// The folder for everything that the service keeps [default: wooo-data]
    #[arg(long, value_name = "DIR", env = "WOOO_DATA", hide_env_values = true)]
    pub(super) data: Option<PathBuf>,
    /// The database: a path or a PostgreSQL URL [default: wooo.db in the data folder]
    #[arg(long, value_name = "PATH|URL", env = "WOOO_DATABASE", hide_env_values = true)]
    pub(super) database: Option<String>,
    /// What this process does: all of it, only the web server, or only the workers
    #[arg(long, value_enum, default_value_t = Role::All, env = "WOOO_ROLE", hide_env_values = true)]
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Role {
    All,
    Web,
    Worker,
}

#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// The folder of the new repository
    pub(super) dir: PathBuf,
    /// The URL under which Argo CD or Flux finds it
    #[arg(long, default_value = "https://git.example.com/platform/fleet.git")]
    pub(super) url: String,
    /// The branch that is synced
    #[arg(long, default_value = "main")]
    pub(super) branch: BranchName,
    /// Make a repository without a work tree
    #[arg(long)]
    pub(super) bare: bool,
    /// The controller that syncs
    #[arg(long, value_parser = word::<Delivery>, default_value = "flux")]
    pub(super) delivery: Delivery,
    /// Whose Kubernetes it is: k3s, eks, gke or aks
    #[arg(long, value_parser = word::<Provider>, default_value = "k3s")]
    pub(super) provider: Provider,
    /// How secrets reach the clusters: sealed-secrets, sops or external-secrets
    #[arg(long, value_parser = word::<SecretBackend>, default_value = "sealed-secrets")]
    pub(super) secrets: SecretBackend,
    /// Where Alertmanager sends every alert: wooo's own endpoint
    #[arg(long, value_name = "URL")]
    pub(super) alert_webhook: Option<String>,
    /// Who asks; recorded in the commit
    #[arg(long, value_name = "WHO", env = "WOOO_ACTOR", hide_env_values = true)]
    pub(super) actor: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct DetectArgs {
    /// The app's source: a folder, or an https or ssh URL
    #[arg(value_name = "PATH|URL", default_value = ".")]
    pub(super) source: String,
    /// The app's folder within it
    #[arg(long, default_value = "")]
    pub(super) root: String,
    /// Take the framework as given and find the rest
    #[arg(long, value_parser = word::<Framework>)]
    pub(super) framework: Option<Framework>,
}

#[derive(Args, Debug)]
pub(super) struct RenderArgs {
    /// The app spec [default: with --alertmanager, every app of the fleet]
    #[arg(required_unless_present = "alertmanager")]
    pub(super) spec: Option<PathBuf>,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: EnvironmentName,
    /// A fleet with settings, templates and overlays [default: those of a new fleet]
    #[arg(long, value_name = "DIR", env = "WOOO_FLEET", hide_env_values = true)]
    pub(super) fleet: Option<PathBuf>,
    /// Write one file per object into this folder
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Print the routing of alerts instead, as the configuration of an Alertmanager without an operator
    #[arg(long, conflicts_with = "out")]
    pub(super) alertmanager: bool,
    /// The folder in which that Alertmanager finds its secrets, one folder for each Secret
    #[arg(long, value_name = "PATH", default_value = "/etc/alertmanager/secrets", requires = "alertmanager")]
    pub(super) secrets_dir: String,
}

#[derive(Args, Debug)]
pub(super) struct BuildArgs {
    /// The folder with the kustomization
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,
    /// Write the objects into this file, or into this folder, one file for each
    #[arg(short = 'o', long = "out", value_name = "PATH")]
    pub(super) out: Option<PathBuf>,
    /// The order of the objects [default: that of the kustomization's `sortOptions`, else legacy]
    #[arg(long, value_name = "ORDER")]
    pub(super) reorder: Option<Reorder>,
    /// Which files a kustomization may name
    #[arg(long, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    pub(super) load_restrictor: LoadRestrictor,
    /// Put the label `app.kubernetes.io/managed-by` on every object
    #[arg(long)]
    pub(super) enable_managedby_label: bool,
}

/// Kustomize's words for the order of objects.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reorder {
    /// As they come
    None,
    /// What others depend on first, webhooks last
    Legacy,
}

/// Kustomize's words for what a kustomization may read.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LoadRestrictor {
    /// Files in the kustomization's own folder or below
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// Any file
    #[value(name = "LoadRestrictionsNone")]
    None,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The fleet: a folder, or a bare repository
    #[arg(value_name = "DIR", env = "WOOO_FLEET", hide_env_values = true, default_value = ".")]
    pub(super) fleet: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) fleet: FleetArg,
    /// The branch or full commit id to verify [default: the synced branch]
    #[arg(long, value_name = "REV")]
    pub(super) branch: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The branch or full commit id with the change
    pub(super) rev: String,
    /// What to compare with [default: the synced branch]
    #[arg(long, value_name = "REV")]
    pub(super) against: Option<String>,
    /// Show the manifests line by line as well
    #[arg(long)]
    pub(super) raw: bool,
    #[command(flatten)]
    pub(super) fleet: FleetArg,
}

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// Only what touched this app
    pub(super) app: Option<AppName>,
    /// How many acts to show
    #[arg(long, default_value_t = 50)]
    pub(super) limit: usize,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Only these apps
    pub(super) apps: Vec<AppName>,
    /// Only this environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Vec<EnvironmentName>,
    /// Write what a service says into this folder: wooo.md for people, wooo.env for the jobs after this one
    #[arg(long, value_name = "DIR")]
    pub(super) report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

#[derive(Args, Debug)]
pub(super) struct ChangesArgs {
    /// Only of this app
    #[arg(long, value_name = "APP")]
    pub(super) app: Option<AppName>,
    /// Only in this environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Option<EnvironmentName>,
    /// Only in this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_parser = word::<ChangeState>)]
    pub(super) states: Vec<ChangeState>,
    /// How many to show
    #[arg(long, default_value_t = 50)]
    pub(super) limit: usize,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Args, Debug)]
pub(super) struct ShowChangeArgs {
    /// The change
    pub(super) id: ChangeId,
    /// Show the manifests line by line as well
    #[arg(long)]
    pub(super) raw: bool,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// The change
    pub(super) id: ChangeId,
    /// Only if this commit is what would be merged [default: what is there now]
    #[arg(long, value_name = "COMMIT")]
    pub(super) head: Option<CommitId>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Args, Debug)]
pub(super) struct CloseArgs {
    /// The change
    pub(super) id: ChangeId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// The settings of a service: its data, its database, its fleets, its clusters [env: WOOO_CONFIG]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fleet", "server", "token_file", "data", "served_fleet"])]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

#[derive(Args, Debug)]
pub(super) struct ReindexArgs {
    /// The settings of the service [default: those of a service without settings]
    #[arg(long, value_name = "FILE", env = "WOOO_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
    /// The folder of what the service keeps [default: wooo-data]
    #[arg(long, value_name = "DIR", env = "WOOO_DATA", hide_env_values = true)]
    pub(super) data: Option<PathBuf>,
    /// The database: a path or a PostgreSQL URL [default: wooo.db in the data folder]
    #[arg(long, value_name = "PATH|URL", env = "WOOO_DATABASE", hide_env_values = true)]
    pub(super) database: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Which schema
    #[arg(value_enum)]
    pub(super) what: Schema,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Schema {
    /// wooo.yaml, and app.yaml in the fleet
    App,
    /// The release file of an app in an environment
    Release,
    /// fleet.yaml
    Fleet,
}

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(super) struct OnboardArgs {
    /// The app spec; may be left out if options set its fields
    #[arg(required_unless_present_any = ["set", "set_text"])]
    pub(super) spec: Option<PathBuf>,
    /// Set a field of the spec; `env.NAME` is a variable, everything else is YAML
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(super) set: Vec<String>,
    /// Set a field of the spec to a text, whatever it looks like
    #[arg(long, value_name = "FIELD=TEXT")]
    pub(super) set_text: Vec<String>,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: EnvironmentName,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

#[derive(Args, Debug)]
pub(super) struct DeployArgs {
    /// The app's name
    pub(super) app: AppName,
    /// The image, with a tag or a digest
    pub(super) image: ImageRef,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: EnvironmentName,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

#[derive(Args, Debug)]
pub(super) struct ConfigureArgs {
    /// The app's name
    pub(super) app: AppName,
    /// Only in this environment [default: in the shared spec]
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Option<EnvironmentName>,
    /// Set a field; `env.NAME` is a variable, everything else is YAML
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(super) set: Vec<String>,
    /// Remove a field
    #[arg(long, value_name = "FIELD")]
    pub(super) unset: Vec<String>,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

#[derive(Args, Debug)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    pub(super) app: AppArgs,
    /// The release to go to: a commit of the app's history, or an image tag [default: the release before]
    #[arg(long, value_name = "RELEASE")]
    pub(super) to: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ScaleArgs {
    /// The app's name
    pub(super) app: AppName,
    /// How many pods
    pub(super) replicas: Replicas,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: EnvironmentName,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

#[derive(Args, Debug)]
pub(super) struct ResizeArgs {
    #[command(flatten)]
    pub(super) app: AppArgs,
    /// Another plan
    #[arg(long, conflicts_with_all = ["memory", "cpu"])]
    pub(super) plan: Option<PlanName>,
    /// The memory limit, for example 768Mi; the request keeps its proportion
    #[arg(long)]
    pub(super) memory: Option<Memory>,
    /// The processor limit, for example 750m; the request keeps its proportion
    #[arg(long)]
    pub(super) cpu: Option<Cpu>,
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum SecretVerb {
    /// Encrypt a value and commit the ciphertext; the value comes from standard input, or from a prompt
    #[command(
        after_help = "Examples:\n  wooo secret set shop STRIPE_KEY --env production\n  pass show stripe | wooo secret set shop STRIPE_KEY --env production --merge"
    )]
    Set(SecretSetArgs),
    /// Make the passwords that an app's add-ons lack, for example after add-ons were written into its spec by hand
    #[command(after_help = "Example:\n  wooo secret generate shop --env production --merge")]
    Generate(SecretGenerateArgs),
}

#[derive(Args, Debug)]
pub(super) struct SecretGenerateArgs {
    /// The app's name
    pub(super) app: AppName,
    /// The environment [default: every one that the app is in]
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Option<EnvironmentName>,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(super) struct SecretSetArgs {
    /// The app's name
    pub(super) app: AppName,
    /// The variable
    pub(super) name: VariableName,
    /// The environment [default: every one that the app is in]
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Option<EnvironmentName>,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(super) struct HoldArgs {
    #[command(flatten)]
    pub(super) app: AppArgs,
    /// Until when, for example 2026-11-30T00:00:00Z [default: until someone lifts it]
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Timestamp>,
}

#[derive(Args, Debug)]
pub(super) struct RerenderArgs {
    /// Only this app; may be given several times
    #[arg(long = "app", value_name = "APP")]
    pub(super) apps: Vec<AppName>,
    /// Only this environment; may be given several times
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environments: Vec<EnvironmentName>,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(super) struct OffboardArgs {
    /// The app's name
    pub(super) app: AppName,
    /// Only out of this environment [default: out of all]
    #[arg(long = "env", value_name = "ENV")]
    pub(super) environment: Option<EnvironmentName>,
    #[command(flatten)]
    pub(super) change: IntentArgs,
}

/// A word of one of the domain's closed lists; the error names them all.
fn word<T>(text: &str) -> Result<T, String>
where
    T: std::str::FromStr + strum::IntoEnumIterator + std::fmt::Display,
{
    text.parse().map_err(|_| {
        let known: Vec<String> = T::iter().map(|word| word.to_string()).collect();
        format!("`{text}` is not one of {}", known.join(", "))
    })
}
