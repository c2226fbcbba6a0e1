//! Webhooks from the outside: who is believed, what is written down, and what is answered.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use wooo::forge::hooks::ForgeKind;
use wooo::store::{Options, Store};
use wooo::web::webhooks::{HookSource, Hooks, MAX_BODY};

use super::api_world::Heard;
use super::hook_world::{
    Inbox, OTHER_SECRET, SECRET, SIGNING, hex_mac, repository, signature, signed, sources, unsigned, with,
};
use crate::postgres::Postgres;
use crate::store::{Database, on_both};

const KINDS: [ForgeKind; 3] = [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea];

on_both!(
    a_hundred_copies_at_once_are_one_delivery,
    a_burst_is_kept_whole_and_makes_one_job,
    what_cannot_be_read_is_kept_and_ends_there,
);

/// A push to a branch of a repository.
fn push(kind: ForgeKind, repository: u64) -> Vec<u8> {
    let body = match kind {
        ForgeKind::Gitlab => json!({"object_kind": "push", "ref": "refs/heads/main", "project_id": repository}),
        _ => json!({"ref": "refs/heads/main", "repository": {"id": repository}}),
    };
    body.to_string().into_bytes()
}

fn event(kind: ForgeKind) -> &'static str {
    if kind == ForgeKind::Gitlab { "Push Hook" } else { "push" }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn memory() -> Inbox {
    Inbox::new(Store::open("sqlite::memory:").await.unwrap())
}

/// The answer without what differs from request to request.
fn without_trace(heard: Heard) -> (u16, Value) {
    let mut body = heard.body;
    body.as_object_mut().unwrap().remove("trace_id");
    (heard.status, body)
}

/// Signatures that are wrong for this body of our repository, in each way that somebody might try.
fn wrong(kind: ForgeKind, body: &[u8]) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let mac = hex_mac(SECRET, body);
    let mut changed = body.to_vec();
    changed[5] ^= 1;
    let variants: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("truncated", mac[..62].to_owned()),
        ("longer", format!("{mac}00")),
        ("upper case", mac.to_uppercase()),
        ("spaces", format!(" {mac} ")),
        ("no digits", "zz".repeat(32)),
        ("another tenant's", hex_mac(OTHER_SECRET, body)),
        ("a body with one byte changed", hex_mac(SECRET, &changed)),
        ("the secret itself", SECRET.to_owned()),
        ("an empty secret", hex_mac("", body)),
    ];
    let mut all: Vec<(&str, Vec<(&str, String)>)> = vec![("none", Vec::new())];
    match kind {
        ForgeKind::Github => {
            let header = |text: &str| ("x-hub-signature-256", format!("sha256={text}"));
            all.extend(variants.iter().map(|(what, text)| (*what, vec![header(text)])));
            all.push(("sha1 only", vec![("x-hub-signature", format!("sha1={}", &mac[..40]))]));
            all.push(("sha1 in its place", vec![("x-hub-signature-256", format!("sha1={}", &mac[..40]))]));
            all.push(("without its name", vec![("x-hub-signature-256", mac.clone())]));
            all.push(("two headers", vec![header(&mac), header(&mac)]));
            all.push(("the header of Gitea", vec![("x-gitea-signature", mac.clone())]));
            all.push(("a right one after a wrong one", vec![header(&"0".repeat(64)), header(&mac)]));
        }
        ForgeKind::Gitea => {
            let header = |text: &str| ("x-gitea-signature", text.to_owned());
            all.extend(variants.iter().map(|(what, text)| (*what, vec![header(text)])));
            all.push(("two headers", vec![header(&mac), header(&mac)]));
            all.push(("a name", vec![("x-gitea-signature", format!("sha256={mac}"))]));
        }
        ForgeKind::Gitlab => {
            let token = |text: &str| ("x-gitlab-token", text.to_owned());
            for (what, text) in [
                ("empty", ""),
                ("truncated", &SECRET[..SECRET.len() - 1]),
                ("upper case", &SECRET.to_uppercase()),
                ("another tenant's", OTHER_SECRET),
                ("the key that signs", SIGNING),
                ("a MAC", &mac),
            ] {
                all.push((what, vec![token(text)]));
            }
            all.push(("two headers", vec![token(SECRET), token(SECRET)]));
            let sign = |id: &str, time: i64, signatures: String| {
                let time = ("webhook-timestamp", time.to_string());
                vec![("webhook-id", id.to_owned()), time, ("webhook-signature", signatures)]
            };
            let (time, good) = (now(), signature(SIGNING, "m-1", now(), body));
            all.push(("an empty signature", sign("m-1", time, "v1,".to_owned())));
            all.push(("several empty ones", sign("m-1", time, "v1, v1, v1,".to_owned())));
            all.push(("no signature", sign("m-1", time, String::new())));
            all.push(("a short one", sign("m-1", time, "v1,AAAA".to_owned())));
            all.push(("another version", sign("m-1", time, format!("v1a,{good}"))));
            all.push(("another id", sign("m-2", time, format!("v1,{good}"))));
            all.push(("another time", sign("m-1", time + 1, format!("v1,{good}"))));
            all.push(("an id with a dot", sign("m.1", time, format!("v1,{}", signature(SIGNING, "m.1", time, body)))));
            all.push(("another body", sign("m-1", time, format!("v1,{}", signature(SIGNING, "m-1", time, &changed)))));
            let mut without_id = sign("m-1", time, format!("v1,{good}"));
            without_id.remove(0);
            all.push(("no id", without_id));
        }
    }
    all
}

#[tokio::test]
async fn whoever_has_no_valid_secret_gets_one_answer_and_leaves_no_trace() {
    let inbox = memory().await;
    let mut answers = Vec::new();
    for kind in KINDS {
        let body = push(kind, repository(kind).0);
        for (what, headers) in wrong(kind, &body) {
            let headers: Vec<(&'static str, &str)> =
                headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let heard = inbox.send(with(unsigned(kind, event(kind), "d-1", &body), &headers)).await;
            answers.push((format!("{kind}: {what}"), without_trace(heard)));
        }
        // The right signature for a repository, on a delivery about another one or about one that nobody knows.
        for (secret, id) in [(SECRET, repository(kind).1), (OTHER_SECRET, repository(kind).0), (SECRET, 1)] {
            let heard = inbox.send(signed(kind, secret, event(kind), "d-1", &push(kind, id))).await;
            answers.push((format!("{kind}: {id}"), without_trace(heard)));
        }
        // The secret of another forge.
        let elsewhere = if kind == ForgeKind::Github { ForgeKind::Gitea } else { ForgeKind::Github };
        let request = signed(elsewhere, SECRET, "push", "d-1", &push(elsewhere, repository(kind).0));
        answers.push((format!("{elsewhere}: a repository of {kind}"), without_trace(inbox.send(request).await)));
    }
    assert!(answers.len() > 50);
    let expected = answers[0].1.clone();
    assert_eq!((expected.0, &expected.1["code"]), (403, &json!("hook.signature")));
    for (what, answer) in answers {
        assert_eq!(answer, expected, "{what}");
    }
    assert_eq!(inbox.kept().await, (0, 0));
}

#[tokio::test]
async fn each_form_of_a_right_signature_is_believed() {
    let inbox = memory().await;
    let mut expected = 0;
    for kind in KINDS {
        let (ours, theirs) = repository(kind);
        for (secret, id) in [(SECRET, ours), (OTHER_SECRET, theirs)] {
            expected += 1;
            let heard = inbox.send(signed(kind, secret, event(kind), "d-1", &push(kind, id))).await;
            assert_eq!(heard.status, 202, "{kind} {id}: {}", heard.text);
        }
    }
    for kind in [ForgeKind::Github, ForgeKind::Gitea] {
        let body = push(kind, repository(kind).0);
        let heard = inbox.send(signed(kind, "an older secret that counts", "push", "d-2", &body)).await;
        assert_eq!(heard.status, 202, "while a secret is changed both count: {}", heard.text);
        expected += 1;
    }
    let body = push(ForgeKind::Gitlab, repository(ForgeKind::Gitlab).0);
    let (time, other) = (now(), signature("whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBub3QgaGVyZQ==", "m-1", now(), &body));
    let signatures = format!("v1a,xyz v1,{other} v1, v1,{}", signature(SIGNING, "m-1", time, &body));
    let headers =
        [("webhook-id", "m-1"), ("webhook-timestamp", &time.to_string()), ("webhook-signature", signatures.as_str())];
    let heard = inbox.send(with(unsigned(ForgeKind::Gitlab, "Push Hook", "d-3", &body), &headers)).await;
    assert_eq!(heard.status, 202, "one of several signatures is right: {}", heard.text);
    assert_eq!(inbox.kept().await.0, expected + 1);
}

#[tokio::test]
async fn a_delivery_of_another_time_is_a_replay() {
    let inbox = memory().await;
    let kind = ForgeKind::Gitlab;
    let body = push(kind, repository(kind).0);
    let send = |skew: i64| {
        let time = now() + skew;
        let headers = [
            ("webhook-id", "m-1".to_owned()),
            ("webhook-timestamp", time.to_string()),
            ("webhook-signature", format!("v1,{}", signature(SIGNING, "m-1", time, &body))),
        ];
        let headers: Vec<(&'static str, &str)> = headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
        with(unsigned(kind, "Push Hook", "d-1", &body), &headers)
    };
    for skew in [-86_400, -310, 310, 86_400, -now()] {
        inbox.send(send(skew)).await.problem(403, "hook.replay");
    }
    assert_eq!(inbox.send(send(-280)).await.status, 202);
    let again = inbox.send(send(0)).await;
    assert_eq!((again.status, &again.body["status"]), (200, &json!("duplicate")), "the same id is the same delivery");
    assert_eq!(inbox.kept().await, (1, 1));
}

async fn a_hundred_copies_at_once_are_one_delivery(database: Database) {
    let inbox = Inbox::new(database.open().await);
    let body = push(ForgeKind::Github, repository(ForgeKind::Github).0);
    let copies = (0..100).map(|_| inbox.send(signed(ForgeKind::Github, SECRET, "push", "d-1", &body)));
    let heard = futures::future::join_all(copies).await;
    let count = |status: u16| heard.iter().filter(|heard| heard.status == status).count();
    assert_eq!((count(202), count(200)), (1, 99));
    assert_eq!(inbox.kept().await, (1, 1));
    // Another repository's delivery of the same name is another delivery.
    let theirs = push(ForgeKind::Github, repository(ForgeKind::Github).1);
    assert_eq!(inbox.send(signed(ForgeKind::Github, OTHER_SECRET, "push", "d-1", &theirs)).await.status, 202);
    assert_eq!(inbox.kept().await, (2, 1));
}

async fn a_burst_is_kept_whole_and_makes_one_job(database: Database) {
    let inbox = Inbox::new(database.open().await);
    let body = push(ForgeKind::Gitea, repository(ForgeKind::Gitea).0);
    let burst =
        (0..500).map(|number| inbox.send(signed(ForgeKind::Gitea, SECRET, "push", &format!("d-{number}"), &body)));
    let heard = futures::future::join_all(burst).await;
    assert!(heard.iter().all(|heard| heard.status == 202));
    assert_eq!(inbox.kept().await, (500, 1));
    // Without a name, a delivery is named by what is in it.
    for status in [202, 200] {
        let mut nameless = signed(ForgeKind::Gitea, SECRET, "push", "x", &body);
        nameless.headers_mut().remove("x-gitea-delivery");
        assert_eq!(inbox.send(nameless).await.status, status);
    }
}

async fn what_cannot_be_read_is_kept_and_ends_there(database: Database) {
    let inbox = Inbox::new(database.open().await);
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_object = format!("{{\"repository\":{}1{}}}", "{\"id\":".repeat(200_000), "}".repeat(200_000));
    let bodies: [&[u8]; 11] = [
        b"{\"ref\": \"refs/heads/main\"}",
        b"{\"repository\": null, \"ref\": \"refs/heads/main\"}",
        b"{\"repository\": {\"id\": \"424242\"}, \"ref\": \"refs/heads/main\"}",
        b"{\"repository\": {\"id\": 424242}, \"ref\": 7}",
        b"{\"repository\": {\"id\": 424242}, \"ref\": \"refs/heads/\xff\xfe\"}",
        b"{\"repository\": {\"id\": 424242}, \"ref\": \"refs/heads/../../x\"}",
        b"[]",
        b"\xff\xfe\x00",
        b"",
        deep.as_bytes(),
        deep_object.as_bytes(),
    ];
    for (number, body) in bodies.iter().enumerate() {
        let heard = inbox.send(signed(ForgeKind::Github, SECRET, "push", &format!("d-{number}"), body)).await;
        assert_eq!((heard.status, &heard.body["status"]), (200, &json!("unreadable")), "{number}: {}", heard.text);
        let named = format!("{}:d-{number}", repository(ForgeKind::Github).0);
        let kept = inbox.store.delivery_named("our-github", &named).await.unwrap().unwrap();
        assert!(kept.error.is_some() && kept.processed_at.is_some(), "{kept:?}");
        assert!(kept.content.body.len() < 100, "{kept:?}");
    }
    assert_eq!(inbox.kept().await, (11, 0), "no job is made of them");
    let metrics = inbox.send(Request::get("/metrics").body(Body::empty()).unwrap()).await.text;
    for line in [
        "wooo_webhook_deliveries_total{forge=\"github\",event=\"push\",result=\"unreadable\"} 11",
        "wooo_deliveries{state=\"processed\"} 11",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn made_up_events_make_no_new_series() {
    let inbox = memory().await;
    let body = push(ForgeKind::Github, repository(ForgeKind::Github).0);
    for number in 0..20 {
        let heard = inbox
            .send(signed(ForgeKind::Github, SECRET, &format!("made-up-{number}"), &number.to_string(), &body))
            .await;
        assert_eq!((heard.status, &heard.body["status"]), (200, &json!("ignored")));
        let refused = inbox.send(unsigned(ForgeKind::Github, &format!("made-up-{number}"), "d", &body)).await;
        assert_eq!(refused.status, 403);
    }
    let metrics = inbox.send(Request::get("/metrics").body(Body::empty()).unwrap()).await.text;
    let series: Vec<&str> = metrics.lines().filter(|line| line.starts_with("wooo_webhook_deliveries_total{")).collect();
    assert_eq!(series.len(), 2, "{series:?}");
}

#[tokio::test]
async fn a_body_is_json_plain_and_not_too_large() {
    let inbox = memory().await;
    let (kind, body) = (ForgeKind::Github, push(ForgeKind::Github, repository(ForgeKind::Github).0));
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let mut request = signed(kind, SECRET, "push", "d-1", &body);
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        inbox.send(request).await.problem(415, "body.content_type");
    }
    let packed = with(signed(kind, SECRET, "push", "d-1", &body), &[("content-encoding", "gzip")]);
    inbox.send(packed).await.problem(415, "body.content_type");
    // As large as it may be, it is taken; with one byte more it is not, whether it says its length or not.
    let padded = |length: usize| {
        let mut body = body.clone();
        body.resize(length, b' ');
        body
    };
    let largest = padded(MAX_BODY);
    assert_eq!(inbox.send(signed(kind, SECRET, "push", "d-2", &largest)).await.status, 202);
    let larger = padded(MAX_BODY + 1);
    let declared = with(signed(kind, SECRET, "push", "d-3", &larger), &[("content-length", &larger.len().to_string())]);
    inbox.send(declared).await.problem(413, "body.too_large");
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> = larger.chunks(1 << 16).map(|chunk| Ok(chunk.to_vec())).collect();
    let (parts, _) = signed(kind, SECRET, "push", "d-3", &larger).into_parts();
    let streamed = Request::from_parts(parts, Body::from_stream(futures::stream::iter(chunks)));
    inbox.send(streamed).await.problem(413, "body.too_large");
    assert_eq!(inbox.kept().await.0, 1);
}

#[tokio::test]
async fn large_bodies_wait_for_room_elsewhere() {
    let inbox = memory().await;
    let body = vec![b' '; 1 << 20];
    // Each sends most of its body and then nothing.
    let slow = (0..8).map(|_| {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
        let stream = futures::StreamExt::chain(first, futures::stream::pending());
        let (parts, _) = signed(ForgeKind::Github, SECRET, "push", "slow", b"").into_parts();
        inbox.send(Request::from_parts(parts, Body::from_stream(stream)))
    });
    let held = futures::future::join_all(slow);
    let check = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let heard = inbox.send(signed(ForgeKind::Github, SECRET, "push", "d-1", &body)).await;
        assert!(heard.headers.contains_key("retry-after"));
        heard.problem(503, "service.busy");
        let small = push(ForgeKind::Github, repository(ForgeKind::Github).0);
        assert_eq!(inbox.send(signed(ForgeKind::Github, SECRET, "push", "d-2", &small)).await.status, 202);
    };
    let ((), held) = tokio::join!(check, held);
    for heard in held {
        heard.problem(503, "service.timeout");
    }
    assert_eq!(inbox.kept().await.0, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_the_sender_is_told_to_come_back() {
    let postgres = Postgres::start();
    let options = Options { acquire_timeout: Duration::from_secs(1), ..Options::default() };
    let inbox = Inbox::new(Store::open_with(&postgres.database(), &options).await.unwrap());
    let body = push(ForgeKind::Gitea, repository(ForgeKind::Gitea).0);
    let request = |delivery: &str| signed(ForgeKind::Gitea, SECRET, "push", delivery, &body);
    assert_eq!(inbox.send(request("d-1")).await.status, 202);
    postgres.stop();
    for _ in 0..3 {
        let heard = inbox.send(request("d-2")).await;
        assert_eq!((heard.status, &heard.body["code"]), (503, &json!("store.unavailable")), "{}", heard.text);
        assert!(heard.headers.contains_key("retry-after"), "{:?}", heard.headers);
    }
    postgres.start_again();
    assert_eq!(inbox.send(request("d-2")).await.status, 202);
    assert_eq!(inbox.kept().await.0, 2);
}

#[tokio::test]
async fn without_hooks_everything_is_refused_and_no_secret_is_shown() {
    let inbox = Inbox::with(Store::open("sqlite::memory:").await.unwrap(), Vec::new());
    for kind in KINDS {
        let heard = inbox.send(signed(kind, SECRET, event(kind), "d", &push(kind, 1))).await;
        heard.problem(403, "hook.signature");
    }
    let shown = format!("{:?} {:?}", Hooks::new(sources()).unwrap(), sources());
    assert!(!shown.contains(SECRET) && !shown.contains(SIGNING), "{shown}");
    let bare = HookSource { secrets: Vec::new(), ..sources().remove(0) };
    assert_eq!(Hooks::new([bare]).unwrap_err().code, "hook.secret");
    let empty = HookSource { secrets: vec!["".into()], ..sources().remove(0) };
    assert_eq!(Hooks::new([empty]).unwrap_err().code, "hook.secret");
}
