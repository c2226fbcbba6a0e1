//! `wooo onboard` and `wooo offboard`.

use std::fs;

use super::{Fleet, SHOP, assert_message};

#[test]
fn an_app_comes_in_with_all_of_its_files() {
    let fleet = Fleet::new();
    assert_message!(fleet.lab, fleet.ok("onboard shop/wooo.yaml --env staging --merge"), @"
    Onboard shop to staging
    staging:
      medium Deployment shop: added
      medium Ingress shop: added, host shop.staging.example.com
      low    Namespace app-shop: added
      low    ResourceQuota shop: added
      low    LimitRange shop: added
      low    NetworkPolicy shop-isolation: added
      low    ServiceAccount shop: added
      low    ConfigMap shop-config: added
      low    Service shop: added
      low    Certificate shop-tls: added
      low    PodDisruptionBudget shop: added
      low    Probe shop: added
      low    PrometheusRule shop: added
      low    ConfigMap shop-dashboard: added
    merged into main as [commit]
    ");
    assert_message!(fleet.lab, fleet.git("diff --name-only HEAD~1 HEAD"), @"
    apps/shop/app.yaml
    apps/shop/staging.yaml
    delivery/staging/shop.yaml
    rendered/.hosts/ff/shop.staging.example.com
    rendered/staging/shop/.wooo.json
    rendered/staging/shop/certificate-shop-tls.yaml
    rendered/staging/shop/configmap-shop-config.yaml
    rendered/staging/shop/configmap-shop-dashboard.yaml
    rendered/staging/shop/deployment-shop.yaml
    rendered/staging/shop/ingress-shop.yaml
    rendered/staging/shop/kustomization.yaml
    rendered/staging/shop/limitrange-shop.yaml
    rendered/staging/shop/namespace-app-shop.yaml
    rendered/staging/shop/networkpolicy-shop-isolation.yaml
    rendered/staging/shop/poddisruptionbudget-shop.yaml
    rendered/staging/shop/probe-shop.yaml
    rendered/staging/shop/prometheusrule-shop.yaml
    rendered/staging/shop/resourcequota-shop.yaml
    rendered/staging/shop/service-shop.yaml
    rendered/staging/shop/serviceaccount-shop.yaml
    ");
    assert_eq!(fleet.file("apps/shop/app.yaml") + "\n", SHOP);
    assert_message!(fleet.lab, fleet.git("log -1 --format=%B"), @"
    Onboard shop to staging

    staging:
    - Deployment shop: added
    - Ingress shop: added, host shop.staging.example.com
    - Namespace app-shop: added
    - ResourceQuota shop: added
    - LimitRange shop: added
    - NetworkPolicy shop-isolation: added
    - ServiceAccount shop: added
    - ConfigMap shop-config: added
    - Service shop: added
    - Certificate shop-tls: added
    - PodDisruptionBudget shop: added
    - Probe shop: added
    - PrometheusRule shop: added
    - ConfigMap shop-dashboard: added

    Wooo-App: shop
    Wooo-Env: staging
    Wooo-Action: onboard
    Wooo-Actor: local:tester
    Wooo-Change-Id: [change-id]
    Wooo-Render-Digest: e7bbc36dee776b8508964e00ba47751051827001b02d80231c2b04f64d0ea6cf
    ");
    fleet.assert_sound();
}

#[test]
fn a_second_time_changes_nothing() {
    let fleet = Fleet::with_apps();
    let tip = fleet.tip();
    let told = fleet.ok("onboard shop/wooo.yaml --env staging --merge");
    assert_message!(fleet.lab, told, @"
    Onboard shop to staging
    nothing to change: the fleet says so already
    ");
    assert_eq!(fleet.ok("onboard shop/wooo.yaml --env staging"), told);
    assert_eq!((fleet.tip(), fleet.branches().len()), (tip, 0));
}

#[test]
fn what_detection_finds_is_written_down() {
    let fleet = Fleet::new();
    fleet.lab.write("go/wooo.yaml", "name: ledger\nimage: registry.example/ledger:1\n");
    fleet.lab.write("go/go.mod", "module example.com/ledger\n\ngo 1.22\n");
    fleet.lab.write(
        "go/main.go",
        "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n",
    );
    fleet.ok("onboard go/wooo.yaml --env staging --merge");
    assert_eq!(fleet.file("apps/ledger/app.yaml"), "name: ledger\nimage: registry.example/ledger:1\nframework: go");
}

#[test]
fn another_app_of_the_same_name_is_refused() {
    let fleet = Fleet::with_apps();
    fleet.lab.write("other/wooo.yaml", &SHOP.replace("flask", "django"));
    let tip = fleet.tip();
    assert_message!(fleet.lab, fleet.refused("onboard other/wooo.yaml --env production --merge"), @"
    error[app.exists]: there is an app `shop` already, with another spec
     |
     = help: `wooo configure shop` changes it; a different app needs a different name
    ");
    assert_eq!(fleet.tip(), tip);
}

#[test]
fn a_host_has_one_app_until_that_app_leaves() {
    let fleet = Fleet::with_apps();
    fleet.lab.write("thief/wooo.yaml", &SHOP.replace("name: shop", "name: thief"));
    assert_message!(fleet.lab, fleet.refused("onboard thief/wooo.yaml --env production"), @"
    error[route.taken]: the host `shop.example.com` is taken by the app `shop`
     |
     = help: choose another `domain`, or offboard that app first
    ");
    fleet.ok("offboard shop --env production --merge");
    fleet.ok("onboard thief/wooo.yaml --env production --merge");
    fleet.assert_sound();
}

#[test]
fn leaving_an_environment_takes_exactly_the_apps_files() {
    let fleet = Fleet::with_apps();
    fleet.put("apps/shop/overlay/staging/kustomization.yaml", "patches:\n- target: {kind: Service}\n  patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"team\": \"growth\"}}]'\n");
    fleet.put("rendered/staging/shop/NOTES.md", "a person's file\n");
    fleet.commit("By hand");
    fleet.ok("rerender --merge");
    assert_message!(fleet.lab, fleet.ok("offboard shop --env staging --merge"), @"
    Offboard shop from staging
    staging:
      high   Namespace app-shop: removed
      high   ResourceQuota shop: removed
      high   LimitRange shop: removed
      high   NetworkPolicy shop-isolation: removed
      high   Deployment shop: removed
      high   Service shop: removed
      high   Ingress shop: removed
      high   Certificate shop-tls: removed
      high   Probe shop: removed
      high   PrometheusRule shop: removed
      medium ServiceAccount shop: removed
      medium ConfigMap shop-config: removed
      medium PodDisruptionBudget shop: removed
      medium ConfigMap shop-dashboard: removed
    note: the controller deletes the namespace of `shop` with everything in it, volumes too, when this is merged
    merged into main as [commit]
    ");
    assert_message!(fleet.lab, fleet.git("diff --name-status HEAD~1 HEAD"), @"
    D	apps/shop/overlay/staging/kustomization.yaml
    D	apps/shop/staging.yaml
    D	delivery/staging/shop.yaml
    D	rendered/.hosts/ff/shop.staging.example.com
    D	rendered/staging/shop/.wooo.json
    D	rendered/staging/shop/certificate-shop-tls.yaml
    D	rendered/staging/shop/configmap-shop-config.yaml
    D	rendered/staging/shop/configmap-shop-dashboard.yaml
    D	rendered/staging/shop/deployment-shop.yaml
    D	rendered/staging/shop/ingress-shop.yaml
    D	rendered/staging/shop/kustomization.yaml
    D	rendered/staging/shop/limitrange-shop.yaml
    D	rendered/staging/shop/namespace-app-shop.yaml
    D	rendered/staging/shop/networkpolicy-shop-isolation.yaml
    D	rendered/staging/shop/poddisruptionbudget-shop.yaml
    D	rendered/staging/shop/probe-shop.yaml
    D	rendered/staging/shop/prometheusrule-shop.yaml
    D	rendered/staging/shop/resourcequota-shop.yaml
    D	rendered/staging/shop/service-shop.yaml
    D	rendered/staging/shop/serviceaccount-shop.yaml
    ");
    // The person's file stays, for the person to decide about.
    assert_eq!(fs::read_to_string(fleet.dir.join("rendered/staging/shop/NOTES.md")).unwrap(), "a person's file\n");
    assert!(!fleet.dir.join("apps/shop/overlay").exists());
    assert_eq!(fleet.git("status --porcelain"), "");
}

#[test]
fn leaving_the_fleet_leaves_nothing() {
    let fleet = Fleet::new();
    fleet.ok("onboard blog/wooo.yaml --env staging --merge");
    let before = fleet.tree();
    fleet.ok("onboard shop/wooo.yaml --env staging --merge");
    fleet.ok("onboard shop/wooo.yaml --env production --merge");
    fleet.ok("offboard shop --merge");
    assert_eq!(fleet.tree(), before);
    fleet.assert_sound();
    // And so does leaving the last environment.
    fleet.ok("onboard shop/wooo.yaml --env staging --merge");
    fleet.ok("offboard shop --env staging --merge");
    assert_eq!(fleet.tree(), before);
}

#[test]
fn an_app_or_environment_that_is_not_there_is_explained() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.refused("deploy shpo registry.example/shop:2 --env staging"), @"
    error[app.not_found]: there is no app `shpo` in this fleet
     |
     = help: did you mean `shop`?
    ");
    assert_message!(fleet.lab, fleet.refused("deploy shop registry.example/shop:2 --env stagign"), @"
    error[fleet.unknown_environment]: there is no environment `stagign` in fleet.yaml
     |
     = help: did you mean `staging`?
     = help: the environments are staging, production
    ");
    assert_message!(fleet.lab, fleet.refused("deploy blog registry.example/blog:8 --env production"), @"
    error[app.not_there]: `blog` is not in `production`
     |
     = help: it is in staging; `wooo promote` brings it further
    ");
    assert_message!(fleet.lab, fleet.refused("onboard shop/wooo.yaml --env qa"), @"
    error[fleet.unknown_environment]: there is no environment `qa` in fleet.yaml
     |
     = help: the environments are staging, production
    ");
    assert_message!(fleet.lab, fleet.refused("status shpo"), @"error[app.not_found]: there is no app `shpo` in any environment of this fleet");
}

#[test]
fn options_set_fields_over_a_spec_or_without_one() {
    let fleet = Fleet::new();
    let words =
        "--env staging --merge --set replicas=3 --set env.DEBUG=no --set-text 'display_name=a: [b' --set plan=basic";
    fleet.ok(&format!("onboard shop/wooo.yaml {words}"));
    let spec = fleet.file("apps/shop/app.yaml");
    for line in
        ["replicas: 3", "# The shop, as its team wants it.", "plan: basic", "TZ: Asia/Taipei   # where the team is"]
    {
        assert!(spec.contains(line), "{spec}");
    }
    let spec: serde_json::Value = wooo::yaml::read(&spec).unwrap();
    assert_eq!((spec["env"]["DEBUG"].as_str(), spec["display_name"].as_str()), (Some("no"), Some("a: [b")));
    fleet.ok(
        "onboard --env staging --merge --set-text name=tiny --set framework=go --set image=registry.example/tiny:1.0.0",
    );
    assert!(fleet.file("apps/tiny/app.yaml").contains("name: tiny"));
    for (words, code) in [
        ("--set port=[1", "configure.value"),
        ("--set port", "configure.field"),
        ("--set-text port=eighty", "spec."),
        ("--set ports=80", "spec."),
        ("--set env.A.B=1", "spec."),
    ] {
        let refused = fleet.refused(&format!("onboard shop/wooo.yaml --env production {words}"));
        assert!(refused.contains(&format!("error[{code}")), "{words}: {refused}");
    }
    assert_eq!(fleet.run("onboard --env staging").code, Some(2));
    let refused = fleet.refused("onboard shop/wooo.yaml --env staging --report out");
    assert!(refused.contains("error[client.no_server]"), "{refused}");
}
