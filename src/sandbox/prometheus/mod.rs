//! The Prometheus HTTP API of a sandbox cluster, with series that follow from its pods.
//!
//! Nothing is scraped or stored: a series is a function of the time, and a query is worked out when it is asked.

mod evaluate;
mod functions;
mod series;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::json_answer;
use super::cluster::Cluster;
use super::discovery::GIT_VERSION;
use evaluate::{Outcome, evaluate};
use series::{Labels, Sample};
use syntax::{Expr, Matcher};

/// The most steps of a range query, as in the real server.
const MAX_STEPS: i64 = 11_000;

/// Why a query has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Fault {
    /// The request cannot be read.
    Data(String),
    /// The query makes no sense, or is more than the sandbox can do.
    Execution(String),
}

impl Fault {
    fn execution(what: &str) -> Self {
        Self::Execution(format!("the sandbox cannot evaluate this query: {what}"))
    }

    fn unsupported(name: &str) -> Self {
        Self::Execution(format!("the sandbox does not have `{}`", name.escape_debug()))
    }

    fn answer(&self) -> Response {
        let (code, kind, message) = match self {
            Self::Data(message) => (StatusCode::BAD_REQUEST, "bad_data", message),
            Self::Execution(message) => (StatusCode::UNPROCESSABLE_ENTITY, "execution", message),
        };
        json_answer(code, &json!({"status": "error", "errorType": kind, "error": message}))
    }
}

/// The parameters of a request, from its query and its form.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(parts: &Parts, body: &Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = url::form_urlencoded::parse(query).chain(url::form_urlencoded::parse(body));
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn need(&self, key: &str) -> Result<&str, Fault> {
        self.get(key).ok_or_else(|| Fault::Data(format!("the parameter `{key}` is missing")))
    }

    /// A time in milliseconds.
    fn time(&self, key: &str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let time = match text.parse::<f64>() {
            Ok(seconds) => milliseconds(seconds),
            Err(_) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        };
        time.map(Some).ok_or_else(|| Fault::Data(format!("`{}` is no time", text.escape_debug())))
    }
}

/// Seconds in milliseconds, if they are a time that can be.
fn milliseconds(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is bounded just before")]
    (seconds.is_finite() && seconds.abs() < 1e12).then_some((seconds * 1000.0) as i64)
}

/// Answers a request whose path is `path` below `/prometheus/`.
pub(super) fn answer(cluster: &Cluster, path: &str, parts: &Parts, body: &Bytes) -> Response {
    if matches!(path, "-/healthy" | "-/ready") {
        return axum::response::IntoResponse::into_response("the sandbox's Prometheus is here\n");
    }
    let form = Form::of(parts, body);
    let Some(path) = path.strip_prefix("api/v1/") else {
        return json_answer(
            StatusCode::NOT_FOUND,
            &json!({"status": "error", "errorType": "not_found", "error": "no such path"}),
        );
    };
    match data(cluster, path, &form) {
        Ok(data) => {
            let infos = ["these figures are made up by a sandbox of wooo"];
            json_answer(StatusCode::OK, &json!({"status": "success", "data": data, "infos": infos}))
        }
        Err(fault) => fault.answer(),
    }
}

fn data(cluster: &Cluster, path: &str, form: &Form) -> Result<Value, Fault> {
    let now = cluster.now();
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["query"] => {
            let time = form.time("time")?.unwrap_or(now);
            let outcome = evaluate(cluster, &syntax::parse(form.need("query")?)?, time)?;
            Ok(instant(outcome, time))
        }
        ["query_range"] => range(cluster, form),
        ["series"] => Ok(found(cluster, form, now)?.into_iter().map(|labels| json!(labels)).collect()),
        ["labels"] => {
            let labels: BTreeSet<String> = found(cluster, form, now)?.into_iter().flat_map(Labels::into_keys).collect();
            Ok(json!(labels))
        }
        ["label", name, "values"] => {
            let mut all = found(cluster, form, now)?;
            let values: BTreeSet<String> = all.iter_mut().filter_map(|labels| labels.remove(*name)).collect();
            Ok(json!(values))
        }
        ["status", "buildinfo"] => Ok(
            json!({"version": GIT_VERSION, "revision": "sandbox", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}),
        ),
        ["alerts"] => Ok(json!({"alerts": []})),
        ["rules"] => Ok(json!({"groups": []})),
        ["targets"] => Ok(json!({"activeTargets": [], "droppedTargets": []})),
        _ => Err(Fault::Data("the sandbox's Prometheus has no such path".to_owned())),
    }
}

/// The series that `match[]` names; all, if it names none.
fn found(cluster: &Cluster, form: &Form, now: i64) -> Result<Vec<Labels>, Fault> {
    let selectors: Vec<&str> =
        form.0.iter().filter(|(key, _)| key == "match[]").map(|(_, value)| value.as_str()).collect();
    let matchers: Vec<Vec<Matcher>> = if selectors.is_empty() {
        vec![Vec::new()]
    } else {
        let read = |text: &&str| match syntax::parse(text)? {
            Expr::Select { matchers, .. } => Ok(matchers),
            _ => Err(Fault::Data("a selector is expected".to_owned())),
        };
        selectors.iter().map(read).collect::<Result<_, _>>()?
    };
    let samples = matchers.iter().flat_map(|matchers| series::at(cluster, matchers, now));
    Ok(samples.map(|sample| sample.labels).collect())
}

fn range(cluster: &Cluster, form: &Form) -> Result<Value, Fault> {
    let expr = syntax::parse(form.need("query")?)?;
    let missing = |key: &str| Fault::Data(format!("the parameter `{key}` is missing"));
    let start = form.time("start")?.ok_or_else(|| missing("start"))?;
    let end = form.time("end")?.ok_or_else(|| missing("end"))?;
    let step = form.need("step")?;
    let step = match step.parse::<f64>() {
        Ok(seconds) => milliseconds(seconds).unwrap_or(0),
        Err(_) => match syntax::parse(&format!("x[{step}]"))? {
            Expr::Select { range: Some(range), .. } => range,
            _ => 0,
        },
    };
    if step <= 0 || end < start || (end - start) / step > MAX_STEPS {
        return Err(Fault::Data("the range has no steps, or more than 11,000".to_owned()));
    }
    let mut found: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
    let mut time = start;
    while time <= end {
        let samples = match evaluate(cluster, &expr, time)? {
            Outcome::Vector(samples) => samples,
            Outcome::Scalar(value) => vec![Sample { labels: Labels::new(), value }],
            _ => return Err(Fault::Data("a range query is over numbers or series".to_owned())),
        };
        for sample in samples {
            found.entry(sample.labels).or_default().push(point(time, sample.value));
        }
        time += step;
    }
    let result: Vec<Value> =
        found.into_iter().map(|(metric, values)| json!({"metric": metric, "values": values})).collect();
    Ok(json!({"resultType": "matrix", "result": result}))
}

fn instant(outcome: Outcome, time: i64) -> Value {
    match outcome {
        Outcome::Scalar(value) => json!({"resultType": "scalar", "result": point(time, value)}),
        Outcome::Text(text) => json!({"resultType": "string", "result": [time / 1000, text]}),
        Outcome::Vector(samples) => {
            let one = |sample: Sample| json!({"metric": sample.labels, "value": point(time, sample.value)});
            json!({"resultType": "vector", "result": samples.into_iter().map(one).collect::<Vec<Value>>()})
        }
        Outcome::Matrix(ranges) => {
            let one = |range: evaluate::Range| {
                let values: Vec<Value> = range.points.iter().map(|(time, value)| point(*time, *value)).collect();
                json!({"metric": range.labels, "values": values})
            };
            json!({"resultType": "matrix", "result": ranges.into_iter().map(one).collect::<Vec<Value>>()})
        }
    }
}

fn point(time: i64, value: f64) -> Value {
    let text = match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        value => value.to_string(),
    };
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
    let seconds = time as f64 / 1000.0;
    json!([seconds, text])
}
