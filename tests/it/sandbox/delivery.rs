//! A whole fleet, from the merge to pods that are ready or crash.

use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use wooo::sandbox::{Behaviour, BehaviourRule, ClusterOptions, FleetSource, Sandbox, SandboxOptions, Timings};

use super::{client, eventually};

/// A fleet on disk, and a sandbox that syncs its staging.
pub(super) struct Lab {
    folder: TempDir,
    pub(super) sandbox: Sandbox,
    pub(super) client: Client,
}

pub(super) fn quick() -> Timings {
    Timings {
        pod_start: Duration::from_millis(30),
        slow_start: Duration::from_secs(60),
        crash_after: Duration::from_millis(20),
        crash_backoff: Duration::from_millis(60),
        leak: Duration::from_millis(150),
        poll: Duration::from_millis(20),
        speed: 300.0,
    }
}

fn wooo(folder: &TempDir, words: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_wooo"))
        .args(words.split_whitespace())
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("WOOO_ACTOR", "local:tester")
        .output()
        .unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Lab {
    pub(super) async fn new(delivery: &str, timings: Timings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        wooo(&folder, &format!("init fleet --bare --delivery {delivery}"));
        let spec =
            "name: shop\ndomain: shop.example.com\nframework: flask\nimage: registry.example/shop:1.0.0\nreplicas: 2\n";
        std::fs::write(folder.path().join("wooo.yaml"), spec).unwrap();
        let staging = "staging".parse().unwrap();
        let options = SandboxOptions {
            clusters: vec![ClusterOptions::new("staging", [staging])],
            fleet: Some(FleetSource::Folder(folder.path().join("fleet"))),
            timings,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = client(&sandbox.cluster_url("staging").unwrap());
        let lab = Self { folder, sandbox, client };
        lab.run("onboard wooo.yaml --env staging --merge");
        lab.sandbox.bootstrap(&"staging".parse().unwrap()).await.unwrap();
        lab
    }

    pub(super) fn run(&self, words: &str) {
        wooo(&self.folder, &format!("{words} --fleet fleet"));
        self.sandbox.poke();
    }

    fn tip(&self) -> String {
        let fleet = self.folder.path().join("fleet");
        let output = Command::new("git").arg("-C").arg(fleet).args(["rev-parse", "main"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn dynamic(&self, group: &str, version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        api.get_opt(name).await.unwrap().map(|object| object.data)
    }

    async fn kustomization(&self) -> Option<Value> {
        self.dynamic("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "flux-system", "shop-staging").await
    }

    /// Waits until the app's Kustomization says this of its readiness at the newest commit.
    pub(super) async fn settled(&self, status: &str, reason: &str) -> Value {
        let revision = format!("main@sha1:{}", self.tip());
        eventually(async || {
            let found = self.kustomization().await?;
            let conditions = found.pointer("/status/conditions")?.as_array()?.clone();
            let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
            let is_newest = found["status"]["lastAttemptedRevision"] == revision;
            (is_newest && ready["status"] == status && ready["reason"] == reason).then_some(found)
        })
        .await
    }

    fn api<T>(&self) -> Api<T>
    where
        T: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        T::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), "app-shop")
    }

    async fn pods(&self, image: &str) -> Vec<Pod> {
        let pods = self.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
        let has = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some(image);
        pods.into_iter().filter(has).collect()
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn waiting(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?.clone();
    status.state?.waiting?.reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_synced_deployed_broken_healed_and_taken_away() {
    let lab = Lab::new("flux", quick()).await;
    let found = lab.settled("True", "ReconciliationSucceeded").await;
    assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{}", lab.tip()));
    let deployment = lab.api::<Deployment>().get("shop").await.unwrap();
    let status = deployment.status.clone().unwrap();
    assert_eq!((status.ready_replicas, status.updated_replicas, status.unavailable_replicas), (Some(2), Some(2), None));
    assert_eq!(status.observed_generation, deployment.metadata.generation);
    assert_eq!(deployment.annotations()["deployment.kubernetes.io/revision"], "1");
    let certificate = lab.dynamic("cert-manager.io", "v1", "Certificate", "app-shop", "shop-tls").await.unwrap();
    assert_eq!(certificate["status"]["conditions"][0]["status"], "True");
    let first = lab.tip();

    // A bad image: the new pod crashes, the old ones stay, and Flux says so.
    lab.run("deploy shop registry.example/shop:1.1.0-crash --env staging --merge");
    let crashing = eventually(async || {
        let pods = lab.pods("registry.example/shop:1.1.0-crash").await;
        pods.into_iter().find(|pod| waiting(pod).as_deref() == Some("CrashLoopBackOff"))
    })
    .await;
    let container = crashing.status.unwrap().container_statuses.unwrap().remove(0);
    assert!(container.restart_count >= 1);
    assert_eq!(container.last_state.unwrap().terminated.unwrap().exit_code, 1);
    let old = lab.pods("registry.example/shop:1.0.0").await;
    assert_eq!(old.iter().filter(|pod| is_ready(pod)).count(), 2);
    let events = lab.api::<Event>().list(&ListParams::default().fields("type=Warning,reason=BackOff")).await.unwrap();
    assert!(
        events.items.iter().any(|event| event.involved_object.name == Some(crashing.metadata.name.clone().unwrap()))
    );
    let found = lab.settled("False", "HealthCheckFailed").await;
    assert_eq!(found["status"]["lastAppliedRevision"], format!("main@sha1:{first}"));
    eventually(async || {
        let status = lab.api::<Deployment>().get("shop").await.unwrap().status?;
        status.conditions?.into_iter().find(|found| found.reason.as_deref() == Some("ProgressDeadlineExceeded"))
    })
    .await;

    lab.run("rollback shop --env staging --merge");
    lab.settled("True", "ReconciliationSucceeded").await;
    eventually(async || lab.pods("registry.example/shop:1.1.0-crash").await.is_empty().then_some(())).await;
    let sets = lab.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(sets.len(), 2, "the old ReplicaSet is taken up again");

    lab.run("unhold shop --env staging --merge");
    lab.run("offboard shop --env staging --merge");
    eventually(async || {
        let namespaces: Api<Namespace> = Api::all(lab.client.clone());
        (namespaces.get_opt("app-shop").await.unwrap().is_none() && lab.kustomization().await.is_none()).then_some(())
    })
    .await;
    assert!(lab.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty());
    lab.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_fail_in_every_way_that_is_asked_for() {
    let lab = Lab::new("flux", quick()).await;
    lab.settled("True", "ReconciliationSucceeded").await;
    let rule = |behaviour| BehaviourRule { app: Some("shop".to_owned()), image: None, namespace: None, behaviour };
    let one = async |wanted: fn(&Pod) -> bool| {
        eventually(async || lab.pods("registry.example/shop:1.0.0").await.into_iter().find(wanted)).await
    };
    assert!(lab.sandbox.behave("staging", rule(Behaviour::MemoryLeak)));
    let killed = |pod: &Pod| {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone()).unwrap_or_default();
        let last = statuses.first().and_then(|status| status.last_state.clone()?.terminated);
        last.is_some_and(|last| last.exit_code == 137 && last.reason.as_deref() == Some("OOMKilled"))
    };
    one(killed).await;
    assert!(lab.sandbox.behave("staging", rule(Behaviour::Unready)));
    one(|pod| !is_ready(pod) && waiting(pod).is_none()).await;
    assert!(lab.sandbox.behave("staging", rule(Behaviour::Healthy)));
    one(is_ready).await;
    // A wish goes before what the image says, so it is taken back first.
    let url = format!("{}/clusters/staging/sandbox/behaviours", lab.sandbox.url());
    let answer: Value = reqwest::Client::new().delete(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"sandbox": true, "behaviours": []}));

    lab.run("deploy shop registry.example/shop:2-missing --env staging --merge");
    eventually(async || {
        let pods = lab.pods("registry.example/shop:2-missing").await;
        pods.into_iter().find(|pod| waiting(pod).as_deref() == Some("ImagePullBackOff"))
    })
    .await;
    lab.run("deploy shop registry.example/shop:3-slow --env staging --merge");
    let slow = eventually(async || lab.pods("registry.example/shop:3-slow").await.into_iter().next()).await;
    assert!(!is_ready(&slow));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_corrected_and_what_others_own_is_kept() {
    let lab = Lab::new("flux", Timings { speed: 3000.0, ..quick() }).await;
    lab.settled("True", "ReconciliationSucceeded").await;
    let api = lab.api::<Deployment>();
    let drift = json!({"metadata": {"annotations": {"mine": "1"}}, "spec": {"replicas": 5}});
    let drifted = api.patch("shop", &PatchParams::default(), &Patch::Merge(&drift)).await.unwrap();
    assert_eq!(drifted.spec.replicas, Some(5));
    let healed = eventually(async || {
        Some(api.get("shop").await.unwrap()).filter(|deployment| deployment.spec.replicas == Some(2))
    })
    .await;
    assert_eq!(healed.annotations()["mine"], "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn argo_cd_says_the_same_in_its_own_words() {
    let lab = Lab::new("argocd", quick()).await;
    let application = async |health: &str| {
        eventually(async || {
            let found = lab.dynamic("argoproj.io", "v1alpha1", "Application", "argocd", "shop-staging").await?;
            let status = found.get("status")?.clone();
            let is_newest = status["sync"]["revision"] == lab.tip();
            (is_newest && status["health"]["status"] == health).then_some(status)
        })
        .await
    };
    let status = application("Healthy").await;
    assert_eq!(status["operationState"]["phase"], "Succeeded");
    assert_eq!(status["sync"]["status"], "Synced");
    lab.run("deploy shop registry.example/shop:1.1.0-oom --env staging --merge");
    application("Degraded").await;
    lab.run("rollback shop --env staging --merge");
    application("Healthy").await;
}
