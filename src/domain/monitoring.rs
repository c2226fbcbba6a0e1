//! How a cluster is watched: the part of a cluster profile that monitoring objects are made of.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a cluster is watched.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Monitoring {
    /// Whether the Prometheus operator runs there. Without it apps get no ServiceMonitor, Probe, PrometheusRule or
    /// AlertmanagerConfig.
    pub operator: bool,
    /// The namespace of Prometheus, whose pods may read metrics.
    pub namespace: String,
    /// Labels by which the Prometheus operator selects its objects.
    pub labels: IndexMap<String, String>,
    /// The version of AlertmanagerConfig that the operator serves.
    pub alertmanager_config: AlertmanagerConfigVersion,
    /// The blackbox exporter that asks apps whether they answer.
    pub blackbox: Blackbox,
    /// wooo's own endpoint for alerts, which repairs start from.
    pub webhook: Option<AlertWebhook>,
    /// Where Alertmanager itself sends what an app's `notification_channels` name. A channel that is not here is left to
    /// wooo, which hears of every alert through `webhook`.
    pub channels: Channels,
    /// Whether Grafana's sidecar collects dashboards.
    pub dashboards: bool,
    /// The label by which Grafana's sidecar finds dashboards.
    pub dashboard_label: String,
    /// The annotation in which Grafana's sidecar looks for a dashboard's folder.
    pub dashboard_folder_annotation: String,
    /// The folder of dashboards; the sidecar's own choice if absent.
    pub dashboard_folder: Option<String>,
    /// Where the runbooks are: an alert links to `<runbooks>/<alert>.md`.
    pub runbooks: String,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            operator: true,
            namespace: "monitoring".to_owned(),
            labels: IndexMap::new(),
            alertmanager_config: AlertmanagerConfigVersion::V1alpha1,
            blackbox: Blackbox::default(),
            webhook: None,
            channels: Channels::default(),
            dashboards: true,
            dashboard_label: "grafana_dashboard".to_owned(),
            dashboard_folder_annotation: "grafana_folder".to_owned(),
            dashboard_folder: None,
            runbooks: "https://github.com/wooo/wooo/blob/main/docs/runbooks".to_owned(),
        }
    }
}

/// The version of AlertmanagerConfig.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertmanagerConfigVersion {
    /// `monitoring.coreos.com/v1alpha1`, which every operator serves; v1beta1 needs its conversion webhook.
    V1alpha1,
}

/// A blackbox exporter.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blackbox {
    /// Its host and port.
    pub address: String,
    /// The module of its configuration that asks over HTTP and wants a status of 200 to 299.
    pub module: String,
}

impl Default for Blackbox {
    fn default() -> Self {
        Self { address: "prometheus-blackbox-exporter.monitoring.svc:9115".to_owned(), module: "http_2xx".to_owned() }
    }
}

/// wooo's own endpoint for alerts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AlertWebhook {
    /// Its URL, for example `https://wooo.example.com/webhooks/alertmanager`.
    #[schemars(length(min = 1, max = 500))]
    pub url: String,
    /// The bearer token that it asks for.
    #[serde(default)]
    pub token: Option<SecretKey>,
}

/// A key of a Secret in each app's namespace. The operator reads no others, so the platform has to put it there, for
/// example with a ClusterExternalSecret; wooo only names it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Receivers of Alertmanager, by channel. LINE has none there, and is left to wooo.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// Telegram.
    pub telegram: Option<TelegramReceiver>,
    /// E-mail.
    pub email: Option<EmailReceiver>,
    /// Slack.
    pub slack: Option<SlackReceiver>,
    /// Any HTTP endpoint.
    pub webhook: Option<WebhookReceiver>,
}

/// A chat on Telegram.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TelegramReceiver {
    /// The chat's number.
    pub chat_id: i64,
    /// The bot's token.
    pub token: SecretKey,
}

/// Addresses and a mail server.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EmailReceiver {
    /// Who gets the mail.
    #[schemars(length(min = 3, max = 320))]
    pub to: String,
    /// Who it is from.
    #[schemars(length(min = 3, max = 320))]
    pub from: String,
    /// The mail server, as `host:port`.
    #[schemars(length(min = 3, max = 260))]
    pub smarthost: String,
    /// The user there.
    #[serde(default)]
    pub username: Option<String>,
    /// The password there.
    #[serde(default)]
    pub password: Option<SecretKey>,
}

/// A channel on Slack.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SlackReceiver {
    /// The channel, with its `#`.
    #[schemars(length(min = 1, max = 80))]
    pub channel: String,
    /// The incoming webhook's URL.
    pub url: SecretKey,
}

/// An HTTP endpoint that takes Alertmanager's own messages.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookReceiver {
    /// Its URL, which often holds a token.
    pub url: SecretKey,
}
