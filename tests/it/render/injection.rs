//! Text that people give never becomes structure, whatever it holds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows a test by its attribute, and the helpers here have none"
)]

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use proptest::prop_assert_eq;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Value, json};
use wooo::domain::release::Release;
use wooo::domain::{App, AppSpec, Document};
use wooo::render::{RECORD_FILE, Rendered, Renderer};
use wooo::yaml;

use super::fixtures::{production, renderer, settings};

/// Pieces that mean something to YAML, JSON, Jinja, shells, terminals or to Kubernetes itself.
const PIECES: [&str; 76] = [
    "\n",
    "\r\n",
    "\t",
    " ",
    "  ",
    "\n  ",
    "\n---\n",
    "\n...\n",
    ": ",
    ":",
    "- ",
    "#",
    " # ",
    "\"",
    "'",
    "\\",
    "\\n",
    "\\u0022",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a",
    "*a",
    "<<",
    "!!binary ",
    "!!python/object:x ",
    "|",
    "|-\n",
    ">",
    ">+\n",
    "%",
    "%YAML 1.1\n",
    "@",
    "`",
    "?",
    "? ",
    "~",
    "null",
    "no",
    "yes",
    "on",
    "y",
    "08",
    "0o7",
    "0x1f",
    "1e3",
    ".inf",
    "1_000",
    "2024-01-01",
    "12:30:45",
    "{{ 7*7 }}",
    "{% raw %}",
    "{#",
    "{{ cycler }}",
    "$(POD_IP)",
    "${HOME}",
    "\nprivileged: true",
    "\n      hostNetwork: true\n",
    "\"}\nkind: Secret\n",
    "</script>",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{1}",
    "活動",
    "👩‍👩‍👧",
];

/// Text without NUL, which no environment and no argument can hold.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => "[ -~]{0,12}",
        1 => prop::char::range('\u{1}', ' ').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8)
        .prop_map(|pieces| pieces.concat().replace('\0', ""))
        .prop_filter("a secret in plain text is refused", |text| !text.contains("PRIVATE KEY"))
}

/// A name for people: no control characters.
fn title() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect())
}

fn command() -> impl Strategy<Value = Vec<String>> {
    // A worker has to have something to run.
    prop::collection::vec(text(), 1..4).prop_map(|mut words| {
        words.insert(0, "run".to_owned());
        words
    })
}

#[derive(Clone, Debug)]
struct Words {
    title: String,
    values: [String; 3],
    command: Vec<String>,
    worker: Vec<String>,
}

fn words() -> impl Strategy<Value = Words> {
    (title(), [text(), text(), text()], command(), command()).prop_map(|(title, values, command, worker)| Words {
        title,
        values,
        command,
        worker,
    })
}

impl Words {
    /// The same with plain words.
    fn plain(&self) -> Self {
        Self {
            title: "word".to_owned(),
            values: ["word".to_owned(), "word".to_owned(), "word".to_owned()],
            command: vec!["word".to_owned(); self.command.len()],
            worker: vec!["word".to_owned(); self.worker.len()],
        }
    }

    /// The spec as its owner would write it, in the JSON that is YAML too.
    fn spec(&self, framework: &str) -> String {
        let mut file = yaml::write(&json!({
            "name": "shop",
            "display_name": self.title,
            "domain": "shop.example.com",
            "framework": framework,
            "image": "registry.example/shop:1.4.2",
            "env": {"A": self.values[0], "B": self.values[1]},
            "command": self.command,
            "workers": [{"name": "mail", "command": self.worker}],
        }))
        .unwrap();
        file.push_str("replicas: 2\n");
        file
    }

    fn render(&self, renderer: &Renderer, framework: &str) -> Rendered {
        let text = self.spec(framework);
        let spec = AppSpec::parse(&Document { file: "app.yaml", text: &text })
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let release = yaml::set("# here\nreplicas: 3\n", &["env", "C"], Some(&self.values[2].clone().into())).unwrap();
        let release = Release::parse(&Document { file: "production.yaml", text: &release })
            .unwrap_or_else(|problems| panic!("{problems}\n{release}"));
        renderer.render(&App::resolve(&spec, &release), &production(), None).unwrap()
    }
}

/// Keys, lengths and kinds of values, without the text.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), shape(value))).collect()),
        other => other.clone(),
    }
}

fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name).unwrap()
}

/// Everything of a rendering but its text.
#[derive(Debug, PartialEq)]
struct Outline {
    objects: Vec<Value>,
    delivery: Value,
    files: Vec<String>,
}

impl Outline {
    fn of(rendered: &Rendered) -> Self {
        Self {
            objects: rendered.objects.iter().map(shape).collect(),
            delivery: shape(&rendered.delivery),
            files: rendered.files.iter().map(|file| file.name.clone()).collect(),
        }
    }
}

type Outlines = HashMap<(&'static str, usize, usize, usize), Arc<Outline>>;

/// The outline with plain words in place of the text. It depends on how many words there are, and is kept.
fn plain(words: &Words, framework: &'static str, which: usize) -> Arc<Outline> {
    static KNOWN: LazyLock<Mutex<Outlines>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let outline = || Arc::new(Outline::of(&words.plain().render(&RENDERERS[which], framework)));
    Arc::clone(known.entry((framework, which, words.command.len(), words.worker.len())).or_insert_with(outline))
}

static RENDERERS: LazyLock<[Renderer; 2]> = LazyLock::new(|| {
    [("flux", "ingress"), ("argocd", "gateway")]
        .map(|(delivery, entry)| renderer(settings("eks", delivery, entry), &[]).unwrap())
});

const FRAMEWORKS: [&str; 7] = ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"];

/// The files, read back.
fn read_back(rendered: &Rendered) -> Vec<Value> {
    rendered
        .files
        .iter()
        .filter(|file| file.name != RECORD_FILE && file.name != wooo::render::KUSTOMIZATION_FILE)
        .map(|file| {
            let mut objects = yaml::read_all(&file.content).unwrap_or_else(|error| panic!("{error}\n{}", file.content));
            assert_eq!(objects.len(), 1, "{}", file.content);
            objects.remove(0)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_is_no_structure(words in words(), framework in prop::sample::select(&FRAMEWORKS[..]), which in 0_usize..2) {
        let renderer = &RENDERERS[which];
        let hostile = words.render(renderer, framework);
        prop_assert_eq!(&Outline::of(&hostile), &*plain(&words, framework, which));

        // The text is where it belongs, as it was given; in the objects and in the files.
        for objects in [&hostile.objects, &read_back(&hostile)] {
            let data = &object(objects, "ConfigMap", "shop-config")["data"];
            for (name, value) in ["A", "B", "C"].iter().zip(&words.values) {
                prop_assert_eq!(data[name].as_str(), Some(value.as_str()));
            }
            let container = |name: &str| object(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0].clone();
            prop_assert_eq!(&container("shop")["command"], &json!(words.command));
            prop_assert_eq!(&container("shop-mail")["command"], &json!(words.worker));
        }
        let sorted = |objects: &[Value]| {
            let mut texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
            texts.sort();
            texts
        };
        prop_assert_eq!(sorted(&read_back(&hostile)), sorted(&hostile.objects));
    }

    /// A command that edits a file of the fleet leaves the rest of it alone.
    #[test]
    fn text_that_is_set_stays_one_value(value in text(), other in text()) {
        let file = "# The shop.\nname: shop   # a name\nenv:\n  TZ: UTC   # here\n  Z: 'x'\nreplicas: 2\n";
        let before = AppSpec::parse(&Document { file: "app.yaml", text: file }).unwrap();
        let mut text = file.to_owned();
        for (name, value) in [("NEW", &value), ("TZ", &other)] {
            text = yaml::set(&text, &["env", name], Some(&Value::from(value.as_str()))).unwrap();
        }
        let after = AppSpec::parse(&Document { file: "app.yaml", text: &text }).unwrap();
        let values: Vec<(&str, &str)> = after.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut values_by_name = values.clone();
        values_by_name.sort_unstable();
        prop_assert_eq!(values_by_name, [("NEW", value.as_str()), ("TZ", other.as_str()), ("Z", "x")]);
        let rest = |spec: &AppSpec| AppSpec { env: indexmap::IndexMap::new(), ..spec.clone() };
        prop_assert_eq!(rest(&after), rest(&before));
        for comment in ["# The shop.", "# a name"] {
            assert!(text.contains(comment), "{text}");
        }
    }
}

/// What other readers make of it: the YAML library inside `kubectl`.
#[test]
fn kubectl_reads_the_same_text() {
    let mut runner = TestRunner::new(ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() });
    let mut env = serde_json::Map::new();
    for index in 0..400 {
        let value = text().new_tree(&mut runner).unwrap().current();
        env.insert(format!("V{index}"), value.into());
    }
    for (index, piece) in PIECES.iter().enumerate() {
        env.insert(format!("P{index}"), (*piece).into());
    }
    let command: Vec<Value> = env.values().take(100).cloned().collect();
    let spec: AppSpec = serde_json::from_value(json!({
        "name": "shop", "framework": "go", "image": "registry.example/shop:1", "env": env, "command": command,
    }))
    .unwrap();
    let rendered = RENDERERS[0].render(&App::resolve(&spec, &Release::default()), &production(), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, pointer, expected) in [
        ("configmap-shop-config.yaml", "/data", Value::Object(env)),
        ("deployment-shop.yaml", "/spec/template/spec/containers/0/command", Value::Array(command)),
    ] {
        let file = rendered.files.iter().find(|file| file.name == name).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &file.content).unwrap();
        let output = Command::new("kubectl")
            .args(["patch", "--local", "--type=merge", "-p", "{}", "-o", "json", "-f"])
            .arg(&path)
            .env("KUBECONFIG", "/dev/null")
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("kubectl is needed for this test");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut read: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut read = read.pointer_mut(pointer).unwrap().take();
        if let (Some(read), Some(expected)) = (read.as_object_mut(), expected.as_object()) {
            // What the framework adds.
            read.retain(|key, _| expected.contains_key(key));
            for (key, value) in expected {
                assert_eq!(read.get(key), Some(value), "{key}");
            }
        } else {
            assert_eq!(read, expected);
        }
    }
}
