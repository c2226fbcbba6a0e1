//! Random kustomizations out of everything that one can say in them, built by wooo and by kustomize: both must print the
//! same bytes, or both must fail.
//!
//! A small number is built in every run of the tests. `OVERLAY_ROUNDS=5000 cargo test overlay::random -- --nocapture`
//! builds as many as one likes, from `OVERLAY_SEED` on; what differs is printed with its files.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt as _, SeedableRng};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{build, kustomize};

/// How many are built where nobody asks for more.
const ROUNDS: u64 = 150;

type Files = Vec<(String, String)>;

const NAMES: [&str; 5] = ["web", "api", "db", "cfg", "n1"];
const TEXTS: [&str; 26] = [
    "a",
    "yes",
    "on",
    "\"1\"",
    "1",
    "0644",
    "1.10",
    "1e3",
    "~",
    "true",
    "\"true\"",
    "'x: y'",
    "\"a\\nb\"",
    "\"a\\n\"",
    "|\n LINE",
    "\"\\t\"",
    "é",
    "\"#x\"",
    "2001-01-01",
    "0x1F",
    "''",
    "\" x\"",
    "a b",
    "\"😀\"",
    "$(NAME)",
    "registry.example/a:1",
];

/// Draws the parts of a kustomization.
struct Draw {
    random: StdRng,
}

impl Draw {
    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.random).unwrap()
    }

    fn name(&mut self) -> &'static str {
        self.one(&NAMES)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn number(&mut self, below: usize) -> usize {
        self.random.random_range(0..below)
    }

    /// A value of one line, or a block with the indentation given.
    fn text(&mut self, indent: usize) -> String {
        match self.one(&TEXTS) {
            "|\n LINE" => {
                let style = self.one(&["|", "|-", ">", ">-", "|+"]);
                let pad = " ".repeat(indent + 2);
                let lines = ["one", "two words", "", "  more", "three"];
                let count = 1 + self.number(4);
                let lines: Vec<&str> = (0..count).map(|_| self.one(&lines)).collect();
                // A block that begins with blanks needs an indicator, which is a case of its own.
                let text: String = lines
                    .iter()
                    .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") })
                    .collect();
                format!("{style}\n{pad}first\n{}", text.trim_end_matches('\n'))
            }
            text => text.to_owned(),
        }
    }

    fn pairs(&mut self, indent: usize, most: usize) -> String {
        let count = self.number(most + 1);
        let keys = ["app", "tier", "a2", "a10", "x.y/z", "B", "note"];
        let mut seen = Vec::new();
        let mut text = String::new();
        for _ in 0..count {
            let key = self.one(&keys);
            if !seen.contains(&key) {
                seen.push(key);
                let value = self.text(indent);
                let _ = writeln!(text, "{}{key}: {value}", " ".repeat(indent));
            }
        }
        text
    }

    fn metadata(&mut self, name: &str) -> String {
        let mut text = format!("metadata:\n  name: {name}\n");
        if self.chance(25) {
            let namespace = self.one(&["red", "blue", "default"]);
            let _ = writeln!(text, "  namespace: {namespace}");
        }
        for field in ["labels", "annotations"] {
            if self.chance(35) {
                let pairs = self.pairs(4, 3);
                let _ = if pairs.is_empty() {
                    writeln!(text, "  {field}: {{}}")
                } else {
                    write!(text, "  {field}:\n{pairs}")
                };
            }
        }
        text
    }

    fn container(&mut self, name: &str, indent: &str, is_patch: bool) -> String {
        let mut text = format!("{indent}- name: {name}\n");
        let inner = format!("{indent}  ");
        if !is_patch || self.chance(40) {
            let image = self.one(&["nginx", "nginx:1.2", "reg.io:5000/a/b:v1", "redis@sha256:aa", "nginx:1@sha256:bb"]);
            let _ = writeln!(text, "{inner}image: {image}");
        }
        if self.chance(50) {
            let _ = writeln!(text, "{inner}env:");
            let first = self.number(3);
            for key in ["A", "B", "C"].iter().skip(first) {
                let value = match self.number(3) {
                    0 => format!("valueFrom: {{configMapKeyRef: {{name: {}, key: k}}}}", self.name()),
                    1 => "value: $(NAME)-x".to_owned(),
                    _ => format!("value: {}", self.one(&["a", "\"1\"", "\"yes\""])),
                };
                let _ = writeln!(text, "{inner}- name: {key}\n{inner}  {value}");
            }
        }
        if self.chance(40) {
            let port = self.one(&["80", "81"]);
            let protocol = self.one(&["", "TCP", "UDP"]);
            let protocol = if protocol.is_empty() { String::new() } else { format!(", protocol: {protocol}") };
            let _ = writeln!(text, "{inner}ports: [{{containerPort: {port}{protocol}, name: p{port}}}]");
        }
        if self.chance(30) {
            let _ = writeln!(
                text,
                "{inner}envFrom: [{{secretRef: {{name: {}}}}}, {{configMapRef: {{name: {}}}}}]",
                self.name(),
                self.name()
            );
        }
        if self.chance(30) {
            let _ = writeln!(text, "{inner}args: [run, \"$(NAME)\", {}]", self.one(&["a", "\"8\"", "x y"]));
        }
        text
    }

    fn pod_spec(&mut self, indent: usize, is_patch: bool) -> String {
        let pad = " ".repeat(indent);
        let mut text = String::new();
        let count = 1 + self.number(2);
        let _ = writeln!(text, "{pad}containers:");
        for name in ["main", "side", "log"].iter().skip(self.number(2)).take(count) {
            text.push_str(&self.container(name, &pad, is_patch));
        }
        if self.chance(25) {
            let _ = writeln!(text, "{pad}serviceAccountName: {}", self.name());
        }
        if self.chance(35) {
            let _ = writeln!(
                text,
                "{pad}volumes:\n{pad}- name: v\n{pad}  configMap: {{name: {}}}\n{pad}- name: w\n{pad}  secret: {{secretName: {}}}",
                self.name(),
                self.name()
            );
        }
        if self.chance(15) {
            let _ = writeln!(text, "{pad}tolerations: [{{key: a, operator: Exists}}]");
        }
        text
    }

    fn object(&mut self, kind: &str, name: &str) -> String {
        let metadata = self.metadata(name);
        let body = match kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                let replicas = if self.chance(40) { "  replicas: 1\n" } else { "" };
                let labels = self.one(&["{app: x}", "{app: web, tier: \"1\"}"]);
                let service = if kind == "StatefulSet" { format!("  serviceName: {}\n", self.name()) } else { String::new() };
                format!(
                    "spec:\n{replicas}{service}  selector:\n    matchLabels: {labels}\n  template:\n    metadata:\n      labels: {labels}\n    spec:\n{}",
                    self.pod_spec(6, false)
                )
            }
            "CronJob" => format!("spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n{}", self.pod_spec(10, false)),
            "Pod" => format!("spec:\n{}", self.pod_spec(2, false)),
            "Service" => format!("spec:\n  ports: [{{port: 80, name: http}}]\n{}", if self.chance(70) { "  selector: {app: x}\n" } else { "" }),
            "ConfigMap" => match self.pairs(2, 4) {
                data if data.is_empty() => "data: {}\n".to_owned(),
                data => format!("data:\n{data}"),
            },
            "Secret" => "type: Opaque\nstringData:\n  k: v\n".to_owned(),
            "Ingress" => format!(
                "spec:\n  tls: [{{secretName: {}}}]\n  rules:\n  - host: a.example\n    http:\n      paths:\n      - path: /\n        backend: {{service: {{name: {}, port: {{number: 80}}}}}}\n",
                self.name(),
                self.name()
            ),
            "HorizontalPodAutoscaler" => format!("spec:\n  scaleTargetRef: {{kind: Deployment, name: {}}}\n", self.name()),
            "RoleBinding" | "ClusterRoleBinding" => {
                let subject = self.one(&["default", "web", "api"]);
                let namespace = self.one(&["", ", namespace: red", ", namespace: default"]);
                format!(
                    "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {}, name: {}}}\nsubjects: [{{kind: ServiceAccount, name: {subject}{namespace}}}]\n",
                    self.one(&["Role", "ClusterRole"]),
                    self.name()
                )
            }
            "Role" | "ClusterRole" => format!("rules: [{{apiGroups: [''], resources: [configmaps], resourceNames: [{}]}}]\n", self.name()),
            "NetworkPolicy" => "spec:\n  podSelector: {matchLabels: {app: x}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: y}}}]}]\n".to_owned(),
            "Widget" => format!("spec:\n  list: [{{name: a, v: 1}}, {{name: b, v: 2}}]\n  image: nginx:1\n  ref: {{name: {}}}\n", self.name()),
            _ => String::new(),
        };
        format!("apiVersion: {}\nkind: {kind}\n{metadata}{body}", api_version(kind))
    }

    /// Objects with distinct kinds and names. A namespace may still make two of one.
    fn objects(&mut self, most: usize) -> Vec<(String, String)> {
        let kinds = [
            "Deployment",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "CronJob",
            "Pod",
            "Service",
            "ConfigMap",
            "ConfigMap",
            "Secret",
            "Ingress",
            "HorizontalPodAutoscaler",
            "RoleBinding",
            "ClusterRoleBinding",
            "Role",
            "ClusterRole",
            "NetworkPolicy",
            "Widget",
            "ServiceAccount",
            "Namespace",
        ];
        let count = 1 + self.number(most);
        let mut chosen: Vec<(String, String)> = Vec::new();
        for _ in 0..count {
            let (kind, name) = (self.one(&kinds), self.name());
            if !chosen.iter().any(|(other, known)| other == kind && known == name) {
                chosen.push((kind.to_owned(), name.to_owned()));
            }
        }
        chosen
    }

    /// The fields of a kustomization besides its resources.
    fn fields(&mut self, objects: &[(String, String)], is_overlay: bool) -> String {
        let mut text = String::new();
        let add = |text: &mut String, line: String| {
            let _ = writeln!(text, "{line}");
        };
        if self.chance(25) {
            add(&mut text, format!("namespace: {}", self.one(&["red", "blue"])));
        }
        if self.chance(30) {
            add(&mut text, format!("namePrefix: {}", self.one(&["p-", "dev-", "\"1\""])));
        }
        if self.chance(20) {
            add(&mut text, format!("nameSuffix: {}", self.one(&["-s", "-v2"])));
        }
        if self.chance(20) {
            add(&mut text, format!("commonLabels: {{team: {}, app: z}}", self.one(&["core", "\"5\"", "\"yes\""])));
        }
        if self.chance(20) {
            let options = self.one(&[
                "",
                ", includeSelectors: true",
                ", includeTemplates: true",
                ", fields: [{path: spec/labels, create: true, kind: Widget}]",
            ]);
            add(&mut text, format!("labels: [{{pairs: {{env: prod}}{options}}}]"));
        }
        if self.chance(20) {
            add(&mut text, format!("commonAnnotations: {{remark: {}}}", self.one(&["text", "\"1\"", "'a: b'"])));
        }
        if self.chance(25) {
            let change = self.one(&[
                "newTag: \"9\"",
                "newName: other/img",
                "digest: sha256:cc",
                "newName: x, newTag: \"1\"",
                "tagSuffix: -slim",
            ]);
            add(
                &mut text,
                format!("images: [{{name: {}, {change}}}]", self.one(&["nginx", "redis", "reg.io:5000/a/b"])),
            );
        }
        if self.chance(15) {
            add(&mut text, format!("replicas: [{{name: {}, count: {}}}]", self.name(), self.number(4)));
        }
        if self.chance(30) {
            let options = self.one(&[
                "",
                "\n  options: {disableNameSuffixHash: true}",
                "\n  options: {labels: {gen: \"1\"}, immutable: true}",
            ]);
            let behavior =
                if is_overlay { self.one(&["", "", "\n  behavior: merge", "\n  behavior: replace"]) } else { "" };
            let name = if is_overlay && self.chance(50) { "gen" } else { self.one(&["gen", "gen2", "cfg"]) };
            add(
                &mut text,
                format!(
                    "configMapGenerator:\n- name: {name}\n  literals: [a=b, \"c={}\"]{behavior}{options}",
                    self.one(&["1", "x y", "'q'", "yes"])
                ),
            );
        }
        if self.chance(15) {
            add(
                &mut text,
                format!(
                    "secretGenerator:\n- name: sec\n  literals: [k=v]\n  type: {}",
                    self.one(&["Opaque", "kubernetes.io/tls"])
                ),
            );
        }
        self.add_patches(&mut text, objects);
        self.add_rest(&mut text, objects);
        text
    }

    fn add_patches(&mut self, text: &mut String, objects: &[(String, String)]) {
        if !self.chance(55) {
            return;
        }
        let _ = writeln!(text, "patches:");
        for _ in 0..=self.number(2) {
            let (kind, name) = objects.choose(&mut self.random).unwrap().clone();
            let patch = match (self.number(4), kind.as_str()) {
                (0, "Deployment" | "StatefulSet" | "DaemonSet") => {
                    format!("spec:\n  template:\n    spec:\n{}", self.pod_spec(6, true))
                }
                (1, "Deployment" | "StatefulSet" | "DaemonSet") => format!(
                    "spec:\n  template:\n    spec:\n      containers:\n      - name: {}\n        $patch: {}\n",
                    self.one(&["main", "side"]),
                    self.one(&["delete", "replace", "merge"])
                ),
                (2, "ConfigMap") => {
                    format!("data: {{app: {}, tier: null}}\n", self.one(&["a", "yes", "1.10", "\"1\""]))
                }
                (0, "Service") => "spec:\n  ports: [{port: 80, targetPort: 8080}, {port: 90}]\n".to_owned(),
                (_, "Widget") => "spec:\n  list: [{name: b, v: 3}]\n  ref: null\n".to_owned(),
                _ => String::new(),
            };
            // `tier` is among no `commonLabels`: kustomize shares those between their places, and a `null` reaches all.
            let extra = self.one(&[
                "labels: {patched: \"1\"}",
                "annotations: {n: \"yes\"}",
                "labels: {tier: null}",
                "annotations: {note: 1.50}",
            ]);
            let body = format!(
                "apiVersion: {}\nkind: {kind}\nmetadata:\n  name: {name}\n  {extra}\n{patch}",
                api_version(&kind)
            );
            if self.chance(25) {
                let operation = self.one(&[
                    "{op: add, path: /metadata/labels, value: {json: yes}}",
                    "{op: add, path: /metadata/annotations, value: {json: \"1\"}}",
                    "{op: replace, path: /metadata/name, value: renamed}",
                    "{op: remove, path: /metadata/labels}",
                    "{op: test, path: /metadata/none, value: null}",
                    "{op: add, path: /spec/template/spec/containers/0/image, value: \"x:1\"}",
                ]);
                let target = self.one(&[
                    "kind: Deployment",
                    "kind: ConfigMap",
                    "name: w.*",
                    "labelSelector: app=web",
                    "kind: Widget|Service",
                ]);
                let _ = writeln!(text, "- target: {{{target}}}\n  patch: |-\n    - {operation}");
            } else {
                let indented: String = body.lines().map(|line| format!("    {line}\n")).collect();
                let target = if self.chance(20) { format!("  target: {{kind: {kind}}}\n") } else { String::new() };
                let options = if self.chance(8) { "  options: {allowNameChange: true}\n" } else { "" };
                let _ = write!(text, "- patch: |-\n{indented}{target}{options}");
            }
        }
    }

    fn add_rest(&mut self, text: &mut String, objects: &[(String, String)]) {
        if self.chance(25) {
            let (kind, name) = objects.choose(&mut self.random).unwrap().clone();
            let path = self.one(&[
                "metadata.name",
                "data.app",
                "metadata.labels.app",
                "spec.template.spec.containers.0.image",
            ]);
            let (target, options) = (
                self.one(&[
                    "data.app",
                    "metadata.annotations.copied",
                    "spec.template.spec.containers.[name=main].image",
                    "metadata.labels.app",
                ]),
                self.one(&[
                    "",
                    ", options: {create: true}",
                    ", options: {delimiter: '-', index: 0}",
                    ", options: {create: true}",
                ]),
            );
            let _ = writeln!(
                text,
                "replacements:\n- source: {{kind: {kind}, name: {name}, fieldPath: {path}}}\n  targets:\n  - {{select: {{kind: {}}}, fieldPaths: [{target}]{options}}}",
                self.one(&["ConfigMap", "Deployment", "Widget"])
            );
        }
        if self.chance(20) {
            let (kind, name) = objects.choose(&mut self.random).unwrap().clone();
            let field = self.one(&[
                "",
                ", fieldref: {fieldpath: metadata.namespace}",
                ", fieldref: {fieldpath: metadata.name}",
            ]);
            let _ = writeln!(
                text,
                "vars: [{{name: NAME, objref: {{apiVersion: {}, kind: {kind}, name: {name}}}{field}}}]",
                api_version(&kind)
            );
        }
        if self.chance(10) {
            let _ = writeln!(text, "configurations: [conf.yaml]");
        }
        if self.chance(12) {
            let transformer = self.one(&[
                "kind: PrefixTransformer, metadata: {name: t}, prefix: t-, fieldSpecs: [{path: metadata/name}]",
                "kind: LabelTransformer, metadata: {name: t}, labels: {by: t}, fieldSpecs: [{path: metadata/labels, create: true}]",
                "kind: NamespaceTransformer, metadata: {name: t, namespace: green}, unsetOnly: true",
                "kind: AnnotationsTransformer, metadata: {name: t}, annotations: {by: t}, fieldSpecs: [{path: metadata/annotations, create: true}]",
            ]);
            let _ = writeln!(text, "transformers:\n- |-\n  {{apiVersion: builtin, {transformer}}}");
        }
        if self.chance(10) {
            let _ = writeln!(
                text,
                "buildMetadata: [{}]",
                self.one(&[
                    "originAnnotations",
                    "transformerAnnotations",
                    "originAnnotations, transformerAnnotations, managedByLabel"
                ])
            );
        }
        if self.chance(15) {
            let _ = writeln!(text, "sortOptions: {{order: {}}}", self.one(&["fifo", "legacy"]));
        }
    }

    /// A base, perhaps a component and a second base, and an overlay.
    fn files(&mut self) -> Files {
        let mut files = Files::new();
        let mut all = self.objects(6);
        let mut put_folder = |draw: &mut Self,
                              folder: &str,
                              objects: &[(String, String)],
                              head: &str,
                              is_overlay: bool,
                              known: &[(String, String)]| {
            let mut kustomization = head.to_owned();
            for (position, (kind, name)) in objects.iter().enumerate() {
                let separate = position % 2 == 0 || files.is_empty();
                let object = draw.object(kind, name);
                let path = format!("{folder}/r{}.yaml", position / 2);
                match (separate, files.iter_mut().find(|(known, _)| *known == path)) {
                    (false, Some((_, text))) => {
                        let _ = write!(text, "---\n{object}");
                    }
                    _ => {
                        let _ = writeln!(kustomization, "- r{}.yaml", position / 2);
                        files.push((path, object));
                    }
                }
            }
            kustomization.push_str(&draw.fields(known, is_overlay));
            files.push((format!("{folder}/kustomization.yaml"), kustomization));
            files.push((
                format!("{folder}/conf.yaml"),
                "namePrefix:\n- {path: spec/image, kind: Widget}\nnameReference:\n- kind: ConfigMap\n  fieldSpecs:\n  - {path: spec/ref/name, kind: Widget}\n".to_owned(),
            ));
        };
        let base = all.clone();
        put_folder(self, "base", &base, "resources:\n", false, &base);
        if self.chance(60) {
            let own: Vec<_> = self.objects(2).into_iter().filter(|object| !all.contains(object)).collect();
            all.extend(own.iter().cloned());
            put_folder(self, "overlay", &own, "resources:\n- ../base\n", true, &all.clone());
        } else {
            put_folder(
                self,
                "component",
                &[],
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
                true,
                &all.clone(),
            );
            put_folder(self, "overlay", &[], "components: [../component]\nresources:\n- ../base\n", true, &all.clone());
        }
        files
    }
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => "apps/v1",
        "CronJob" => "batch/v1",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "RoleBinding" | "ClusterRoleBinding" | "Role" | "ClusterRole" => "rbac.authorization.k8s.io/v1",
        "Widget" => "example.com/v1",
        _ => "v1",
    }
}

/// What differs for one seed, with the files that show it.
fn difference(program: &std::path::Path, seed: u64) -> Option<String> {
    let files = Draw { random: StdRng::seed_from_u64(seed) }.files();
    let folder = tempfile::tempdir().unwrap();
    kustomize::write(folder.path(), &files);
    let expected = kustomize::build(program, &folder.path().join("overlay"));
    let found = build(folder.path(), "overlay");
    let fault = match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => return None,
        (Err(_), Err(_)) => return None,
        (Ok(expected), Ok(found)) => {
            let diff = similar::TextDiff::from_lines(&expected, &found);
            diff.unified_diff().header("kustomize", "wooo").to_string()
        }
        (Ok(_), Err(error)) => format!("wooo alone fails: {error}"),
        (Err(error), Ok(_)) => format!("kustomize alone fails: {}", error.lines().last().unwrap_or_default()),
    };
    let shown: String = files.iter().map(|(name, text)| format!("--- {name}\n{text}")).collect();
    Some(format!("=== seed {seed}\n{fault}\n{shown}"))
}

#[test]
fn random_kustomizations_build_as_kustomize_builds_them() {
    let Some(program) = kustomize::program() else { return kustomize::absent() };
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, first) = (number("OVERLAY_ROUNDS", ROUNDS), number("OVERLAY_SEED", 0));
    let faults: Vec<String> =
        (first..first + rounds).into_par_iter().filter_map(|seed| difference(&program, seed)).collect();
    assert!(faults.is_empty(), "{} of {rounds} differ\n{}", faults.len(), faults.join("\n"));
}
