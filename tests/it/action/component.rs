//! The GitLab CI component: its job's scripts, run as a runner of GitLab runs them.

use std::process::{Command, Stdio};

use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::identity::Forge;
use super::runner::root;

/// The job that the component makes of inputs.
fn job(inputs: &Value) -> Value {
    let text = std::fs::read_to_string(root().join("ci/gitlab/component.yml")).unwrap();
    let documents = wooo::yaml::read_all(&text).unwrap();
    let declared = &documents[0]["spec"]["inputs"];
    let expression = Regex::new(r"\$\[\[ inputs\.([a-z_]+) \]\]").unwrap();
    let fill = |text: &str| {
        let filled = expression.replace_all(text, |found: &Captures<'_>| {
            let value = inputs.get(&found[1]).or_else(|| declared[&found[1]].get("default"));
            value.and_then(Value::as_str).unwrap_or_else(|| panic!("{} is needed", &found[1])).to_owned()
        });
        filled.into_owned()
    };
    fn filled(value: &Value, fill: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::String(text) => fill(text).into(),
            Value::Array(items) => items.iter().map(|item| filled(item, fill)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (fill(name), filled(value, fill))).collect(),
            other => other.clone(),
        }
    }
    filled(&documents[1], &fill)["wooo"].clone()
}

#[test]
fn a_job_of_gitlab_deploys_without_a_secret() {
    let forge = Forge::start();
    let service = forge.service("gitlab");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".wooo")).unwrap();
    std::os::unix::fs::symlink(root(), folder.path().join(".wooo/source")).unwrap();
    let run = |more: Value| {
        let mut inputs = json!({
            "source": "https://gitlab.example/platform/wooo.git", "server": service.served.url, "name": "shop",
            "environment": "staging", "image": "registry.example/shop:1.0.0",
        });
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let job = job(&inputs);
        let audience = job["id_tokens"]["WOOO_ID_TOKEN"]["aud"].as_str().unwrap();
        let lines: Vec<&str> = ["before_script", "script"]
            .iter()
            .flat_map(|part| job[*part].as_array().unwrap().iter().filter_map(Value::as_str))
            .collect();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_wooo")).parent().unwrap().display().to_string();
        let output = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", &lines.join("\n")])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap()))
            .env("HOME", folder.path())
            .env("GITLAB_CI", "true")
            .env("CI_PROJECT_DIR", folder.path())
            .env("CI_PROJECT_PATH", "acme/shop")
            .env("CI_COMMIT_SHA", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
            .env("WOOO_ID_TOKEN", forge.gitlab_token(audience))
            .envs(job["variables"].as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("eyJ"), "{log}");
        let dotenv = job["artifacts"]["reports"]["dotenv"].as_str().unwrap();
        let facts = std::fs::read_to_string(folder.path().join(dotenv)).unwrap();
        let page = std::fs::read_to_string(folder.path().join(job["artifacts"]["paths"][0].as_str().unwrap())).unwrap();
        (output.status.code(), facts, page, log)
    };
    let (code, facts, page, log) = run(json!({"mode": "onboard", "framework": "flask", "env": "{TZ: Asia/Taipei}"}));
    assert_eq!(code, Some(0), "{log}");
    assert!(facts.contains("WOOO_OUTCOME=healthy\n"), "{facts}");
    assert!(page.contains("| Deployment shop | added |"), "{page}");
    assert!(log.contains("section_start:") && log.contains("wooo_report[collapsed=true]"), "{log}");
    let change = service.served.changes().remove(0);
    assert_eq!(change["actor"], "ci:gitlab:acme/shop");
    let (code, facts, ..) = run(json!({"image": "registry.example/shop:1.1.0-crash"}));
    assert_eq!(code, Some(1));
    assert!(facts.contains("WOOO_OUTCOME=degraded\n") && facts.contains("WOOO_CHANGE_ID="), "{facts}");
    let (code, facts, page, _) = run(json!({"image": "x; touch pwned"}));
    assert_eq!(code, Some(2));
    assert!(facts.contains("WOOO_OUTCOME=refused\n") && page.contains("not understood"), "{facts}{page}");
    assert!(!folder.path().join("pwned").exists());
}
