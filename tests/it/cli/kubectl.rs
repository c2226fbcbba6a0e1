//! What is committed is what `kubectl` reads.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Fleet, git};

/// What `kubectl kustomize` prints for a folder. It must succeed.
#[track_caller]
pub(super) fn kustomize(folder: &Path) -> String {
    let mut command = Command::new("kubectl");
    command.arg("kustomize").arg(folder).stdin(Stdio::null()).env("KUBECONFIG", "/dev/null").env("HOME", folder);
    let output = command.output().expect("kubectl is needed for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Objects by identity, whatever their order.
#[track_caller]
pub(super) fn objects(text: &str) -> Vec<Value> {
    let mut objects = wooo::yaml::read_all(text).unwrap();
    objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
    objects
}

const APPS: [(&str, &str); 7] = [
    ("flask-event-system", "event-system"),
    ("django-shop", "shop"),
    ("fastapi-orders", "orders"),
    ("go-ledger", "ledger"),
    ("nextjs-portal", "portal"),
    ("node-api", "node-api"),
    ("static-docs", "handbook"),
];

/// The spec of a sample app, without what is not rendered yet.
fn put_spec(fleet: &Fleet, folder: &str) -> String {
    let path = format!("{}/fixtures/apps/{folder}/wooo.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("addons:")).collect();
    fleet.lab.write(&format!("{folder}/wooo.yaml"), &format!("{}\n", kept.join("\n")));
    format!("{folder}/wooo.yaml")
}

#[test]
fn a_committed_tree_builds_to_the_same_objects() {
    for settings in ["--delivery flux --provider k3s", "--delivery argocd --provider eks"] {
        let fleet = Fleet::of(&format!("init fleet {settings}"));
        for (folder, name) in APPS {
            let spec = put_spec(&fleet, folder);
            fleet.ok(&format!("onboard {spec} --env staging --merge"));
            fleet.ok(&format!("promote {name} --env production --merge"));
        }
        // A fresh clone, so that nothing but the commit counts.
        let clone = fleet.lab.path("clone");
        let source = fleet.dir.to_string_lossy().into_owned();
        let target = clone.to_string_lossy().into_owned();
        assert!(git(&fleet.dir, ["clone", "--quiet", &source, &target]).status().unwrap().success());
        for (folder, name) in APPS {
            for environment in ["staging", "production"] {
                let built = objects(&kustomize(&clone.join(format!("rendered/{environment}/{name}"))));
                let rendered = fleet.ok(&format!("render {folder}/wooo.yaml --env {environment}"));
                assert!(built.len() >= 9, "{name}: {}", built.len());
                assert_eq!(built, objects(&rendered), "{name} in {environment}");
            }
        }
        fleet.assert_sound();
    }
}
