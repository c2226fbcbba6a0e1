//! What holds for all routes: rules, events, idempotency, health, metrics, the description.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::StreamExt as _;
use serde_json::{Value, json};
use wooo::web::auth::Rule;

use super::api_world::{World, hear};

#[tokio::test(flavor = "multi_thread")]
async fn every_route_keeps_its_rule_for_every_role_and_tenant() {
    let world = World::start().await;
    let (app, change) = world.onboard("admin", "shop").await;
    let everybody = [
        "",
        "nobody",
        "viewer@growth",
        "deployer@growth",
        "owner@growth",
        "viewer@core",
        "deployer@core",
        "owner@core",
        "admin",
    ];
    let table = world.site.table.clone();
    assert!(table.len() > 40, "{} routes", table.len());
    for row in &table {
        let is_change = row.path.starts_with("/api/changes/");
        let path = row.path.replace("{id}", if is_change { &change } else { &app });
        let path = path.replace("{name}", "main").replace("{*rest}", "index.css");
        let names_one = row.path.contains("{id}");
        for who in everybody {
            let body = if row.method == "GET" { None } else { Some(json!({"never": "valid"})) };
            // What deletes or follows would do something or last; refused it has to be for these all the same.
            let may = match (row.rule, who) {
                (Rule::Public, _) => true,
                (_, "") => false,
                (Rule::Admin, who) => who == "admin",
                (Rule::Tenant(_), "admin") => true,
                (Rule::Tenant(role), who) => match who.split_once('@') {
                    Some((own, "growth")) => own.parse::<wooo::domain::Role>().unwrap() >= role,
                    _ => !names_one,
                },
                (Rule::SignedIn | Rule::Person, _) => true,
            };
            // A forge's webhook shows who it is by a signature, and every one without is refused alike.
            if row.path.starts_with("/webhooks/") {
                continue;
            }
            if may && (row.method == "DELETE" || row.path.ends_with("/events") || row.path.ends_with("index")) {
                continue;
            }
            let heard = world.ask(who, row.method.as_str(), &path, &[], body).await;
            let name = format!("{} {} as `{who}`: {} {}", row.method, row.path, heard.status, heard.text);
            match (may, who) {
                (true, _) => assert!(!matches!(heard.status, 401 | 403), "{name}"),
                (false, "") => assert_eq!(heard.status, 401, "{name}"),
                // A body that is no body is refused before anybody asks whose the app is.
                (false, _) => assert!(matches!(heard.status, 403 | 404 | 422), "{name}"),
            }
            assert!(heard.headers.contains_key("x-request-id"), "{name}");
            assert!(heard.headers.contains_key("content-security-policy"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_twice_is_done_once() {
    let world = World::start().await;
    let body = json!({"name": "shop", "framework": "flask", "image": "registry.example/shop:1.0.0"});
    let key = [("idempotency-key", "3b1f0c1e-one")];
    let ask = async |who: &str, key: &[(&str, &str)], body: &Value| {
        world.ask(who, "POST", "/api/apps", key, Some(body.clone())).await
    };
    let first = ask("deployer@growth", &key, &body).await.expect(202);
    let second = ask("deployer@growth", &key, &body).await.expect(202);
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["location"], second.headers["location"]);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    let other = json!({"name": "event-system", "framework": "flask"});
    ask("deployer@growth", &key, &other).await.problem(409, "idempotency.mismatch");
    // Somebody else's key is another key.
    let theirs = ask("owner@growth", &key, &body).await.expect(200);
    assert!(!theirs.headers.contains_key("idempotency-replayed"));
    ask("deployer@growth", &[("idempotency-key", "")], &body).await.problem(400, "idempotency.key");
    // What was refused has done nothing, and its key is free.
    let key = [("idempotency-key", "two")];
    ask("deployer@growth", &key, &json!({"name": "Bad_Name"})).await.expect(422);
    ask("deployer@growth", &key, &json!({"name": "event-system", "framework": "flask", "image": "x.example/e:1"}))
        .await
        .expect(202);
    let changes = world.get("admin", "/api/changes").await.expect(200);
    assert_eq!(changes.body["items"].as_array().unwrap().len(), 2);
}

async fn next_event(stream: &mut axum::body::BodyDataStream, rest: &mut String) -> Option<(String, Value)> {
    loop {
        while let Some((event, after)) = rest.clone().split_once("\n\n") {
            *rest = after.to_owned();
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
            };
            if let (Some(id), Some(data)) = (field("id"), field("data")) {
                return Some((id, serde_json::from_str(&data).unwrap()));
            }
        }
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.unwrap()?.unwrap();
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_change_is_told_as_it_happens() {
    let world = World::start().await;
    let (_, change) = world.onboard("deployer@growth", "shop").await;
    let request = |last: Option<&str>| {
        let mut builder = Request::get(format!("/api/changes/{change}/events")).header("x-test-as", "viewer@growth");
        if let Some(last) = last {
            builder = builder.header("last-event-id", last);
        }
        builder.body(Body::empty()).unwrap()
    };
    let response = world.raw(request(None)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let mut stream = response.into_body().into_data_stream();
    let mut rest = String::new();
    let mut states = Vec::new();
    let mut last = String::new();
    while let Some((id, event)) = next_event(&mut stream, &mut rest).await {
        last = id;
        let state = event["change"]["state"].as_str().unwrap().to_owned();
        if state == "proposed" && !states.contains(&state) {
            let path = format!("/api/changes/{change}/close");
            world.post("deployer@growth", &path, json!({"reason": "enough"})).await.expect(200);
        }
        states.push(state);
    }
    states.dedup();
    assert_eq!(states.last().map(String::as_str), Some("closed"), "{states:?}");
    assert!(states.contains(&"proposed".to_owned()), "{states:?}");
    // Who has heard the last is told so, and does not come back.
    assert_eq!(world.raw(request(Some(&last))).await.status(), 204);
    let response = world.raw(request(Some("1.00000000"))).await;
    let told = hear(response).await;
    assert!(told.text.contains("closed"), "{}", told.text);
    // One caller does not hold all the streams.
    let (_, open) = world.onboard("deployer@growth", "event-system").await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        let request = Request::get(format!("/api/changes/{open}/events")).header("x-test-as", "viewer@growth");
        streams.push(world.raw(request.body(Body::empty()).unwrap()).await);
    }
    let path = format!("/api/changes/{open}/events");
    let refused = world.get("viewer@growth", &path).await.problem(429, "rate.streams");
    assert!(refused.headers.contains_key("retry-after"));
    drop(streams);
    let again = Request::get(path).header("x-test-as", "viewer@growth").body(Body::empty()).unwrap();
    assert_eq!(world.raw(again).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_the_description_are_for_everybody() {
    let world = World::start().await;
    world.get("admin", "/api/apps").await.expect(200);
    assert_eq!(world.get("", "/healthz").await.expect(200).body["status"], "ok");
    assert_eq!(world.get("", "/readyz").await.expect(200).body["status"], "ready");
    let metrics = world.get("", "/metrics").await.expect(200).text;
    for series in [
        "wooo_http_requests_total{method=\"GET\",route=\"/api/apps\",status=\"200\"} 1",
        "wooo_http_request_duration_seconds_bucket",
        "wooo_jobs{",
        "wooo_oldest_job_wait_seconds",
        "wooo_build_info{version=",
        "wooo_database_up 1",
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
    let document = world.get("", "/api/openapi.json").await.expect(200).body;
    assert_eq!(document, *world.site.description);
    assert_eq!(document, wooo::web::server::describe(wooo::web::auth::Routes::new()));
    let page = world.get("", "/api/docs/").await.expect(200);
    assert!(page.text.contains("swagger"), "{}", page.text);
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    assert_eq!(world.get("", "/api/docs").await.status, 308);
    world.get("", "/api/docs/nothing.js").await.problem(404, "http.no_route");
    world.get("admin", "/nowhere").await.problem(404, "http.no_route");
    world.ask("admin", "PUT", "/api/apps", &[], None).await.problem(405, "http.method");
    world.state.store().close().await;
    world.get("", "/readyz").await.problem(503, "service.unready");
    assert!(world.get("", "/metrics").await.expect(200).text.contains("wooo_database_up 0"));
    let down = world.get("admin", "/api/apps").await.problem(503, "store.unavailable");
    assert!(down.headers.contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_limits_and_a_form() {
    let world = World::start().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = Request::post("/api/apps").header("x-test-as", "admin").header("content-type", content_type);
        hear(world.raw(request.body(Body::from(body)).unwrap()).await).await
    };
    send("text/plain", b"{}".to_vec()).await.problem(415, "body.content_type");
    send("application/json", vec![b' '; (1 << 20) + 1]).await.problem(413, "body.too_large");
    send("application/json", b"{\"name\": \"a\", \"name\": \"b\"}".to_vec()).await.problem(400, "body.malformed");
    send("application/json", b"[]".to_vec()).await.problem(422, "spec.value");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_offers_is_told_without_its_secrets() {
    let world = World::start().await;
    let settings = world.get("viewer@core", "/api/settings").await.expect(200).body;
    assert_eq!(settings["fleets"][0]["tenants"], json!(["core"]));
    assert_eq!(settings["fleets"][0]["environments"][0]["name"], "staging");
    assert!(settings.get("clusters").is_none() && settings["is_sandbox"] == true, "{settings}");
    assert!(world.get("admin", "/api/settings").await.expect(200).body["clusters"].is_array());
    let templates = world.get("viewer@core", "/api/templates").await.expect(200).body;
    let templates = templates["items"].as_array().unwrap();
    assert!(templates.len() > 20 && templates.iter().all(|one| one["source"] == "builtin"), "{templates:?}");
    let name = templates[0]["name"].as_str().unwrap();
    let one = world.get("viewer@core", &format!("/api/templates/text?name={name}")).await.expect(200).body;
    assert!(one["text"].as_str().is_some_and(|text| !text.is_empty()));
    world.get("viewer@core", "/api/templates/text?name=x").await.problem(404, "template.unknown");
    assert_eq!(world.ask("admin", "POST", "/api/fleets/main/refresh", &[], None).await.status, 202);
    assert_eq!(world.ask("admin", "POST", "/api/fleets/main/reindex", &[], None).await.status, 202);
    world.ask("admin", "POST", "/api/fleets/other/refresh", &[], None).await.problem(404, "fleet.not_found");
    world.ask("owner@core", "POST", "/api/fleets/main/refresh", &[], None).await.problem(403, "auth.forbidden");
}
