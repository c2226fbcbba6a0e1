//! What must never come out, and what people are told instead.

use super::fixtures::{app, app_in, production, render, render_with_overlay, renderer, settings};
use wooo::domain::release::Release;
use wooo::domain::{AppSpec, Document, Problem, Problems};
use wooo::render::Rendered;
use wooo::yaml;

const SHOP: &str = "name: shop\ndomain: shop.example.com\nframework: flask\nimage: registry.example/shop:1.4.2\n";

/// Every problem as it is shown, with its hints.
fn told<T>(result: Result<T, impl Into<Problems>>) -> String {
    let line = |problem: &Problem| {
        let hints = problem.hints.iter().map(|hint| format!("\n  help: {hint}"));
        format!("{problem}{}", hints.collect::<String>())
    };
    match result {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(problems) => problems.into().as_slice().iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

fn spec(text: &str) -> String {
    told(AppSpec::parse(&Document { file: "wooo.yaml", text }))
}

fn release(text: &str) -> String {
    told(Release::parse(&Document { file: "production.yaml", text }))
}

#[test]
fn names() {
    insta::assert_snapshot!(spec("name: Foo_Bar\n"), @"wooo.yaml:1:7: an app's name has lower-case letters, digits and `-`, starts with a letter and does not end with `-`, for example `foo-bar` [spec.value]");
    insta::assert_snapshot!(spec("name: -x\n"), @"wooo.yaml:1:7: an app's name has lower-case letters, digits and `-`, starts with a letter and does not end with `-`, for example `x` [spec.value]");
    insta::assert_snapshot!(spec(&format!("name: {}\n", "a".repeat(64))), @"wooo.yaml:1:7: an app's name has at most 40 characters, this one has 64 [spec.value]");
    insta::assert_snapshot!(spec("name: ''\n"), @"wooo.yaml:1:7: an app's name must not be empty [spec.value]");
    insta::assert_snapshot!(spec("name: sh\u{202e}op\n"), @"wooo.yaml:1:7: an app's name must be plain ASCII: character 3 is U+202E [spec.value]");
    insta::assert_snapshot!(spec("name: shоp\n"), @"wooo.yaml:1:7: an app's name must be plain ASCII: character 3 is U+043E [spec.value]");
    insta::assert_snapshot!(spec("name: 8\n"), @"wooo.yaml:1:7: an app's name has lower-case letters, digits and `-`, starts with a letter and does not end with `-` [spec.value]");
}

#[test]
fn images() {
    let image = |image: &str| spec(&format!("name: shop\nimage: {image}\n"));
    insta::assert_snapshot!(image("registry.example/shop"), @"wooo.yaml:2:8: image `registry.example/shop`: has no tag; add the one to run, for example `:1.4.2`, or a digest [spec.value]");
    insta::assert_snapshot!(image("registry.example/shop:latest"), @"wooo.yaml:2:8: image `registry.example/shop:latest`: `latest` does not say which image runs; name a fixed tag or a digest [spec.value]");
    insta::assert_snapshot!(image("registry.example/Shop:1"), @"wooo.yaml:2:8: image `registry.example/Shop:1`: registry and path are written in lower case [spec.value]");
    insta::assert_snapshot!(image("registry.example/shop@sha256:abc"), @"wooo.yaml:2:8: image `registry.example/shop@sha256:abc`: a digest is `sha256:` and 64 lower-case hexadecimal digits [spec.value]");
    insta::assert_snapshot!(image("'registry.example/shop:1 --privileged'"), @"wooo.yaml:2:8: image `registry.example/shop:1 --privileged`: a tag has letters, digits, `_`, `.` and `-`, at most 128, and starts with a letter, a digit or `_` [spec.value]");
    let told = |settings_text: &str| {
        let text = format!("{}{settings_text}", fleet_text());
        let settings = wooo::domain::FleetSettings::parse(&Document { file: "fleet.yaml", text: &text }).unwrap();
        told(renderer(settings, &[]).unwrap().render(&app(SHOP), &production(), None))
    };
    insta::assert_snapshot!(told("policy: {registries: [registry.internal]}\n"), @"
    image `registry.example/shop:1.4.2` comes from `registry.example`, which this fleet does not allow [policy.registry]
      help: allowed are registry.internal (`policy.registries` in fleet.yaml)
    ");
    insta::assert_snapshot!(told("policy: {max_replicas: 0}\n"), @"`shop` asks for 1 pods; this fleet allows 0 per app [policy.replicas]");
    insta::assert_snapshot!(self::told(render("name: shop\nframework: flask\n")), @"
    `shop` has no image to run in `production` [spec.image]
      help: add `image:` with a tag to the spec
    ");
    insta::assert_snapshot!(self::told(render("name: shop\nimage: registry.example/shop:1\n")), @"
    the framework of `shop` is not known [spec.framework]
      help: add `framework:` to the spec; `wooo detect PATH` finds it in the app's source
    ");
    insta::assert_snapshot!(self::told(render(&format!("{SHOP}plan: hugee\n"))), @"
    `shop` asks for plan `hugee`, which does not exist [spec.plan]
      help: the plans are basic, standard, advanced, professional
    ");
}

fn fleet_text() -> String {
    "repository: {url: https://git.example.com/platform/fleet.git}\nenvironments: {production: {cluster: main, provider: k3s}}\nclusters: {main: {delivery: flux, ingress: {class: nginx}}}\n".to_owned()
}

#[test]
fn numbers_and_quantities() {
    insta::assert_snapshot!(spec("name: shop\nreplcias: 2\n"), @"
    wooo.yaml:2:1: unknown field `replcias` [spec.unknown_field]
      help: did you mean `replicas`?
    ");
    insta::assert_snapshot!(spec("name: shop\nport: 70000\n"), @"wooo.yaml:2:7: port 70000 is out of range: 1 to 65535 [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nport: 0\n"), @"wooo.yaml:2:7: port 0 is out of range: 1 to 65535 [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nreplicas: 1000000000\n"), @"wooo.yaml:2:11: replicas 1000000000 is out of range: 0 to 1000 [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nreplicas: '3'\n"), @"nothing is wrong");
    insta::assert_snapshot!(spec("name: shop\nautoscale: {min: 5, max: 2}\n"), @"wooo.yaml:2:12: autoscale needs 1 <= min <= max, got min 5 and max 2 [spec.range]");
    insta::assert_snapshot!(spec("name: shop\naddons: {redis: {storage: 1O0m}}\n"), @"wooo.yaml:2:27: `1O0m` is not an amount of memory, write for example `256Mi` or `1Gi` [spec.value]");
    let resources = |memory: &str, cpu: &str| {
        release(&format!(
            "resources:\n  requests: {{memory: {memory}, cpu: {cpu}}}\n  limits: {{memory: 1Gi, cpu: 1}}\n"
        ))
    };
    insta::assert_snapshot!(resources("1O0m", "100m"), @"production.yaml:2:22: `1O0m` is not an amount of memory, write for example `256Mi` or `1Gi` [spec.value]");
    insta::assert_snapshot!(resources("1e", "100m"), @"production.yaml:2:22: `1e` is not an amount of memory, write for example `256Mi` or `1Gi` [spec.value]");
    insta::assert_snapshot!(resources("0", "0"), @"production.yaml:2:22: `0` is not an amount of memory, write for example `256Mi` or `1Gi` [spec.value]");
    insta::assert_snapshot!(resources("256Mi", "1O0m"), @"production.yaml:2:34: `1O0m` is not an amount of processor time, write for example `250m` or `2` [spec.value]");
    insta::assert_snapshot!(resources("2Gi", "100m"), @"production.yaml:3:11: limits (1Gi, 1) are below requests (2Gi, 100m) [spec.quantity]");
}

#[test]
fn values_of_variables_are_that_exact_text() {
    let spec = format!(
        "{SHOP}env:\n  A: no\n  B: 08\n  C: \"x\\ny\"\n  D: '{{{{ 7*7 }}}}'\n  E: 1e3\n  F: 0x1f\n  G: ~\n  H: |\n    two\n    lines\n"
    );
    insta::assert_snapshot!(self::spec(&spec), @"wooo.yaml:12:6: expected text, found null [spec.value]");
    let rendered = render(&spec.replace("  G: ~\n", "")).unwrap();
    let file = rendered.files.iter().find(|file| file.name == "configmap-shop-config.yaml").unwrap();
    insta::assert_snapshot!(file.content.split_once("data:\n").unwrap().1, @r#"
      name: shop-config
      namespace: app-shop
      labels:
        app.kubernetes.io/instance: shop-production
        app.kubernetes.io/managed-by: wooo
        app.kubernetes.io/name: shop
        app.kubernetes.io/part-of: shop
    data:
      A: "no"
      B: "08"
      C: |-
        x
        y
      D: "{{ 7*7 }}"
      E: "1e3"
      F: "0x1f"
      FLASK_ENV: production
      GUNICORN_CMD_ARGS: --bind=0.0.0.0:8000 --workers=3 --worker-tmp-dir=/tmp
      H: |
        two
        lines
      PORT: "8000"
      PYTHONUNBUFFERED: "1"
    "#);
    let data = yaml::read_all(&file.content).unwrap().remove(0)["data"].take();
    for (name, value) in [
        ("A", "no"),
        ("B", "08"),
        ("C", "x\ny"),
        ("D", "{{ 7*7 }}"),
        ("E", "1e3"),
        ("F", "0x1f"),
        ("H", "two\nlines\n"),
    ] {
        assert_eq!(data[name], value);
    }
}

#[test]
fn variables_that_cannot_be() {
    insta::assert_snapshot!(spec("name: shop\nenv: {A-B: x}\n"), @"wooo.yaml:2:7: a variable's name has letters, digits and `_`, at most 128, and does not start with a digit [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nenv: {A: \"x\\0y\"}\n"), @"wooo.yaml:2:10: a variable's value has at most 32768 bytes and no NUL [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nenv: {A: [x]}\n"), @"wooo.yaml:2:10: expected string scalar [spec.syntax]");
    insta::assert_snapshot!(spec("name: shop\nenv: {A: x, A: y}\n"), @"wooo.yaml:2:13: the key `A` stands here twice [spec.syntax]");
    insta::assert_snapshot!(spec("name: shop\nenv: {KEY: \"-----BEGIN RSA PRIVATE KEY-----\\nAAAA\"}\n"), @"wooo.yaml:2:12: this value looks like a private key; name the variable under `secrets:` and store its value encrypted [spec.value]");
    insta::assert_snapshot!(spec("name: shop\nenv: {A: x}\nsecrets: [A]\n"), @"wooo.yaml:3:11: the variable `A` is given twice [spec.duplicate]");
    let many: String = (0..501).map(|index| format!("  V{index}: x\n")).collect();
    insta::assert_snapshot!(spec(&format!("name: shop\nenv:\n{many}")), @"wooo.yaml:3:3: 501 variables; at most 500 are possible [spec.too_large]");
    insta::assert_snapshot!(spec(&format!("name: shop\nenv: {{A: {}}}\n", "x".repeat(300_000))), @"`wooo.yaml` has 300022 bytes; at most 262144 are read [spec.too_large]");
}

#[test]
fn bombs() {
    let mut bomb = "name: shop\nenv:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  a{level}: &a{level} [{previous}]\n"));
    }
    insta::assert_snapshot!(spec(&bomb), @"wooo.yaml:4:12: 110 aliases stand here; at most 50 are read [spec.syntax]");
    insta::assert_snapshot!(shadowed(SERVICE, Box::leak(bomb.replace("name: shop", "kind: Service").into_boxed_str())), @"
    template `base/service.yaml.j2` prints what is not YAML: its aliases stand for more than 100000 values [render.invalid]
      help: the line is `a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]`
    ");
    insta::assert_snapshot!(spec(&format!("name: shop\nenv: {}{}\n", "[".repeat(10_000), "]".repeat(10_000))), @"wooo.yaml:2:6: expected mapping start [spec.syntax]");
    insta::assert_snapshot!(spec(&"---\nname: shop\n".repeat(5_000)), @"wooo.yaml:4:1: there are several YAML documents where one is expected [spec.syntax]");
    insta::assert_snapshot!(spec("name: !!python/object:os.system shop\n"), @"nothing is wrong");
    insta::assert_snapshot!(spec("name: shop\n<<: {port: 80}\n"), @"nothing is wrong");
    insta::assert_snapshot!(spec("name: [shop\n"), @"wooo.yaml:1:7: expected string scalar [spec.syntax]");
    insta::assert_snapshot!(spec(""), @"wooo.yaml:1:1: there is nothing to read [spec.syntax]");
    insta::assert_snapshot!(spec("- name: shop\n"), @"wooo.yaml:1:1: expected mapping start [spec.syntax]");
}

fn overlay(kustomization: &str) -> String {
    told(render_with_overlay(SHOP, kustomization))
}

fn patched(kind: &str, patch: &str) -> String {
    let indented = patch.replace('\n', "\n    ");
    overlay(&format!("patches:\n- target: {{kind: {kind}}}\n  patch: |\n    {indented}\n"))
}

/// A strategic-merge patch of the web server's pod.
fn pod(fields: &str) -> String {
    let indented = fields.replace('\n', "\n          ");
    overlay(&format!(
        "patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {{name: shop, namespace: app-shop}}\n    spec:\n      template:\n        spec:\n          {indented}\n"
    ))
}

#[test]
fn overlays_that_open_the_node() {
    insta::assert_snapshot!(pod("volumes: [{name: tmp, $patch: replace, hostPath: {path: /}}]"), @"nothing is wrong");
    insta::assert_snapshot!(pod("volumes: [{name: host, hostPath: {path: /}}]"), @"
    Deployment shop: volume `host` is a `hostPath` [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    ");
    insta::assert_snapshot!(pod("containers: [{name: shop, securityContext: {privileged: true}}]"), @"
    Deployment shop: container `shop` is privileged [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    ");
    insta::assert_snapshot!(pod("hostNetwork: true\nhostPID: true"), @"
    Deployment shop: `hostNetwork` shares the node with the pod [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    Deployment shop: `hostPID` shares the node with the pod [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    ");
    insta::assert_snapshot!(pod("containers: [{name: shop, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]"), @r#"
    Deployment shop: container `shop` adds the capability "SYS_ADMIN" [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    "#);
    insta::assert_snapshot!(pod("securityContext: {runAsNonRoot: null, runAsUser: 0}"), @"
    Deployment shop: the pod runs as root [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    Deployment shop: container `shop` does not set `runAsNonRoot: true`, nor does its pod [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    ");
    insta::assert_snapshot!(pod("initContainers: [{name: x, image: registry.example/x:1}]"), @"
    Deployment shop: container `x` does not set `allowPrivilegeEscalation: false` [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    Deployment shop: container `x` does not drop all capabilities [policy.pod_security]
      help: the `restricted` pod-security profile does not allow this; the namespace enforces it
    ");
}

#[test]
fn overlays_that_leave_their_app() {
    insta::assert_snapshot!(overlay("patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: blog, namespace: app-blog}\n    spec: {replicas: 0}\n"), @"overlay `apps/shop/overlay/production`: apps/shop/overlay/production/kustomization.yaml: patches[0]: there is no object Deployment app-blog/blog (apps/v1) for the patch [overlay.failed]");
    insta::assert_snapshot!(overlay("namespace: kube-system\n"), @"
    overlay `apps/shop/overlay/production`: Namespace app-shop must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: ResourceQuota shop must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: LimitRange shop must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: NetworkPolicy shop-isolation must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: Namespace kube-system must not be added [overlay.scope]
    overlay `apps/shop/overlay/production`: ResourceQuota shop must not be added [overlay.scope]
    overlay `apps/shop/overlay/production`: LimitRange shop must not be added [overlay.scope]
    overlay `apps/shop/overlay/production`: NetworkPolicy shop-isolation has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: ServiceAccount shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: ConfigMap shop-config has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: Deployment shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: Service shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: Ingress shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: Certificate shop-tls has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: Probe shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: PrometheusRule shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: AlertmanagerConfig shop has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    overlay `apps/shop/overlay/production`: ConfigMap shop-dashboard has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]
    ");
    insta::assert_snapshot!(patched("Service", "- {op: replace, path: /metadata/namespace, value: app-blog}"), @"overlay `apps/shop/overlay/production`: Service shop has namespace `app-blog`; an app lives in `app-shop` alone [overlay.scope]");
    insta::assert_snapshot!(patched("Service", "- {op: remove, path: /metadata/namespace}"), @"overlay `apps/shop/overlay/production`: Service shop has no namespace; an app lives in `app-shop` alone [overlay.scope]");
    insta::assert_snapshot!(overlay("namePrefix: x-\n"), @"
    overlay `apps/shop/overlay/production`: ResourceQuota shop must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: LimitRange shop must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: NetworkPolicy shop-isolation must not be removed or renamed [overlay.scope]
    overlay `apps/shop/overlay/production`: ResourceQuota x-shop must not be added [overlay.scope]
    overlay `apps/shop/overlay/production`: LimitRange x-shop must not be added [overlay.scope]
    ");
    insta::assert_snapshot!(overlay("configMapGenerator: [{name: extra, namespace: app-blog, literals: [a=b]}]\n"), @"overlay `apps/shop/overlay/production`: ConfigMap extra-4h2mbtbbt6 has namespace `app-blog`; an app lives in `app-shop` alone [overlay.scope]");
}

#[test]
fn overlays_that_add_what_may_not_be() {
    insta::assert_snapshot!(overlay("secretGenerator: [{name: extra, literals: [a=canary]}]\n"), @"overlay `apps/shop/overlay/production`: Secret extra-746bc5dg62 has no namespace; an app lives in `app-shop` alone [overlay.scope]");
    insta::assert_snapshot!(added("apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: app-shop}\nstringData: {a: canary}\n"), @"
    overlay `apps/shop/overlay/production`: Secret x: a Secret would put its value into Git in plain text [render.forbidden_kind]
      help: name the variable under `secrets:` in the spec
    ");
    insta::assert_snapshot!(added("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: shop, namespace: app-shop}]\n"), @"overlay `apps/shop/overlay/production`: ClusterRoleBinding x has no namespace; an app lives in `app-shop` alone [overlay.scope]");
    insta::assert_snapshot!(added("apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: kube-system}\nspec: {ports: [{port: 80}]}\n"), @"overlay `apps/shop/overlay/production`: Service x has namespace `kube-system`; an app lives in `app-shop` alone [overlay.scope]");
    insta::assert_snapshot!(added("apiVersion: v1\nkind: Namespace\nmetadata: {name: app-other}\n"), @"overlay `apps/shop/overlay/production`: Namespace app-other must not be added [overlay.scope]");
    insta::assert_snapshot!(added("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: mine, namespace: app-shop}\nspec: {hard: {pods: '99'}}\n"), @"overlay `apps/shop/overlay/production`: ResourceQuota mine must not be added [overlay.scope]");
    insta::assert_snapshot!(added("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x, namespace: app-shop}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: shop, namespace: app-shop}]\n"), @"overlay `apps/shop/overlay/production`: RoleBinding x: the kind `rbac.authorization.k8s.io/v1` `RoleBinding` is not one that an app may have [render.forbidden_kind]");
    insta::assert_snapshot!(added("apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: app-shop}\nspec: {hostNetwork: true, containers: [{name: x, image: x}]}\n"), @"overlay `apps/shop/overlay/production`: Pod x: the kind `v1` `Pod` is not one that an app may have [render.forbidden_kind]");
}

/// An overlay with one more object.
fn added(object: &str) -> String {
    use wooo::files::MemoryTree;
    use wooo::overlay::Overlay;
    use wooo::render::OwnOverlay;
    let folder = "apps/shop/overlay/production";
    let tree: MemoryTree = [
        (format!("{folder}/kustomization.yaml"), b"resources: [extra.yaml]\n".to_vec()),
        (format!("{folder}/extra.yaml"), object.as_bytes().to_vec()),
    ]
    .into_iter()
    .collect();
    let overlay = Overlay::load(&tree, folder).expect("the fixture is valid");
    let renderer = renderer(settings("k3s", "flux", "ingress"), &[]).expect("the templates are valid");
    told(renderer.render(&app(SHOP), &production(), Some(OwnOverlay { folder, overlay: &overlay })))
}

#[test]
fn overlays_that_take_down_the_fence() {
    insta::assert_snapshot!(overlay("patches:\n- target: {kind: NetworkPolicy}\n  patch: |\n    apiVersion: networking.k8s.io/v1\n    kind: NetworkPolicy\n    metadata: {name: shop}\n    $patch: delete\n"), @"overlay `apps/shop/overlay/production`: NetworkPolicy shop-isolation must not be removed or renamed [overlay.scope]");
    insta::assert_snapshot!(patched("ResourceQuota", "- {op: replace, path: /spec/hard/pods, value: '999'}"), @"
    overlay `apps/shop/overlay/production`: ResourceQuota shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    ");
    insta::assert_snapshot!(patched("LimitRange", "- {op: remove, path: /spec/limits/0}"), @"
    overlay `apps/shop/overlay/production`: LimitRange shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    ");
    insta::assert_snapshot!(patched("Namespace", "- {op: replace, path: /metadata/labels/pod-security.kubernetes.io~1enforce, value: privileged}"), @"
    overlay `apps/shop/overlay/production`: Namespace app-shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    ");
    insta::assert_snapshot!(overlay("commonLabels: {team: growth}\n"), @"
    overlay `apps/shop/overlay/production`: Namespace app-shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    overlay `apps/shop/overlay/production`: ResourceQuota shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    overlay `apps/shop/overlay/production`: LimitRange shop must not be changed [overlay.scope]
      help: sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml
    ");
}

#[test]
fn overlays_with_mistakes() {
    insta::assert_snapshot!(patched("Deployment", "- {op: add, path: /spec/replcias, value: 3}"), @"overlay `apps/shop/overlay/production`: Deployment shop: the field `spec.replcias` does not exist [render.invalid]");
    insta::assert_snapshot!(patched("Service", "- {op: replace, path: /spec/ports/0/targetPort, value: web}"), @"Service shop: its target port `web` is not a port of the pods that it selects [render.reference]");
    insta::assert_snapshot!(patched("Service", "- {op: replace, path: /spec/nope/0, value: web}"), @"overlay `apps/shop/overlay/production`: apps/shop/overlay/production/kustomization.yaml: patches[0]: Service app-shop/shop (v1): operation 0 at `/spec/nope/0`: the object has no `nope` [overlay.failed]");
    insta::assert_snapshot!(patched("Certificate", "- {op: add, path: /spec/dnsName, value: x}"), @"overlay `apps/shop/overlay/production`: Certificate shop-tls: the field `spec.dnsName` does not exist [render.invalid]");
}

fn shadowed(path: &'static str, template: &'static str) -> String {
    let rendered: Result<Rendered, Problems> = renderer(settings("k3s", "flux", "ingress"), &[(path, template)])
        .and_then(|renderer| renderer.render(&app(SHOP), &production(), None));
    told(rendered)
}

const SERVICE: &str = "templates/base/service.yaml.j2";

#[test]
fn templates_with_mistakes() {
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Service\nmetadata: {name: {{ app.name }}, namespace: {{ app.namespace }}}\nspec:\n  selectr: {a: b}\n  ports: [{port: 80}]\n"), @"template `base/service.yaml.j2`: Service shop: the field `spec.selectr` does not exist [render.invalid]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Service\nmetadata: {name: {{ app.name }}, namespace: {{ app.namespace }}}\nspec:\n  ports: [{port: eighty}]\n"), @r#"template `base/service.yaml.j2`: Service shop: the field `spec.ports[0].port` does not fit: invalid type: string "eighty", expected i32 [render.invalid]"#);
    insta::assert_snapshot!(shadowed("templates/base/certificate.yaml.j2", "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: {{ app.name }}, namespace: {{ app.namespace }}}\nspec:\n  secretName: shop-tls\n  dnsName: [{{ app.domain }}]\n  issuerRef: {name: x, kind: ClusterIssuer}\n"), @"template `base/certificate.yaml.j2`: Certificate shop: the field `spec.dnsName` does not exist [render.invalid]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ app.nmae }}\n"), @"templates/base/service.yaml.j2:4:3: template `base/service.yaml.j2`: `app.nmae` is undefined [template.undefined]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: Service\n"), @"template `base/service.yaml.j2` prints 2 documents where one is expected [render.invalid]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: {% if %}\n"), @"templates/base/service.yaml.j2:2:1: template `base/service.yaml.j2`: unexpected end of block [template.syntax]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: {{ app.name | shout }}\n"), @"templates/base/service.yaml.j2:2:1: template `base/service.yaml.j2`: filter shout is unknown [template.syntax]");
    insta::assert_snapshot!(shadowed(SERVICE, "kind: [\n"), @"
    template `base/service.yaml.j2` prints what is not YAML: unclosed bracket '[' [render.invalid]
      help: the line is `kind: [`
    ");
    insta::assert_snapshot!(shadowed(SERVICE, "{# nothing #}\n"), @"template `base/service.yaml.j2` prints nothing [render.invalid]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: {{ app.namespace }}}\n"), @"
    template `base/service.yaml.j2`: Secret x: a Secret would put its value into Git in plain text [render.forbidden_kind]
      help: name the variable under `secrets:` in the spec
    ");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: example.com/v1\nkind: Wish\nmetadata: {name: x, namespace: {{ app.namespace }}}\n"), @"template `base/service.yaml.j2`: Wish x: the kind `example.com/v1` `Wish` is not one that an app may have [render.forbidden_kind]");
    insta::assert_snapshot!(shadowed(SERVICE, "apiVersion: v1\nkind: Service\nmetadata: {name: {{ app.name }}, namespace: kube-system}\nspec: {ports: [{port: 80}]}\n"), @"
    Service shop is not in `app-shop`, and an app lives there alone [overlay.scope]
      help: see which template or overlay sets `metadata.namespace`
    ");
}

#[test]
fn templates_that_would_not_end() {
    insta::assert_snapshot!(shadowed(SERVICE, "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}\nkind: Service\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: engine ran out of fuel [template.budget]");
    insta::assert_snapshot!(shadowed(SERVICE, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: recursion limit exceeded [template.budget]");
    let told = shadowed(SERVICE, "{% include 'base/service.yaml.j2' %}\n");
    assert!(told.ends_with("recursion limit exceeded (in base/service.yaml.j2:1) [template.budget]"), "{told}");
    insta::assert_snapshot!(shadowed(SERVICE, "{% set ns = 'x' * 99999999 %}kind: {{ ns }}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: engine ran out of fuel [template.budget]");
}

#[test]
fn templates_that_look_outside() {
    insta::assert_snapshot!(shadowed(SERVICE, "{% include '../../etc/passwd' %}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: tried to include non-existing template '../../etc/passwd' [template.not_found]");
    insta::assert_snapshot!(shadowed(SERVICE, "{% include '/etc/passwd' %}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: tried to include non-existing template '/etc/passwd' [template.not_found]");
    insta::assert_snapshot!(shadowed(SERVICE, "{% extends 'base/nope.yaml.j2' %}\n"), @r#"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: template "base/nope.yaml.j2" does not exist [template.not_found]"#);
    insta::assert_snapshot!(shadowed(SERVICE, "kind: {{ env('HOME') }}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: env is unknown [template.syntax]");
    insta::assert_snapshot!(shadowed(SERVICE, "kind: {{ ''.__class__ }}\n"), @"templates/base/service.yaml.j2:1:1: template `base/service.yaml.j2`: `(...).__class__` is undefined [template.undefined]");
}

#[test]
fn pods_that_never_start() {
    insta::assert_snapshot!(told(renderer(settings("k3s", "flux", "ingress"), &[]).unwrap().render(&app_in(SHOP, "secrets: [A]\nenv: {A: x}\n"), &production(), None)), @"nothing is wrong");
}
