//! Specs and settings that the rendering tests share.

use serde_json::Value;
use wooo::domain::release::Release;
use wooo::domain::{App, AppSpec, Document, EnvironmentName, FleetSettings, Problems};
use wooo::files::{LayeredTree, MemoryTree};
use wooo::overlay::Overlay;
use wooo::render::{OwnOverlay, Rendered, Renderer, builtin};

/// Settings with one environment, `production`, on a cluster as the provider usually has it.
pub(super) fn settings(provider: &str, delivery: &str, entry: &str) -> FleetSettings {
    let entry = match (entry, provider) {
        ("ingress", "k3s") => "ingress: {class: traefik, namespace: kube-system}",
        ("ingress", "eks") => {
            "ingress: {class: alb, namespace: kube-system, cidrs: [10.0.0.0/16], annotations: {alb.ingress.kubernetes.io/scheme: internet-facing, alb.ingress.kubernetes.io/target-type: ip}}"
        }
        ("ingress", "gke") => {
            "ingress: {class: gce, namespace: kube-system, cidrs: [130.211.0.0/22, 35.191.0.0/16], annotations: {kubernetes.io/ingress.global-static-ip-name: apps}}"
        }
        ("ingress", _) => "ingress: {class: webapprouting.kubernetes.azure.com, namespace: app-routing-system}",
        ("gateway", _) => "gateway: {name: public, namespace: gateways}",
        (other, _) => other,
    };
    let (storage, prefix, monitoring) = match provider {
        "k3s" => ("local-path", "alpha", "labels: {release: kube-prometheus-stack}, dashboard_folder: Apps"),
        "eks" => (
            "gp3",
            "ga",
            "labels: {release: monitoring}, dashboard_folder: Apps, dashboard_folder_annotation: k8s-sidecar-target-directory",
        ),
        "gke" => ("standard-rwo", "both", "namespace: gmp-public, labels: {prometheus: apps}"),
        _ => ("managed-csi", "alpha", "labels: {team: platform}, dashboard_label: grafana_dashboard_apps"),
    };
    let text = format!(
        "repository: {{url: https://git.example.com/platform/fleet.git}}\n\
         environments:\n  production: {{cluster: main, provider: {provider}}}\n\
         clusters:\n  main:\n    delivery: {delivery}\n    {entry}\n    issuer: letsencrypt-prod\n    dns: {{prefix: {prefix}}}\n    \
         storage_class: {storage}\n    monitoring: {{{monitoring}, {RECEIVERS}}}\n"
    );
    FleetSettings::parse(&Document { file: "fleet.yaml", text: &text }).expect("the fixture is valid")
}

/// Where alerts go: wooo, and a chat.
const RECEIVERS: &str = "webhook: {url: 'https://wooo.example.com/webhooks/alertmanager', token: {name: wooo-alerting, key: token}}, \
     channels: {telegram: {chat_id: -100123, token: {name: wooo-alerting, key: telegram}}}";

pub(super) fn production() -> EnvironmentName {
    "production".parse().expect("the fixture is valid")
}

pub(super) fn app(spec: &str) -> App {
    app_in(spec, "")
}

pub(super) fn app_in(spec: &str, release: &str) -> App {
    let spec = AppSpec::parse(&Document { file: "app.yaml", text: spec }).expect("the fixture is valid");
    let release = Release::parse(&Document { file: "production.yaml", text: release }).expect("the fixture is valid");
    App::resolve(&spec, &release)
}

pub(super) fn renderer(settings: FleetSettings, shadow: &[(&'static str, &'static str)]) -> Result<Renderer, Problems> {
    let shadow: MemoryTree = shadow.iter().map(|(path, content)| (*path, content.as_bytes())).collect();
    let built_in = builtin::files();
    Renderer::new(settings, &LayeredTree::new(&shadow, &built_in))
}

pub(super) fn render(spec: &str) -> Result<Rendered, Problems> {
    renderer(settings("k3s", "flux", "ingress"), &[])?.render(&app(spec), &production(), None)
}

/// Renders with a team's overlay made of one kustomization.
pub(super) fn render_with_overlay(spec: &str, kustomization: &str) -> Result<Rendered, Problems> {
    let folder = "apps/shop/overlay/production";
    let tree: MemoryTree =
        [(format!("{folder}/kustomization.yaml"), kustomization.as_bytes().to_vec())].into_iter().collect();
    let overlay = Overlay::load(&tree, folder).expect("the fixture is valid");
    renderer(settings("k3s", "flux", "ingress"), &[])?.render(
        &app(spec),
        &production(),
        Some(OwnOverlay { folder, overlay: &overlay }),
    )
}

/// All files as one text. What watches an app is long, differs little, and has snapshots of its own.
pub(super) fn listing(rendered: &Rendered) -> String {
    let mut text = String::new();
    for file in rendered.files.iter().filter(|file| !is_watching(&file.name)) {
        text.push_str(&format!("# {}\n{}", file.name, file.content));
    }
    text.push_str(&format!("# delivery\n{}", rendered.delivery_file));
    text
}

/// What watches an app as one text, dashboards in a form that can be read.
pub(super) fn watching(rendered: &Rendered) -> String {
    let mut text = String::new();
    for file in rendered.files.iter().filter(|file| is_watching(&file.name)) {
        text.push_str(&format!("# {}\n{}", file.name, file.content));
    }
    for dashboard in dashboards(&rendered.objects) {
        text.push_str(&format!("# dashboard\n{}\n", serde_json::to_string_pretty(&dashboard).expect("it is JSON")));
    }
    text
}

fn is_watching(name: &str) -> bool {
    ["servicemonitor-", "probe-", "prometheusrule-", "alertmanagerconfig-"].iter().any(|kind| name.starts_with(kind))
        || name.ends_with("-dashboard.yaml")
}

/// The dashboards among objects.
pub(crate) fn dashboards(objects: &[Value]) -> Vec<Value> {
    let is_dashboard = |object: &&Value| {
        object["kind"] == "ConfigMap"
            && object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with("-dashboard"))
    };
    let texts = objects.iter().filter(is_dashboard).flat_map(|object| object["data"].as_object().into_iter().flatten());
    texts.map(|(_, text)| serde_json::from_str(text.as_str().expect("a text")).expect("a dashboard is JSON")).collect()
}
