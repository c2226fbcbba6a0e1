//! A fleet behind a URL: the same verbs, with a server that decides who was faster.

use std::path::Path;
use std::process::{Command, Output};

use crate::git::http_server::GitServer;

const TOKEN: &str = "canary-token-5f1c";
/// `oauth2:<token>` in base64, as HTTP sends it.
const AUTHORIZATION: &str = "Basic b2F1dGgyOmNhbmFyeS10b2tlbi01ZjFj";

fn wooo(server: &GitServer, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wooo"))
        .args(arguments)
        .env("WOOO_GIT_TOKEN", TOKEN)
        .env("WOOO_TRUSTED_ORIGINS", server.origin())
        .env("WOOO_ACTOR", "local:test")
        .output()
        .expect("wooo starts")
}

fn succeed(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    text
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git writes text").trim().to_owned()
}

#[test]
fn a_change_is_proposed_and_merged_on_the_remote() {
    let server = GitServer::new(Some(AUTHORIZATION), Box::new(|_, _| None));
    let bare = server.root().join("fleet.git");
    succeed(&wooo(&server, &["init", bare.to_str().unwrap(), "--bare"]));
    git(&bare, &["config", "http.receivepack", "true"]);
    let url = format!("{}/fleet.git", server.origin());
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/apps/flask-event-system/wooo.yaml");

    succeed(&wooo(&server, &["onboard", spec, "--env", "staging", "--fleet", &url]));
    let branches = git(&bare, &["for-each-ref", "--format=%(refname:short)", "refs/heads/wooo/"]);
    assert!(branches.starts_with("wooo/event-system/staging/onboard-"), "{branches}");
    let proposed = git(&bare, &["rev-parse", &branches]);
    assert_eq!(git(&bare, &["rev-list", "--count", &format!("main..{branches}")]), "1");

    // The same wish again finds the branch, and merging it moves the base to that very commit.
    succeed(&wooo(&server, &["onboard", spec, "--env", "staging", "--fleet", &url, "--merge"]));
    assert_eq!(git(&bare, &["rev-parse", "main"]), proposed);
    assert_eq!(git(&bare, &["for-each-ref", "refs/heads/wooo/"]), "");

    let status = succeed(&wooo(&server, &["status", "--fleet", &url]));
    assert!(status.contains("registry.example/event-system:1.4.2"), "{status}");
    git(&bare, &["fsck", "--full", "--strict"]);
}

#[test]
fn a_wrong_token_is_an_error_that_does_not_say_the_token() {
    let server = GitServer::new(Some("Basic bm90OnRoaXM="), Box::new(|_, _| None));
    let output = wooo(&server, &["status", "--fleet", &format!("{}/fleet.git", server.origin())]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("git.auth") && !text.contains(TOKEN), "{text}");
}

#[test]
fn an_address_inside_the_network_is_refused_unless_it_is_trusted() {
    let server = GitServer::open();
    let output = Command::new(env!("CARGO_BIN_EXE_wooo"))
        .args(["status", "--fleet", &format!("{}/fleet.git", server.origin())])
        .env_remove("WOOO_TRUSTED_ORIGINS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("git.scheme") || text.contains("git.port") || text.contains("git.host_not_allowed"),
        "{text}"
    );
    assert!(server.seen().is_empty());
}

#[test]
fn an_app_is_detected_behind_a_url_without_a_checkout() {
    let server = GitServer::new(Some(AUTHORIZATION), Box::new(|_, _| None));
    let source = server.root().join("app");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/apps/flask-event-system");
    let copied = Command::new("cp").args(["-r", fixture]).arg(&source).status().unwrap();
    assert!(copied.success());
    git(&source, &["init", "--quiet", "-b", "main"]);
    git(&source, &["add", "--all"]);
    git(&source, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "app"]);
    let bare = server.root().join("app.git");
    git(server.root(), &["clone", "--quiet", "--bare", source.to_str().unwrap(), bare.to_str().unwrap()]);
    let url = format!("{}/app.git", server.origin());
    let found = succeed(&wooo(&server, &["detect", &url]));
    assert!(found.starts_with("flask on port 8000, health at /health"), "{found}");
}
