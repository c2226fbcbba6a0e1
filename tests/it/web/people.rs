//! People over HTTP: sessions, tokens, accounts, members, and the rules of all routes.

use serde_json::{Value, json};
use wooo::domain::Role;
use wooo::web::auth::{AuthSettings, Rule};

use super::issuer::Provider;
use super::people_world::{PASSWORD, World, key, settings};
use crate::store::{Database, on_both};

on_both! {
    wrong_passwords_lock_an_account,
    tokens_are_shown_once_and_end,
    the_last_administrator_stays,
    two_administrators_cannot_remove_each_other,
    owners_give_roles_in_their_tenant,
}

const ADMIN: &str = "root@example.com";
const ALICE: &str = "alice@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_and_out() {
    let world = World::start(Database::sqlite(), settings()).await;
    world.person(ALICE, false).await;
    let json_type = ("content-type", "application/json");
    let body = json!({"email": ALICE, "password": PASSWORD}).to_string();
    let evil = [json_type, ("sec-fetch-site", "cross-site")];
    world.send("POST", "/api/auth/login", &evil, body.clone()).await.problem(403, "auth.csrf");
    let heard = world.send("POST", "/api/auth/login", &[json_type], body).await.expect(200);
    assert_eq!(heard.body["token"], Value::Null);
    assert_eq!(heard.headers["cache-control"], "no-store");
    let cookie = heard.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-wooo=") && cookie.contains("HttpOnly"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let me = world.send("GET", "/api/auth/me", &[("cookie", cookie)], String::new()).await.expect(200);
    assert_eq!((&me.body["csrf"], &me.body["name"]), (&heard.body["csrf"], &json!("local:alice@example.com")));
    let code = me.body["csrf"].as_str().unwrap();
    let here = ("sec-fetch-site", "same-origin");
    world.send("POST", "/api/auth/logout", &[("cookie", cookie), here], String::new()).await.problem(403, "auth.csrf");
    let with_code = [("cookie", cookie), here, ("x-wooo-csrf", code)];
    let left = world.send("POST", "/api/auth/logout", &with_code, String::new()).await.expect(204);
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    world.send("GET", "/api/auth/me", &[("cookie", cookie)], String::new()).await.problem(401, "auth.token_invalid");
    world.login(ALICE, "hunter2 hunter2").await.problem(401, "auth.credentials");
    let page = world.store.audit(&Default::default(), &Default::default()).await.unwrap();
    assert!(page.items.iter().all(|entry| entry.address.is_some()), "{page:?}");
    assert!(!format!("{page:?}").contains("hunter2"));
    let acts: Vec<String> = world.trail().await.into_iter().map(|(_, action)| action).collect();
    assert_eq!(acts, ["session.begin", "session.end", "session.refuse"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_with_the_old_one() {
    let world = World::start(Database::sqlite(), settings()).await;
    world.person(ALICE, false).await;
    let token = world.session(ALICE).await;
    let change = async |old: &str, new: &str| {
        world.ask(&token, "POST", "/api/auth/password", json!({"old": old, "new": new})).await
    };
    change(PASSWORD, "short").await.problem(422, "auth.password");
    change(PASSWORD, "another long password").await.expect(204);
    world.ask(&token, "GET", "/api/auth/me", Value::Null).await.problem(401, "auth.token_invalid");
    world.login(ALICE, PASSWORD).await.problem(401, "auth.credentials");
    let token = world.login(ALICE, "another long password").await.expect(200).body["token"].clone();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let body = json!({"old": "a wrong old one", "new": PASSWORD});
        statuses.push(world.ask(token.as_str().unwrap(), "POST", "/api/auth/password", body).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429], "a stolen session does not guess the password");
}

async fn wrong_passwords_lock_an_account(db: Database) {
    let world = World::start(db, settings()).await;
    world.person(ALICE, false).await;
    for email in [ALICE, "nobody@example.com"] {
        for _ in 0..5 {
            world.login(email, "wrong").await.problem(401, "auth.credentials");
        }
        let locked = world.login(email, PASSWORD).await.problem(429, "auth.locked");
        assert!(locked.headers.contains_key("retry-after"));
    }
    let trail = world.trail().await;
    let refused = |actor: &str| trail.iter().filter(|(by, act)| by == actor && act == "session.refuse").count();
    assert_eq!((refused("local:alice@example.com"), refused("anonymous")), (5, 5), "{trail:?}");
}

async fn tokens_are_shown_once_and_end(db: Database) {
    let world = World::start(db, settings()).await;
    let alice = world.person(ALICE, false).await;
    world.give(&alice, "growth", Role::Deployer).await;
    world.person("bob@example.com", false).await;
    let (session, other) = (world.session(ALICE).await, world.session("bob@example.com").await);
    let path = "/api/auth/tokens";
    for (body, code) in [
        (json!({"name": "ci", "scopes": []}), "auth.token_value"),
        (json!({"name": " ", "scopes": ["read"]}), "auth.token_value"),
        (json!({"name": "ci", "scopes": ["root"]}), "spec.value"),
        (json!({"name": "ci", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}), "auth.token_value"),
        (json!({"name": "ci", "scope": ["read"]}), "spec.unknown_field"),
    ] {
        world.ask(&session, "POST", path, body).await.problem(422, code);
    }
    let body = json!({"name": "ci", "scopes": ["deploy"], "role": "viewer", "tenant": "growth"});
    let made = world.ask(&session, "POST", path, body).await.expect(201);
    let (token, id) = (made.body["token"].as_str().unwrap(), made.body["id"].as_str().unwrap());
    let me = world.ask(token, "GET", "/api/auth/me", Value::Null).await.expect(200);
    assert_eq!((&me.body["kind"], &me.body["roles"][0]["role"]), (&json!("token"), &json!("viewer")));
    assert_eq!(me.body["csrf"], Value::Null);
    world.ask(token, "POST", path, json!({"name": "x", "scopes": ["read"]})).await.problem(403, "auth.forbidden");
    let listed = world.ask(&session, "GET", path, Value::Null).await.expect(200);
    assert!(!listed.text.contains(token) && listed.text.contains(id));
    world.ask(&other, "DELETE", &format!("{path}/{id}"), Value::Null).await.problem(404, "store.not_found");
    world.ask(&session, "DELETE", &format!("{path}/{id}"), Value::Null).await.expect(204);
    world.ask(token, "GET", "/api/auth/me", Value::Null).await.problem(401, "auth.token_invalid");
    let page = world.store.audit(&Default::default(), &Default::default()).await.unwrap();
    assert!(!format!("{page:?}").contains(token));
    assert_eq!(page.items.iter().filter(|entry| entry.action.starts_with("token.")).count(), 2);
}

async fn the_last_administrator_stays(db: Database) {
    let world = World::start(db, settings()).await;
    let root = world.person(ADMIN, true).await;
    let session = world.session(ADMIN).await;
    let own = format!("/api/users/{root}");
    world.ask(&session, "PATCH", &own, json!({"is_admin": false})).await.problem(409, "user.last_admin");
    world.ask(&session, "DELETE", &own, Value::Null).await.problem(409, "user.last_admin");
    for (body, status, code) in [
        (json!({"email": "no address", "password": PASSWORD}), 422, "user.value"),
        (json!({"email": "a@example.com"}), 422, "user.value"),
        (json!({"email": "a@example.com", "password": "short"}), 422, "auth.password"),
        (json!({"email": "ROOT@example.com", "password": PASSWORD}), 409, "user.exists"),
        (json!({"account": {"provider": "nowhere", "subject": "1"}}), 422, "user.value"),
    ] {
        world.ask(&session, "POST", "/api/users", body).await.problem(status, code);
    }
    let body = json!({"email": " Bob@Example.com", "password": PASSWORD, "name": "Bob", "company": "Acme"});
    let bob = world.ask(&session, "POST", "/api/users", body).await.expect(201).body;
    assert_eq!((&bob["email"], &bob["is_admin"]), (&json!("bob@example.com"), &json!(false)));
    let theirs = format!("/api/users/{}", bob["id"].as_str().unwrap());
    let of_bob = world.session("bob@example.com").await;
    world.ask(&of_bob, "GET", &theirs, Value::Null).await.problem(403, "auth.forbidden");
    let change = json!({"name": null, "telegram_chat_id": "42"});
    let changed = world.ask(&session, "PATCH", &theirs, change).await.expect(200).body;
    assert_eq!((&changed["name"], &changed["company"]), (&Value::Null, &json!("Acme")));
    world.ask(&of_bob, "GET", "/api/auth/me", Value::Null).await.expect(200);
    world.ask(&session, "PATCH", &theirs, json!({"is_admin": true})).await.expect(200);
    world.ask(&of_bob, "GET", "/api/auth/me", Value::Null).await.problem(401, "auth.token_invalid");
    world.ask(&session, "DELETE", &own, Value::Null).await.expect(204);
    world.ask(&session, "GET", "/api/users", Value::Null).await.problem(401, "auth.token_invalid");
    let of_bob = world.session("bob@example.com").await;
    let people = world.ask(&of_bob, "GET", "/api/users?limit=1", Value::Null).await.expect(200).body;
    assert_eq!((people["items"].as_array().unwrap().len(), &people["next"]), (1, &Value::Null));
    world.ask(&of_bob, "GET", &own, Value::Null).await.problem(404, "user.not_found");
}

async fn two_administrators_cannot_remove_each_other(db: Database) {
    let world = World::start(db, settings()).await;
    let (a, b) = (world.person("a@example.com", true).await, world.person("b@example.com", true).await);
    let (of_a, of_b) = (world.session("a@example.com").await, world.session("b@example.com").await);
    let (to_a, to_b) = (format!("/api/users/{a}"), format!("/api/users/{b}"));
    let (first, second) = tokio::join!(
        world.ask(&of_a, "PATCH", &to_b, json!({"is_admin": false})),
        world.ask(&of_b, "DELETE", &to_a, Value::Null),
    );
    let mut done = [first.status, second.status];
    done.sort_unstable();
    // The slower one is refused as the last one, or is nobody any more.
    assert!(done[0] <= 204 && done[1] >= 401, "{} {}", first.text, second.text);
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.hold_admins().await.unwrap().len(), 1);
}

async fn owners_give_roles_in_their_tenant(db: Database) {
    let world = World::start(db, settings()).await;
    let owner = world.person(ALICE, false).await;
    world.give(&owner, "growth", Role::Owner).await;
    let bob = world.person("bob@example.com", false).await;
    let (session, of_bob) = (world.session(ALICE).await, world.session("bob@example.com").await);
    let members = "/api/tenants/main/growth/members";
    for path in
        ["/api/tenants/main/core/members", "/api/tenants/main/none/members", "/api/tenants/other/growth/members"]
    {
        let heard = world.ask(&session, "GET", path, Value::Null).await.problem(404, "tenant.not_found");
        assert_eq!(heard.body["detail"], "there is no such tenant");
        let body = json!({"user": bob, "role": "owner"});
        world.ask(&session, "PUT", path, body).await.problem(404, "tenant.not_found");
    }
    world.ask(&of_bob, "GET", members, Value::Null).await.problem(404, "tenant.not_found");
    world
        .ask(&session, "PUT", members, json!({"user": "x@y.z", "role": "viewer"}))
        .await
        .problem(404, "user.not_found");
    let put = json!({"user": "Bob@example.com", "role": "deployer"});
    world.ask(&session, "PUT", members, put.clone()).await.expect(200);
    world.ask(&of_bob, "GET", "/api/auth/me", Value::Null).await.problem(401, "auth.token_invalid");
    let of_bob = world.session("bob@example.com").await;
    world.ask(&session, "PUT", members, put).await.expect(200);
    world.ask(&of_bob, "GET", members, Value::Null).await.problem(403, "auth.forbidden");
    let listed = world.ask(&session, "GET", members, Value::Null).await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let theirs = format!("{members}/{bob}");
    world.ask(&session, "DELETE", &theirs, Value::Null).await.expect(204);
    world.ask(&of_bob, "GET", "/api/auth/me", Value::Null).await.problem(401, "auth.token_invalid");
    world.ask(&session, "DELETE", &theirs, Value::Null).await.problem(404, "user.not_member");
    let page = world.store.audit(&Default::default(), &Default::default()).await.unwrap();
    let acts: Vec<_> = page.items.iter().filter(|entry| entry.action.starts_with("member.")).collect();
    assert_eq!(acts.len(), 2);
    assert!(acts.iter().all(|entry| entry.tenant == Some(key("growth").tenant) && entry.address.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_exchanges_its_token() {
    let provider = Provider::start().await;
    let pipelines = serde_json::from_value(json!({
        "issuers": {"github": {"url": provider.url, "kind": "github"}},
        "rules": [{"issuer": "github", "repository_id": 1, "fleet": "main", "tenant": "growth"}],
    }));
    let settings = AuthSettings { pipelines: pipelines.unwrap(), ..settings() };
    let world = World::start(Database::sqlite(), settings).await;
    let now = jsonwebtoken::get_current_timestamp();
    let sign = |repository: &str| {
        provider.sign(
            "rsa-1",
            &json!({
                "iss": provider.url, "aud": "https://wooo.example", "sub": "repo", "iat": now, "nbf": now,
                "exp": now + 300, "repository": "acme/shop", "repository_id": repository,
                "ref": "refs/heads/main", "ref_protected": "true", "event_name": "push",
            }),
        )
    };
    let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
    let kind = "urn:ietf:params:oauth:token-type:id_token";
    let fields = |grant: &str, token: &str| {
        let fields = [("grant_type", grant), ("subject_token", token), ("subject_token_type", kind)];
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let exchange = async |body: String| world.send("POST", "/api/auth/exchange", &form, body).await;
    let heard = exchange(fields(grant, &sign("1"))).await.expect(200);
    assert_eq!((&heard.body["token_type"], &heard.body["expires_in"]), (&json!("Bearer"), &json!(600)));
    let token = heard.body["access_token"].as_str().unwrap();
    let me = world.ask(token, "GET", "/api/auth/me", Value::Null).await.expect(200).body;
    assert_eq!((&me["kind"], &me["user"]), (&json!("pipeline"), &Value::Null));
    world.ask(token, "GET", "/api/users", Value::Null).await.problem(403, "auth.forbidden");
    let body = json!({"grant_type": grant, "subject_token": sign("1"), "subject_token_type": kind});
    world.ask("", "POST", "/api/auth/exchange", body).await.expect(200);
    exchange(fields(grant, &sign("2"))).await.problem(403, "auth.exchange_denied");
    exchange(fields(grant, "x.y.z")).await.problem(401, "auth.token_invalid");
    exchange(fields("password", &sign("1"))).await.problem(400, "auth.grant");
    exchange(format!("{}&grant_type=x", fields(grant, &sign("1")))).await.problem(400, "auth.grant");
    exchange(String::new()).await.problem(400, "auth.grant");
    let plain = [("content-type", "text/plain")];
    world.send("POST", "/api/auth/exchange", &plain, String::new()).await.problem(415, "body.content_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_a_forge() {
    use wooo::web::auth::forge_login::{ProviderKind, ProviderSettings};
    let provider = Provider::start().await;
    let mut settings = settings();
    settings.providers.push(ProviderSettings {
        name: "github".to_owned(),
        kind: ProviderKind::Github,
        url: provider.url.clone(),
        client_id: super::issuer::CLIENT.to_owned(),
        client_secret: super::issuer::SECRET.into(),
    });
    let world = World::start(Database::sqlite(), settings).await;
    world.person(ADMIN, true).await;
    let root = world.session(ADMIN).await;
    let listed = world.ask("", "GET", "/api/auth/providers", Value::Null).await.expect(200).body;
    assert_eq!(listed["items"], json!([{"name": "github", "kind": "github", "href": "/api/auth/forge/github"}]));
    world.ask("", "GET", "/api/auth/forge/nowhere", Value::Null).await.problem(404, "auth.unknown_provider");
    let sign_in = async || {
        let begun = world.ask("", "GET", "/api/auth/forge/github?next=/apps", Value::Null).await.expect(302);
        let (code, state) = provider.approve(&begun.headers["location"].to_str().unwrap().parse().unwrap());
        let cookie = begun.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let path = format!("/api/auth/forge/github/callback?code={code}&state={state}");
        let stolen = world.ask("", "GET", &path, Value::Null).await.problem(400, "auth.flow");
        assert!(stolen.headers["set-cookie"].to_str().unwrap().starts_with("__Host-wooo-sign-in=;"));
        world.send("GET", &path, &[("cookie", &cookie)], String::new()).await
    };
    sign_in().await.problem(401, "auth.denied");
    let body =
        json!({"name": "Alice", "account": {"provider": "github", "subject": super::issuer::PERSON.to_string()}});
    world.ask(&root, "POST", "/api/users", body.clone()).await.expect(201);
    world.ask(&root, "POST", "/api/users", body).await.problem(409, "user.exists");
    let heard = sign_in().await.expect(302);
    assert_eq!(heard.headers["location"], "/apps");
    let cookies: Vec<&str> = heard.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with("__Host-wooo=") && cookies[1].contains("Max-Age=0"), "two cookies");
    let session = cookies[0].split(';').next().unwrap();
    let me = world.send("GET", "/api/auth/me", &[("cookie", session)], String::new()).await.expect(200).body;
    assert_eq!(me["name"], "github:alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_keeps_its_rule() {
    let world = World::start(Database::sqlite(), settings()).await;
    world.person(ADMIN, true).await;
    let mut people = vec![("", String::new())];
    for (email, role) in
        [("v@example.com", Role::Viewer), ("d@example.com", Role::Deployer), ("o@example.com", Role::Owner)]
    {
        let user = world.person(email, false).await;
        world.give(&user, "core", role).await;
        people.push((email, world.session(email).await));
    }
    people.push((ADMIN, world.session(ADMIN).await));
    let made = json!({"name": "t", "scopes": ["admin"]});
    let token = world.ask(&people[4].1, "POST", "/api/auth/tokens", made).await.expect(201).body["token"].clone();
    people.push(("token", token.as_str().unwrap().to_owned()));
    for row in &world.site.table {
        let path = row.path.replace("{fleet}", "main").replace("{tenant}", "growth").replace("{*rest}", "x");
        let path = path.replace("{id}", "made-up").replace("{name}", "made-up").replace("{user}", "made-up");
        let path = path.replace("{provider}", "made-up");
        for (who, token) in &people {
            // Who sends is proved by a signature, which is a rule of its own.
            if row.path.starts_with("/webhooks/") {
                continue;
            }
            // It would end the session that the next rows are asked with.
            if row.path == "/api/auth/logout" && !matches!(*who, "" | "token") {
                continue;
            }
            let body = if row.method == "GET" { Value::Null } else { json!({"never": "valid"}) };
            let heard = world.ask(token, row.method.as_str(), &path, body).await;
            let name = format!("{} {} as `{who}`: {} {}", row.method, row.path, heard.status, heard.text);
            assert!(heard.status < 500, "{name}");
            let is_admin = matches!(*who, ADMIN | "token");
            match row.rule {
                Rule::Public => assert!(!matches!(heard.status, 401 | 403), "{name}"),
                _ if who.is_empty() => assert_eq!(heard.status, 401, "{name}"),
                Rule::Admin if !is_admin => assert_eq!(heard.status, 403, "{name}"),
                Rule::Person if *who == "token" => assert_eq!(heard.status, 403, "{name}"),
                Rule::Admin | Rule::Person | Rule::SignedIn => assert!(!matches!(heard.status, 401 | 403), "{name}"),
                // Bodies are read before anybody asks what they are about; what is foreign is absent.
                Rule::Tenant(_) if !is_admin && row.path.contains('{') => {
                    assert!(matches!(heard.status, 404 | 400 | 422), "{name}");
                }
                Rule::Tenant(_) => assert_ne!(heard.status, 401, "{name}"),
            }
        }
    }
    // Whatever is described has a rule, and whatever has one below /api/ is described.
    let paths = world.site.description["paths"].as_object().unwrap();
    for (path, item) in paths {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let has_rule = world
                .site
                .table
                .iter()
                .any(|row| row.path == *path && row.method.as_str().eq_ignore_ascii_case(method));
            assert!(has_rule, "{method} {path}");
        }
    }
    for path in ["/api/auth/login", "/api/auth/exchange", "/api/users/{id}", "/api/tenants/{fleet}/{tenant}/members"] {
        assert!(paths.contains_key(path), "{path}");
    }
}
