//! What templates see of how an app is watched: the pods that count as its own, what may be asked of them, and whom an
//! alert reaches.

use serde::Serialize;

use super::context::Subject;
use super::digest;
use crate::domain::alerts::{Days, Language, Milliseconds, RequestMetrics};
use crate::domain::app_spec::Channel;
use crate::domain::fleet::Environment;
use crate::domain::monitoring::Channels;
use crate::domain::{EnvironmentName, Percent};

/// The `watch` of a template's context.
#[derive(Serialize)]
pub(super) struct WatchView<'a> {
    language: Language,
    title: String,
    containers: String,
    deployments: String,
    metrics: Option<RequestMetrics>,
    probe_url: Option<String>,
    read_from_inside: bool,
    certificate: bool,
    limits: Limits,
    channels: Channels,
    dashboard_uid: String,
    environment_query: String,
    environments: Vec<Choice<'a>>,
}

/// The thresholds of alerts, with the defaults where the spec says nothing.
#[derive(Serialize)]
struct Limits {
    memory_percent: u8,
    error_percent: u8,
    latency_ms: u32,
    throttled_percent: u8,
    volume_days: u16,
    certificate_days: u16,
}

/// An environment as a choice on a dashboard, whose queries want the namespace.
#[derive(Serialize)]
struct Choice<'a> {
    text: &'a EnvironmentName,
    value: String,
    selected: bool,
}

impl<'a> WatchView<'a> {
    /// The view of one app in one environment.
    pub(super) fn new(subject: &Subject<'a>) -> Self {
        let spec = &subject.app.spec;
        let workers = || spec.workers.iter().map(|worker| worker.name.as_str());
        let deployments = workers().map(|worker| format!("{}-{worker}", spec.name));
        let choice = |(name, environment): (&'a EnvironmentName, &Environment)| Choice {
            text: name,
            value: environment.namespace_of(&spec.name),
            selected: name == subject.environment_name,
        };
        let environments: Vec<Choice<'_>> = subject.settings.environments.iter().map(choice).collect();
        let alerts = spec.alerts;
        let percent = |own: Option<Percent>, usual| own.map_or(usual, Percent::get);
        let days = |own: Option<Days>, usual| own.map_or(usual, Days::get);
        Self {
            language: spec.language.unwrap_or(subject.settings.language),
            title: go_literal(spec.title()),
            containers: alternatives(std::iter::once(spec.name.to_string()).chain(workers().map(str::to_owned))),
            deployments: alternatives(std::iter::once(spec.name.to_string()).chain(deployments)),
            metrics: spec.metrics_path.is_some().then(|| spec.metrics.resolve(subject.framework)),
            probe_url: is_probed(subject).then(|| probe_url(subject)),
            read_from_inside: spec.metrics_path.is_some() || (is_probed(subject) && subject.domain.is_none()),
            certificate: subject.has_certificate(),
            limits: Limits {
                memory_percent: percent(alerts.memory_percent, 90),
                error_percent: percent(alerts.error_percent, 5),
                latency_ms: alerts.latency_ms.map_or(1000, Milliseconds::get),
                throttled_percent: percent(alerts.throttled_percent, 25),
                volume_days: days(alerts.volume_days, 4),
                certificate_days: days(alerts.certificate_days, 14),
            },
            channels: channels(subject),
            dashboard_uid: dashboard_uid(subject),
            environment_query: environments
                .iter()
                .map(|choice| format!("{} : {}", choice.text, choice.value))
                .collect::<Vec<_>>()
                .join(","),
            environments,
        }
    }
}

/// Whether the blackbox exporter asks for the app: where nothing else tells that it answers, and where its certificate is
/// to be watched.
pub(super) fn is_probed(subject: &Subject<'_>) -> bool {
    subject.app.spec.metrics_path.is_none() || subject.has_certificate()
}

/// Whether alerts of the app are sent anywhere.
pub(super) fn is_routed(subject: &Subject<'_>) -> bool {
    subject.cluster.monitoring.webhook.is_some() || channels(subject) != Channels::default()
}

/// The receivers of the cluster that the app asks for.
fn channels(subject: &Subject<'_>) -> Channels {
    let wanted = |channel| subject.app.spec.notification_channels.contains(&channel);
    let Channels { telegram, email, slack, webhook } = subject.cluster.monitoring.channels.clone();
    Channels {
        telegram: telegram.filter(|_| wanted(Channel::Telegram)),
        email: email.filter(|_| wanted(Channel::Email)),
        slack: slack.filter(|_| wanted(Channel::Slack)),
        webhook: webhook.filter(|_| wanted(Channel::Webhook)),
    }
}

/// The health path as people reach it, or within the cluster if they cannot.
fn probe_url(subject: &Subject<'_>) -> String {
    let spec = &subject.app.spec;
    let path = subject.health_path();
    match &subject.domain {
        Some(domain) if subject.has_certificate() => format!("https://{domain}{path}"),
        Some(domain) => format!("http://{domain}{path}"),
        None => format!("http://{}.{}.svc{path}", spec.name, subject.namespace),
    }
}

/// Grafana finds a dashboard by it again, whatever it is called; it has room for 40 characters.
fn dashboard_uid(subject: &Subject<'_>) -> String {
    let digest = digest::of([subject.app.spec.name.as_str().as_bytes(), subject.environment_name.as_str().as_bytes()]);
    format!("wooo-{}", &digest[..16])
}

/// A regular expression for one of several names. They are DNS labels, in which nothing has a meaning of its own.
fn alternatives(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join("|")
}

/// `text` in a template of Prometheus or Alertmanager, where braces begin an action: an app's name is text there.
fn go_literal(text: &str) -> String {
    text.replace("{{", r#"{{"{{"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_no_template() {
        assert_eq!(go_literal("a {{ b }} {c}"), r#"a {{"{{"}} b }} {c}"#);
    }
}
