//! Git over smart HTTP, with real Git clients and some that are none.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use secrecy::SecretString;
use wooo::forge::Protection;
use wooo::git::{
    Access, Credential, FetchRef, Network, NetworkPolicy, PushRef, Remote, RemoteUrl, Repository, UrlPolicy,
};
use wooo::web::git_http::Limits;

use super::server::{Served, complaint, run};
use crate::git::{assert_sound, bare, main_branch, output, signature, write};

fn get(served: &Served, user: &str, path: &str) -> Response {
    let request = Client::new().get(format!("{}/git/{path}", served.origin()));
    request.basic_auth(user, Some("token")).send().unwrap()
}

fn post(served: &Served, path: &str, kind: &str, body: impl Into<reqwest::blocking::Body>) -> Response {
    let request = Client::new().post(format!("{}/git/{path}", served.origin())).header("content-type", kind);
    request.basic_auth("human", Some("token")).body(body).send().unwrap()
}

fn fetch_kind() -> &'static str {
    "application/x-git-upload-pack-request"
}

#[test]
fn every_version_of_the_protocol_clones_and_fetches() {
    let served = Served::new();
    let clone = served.clone_of("human");
    for version in ["0", "1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let setting = format!("protocol.version={version}");
        output(folder.path(), ["-c", &setting, "clone", "--quiet", &served.url("reader"), "copy"]);
        let copy = folder.path().join("copy");
        let new = clone.write(&format!("file-{version}"));
        assert!(clone.push(&["main"]).status.success());
        output(&copy, ["-c", &setting, "pull", "--quiet"]);
        assert_eq!(output(&copy, ["rev-parse", "HEAD"]), new.to_string());
        output(folder.path(), ["-c", &setting, "clone", "--quiet", "--depth=1", &served.url("reader"), "shallow"]);
    }
    assert_sound(&Repository::open(served.bare()).unwrap());
}

#[test]
fn long_negotiations_are_packed_and_understood() {
    let served = Served::new();
    let (one, two) = (served.clone_of("one"), served.clone_of("two"));
    // So many commits of one's own make the request longer than what Git sends unpacked.
    for number in 0..80 {
        // Later than what both have, or Git names that first and need not go on.
        let mut commit =
            crate::git::git(&two.path, ["commit", "--quiet", "--allow-empty", "--message", &number.to_string()]);
        assert!(commit.env("GIT_COMMITTER_DATE", "2035-01-01T00:00:00Z").status().unwrap().success());
    }
    let new = one.write("new");
    assert!(one.push(&["main"]).status.success());
    let mut command = crate::git::git(&two.path, ["-c", "protocol.version=0", "fetch", "origin"]);
    let output = command.env("GIT_CURL_VERBOSE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Content-Encoding: gzip"), "{said}");
    assert_eq!(crate::git::output(&two.path, ["rev-parse", "origin/main"]), new.to_string());
}

#[test]
fn our_own_client_pushes_and_writes_notes() {
    let served = Served::new();
    served.clone_of("human");
    let policy = NetworkPolicy {
        urls: UrlPolicy { trusted: vec![served.origin().parse().unwrap()] },
        ..NetworkPolicy::default()
    };
    let url = RemoteUrl::parse(&format!("{}/git/fleet.git", served.origin()), &policy.urls).unwrap();
    let network = Network::new(policy).unwrap();
    let remote = |user: &str| {
        Remote::new(url.clone(), Access::Token(Credential::new(&url, user, SecretString::from("x"))), &network)
    };
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    let refs = [FetchRef { from: main_branch().to_ref(), to: "refs/remotes/origin/main".parse().unwrap() }];
    let tip = remote("wooo").fetch(&ours, &refs).unwrap()[0];
    let tree = write(&ours, Some(ours.tree(tip).unwrap().id()), &[("apps/shop/app.yaml", "x")]);
    let new = ours.commit(tree, &[tip], &signature(), "change").unwrap();
    let update = |name: &str| [PushRef { name: name.parse().unwrap(), new: Some(new), expected: None }];
    remote("wooo").push(&ours, &update("refs/heads/wooo/shop/production/deploy-1")).unwrap();
    let refused = remote("human").push(&ours, &update("refs/notes/wooo")).unwrap_err();
    assert!(refused.to_string().contains("only branches and tags can be pushed"), "{refused}");
    remote("wooo").push(&ours, &update("refs/notes/wooo")).unwrap();
    let there = Repository::open(served.bare()).unwrap();
    assert_eq!(there.branches_with_prefix("wooo/").unwrap().len(), 1);
    assert_sound(&there);
}

#[test]
fn the_base_only_ever_goes_forward() {
    let served = Served::new();
    let clone = served.clone_of("human");
    clone.write("second");
    assert!(clone.push(&["main"]).status.success());
    let tip = clone.head();
    output(&clone.path, ["checkout", "--quiet", "-B", "main", "HEAD~1"]);
    clone.write("other");
    assert!(complaint(&clone.push(&["--force", "main"])).contains("non-fast-forward"));
    assert!(complaint(&clone.push(&["--delete", "main"])).contains("this branch is not deleted"));
    let both = complaint(&clone.push(&["--atomic", "--force", "main", "main:refs/heads/mine"]));
    assert!(both.contains("non-fast-forward"), "{both}");
    assert_eq!(Repository::open(served.bare()).unwrap().tip(&main_branch()).unwrap(), tip);
    // One's own branches are one's own.
    for _ in 0..2 {
        assert!(clone.push(&["--force", "main:refs/heads/mine"]).status.success());
        output(&clone.path, ["commit", "--quiet", "--amend", "--message", "rewritten"]);
    }
    assert!(clone.push(&["--delete", "mine"]).status.success());
    assert!(clone.push(&["main:refs/tags/v1"]).status.success());
}

#[test]
fn what_asks_for_approvals_is_not_pushed_to() {
    let served = Served::new();
    let clone = served.clone_of("human");
    let protection = Protection { required_approvals: 1, ..Protection::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(served.forge().set_protection(main_branch(), protection)).unwrap();
    let tip = clone.head();
    clone.write("second");
    let refused = complaint(&clone.push(&["main"]));
    assert!(refused.contains("this branch is changed by merge requests only"), "{refused}");
    assert_eq!(Repository::open(served.bare()).unwrap().tip(&main_branch()).unwrap(), tip);
}

#[test]
fn people_write_branches_and_tags_only() {
    let served = Served::new();
    let clone = served.clone_of("human");
    for name in ["refs/notes/wooo", "refs/notes/x", "refs/wooo/x", "refs/merge-requests/1/head"] {
        let refused = complaint(&clone.push(&[&format!("HEAD:{name}")]));
        assert!(refused.contains("only branches and tags can be pushed"), "{name}: {refused}");
    }
    // None of several goes through if one may not.
    let refused = complaint(&clone.push(&["HEAD:refs/heads/fine", "HEAD:refs/notes/wooo"]));
    assert!(refused.contains("another ref of this push is refused"), "{refused}");
    assert!(Repository::open(served.bare()).unwrap().branches_with_prefix("fine").unwrap().is_empty());
}

#[test]
fn absent_and_forbidden_look_the_same() {
    let served = Served::new();
    served.clone_of("human");
    let seen = |user: &str, path: &str| {
        let response = get(&served, user, path);
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status(), kind, response.text().unwrap())
    };
    let refs = "info/refs?service=git-upload-pack";
    let forbidden = seen("stranger", &format!("fleet.git/{refs}"));
    assert_eq!((forbidden.0, forbidden.1.as_str()), (StatusCode::NOT_FOUND, "application/problem+json"));
    assert!(forbidden.2.contains("\"code\":\"forge.not_found\""), "{}", forbidden.2);
    for (user, path) in [
        ("human", format!("absent.git/{refs}")),
        ("stranger", format!("absent.git/{refs}")),
        ("human", format!("fleet/{refs}")),
        ("human", format!("..%2Ffleet.git/{refs}")),
        ("human", format!("-x.git/{refs}")),
        ("human", format!(".new-1.git/{refs}")),
        ("reader", "fleet.git/info/refs?service=git-receive-pack".to_owned()),
        ("human", "fleet.git/HEAD".to_owned()),
        ("human", "fleet.git/wooo/settings.json".to_owned()),
        ("human", "fleet.git/objects/info/packs".to_owned()),
    ] {
        assert_eq!(seen(user, &path), forbidden, "{user} {path}");
    }
    let dumb = seen("human", "fleet.git/info/refs");
    assert!(dumb.0 == StatusCode::FORBIDDEN && dumb.2.contains("only Git's smart HTTP protocol"), "{dumb:?}");
    assert_eq!(seen("nobody-knows", &format!("fleet.git/{refs}")).0, StatusCode::SERVICE_UNAVAILABLE);
    let anonymous = Client::new().get(format!("{}/git/fleet.git/{refs}", served.origin())).send().unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    assert!(anonymous.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
}

#[test]
fn git_shows_its_user_why() {
    let served = Served::with(Limits::default(), "no-such-git-program");
    let refused = complaint(&run(&served.bare(), &["ls-remote", &served.url("human")]));
    assert!(refused.contains("the server has no `git` program"), "{refused}");
    let response = get(&served, "human", "fleet.git/info/refs?service=git-upload-pack");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.text().unwrap().contains("forge.no_git_program"));
}

#[test]
fn what_is_too_much_or_no_git_is_refused() {
    let served = Served::with(Limits { request: 1 << 20, push: 1 << 20, ..Limits::default() }, "git");
    let clone = served.clone_of("human");
    let path = "fleet.git/git-upload-pack";
    let wants = |times: usize| format!("0032want {}\n", clone.head()).repeat(times).into_bytes();
    let large = post(&served, path, fetch_kind(), wants(30_000));
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&wants(1_000_000)).unwrap();
    let request = Client::new().post(format!("{}/git/{path}", served.origin())).header("content-type", fetch_kind());
    let request = request.header("content-encoding", "gzip").basic_auth("human", Some("token"));
    assert_eq!(request.body(bomb.finish().unwrap()).send().unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(post(&served, path, "text/plain", "0000").status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let push = "application/x-git-receive-pack-request";
    assert_eq!(post(&served, "fleet.git/git-receive-pack", push, "hello").status(), StatusCode::BAD_REQUEST);
    // Random bytes cannot be made smaller.
    let noise: Vec<u8> =
        std::iter::successors(Some(1u32), |x| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)))
            .map(|x| x.to_be_bytes()[0])
            .take(3 << 20)
            .collect();
    fs::write(clone.path.join("noise"), noise).unwrap();
    clone.write("large");
    complaint(&clone.push(&["main:refs/heads/large"]));
    assert!(Repository::open(served.bare()).unwrap().branches_with_prefix("large").unwrap().is_empty());
    assert_sound(&Repository::open(served.bare()).unwrap());
}

/// Processes that serve a repository.
fn serving(repository: &Path) -> usize {
    let name = repository.display().to_string();
    let is_serving = |pid: &Path| {
        let line = fs::read(pid.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains("-pack") && line.contains(&name)
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_serving(&entry.path())).count()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        sleep(Duration::from_millis(20));
    }
}

/// A request of which the body never ends.
fn endless(served: &Served, service: &str, begin: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(served.origin().trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /git/fleet.git/git-{service} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic aHVtYW46eA==\r\n\
         Content-Type: application/x-git-{service}-request\r\nContent-Length: 100000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(begin).unwrap();
    stream
}

#[test]
fn a_client_that_goes_away_takes_its_program_along() {
    let served = Served::new();
    let clone = served.clone_of("human");
    let wish = format!("{:040} {} refs/heads/new\0 report-status", 0, clone.head());
    let push = format!("{:04x}{wish}0000PACK", wish.len() + 4);
    for (service, begin) in [("upload-pack", "0010command=ls-"), ("receive-pack", push.as_str())] {
        let stream = endless(&served, service, begin.as_bytes());
        wait_until("the program runs", || serving(&served.bare()) > 0);
        drop(stream);
        wait_until("the program has ended", || serving(&served.bare()) == 0);
    }
    assert!(clone.push(&["HEAD:refs/heads/new"]).status.success());
}

#[test]
fn nobody_waits_for_ever() {
    let limits = Limits { total: Duration::from_secs(1), at_once: 1, ..Limits::default() };
    let served = Served::with(limits, "git");
    served.clone_of("human");
    let start = Instant::now();
    let mut slow = endless(&served, "upload-pack", b"0010");
    wait_until("the program runs", || serving(&served.bare()) > 0);
    // The next one waits for its turn, and gets it.
    assert_eq!(get(&served, "human", "fleet.git/info/refs?service=git-upload-pack").status(), StatusCode::OK);
    let mut said = String::new();
    slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let _closed_without_ceremony = slow.read_to_string(&mut said);
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(start.elapsed() < Duration::from_secs(8));
    wait_until("the program has ended", || serving(&served.bare()) == 0);
}

#[test]
fn large_packs_go_through_in_pieces() {
    let served = Served::new();
    let clone = served.clone_of("human");
    let mut state = 7u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    })
    .take(4 << 20)
    .flatten()
    .collect();
    fs::write(clone.path.join("noise"), &noise).unwrap();
    let head = clone.write("large");
    assert!(clone.push(&["main"]).status.success());
    let folder = tempfile::tempdir().unwrap();
    output(folder.path(), ["clone", "--quiet", &served.url("reader"), "copy"]);
    assert_eq!(output(&folder.path().join("copy"), ["rev-parse", "HEAD"]), head.to_string());
    assert_eq!(fs::read(folder.path().join("copy/noise")).unwrap(), noise);
}
