//! The API server: lists, watches, patches and refusals.

use std::collections::BTreeSet;
use std::process::Command;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::discovery::Discovery;
use kube::runtime::watcher;
use serde_json::json;
use wooo::sandbox::{ClusterOptions, Sandbox, SandboxOptions};

use super::{client, empty};

fn config(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"app": value}}, "data": {"key": value}}))
        .unwrap()
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn objects_are_made_read_replaced_and_removed() {
    let (sandbox, client) = empty().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "shop");
    assert_eq!(code(api.get("a").await.unwrap_err()), 404);
    let made = api.create(&PostParams::default(), &config("a", "1")).await.unwrap();
    assert!(made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some());
    assert_eq!(code(api.create(&PostParams::default(), &config("a", "1")).await.unwrap_err()), 409);

    let mut next = made.clone();
    next.data.as_mut().unwrap().insert("key".to_owned(), "2".to_owned());
    let next = api.replace("a", &PostParams::default(), &next).await.unwrap();
    assert_ne!(next.metadata.resource_version, made.metadata.resource_version);
    // Whoever has read the object before must read it again.
    assert_eq!(code(api.replace("a", &PostParams::default(), &made).await.unwrap_err()), 409);
    // What changes nothing makes no version.
    let same = api.replace("a", &PostParams::default(), &next).await.unwrap();
    assert_eq!(same.metadata.resource_version, next.metadata.resource_version);

    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(code(api.delete("a", &DeleteParams::default()).await.unwrap_err()), 404);
    sandbox.stop().await;
}

#[tokio::test]
async fn lists_come_in_pages_and_are_narrowed_by_selectors() {
    let (_sandbox, client) = empty().await;
    for (namespace, name, value) in
        [("a", "x", "1"), ("a", "y", "2"), ("b", "x", "1"), ("b", "z", "3"), ("c", "x", "1")]
    {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        api.create(&PostParams::default(), &config(name, value)).await.unwrap();
    }
    let all: Api<ConfigMap> = Api::all(client.clone());
    let mut seen = BTreeSet::new();
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let page = all.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
        pages += 1;
        for item in page.items {
            assert!(seen.insert((item.metadata.namespace.unwrap(), item.metadata.name.unwrap())));
        }
        token = page.metadata.continue_.unwrap_or_default();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, seen.len()), (3, 5));
    let count = async |parameters: ListParams| all.list(&parameters).await.unwrap().items.len();
    assert_eq!(count(ListParams::default().labels("app in (1,3),app!=3")).await, 3);
    assert_eq!(count(ListParams::default().fields("metadata.namespace=b")).await, 2);
    let one: Api<ConfigMap> = Api::namespaced(client, "a");
    assert_eq!(one.list(&ListParams::default()).await.unwrap().items.len(), 2);
    assert_eq!(one.list_metadata(&ListParams::default().labels("app=2")).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_watch_tells_what_happens_and_ends_when_its_past_is_forgotten() {
    let (sandbox, client) = empty().await;
    let api: Api<ConfigMap> = Api::namespaced(client, "shop");
    let start = api.create(&PostParams::default(), &config("a", "1")).await.unwrap().metadata.resource_version.unwrap();
    let parameters = WatchParams::default().labels("app=1").timeout(20);
    let mut events = api.watch(&parameters, &start).await.unwrap().boxed();
    api.create(&PostParams::default(), &config("b", "1")).await.unwrap();
    let away = json!({"metadata": {"labels": {"app": "2"}}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(&away)).await.unwrap();
    api.delete("b", &DeleteParams::default()).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(match events.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(object) => format!("added {}", object.metadata.name.unwrap()),
            WatchEvent::Modified(object) => format!("modified {}", object.metadata.name.unwrap()),
            WatchEvent::Deleted(object) => format!("deleted {}", object.metadata.name.unwrap()),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(told, ["added b", "deleted a", "deleted b"]);
    drop(events);

    reqwest::Client::new().post(format!("{}/sandbox/compact", sandbox.url())).send().await.unwrap();
    let mut events = api.watch(&parameters, &start).await.unwrap().boxed();
    match events.try_next().await.unwrap().unwrap() {
        WatchEvent::Error(status) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_watcher_of_kube_works_with_both_ways_to_begin() {
    let (_sandbox, client) = empty().await;
    let api: Api<ConfigMap> = Api::all(client.clone());
    let shop: Api<ConfigMap> = Api::namespaced(client, "shop");
    for name in ["a", "b", "c"] {
        shop.create(&PostParams::default(), &config(name, "1")).await.unwrap();
    }
    for settings in [watcher::Config::default().page_size(2), watcher::Config::default().streaming_lists()] {
        let mut events = watcher(api.clone(), settings).boxed();
        let mut first = 0;
        loop {
            match events.try_next().await.unwrap().unwrap() {
                watcher::Event::InitApply(_) => first += 1,
                watcher::Event::InitDone => break,
                _ => {}
            }
        }
        assert_eq!(first, 3);
        let name = format!("later-{}", uuid::Uuid::new_v4());
        shop.create(&PostParams::default(), &config(&name, "1")).await.unwrap();
        match events.try_next().await.unwrap().unwrap() {
            watcher::Event::Apply(object) => assert_eq!(object.metadata.name.unwrap(), name),
            other => panic!("{other:?}"),
        }
        shop.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn every_kind_of_patch_is_understood_and_the_status_is_apart() {
    let (sandbox, client) = empty().await;
    let api: Api<Deployment> = Api::namespaced(client, "shop");
    let desired = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "labels": {"a": "1", "b": "2"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}, {"name": "side", "image": "side:1"}]},
            },
        },
    });
    let apply = PatchParams::apply("tester");
    let made = api.patch("shop", &apply, &Patch::Apply(&desired)).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:2"}]}}}});
    let strategic = api.patch("shop", &PatchParams::default(), &Patch::Strategic(&image)).await.unwrap();
    let images = |deployment: &Deployment| -> Vec<String> {
        let pod = deployment.spec.template.spec.as_ref().unwrap();
        pod.containers.iter().filter_map(|container| container.image.clone()).collect()
    };
    assert_eq!((images(&strategic), strategic.metadata.generation), (vec!["shop:2".into(), "side:1".into()], Some(2)));

    let status = json!({"status": {"collisionCount": 7}, "spec": {"replicas": 9}});
    let status = api.patch_status("shop", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    assert_eq!(status.status.as_ref().unwrap().collision_count, Some(7));
    assert_eq!((status.spec.replicas, status.metadata.generation), (Some(0), Some(2)));
    let url = format!("{}/apis/apps/v1/namespaces/shop/deployments/shop", sandbox.url());
    let request = reqwest::Client::new().patch(url).header("content-type", "application/json-patch+json");
    let body = r#"[{"op": "replace", "path": "/metadata/labels/b", "value": "3"}]"#;
    let answer: Deployment = request.body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer.metadata.labels.unwrap()["b"], "3");

    // An applier takes away what it no longer wants, and leaves what is not its own.
    let mut less = desired.clone();
    less["metadata"]["labels"] = json!({"a": "1"});
    let applied = api.patch("shop", &apply, &Patch::Apply(&less)).await.unwrap();
    assert_eq!(applied.metadata.labels.as_ref().unwrap().len(), 1);
    assert_eq!(images(&applied), ["shop:1", "side:1"]);

    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 1}});
    assert_eq!(code(api.patch("shop", &PatchParams::default(), &Patch::Merge(&stale)).await.unwrap_err()), 409);
}

#[tokio::test]
async fn clusters_stand_side_by_side_and_can_lack_a_definition() {
    let mut bare = ClusterOptions::new("bare", []);
    bare.absent_groups = vec!["cert-manager.io".to_owned()];
    let clusters = vec![ClusterOptions::new("full", []), bare];
    let sandbox = Sandbox::start(SandboxOptions { clusters, ..SandboxOptions::default() }).await.unwrap();
    assert!(sandbox.cluster_url("none").is_none());
    let certificates = async |name: &str| {
        let client = client(&sandbox.cluster_url(name).unwrap());
        assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.37.0+wooo-sandbox");
        let discovery = Discovery::new(client.clone()).run().await.unwrap();
        let has = discovery.resolve_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate")).is_some();
        let kind = GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate");
        let api: Api<DynamicObject> = Api::all_with(client, &kube::core::ApiResource::from_gvk(&kind));
        (has, api.list(&ListParams::default()).await.map(|list| list.items.len()).map_err(code))
    };
    assert_eq!(certificates("full").await, (true, Ok(0)));
    assert_eq!(certificates("bare").await, (false, Err(404)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_shows_that_it_is_a_sandbox() {
    let (sandbox, client) = empty().await;
    let nodes: Api<Node> = Api::all(client);
    let node = nodes.get("sandbox").await.unwrap();
    assert_eq!(node.metadata.labels.unwrap()["wooo.dev/sandbox"], "true");
    let url = sandbox.cluster_url("sandbox").unwrap();
    let home = tempfile::tempdir().unwrap();
    let output = tokio::task::spawn_blocking(move || {
        Command::new("kubectl")
            .args(["--server", &url, "get", "nodes,namespaces"])
            .env("HOME", home.path())
            .env_remove("KUBECONFIG")
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("node/sandbox") && text.contains("namespace/kube-system"), "{text}");
}
