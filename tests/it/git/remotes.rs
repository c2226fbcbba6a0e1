//! Fetching and pushing over HTTP, from and to a real Git server and some hostile ones.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use secrecy::SecretString;
use wooo::files::FileTree;
use wooo::git::{
    Access, BranchName, Credential, Error, FetchRef, Limits, Network, NetworkPolicy, PushRef, RefName, Remote,
    RemoteUrl, Repository, UrlPolicy,
};

use super::http_server::GitServer;
use super::{assert_sound, bare, commit, main_branch, output, signature, write};

fn policy(origin: &str) -> NetworkPolicy {
    let limits = Limits { connect: Duration::from_secs(2), total: Duration::from_secs(20), ..Limits::default() };
    NetworkPolicy { urls: UrlPolicy { trusted: vec![origin.parse().unwrap()] }, limits, ..NetworkPolicy::default() }
}

fn url(policy: &NetworkPolicy, text: &str) -> RemoteUrl {
    RemoteUrl::parse(text, &policy.urls).unwrap()
}

fn remote_with(origin: &str, policy: NetworkPolicy) -> Remote {
    let url = url(&policy, &format!("{origin}/fleet.git"));
    Remote::new(url, Access::Anonymous, &Network::new(policy).unwrap())
}

fn remote(origin: &str) -> Remote {
    remote_with(origin, policy(origin))
}

/// A served repository with two commits, and an empty one here.
fn served(server: &GitServer) -> (Repository, tempfile::TempDir, Repository) {
    let theirs = bare(&server.root().join("fleet.git"));
    commit(&theirs, &[("fleet.yaml", "one"), ("apps/shop/app.yaml", "x")], "first");
    commit(&theirs, &[("fleet.yaml", "two")], "second");
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    (theirs, folder, ours)
}

fn tracked(repository: &Repository, remote: &Remote) -> Result<wooo::git::CommitId, Error> {
    let refs = [FetchRef { from: main_branch().to_ref(), to: "refs/remotes/origin/main".parse().unwrap() }];
    remote.fetch(repository, &refs).map(|ids| ids[0])
}

/// A commit on top of `base` here.
fn on_top(repository: &Repository, base: wooo::git::CommitId, path: &str) -> wooo::git::CommitId {
    let tree = write(repository, Some(repository.tree(base).unwrap().id()), &[(path, path)]);
    repository.commit(tree, &[base], &signature(), path).unwrap()
}

fn update(name: &str, new: Option<wooo::git::CommitId>, expected: Option<wooo::git::CommitId>) -> [PushRef; 1] {
    [PushRef { name: name.parse::<RefName>().unwrap(), new, expected }]
}

#[test]
fn a_change_goes_there_and_back_with_a_token() {
    // `bot:s3cret`
    let server = GitServer::new(Some("Basic Ym90OnMzY3JldA=="), Box::new(|_, _| None));
    let (theirs, _folder, ours) = served(&server);
    let policy = policy(&server.origin());
    let url = url(&policy, &format!("{}/fleet.git", server.origin()));
    let network = Network::new(policy).unwrap();
    let access = |secret: &str| Access::Token(Credential::new(&url, "bot", SecretString::from(secret)));
    let remote = Remote::new(url.clone(), access("s3cret"), &network);
    assert!(!format!("{remote:?}").contains("s3cret"));
    let tip = tracked(&ours, &remote).unwrap();
    assert_eq!(tip, theirs.tip(&main_branch()).unwrap());
    assert_eq!(remote.branches().unwrap().default, Some(main_branch()));
    let new = on_top(&ours, tip, "apps/shop/production.yaml");
    let before = server.seen().len();
    remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap();
    let asked: Vec<_> = server.seen().split_off(before).into_iter().map(|seen| seen.target).collect();
    assert_eq!(asked, ["/fleet.git/info/refs?service=git-receive-pack", "/fleet.git/git-receive-pack"]);
    assert_eq!(theirs.tip(&main_branch()).unwrap(), new);
    assert_sound(&theirs);
    // Again, as after an answer that was lost.
    remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap();
    // Another token, none, and no such repository all look the same.
    for other in [
        Remote::new(url.clone(), access("wrong"), &network),
        Remote::new(url.clone(), Access::Anonymous, &network),
        Remote::new(
            RemoteUrl::parse(
                &format!("{}/none.git", server.origin()),
                &UrlPolicy { trusted: vec![server.origin().parse().unwrap()] },
            )
            .unwrap(),
            access("s3cret"),
            &network,
        ),
    ] {
        for error in [
            other.branches().unwrap_err(),
            tracked(&ours, &other).unwrap_err(),
            other.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Auth { .. }), "{error:?}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}

#[test]
fn a_fetch_of_one_commit_brings_its_files_and_no_history() {
    let server = GitServer::open();
    let (theirs, _folder, ours) = served(&server);
    let (branch, tip) = remote(&server.origin()).shallow_fetch(&ours, None).unwrap();
    assert_eq!((branch, tip), (main_branch(), theirs.tip(&main_branch()).unwrap()));
    assert_eq!(ours.tree(tip).unwrap().read_text("fleet.yaml", 10).unwrap(), "two");
    assert_eq!(ours.history(tip, &[]).unwrap().count(), 1);
    assert_sound(&ours);
}

#[test]
fn an_absent_branch_is_said_to_be_absent() {
    let server = GitServer::open();
    let (_theirs, _folder, ours) = served(&server);
    let absent: BranchName = "absent".parse().unwrap();
    let error = remote(&server.origin()).shallow_fetch(&ours, Some(&absent)).unwrap_err();
    assert!(matches!(&error, Error::NoBranch { name } if name == "absent"), "{error:?}");
    let empty = GitServer::open();
    bare(&empty.root().join("fleet.git"));
    let error = remote(&empty.origin()).shallow_fetch(&ours, None).unwrap_err();
    assert!(matches!(error, Error::NoBranch { .. }), "{error:?}");
}

#[test]
fn a_first_push_fills_an_empty_repository() {
    let server = GitServer::open();
    let theirs = bare(&server.root().join("fleet.git"));
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    // Beyond what is kept in memory, and in a pack here.
    let text = (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect::<String>();
    let files: Vec<(String, String)> =
        (0..300).map(|n| (format!("apps/a{n}/x.yaml"), format!("{n}{}", &text[n * 100..n * 100 + 100_000]))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let first = commit(&ours, &files, "first");
    let second = commit(&ours, &[("apps/a1", "now a file")], "second");
    remote(&server.origin()).push(&ours, &update("refs/heads/main", Some(second), None)).unwrap();
    assert_eq!(theirs.tip(&main_branch()).unwrap(), second);
    assert!(theirs.is_ancestor(first, second).unwrap());
    assert_sound(&theirs);
}

#[test]
fn only_our_own_branches_are_rewritten_and_only_from_where_we_believe_them() {
    let server = GitServer::open();
    let (theirs, _folder, ours) = served(&server);
    let remote = remote(&server.origin());
    let tip = tracked(&ours, &remote).unwrap();
    let (one, two) = (on_top(&ours, tip, "one"), on_top(&ours, tip, "two"));
    let work = "refs/heads/wooo/shop/production/deploy-1";
    let moved = |result: Result<(), Error>| match result {
        Err(Error::RefMoved { found, .. }) => found,
        other => panic!("{other:?}"),
    };
    remote.push(&ours, &update(work, Some(one), None)).unwrap();
    assert_eq!(moved(remote.push(&ours, &update(work, Some(two), None))), Some(one));
    remote.push(&ours, &update(work, Some(two), Some(one))).unwrap();
    assert_eq!(moved(remote.push(&ours, &update(work, None, Some(one)))), Some(two));
    remote.push(&ours, &update(work, None, Some(two))).unwrap();
    assert!(theirs.branches_with_prefix("wooo/").unwrap().is_empty());
    // The base branch only moves forward.
    remote.push(&ours, &update("refs/heads/main", Some(one), Some(tip))).unwrap();
    assert_eq!(moved(remote.push(&ours, &update("refs/heads/main", Some(two), Some(tip)))), Some(one));
    let error = remote.push(&ours, &update("refs/heads/main", Some(two), Some(one))).unwrap_err();
    assert!(matches!(error, Error::NotFastForward { .. }), "{error:?}");
    let error = remote.push(&ours, &update("refs/heads/main", None, Some(one))).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    assert_eq!(theirs.tip(&main_branch()).unwrap(), one);
}

#[test]
fn losing_the_race_on_the_server_is_a_moved_ref() {
    // Somebody moves the branch after we have seen it and before our push arrives.
    let root: Arc<OnceLock<(std::path::PathBuf, String)>> = Arc::default();
    let faster = Arc::clone(&root);
    let server = GitServer::new(
        None,
        Box::new(move |method, target| {
            if let Some((path, id)) = faster.get().filter(|_| method == "POST" && target.ends_with("git-receive-pack"))
            {
                output(path, ["update-ref", "refs/heads/main", id]);
            }
            None
        }),
    );
    let (theirs, _folder, ours) = served(&server);
    let remote = remote(&server.origin());
    let tip = tracked(&ours, &remote).unwrap();
    let other = on_top(&theirs, tip, "theirs");
    root.set((theirs.path().to_owned(), other.to_string())).unwrap();
    let new = on_top(&ours, tip, "ours");
    let error = remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap_err();
    assert!(matches!(error, Error::RefMoved { .. }), "{error:?}");
    assert_eq!(theirs.tip(&main_branch()).unwrap(), other);
}

fn hook(repository: &Repository, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = repository.path().join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_protected_branch_says_why() {
    let server = GitServer::open();
    let (theirs, _folder, ours) = served(&server);
    hook(&theirs, "pre-receive", "printf 'GH006: Protected branch \\033[31mupdate failed\\n' >&2; exit 1");
    let remote = remote(&server.origin());
    let tip = tracked(&ours, &remote).unwrap();
    let new = on_top(&ours, tip, "x");
    let error = remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap_err();
    let Error::Rejected { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, "pre-receive hook declined: GH006: Protected branch [31mupdate failed");
}

#[test]
fn eight_writers_at_one_remote_lose_nothing() {
    let server = GitServer::open();
    let (theirs, _folder, _ours) = served(&server);
    let origin = server.origin();
    thread::scope(|scope| {
        for writer in 0..8 {
            let origin = &origin;
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let ours = bare(folder.path());
                let remote = remote(origin);
                for tries in 0.. {
                    let tip = tracked(&ours, &remote).unwrap();
                    let new = on_top(&ours, tip, &format!("apps/app-{writer}/app.yaml"));
                    match remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))) {
                        Ok(()) => break,
                        Err(error) => assert!(matches!(error, Error::RefMoved { .. }) && tries < 50, "{error:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(output(theirs.path(), ["rev-list", "--count", "main"]), "10");
    assert_eq!(output(theirs.path(), ["ls-tree", "-r", "--name-only", "main", "apps/"]).lines().count(), 9);
    assert_sound(&theirs);
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let other = GitServer::open();
    served(&other);
    let target = other.origin();
    let server = GitServer::new(
        None,
        Box::new(move |_, path| {
            Some((StatusCode::FOUND, [(header::LOCATION, format!("{target}{path}"))], "").into_response())
        }),
    );
    let policy = policy(&server.origin());
    let url = url(&policy, &format!("{}/fleet.git", server.origin()));
    let credential = Credential::new(&url, "bot", SecretString::from("s3cret"));
    let remote = Remote::new(url, Access::Token(credential), &Network::new(policy).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    let first = commit(&ours, &[("a", "1")], "first");
    for error in [
        remote.branches().unwrap_err(),
        tracked(&ours, &remote).unwrap_err(),
        remote.push(&ours, &update("refs/heads/x", Some(first), None)).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Redirect { .. }), "{error:?}");
    }
    assert!(other.seen().is_empty(), "{:?}", other.seen());
    assert!(server.seen().iter().all(|seen| seen.authorization.is_some()));
}

#[test]
fn a_redirect_to_another_path_of_the_host_is() {
    let server = GitServer::new(
        None,
        Box::new(|_, path| {
            let rest = path.strip_prefix("/old")?;
            Some((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, format!("/fleet.git{rest}"))], "").into_response())
        }),
    );
    let (theirs, _folder, ours) = served(&server);
    let policy = policy(&server.origin());
    let url = url(&policy, &format!("{}/old", server.origin()));
    let remote = Remote::new(url, Access::Anonymous, &Network::new(policy).unwrap());
    let tip = tracked(&ours, &remote).unwrap();
    let new = on_top(&ours, tip, "x");
    remote.push(&ours, &update("refs/heads/main", Some(new), Some(tip))).unwrap();
    assert_eq!(theirs.tip(&main_branch()).unwrap(), new);
}

#[test]
fn a_token_is_sent_to_its_own_host_only() {
    let (one, two) = (GitServer::open(), GitServer::open());
    served(&two);
    let mut policy = policy(&one.origin());
    policy.urls.trusted.push(two.origin().parse().unwrap());
    let credential =
        Credential::new(&url(&policy, &format!("{}/x", one.origin())), "bot", SecretString::from("s3cret"));
    let url = url(&policy, &format!("{}/fleet.git", two.origin()));
    Remote::new(url, Access::Token(credential), &Network::new(policy).unwrap()).branches().unwrap();
    assert!(two.seen().iter().all(|seen| seen.authorization.is_none()), "{:?}", two.seen());
}

#[test]
fn a_name_is_judged_by_the_address_that_it_has_when_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let answers: Vec<&[&str]> =
        vec![&["169.254.169.254"], &["127.0.0.1", "::1"], &["::ffff:10.0.0.1"], &["fd00:ec2::254"], &[]];
    let (count, turn) = (answers.len(), Arc::new(AtomicUsize::new(0)));
    let asked = Arc::clone(&turn);
    let answers: Vec<Vec<IpAddr>> =
        answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let network = Network::new(NetworkPolicy {
        lookup: Some(Arc::new(move |host| {
            assert_eq!(host, "git.example.org");
            Ok(answers[turn.fetch_add(1, Ordering::SeqCst)].clone())
        })),
        ..NetworkPolicy::default()
    })
    .unwrap();
    for turn in 1..=count {
        let remote = Remote::new("https://git.example.org/a/b".parse().unwrap(), Access::Anonymous, &network);
        let error = remote.branches().unwrap_err();
        assert!(matches!(error, Error::HostNotAllowed { .. }), "{error:?}");
        assert_eq!(asked.load(Ordering::SeqCst), turn);
    }
    assert!(listener.accept().is_err(), "nobody may have connected");
}

#[test]
fn a_host_that_the_operator_trusts_may_be_private() {
    let server = GitServer::open();
    served(&server);
    let port = server.origin().rsplit(':').next().unwrap().to_owned();
    let origin = format!("http://git.corp:{port}");
    let mut policy = policy(&origin);
    policy.lookup = Some(Arc::new(|_| Ok(vec![IpAddr::from([127, 0, 0, 1])])));
    assert_eq!(remote_with(&origin, policy).branches().unwrap().all.len(), 1);
}

#[test]
fn what_takes_too_much_is_cut_off() {
    let server = GitServer::open();
    let (_theirs, _folder, ours) = served(&server);
    for (bytes, objects) in [(100, 1000), (1_000_000, 2)] {
        let mut policy = policy(&server.origin());
        policy.limits = Limits { bytes, objects, ..policy.limits };
        let error = tracked(&ours, &remote_with(&server.origin(), policy)).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    }
}

/// A server on a raw socket, which answers each connection with `serve`.
fn raw_server(serve: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _whatever_it_says = stream.read(&mut request);
            serve(&mut stream);
        }
    });
    origin
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n";

#[test]
fn a_server_that_drips_or_stalls_is_given_up() {
    let drip = raw_server(|stream| {
        let _until_it_hangs_up = stream.write_all(HEAD.as_bytes());
        let line = b"001e# service=git-upload-pack\n0000";
        for byte in line.iter().cycle().take(400) {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let stall = raw_server(|stream| {
        let _head = stream.write_all(HEAD.as_bytes());
        thread::sleep(Duration::from_secs(20));
    });
    let mute = raw_server(|_| thread::sleep(Duration::from_secs(20)));
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    for origin in [drip, stall, mute] {
        let mut policy = policy(&origin);
        policy.limits.total = Duration::from_secs(1);
        let remote = remote_with(&origin, policy);
        for ask in [
            |_: &Repository, remote: &Remote| remote.branches().map(|_| ()),
            |ours: &Repository, remote: &Remote| tracked(ours, remote).map(|_| ()),
        ] {
            let start = Instant::now();
            let error = ask(&ours, &remote).unwrap_err();
            assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        }
    }
}

#[test]
fn what_is_no_git_server_is_an_error() {
    let answers: [&str; 5] = [
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhtml",
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 4\r\n\r\nzzzz",
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 400\r\n\r\n001e",
        "nonsense\r\n\r\n",
    ];
    let folder = tempfile::tempdir().unwrap();
    let ours = bare(folder.path());
    for answer in answers {
        let origin = raw_server(move |stream| {
            let _whether_it_listens_or_not = stream.write_all(answer.as_bytes());
        });
        let error = remote(&origin).branches().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{answer}: {error:?}");
        assert!(tracked(&ours, &remote(&origin)).is_err(), "{answer}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = remote(&format!("http://{closed}")).branches().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[test]
fn settings_of_the_repository_do_not_redirect_a_fetch() {
    let server = GitServer::open();
    let (theirs, _folder, ours) = served(&server);
    let elsewhere = tempfile::tempdir().unwrap();
    let config = format!(
        "[url \"{0}/\"]\n\tinsteadOf = {1}/\n\tinsteadOf = wooo-session://\n[http]\n\tproxy = http://127.0.0.1:1\n",
        elsewhere.path().display(),
        server.origin()
    );
    append(&ours.path().join("config"), &config);
    let reopened = Repository::open(ours.path()).unwrap();
    match tracked(&reopened, &remote(&server.origin())) {
        Ok(tip) => assert_eq!(tip, theirs.tip(&main_branch()).unwrap()),
        Err(error) => assert!(matches!(error, Error::Git(_)), "{error:?}"),
    }
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}
