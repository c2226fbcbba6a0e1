//! Specs and settings that the rendering tests share.

use wooo::domain::release::Release;
use wooo::domain::{App, AppSpec, Document, EnvironmentName, FleetSettings, Problems};
use wooo::files::{LayeredTree, MemoryTree};
use wooo::overlay::Overlay;
use wooo::render::{OwnOverlay, Rendered, Renderer, builtin};

/// Settings with one environment, `production`.
pub(super) fn settings(provider: &str, delivery: &str, entry: &str) -> FleetSettings {
    let entry = match entry {
        "ingress" => "ingress: {class: nginx}",
        "gateway" => "gateway: {name: public, namespace: gateways}",
        other => other,
    };
    let text = format!(
        "repository: {{url: https://git.example.com/platform/fleet.git}}\n\
         environments:\n  production: {{cluster: main, provider: {provider}}}\n\
         clusters:\n  main:\n    delivery: {delivery}\n    {entry}\n    issuer: letsencrypt-prod\n    dns: {{prefix: both}}\n"
    );
    FleetSettings::parse(&Document { file: "fleet.yaml", text: &text }).expect("the fixture is valid")
}

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

/// All files as one text.
pub(super) fn listing(rendered: &Rendered) -> String {
    let mut text = String::new();
    for file in &rendered.files {
        text.push_str(&format!("# {}\n{}", file.name, file.content));
    }
    text.push_str(&format!("# delivery\n{}", rendered.delivery_file));
    text
}
