//! Add-ons: what runs beside an app, who may reach it, and what becomes of its data.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wooo::domain::secrets::{Ciphertext, Secrets};
use wooo::render::{Rendered, diff};

use super::fixtures::{app, production, renderer, settings};

const SPEC: &str = "name: shop\nframework: django\nimage: registry.example/shop:1.4.2\n";
const ALL: &str = "addons: {postgresql: {storage: 20Gi}, redis: {}, mongodb: {on_removal: delete}, elasticsearch: {memory: 4Gi}}\n\
                   workers: [{name: celery, command: [celery, -A, shop, worker]}]\n";

/// An app with a password for each of its add-ons.
fn rendered(provider: &str, spec: &str) -> Rendered {
    let plain = app(spec);
    let seal = |kind: &_| {
        let scope = format!("app-shop/shop-{kind}");
        // A key of 256 bytes, and a value with its tag.
        let value = STANDARD.encode([&[1, 0][..], &[7; 256 + 17]].concat());
        (*kind, Ciphertext::Sealed { scope, value })
    };
    let addons = plain.spec.addons.keys().map(seal).collect();
    let app = plain.with_secrets(Secrets { addons, ..Secrets::default() });
    renderer(settings(provider, "flux", "ingress"), &[])
        .and_then(|renderer| renderer.render(&app, &production(), None))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is).unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

#[test]
fn every_add_on_on_every_provider() {
    insta::with_settings!({snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/addons"), prepend_module_to_snapshot => false, omit_expression => true}, {
        for (kind, provider) in [("postgresql", "k3s"), ("redis", "eks"), ("mongodb", "gke"), ("elasticsearch", "aks")] {
            let rendered = rendered(provider, &format!("{SPEC}addons: {{{kind}: {{}}}}\n"));
            let of_addon = |name: &str| name.contains(&format!("shop-{kind}")) || name.starts_with("networkpolicy") || name.starts_with("resourcequota") || name.starts_with("limitrange");
            let files = rendered.files.iter().filter(|file| of_addon(&file.name));
            let text: String = files.map(|file| format!("# {}\n{}", file.name, file.content)).collect();
            insta::assert_snapshot!(format!("{kind}-{provider}"), text);
        }
    });
}

/// Policies add up: a pod that any of them lets in is let in.
#[test]
fn only_the_app_and_its_backup_reach_an_add_on() {
    let rendered = rendered("k3s", &format!("{SPEC}{ALL}"));
    let policies: Vec<&Value> = rendered.objects.iter().filter(|object| object["kind"] == "NetworkPolicy").collect();
    let pods: Vec<&Value> = rendered
        .objects
        .iter()
        .filter_map(|object| match object["kind"].as_str()? {
            "Deployment" | "StatefulSet" => object.pointer("/spec/template/metadata/labels"),
            "CronJob" => object.pointer("/spec/jobTemplate/spec/template/metadata/labels"),
            _ => None,
        })
        .collect();
    let component = |labels: &Value| labels["app.kubernetes.io/component"].as_str().unwrap().to_owned();
    let reaches = |from: &Value, to: &Value| {
        policies.iter().filter(|policy| selects(&policy["spec"]["podSelector"], to)).any(|policy| {
            let rules = policy["spec"]["ingress"].as_array().into_iter().flatten();
            let mut peers = rules.flat_map(|rule| rule["from"].as_array().into_iter().flatten());
            peers.any(|peer| peer.get("namespaceSelector").is_none() && selects(&peer["podSelector"], from))
        })
    };
    for add_on in ["postgresql", "redis", "mongodb", "elasticsearch"] {
        let to = pods.iter().find(|labels| component(labels) == add_on).unwrap();
        let mut from: Vec<String> =
            pods.iter().filter(|labels| reaches(labels, to)).map(|labels| component(labels)).collect();
        from.sort();
        let mut wanted = vec!["web".to_owned(), "worker-celery".to_owned()];
        if ["postgresql", "mongodb"].contains(&add_on) {
            wanted.push(format!("{add_on}-backup"));
        }
        wanted.sort();
        assert_eq!(from, wanted, "{add_on}");
    }
}

/// Whether a selector of pods matches labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let fits = |expression: &Value| {
        let value = &labels[expression["key"].as_str().unwrap()];
        let listed = expression["values"].as_array().unwrap().contains(value);
        match expression["operator"].as_str().unwrap() {
            "In" => listed,
            "NotIn" => !listed,
            other => panic!("{other}"),
        }
    };
    equal && selector["matchExpressions"].as_array().into_iter().flatten().all(fits)
}

#[test]
fn the_app_is_told_where_its_add_ons_are_unless_it_knows() {
    let variables = |spec: &str| -> Vec<String> {
        let rendered = rendered("k3s", spec);
        let deployment = find(&rendered.objects, "Deployment", "shop");
        let env = deployment.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
        let line = |variable: &Value| {
            format!("{}={}", variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or("(secret)"))
        };
        env.into_iter().flatten().map(line).collect()
    };
    assert_eq!(
        variables(&format!("{SPEC}addons: {{postgresql: {{}}, redis: {{}}}}\n")),
        [
            "POSTGRESQL_PASSWORD=(secret)",
            "DATABASE_URL=postgresql://app:$(POSTGRESQL_PASSWORD)@shop-postgresql:5432/app",
            "REDIS_PASSWORD=(secret)",
            "REDIS_URL=redis://:$(REDIS_PASSWORD)@shop-redis:6379/0",
        ]
    );
    assert_eq!(
        variables(&format!(
            "{SPEC}addons: {{postgresql: {{}}}}\nenv: {{DATABASE_URL: 'postgres://db.example.com/x'}}\n"
        )),
        ["POSTGRESQL_PASSWORD=(secret)"]
    );
}

#[test]
fn a_removal_names_the_volume_that_is_lost_or_stays() {
    let before = rendered("k3s", &format!("{SPEC}{ALL}"));
    let after = rendered("k3s", SPEC);
    let told: Vec<String> = diff::compare(&before.objects, &after.objects)
        .iter()
        .filter(|entry| entry.object.starts_with("StatefulSet"))
        .map(|entry| format!("{entry} [{}]", entry.risk))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    StatefulSet shop-postgresql: removed; its volumes data-shop-postgresql-0 (20Gi), backup-shop-postgresql-0 (20Gi) stay in the cluster until someone deletes them [high]
    StatefulSet shop-redis: removed; its volume data-shop-redis-0 (1Gi) stays in the cluster until someone deletes it [high]
    StatefulSet shop-mongodb: removed, and the volumes data-shop-mongodb-0 (10Gi), backup-shop-mongodb-0 (10Gi) are lost with everything in them [high]
    StatefulSet shop-elasticsearch: removed; its volume data-shop-elasticsearch-0 (20Gi) stays in the cluster until someone deletes it [high]
    ");
    let policy = |name: &str| {
        find(&before.objects, "StatefulSet", name)["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]
            .clone()
    };
    assert_eq!((policy("shop-postgresql"), policy("shop-mongodb")), (Value::from("Retain"), Value::from("Delete")));
}

#[test]
fn a_volume_keeps_its_size() {
    let before = rendered("k3s", &format!("{SPEC}{ALL}"));
    let after = rendered("k3s", &format!("{SPEC}{}", ALL.replace("20Gi", "40Gi")));
    let problems = diff::impossible(&before.objects, &after.objects);
    assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["addon.volume"]);
    assert!(diff::impossible(&before.objects, &before.objects).is_empty());
    assert!(diff::impossible(&before.objects, &[]).is_empty());
}

/// The quota has room for every pod, and no container is larger than the limit of one.
#[test]
fn add_ons_fit_into_the_quota() {
    let rendered = rendered("k3s", &format!("{SPEC}{ALL}"));
    let quota = find(&rendered.objects, "ResourceQuota", "shop");
    let most = find(&rendered.objects, "LimitRange", "shop")["spec"]["limits"][0]["max"]["memory"].clone();
    assert_eq!(most, "4Gi");
    // Two of the app and of its worker (one more of each while it rolls), four add-ons, two backups.
    assert_eq!(quota["spec"]["hard"]["pods"], "10");
}
