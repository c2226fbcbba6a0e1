//! The Prometheus HTTP API: what dashboards and rules of a fleet ask has an answer.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use wooo::sandbox::{Behaviour, BehaviourRule, Timings};

use super::delivery::{Lab, quick};
use super::eventually;

/// Asks a sandbox's Prometheus.
async fn ask(lab: &Lab, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/api/v1/{path}", lab.sandbox.prometheus_url("staging").unwrap());
    let answer = reqwest::Client::new().post(url).form(parameters).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn value(lab: &Lab, query: &str) -> Option<f64> {
    let (code, answer) = ask(lab, "query", &[("query", query)]).await;
    assert_eq!(code, 200, "{query}: {answer}");
    answer.pointer("/data/result/0/value/1")?.as_str()?.parse().ok()
}

/// Every expression under the key `expr` of a document.
fn expressions(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "expr") {
                    Some(text) => found.push(text.to_owned()),
                    None => expressions(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_a_dashboard_and_of_rules_is_answered() {
    let lab = Lab::new("flux", quick()).await;
    lab.settled("True", "ReconciliationSucceeded").await;
    let mut queries = Vec::new();
    let maps: Api<ConfigMap> = Api::namespaced(lab.client.clone(), "app-shop");
    for text in maps.get("shop-dashboard").await.unwrap().data.unwrap().values() {
        expressions(&serde_json::from_str(text).unwrap(), &mut queries);
    }
    let panels = queries.len();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("monitoring.coreos.com", "v1", "PrometheusRule"));
    let rules: Api<DynamicObject> = Api::namespaced_with(lab.client.clone(), "app-shop", &kind);
    expressions(&rules.get("shop").await.unwrap().data, &mut queries);
    assert!(panels >= 5 && queries.len() >= panels + 5, "{queries:?}");
    for query in queries {
        let query = query.replace("$__rate_interval", "1m").replace("$environment", "app-shop");
        let (code, answer) = ask(&lab, "query", &[("query", &query)]).await;
        assert_eq!(code, 200, "{query}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_follow_from_what_pods_do() {
    let lab = Lab::new("flux", Timings { leak: std::time::Duration::from_secs(5), ..quick() }).await;
    lab.settled("True", "ReconciliationSucceeded").await;
    let own = r#"{namespace="app-shop", job="shop"}"#;
    assert_eq!(value(&lab, &format!("count(up{own} == 1)")).await, Some(2.0));
    let available = r#"kube_deployment_status_replicas_available{deployment="shop"}"#;
    assert_eq!(value(&lab, available).await, Some(2.0));
    let requests = format!("sum(rate(flask_http_request_total{own}[10s] offset -10s))");
    let per_second = value(&lab, &requests).await.unwrap();
    assert!((18.0..22.0).contains(&per_second), "{per_second}");
    let errors = r#"sum(increase(flask_http_request_total{status=~"5.."}[10s] offset -10s)) > 1"#;
    assert_eq!(value(&lab, errors).await, None);
    let rule = |behaviour| BehaviourRule { app: Some("shop".to_owned()), image: None, namespace: None, behaviour };
    assert!(lab.sandbox.behave("staging", rule(Behaviour::Errors5xx)));
    eventually(async || value(&lab, errors).await).await;
    let p95 =
        "histogram_quantile(0.95, sum by (le) (rate(flask_http_request_duration_seconds_bucket[10s] offset -10s)))";
    let p95 = value(&lab, p95).await.unwrap();
    assert!((0.1..0.25).contains(&p95), "{p95}");

    let memory = r#"max(container_memory_working_set_bytes / on (namespace, pod, container)
        kube_pod_container_resource_limits{resource="memory"})"#;
    let before = value(&lab, memory).await.unwrap();
    assert!(lab.sandbox.behave("staging", rule(Behaviour::MemoryLeak)));
    eventually(async || value(&lab, memory).await.filter(|now| *now > before + 0.05)).await;

    assert!(lab.sandbox.behave("staging", rule(Behaviour::Crash)));
    let reason = r#"kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}"#;
    eventually(async || value(&lab, reason).await).await;
    assert!(value(&lab, "sum(kube_pod_container_status_restarts_total)").await.unwrap() >= 1.0);
    assert_eq!(value(&lab, r#"absent(up{job="gone"})"#).await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_has_the_shape_of_the_real_one() {
    let lab = Lab::new("flux", quick()).await;
    lab.settled("True", "ReconciliationSucceeded").await;
    let (_, names) = ask(&lab, "label/__name__/values", &[]).await;
    assert!(names["data"].as_array().unwrap().contains(&json!("up")));
    assert_eq!(names["infos"][0], "these figures are made up by a sandbox of wooo");
    let (_, series) = ask(&lab, "series", &[("match[]", r#"up{job="shop"}"#)]).await;
    assert_eq!(series["data"].as_array().unwrap().len(), 2);
    let end = jiff::Timestamp::now();
    let start = end - jiff::SignedDuration::from_secs(60);
    let (start, end) = (start.as_second().to_string(), end.as_second().to_string());
    let parameters = [("query", "1 + 1"), ("start", &start), ("end", &end), ("step", "15s")];
    let (_, range) = ask(&lab, "query_range", &parameters).await;
    assert_eq!(range["data"]["resultType"], "matrix");
    assert_eq!(range["data"]["result"][0]["values"].as_array().unwrap().len(), 5);
    let (_, build) = ask(&lab, "status/buildinfo", &[]).await;
    assert!(build["data"]["version"].as_str().unwrap().ends_with("+wooo-sandbox"));
    let (code, answer) = ask(&lab, "query", &[("query", "sum(")]).await;
    assert_eq!((code, &answer["errorType"]), (400, &json!("bad_data")));
    let (code, answer) = ask(&lab, "query", &[("query", "holt_winters(up[5m], 1, 1)")]).await;
    assert_eq!((code, &answer["errorType"]), (422, &json!("execution")));
    assert_eq!(answer["error"], "the sandbox does not have `holt_winters`");
}
