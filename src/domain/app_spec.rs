//! The app spec: the short file in which an app's owner says what they want.

use std::borrow::Cow;
use std::str::FromStr;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::addons::{Addon, AddonKind};
use super::alerts::{Alerts, Language, Metrics};
use super::credential;
use super::document::Document;
use super::names::InvalidName;
use super::numbers::{Percent, ranged};
use super::problem::{Problem, Problems};
use super::{AppName, Framework, HostName, ImageRef, PlanName, UrlPath, VariableName, WorkerName};
use crate::yaml::Step;

/// What an app's owner wants, the same file as `wooo.yaml` in the app's repository and `apps/<app>/app.yaml` in the
/// fleet. A useful minimum is `name` and `domain`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// The app's name: a DNS label. Its namespace is `app-<name>`.
    pub name: AppName,
    /// The name for people, in any language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub display_name: Option<String>,
    /// The public host name. An app without one gets no Ingress, HTTPRoute or Certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<HostName>,
    /// Where the app's code comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<SourceType>,
    /// The URL of the app's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub source_url: Option<String>,
    /// What it is built with; detected from the source if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// The resource size: `basic`, `standard`, `advanced`, `professional`, or one of the fleet's own.
    #[serde(default = "standard_plan")]
    pub plan: PlanName,
    /// The image to run. An environment may run another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The port that the container listens on; the framework's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// How many pods run. Not together with `autoscale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// Let the number of pods follow the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// Variables of the container, taken as text exactly as written.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<VariableName, EnvValue>,
    /// Names of variables whose values are kept encrypted for the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<VariableName>,
    /// Backing services that run beside the app.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub addons: IndexMap<AddonKind, Addon>,
    /// Processes beside the web server, from the same image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Worker>,
    /// The command of the container, instead of the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The path that probes ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<UrlPath>,
    /// The path with Prometheus metrics; absent means that there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_path: Option<UrlPath>,
    /// What the app may reach outside its namespace. Everything else is closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<Egress>,
    /// Who owns the app, as `<forge>:<person or group>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
    /// Where messages about the app go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notification_channels: Vec<Channel>,
    /// Thresholds of the app's alerts.
    #[serde(default, skip_serializing_if = "Alerts::is_default")]
    pub alerts: Alerts,
    /// The metrics of the app's requests, if they are not those of its framework's usual exporter.
    #[serde(default, skip_serializing_if = "Metrics::is_default")]
    pub metrics: Metrics,
    /// The language of alerts and dashboards; the fleet's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What automation may do about an alert.
    #[serde(default, skip_serializing_if = "AutoRepair::is_default")]
    pub auto_repair: AutoRepair,
}

fn standard_plan() -> PlanName {
    PlanName::standard()
}

/// Where an app's code comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceType {
    /// A Git repository.
    Git,
    /// A container image that is built elsewhere.
    Docker,
    /// An uploaded archive.
    Upload,
}

ranged! {
    /// A TCP port.
    Port(u16), "port", 1..=65535
}
ranged! {
    /// A number of pods. The installation's policy may allow fewer.
    Replicas(u16), "replicas", 0..=1000
}

/// Bounds within which the number of pods follows the load.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    /// Fewest pods, at least 1.
    pub min: Replicas,
    /// Most pods.
    pub max: Replicas,
    /// The average use of the requested processor time to hold, in percent.
    #[serde(default = "seventy_percent")]
    pub cpu_percent: Percent,
}

const fn seventy_percent() -> Percent {
    Percent::SEVENTY
}

/// The value of a variable: any text without NUL, at most 32 KiB, that is not a secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvValue(String);

impl JsonSchema for EnvValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EnvValue".into()
    }

    /// In YAML `no` and `08` need no quotes to be taken as text here, and an editor must not say that they do.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"], "maxLength": 32768})
    }
}

impl EnvValue {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvValue {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.contains('\0') || text.len() > 32 * 1024 {
            return Err(InvalidName::new("a variable's value has at most 32768 bytes and no NUL"));
        }
        if let Some(kind) = credential::kind_of(text) {
            // The value is not repeated: this message goes to logs and comments.
            return Err(InvalidName::new(format!(
                "this value looks like {kind}; name the variable under `secrets:` and store its value encrypted"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EnvValue {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<EnvValue> for String {
    fn from(value: EnvValue) -> Self {
        value.0
    }
}

/// A process beside the web server.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Its name; the Deployment is `<app>-<name>`.
    pub name: WorkerName,
    /// The command with its arguments.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// How many pods run it.
    #[serde(default = "one_replica")]
    pub replicas: Replicas,
}

const fn one_replica() -> Replicas {
    Replicas(1)
}

/// Something outside the namespace that the app may reach over TCP.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// A host name. A NetworkPolicy knows addresses only, so the port is opened to every public address and the name
    /// is kept as an annotation.
    pub host: HostName,
    /// The port there.
    pub port: Port,
}

/// A person or group on a forge.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(github|gitlab|gitea|local):[-_./A-Za-z0-9]{1,200}$"))]
pub struct Owner(String);

impl Owner {
    /// `<forge>:<person or group>`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Owner {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let fits = text.split_once(':').is_some_and(|(forge, name)| {
            matches!(forge, "github" | "gitlab" | "gitea" | "local")
                && !name.is_empty()
                && name.len() <= 200
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/'))
        });
        if fits {
            return Ok(Self(text));
        }
        Err(InvalidName::new(
            "an owner is a forge (github, gitlab, gitea, local) and a name, for example `github:alice`",
        ))
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.0
    }
}

/// Where messages go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Telegram.
    Telegram,
    /// E-mail.
    Email,
    /// LINE, through its Messaging API.
    Line,
    /// Slack.
    Slack,
    /// Any HTTP endpoint.
    Webhook,
}

/// How far automation may go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    Off,
    /// Only say what it would do.
    Shadow,
    /// Open a merge request for a person to merge.
    Propose,
    /// Merge by itself when every check is green.
    Auto,
}

/// What automation may do about an alert, per action. An action that is not named follows the fleet's policy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AutoRepair {
    /// Restart the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Mode>,
    /// Raise the memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_memory: Option<Mode>,
    /// Raise the memory after the kernel killed a process for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_handler: Option<Mode>,
    /// Go back to the last release that was healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Mode>,
    /// Clean up what the spec allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Mode>,
}

impl AutoRepair {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl AppSpec {
    /// Reads a spec and checks what no type can.
    ///
    /// # Errors
    /// Every problem of a spec that could be read, or the one that made it unreadable.
    pub fn parse(document: &Document<'_>) -> Result<Self, Problems> {
        let spec: Self = document.read()?;
        let problems = spec.faults().into_iter().map(|(problem, path)| document.place(problem, &path)).collect();
        Problems::check(problems)?;
        Ok(spec)
    }

    /// What is wrong across fields, with the path of the field that would be changed.
    fn faults(&self) -> Vec<(Problem, Vec<Step<'static>>)> {
        let mut faults = Vec::new();
        let mut fault =
            |code, detail: String, path: Vec<Step<'static>>| faults.push((Problem::new(code, detail), path));
        if self.replicas.is_some() && self.autoscale.is_some() {
            let detail = "`replicas` and `autoscale` exclude each other: keep one".to_owned();
            fault("spec.conflict", detail, vec![Step::Key("replicas")]);
        }
        if let Some(scale) = self.autoscale
            && (scale.min.get() == 0 || scale.min > scale.max)
        {
            let detail = format!("autoscale needs 1 <= min <= max, got min {} and max {}", scale.min, scale.max);
            fault("spec.range", detail, vec![Step::Key("autoscale")]);
        }
        for (index, worker) in self.workers.iter().enumerate() {
            let path = |field| vec![Step::Key("workers"), Step::Index(index), Step::Key(field)];
            if self.workers[..index].iter().any(|other| other.name == worker.name) {
                fault("spec.duplicate", format!("there are two workers named `{}`", worker.name), path("name"));
            }
            if worker.command.iter().all(|word| word.trim().is_empty()) {
                fault("spec.value", format!("worker `{}` has no command", worker.name), path("command"));
            }
        }
        for (kind, addon) in &self.addons {
            let path = |field| vec![Step::Key("addons"), Step::Key(kind.key()), Step::Key(field)];
            if addon.memory.is_some_and(|memory| memory.bytes() < 64 << 20) {
                fault("spec.range", format!("the add-on {kind} needs at least 64Mi of memory"), path("memory"));
            }
            for (index, worker) in self.workers.iter().enumerate() {
                if worker.name.as_str() == kind.key() {
                    let detail =
                        format!("worker and add-on are both called `{kind}`: their alerts could not be told apart");
                    fault("spec.conflict", detail, vec![Step::Key("workers"), Step::Index(index), Step::Key("name")]);
                }
            }
        }
        for (index, secret) in self.secrets.iter().enumerate() {
            if self.env.contains_key(secret) || self.secrets[..index].contains(secret) {
                let detail = format!("the variable `{secret}` is given twice");
                fault("spec.duplicate", detail, vec![Step::Key("secrets"), Step::Index(index)]);
            }
        }
        if self.env.len() > 500 {
            let detail = format!("{} variables; at most 500 are possible", self.env.len());
            fault("spec.too_large", detail, vec![Step::Key("env")]);
        }
        if let Some(name) = &self.display_name
            && (name.chars().count() > 200 || name.chars().any(char::is_control))
        {
            let detail = "a display name has at most 200 characters and no control characters".to_owned();
            fault("spec.value", detail, vec![Step::Key("display_name")]);
        }
        faults
    }

    /// The name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        self.display_name.as_deref().unwrap_or(self.name.as_str())
    }

    /// The port that the container listens on, if the spec or its framework says one.
    #[must_use]
    pub fn own_port(&self) -> Option<Port> {
        self.port.or_else(|| self.framework.map(|framework| Port(framework.default_port())))
    }

    /// The path that probes ask for, if the spec or its framework says one.
    #[must_use]
    pub fn own_health_path(&self) -> Option<UrlPath> {
        self.health_path.clone().or_else(|| self.framework?.default_health_path().parse().ok())
    }

    /// How many pods run at least.
    #[must_use]
    pub fn min_replicas(&self) -> u16 {
        self.autoscale.map_or_else(|| self.replicas.map_or(1, Replicas::get), |scale| scale.min.get())
    }

    /// How many pods run at most, rollouts aside.
    #[must_use]
    pub fn max_replicas(&self) -> u16 {
        self.autoscale.map_or_else(|| self.replicas.map_or(1, Replicas::get), |scale| scale.max.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AppSpec, Problems> {
        AppSpec::parse(&Document { file: "wooo.yaml", text })
    }

    fn problem(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn two_lines_are_enough() {
        let spec = parse("name: shop\ndomain: shop.example.com\n").unwrap();
        assert_eq!(
            (spec.plan.as_str(), spec.name.namespace().as_str(), spec.max_replicas()),
            ("standard", "app-shop", 1)
        );
    }

    #[test]
    fn variables_are_taken_as_text_exactly_as_written() {
        let text =
            "name: a\nenv: {A: no, B: 08, C: 1e3, D: 0x1f, E: '{{ 7*7 }}', F: \"x\\ny\", G: yes, H: 1_000, I: ''}\n";
        let spec = parse(text).unwrap();
        let values: Vec<_> = spec.env.values().map(EnvValue::as_str).collect();
        assert_eq!(values, ["no", "08", "1e3", "0x1f", "{{ 7*7 }}", "x\ny", "yes", "1_000", ""]);
    }

    #[test]
    fn each_bad_value_has_its_own_message_and_place() {
        for (text, expected) in [
            (
                "name: Foo_Bar\n",
                "wooo.yaml:1:7: an app's name has lower-case letters, digits and `-`, starts with a letter and does not end with `-`, for example `foo-bar` [spec.value]",
            ),
            ("name: a\nreplcias: 2\n", "wooo.yaml:2:1: unknown field `replcias` [spec.unknown_field]"),
            ("name: a\nport: 70000\n", "wooo.yaml:2:7: port 70000 is out of range: 1 to 65535 [spec.value]"),
            (
                "name: a\nimage: shop\n",
                "wooo.yaml:2:8: image `shop`: has no tag; add the one to run, for example `:1.4.2`, or a digest [spec.value]",
            ),
            ("name: a\nreplicas: -1\n", "wooo.yaml:2:11: replicas -1 is out of range: 0 to 1000 [spec.value]"),
            (
                "name: a\nreplicas: 2\nautoscale: {min: 1, max: 2}\n",
                "wooo.yaml:2:11: `replicas` and `autoscale` exclude each other: keep one [spec.conflict]",
            ),
            (
                "name: a\nautoscale: {min: 3, max: 2}\n",
                "wooo.yaml:2:12: autoscale needs 1 <= min <= max, got min 3 and max 2 [spec.range]",
            ),
            (
                "name: a\nframework: flaks\n",
                "wooo.yaml:2:12: `flaks` is not one of flask, django, fastapi, nodejs, nextjs, static, go [spec.value]",
            ),
            ("domain: a.b\n", "the field `name` is missing [spec.missing_field]"),
            ("name: a\nname: b\n", "wooo.yaml:2:1: the key `name` stands here twice [spec.syntax]"),
            ("name: a\nsecrets: [X, X]\n", "wooo.yaml:2:14: the variable `X` is given twice [spec.duplicate]"),
        ] {
            assert!(problem(text).ends_with(expected), "{text}: {}", problem(text));
        }
    }

    #[test]
    fn a_plain_secret_is_refused_without_being_repeated() {
        let key = format!("AKIA{}", "ABCDEFGHIJ234567");
        let message = problem(&format!("name: a\nenv: {{KEY: {key}}}\n"));
        assert!(message.contains("looks like an AWS access key") && !message.contains(&key), "{message}");
    }
}
