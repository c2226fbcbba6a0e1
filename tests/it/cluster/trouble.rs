//! Clusters that are silent, refuse, forget, or are not there: nothing is known of them, and never that all is well.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wooo::cluster::{ClusterSettings, Clusters, Observation};
use wooo::domain::fleet::Delivery;

use super::objects::{self, COMMIT};
use super::server::{APPLICATIONS, CERTIFICATES, DEPLOYMENTS, KUSTOMIZATIONS, Mood, Server};
use super::{FAST, cluster, follow, seen, target, until};

async fn shop() -> Server {
    let server = Server::start().await;
    server.put(DEPLOYMENTS, objects::deployment("app-shop", "shop", "shop:1", 1, 2));
    server.put(DEPLOYMENTS, objects::deployment("app-shop", "worker", "shop:1", 1, 2));
    server.put(KUSTOMIZATIONS, objects::kustomization(COMMIT));
    server
}

fn is_unknown(words: &'static str) -> impl Fn(&Observation) -> bool {
    move |observation| matches!(observation, Observation::Unknown { reason, .. } if reason.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_history_is_closed_by_a_list() {
    let server = shop().await;
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |report| report.workloads.len() == 2).await;
    server.remove(DEPLOYMENTS, "app-shop", "worker");
    server.compact();
    let report = seen(&clusters, Delivery::Flux, |report| report.workloads.len() == 1).await;
    assert_eq!(report.workloads[0].name, "shop");
    server.put(DEPLOYMENTS, objects::deployment("app-shop", "shop", "shop:2", 2, 2));
    seen(&clusters, Delivery::Flux, |report| report.workloads[0].runs("shop:2")).await;
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_cluster_is_not_a_stale_one_and_is_not_listed_again() {
    let server = shop().await;
    let clusters = follow(&server);
    let first = seen(&clusters, Delivery::Flux, |_| true).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let lists = server.lists();
    tokio::time::sleep(FAST.stale_after + Duration::from_secs(1)).await;
    let observation = clusters.report(&cluster(), &target(Delivery::Flux));
    let report = observation.report().expect("bookmarks keep it fresh");
    assert!(report.observed_at > first.observed_at);
    assert_eq!(server.lists(), lists, "watches are resumed and not begun anew");
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_hangs_is_unknown_until_it_is_heard_again() {
    let server = shop().await;
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |_| true).await;
    let mut changes = clusters.changed();
    server.set(Mood::Hangs);
    let observation = until(&clusters, Delivery::Flux, is_unknown("it was last heard")).await;
    assert!(matches!(observation, Observation::Unknown { last_heard: Some(_), .. }));
    assert!(clusters.status(&cluster()).expect("it is followed").is_stale);
    let told = tokio::time::timeout(Duration::from_secs(3), changes.recv()).await;
    assert!(told.expect("observers are told of silence").is_ok());
    server.set(Mood::Well);
    seen(&clusters, Delivery::Flux, |_| true).await;
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_cache_is_noticed_although_the_cluster_answers() {
    let server = shop().await;
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |_| true).await;
    server.set(Mood::Frozen);
    until(&clusters, Delivery::Flux, is_unknown("it was last heard")).await;
    let status = clusters.status(&cluster()).expect("it is followed");
    let silence = status.answered_at.expect("it answered").duration_since(status.last_heard.expect("it was heard"));
    assert!(silence.as_secs() >= 2, "the version is still answered: {status:?}");
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_on_which_nothing_comes_is_replaced_by_lists() {
    let server = shop().await;
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |_| true).await;
    server.set(Mood::Silent);
    server.put(DEPLOYMENTS, objects::deployment("app-shop", "shop", "shop:2", 2, 2));
    seen(&clusters, Delivery::Flux, |report| report.workloads[0].runs("shop:2")).await;
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_that_are_cut_off_are_helped_out_by_lists() {
    let server = shop().await;
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |_| true).await;
    server.set(Mood::Curt);
    tokio::time::sleep(FAST.stale_after + Duration::from_secs(1)).await;
    let observation = clusters.report(&cluster(), &target(Delivery::Flux));
    assert!(observation.report().is_some(), "{observation:?}");
    assert!(server.lists() < 100, "{} lists", server.lists());
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_refuses_or_fails_says_why() {
    for (mood, words) in [(Mood::Refuses, "pods is forbidden"), (Mood::Fails, "answers 500: etcd is sad")] {
        let server = shop().await;
        server.set(mood);
        let clusters = follow(&server);
        let observation = until(&clusters, Delivery::Flux, is_unknown(words)).await;
        assert!(matches!(observation, Observation::Unknown { last_heard: None, .. }), "{observation:?}");
        let status = clusters.status(&cluster()).expect("it is followed");
        assert!(status.is_stale && !status.is_synced, "{status:?}");
        server.set(Mood::Well);
        seen(&clusters, Delivery::Flux, |_| true).await;
        clusters.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_told_and_not_shown() {
    let server = shop().await;
    let settings = ClusterSettings::at(server.url(), Some("canary".to_owned().into()));
    let clusters = Clusters::start([(cluster(), settings)], FAST, &CancellationToken::new());
    let observation = until(&clusters, Delivery::Flux, is_unknown("answers 401")).await;
    assert!(!format!("{observation:?} {clusters:?}").contains("canary"));
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_installed_is_no_error_and_may_come_later() {
    let server = shop().await;
    for path in [APPLICATIONS, CERTIFICATES, KUSTOMIZATIONS] {
        server.set_absent(path, true);
    }
    let clusters = follow(&server);
    let report = seen(&clusters, Delivery::Flux, |_| true).await;
    assert_eq!(report.controller, None);
    let status = clusters.status(&cluster()).expect("it is followed");
    assert_eq!((status.has_flux, status.errors.len()), (Some(false), 0), "{status:?}");
    server.set_absent(KUSTOMIZATIONS, false);
    seen(&clusters, Delivery::Flux, |report| report.controller.is_some()).await;
    assert_eq!(clusters.status(&cluster()).expect("it is followed").has_flux, Some(true));
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_pods_is_no_cluster() {
    let server = shop().await;
    server.set_absent(DEPLOYMENTS, true);
    let clusters = follow(&server);
    until(&clusters, Delivery::Flux, is_unknown("the cluster answers 404")).await;
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_cluster_and_an_unreachable_one_are_unknown() {
    let settings = ClusterSettings::at("http://127.0.0.1:1", None);
    let clusters = Clusters::start([(cluster(), settings)], FAST, &CancellationToken::new());
    until(&clusters, Delivery::Flux, is_unknown("Connection refused")).await;
    let other = "elsewhere".parse().expect("a name");
    let observation = clusters.report(&other, &target(Delivery::Flux));
    assert!(is_unknown("no cluster `elsewhere` is set up")(&observation), "{observation:?}");
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_ends_at_once_when_it_is_told_to_or_dropped() {
    let server = shop().await;
    let stop = CancellationToken::new();
    let settings = ClusterSettings::at(server.url(), Some(super::server::TOKEN.to_owned().into()));
    let clusters = Clusters::start([(cluster(), settings)], FAST, &stop);
    seen(&clusters, Delivery::Flux, |_| true).await;
    let began = Instant::now();
    stop.cancel();
    clusters.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(follow(&server));
    for _ in 0..100 {
        if server.watches() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{} watches are still open", server.watches());
}
