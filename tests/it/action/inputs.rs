//! Inputs: all fields of the app spec are there, each is explained, and each reaches the program as it was written.

use std::collections::BTreeSet;

use serde_json::Value;

use super::runner::{Job, action, root, with_program};

/// What the action has besides the fields of the spec.
const OWN: [&str; 14] = [
    "mode",
    "server",
    "fleet",
    "environment",
    "reason",
    "wait",
    "timeout",
    "token",
    "audience",
    "version",
    "checksum",
    "releases",
    "build",
    "spec",
];

/// Writes its arguments down, each with a NUL behind it.
const RECORDER: &str = "#!/bin/sh\nprintf '%s\\0' \"$@\" >\"$RECORD\"\n";

/// What nobody wants a shell, an option parser or a runner to take for its own.
const HOSTILE: [&str; 9] = [
    "x; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "' ; touch pwned #",
    "\"; touch pwned; \"",
    "--server=http://evil.example",
    "-",
    "a\n::error::x\nWOOO_OUTCOME=healthy",
    "${{ secrets.TOKEN }} $HOME ${IFS} * ~ \\",
];

fn schema() -> Value {
    let text = std::fs::read_to_string(root().join("docs/schema/app.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// Whether a field of the spec is one text.
fn is_text(schema: &Value, field: &Value) -> bool {
    if let Some(reference) = field["$ref"].as_str() {
        return is_text(schema, schema.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let kinds = |kind: &Value| match kind {
        Value::Array(kinds) => kinds.iter().filter(|kind| *kind != "null").all(|kind| kind == "string"),
        kind => kind == "string",
    };
    let any: Vec<&Value> = ["anyOf", "oneOf"].iter().filter_map(|name| field[*name].as_array()).flatten().collect();
    kinds(&field["type"]) || any.iter().any(|kind| is_text(schema, kind))
}

/// The fields that the script knows: the texts, and the rest.
fn fields(name: &str) -> BTreeSet<String> {
    let script = std::fs::read_to_string(root().join("ci/wooo.sh")).unwrap();
    let (_, list) = script.split_once(&format!("\n{name}=\"")).unwrap();
    list.split_once('"').unwrap().0.split_whitespace().map(str::to_owned).collect()
}

fn component() -> Vec<Value> {
    wooo::yaml::read_all(&std::fs::read_to_string(root().join("ci/gitlab/component.yml")).unwrap()).unwrap()
}

/// A new field of the spec fails here until the action, the component and the script have it.
#[test]
fn the_inputs_are_the_fields_of_the_app_spec() {
    let (schema, action, component) = (schema(), action(), component());
    let spec = names(&schema["properties"]);
    let own: BTreeSet<String> = OWN.iter().map(|name| (*name).to_owned()).collect();
    assert!(spec.is_disjoint(&own), "an input of the action's own hides a field of the spec");
    assert_eq!(names(&action["inputs"]), &spec | &own, "the inputs of action.yml");
    let only_here = ["job", "stage", "image_of_job", "source", "ref"].map(str::to_owned).into();
    let not_here = ["audience".to_owned()].into();
    assert_eq!(names(&component[0]["spec"]["inputs"]), &(&(&spec | &own) | &only_here) - &not_here, "of the component");
    let texts: BTreeSet<String> = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, field)| is_text(&schema, field))
        .map(|(name, _)| name.clone())
        .collect();
    assert!(texts.contains("framework") && !texts.contains("env") && !texts.contains("port"), "{texts:?}");
    assert_eq!(fields("TEXT_FIELDS"), texts, "the fields that are texts in ci/wooo.sh");
    assert_eq!(fields("YAML_FIELDS"), &spec - &texts, "the other fields in ci/wooo.sh");
    let given: BTreeSet<String> =
        action["runs"]["steps"].as_array().unwrap().iter().flat_map(|step| names(&step["env"])).collect();
    let wanted = |inputs: &Value| -> BTreeSet<String> {
        names(inputs).iter().map(|name| format!("WOOO_INPUT_{}", name.to_uppercase())).collect()
    };
    assert_eq!(given, wanted(&action["inputs"]), "every input goes to the script");
    let jobs = component[1].as_object().unwrap();
    let given = names(&jobs.values().next().unwrap()["variables"]);
    let unused = ["JOB", "STAGE", "IMAGE_OF_JOB"].map(|name| format!("WOOO_INPUT_{name}")).into();
    assert_eq!(given, &wanted(&component[0]["spec"]["inputs"]) - &unused);
}

#[test]
fn every_input_and_output_is_described() {
    let (action, component) = (action(), component());
    let text = std::fs::read_to_string(root().join("docs/action.md")).unwrap();
    let described = |inputs: &Value| {
        for (name, input) in inputs.as_object().unwrap() {
            let words = input["description"].as_str().unwrap_or_default();
            assert!(words.len() > 5, "{name} is not described");
            // The component says some things in other words, and has the rest from the action.
            let known = inputs.get("source_type").is_some() && action["inputs"].get(name).is_some();
            let words = if known { action["inputs"][name]["description"].as_str().unwrap() } else { words };
            let row = format!("| `{name}` | {words} |");
            assert!(text.contains(&row), "docs/action.md lacks the row\n{row}");
        }
    };
    described(&action["inputs"]);
    described(&action["outputs"]);
    described(&component[0]["spec"]["inputs"]);
}

/// An expression in a script is replaced before a shell reads it: its value would be part of the script.
#[test]
fn no_script_holds_an_expression() {
    for step in action()["runs"]["steps"].as_array().unwrap() {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "{script}");
    }
    for job in component()[1].as_object().unwrap().values() {
        for part in ["before_script", "script"] {
            assert!(!job[part].to_string().contains("$[["), "{part}: {}", job[part]);
        }
    }
    let script = std::fs::read_to_string(root().join("ci/wooo.sh")).unwrap();
    assert!(script.contains("\nset -euo pipefail\n") && !script.contains("eval"), "the script has lost its caution");
}

fn recorded(job: Job) -> (i32, Vec<String>, String) {
    with_program(&job.programs(), "wooo", RECORDER);
    let record = job.path("record");
    let mut job = job.variable("RECORD", &record.display().to_string());
    let ended = job.run();
    let written = std::fs::read_to_string(&record).unwrap_or_default();
    let strays: Vec<_> = std::fs::read_dir(job.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(strays.is_empty(), "{strays:?} came into being");
    assert!(ended.commands.iter().all(|line| line.starts_with("::error title=wooo::")), "{:?}", ended.commands);
    (ended.code, written.split_terminator('\0').map(str::to_owned).collect(), ended.log)
}

#[test]
fn every_field_arrives_as_it_was_written() {
    let schema = schema();
    let fields = names(&schema["properties"]);
    for hostile in HOSTILE {
        let mut job = Job::new().with("server", "https://wooo.example.com").with("mode", "onboard");
        for field in &fields {
            job = job.with(field, hostile);
        }
        let (code, arguments, log) = recorded(job.with("environment", "staging"));
        assert_eq!(code, 0, "{hostile}: {log}");
        for field in &fields {
            let whole = [format!("--set={field}={hostile}"), format!("--set-text={field}={hostile}")];
            let found = arguments.iter().filter(|argument| whole.contains(argument)).count();
            assert_eq!(found, 1, "{field}: {arguments:?}");
        }
    }
}

#[test]
fn what_is_no_field_arrives_as_it_was_written_too() {
    for hostile in HOSTILE {
        let mut job = Job::new().with("mode", "deploy");
        for input in ["name", "image", "environment", "reason", "server", "fleet", "timeout"] {
            job = job.with(input, hostile);
        }
        let (code, arguments, log) = recorded(job);
        assert_eq!(code, 0, "{hostile}: {log}");
        let end = arguments.iter().position(|argument| argument == "--").unwrap();
        assert_eq!(arguments[end + 1..], [hostile, hostile], "{arguments:?}");
        for option in ["--env=", "--reason=", "--server=", "--served-fleet=", "--timeout="] {
            assert!(arguments[..end].contains(&format!("{option}{hostile}")), "{option}: {arguments:?}");
        }
        for input in ["mode", "wait", "build", "version", "spec"] {
            let job = Job::new().with("server", "https://wooo.example.com").with("mode", "onboard");
            let (code, arguments, log) = recorded(job.with("environment", "staging").with(input, hostile));
            assert_eq!((code, arguments.len()), (2, 0), "{input}={hostile}: {log}");
        }
    }
}

#[test]
fn inputs_that_make_no_sense_are_refused_before_anything_is_asked() {
    let job = |mode: &str| Job::new().with("server", "https://wooo.example.com").with("mode", mode);
    for (job, words) in [
        (job("deploy").with("name", "shop").with("environment", "staging"), "image is needed"),
        (job("deploy").with("name", "shop").with("image", "a:1"), "environment is needed"),
        (job("deploy").with("image", "a:1").with("environment", "staging"), "name is needed"),
        (job("promote").with("name", "shop").with("image", "a:1"), "image is of no use with the mode promote"),
        (job("deploy").with("replicas", "2"), "replicas is of no use with the mode deploy"),
        (job("status").with("name", "shop").with("spec", "wooo.yaml"), "spec is of no use"),
        (job("onboard").with("environment", "staging"), "there is no file wooo.yaml"),
        (job("onboard").with("server", ""), "server says nothing"),
    ] {
        let (code, arguments, log) = recorded(job);
        assert_eq!((code, arguments.len()), (2, 0), "{log}");
        assert!(log.contains(words), "{log}");
    }
}

/// Every mapping in a document.
fn mappings<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| mappings(item, found)),
        Value::Object(fields) => {
            found.push(fields);
            fields.values().for_each(|value| mappings(value, found));
        }
        _ => {}
    }
}

#[test]
fn the_documented_pipelines_use_what_there_is() {
    let text = std::fs::read_to_string(root().join("docs/action.md")).unwrap();
    let blocks: Vec<Value> = text
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split_once("\n```").unwrap().0)
        // GitHub means the word; YAML 1.1 means a truth.
        .map(|block| {
            wooo::yaml::read(&block.replace("\non:", "\n\"on\":")).unwrap_or_else(|error| panic!("{error}: {block}"))
        })
        .collect();
    let mut found = Vec::new();
    blocks.iter().for_each(|block| mappings(block, &mut found));
    let (action, component) = (names(&action()["inputs"]), names(&component()[0]["spec"]["inputs"]));
    let mut seen = [0; 3];
    for fields in found {
        if fields.get("uses").and_then(Value::as_str).is_some_and(|uses| uses.starts_with("acme/wooo@")) {
            assert!(names(&fields["with"]).is_subset(&action), "{fields:?}");
            seen[0] += 1;
        } else if let Some(inputs) = fields.get("inputs") {
            assert!(names(inputs).is_subset(&component), "{fields:?}");
            seen[1] += 1;
        } else if let Some(settings) = fields.get("pipelines") {
            let settings: wooo::web::auth::ci::PipelineSettings = serde_json::from_value(settings.clone()).unwrap();
            assert!(settings.rules.iter().all(|rule| settings.issuers.contains_key(&rule.issuer)));
            seen[2] += 1;
        }
    }
    assert_eq!(seen, [3, 2, 1], "the examples were not found");
}
