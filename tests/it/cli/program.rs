//! The program as a whole: help, exit codes, forms of output.

use serde_json::Value;

use super::{Fleet, Lab, assert_message};

const VERBS: [&str; 33] = [
    "changes",
    "change",
    "merge",
    "close",
    "doctor",
    "reindex",
    "openapi",
    "demo",
    "serve",
    "init",
    "detect",
    "render",
    "build",
    "validate",
    "verify",
    "diff",
    "audit",
    "status",
    "schema",
    "completions",
    "onboard",
    "deploy",
    "configure",
    "rollback",
    "restart",
    "scale",
    "resize",
    "promote",
    "hold",
    "unhold",
    "secret",
    "rerender",
    "offboard",
];

#[test]
fn every_verb_explains_itself_with_an_example() {
    let lab = Lab::new();
    let help = lab.run("--help").ok();
    let listed: Vec<&str> = help
        .split_once("Commands:\n")
        .unwrap()
        .1
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert_eq!(listed.len(), VERBS.len());
    for verb in listed {
        assert!(VERBS.contains(&verb), "{verb}");
        let help = lab.run(&format!("{verb} --help")).ok();
        let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("{verb} has no example"));
        assert!(examples.contains(&format!("  wooo {verb} ")), "{verb}: {examples}");
        assert!(help.contains("--output <OUTPUT>"), "{verb}");
    }
}

#[test]
fn examples_in_the_help_are_understood() {
    let lab = Lab::new();
    for verb in VERBS {
        let help = lab.run(&format!("{verb} --help")).ok();
        for example in help.lines().filter_map(|line| line.trim().strip_prefix("wooo ")) {
            let words = example.split(" > ").next().unwrap();
            // These run until they are told to stop; that they do so is tested where a service is started.
            let runs_on = words == "demo" || words.starts_with("serve");
            if runs_on {
                continue;
            }
            let code = lab.run(words).code;
            assert!(matches!(code, Some(0 | 1)), "{example}: {code:?}");
        }
    }
}

#[test]
fn exit_codes_are_0_1_and_2() {
    let fleet = Fleet::with_apps();
    assert_eq!(fleet.run("--version").code, Some(0));
    assert_eq!(fleet.run("status").code, Some(0));
    for words in ["status nope", "render nope.yaml --env staging", "build nope", "detect nope", "verify --branch nope"]
    {
        let ended = fleet.run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{words}");
    }
    for words in [
        "",
        "nope",
        "deploy shop",
        "scale shop many --env staging",
        "deploy shop shop --env staging",
        "deploy Foo_Bar registry.example/shop:1 --env staging",
        "resize shop --env staging --memory 1O0m",
        "resize shop --env staging --plan basic --memory 1Gi",
        "scale shop 2 --env staging --merge --dry-run",
        "init fleet --provider azure",
        "status --output xml",
    ] {
        assert_eq!(fleet.run(words).code, Some(2), "{words}");
    }
}

#[test]
fn wrong_words_are_explained() {
    let fleet = Fleet::with_apps();
    for (words, told) in [
        ("resize shop --env staging --memory 1O0m", "1O0m"),
        ("deploy shop shop --env staging", "has no tag"),
        ("scale shop 70000 --env staging", "out of range: 0 to 1000"),
        ("init x --provider azure", "is not one of k3s, eks, gke, aks"),
        ("deploy Foo_Bar registry.example/shop:1 --env staging", "for example `foo-bar`"),
    ] {
        let ended = fleet.run(words);
        assert!(ended.stderr.contains(told), "{words}: {}", ended.stderr);
    }
    assert_message!(fleet.lab, fleet.run("resize shop --env staging --memory 1O0m").stderr, @"
    error: invalid value '1O0m' for '--memory <MEMORY>': `1O0m` is not an amount of memory, write for example `256Mi` or `1Gi`

    For more information, try '--help'.
    ");
}

#[test]
fn a_folder_that_is_no_fleet_is_explained() {
    let lab = Lab::new();
    assert_message!(lab, lab.run("status").refused(), @"
    error[git.no_repository]: `.` is not a Git repository
     |
     = help: `wooo init .` makes a fleet repository
    ");
    assert_message!(lab, lab.run("status --fleet nope").refused(), @"
    error[git.no_repository]: `nope` is not a Git repository
     |
     = help: `wooo init nope` makes a fleet repository
    ");
    std::fs::create_dir(lab.path("other")).unwrap();
    for words in [&["init", "--quiet", "-b", "main"][..], &["commit", "--quiet", "--allow-empty", "-m", "x"]] {
        assert!(super::git(&lab.path("other"), words.iter().copied()).status().unwrap().success());
    }
    assert_message!(lab, lab.run("status --fleet other").refused(), @"
    error[fleet.missing]: there is no fleet.yaml here, so this is not a fleet repository
     |
     = help: `wooo init DIR` makes one
    ");
    assert_message!(lab, lab.run("validate other").refused(), @"
    error[fleet.missing]: there is no fleet.yaml here, so this is not a fleet repository
     |
     = help: `wooo init DIR` makes one
    ");
}

/// Every verb that answers with data does so in both forms, and both hold the same.
#[test]
fn answers_are_data_where_data_is_asked_for() {
    let fleet = Fleet::with_apps();
    fleet.ok("scale shop 3 --env staging");
    let branch = fleet.branch();
    for words in [
        "init fleet",
        "render shop/wooo.yaml --env staging",
        "build fleet/rendered/staging/shop",
        "validate fleet",
        "verify",
        &format!("diff {branch}"),
        "audit",
        "status",
        "scale shop 3 --env staging",
        "scale shop 3 --env staging --dry-run",
        "deploy shop registry.example/shop:1.0.0 --env staging",
        "rerender --dry-run",
    ] {
        let json: Value = serde_json::from_str(&fleet.ok(&format!("{words} --output json"))).unwrap();
        assert!(json.is_object() || json.is_array(), "{words}");
        let yaml: Value = wooo::yaml::read(&fleet.ok(&format!("{words} --output yaml"))).unwrap();
        assert_eq!(yaml, json, "{words}");
    }
}

#[test]
fn a_change_as_data() {
    let fleet = Fleet::with_apps();
    let answer = fleet.ok("scale shop 3 --env staging --output yaml");
    assert_message!(fleet.lab, answer, @r#"
    stage: proposed
    subject: Scale shop to 3 in staging
    notes: []
    branch: wooo/shop/staging/scale-[hash]
    commit: [commit]
    change_id: [change-id]
    diffs:
    - environment: staging
      entries:
      - object: ResourceQuota shop
        field: spec.hard.pods
        summary: quota pods 4 -> 5
        risk: low
        before: "4"
        after: "5"
      - object: ResourceQuota shop
        field: spec.hard.requests.memory
        summary: quota requests.memory 2Gi -> 2560Mi
        risk: low
        before: 2Gi
        after: 2560Mi
      - object: ResourceQuota shop
        field: spec.hard.requests.cpu
        summary: quota requests.cpu 2 -> 2500m
        risk: low
        before: "2"
        after: 2500m
      - object: ResourceQuota shop
        field: spec.hard.limits.memory
        summary: quota limits.memory 4Gi -> 5Gi
        risk: low
        before: 4Gi
        after: 5Gi
      - object: ResourceQuota shop
        field: spec.hard.limits.cpu
        summary: quota limits.cpu 4 -> 5
        risk: low
        before: "4"
        after: "5"
      - object: Deployment shop
        field: spec.replicas
        summary: replicas 2 -> 3
        risk: low
        before: 2
        after: 3
      digest: 224980f4fdb3fd3c863c1ae6e8bf08f151cc0a92613bce8e4c172c34a74ef894
    files:
    - rendered/staging/shop/namespace-app-shop.yaml
    - rendered/staging/shop/resourcequota-shop.yaml
    - rendered/staging/shop/limitrange-shop.yaml
    - rendered/staging/shop/networkpolicy-shop-isolation.yaml
    - rendered/staging/shop/serviceaccount-shop.yaml
    - rendered/staging/shop/configmap-shop-config.yaml
    - rendered/staging/shop/deployment-shop.yaml
    - rendered/staging/shop/service-shop.yaml
    - rendered/staging/shop/ingress-shop.yaml
    - rendered/staging/shop/certificate-shop-tls.yaml
    - rendered/staging/shop/poddisruptionbudget-shop.yaml
    - rendered/staging/shop/probe-shop.yaml
    - rendered/staging/shop/prometheusrule-shop.yaml
    - rendered/staging/shop/configmap-shop-dashboard.yaml
    - rendered/staging/shop/kustomization.yaml
    - rendered/staging/shop/.wooo.json
    - delivery/staging/shop.yaml
    - apps/shop/staging.yaml
    "#);
}

#[test]
fn refusals_are_data_too() {
    let fleet = Fleet::with_apps();
    for form in ["json", "yaml"] {
        let ended = fleet.run(&format!("configure shop --set replcias=2 --output {form}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        let problems: Value = wooo::yaml::read(&ended.stderr).unwrap();
        assert_eq!(problems["problems"][0]["code"], "spec.unknown_field");
        assert_eq!(problems["problems"][0]["hints"][0], "did you mean `replicas`?");
        assert_eq!(problems["problems"][0]["location"]["file"], "apps/shop/app.yaml");
    }
    let json: Value = serde_json::from_str(&fleet.refused("status nope --output json")).unwrap();
    assert_eq!(json["problems"][0]["code"], "app.not_found");
}

#[test]
fn schemas_are_schemas_and_take_the_real_files() {
    let fleet = Fleet::with_apps();
    fleet.ok("hold shop --env production --reason x --until 2030-01-01T00:00:00Z --merge");
    for (what, path) in
        [("app", "apps/shop/app.yaml"), ("release", "apps/shop/production.yaml"), ("fleet", "fleet.yaml")]
    {
        let schema: Value = serde_json::from_str(&fleet.ok(&format!("schema {what}"))).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut value: Value = wooo::yaml::read(&fleet.file(path)).unwrap();
        assert!(
            validator.is_valid(&value),
            "{what}: {:?}",
            validator.iter_errors(&value).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        value["replcias"] = Value::from(2);
        assert!(!validator.is_valid(&value), "{what} takes a field that is not there");
    }
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let lab = Lab::new();
    for (shell, mark) in [("bash", "complete -F _wooo"), ("zsh", "#compdef wooo"), ("fish", "complete -c wooo")] {
        let script = lab.run(&format!("completions {shell}")).ok();
        assert!(script.contains(mark), "{shell}");
        for verb in VERBS {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
    lab.write("wooo.bash", &lab.run("completions bash").ok());
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            "source ./wooo.bash && COMP_WORDS=(wooo rol) COMP_CWORD=1 && _wooo wooo rol wooo && echo ${COMPREPLY[@]}",
        ])
        .current_dir(lab.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "rollback");
}

#[test]
fn output_is_plain_where_it_does_not_go_to_a_terminal() {
    let fleet = Fleet::with_apps();
    let plain = fleet.ok("status") + &fleet.refused("status nope");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert!(fleet.ok("status --color always").contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let fleet = Fleet::with_apps();
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            "set -o pipefail; \"$0\" render ../shop/wooo.yaml --env staging | head -1",
            env!("CARGO_BIN_EXE_wooo"),
        ])
        .current_dir(&fleet.dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn text_cannot_steer_the_terminal() {
    let fleet = Fleet::with_apps();
    fleet.lab.write(
        "evil/wooo.yaml",
        "name: evil\nframework: go\nimage: registry.example/e:1\nenv: {A: \"x\\e[2Jy\\u202ez\"}\n\"\\e[31mred\": 1\n",
    );
    let told = fleet.refused("onboard evil/wooo.yaml --env staging");
    assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
    fleet.lab.write(
        "evil/wooo.yaml",
        "name: evil\nframework: go\nimage: registry.example/e:1\nenv: {A: \"x\\e[2Jy\\u202ez\"}\n",
    );
    let told = fleet.ok("onboard evil/wooo.yaml --env staging")
        + &fleet.ok("configure shop --env staging --set 'env.A=x\u{1b}[2Jy\u{202e}' --reason 'x\u{1b}[2Jy\u{202e}'");
    let shown = fleet.ok(&format!("diff {}", fleet.branches()[1])) + &fleet.ok("audit") + &told;
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
}
