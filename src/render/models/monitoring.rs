//! The resources of the Prometheus operator.
//!
//! Source: prometheus-operator.dev/docs/api-reference (monitoring.coreos.com v1 ServiceMonitor, Probe, PrometheusRule;
//! v1alpha1 AlertmanagerConfig).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Maybe, model};

model! {
    /// monitoring.coreos.com/v1 ServiceMonitor.
    ServiceMonitorSpec {
        #[serde(skip_serializing_if = "Option::is_none")] job_label: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] target_labels: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] pod_target_labels: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] sample_limit: Maybe<u64>,
        selector: Selector,
        endpoints: Vec<Endpoint>,
    }
}
model! {
    Selector {
        #[serde(skip_serializing_if = "Option::is_none")] match_labels: Maybe<BTreeMap<String, String>>,
    }
}
model! {
    Endpoint {
        port: String,
        #[serde(skip_serializing_if = "Option::is_none")] path: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] scheme: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] scrape_timeout: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] honor_labels: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] bearer_token_secret: Maybe<SecretKey>,
        #[serde(skip_serializing_if = "Option::is_none")] relabelings: Maybe<Vec<Relabeling>>,
        #[serde(skip_serializing_if = "Option::is_none")] metric_relabelings: Maybe<Vec<Relabeling>>,
    }
}
model! {
    Relabeling {
        #[serde(skip_serializing_if = "Option::is_none")] source_labels: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] separator: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] regex: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] target_label: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] replacement: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] action: Maybe<String>,
    }
}
model! {
    /// A key of a Secret in the same namespace.
    SecretKey {
        name: String,
        key: String,
        #[serde(skip_serializing_if = "Option::is_none")] optional: Maybe<bool>,
    }
}

model! {
    /// monitoring.coreos.com/v1 Probe.
    ProbeSpec {
        job_name: String,
        #[serde(skip_serializing_if = "Option::is_none")] interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] scrape_timeout: Maybe<String>,
        module: String,
        prober: Prober,
        targets: ProbeTargets,
    }
}
model! {
    Prober {
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")] scheme: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] path: Maybe<String>,
    }
}
model! { ProbeTargets { static_config: StaticConfig, } }
model! {
    StaticConfig {
        #[serde(rename = "static")] targets: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")] labels: Maybe<BTreeMap<String, String>>,
    }
}

model! {
    /// monitoring.coreos.com/v1 PrometheusRule.
    PrometheusRuleSpec { groups: Vec<RuleGroup>, }
}
model! {
    RuleGroup {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")] interval: Maybe<String>,
        rules: Vec<Rule>,
    }
}
model! {
    Rule {
        #[serde(skip_serializing_if = "Option::is_none")] alert: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] record: Maybe<String>,
        expr: String,
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")] pending: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] keep_firing_for as "keep_firing_for": Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] labels: Maybe<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "Option::is_none")] annotations: Maybe<BTreeMap<String, String>>,
    }
}

model! {
    /// monitoring.coreos.com/v1alpha1 AlertmanagerConfig.
    AlertmanagerConfigSpec {
        route: Route,
        receivers: Vec<Receiver>,
        #[serde(skip_serializing_if = "Option::is_none")] inhibit_rules: Maybe<Vec<InhibitRule>>,
    }
}
model! {
    Route {
        receiver: String,
        #[serde(skip_serializing_if = "Option::is_none")] group_by: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] group_wait: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] group_interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] repeat_interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] matchers: Maybe<Vec<Matcher>>,
        #[serde(rename = "continue", skip_serializing_if = "Option::is_none")] goes_on: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] routes: Maybe<Vec<Route>>,
    }
}
model! {
    Matcher {
        name: String,
        value: String,
        match_type: MatchType,
    }
}
#[derive(Deserialize, Serialize)]
enum MatchType {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "=~")]
    Matches,
    #[serde(rename = "!~")]
    MatchesNot,
}
model! {
    InhibitRule {
        source_match: Vec<Matcher>,
        target_match: Vec<Matcher>,
        #[serde(skip_serializing_if = "Option::is_none")] equal: Maybe<Vec<String>>,
    }
}
model! {
    Receiver {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")] webhook_configs: Maybe<Vec<WebhookConfig>>,
        #[serde(skip_serializing_if = "Option::is_none")] telegram_configs: Maybe<Vec<TelegramConfig>>,
        #[serde(skip_serializing_if = "Option::is_none")] email_configs: Maybe<Vec<EmailConfig>>,
        #[serde(skip_serializing_if = "Option::is_none")] slack_configs: Maybe<Vec<SlackConfig>>,
    }
}
model! {
    WebhookConfig {
        #[serde(skip_serializing_if = "Option::is_none")] url: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] url_secret: Maybe<SecretKey>,
        #[serde(skip_serializing_if = "Option::is_none")] send_resolved: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] max_alerts: Maybe<u32>,
        #[serde(skip_serializing_if = "Option::is_none")] http_config: Maybe<HttpConfig>,
    }
}
model! { HttpConfig { authorization: Authorization, } }
model! {
    Authorization {
        #[serde(rename = "type")] kind: String,
        credentials: SecretKey,
    }
}
model! {
    TelegramConfig {
        bot_token: SecretKey,
        chat_id as "chatID": i64,
        #[serde(skip_serializing_if = "Option::is_none")] send_resolved: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] parse_mode: Maybe<ParseMode>,
        #[serde(skip_serializing_if = "Option::is_none")] message: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] disable_notifications: Maybe<bool>,
    }
}
#[derive(Deserialize, Serialize)]
enum ParseMode {
    MarkdownV2,
    Markdown,
    #[serde(rename = "HTML")]
    Html,
}
model! {
    EmailConfig {
        to: String,
        from: String,
        smarthost: String,
        #[serde(skip_serializing_if = "Option::is_none")] auth_username: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] auth_password: Maybe<SecretKey>,
        #[serde(skip_serializing_if = "Option::is_none")] require_tls as "requireTLS": Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] send_resolved: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] headers: Maybe<Vec<Header>>,
        #[serde(skip_serializing_if = "Option::is_none")] html: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] text: Maybe<String>,
    }
}
model! { Header { key: String, value: String, } }
model! {
    SlackConfig {
        api_url as "apiURL": SecretKey,
        channel: String,
        #[serde(skip_serializing_if = "Option::is_none")] send_resolved: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] title: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] text: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] color: Maybe<String>,
    }
}
