//! What is read of an app, and that changes arrive.

use serde_json::json;
use wooo::cluster::report::{ControllerHealth, ObjectRef, Owner};
use wooo::cluster::{Expectation, Live, Scope, Verdict, judge};
use wooo::domain::Outcome;
use wooo::domain::fleet::Delivery;

use super::objects::{self, COMMIT};
use super::server::{
    APPLICATIONS, CERTIFICATES, DEPLOYMENTS, EVENTS, KUSTOMIZATIONS, PODS, REPLICA_SETS, STATEFUL_SETS, Server,
};
use super::{cluster, follow, seen, target};

const APP: &str = "app-shop";

fn running() -> serde_json::Value {
    json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}})
}

async fn shop() -> Server {
    let server = Server::start().await;
    server.put(DEPLOYMENTS, objects::deployment(APP, "shop", "shop:2", 2, 2));
    server.put(DEPLOYMENTS, objects::deployment("app-shop-2", "shop", "shop:9", 1, 2));
    server.put(STATEFUL_SETS, objects::stateful_set(APP, "shop-postgresql", "db-1"));
    server.put(REPLICA_SETS, objects::replica_set(APP, "shop-old", "shop", 1));
    server.put(REPLICA_SETS, objects::replica_set(APP, "shop-new", "shop", 2));
    server.put(PODS, objects::pod(APP, "shop-old-a", ("ReplicaSet", "shop-old"), running()));
    server.put(PODS, objects::pod(APP, "shop-new-a", ("ReplicaSet", "shop-new"), running()));
    server.put(PODS, objects::pod(APP, "shop-postgresql-0", ("StatefulSet", "shop-postgresql"), running()));
    server.put(PODS, objects::pod(APP, "backup-x", ("Job", "backup"), running()));
    server.put(EVENTS, objects::warning(APP, "shop-new-a.1", "shop-new-a"));
    server.put(EVENTS, objects::warning("somebody-else", "x.1", "x"));
    server.put(CERTIFICATES, objects::certificate(APP, "shop-tls"));
    server.put(KUSTOMIZATIONS, objects::kustomization(COMMIT));
    server.put(APPLICATIONS, objects::application(COMMIT));
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_an_app_is_in_its_report_and_nothing_else() {
    let server = shop().await;
    let clusters = follow(&server);
    let report =
        seen(&clusters, Delivery::Flux, |report| !report.events.is_empty() && !report.certificates.is_empty()).await;

    let names: Vec<&str> = report.workloads.iter().map(|workload| workload.name.as_str()).collect();
    assert_eq!(names, ["shop", "shop-postgresql"]);
    assert!(report.workloads[0].runs("shop:2"));
    assert_eq!(report.workloads[0].conditions[0].message, "", "what is well needs no text");

    let pods: Vec<(&str, bool, Option<&str>)> = report
        .pods
        .iter()
        .map(|pod| (pod.name.as_str(), pod.is_newest, pod.workload.as_ref().map(|owner| owner.name.as_str())))
        .collect();
    let postgresql = ("shop-postgresql-0", true, Some("shop-postgresql"));
    let old = ("shop-old-a", false, Some("shop"));
    assert_eq!(pods, [("backup-x", false, None), ("shop-new-a", true, Some("shop")), old, postgresql]);
    let owner = Owner { kind: "ReplicaSet".to_owned(), name: "shop-new".to_owned() };
    assert_eq!(report.pods[1].owner, Some(owner));
    assert!(report.pods[1].is_ready && report.pods[1].containers.is_empty());

    let controller = report.controller.as_ref().expect("Flux has it");
    assert_eq!(controller.applied_revision.as_deref(), Some(COMMIT));
    assert_eq!(controller.health, ControllerHealth::Healthy);
    assert!(controller.synced_at.is_some() && !controller.is_suspended && !controller.is_out_of_sync);

    assert_eq!((report.events.len(), report.events[0].count), (1, 3));
    assert_eq!(report.certificates[0].message, "no Secret yet");

    let status = clusters.status(&cluster()).expect("it is followed");
    assert_eq!((status.deployments, status.pods, status.version.as_deref()), (2, 4, Some("v1.34.1")));
    assert_eq!(status.errors, Vec::<String>::new());
    let written = serde_json::to_value(&report).expect("JSON");
    assert_eq!(serde_json::from_value::<wooo::cluster::Report>(written).expect("the same"), report);
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn argo_cd_says_what_differs() {
    let server = shop().await;
    let clusters = follow(&server);
    let report = seen(&clusters, Delivery::Argocd, |_| true).await;
    let controller = report.controller.as_ref().expect("Argo CD has it");
    assert_eq!(controller.applied_revision.as_deref(), Some(COMMIT));
    assert_eq!((controller.health, controller.is_out_of_sync), (ControllerHealth::Progressing, true));
    let namespace = APP.to_owned();
    let differs = ObjectRef { kind: "Deployment".to_owned(), namespace, name: "shop".to_owned() };
    assert_eq!(controller.out_of_sync, [differs]);
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_image_is_judged_degraded_while_flux_still_waits() {
    let server = shop().await;
    let clusters = follow(&server);
    let mut changes = clusters.changed();
    seen(&clusters, Delivery::Flux, |_| true).await;
    let merged_at = jiff::Timestamp::now();
    let mut begun = Expectation::merged_at(merged_at);
    (begun.applied, begun.attempted, begun.image) = (Live::No, Live::Yes, Some("shop:3".to_owned()));

    server.put(DEPLOYMENTS, objects::deployment(APP, "shop", "shop:3", 3, 2));
    server.put(REPLICA_SETS, objects::replica_set(APP, "shop-bad", "shop", 3));
    let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}});
    server.put(PODS, objects::pod(APP, "shop-bad-a", ("ReplicaSet", "shop-bad"), waiting));
    let is_there =
        |report: &wooo::cluster::Report| report.pods.iter().any(|pod| pod.name == "shop-bad-a" && pod.is_newest);
    let report = seen(&clusters, Delivery::Flux, |report| is_there(report) && report.observed_at >= merged_at).await;
    let now = report.observed_at;
    assert!(matches!(judge(Some(&report), &begun, now), Verdict::Pending { .. }), "a registry may hiccup");

    // It backs off and tries again: it is the same failure, and its time goes on.
    let since = report.pods.iter().find_map(|pod| pod.containers.first()?.waiting.as_ref()).expect("it waits").since;
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image shop:3"}});
    server.put(PODS, objects::pod(APP, "shop-bad-a", ("ReplicaSet", "shop-bad"), waiting));
    let backs_off = |report: &wooo::cluster::Report| {
        let mut waiting = report.pods.iter().filter_map(|pod| pod.containers.first()?.waiting.as_ref());
        waiting.any(|waiting| waiting.reason == "ImagePullBackOff" && waiting.since == since)
    };
    let report = seen(&clusters, Delivery::Flux, backs_off).await;
    let later = since + jiff::SignedDuration::from_secs(10);
    let reason = "Deployment shop: pod shop-bad-a, container shop: ImagePullBackOff: Back-off pulling image shop:3";
    let degraded = Verdict::Settled { outcome: Outcome::Degraded, reason: reason.to_owned() };
    assert_eq!(judge(Some(&report), &begun, later), degraded);

    let mut scopes = Vec::new();
    while let Ok(change) = changes.try_recv() {
        assert!(change.concerns(&cluster(), &target(Delivery::Flux)), "{change:?}");
        scopes.push(change.scope);
    }
    assert_eq!(scopes.first(), Some(&Scope::All));
    assert_eq!(scopes.last(), Some(&Scope::Namespace(APP.to_owned())));
    clusters.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_page_by_page() {
    let server = Server::start().await;
    for number in 0..1203 {
        server.put(DEPLOYMENTS, objects::deployment(&format!("app-{number}"), "x", "x:1", 1, 2));
    }
    let clusters = follow(&server);
    seen(&clusters, Delivery::Flux, |_| true).await;
    assert_eq!(clusters.status(&cluster()).expect("it is followed").deployments, 1203);
    clusters.shutdown().await;
}
