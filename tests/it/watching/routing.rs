//! Every rendered alert reaches whom it should, under each way in which the operator restricts routes.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wooo::render::alertmanager::{MatcherStrategy, configuration};

use super::{fixture, only, program, rendered, run, said};

/// The route test of one file of configuration.
struct Routes {
    folder: tempfile::TempDir,
}

impl Routes {
    fn new(configuration: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("alertmanager.yml"), wooo::yaml::write(configuration).unwrap()).unwrap();
        let routes = Self { folder };
        let output = run(amtool().arg("check-config").arg(routes.file()));
        assert!(output.status.success(), "{}", said(&output));
        routes
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("alertmanager.yml")
    }

    /// The receivers of an alert with these labels.
    fn of(&self, labels: &[(String, String)]) -> Vec<String> {
        let pairs = labels.iter().map(|(name, value)| format!("{name}={value}"));
        let output = run(amtool().args(["config", "routes", "test"]).arg("--config.file").arg(self.file()).args(pairs));
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        text.split(',').map(str::to_owned).collect()
    }
}

fn amtool() -> Command {
    Command::new(program("WOOO_TEST_AMTOOL", "amtool"))
}

const EVERYONE: &str = "notification_channels: [telegram, email, line, slack, webhook]\n";

/// Two apps in two environments of one cluster.
fn fleet() -> Vec<Vec<Value>> {
    let specs = [fixture("shop.app.yaml") + EVERYONE, fixture("docs.app.yaml"), fixture("store.app.yaml")];
    specs.iter().flat_map(|spec| ["production", "staging"].map(|environment| rendered(spec, environment))).collect()
}

/// The labels of every alert of an app as they arrive at Alertmanager.
fn alerts(objects: &[Value]) -> Vec<Vec<(String, String)>> {
    let kind = |object: &&Value| object["kind"] == "PrometheusRule";
    let groups = objects.iter().filter(kind).flat_map(|rule| rule["spec"]["groups"].as_array().unwrap());
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let labels = |rule: &Value| {
        let own = rule["labels"].as_object().unwrap().iter();
        let mut labels: Vec<_> = own.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        labels.push(("alertname".to_owned(), rule["alert"].as_str().unwrap().to_owned()));
        labels
    };
    rules.map(labels).collect()
}

#[test]
fn every_alert_reaches_wooo_and_the_apps_people_under_each_strategy() {
    let fleet = fleet();
    let strategies = [
        MatcherStrategy::None,
        MatcherStrategy::OnNamespace,
        MatcherStrategy::OnNamespaceExceptForAlertmanagerNamespace("monitoring".to_owned()),
    ];
    for strategy in &strategies {
        let routes = Routes::new(&configuration(fleet.iter().flatten(), strategy, "/etc/alertmanager/secrets"));
        for objects in &fleet {
            let config = only(objects, "AlertmanagerConfig");
            let own = |receiver: &str| {
                let text = |key: &str| config["metadata"][key].as_str().unwrap();
                format!("{}/{}/{receiver}", text("namespace"), text("name"))
            };
            let has_people = config["spec"]["receivers"].as_array().unwrap().len() == 2;
            let wanted = if has_people { vec![own("wooo"), own("people")] } else { vec![own("wooo")] };
            for labels in alerts(objects) {
                assert_eq!(routes.of(&labels), wanted, "{strategy:?}: {labels:?}");
            }
        }
        let strangers = [("alertname", "AppDown"), ("namespace", "app-other"), ("wooo_app", "other")];
        let strangers = strangers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(routes.of(&strangers), ["nobody"], "{strategy:?}");
    }
}

/// A source silences a target if each matches its side and both agree in the labels of `equal`.
#[test]
fn an_app_that_is_down_silences_its_symptoms_alone() {
    let fleet = fleet();
    let down =
        |objects: &[Value]| alerts(objects).into_iter().find(|labels| has(labels, "alertname", "AppDown")).unwrap();
    let configuration = configuration(fleet.iter().flatten(), &MatcherStrategy::None, "/s");
    let rules = configuration["inhibit_rules"].as_array().unwrap();
    let silenced = |source: &[(String, String)], target: &[(String, String)]| {
        rules.iter().any(|rule| {
            let equal = rule["equal"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            matches(&rule["source_matchers"], source)
                && matches(&rule["target_matchers"], target)
                && equal.into_iter().all(|name| value(source, name) == value(target, name))
        })
    };
    let names = |source: &[Value], target: &[Value]| -> Vec<String> {
        let source = down(source);
        let found = alerts(target).into_iter().filter(|target| silenced(&source, target));
        found.map(|labels| value(&labels, "alertname").unwrap().to_owned()).collect()
    };
    assert_eq!(names(&fleet[0], &fleet[0]), ["AppHighMemory", "AppHigh5xxRate", "AppHighLatency", "AppCPUThrottled"]);
    for (index, other) in fleet.iter().enumerate().skip(1) {
        assert_eq!(names(&fleet[0], other), [""; 0], "{index}");
    }
}

fn value<'a>(labels: &'a [(String, String)], name: &str) -> Option<&'a str> {
    labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn has(labels: &[(String, String)], name: &str, wanted: &str) -> bool {
    value(labels, name) == Some(wanted)
}

/// Whether labels have what all matchers of a rule want, of which wooo writes two sorts.
fn matches(matchers: &Value, labels: &[(String, String)]) -> bool {
    matchers.as_array().unwrap().iter().map(|matcher| matcher.as_str().unwrap()).all(|matcher| {
        let (name, pattern) = matcher.split_once('=').unwrap();
        let (choices, quoted) = match pattern.strip_prefix('~') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let wanted = quoted.trim_matches('"');
        let is = value(labels, name).unwrap_or_default();
        if choices { wanted.split('|').any(|choice| choice == is) } else { wanted == is }
    })
}

/// The command prints the same routing as one file.
#[test]
fn the_command_writes_one_file_for_a_plain_alertmanager() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.yaml"), super::FLEET).unwrap();
    for app in ["shop", "docs"] {
        let apps = folder.path().join("apps").join(app);
        fs::create_dir_all(&apps).unwrap();
        fs::write(apps.join("app.yaml"), fixture(&format!("{app}.app.yaml")) + EVERYONE).unwrap();
        fs::write(apps.join("production.yaml"), "").unwrap();
    }
    let wooo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wooo"));
        run(command.arg("render").args(arguments).arg("--fleet").arg(folder.path()))
    };
    let output = wooo(&["--alertmanager", "--env", "production", "--secrets-dir", "/run/secrets"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let file = folder.path().join("alertmanager.yml");
    fs::write(&file, &text).unwrap();
    let output = run(amtool().arg("check-config").arg(&file));
    assert!(output.status.success(), "{}", said(&output));
    assert!(text.contains("/run/secrets/wooo-alerting/telegram"), "{text}");
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/alerts/shop.app.yaml");
    let one = wooo(&[spec.to_str().unwrap(), "--alertmanager", "--env", "production"]);
    assert!(String::from_utf8_lossy(&one.stdout).contains("app-shop/shop/wooo"), "{}", said(&one));
    let none = wooo(&["--alertmanager", "--env", "staging"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&none.stderr), @r"
    error[routing.none]: no app in `staging` has alerts that are sent anywhere
     |
     = help: say where in fleet.yaml: `monitoring.webhook` of the cluster, or `monitoring.channels`
    ");
}
