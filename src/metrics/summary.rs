//! The figures of an app, asked the way its dashboard asks (`templates/base/dashboard.yaml.j2`): an app must not look
//! different here and there.

use jiff::Timestamp;
use serde::Serialize;

use super::client::Prometheus;
use super::error::Error;
use crate::domain::AppName;
use crate::domain::alerts::RequestMetrics;

/// Over how long rates are taken.
const WINDOW: &str = "5m";

/// The figures of an app at one time. A figure is `None` where there is nothing to count: the app has no such metric, or
/// no request came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AppMetrics {
    /// How much of the last five minutes it answered, in percent.
    pub availability_percent: Option<f64>,
    /// Requests a second.
    pub requests_per_second: Option<f64>,
    /// The time within which 95 of 100 requests were answered, in seconds.
    pub p95_seconds: Option<f64>,
    /// The share of requests that were answered with a 5xx, from 0 to 1.
    pub error_ratio: Option<f64>,
    /// The memory of the container that is nearest to its limit, as a share of it.
    pub memory_ratio: Option<f64>,
    /// Processor time of all pods, in cores.
    pub cpu_cores: Option<f64>,
    /// How often its containers were started again in the last hour.
    pub restarts: Option<f64>,
}

/// What is asked about one app.
#[derive(Clone, Debug)]
pub struct AppQueries {
    namespace: String,
    app: String,
    containers: Vec<String>,
    metrics: Option<RequestMetrics>,
}

impl AppQueries {
    /// The questions about an app that has one container and no metrics of its own.
    #[must_use]
    pub fn new(namespace: impl Into<String>, app: &AppName) -> Self {
        Self { namespace: namespace.into(), app: app.to_string(), containers: vec![app.to_string()], metrics: None }
    }

    /// Names the containers of its workers as well.
    #[must_use]
    pub fn containers<T: ToString>(mut self, workers: impl IntoIterator<Item = T>) -> Self {
        self.containers.extend(workers.into_iter().map(|name| name.to_string()));
        self
    }

    /// Says that it is scraped, and how it counts requests.
    #[must_use]
    pub fn metrics(mut self, metrics: RequestMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// How much of the time it answered, in percent.
    #[must_use]
    pub fn availability(&self) -> String {
        let (namespace, app) = (quoted(&self.namespace), &self.app);
        match self.metrics {
            Some(_) => format!("100 * avg(avg_over_time(up{{namespace={namespace}, job={}}}[{WINDOW}]))", quoted(app)),
            None => {
                let job = quoted(&format!("{app}-probe"));
                format!("100 * avg(avg_over_time(probe_success{{namespace={namespace}, job={job}}}[{WINDOW}]))")
            }
        }
    }

    /// Requests a second, if it counts them.
    #[must_use]
    pub fn requests(&self) -> Option<String> {
        Some(format!("sum({})", self.request_rate("")?))
    }

    /// The share of 5xx, if it counts requests.
    #[must_use]
    pub fn errors(&self) -> Option<String> {
        let label = &self.metrics.as_ref()?.status_label;
        let failed = self.request_rate(&format!(", {label}=~\"5..\""))?;
        Some(format!("(sum({failed}) or vector(0)) / sum({})", self.request_rate("")?))
    }

    /// The 95th percentile of the time of an answer in seconds, if it is measured.
    #[must_use]
    pub fn latency(&self) -> Option<String> {
        let duration = self.metrics.as_ref()?.duration.as_ref()?;
        let job = self.job();
        Some(format!("histogram_quantile(0.95, sum by (le) (rate({duration}_bucket{{{job}}}[{WINDOW}])))"))
    }

    /// Memory as a share of the limit. A container without a limit has a limit of zero, which is none.
    #[must_use]
    pub fn memory(&self) -> String {
        let own = self.own();
        format!(
            "max(max by (pod, container) (container_memory_working_set_bytes{{{own}}}) / on (pod, container) \
             (max by (pod, container) (kube_pod_container_resource_limits{{{own}, resource=\"memory\"}}) > 0))"
        )
    }

    /// Processor time in cores.
    #[must_use]
    pub fn cpu(&self) -> String {
        format!("sum(rate(container_cpu_usage_seconds_total{{{}}}[{WINDOW}]))", self.own())
    }

    /// Restarts of the last hour.
    #[must_use]
    pub fn restarts(&self) -> String {
        format!("sum(increase(kube_pod_container_status_restarts_total{{{}}}[1h]))", self.own())
    }

    fn job(&self) -> String {
        format!("namespace={}, job={}", quoted(&self.namespace), quoted(&self.app))
    }

    fn own(&self) -> String {
        // Names of containers are DNS labels, in which nothing means anything to a regular expression.
        let containers = quoted(&self.containers.join("|"));
        format!("namespace={}, container=~{containers}", quoted(&self.namespace))
    }

    fn request_rate(&self, selector: &str) -> Option<String> {
        let requests = self.metrics.as_ref()?.requests.as_ref()?;
        Some(format!("rate({requests}{{{}{selector}}}[{WINDOW}])", self.job()))
    }
}

/// A text as PromQL writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

impl Prometheus {
    /// The figures of an app at a time. The questions are asked at once, and one that fails fails all: half a picture is
    /// easily taken for a whole one.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub async fn summary(&self, app: &AppQueries, at: Timestamp) -> Result<AppMetrics, Error> {
        let ask = async |query: Option<String>| match query {
            Some(query) => self.figure(&query, at).await,
            None => Ok(None),
        };
        let (availability_percent, requests_per_second, p95_seconds, error_ratio, memory_ratio, cpu_cores, restarts) =
            tokio::try_join!(
                ask(Some(app.availability())),
                ask(app.requests()),
                ask(app.latency()),
                ask(app.errors()),
                ask(Some(app.memory())),
                ask(Some(app.cpu())),
                ask(Some(app.restarts())),
            )?;
        Ok(AppMetrics {
            availability_percent,
            requests_per_second,
            p95_seconds,
            error_ratio,
            memory_ratio,
            cpu_cores,
            restarts,
        })
    }

    /// The one value of a query; `None` if there is none, or if it is no number.
    async fn figure(&self, query: &str, at: Timestamp) -> Result<Option<f64>, Error> {
        let answer = self.query(query, at).await?;
        Ok(answer.result.first().map(|sample| sample.value).filter(|value| value.is_finite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries() -> AppQueries {
        AppQueries::new("app-shop", &"shop".parse().unwrap())
    }

    #[test]
    fn an_app_without_metrics_is_probed() {
        let queries = queries();
        assert_eq!(
            queries.availability(),
            r#"100 * avg(avg_over_time(probe_success{namespace="app-shop", job="shop-probe"}[5m]))"#
        );
        assert_eq!((queries.requests(), queries.errors(), queries.latency()), (None, None, None));
    }

    #[test]
    fn an_app_with_metrics_is_asked_by_their_names() {
        let metrics = RequestMetrics {
            requests: Some("http_requests_total".to_owned()),
            status_label: "code".to_owned(),
            duration: Some("http_request_duration_seconds".to_owned()),
        };
        let queries = queries().metrics(metrics);
        let job = r#"namespace="app-shop", job="shop""#;
        assert_eq!(queries.availability(), format!("100 * avg(avg_over_time(up{{{job}}}[5m]))"));
        assert_eq!(queries.requests().unwrap(), format!("sum(rate(http_requests_total{{{job}}}[5m]))"));
        let failed = format!(r#"(sum(rate(http_requests_total{{{job}, code=~"5.."}}[5m])) or vector(0))"#);
        assert_eq!(queries.errors().unwrap(), format!("{failed} / sum(rate(http_requests_total{{{job}}}[5m]))"));
        let buckets = format!("rate(http_request_duration_seconds_bucket{{{job}}}[5m])");
        assert_eq!(queries.latency().unwrap(), format!("histogram_quantile(0.95, sum by (le) ({buckets}))"));
    }

    #[test]
    fn workers_count_and_their_pods_alone() {
        let queries = queries().containers(["celery"]);
        assert!(queries.cpu().contains(r#"namespace="app-shop", container=~"shop|celery""#), "{}", queries.cpu());
    }

    #[test]
    fn a_namespace_cannot_end_its_quotes() {
        let queries = AppQueries::new("a\"} or up{x=\"", &"shop".parse().unwrap());
        assert!(queries.cpu().contains(r#"namespace="a\"} or up{x=\"", "#), "{}", queries.cpu());
    }
}
