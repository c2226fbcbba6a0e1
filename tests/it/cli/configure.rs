//! `wooo configure`.

use super::{Fleet, assert_message};

#[test]
fn the_shared_spec_keeps_peoples_comments() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure shop --set env.DEBUG=no --set env.TZ=UTC --set port=8080 --unset replicas --merge");
    assert_message!(fleet.lab, fleet.file("apps/shop/app.yaml"), @r#"
    # The shop, as its team wants it.
    name: shop
    domain: shop.example.com   # the real one
    framework: flask
    image: registry.example/shop:1.0.0
    env:
      TZ: UTC   # where the team is
      DEBUG: "no"
    port: 8080
    "#);
    // Every environment that the app is in follows, in the same commit.
    assert_message!(fleet.lab, fleet.git("diff --name-only HEAD~1"), @"
    apps/shop/app.yaml
    rendered/production/shop/.wooo.json
    rendered/production/shop/configmap-shop-config.yaml
    rendered/production/shop/deployment-shop.yaml
    rendered/production/shop/kustomization.yaml
    rendered/production/shop/networkpolicy-shop-isolation.yaml
    rendered/production/shop/poddisruptionbudget-shop.yaml
    rendered/production/shop/resourcequota-shop.yaml
    rendered/staging/shop/.wooo.json
    rendered/staging/shop/configmap-shop-config.yaml
    rendered/staging/shop/deployment-shop.yaml
    rendered/staging/shop/kustomization.yaml
    rendered/staging/shop/networkpolicy-shop-isolation.yaml
    rendered/staging/shop/poddisruptionbudget-shop.yaml
    rendered/staging/shop/resourcequota-shop.yaml
    ");
    fleet.assert_sound();
}

#[test]
fn one_environment_keeps_peoples_comments() {
    let fleet = Fleet::with_apps();
    let mine = "# Ask the team before changing this.\nimage: registry.example/shop:1.0.0   # the good one\n\nenv:\n  # for the fair\n  PLACE: hall 3\n";
    fleet.put("apps/shop/production.yaml", mine);
    fleet.commit("By hand");
    fleet.ok("configure shop --env production --set env.DEBUG=08 --unset env.TZ --set health_path=/up --merge");
    assert_message!(fleet.lab, fleet.file("apps/shop/production.yaml"), @r#"
    # Ask the team before changing this.
    image: registry.example/shop:1.0.0   # the good one

    env:
      # for the fair
      PLACE: hall 3
      DEBUG: "08"
      TZ: null
    health_path: /up
    "#);
    assert_message!(fleet.lab, fleet.git("diff --name-only HEAD~1"), @"
    apps/shop/production.yaml
    rendered/production/shop/.wooo.json
    rendered/production/shop/configmap-shop-config.yaml
    rendered/production/shop/deployment-shop.yaml
    rendered/production/shop/probe-shop.yaml
    ");
    let config = fleet.file("rendered/production/shop/configmap-shop-config.yaml");
    assert!(!config.contains("TZ") && config.contains("DEBUG: \"08\""), "{config}");
    fleet.assert_sound();
}

#[test]
fn values_of_variables_are_text() {
    let fleet = Fleet::with_apps();
    for value in ["no", "08", "1e3", "0x1f", "{{ 7*7 }}", "", "a: b # c", "two\nlines\n", "=", "[x"] {
        fleet.ok(&format!("configure shop --env staging --set 'env.V={value}' --merge"));
        let config = fleet.file("rendered/staging/shop/configmap-shop-config.yaml");
        let config: serde_json::Value = wooo::yaml::read(&config).unwrap();
        assert_eq!(config["data"]["V"], value);
        fleet.assert_sound();
    }
}

#[test]
fn each_mistake_has_its_own_message() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.refused("configure shop"), @"
    error[configure.nothing]: this changes no field
     |
     = help: give `--set FIELD=VALUE` or `--unset FIELD`
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --set port"), @"
    error[configure.field]: `port` sets nothing
     |
     = help: write it as FIELD=VALUE
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --set replcias=2"), @"
    error[spec.unknown_field]: unknown field `replcias`
     --> apps/shop/app.yaml:9:1
      |
    9 | replcias: 2
      | ^^^^^^^^
      |
      = help: did you mean `replicas`?
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --set port=70000"), @"
    error[spec.value]: port 70000 is out of range: 1 to 65535
     --> apps/shop/app.yaml:9:7
      |
    9 | port: 70000
      |       ^
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --set name=other"), @"
    error[configure.field]: `name` is not configured like this
     |
     = help: an app keeps its name; offboard it and onboard it under another
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --env staging --set display_name=x"), @"
    error[spec.unknown_field]: unknown field `display_name`
     --> apps/shop/staging.yaml:2:1
      |
    2 | display_name: x
      | ^^^^^^^^^^^^
      |
      = help: the fields here are image, replicas, autoscale, resources, domain, plan, env, secrets, port, command, health_path, metrics_path, workers, egress, restarted_at, hold
    ");
    assert_message!(fleet.lab, fleet.refused("configure shop --set 'workers=[{name: a'"), @"error[configure.value]: the value of `workers` is not YAML: unclosed bracket '{'");
    assert_message!(fleet.lab, fleet.refused("configure shop --set plan=huge"), @"
    error[spec.plan]: `shop` asks for plan `huge`, which does not exist
     |
     = help: the plans are basic, standard, advanced, professional

    error[spec.plan]: `shop` asks for plan `huge`, which does not exist
     |
     = help: the plans are basic, standard, advanced, professional
    ");
    assert_eq!(fleet.branches(), [""; 0]);
}
