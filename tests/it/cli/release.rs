//! `wooo promote` and `wooo rollback`.

use super::{Fleet, assert_message};

fn deploy(fleet: &Fleet, environment: &str, version: &str) {
    fleet.ok(&format!("deploy shop registry.example/shop:{version} --env {environment} --merge"));
}

#[test]
fn a_promotion_carries_the_release_and_nothing_else() {
    let fleet = Fleet::with_apps();
    fleet.ok("scale shop 7 --env production --merge");
    fleet.ok("configure shop --env production --set env.PLACE=tokyo --merge");
    fleet.ok("configure shop --env staging --set env.PLACE=taipei --set port=9000 --set 'command=[run, web]' --merge");
    fleet.ok("resize shop --env staging --plan basic --merge");
    fleet.ok("scale shop 1 --env staging --merge");
    deploy(&fleet, "staging", "1.1.0");
    assert_message!(fleet.lab, fleet.ok("promote shop --env production --merge"), @r#"
    Promote shop 1.1.0 from staging to production
    production:
      high   NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 9000, TCP 8089 opened
      medium NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 8000, TCP 8089 closed
      medium ConfigMap shop-config: variable GUNICORN_CMD_ARGS "--bind=0.0.0.0:8000 --workers=3 --worker-tmp-dir=/tmp" -> "--bind=0.0.0.0:9000 --workers=3 --worker-tmp-dir=/tmp"
      medium ConfigMap shop-config: variable PORT 8000 -> 9000
      medium Deployment shop: image registry.example/shop:1.0.0 -> registry.example/shop:1.1.0
      medium Deployment shop: spec.template.spec.containers[shop].ports[http].containerPort 8000 -> 9000
      medium Deployment shop: command set to ["run","web"]
      low    Deployment shop: pods restart, their variables changed
    merged into main as [commit]
    "#);
    assert_message!(fleet.lab, fleet.file("apps/shop/production.yaml"), @"
    image: registry.example/shop:1.1.0
    replicas: 7
    env:
      PLACE: tokyo
    port: 9000
    command:
    - run
    - web
    ");
    assert_message!(fleet.lab, fleet.git("diff --name-only HEAD~1"), @"
    apps/shop/production.yaml
    rendered/production/shop/.wooo.json
    rendered/production/shop/configmap-shop-config.yaml
    rendered/production/shop/deployment-shop.yaml
    rendered/production/shop/networkpolicy-shop-isolation.yaml
    ");
    fleet.assert_sound();
}

#[test]
fn a_promotion_can_be_the_first_release_there() {
    let fleet = Fleet::with_apps();
    fleet.ok("promote blog --env production --merge");
    assert_eq!(fleet.file("apps/blog/production.yaml"), "image: registry.example/blog:7.0.0");
    let claims = fleet.git("ls-tree -r --name-only main rendered/.hosts");
    assert!(claims.contains("/blog.example.com") && claims.contains("/blog.staging.example.com"), "{claims}");
    fleet.assert_sound();
}

#[test]
fn a_promotion_without_a_source_is_explained() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.refused("promote shop --env staging"), @"
    error[promote.no_source]: nothing is promoted to `staging`
     |
     = help: set `promote_from` of `staging` in fleet.yaml
    ");
    fleet.ok("offboard shop --env staging --merge");
    assert_message!(fleet.lab, fleet.refused("promote shop --env production"), @"error[app.not_there]: `shop` is not in `staging`, so there is nothing to promote to `production`");
}

/// Everything that `git` knows of the tree outside the shop.
fn others(fleet: &Fleet) -> Vec<String> {
    let tree = fleet.git("ls-tree -r main");
    tree.lines().filter(|line| !line.contains("/shop/") && !line.contains("/shop.")).map(str::to_owned).collect()
}

#[test]
fn a_rollback_restores_one_app_in_one_environment_and_holds_it() {
    let fleet = Fleet::with_apps();
    let first = fleet.git("rev-parse main:rendered/production/shop");
    let staging = fleet.git("rev-parse main:rendered/staging/shop");
    deploy(&fleet, "production", "1.1.0");
    fleet.ok("deploy blog registry.example/blog:8.0.0 --env staging --merge");
    let before = others(&fleet);
    assert_message!(fleet.lab, fleet.ok("rollback shop --env production --reason 'checkout fails' --merge"), @"
    Roll shop back to 1.0.0 in production
    production:
      medium Deployment shop: image registry.example/shop:1.1.0 -> registry.example/shop:1.0.0
    note: restores the release of commit [commit] (2025-06-15T15:06:40Z)
    note: the app is now held in production; `wooo unhold shop --env production` lifts the hold
    merged into main as [commit]
    ");
    assert_eq!(fleet.git("rev-parse main:rendered/production/shop"), first);
    assert_eq!(fleet.git("rev-parse main:rendered/staging/shop"), staging);
    assert_eq!(others(&fleet), before);
    assert_message!(fleet.lab, fleet.file("apps/shop/production.yaml"), @r#"
    image: registry.example/shop:1.0.0
    hold:
      reason: "rolled back to 1.0.0: checkout fails"
      actor: local:tester
      since: "2025-06-15T15:06:40Z"
    "#);
    assert_message!(fleet.lab, fleet.git("diff --name-only HEAD~1"), @"
    apps/shop/production.yaml
    rendered/production/shop/.wooo.json
    rendered/production/shop/deployment-shop.yaml
    ");
    assert_message!(fleet.lab, fleet.refused("rollback shop --env production --merge"), @"
    error[rollback.already]: `shop` was already rolled back in `production` by local:tester
     |
     = help: name the release to go to: `wooo rollback shop --env production --to COMMIT`
    ");
    fleet.assert_sound();
}

#[test]
fn a_rollback_goes_to_a_named_tag_or_commit() {
    for by_tag in [true, false] {
        let fleet = Fleet::with_apps();
        let mut commits = vec![fleet.tip()];
        let mut trees = vec![fleet.git("rev-parse main:rendered/production/shop")];
        for version in ["1.1.0", "1.2.0", "1.3.0"] {
            deploy(&fleet, "production", version);
            commits.push(fleet.tip());
            trees.push(fleet.git("rev-parse main:rendered/production/shop"));
        }
        fleet.ok("deploy blog registry.example/blog:8.0.0 --env staging --merge");
        let before = others(&fleet);
        // Under a hold, further back is still possible.
        fleet.ok("rollback shop --env production --merge");
        assert_eq!(fleet.git("rev-parse main:rendered/production/shop"), trees[2]);
        for (to, tag) in [(1, "1.1.0"), (0, "1.0.0"), (3, "1.3.0")] {
            let to_text = if by_tag { tag.to_owned() } else { commits[to][..10].to_owned() };
            fleet.ok(&format!("rollback shop --env production --to {to_text} --merge"));
            assert_eq!(fleet.git("rev-parse main:rendered/production/shop"), trees[to], "to {to_text}");
            assert_eq!(others(&fleet), before);
        }
        fleet.assert_sound();
    }
}

#[test]
fn what_is_no_earlier_release_is_refused_with_those_there_are() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.refused("rollback shop --env production"), @"error[rollback.no_release]: `shop` has no earlier release here");
    deploy(&fleet, "production", "1.1.0");
    for to in ["9.9.9", "'$(id)'", "../../x", "@{-1}", "0123456", "1.1.0"] {
        let told = fleet.refused(&format!("rollback shop --env production --to {to}"));
        assert!(told.contains("rollback.no_release"), "{told}");
    }
    assert_message!(fleet.lab, fleet.refused("rollback shop --env production --to 9.9.9"), @"
    error[rollback.no_release]: `9.9.9` is no earlier release of `shop`
     |
     = help: [commit] is 1.0.0 (2025-06-15T15:06:40Z)
    ");
}

#[test]
fn a_rollback_undoes_a_change_of_the_shared_spec_here_alone() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure shop --set port=9000 --set health_path=/broken --set env.BAD=1 --unset env.TZ --set 'command=[nope]' --set domain=new.example.com --merge");
    let staging = fleet.git("rev-parse main:rendered/staging/shop");
    fleet.ok("rollback shop --env production --merge");
    // The record holds a digest of the spec, and the port is now written down, which counts as configuration.
    let diff = fleet.git("diff -U0 HEAD~2 HEAD -- rendered/production :!*.wooo.json");
    let lines: Vec<&str> = diff.lines().filter(|line| line.starts_with("+ ") || line.starts_with("- ")).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("wooo.work/config-hash: ")), "{diff}");
    assert_eq!(fleet.git("rev-parse main:rendered/staging/shop"), staging);
    assert_message!(fleet.lab, fleet.file("apps/shop/production.yaml"), @r#"
    image: registry.example/shop:1.0.0
    domain: shop.example.com
    env:
      TZ: Asia/Taipei
      BAD: null
    port: 8000
    command: []
    health_path: /health
    hold:
      reason: rolled back to 1.0.0
      actor: local:tester
      since: "2025-06-15T15:06:40Z"
    "#);
    fleet.assert_sound();
}

#[test]
fn a_rollback_leaves_the_host_names_of_an_environment_alone() {
    let fleet = Fleet::with_apps();
    fleet.ok("deploy shop registry.example/shop:1.1.0 --env staging --merge");
    // Staging has host names of its own, so that this changes nothing there.
    fleet.ok("configure shop --set domain=new.example.com --merge");
    let told = fleet.ok("rollback shop --env staging --merge");
    assert!(told.contains("Roll shop back to 1.0.0 in staging"), "{told}");
    let release = fleet.file("apps/shop/staging.yaml");
    assert!(!release.contains("domain"), "{release}");
    fleet.assert_sound();
}

#[test]
fn what_does_not_run_is_no_release() {
    let fleet = Fleet::with_apps();
    deploy(&fleet, "production", "1.1.0");
    fleet.ok("configure shop --set display_name=Shop --merge");
    fleet.ok("configure shop --set 'owners=[github:bob]' --merge");
    fleet.ok("scale shop 6 --env production --merge");
    fleet.ok("resize shop --env production --memory 2Gi --merge");
    fleet.run_later(60, "restart shop --env production --merge").ok();
    let told = fleet.ok("rollback shop --env production --merge");
    assert!(told.contains("Roll shop back to 1.0.0 in production"), "{told}");
    let release = fleet.file("apps/shop/production.yaml");
    assert!(release.contains("image: registry.example/shop:1.0.0") && release.contains("replicas: 6"), "{release}");
    fleet.assert_sound();
}

#[test]
fn a_rollback_that_the_release_file_cannot_express_is_refused() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure shop --set metrics_path=/metrics --merge");
    let tip = fleet.tip();
    assert_message!(fleet.lab, fleet.refused("rollback shop --env production --merge"), @"
    error[rollback.shared_spec]: the release 1.0.0 of `shop` had another metrics_path in its shared spec, which no environment can have for itself
     |
     = help: `wooo configure shop --unset metrics_path` undoes that in all environments
    ");
    assert_eq!(fleet.tip(), tip);
}
