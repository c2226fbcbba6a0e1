//! Every rule fires when it should, keeps silent when it should, and goes out again: `promtool test rules` on the cases in
//! `fixtures/alerts`.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use regex::Regex;
use serde_json::{Value, json};

use super::{fixture, program, rendered, run, said};

/// The groups of an app's rules and of its add-ons', as a file of Prometheus.
fn rule_file(spec: &str) -> String {
    let objects = rendered(spec, "production");
    let rules = objects.iter().filter(|object| object["kind"] == "PrometheusRule");
    let groups: Vec<&Value> = rules.flat_map(|rule| rule["spec"]["groups"].as_array().unwrap()).collect();
    wooo::yaml::write(&json!({ "groups": groups })).unwrap()
}

/// The apps whose rules are tried.
const APPS: [&str; 3] = ["shop", "docs", "store"];

/// Tries cases, several at a time: each takes a few seconds of one core.
fn each_case(cases: Vec<PathBuf>, check: impl Fn(&Path, &Output) + Sync) {
    cases.into_par_iter().for_each(|case| {
        let output = run(promtool().args(["test", "rules"]).arg(&case));
        check(&case, &output);
    });
}

fn promtool() -> Command {
    Command::new(program("WOOO_TEST_PROMTOOL", "promtool"))
}

/// The alerts of a file of rules.
fn alerts(rules: &str) -> Vec<Value> {
    let rules = wooo::yaml::read_all(rules).unwrap().remove(0);
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn every_rule_fires_keeps_silent_and_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = BTreeSet::new();
    for app in APPS {
        let rules = rule_file(&fixture(&format!("{app}.app.yaml")));
        names.extend(alerts(&rules).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()));
        fs::write(folder.path().join(format!("{app}.yaml")), rules).unwrap();
    }
    assert_eq!(names.len(), 13, "{names:?}");
    let title = Regex::new(r#"(?m)^\s*(?:- )?name: ["']?([a-z]+): "#).unwrap();
    let mut files = Vec::new();
    for name in &names {
        let text = fixture(&format!("{name}.yaml"));
        // Its anchors stand for more than is read from strangers.
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for found in title.captures_iter(&text) {
            *kinds.entry(found[1].to_owned()).or_default() += 1;
        }
        assert!(kinds.keys().eq(["fires", "resolves", "silent"].iter()), "{name}: {kinds:?}");
        assert!(kinds["silent"] >= 2, "{name}: {kinds:?}");
        let file = folder.path().join(format!("{name}.cases.yaml"));
        fs::write(&file, text).unwrap();
        files.push(file);
    }
    each_case(files, |file, output| assert!(output.status.success(), "{}: {}", file.display(), said(output)));
}

/// The harness would notice a rule that never fires: where none can, no file of cases passes.
#[test]
fn a_rule_that_cannot_fire_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for app in APPS {
        let rules = rule_file(&fixture(&format!("{app}.app.yaml")));
        let mut rules = wooo::yaml::read_all(&rules).unwrap().remove(0);
        for group in rules["groups"].as_array_mut().unwrap() {
            for rule in group["rules"].as_array_mut().unwrap() {
                rule["expr"] = "vector(1) > 2".into();
            }
        }
        fs::write(folder.path().join(format!("{app}.yaml")), wooo::yaml::write(&rules).unwrap()).unwrap();
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/alerts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".app.yaml") {
            let file = folder.path().join(&name);
            fs::copy(&path, &file).unwrap();
            files.push(file);
        }
    }
    each_case(files, |file, output| assert!(!output.status.success(), "{} passes without its rule", file.display()));
}

#[test]
fn rules_are_valid_whatever_an_app_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = 0;
    for framework in ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"] {
        for language in ["en", "zh-TW"] {
            for title in ["{{ .Values.x }}", "a \"quoted\" 'name' {{", "}} %s $labels", "活動報名網站"] {
                index += 1;
                let metrics = if index % 2 == 0 { "metrics_path: /metrics\n" } else { "" };
                let spec = format!(
                    "name: shop\ndisplay_name: {}\nimage: x/shop:1\nframework: {framework}\nlanguage: {language}\n{metrics}",
                    Value::from(title)
                );
                let rules = rule_file(&spec);
                fs::write(folder.path().join(format!("{index}.yaml")), &rules).unwrap();
            }
        }
    }
    let files = (1..=index).map(|index| folder.path().join(format!("{index}.yaml")));
    let output = run(promtool().args(["check", "rules"]).args(files));
    assert!(output.status.success(), "{}", said(&output));
}

/// A title is text in an alert, braces and all.
#[test]
fn a_title_cannot_run_a_template() {
    let folder = tempfile::tempdir().unwrap();
    let title = r#"{{ query "up" }} & {{{"#;
    let spec = format!("name: shop\ndisplay_name: {}\nimage: x/shop:1\nframework: static\n", Value::from(title));
    fs::write(folder.path().join("rules.yaml"), rule_file(&spec)).unwrap();
    let cases = format!(
        "rule_files: [rules.yaml]\ntests:\n- input_series:\n  - {{series: 'probe_success{{namespace=\"app-shop\", job=\"shop-probe\"}}', values: '0x20'}}\n  \
         alert_rule_test:\n  - eval_time: 10m\n    alertname: AppDown\n    exp_alerts:\n    - exp_labels: {{severity: critical, namespace: app-shop, wooo_app: shop, wooo_env: production, auto_repair: restart}}\n      \
         exp_annotations: {{summary: {summary}, description: Prometheus has reached nothing of shop-production for a minute., runbook_url: 'https://github.com/wooo/wooo/blob/main/docs/runbooks/AppDown.md'}}\n",
        summary = Value::from(format!("{title} is down"))
    );
    let file = folder.path().join("cases.yaml");
    fs::write(&file, cases).unwrap();
    let output = run(promtool().args(["test", "rules"]).arg(&file));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn every_alert_says_what_people_and_repairs_need() {
    for language in ["en", "zh-TW"] {
        let of_app =
            |app: &str| alerts(&rule_file(&(fixture(&format!("{app}.app.yaml")) + &format!("language: {language}\n"))));
        for rule in APPS.iter().flat_map(|app| of_app(app)) {
            let name = rule["alert"].as_str().unwrap();
            for label in ["severity", "namespace", "wooo_app", "wooo_env"] {
                assert!(rule["labels"][label].is_string(), "{name} has no {label}");
            }
            if let Some(repair) = rule["labels"].get("auto_repair") {
                let known = ["restart", "scale_memory", "oom_handler", "rollback", "cleanup"];
                assert!(known.contains(&repair.as_str().unwrap()), "{name}: {repair}");
            }
            for annotation in ["summary", "description"] {
                let text = rule["annotations"][annotation].as_str().unwrap();
                let is_chinese = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                assert_eq!(is_chinese, language == "zh-TW", "{name}: {text}");
            }
            let url = rule["annotations"]["runbook_url"].as_str().unwrap();
            let page =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks").join(url.rsplit('/').next().unwrap());
            assert!(page.is_file(), "{} is not there", page.display());
        }
    }
}
