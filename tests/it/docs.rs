//! The documents: what they show is what the program does, what is generated is fresh, and links lead somewhere.
//!
//! `UPDATE_DOCS=1 cargo test docs` writes anew what is generated: `docs/commands.md`, `docs/schema/`, the list in
//! `docs/comments.md` and the output in
//! every `console` block.

#![expect(clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::{Value, json};
use wooo::domain::{AppSpec, Document, FleetSettings, Release};
use wooo::yaml;

/// Where documents say that the sample fleet is; each is run in a folder of its own.
const SAMPLE_FLEET: &str = "target/demo-fleet";

#[test]
fn the_commands_are_documented_as_they_are() {
    let mut text = String::from(
        "# Commands\n\nGenerated from `wooo --help`; `UPDATE_DOCS=1 cargo test docs` writes this file anew.\n\n\
         Exit codes: 0 done, 1 refused or failed (or the answer of `validate` and `verify` is no), 2 the command line was \
         not understood, 3 what was waited for had not come in time.\n",
    );
    text.push_str(&format!("\n```text\n{}\n```\n", help(&[])));
    for verb in verbs() {
        text.push_str(&format!("\n## `wooo {verb}`\n\n```text\n{}\n```\n", help(&[&verb])));
    }
    fresh("docs/commands.md", &text);
}

/// What stands before the mark is written by hand.
#[test]
fn the_commands_of_comments_are_documented_as_they_are() {
    const MARK: &str = "<!-- From here on: UPDATE_DOCS=1 cargo test docs -->\n\n";
    let standing = std::fs::read_to_string(root().join("docs/comments.md")).expect("docs/comments.md is there");
    let (written, _) = standing.split_once(MARK).expect("docs/comments.md has the mark");
    fresh("docs/comments.md", &format!("{written}{MARK}{}", wooo::chatops::page()));
}

#[test]
fn the_schemas_are_the_ones_that_the_program_prints() {
    for name in ["app", "release", "fleet"] {
        fresh(&format!("docs/schema/{name}.schema.json"), &stdout(&wooo(&["schema", name])));
    }
}

#[test]
fn the_description_of_the_api_is_the_one_that_the_service_serves() {
    let document = wooo::web::server::describe(wooo::web::people::routes());
    let text = serde_json::to_string_pretty(&document).expect("it is JSON") + "\n";
    fresh("docs/openapi.json", &text);
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    let paths = document["paths"].as_object().expect("there are paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path has operations") {
            let place = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!name.is_empty() && names.insert(name), "{place} has no name of its own");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place} has no summary");
            let answers = operation["responses"].as_object().expect("an operation has answers");
            assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{place} never succeeds");
            assert!(answers.contains_key("500") && answers.contains_key("429"), "{place}: {answers:?}");
        }
    }
    assert!(names.len() > 35, "{} operations", names.len());
    // Whatever is referred to is there.
    let text = document.to_string();
    let reference = Regex::new(r##""\$ref":"#/components/schemas/([^"]+)""##).expect("a pattern");
    let schemas = document["components"]["schemas"].as_object().expect("there are schemas");
    for found in reference.captures_iter(&text) {
        assert!(schemas.contains_key(&found[1]), "there is no schema `{}`", &found[1]);
    }
    let new_app = &schemas["NewApp"];
    assert_eq!(new_app["properties"]["environment"]["type"], json!(["string", "null"]));
    assert!(new_app["properties"]["replicas"].is_object() && new_app["required"] == json!(["name"]), "{new_app}");
}

/// What `deploy/` holds for running wooo itself is what wooo renders for itself.
#[test]
fn the_manifests_of_wooo_are_rendered_by_wooo() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_string_lossy().into_owned();
    let words = ["render", "deploy/wooo.yaml", "--env", "production", "--fleet", "deploy/fleet", "-o", &out];
    let output = wooo(&words);
    assert!(output.status.success(), "{}", both(&output));
    let names = |path: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(path).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let standing = root().join("deploy/rendered");
    let rendered = names(folder.path());
    if updating() {
        for gone in names(&standing).difference(&rendered) {
            std::fs::remove_file(standing.join(gone)).expect("the file goes");
        }
    }
    assert!(rendered.len() > 10, "{rendered:?}");
    for name in &rendered {
        let text = std::fs::read_to_string(folder.path().join(name)).expect("a rendered file is text");
        fresh(&format!("deploy/rendered/{name}"), &text);
    }
    assert_eq!(names(&standing), rendered);
}

#[test]
fn every_sample_fits_its_schema() {
    let app = Schema::named("app");
    let mut samples = 0;
    for folder in folders("fixtures/apps") {
        let path = folder.join("wooo.yaml");
        app.accepts(&std::fs::read_to_string(&path).expect("a sample app has a spec"), &path.display().to_string());
        samples += 1;
    }
    assert!(samples >= 7, "one sample for each framework, found {samples}");
    let fleet = tempfile::tempdir().expect("a temporary folder");
    let folder = fleet.path().to_string_lossy().into_owned();
    assert!(wooo(&["init", &folder]).status.success());
    let read = |path: &str| std::fs::read_to_string(fleet.path().join(path)).expect("the file was written");
    Schema::named("fleet").accepts(&read("fleet.yaml"), "the settings of a new fleet");
    let spec = "fixtures/apps/flask-event-system/wooo.yaml";
    for words in [
        &["onboard", spec, "--env", "staging", "--fleet", &folder, "--merge"][..],
        &["hold", "event-system", "--env", "staging", "--reason", "a test", "--fleet", &folder, "--merge"],
    ] {
        let output = wooo(words);
        assert!(output.status.success(), "{words:?}: {}", both(&output));
    }
    app.accepts(&read("apps/event-system/app.yaml"), "the spec of an app in a fleet");
    Schema::named("release").accepts(&read("apps/event-system/staging.yaml"), "a release with a hold");
    for (name, text) in fenced(&root().join("docs/fleet.md"), "yaml") {
        Schema::named("fleet").accepts(&text, &name);
    }
}

#[test]
fn schemas_refuse_what_the_program_refuses() {
    let refused = [
        ("app", json!({})),
        ("app", json!({"name": "Foo_Bar"})),
        ("app", json!({"name": "shop", "replcias": 2})),
        ("app", json!({"name": "shop", "replicas": "two"})),
        ("app", json!({"name": "shop", "framework": "flaks"})),
        ("app", json!({"name": "shop", "image": "shop"})),
        ("app", json!({"name": "shop", "domain": "no-dot"})),
        ("app", json!({"name": "shop", "env": {"A B": "c"}})),
        ("app", json!({"name": "shop", "workers": [{"name": "mail"}]})),
        ("app", json!({"name": "shop", "egress": [{"host": "a.b", "port": 443, "udp": true}]})),
        ("app", json!({"name": "shop", "auto_repair": {"restart": "maybe"}})),
        ("release", json!({"name": "shop"})),
        ("release", json!({"hold": {"actor": "local:alice", "since": "2026-01-01T00:00:00Z"}})),
        ("release", json!({"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}})),
        ("release", json!({"resources": {"requests": amounts("1O0m"), "limits": amounts("1Gi")}})),
        ("fleet", json!({"environments": {}, "clusters": {}})),
        ("fleet", fleet(json!({"environments": {"a": {"cluster": "b", "provider": "k8s"}}}))),
        ("fleet", fleet(json!({"clusters": {"b": {"delivery": "helm"}}}))),
        ("fleet", fleet(json!({"polcy": {}}))),
        ("app", json!({"name": "shop", "port": 70000})),
        ("app", json!({"name": "shop", "port": 0})),
        ("app", json!({"name": "shop", "replicas": -1})),
        ("app", json!({"name": "shop", "alerts": {"memory_percent": 101}})),
        ("app", json!({"name": "shop", "owners": ["alice"]})),
    ];
    for (schema, document) in &refused {
        assert!(!program_accepts(schema, document), "the program accepts this {schema}: {document}");
        assert!(!Schema::named(schema).validator.is_valid(document), "the schema accepts this {schema}: {document}");
    }
}

fn amounts(memory: &str) -> Value {
    json!({"memory": memory, "cpu": "1"})
}

/// Valid settings with some of them replaced.
fn fleet(with: Value) -> Value {
    let mut settings = json!({"repository": {"url": "x"}, "environments": {}, "clusters": {}});
    for (key, value) in with.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    settings
}

fn program_accepts(schema: &str, document: &Value) -> bool {
    let text = document.to_string();
    let document = Document { file: "document.yaml", text: &text };
    match schema {
        "app" => AppSpec::parse(&document).is_ok(),
        "release" => Release::parse(&document).is_ok(),
        _ => FleetSettings::parse(&document).is_ok(),
    }
}

/// Every `console` block is run line by line in a new fleet, and what it shows is compared with what happens; times and
/// commit ids may differ.
#[test]
fn what_documents_show_is_what_happens() {
    let mut shown = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        if !text.contains("```console\n") {
            continue;
        }
        shown += 1;
        let played = Session::new().play(&text);
        if updating() {
            if varying(&played) != varying(&text) {
                std::fs::write(&path, played).expect("the document can be written");
            }
        } else {
            let (name, hint) = (relative(&path), "`UPDATE_DOCS=1 cargo test docs` writes what happens now");
            assert_eq!(varying(&text), varying(&played), "{name} shows something else than what happens; {hint}");
        }
    }
    assert!(shown >= 2, "both READMEs show a tour");
}

/// The first command of the README, in an empty folder, with nothing in the environment that helps it.
#[test]
fn the_first_command_shows_the_whole_loop() {
    for readme in ["README.md", "README.zh-TW.md"] {
        let text = std::fs::read_to_string(root().join(readme)).expect("there is a README");
        let line = text.lines().find(|line| line.starts_with("cargo run ")).expect("it has a command to begin with");
        assert_eq!(line, "cargo run -q -- demo --once", "{readme}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let began = std::time::Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_wooo"))
        .args(["demo", "--once"])
        .current_dir(folder.path())
        .env_clear()
        .env("TMPDIR", std::env::temp_dir())
        .output()
        .expect("wooo runs");
    assert!(output.status.success(), "{}", both(&output));
    assert!(began.elapsed().as_secs() < 120, "it took {:?}", began.elapsed());
    let told = stdout(&output);
    let steps = [
        "accepted: Onboard event-system to staging",
        "merge request 1: commit",
        "merged as",
        "staging: healthy: all 2 pods are ready",
        "accepted: Promote event-system 1.4.2",
        "a person merges it",
        "production: healthy: all 2 pods are ready",
        "accepted: Deploy event-system 1.5.0-crash to staging",
        "staging: degraded: Deployment event-system: pod ",
        "accepted: Roll event-system back to 1.4.2 in staging",
        "staging: healthy: all 2 pods are ready",
        "staging runs registry.example/event-system:1.4.2 again",
    ];
    let mut rest = told.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("`{step}` is not told, or too early:\n{told}"));
        rest = &rest[at + step.len()..];
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "it leaves nothing behind");
}

#[test]
fn the_check_script_runs_the_test_command_of_the_readme() {
    let command = |name: &str| {
        let text = std::fs::read_to_string(root().join(name)).expect("there is a README");
        let line = text.lines().find(|line| line.starts_with("cargo test")).expect("it has one command that tests");
        line.to_owned()
    };
    let script = std::fs::read_to_string(root().join(".ci/run")).expect("there is a check script");
    assert!(script.lines().any(|line| line == command("README.md")), ".ci/run must run `{}`", command("README.md"));
    assert_eq!(command("README.md"), command("README.zh-TW.md"));
}

#[test]
fn both_languages_show_the_same() {
    let blocks = |name: &str| -> Vec<String> {
        ["console", "sh", "yaml"]
            .into_iter()
            .flat_map(|language| fenced(&root().join(name), language))
            .map(|(_, text)| varying(&text))
            .collect()
    };
    assert_eq!(blocks("README.md"), blocks("README.zh-TW.md"));
    let headings = |name: &str| {
        let text = std::fs::read_to_string(root().join(name)).expect("there is a README");
        text.lines().filter(|line| line.starts_with("## ") || line.starts_with("### ")).count()
    };
    assert_eq!(headings("README.md"), headings("README.zh-TW.md"));
}

/// In code, everything after `wooo` is a verb that exists, with options that it has.
#[test]
fn every_command_in_a_document_exists() {
    let mut helps: BTreeMap<String, String> = verbs().into_iter().map(|verb| (verb.clone(), help(&[&verb]))).collect();
    for verb in ["set", "generate"] {
        let more = help(&["secret", verb]);
        helps.entry("secret".to_owned()).or_default().push_str(&more);
    }
    let in_block = Regex::new(r"(?:^|^  |\$ |&& )(?:wooo|cargo run -q --) ([a-z]+)([^&|#]*)").expect("a pattern");
    let in_text = Regex::new(r"^  wooo ([a-z]+)([^&|#]*)").expect("a pattern");
    let in_span = Regex::new(r"`wooo ([a-z]+)([^`]*)`").expect("a pattern");
    let option = Regex::new(r"(?:^|\s)(--[a-z-]+|-[a-zA-Z])\b").expect("a pattern");
    let mut wrong = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        let mut block: Option<&str> = None;
        for line in text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                block = if block.is_some() { None } else { Some(language) };
            }
            let command = match block {
                Some("text") => &in_text,
                Some(_) => &in_block,
                None => &in_span,
            };
            for found in command.captures_iter(line) {
                let (verb, rest) = (&found[1], &found[2]);
                let Some(help) = helps.get(verb) else {
                    wrong.push(format!("{}: there is no `wooo {verb}`", relative(&path)));
                    continue;
                };
                for option in option.captures_iter(rest).filter(|option| !help.contains(&option[1])) {
                    wrong.push(format!("{}: `wooo {verb}` has no {}", relative(&path), &option[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let mut broken = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        for found in link.captures_iter(&without_code(&text)) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if file.is_empty() {
                path.clone()
            } else {
                path.parent().expect("a document is in a folder").join(file)
            };
            if !linked.exists() {
                broken.push(format!("{}: {target} is not there", relative(&path)));
            } else if !anchor.is_empty() && !anchors(&linked).contains(anchor) {
                broken.push(format!("{}: {target} is not a heading", relative(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Codes are names that programs and people rely on: each one that the source has is explained, and no other.
#[test]
fn every_problem_code_is_documented() {
    let text = std::fs::read_to_string(root().join("docs/codes.md")).expect("docs/codes.md is there");
    let row = Regex::new(r"(?m)^\| `([a-z]+\.[a-z_]+)` \| (.+) \|$").expect("a pattern");
    let documented: BTreeSet<String> = row.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    let known = codes_of_the_source();
    let missing: Vec<_> = known.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/codes.md lacks {missing:?} and explains {gone:?} in vain");
    let listed: Vec<String> = row.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    assert!(listed.is_sorted(), "the rows of docs/codes.md are sorted");
}

#[test]
fn every_field_is_documented() {
    let documents = [("app", "README.md"), ("app", "README.zh-TW.md"), ("fleet", "docs/fleet.md")];
    for (schema, document) in documents {
        let text = std::fs::read_to_string(root().join(document)).expect("the document is there");
        for field in Schema::named(schema).fields() {
            assert!(text.contains(&format!("`{field}`")), "{document} does not mention the field `{field}`");
        }
    }
}

#[test]
fn every_environment_variable_is_documented() {
    let name = Regex::new(r#""(WOOO_[A-Z_]+|SOURCE_DATE_EPOCH)""#).expect("a pattern");
    let known: BTreeSet<String> = production_texts()
        .iter()
        .flat_map(|text| name.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect();
    assert!(known.len() > 5, "the variables were not found");
    for document in ["README.md", "README.zh-TW.md"] {
        let text = std::fs::read_to_string(root().join(document)).expect("the document is there");
        for name in &known {
            assert!(text.contains(&format!("`{name}`")), "{document} does not mention {name}");
        }
    }
}

#[test]
fn every_template_filter_is_documented() {
    let source = std::fs::read_to_string(root().join("src/render/templates.rs")).expect("the source is there");
    let text = std::fs::read_to_string(root().join("docs/templates.md")).expect("docs/templates.md is there");
    let added = Regex::new(r#"add_(?:filter|test|function)\("([a-z_]+)""#).expect("a pattern");
    let names: Vec<String> = added.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    assert!(names.len() > 10, "the filters were not found");
    for name in names {
        assert!(text.contains(&format!("`{name}")), "docs/templates.md does not mention `{name}`");
    }
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("the source is there");
    let context = read("src/render/context.rs") + &read("src/render/watch.rs");
    let view =
        Regex::new(r"(?s)struct (AppView|Quota|DeliveryView|EnvironmentView|ClusterView|WatchView)<?.*?\{(.*?)\n\}")
            .expect("a pattern");
    let field = Regex::new(r"(?m)^    ([a-z_]+):").expect("a pattern");
    let mut fields = 0;
    for found in view.captures_iter(&context) {
        let prefix = match &found[1] {
            "AppView" => "app",
            "Quota" => "quota",
            "DeliveryView" => "delivery",
            "EnvironmentView" => "environment",
            "WatchView" => "watch",
            _ => "cluster",
        };
        for name in field.captures_iter(&found[2]) {
            fields += 1;
            let name = format!("`{prefix}.{}`", &name[1]);
            assert!(text.contains(&name), "docs/templates.md does not mention {name}");
        }
    }
    assert!(fields > 40, "the context was not found");
}

/// Commands typed one after the other, in one fleet.
struct Session {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    minutes: u64,
}

impl Session {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = alice\n\temail = alice@example.com\n")
            .expect("the temporary folder can be written");
        Self { folder, variables: Vec::new(), minutes: 0 }
    }

    fn fleet(&self) -> String {
        self.folder.path().join("fleet").to_string_lossy().into_owned()
    }

    /// `text` with what the commands of its `console` blocks print now.
    fn play(&mut self, text: &str) -> String {
        let mut played = String::new();
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = line == "```console";
            }
            if !inside || line.starts_with("```") {
                played.push_str(line);
                played.push('\n');
            } else if let Some(command) = line.strip_prefix("$ ") {
                played.push_str(line);
                played.push('\n');
                played.push_str(&self.run(command));
            }
        }
        played
    }

    /// Runs `wooo ...` or `export NAME=VALUE`, and gives what it prints.
    fn run(&mut self, command: &str) -> String {
        let fleet = self.fleet();
        if let Some(assignment) = command.strip_prefix("export ") {
            let (name, value) = assignment.split_once('=').expect("NAME=VALUE");
            self.variables.push((name.to_owned(), value.replace(SAMPLE_FLEET, &fleet)));
            return String::new();
        }
        let words = command.strip_prefix("wooo ").unwrap_or_else(|| panic!("`{command}` is not wooo"));
        let words: Vec<String> = split(words).into_iter().map(|word| word.replace(SAMPLE_FLEET, &fleet)).collect();
        // A minute between two commands: commits are ordered by their seconds.
        self.minutes += 1;
        let output = program()
            .args(&words)
            .envs(self.variables.iter().cloned())
            .env("HOME", self.folder.path())
            .env("SOURCE_DATE_EPOCH", (1_795_000_000 + 60 * self.minutes).to_string())
            .output()
            .expect("wooo runs");
        both(&output).replace(&fleet, SAMPLE_FLEET)
    }
}

/// One of the program's schemas.
struct Schema {
    value: Value,
    validator: jsonschema::Validator,
}

impl Schema {
    fn named(name: &str) -> Self {
        let value: Value = serde_json::from_str(&stdout(&wooo(&["schema", name]))).expect("a schema is JSON");
        let validator = jsonschema::validator_for(&value).expect("a schema is a schema");
        Self { value, validator }
    }

    fn accepts(&self, text: &str, name: &str) {
        let document: Value = yaml::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let errors: Vec<String> =
            self.validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {}", errors.join("; "));
    }

    fn fields(&self) -> Vec<String> {
        let fields = self.value["properties"].as_object().expect("a schema of an object");
        fields.keys().cloned().collect()
    }
}

/// The codes in the production code: every literal in an area in which problems are made.
fn codes_of_the_source() -> BTreeSet<String> {
    let made = Regex::new(r#"(?:Problem::new|Self::new|fault)\(\s*"([a-z]+)\.[a-z_]+""#).expect("a pattern");
    let literal = Regex::new(r#""([a-z]+)\.([a-z_]+)""#).expect("a pattern");
    let texts = production_texts();
    let areas: BTreeSet<String> =
        texts.iter().flat_map(|text| made.captures_iter(text)).map(|found| found[1].to_owned()).collect();
    // `app.py` is a file.
    let file = ["py", "js", "ts", "yaml", "yml", "json", "toml", "txt", "go", "git", "lock"];
    texts
        .iter()
        .flat_map(|text| literal.captures_iter(text))
        .filter(|found| areas.contains(&found[1]) && !file.contains(&&found[2]))
        .map(|found| format!("{}.{}", &found[1], &found[2]))
        // Git has settings of these names.
        .filter(|name| !["user.name", "user.email"].contains(&name.as_str()))
        .collect()
}

/// The source files without the tests at their ends.
fn production_texts() -> Vec<String> {
    let mut sources = Vec::new();
    rust_files(&root().join("src"), &mut sources);
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a source is text");
        text.split("\n#[cfg(test)]").next().unwrap_or_default().to_owned()
    };
    sources.iter().map(read).collect()
}

/// What differs from run to run, made the same: times, commit ids, and the width of nothing else.
fn varying(text: &str) -> String {
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z").expect("a pattern");
    let id = Regex::new(r"\b[0-9a-f]{10}\b").expect("a pattern");
    id.replace_all(&time.replace_all(text, "<time>"), "<commit>").into_owned()
}

/// Every document of the project.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "README.zh-TW.md", "ARCHITECTURE.md"].iter().map(|name| root().join(name)).collect();
    let docs = std::fs::read_dir(root().join("docs")).expect("there is a folder of documents");
    found.extend(docs.filter_map(|entry| Some(entry.ok()?.path())));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    found
}

/// The blocks of a language in a document, with a name for messages.
fn fenced(path: &Path, language: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).expect("a document is text");
    let opening = format!("```{language}\n");
    text.split(&opening)
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .enumerate()
        .map(|(index, block)| (format!("{} block {}", relative(path), index + 1), format!("{block}\n")))
        .collect()
}

/// `text` without fenced blocks and code spans.
fn without_code(text: &str) -> String {
    let block = Regex::new(r"(?s)```.*?```").expect("a pattern");
    let span = Regex::new(r"`[^`\n]*`").expect("a pattern");
    span.replace_all(&block.replace_all(text, ""), "").into_owned()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let heading = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(heading).collect()
}

/// Compares a generated file, or writes it.
fn fresh(name: &str, content: &str) {
    let path = root().join(name);
    if updating() {
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder can be made");
        std::fs::write(&path, content).expect("the file can be written");
        return;
    }
    let standing = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(standing, content, "{name} is not up to date: run `UPDATE_DOCS=1 cargo test docs` and commit it");
}

fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// The verbs, as the program lists them.
fn verbs() -> Vec<String> {
    let text = help(&[]);
    let (_, list) = text.split_once("Commands:\n").expect("the help lists the commands");
    let lines = list.lines().take_while(|line| !line.trim().is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").map(str::to_owned).collect()
}

fn help(verb: &[&str]) -> String {
    let text = stdout(&wooo(&[verb, &["--help"]].concat()));
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The program, as on a machine without settings.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wooo"));
    for name in ["WOOO_OUTPUT", "WOOO_FLEET", "WOOO_ACTOR", "WOOO_LOG", "SOURCE_DATE_EPOCH", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("COLUMNS", "100").env("NO_COLOR", "1").env("LC_ALL", "C").current_dir(root());
    command
}

fn wooo(words: &[&str]) -> Output {
    program().args(words).output().expect("wooo runs")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", both(output));
    String::from_utf8(output.stdout.clone()).expect("wooo prints UTF-8")
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Words as a shell splits them, with double quotes only.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn folders(path: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(path)).expect("the folder is there");
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}
