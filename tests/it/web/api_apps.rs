//! Apps and wishes over HTTP.

use serde_json::{Value, json};

use super::api_world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_is_answered_at_once_and_its_merge_request_follows() {
    let world = World::start().await;
    let body = json!({
        "name": "event-system", "display_name": "活動報名網站", "domain": "event.wooo.work", "source_type": "git",
        "source_url": "https://gitlab.com/wooo/event-system.git", "framework": "flask", "plan": "standard",
        "image": "registry.example/event-system:1.0.0", "environment": "production", "reason": "we need it",
    });
    let heard = world.post("deployer@growth", "/api/apps", body.clone()).await.expect(202);
    let steps: Vec<String> = heard.body["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{} {}", step["step"].as_str().unwrap(), step["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        steps,
        [
            "create_namespace pending",
            "deploy_app pending",
            "configure_ingress pending",
            "setup_ssl pending",
            "configure_monitoring pending",
            "setup_auto_repair pending",
        ]
    );
    assert_eq!((&heard.body["status"], &heard.body["namespace"]), (&json!("initializing"), &json!("app-event-system")));
    let (app, change) = (heard.body["app_id"].as_str().unwrap(), heard.body["change_id"].as_str().unwrap());
    assert_eq!(heard.headers["location"], format!("/api/apps/{app}"));
    // The same wish that is still open is the same change.
    let again = world.post("deployer@growth", "/api/apps", body).await.expect(200);
    assert_eq!(again.body["change_id"], change);
    let proposed = world.until(change, "proposed").await;
    assert!(proposed["merge_request"].is_number() && proposed["commit"].is_string(), "{proposed}");
    assert!(proposed["files"].as_array().unwrap().len() > 10, "{proposed}");
    assert_eq!(proposed["reason"], "we need it");
    let diff = world.get("viewer@growth", &format!("/api/changes/{change}/diff")).await.expect(200);
    assert!(diff.text.contains("+++ b/rendered/production/event-system"), "{}", diff.text);
    let read = world.get("viewer@growth", &format!("/api/apps/{app}")).await.expect(200);
    assert_eq!((&read.body["tenant"], &read.body["status"]), (&json!("growth"), &json!("initializing")));
    assert!(read.headers["etag"].to_str().unwrap().starts_with('"'));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_new_app_names_the_field() {
    let world = World::start().await;
    let who = "deployer@growth";
    let refused = async |body: Value, status, code: &str, field: Option<&str>| {
        let heard = world.post(who, "/api/apps", body).await.problem(status, code);
        assert_eq!(heard.body["field"].as_str(), field, "{}", heard.text);
        heard
    };
    let heard = refused(json!({"name": "shop", "replcias": 3}), 422, "spec.unknown_field", Some("replcias")).await;
    assert_eq!(heard.body["hint"], "did you mean `replicas`?");
    refused(json!({"name": "Foo_Bar"}), 422, "spec.value", Some("name")).await;
    refused(json!({"domain": "a.example.com"}), 422, "spec.missing_field", Some("name")).await;
    refused(json!({"name": "shop", "environment": "nowhere"}), 404, "fleet.unknown_environment", None).await;
    refused(json!({"name": "shop", "fleet": "other"}), 404, "fleet.not_found", Some("fleet")).await;
    refused(json!({"name": "shop", "tenant": "core"}), 403, "policy.tenant", Some("tenant")).await;
    // Whose it is counts, not who asks.
    refused(json!({"name": "blog"}), 403, "auth.forbidden", None).await;
    refused(json!({"name": "unlisted"}), 403, "auth.forbidden", None).await;
    for (url, code) in [
        ("file:///etc", "git.scheme"),
        ("https://user:secret@example.com/x.git", "git.userinfo"),
        ("https://127.0.0.1/x.git", "git.host_not_allowed"),
        ("https://example.com:22/x.git", "git.port"),
        // A name that no one can have.
        ("https://nowhere.invalid/x.git", "source.unreachable"),
    ] {
        let heard = refused(json!({"name": "shop", "source_url": url}), 422, code, Some("source_url")).await;
        assert!(!heard.text.contains("secret"), "{}", heard.text);
    }
    let nobody = json!({"name": "shop", "framework": "flask"});
    world.post("", "/api/apps", nobody.clone()).await.problem(401, "auth.required");
    world.post("viewer@growth", "/api/apps", nobody.clone()).await.problem(403, "auth.forbidden");
    world.post("nobody", "/api/apps", nobody).await.problem(403, "auth.forbidden");
    assert_eq!(world.get("admin", "/api/changes").await.expect(200).body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_everything_and_makes_nothing() {
    let world = World::start().await;
    let body = json!({"name": "shop", "framework": "flask", "image": "registry.example/shop:1.0.0"});
    let heard = world.post("deployer@growth", "/api/apps/preview", body).await.expect(200);
    assert_eq!((&heard.body["stage"], &heard.body["diffs"][0]["environment"]), (&json!("planned"), &json!("staging")));
    let paths: Vec<&str> =
        heard.body["rendered"].as_array().unwrap().iter().filter_map(|file| file["path"].as_str()).collect();
    assert!(paths.iter().any(|path| path.starts_with("rendered/staging/shop/deployment")), "{paths:?}");
    assert_eq!(heard.body["spec"], "name: shop\nframework: flask\nimage: registry.example/shop:1.0.0\n");
    assert_eq!(world.get("admin", "/api/apps").await.expect(200).body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_merged_configured_scaled_and_offboarded() {
    let world = World::start().await;
    let who = "deployer@growth";
    let (app, change) = world.onboard(who, "shop").await;
    let proposed = world.until(&change, "proposed").await;
    let head = proposed["commit"].as_str().unwrap();
    let merge = format!("/api/changes/{change}/merge");
    world.post(who, &merge, json!({"head": "x"})).await.problem(422, "spec.value");
    world.post("viewer@growth", &merge, json!({})).await.problem(403, "auth.forbidden");
    world.post(who, &merge, json!({"head": "1".repeat(40)})).await.expect(409);
    world.post(who, &merge, json!({"head": head})).await.expect(202);
    world.until(&change, "merged").await;
    world.post(who, &merge, json!({})).await.problem(409, "change.not_open");
    let path = format!("/api/apps/{app}");
    let mut tries = 0;
    let placed = loop {
        let read = world.get(who, &path).await.expect(200);
        if read.body["placements"] != json!([]) || tries > 100 {
            break read;
        }
        tries += 1;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(placed.body["placements"][0]["image"], "registry.example/shop:1.0.0", "{}", placed.text);
    let tag = placed.headers["etag"].to_str().unwrap().to_owned();
    // What was looked at has to be what is there.
    let patch = json!({"environment": "production", "env": {"TZ": "Asia/Taipei"}});
    let stale = world.ask(who, "PATCH", &path, &[("if-match", "\"9999\"")], Some(patch.clone())).await;
    stale.problem(412, "change.conflict");
    let done = world.ask(who, "PATCH", &path, &[("if-match", tag.as_str())], Some(patch.clone())).await.expect(202);
    assert_eq!(done.body["action"], "configure");
    assert_eq!(done.headers["location"].to_str().unwrap(), done.body["url"].as_str().unwrap());
    let same = world.ask(who, "PATCH", &path, &[], Some(patch)).await.expect(200);
    assert_eq!(same.body["id"], done.body["id"]);
    let scaled = world.post(who, &format!("{path}/scale"), json!({"environment": "production", "replicas": 3})).await;
    assert_eq!(scaled.expect(202).body["action"], "scale");
    let deploy = json!({"app": "shop", "environment": "production", "image": "registry.example/shop:1.1.0"});
    let deployed = world.post(who, "/api/deploy", deploy).await.expect(202);
    world.until(deployed.body["id"].as_str().unwrap(), "proposed").await;
    let unchanged = json!({"app_id": app, "environment": "production", "image": "registry.example/shop:1.0.0"});
    assert_eq!(world.post(who, "/api/deploy", unchanged).await.expect(200).body["state"], "unchanged");
    for (verb, body, status) in [
        ("rollback", json!({"environment": "production"}), 422),
        ("promote", json!({"environment": "production"}), 404),
        ("resize", json!({"environment": "production", "memory": "768Mi"}), 202),
        ("restart", json!({"environment": "production"}), 202),
        ("hold", json!({"environment": "production", "reason": "sale"}), 202),
        ("hold", json!({"environment": "production", "reason": " "}), 422),
        ("scale", json!({"environment": "production", "replicas": "3"}), 422),
    ] {
        let heard = world.post(who, &format!("{path}/{verb}"), body).await;
        assert_eq!(heard.status, status, "{verb}: {}", heard.text);
    }
    let list = world.get(who, "/api/deploy?environment=production").await.expect(200);
    assert!(list.body["items"].as_array().unwrap().iter().any(|row| row["status"] == "deploying"), "{}", list.text);
    let status = world.get(who, &format!("{path}/status")).await.expect(200);
    assert_eq!(status.body["items"][0]["health"], "unknown", "no cluster is followed: {}", status.text);
    let figures = world.get(who, &format!("/api/monitor/apps/{app}")).await.expect(200);
    assert!(figures.body["items"][0]["problem"].is_string(), "{}", figures.text);
    let configs = world.get(who, &format!("{path}/configs")).await.expect(200);
    assert!(configs.body["items"].is_array());
    let gone = world.ask(who, "DELETE", &format!("{path}?reason=over"), &[], None).await.expect(202);
    assert_eq!((&gone.body["action"], &gone.body["reason"]), (&json!("offboard"), &json!("over")));
    let id = gone.body["id"].as_str().unwrap();
    world.until(id, "proposed").await;
    let closed = world.post(who, &format!("/api/changes/{id}/close"), json!({"reason": "not yet"})).await.expect(200);
    assert_eq!(closed.body["state"], "closed");
    let changes = world.get(who, &format!("{path}/changes?limit=200")).await.expect(200);
    assert!(changes.body["items"].as_array().unwrap().len() >= 6, "{}", changes.text);
    let audit = world.get(who, "/api/audit").await.expect(200);
    assert!(audit.body["items"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_show_nobody_elses() {
    let world = World::start().await;
    for number in 0..7 {
        world.onboard("admin", &format!("app-{number}")).await;
    }
    let (blog, blog_change) = world.onboard("admin", "blog").await;
    let mut names = Vec::new();
    let mut path = "/api/apps?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = world.get("viewer@growth", &path).await.expect(200);
        pages += 1;
        names.extend(page.body["items"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(next) => path = format!("/api/apps?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, (0..7).map(|number| format!("app-{number}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    let of =
        async |who: &str, path: &str| world.get(who, path).await.expect(200).body["items"].as_array().unwrap().len();
    assert_eq!(of("viewer@core", "/api/apps").await, 1);
    assert_eq!(of("viewer@core", "/api/changes").await, 1);
    assert_eq!(of("nobody", "/api/apps").await, 0);
    assert_eq!(of("nobody", "/api/changes").await, 0);
    assert_eq!(of("nobody", "/api/deploy").await, 0);
    assert_eq!(of("nobody", "/api/fleets").await, 0);
    assert_eq!(of("admin", "/api/apps?q=app-&framework=flask&tenant=growth&fleet=main").await, 7);
    assert_eq!(of("admin", "/api/apps?status=running").await, 0);
    assert_eq!(of("admin", "/api/changes?app=blog&action=onboard&state=accepted,proposed&actor=local:admin").await, 1);
    // Foreign things answer exactly like absent ones.
    for (foreign, absent) in [
        (format!("/api/apps/{blog}"), "/api/apps/app-0000000000".to_owned()),
        (format!("/api/apps/{blog}/status"), "/api/apps/app-0000000000/status".to_owned()),
        (format!("/api/changes/{blog_change}"), "/api/changes/0195e7a0-7c1e-7000-8000-0123456789ab".to_owned()),
    ] {
        let mut answers = Vec::new();
        for path in [foreign, absent] {
            let heard = world.get("owner@growth", &path).await.expect(404);
            let mut body = heard.body;
            body["trace_id"] = Value::Null;
            answers.push(body);
        }
        assert_eq!(answers[0], answers[1]);
    }
    for (query, status, code) in [
        ("limit=1000000000", 422, "page.too_large"),
        ("limit=0", 422, "page.empty"),
        ("limit=x", 400, "query.invalid"),
        ("cursor=x", 422, "store.cursor"),
        ("framework=cobol", 400, "query.invalid"),
        ("wrong=1", 400, "query.invalid"),
    ] {
        let heard = world.get("admin", &format!("/api/apps?{query}")).await;
        assert_eq!((heard.status, heard.body["code"].as_str()), (status, Some(code)), "{query}: {}", heard.text);
    }
    world.get("admin", "/api/apps/a%00b").await.problem(400, "id.invalid");
    world.get("admin", "/api/changes/x").await.problem(400, "id.invalid");
}
