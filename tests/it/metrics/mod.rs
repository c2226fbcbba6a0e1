//! Asking Prometheus over HTTP, with answers as it gives them and as it should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use wooo::domain::alerts::RequestMetrics;
use wooo::metrics::{AppMetrics, AppQueries, Error, Prometheus};

/// What was asked: method, query, and the credentials.
type Asked = (&'static str, String, Option<String>);

#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(serde::Deserialize)]
struct Question {
    query: String,
}

impl Server {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/prom/", listener.local_addr().expect("an address"));
        let by_address = |State(server): State<Self>, headers: HeaderMap, Query(question): Query<Question>| async move {
            server.answer("GET", question.query, &headers)
        };
        let by_body = |State(server): State<Self>, headers: HeaderMap, Form(question): Form<Question>| async move {
            server.answer("POST", question.query, &headers)
        };
        let route = || get(by_address).post(by_body);
        let router = Router::new().route("/prom/api/v1/query", route()).route("/prom/api/v1/query_range", route());
        let router = router.with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics while it holds the list").clone()
    }

    fn answer(&self, method: &'static str, query: String, headers: &HeaderMap) -> Response {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.asked.lock().expect("no test panics while it holds the list").push((method, query.clone(), token));
        let value = |value: &str| {
            let body =
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"VALUE"]}]}}"#;
            body.replace("VALUE", value).into_response()
        };
        let error = |status: StatusCode, kind: &str| {
            (status, format!(r#"{{"status":"error","errorType":"{kind}","error":"why"}}"#)).into_response()
        };
        match query.as_str() {
            "elsewhere" => (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response(),
            "bad" => error(StatusCode::BAD_REQUEST, "bad_data"),
            "busy" => error(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            "proxy" => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
            "absent" => (StatusCode::NOT_FOUND, "<html>").into_response(),
            "secret" => StatusCode::UNAUTHORIZED.into_response(),
            "huge" => "x".repeat(17 << 20).into_response(),
            "range" => r#"{"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"pod":"a"},"values":[[1,"2"],[2,"4"]]}]},"warnings":["partial"]}"#
                .into_response(),
            query if query.contains("vector(0)") => value("NaN"),
            query if query.contains("histogram_quantile") => {
                r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.into_response()
            }
            query if query.contains("memory") => value("0.5"),
            _ => value("3"),
        }
    }
}

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

#[tokio::test]
async fn each_way_to_fail_is_told_apart() {
    let server = Server::default();
    let prometheus = Prometheus::new(&server.start().await, None).expect("a good URL");
    let why = || "why".to_owned();
    for (query, wanted) in [
        ("elsewhere", Error::Redirect),
        ("bad", Error::Query(why())),
        ("busy", Error::Unavailable(why())),
        ("proxy", Error::Unavailable("it answers 502".to_owned())),
        ("absent", Error::Unreachable("it answers 404".to_owned())),
        ("secret", Error::Auth),
        ("huge", Error::TooLarge(16 << 20)),
    ] {
        assert_eq!(prometheus.query(query, NOW).await, Err(wanted), "{query}");
    }
    let nobody = Prometheus::new("http://127.0.0.1:1", None).expect("a good URL");
    assert!(matches!(nobody.query("up", NOW).await, Err(Error::Unreachable(_))));
}

#[tokio::test]
async fn a_long_query_goes_into_the_body_and_the_token_into_its_header() {
    let server = Server::default();
    let prometheus = Prometheus::new(&server.start().await, Some("canary".to_owned().into())).expect("a good URL");
    let long = format!("up{{pod=\"{}\"}}", "x".repeat(3000));
    for query in ["up", long.as_str()] {
        prometheus.query(query, NOW).await.expect("an answer");
    }
    let token = Some("Bearer canary".to_owned());
    assert_eq!(server.asked(), [("GET", "up".to_owned(), token.clone()), ("POST", long, token)]);
}

#[tokio::test]
async fn a_range_has_points_and_warnings() {
    let prometheus = Prometheus::new(&Server::default().start().await, None).expect("a good URL");
    let answer = prometheus.query_range("range", NOW, NOW, Duration::from_secs(30)).await.expect("an answer");
    assert_eq!((answer.result[0].points.len(), answer.warnings), (2, vec!["partial".to_owned()]));
}

#[tokio::test]
async fn a_figure_that_is_none_is_none() {
    let server = Server::default();
    let prometheus = Prometheus::new(&server.start().await, None).expect("a good URL");
    let app = AppQueries::new("app-shop", &"shop".parse().expect("a name"));
    let metrics = RequestMetrics {
        requests: Some("requests_total".to_owned()),
        status_label: "code".to_owned(),
        duration: Some("duration_seconds".to_owned()),
    };
    let found = prometheus.summary(&app.clone().metrics(metrics), NOW).await.expect("an answer");
    let wanted = AppMetrics {
        availability_percent: Some(3.0),
        requests_per_second: Some(3.0),
        p95_seconds: None,
        error_ratio: None,
        memory_ratio: Some(0.5),
        cpu_cores: Some(3.0),
        restarts: Some(3.0),
    };
    assert_eq!(found, wanted);
    assert_eq!(server.asked().len(), 7);
    let silent = prometheus.summary(&app, NOW).await.expect("an answer");
    assert_eq!(silent, AppMetrics { requests_per_second: None, ..wanted });
}
