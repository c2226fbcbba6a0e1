//! How an app is watched: the part of an app spec that alerts and dashboards are made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::numbers::{Percent, ranged};
use super::{Framework, LabelName, MetricName};

/// The language of what people read about an app.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Traditional Chinese as written in Taiwan.
    #[serde(rename = "zh-TW")]
    Chinese,
}

/// Thresholds of the app's alerts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Memory in use, in percent of the limit. 90 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_percent: Option<Percent>,
    /// Answers with status 5xx, in percent of all. 5 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_percent: Option<Percent>,
    /// The time within which 95 of 100 requests are answered, in milliseconds. 1000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Milliseconds>,
    /// Periods in which the container had to wait for processor time, in percent of all. 25 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_percent: Option<Percent>,
    /// In how many days a volume may be full at the present rate. 4 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_days: Option<Days>,
    /// For how many days the certificate must still be valid. 14 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_days: Option<Days>,
}

impl Alerts {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

ranged! {
    /// A time in milliseconds, up to ten minutes.
    Milliseconds(u32), "milliseconds", 1..=600_000
}
ranged! {
    /// A number of days, up to a year.
    Days(u16), "days", 1..=366
}

/// The names of the metrics that tell of an app's requests; those that its framework's usual exporter has, where absent.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// A counter of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<MetricName>,
    /// The label of that counter with the status: `500`, or `5xx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_label: Option<LabelName>,
    /// A histogram of the time that requests take, in seconds, without `_bucket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<MetricName>,
}

impl Metrics {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The metrics that are there: what the spec says, else what the framework's usual exporter has. `None` if nothing
    /// counts requests.
    #[must_use]
    pub fn resolve(&self, framework: Framework) -> RequestMetrics {
        let usual = usual_metrics(framework);
        let text = |own: Option<&str>, usual: Option<&str>| own.or(usual).map(str::to_owned);
        RequestMetrics {
            requests: text(self.requests.as_ref().map(MetricName::as_str), usual.map(|(requests, _, _)| requests)),
            status_label: text(self.status_label.as_ref().map(LabelName::as_str), usual.map(|(_, label, _)| label))
                .unwrap_or_else(|| "status".to_owned()),
            duration: text(self.duration.as_ref().map(MetricName::as_str), usual.map(|(_, _, duration)| duration)),
        }
    }
}

/// The metrics of requests that an app has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RequestMetrics {
    /// The counter of requests.
    pub requests: Option<String>,
    /// Its label with the status.
    pub status_label: String,
    /// The histogram of their duration, in seconds.
    pub duration: Option<String>,
}

/// What the exporter that is most used with a framework calls its counter, its status label and its histogram.
///
/// Sources: prometheus-flask-exporter, django-prometheus, prometheus-fastapi-instrumentator, express-prom-bundle, and for
/// Go the names that the Prometheus documentation of instrumentation uses with `promhttp`.
fn usual_metrics(framework: Framework) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match framework {
        Framework::Flask => ("flask_http_request_total", "status", "flask_http_request_duration_seconds"),
        Framework::Django => (
            "django_http_responses_total_by_status_total",
            "status",
            "django_http_requests_latency_seconds_by_view_method",
        ),
        // Its other histogram ends at one second.
        Framework::Fastapi => ("http_requests_total", "status", "http_request_duration_highr_seconds"),
        Framework::Nodejs | Framework::Nextjs => {
            ("http_request_duration_seconds_count", "status_code", "http_request_duration_seconds")
        }
        Framework::Go => ("http_requests_total", "code", "http_request_duration_seconds"),
        Framework::Static => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_spec_says_goes_before_what_is_usual() {
        let metrics = Metrics { duration: "took_seconds".parse().ok(), ..Metrics::default() }.resolve(Framework::Go);
        assert_eq!(metrics.requests.as_deref(), Some("http_requests_total"));
        assert_eq!((metrics.status_label.as_str(), metrics.duration.as_deref()), ("code", Some("took_seconds")));
        assert_eq!(Metrics::default().resolve(Framework::Static).requests, None);
    }
}
