//! The release state of an app in one environment, and the app that results from it and the shared spec.

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::addons::Addon;
use super::alerts::{Alerts, Metrics};
use super::app_spec::{AppSpec, AutoRepair, Autoscale, Egress, EnvValue, Port, Replicas, Worker};
use super::document::Document;
use super::problem::{Problem, Problems};
use super::secrets::Secrets;
use super::{Cpu, HostName, ImageRef, Memory, PlanName, UrlPath, VariableName};
use crate::yaml::Step;

/// `apps/<app>/<env>.yaml`: what differs from the shared spec in one environment. That the file exists means that the
/// app is there.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The image that runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// How many pods run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Let the number of pods follow the load here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// The container's resources here, instead of the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The host name here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<HostName>,
    /// The plan here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanName>,
    /// Variables that differ here; `null` takes one away.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<VariableName, Option<EnvValue>>,
    /// The secrets here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<VariableName>>,
    /// The port here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// The command here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The path that probes ask for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<UrlPath>,
    /// The path with metrics here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_path: Option<UrlPath>,
    /// The workers here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<Worker>>,
    /// What the app may reach here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Vec<Egress>>,
    /// When the pods were last told to restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub restarted_at: Option<Timestamp>,
    /// A pin: nothing but `unhold` and `rollback` touches the app here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// Requests and limits of a container.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What the scheduler sets aside.
    pub requests: ResourceAmounts,
    /// What the container cannot exceed.
    pub limits: ResourceAmounts,
}

/// An amount of each resource.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceAmounts {
    /// Memory, for example `512Mi`.
    pub memory: Memory,
    /// Processor time, for example `500m`.
    pub cpu: Cpu,
}

/// A pin on an app in an environment.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// Who put it there.
    #[schemars(length(min = 1, max = 200))]
    pub actor: String,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// Until when it counts; without it, until someone lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Release {
    /// Reads a release file and checks what no type can.
    ///
    /// # Errors
    /// Every problem of a file that could be read, or the one that made it unreadable.
    pub fn parse(document: &Document<'_>) -> Result<Self, Problems> {
        if document.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            // An empty file says that the app is here, as its shared spec describes it.
            return Ok(Self::default());
        }
        let release: Self = document.read()?;
        let mut problems = Vec::new();
        if let Some(Resources { requests, limits }) = release.resources
            && (limits.memory < requests.memory || limits.cpu < requests.cpu)
        {
            let detail = format!(
                "limits ({}, {}) are below requests ({}, {})",
                limits.memory, limits.cpu, requests.memory, requests.cpu
            );
            problems.push(
                document.place(Problem::new("spec.quantity", detail), &[Step::Key("resources"), Step::Key("limits")]),
            );
        }
        if release.replicas.is_some() && release.autoscale.is_some() {
            let detail = "`replicas` and `autoscale` exclude each other: keep one";
            problems.push(document.place(Problem::new("spec.conflict", detail), &[Step::Key("replicas")]));
        }
        Problems::check(problems)?;
        Ok(release)
    }
}

/// An app as it runs in one environment: the shared spec with the environment's differences applied.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct App {
    /// The spec, of this environment.
    pub spec: AppSpec,
    /// The container's resources, if they are not the plan's.
    pub resources: Option<Resources>,
    /// When the pods were last told to restart.
    pub restarted_at: Option<Timestamp>,
    /// The pin, active or not.
    pub hold: Option<Hold>,
    /// Whether the host name was chosen for this environment, and is not the shared one.
    pub own_domain: bool,
    /// The encrypted values of its secrets here.
    pub secrets: Secrets,
}

impl App {
    /// `spec` with what `release` says differently.
    #[must_use]
    pub fn resolve(spec: &AppSpec, release: &Release) -> Self {
        let mut spec = spec.clone();
        // Each of the two says how many pods run, so one that is given here replaces either.
        if release.replicas.is_some() || release.autoscale.is_some() {
            (spec.replicas, spec.autoscale) = (release.replicas, release.autoscale);
        }
        overlay(&mut spec.image, &release.image);
        overlay(&mut spec.domain, &release.domain);
        overlay(&mut spec.port, &release.port);
        overlay(&mut spec.health_path, &release.health_path);
        overlay(&mut spec.metrics_path, &release.metrics_path);
        replace(&mut spec.plan, &release.plan);
        replace(&mut spec.secrets, &release.secrets);
        replace(&mut spec.command, &release.command);
        replace(&mut spec.workers, &release.workers);
        replace(&mut spec.egress, &release.egress);
        for (name, value) in &release.env {
            match value {
                Some(value) => {
                    spec.env.insert(name.clone(), value.clone());
                }
                None => {
                    spec.env.shift_remove(name);
                }
            }
        }
        Self {
            spec,
            resources: release.resources,
            restarted_at: release.restarted_at,
            hold: release.hold.clone(),
            own_domain: release.domain.is_some(),
            secrets: Secrets::default(),
        }
    }

    /// The same app with its encrypted values.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Whether both run the same thing: the same image, configuration, commands and routes. How much of it runs, and
    /// whether it is held, is not part of a release.
    #[must_use]
    pub fn same_release(&self, other: &Self) -> bool {
        let essence = |app: &Self| {
            let mut spec = app.spec.clone();
            spec.replicas = None;
            spec.autoscale = None;
            spec.plan = PlanName::standard();
            (spec.port, spec.health_path) = (spec.own_port(), spec.own_health_path());
            // How large an add-on is, is capacity as well.
            spec.addons.values_mut().for_each(|addon| *addon = Addon::default());
            // What people and alerts are told does not run.
            spec.display_name = None;
            (spec.source_type, spec.source_url) = (None, None);
            spec.owners.clear();
            spec.notification_channels.clear();
            spec.alerts = Alerts::default();
            spec.metrics = Metrics::default();
            spec.language = None;
            spec.auto_repair = AutoRepair::default();
            spec
        };
        essence(self) == essence(other) && self.own_domain == other.own_domain
    }
}

fn overlay<T: Clone>(target: &mut Option<T>, source: &Option<T>) {
    if source.is_some() {
        target.clone_from(source);
    }
}

fn replace<T: Clone>(target: &mut T, source: &Option<T>) {
    if let Some(source) = source {
        target.clone_from(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_overrides_and_removes() {
        let spec = AppSpec::parse(&Document {
            file: "app.yaml",
            text: "name: a\nimage: x/a:1\nautoscale: {min: 2, max: 4}\nenv: {A: '1', B: '2'}\n",
        })
        .unwrap();
        let release =
            Release::parse(&Document { file: "p.yaml", text: "image: x/a:2\nreplicas: 3\nenv: {A: null, C: '3'}\n" })
                .unwrap();
        let app = App::resolve(&spec, &release);
        assert_eq!(app.spec.image.as_ref().unwrap().tag(), Some("2"));
        assert_eq!((app.spec.max_replicas(), app.spec.autoscale), (3, None));
        assert_eq!(app.spec.env.keys().map(VariableName::as_str).collect::<Vec<_>>(), ["B", "C"]);
    }

    #[test]
    fn capacity_is_not_part_of_a_release() {
        let spec = AppSpec::parse(&Document { file: "app.yaml", text: "name: a\nimage: x/a:1\n" }).unwrap();
        let app = |text| App::resolve(&spec, &Release::parse(&Document { file: "p.yaml", text }).unwrap());
        assert!(app("replicas: 3\n").same_release(&app("")));
        assert!(!app("image: x/a:2\n").same_release(&app("")));
        assert!(!app("env: {A: b}\n").same_release(&app("")));
    }

    #[test]
    fn limits_below_requests_are_refused() {
        let text = "resources: {requests: {memory: 2Gi, cpu: 1}, limits: {memory: 1Gi, cpu: 1}}\n";
        let problems = Release::parse(&Document { file: "p.yaml", text }).unwrap_err();
        assert_eq!(problems.to_string(), "p.yaml:1:54: limits (1Gi, 1) are below requests (2Gi, 1) [spec.quantity]");
    }
}
