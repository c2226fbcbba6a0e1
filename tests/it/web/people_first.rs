//! The first start: one administrator, whatever happens; and who may use a fleet repository over Git.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wooo::domain::{AppName, Role};
use wooo::store::AppRecord;
use wooo::web::git_http::{Question, Service, Verdict};
use wooo::web::people::{ADMIN_EMAIL, PASSWORD_FILE, TOKEN_FILE, authorise_git, bootstrap};

use super::people_world::{World, settings};
use crate::store::{Database, on_both};

on_both! { the_first_administrator_is_made_once, replicas_that_start_at_once_make_one }

fn text(path: std::path::PathBuf) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

async fn the_first_administrator_is_made_once(db: Database) {
    let world = World::start(db, settings()).await;
    let data = tempfile::tempdir().unwrap();
    // Killed after the password was written, and half a token beside its place.
    fs::write(data.path().join(PASSWORD_FILE), "chosen before it started\n").unwrap();
    let refused = bootstrap(&world.auth, data.path()).await;
    if fs::metadata(data.path().join(PASSWORD_FILE)).unwrap().permissions().mode() & 0o077 != 0 {
        assert_eq!(refused.unwrap_err().code(), "auth.keys");
    }
    fs::set_permissions(data.path().join(PASSWORD_FILE), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(data.path().join(format!("{TOKEN_FILE}.half")), "wooo_").unwrap();
    let made = bootstrap(&world.auth, data.path()).await.unwrap().unwrap();
    assert_eq!((made.email, &made.token_file), (ADMIN_EMAIL, &data.path().join(TOKEN_FILE)));
    for file in [PASSWORD_FILE, TOKEN_FILE] {
        let mode = fs::metadata(data.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    world.login(ADMIN_EMAIL, "chosen before it started").await.expect(200);
    let token = text(made.token_file);
    world.ask(&token, "GET", "/api/users", Value::Null).await.expect(200);
    assert_eq!(bootstrap(&world.auth, data.path()).await.unwrap(), None);
    assert_eq!(text(data.path().join(TOKEN_FILE)), token, "a later start changes nothing");
    let trail = world.trail().await;
    assert_eq!(trail.iter().filter(|(by, act)| by == "wooo" && act == "person.create").count(), 1);
}

async fn replicas_that_start_at_once_make_one(db: Database) {
    let world = World::start(db, settings()).await;
    let shared = tempfile::tempdir().unwrap();
    let own: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let folders = own.iter().chain([&shared, &shared, &shared]);
    let starts = folders.map(|folder| {
        let (auth, path) = (world.auth.clone(), folder.path().to_owned());
        tokio::spawn(async move { bootstrap(&auth, &path).await.unwrap() })
    });
    let starts: Vec<_> = starts.collect();
    let mut made = Vec::new();
    for start in starts {
        made.extend(start.await.unwrap());
    }
    assert_eq!(made.len(), 1, "{made:?}");
    world.login(ADMIN_EMAIL, &text(made[0].password_file.clone())).await.expect(200);
    world.ask(&text(made[0].token_file.clone()), "GET", "/api/users", Value::Null).await.expect(200);
    // Nobody else keeps a secret that opens nothing.
    for folder in own.iter().chain([&shared]) {
        let is_winner = made[0].token_file.parent() == Some(folder.path());
        for file in [PASSWORD_FILE, TOKEN_FILE] {
            assert_eq!(folder.path().join(file).exists(), is_winner, "{file} in {}", folder.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_repository_is_for_those_who_have_all_of_it() {
    let world = World::start(Database::sqlite(), settings()).await;
    world.person("root@example.com", true).await;
    let all = world.person("all@example.com", false).await;
    world.give(&all, "growth", Role::Viewer).await;
    world.give(&all, "core", Role::Owner).await;
    let one = world.person("one@example.com", false).await;
    world.give(&one, "growth", Role::Owner).await;
    let token = async |email: &str, body: Value| {
        let session = world.session(email).await;
        let made = world.ask(&session, "POST", "/api/auth/tokens", body).await.expect(201);
        made.body["token"].as_str().unwrap().to_owned()
    };
    let scoped = |scope: &str| json!({"name": "git", "scopes": [scope]});
    let root = token("root@example.com", scoped("admin")).await;
    let root_reads = token("root@example.com", scoped("read")).await;
    let root_of_one = token("root@example.com", json!({"name": "g", "scopes": ["admin"], "tenant": "growth"})).await;
    let everybody = token("all@example.com", scoped("admin")).await;
    let alone = token("one@example.com", scoped("admin")).await;
    let fleets = BTreeMap::from([("fleet".parse().unwrap(), "main".parse().unwrap())]);
    let authorise = authorise_git(world.auth.clone(), fleets, Some("the service's own".into()));
    let ask = async |headers: &[(&'static str, String)], repository: &str, service: Service| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        authorise(Question { repository: repository.parse().unwrap(), service, headers: map }).await
    };
    let basic = |password: &str| vec![("authorization", format!("Basic {}", STANDARD.encode(format!("x:{password}"))))];
    let said = |verdict: &Verdict| match verdict {
        Verdict::Allowed { is_service, .. } => {
            if *is_service {
                "service"
            } else {
                "yes"
            }
        }
        Verdict::Refused => "no",
        Verdict::Unknown => "unknown",
        Verdict::Unavailable => "unavailable",
    };
    for (password, fetch, push, other) in [
        (&root, "yes", "yes", "yes"),
        (&root_reads, "yes", "no", "yes"),
        (&root_of_one, "no", "no", "no"),
        (&everybody, "yes", "no", "no"),
        (&alone, "no", "no", "no"),
        (&"the service's own".to_owned(), "service", "service", "service"),
        (&"the service's".to_owned(), "unknown", "unknown", "unknown"),
        (&String::new(), "unknown", "unknown", "unknown"),
    ] {
        let headers = basic(password);
        assert_eq!(said(&ask(&headers, "fleet", Service::Fetch).await), fetch);
        assert_eq!(said(&ask(&headers, "fleet", Service::Push).await), push);
        assert_eq!(said(&ask(&headers, "other", Service::Fetch).await), other);
    }
    assert_eq!(said(&ask(&[], "fleet", Service::Fetch).await), "unknown");
    let cookie = format!("__Host-wooo={}", world.session("root@example.com").await);
    assert_eq!(said(&ask(&[("cookie", cookie)], "fleet", Service::Push).await), "unknown", "a page may send it");
    // What belongs to no tenant is for administrators.
    let name: AppName = "secret-app".parse().unwrap();
    let app = AppRecord::new("main".parse().unwrap(), name, "basic".parse().unwrap(), jiff::Timestamp::now());
    let mut tx = world.store.begin().await.unwrap();
    tx.put_app(&app).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(said(&ask(&basic(&everybody), "fleet", Service::Fetch).await), "no");
    assert_eq!(said(&ask(&basic(&root), "fleet", Service::Fetch).await), "yes");
}
