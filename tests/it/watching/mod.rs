//! What watches an app, tried on the programs that will read it: every rule in Prometheus, every route in Alertmanager,
//! every query of a dashboard. A program that is missing is a failure.

#![expect(clippy::panic, reason = "a helper that fails is a test that fails")]

mod dashboards;
mod routing;
mod rules;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use wooo::domain::release::Release;
use wooo::domain::{App, AppSpec, Document, EnvironmentName, FleetSettings};
use wooo::render::{Renderer, builtin};

/// A fleet whose alerts go everywhere, with two environments on one cluster.
const FLEET: &str = "\
repository: {url: https://git.example.com/platform/fleet.git}
environments:
  production: {cluster: main, provider: k3s}
  staging: {cluster: main, provider: k3s, namespace_suffix: -staging}
clusters:
  main:
    delivery: flux
    ingress: {class: nginx}
    issuer: letsencrypt-prod
    secrets: external-secrets
    monitoring:
      labels: {release: kube-prometheus-stack}
      webhook: {url: 'https://wooo.example.com/webhooks/alertmanager', token: {name: wooo-alerting, key: token}}
      channels:
        telegram: {chat_id: -100123, token: {name: wooo-alerting, key: telegram}}
        email: {to: sre@example.com, from: alerts@example.com, smarthost: 'mail.example.com:587', username: alerts, password: {name: wooo-alerting, key: smtp}}
        slack: {channel: '#alerts', url: {name: wooo-alerting, key: slack}}
        webhook: {url: {name: wooo-alerting, key: webhook}}
";

/// The objects of an app in an environment of [`FLEET`].
#[track_caller]
fn rendered(spec: &str, environment: &str) -> Vec<Value> {
    let settings = FleetSettings::parse(&Document { file: "fleet.yaml", text: FLEET }).expect("the fixture is valid");
    let spec = AppSpec::parse(&Document { file: "app.yaml", text: spec }).expect("the fixture is valid");
    let environment: EnvironmentName = environment.parse().expect("the fixture is valid");
    let renderer = Renderer::new(settings, &builtin::files()).expect("the built-in templates are valid");
    let app = App::resolve(&spec, &Release::default());
    renderer.render(&app, &environment, None).unwrap_or_else(|problems| panic!("{problems}")).objects
}

/// The text of a file below `fixtures/alerts`.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/alerts").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The one object of a kind.
#[track_caller]
fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "there is more than one {kind}");
    object
}

/// Where a program is: in the variable, or on the path.
fn program(variable: &str, name: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}

/// Runs a program that the tests need.
#[track_caller]
fn run(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{name} is needed for this test ({error}); .ci/run installs it"))
}

/// Both outputs of a program, as one text.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
