//! `wooo verify`, `validate`, `diff`, `audit` and `status`.

use std::fs;

use super::{Fleet, assert_message};

/// What `verify` finds after a person's commit.
fn verified(change: impl FnOnce(&Fleet)) -> String {
    let fleet = Fleet::with_apps();
    change(&fleet);
    fleet.commit("By hand");
    let ended = fleet.run("verify");
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    // The commit is a person's, with a time of its own.
    ended.stdout.split_once('\n').unwrap().1.to_owned()
}

fn edit(fleet: &Fleet, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(fleet.dir.join(path)).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(fleet.dir.join(path), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn one_changed_byte_is_found() {
    insta::assert_snapshot!(verified(|fleet| edit(fleet, "rendered/production/shop/deployment-shop.yaml", "shop:1.0.0", "shop:1.0.1")), @"
      changed    rendered/production/shop/deployment-shop.yaml
    `wooo rerender` writes what the specs say
    ");
    insta::assert_snapshot!(verified(|fleet| edit(fleet, "delivery/staging/blog.yaml", "prune: true", "prune: false")), @"
      changed    delivery/staging/blog.yaml
    `wooo rerender` writes what the specs say
    ");
    insta::assert_snapshot!(verified(|fleet| edit(fleet, "rendered/staging/shop/.wooo.json", "\"host\"", "\"hosT\"")), @"
      changed    rendered/staging/shop/.wooo.json
    `wooo rerender` writes what the specs say
    ");
    insta::assert_snapshot!(verified(|fleet| edit(fleet, "rendered/staging/shop/kustomization.yaml", "\n", "\n\n")), @"
      changed    rendered/staging/shop/kustomization.yaml
    `wooo rerender` writes what the specs say
    ");
}

#[test]
fn a_deleted_file_is_found() {
    insta::assert_snapshot!(verified(|fleet| fs::remove_file(fleet.dir.join("rendered/staging/shop/service-shop.yaml")).unwrap()), @"
      missing    rendered/staging/shop/service-shop.yaml
    `wooo rerender` writes what the specs say
    ");
    insta::assert_snapshot!(verified(|fleet| fs::remove_file(fleet.dir.join("delivery/production/shop.yaml")).unwrap()), @"
      missing    delivery/production/shop.yaml
    `wooo rerender` writes what the specs say
    ");
}

#[test]
fn an_extra_file_is_found() {
    insta::assert_snapshot!(verified(|fleet| fleet.put("rendered/staging/shop/extra.yaml", "kind: Secret\n")), @"
      unexpected rendered/staging/shop/extra.yaml
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
    insta::assert_snapshot!(verified(|fleet| fleet.put("rendered/staging/ghost/deployment.yaml", "kind: Deployment\n")), @"
      unexpected rendered/staging/ghost/deployment.yaml
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
    insta::assert_snapshot!(verified(|fleet| fleet.put("rendered/qa/shop/deployment.yaml", "kind: Deployment\n")), @"
      unexpected rendered/qa/shop/deployment.yaml
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
    insta::assert_snapshot!(verified(|fleet| fleet.put("delivery/staging/ghost.yaml", "kind: Kustomization\n")), @"
      unexpected delivery/staging/ghost.yaml
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
    insta::assert_snapshot!(verified(|fleet| fleet.put("delivery/loose.yaml", "kind: Kustomization\n")), @"
      unexpected delivery/loose.yaml
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
}

#[test]
fn a_changed_host_claim_is_found() {
    insta::assert_snapshot!(verified(|fleet| {
        let claim = fleet.git("ls-files rendered/.hosts/*/shop.example.com");
        edit(fleet, &claim, "shop\n", "blog\n");
    }), @"
      changed    rendered/.hosts/95/shop.example.com
    `wooo rerender` writes what the specs say
    ");
    insta::assert_snapshot!(verified(|fleet| fleet.put("rendered/.hosts/00/evil.example.com", "shop\nproduction\n")), @"
      unexpected rendered/.hosts/00/evil.example.com
    nothing renders the unexpected files: remove them, or the controllers may apply them
    ");
}

#[test]
fn a_spec_that_was_edited_by_hand_shows_until_it_is_rendered() {
    let fleet = Fleet::with_apps();
    edit(&fleet, "apps/shop/app.yaml", "replicas: 2", "replicas: 3");
    fleet.commit("By hand");
    assert_eq!(fleet.run("verify").code, Some(1));
    fleet.ok("rerender --merge");
    fleet.assert_sound();
    assert_eq!(fleet.git("status --porcelain"), "");
}

#[test]
fn what_was_changed_by_hand_is_put_right_by_a_rerender() {
    let fleet = Fleet::with_apps();
    edit(&fleet, "rendered/production/shop/deployment-shop.yaml", "shop:1.0.0", "shop:6.6.6");
    edit(&fleet, "delivery/staging/blog.yaml", "prune: true", "prune: false");
    fs::remove_file(fleet.dir.join("rendered/staging/shop/service-shop.yaml")).unwrap();
    fs::remove_file(fleet.dir.join("delivery/production/shop.yaml")).unwrap();
    fleet.commit("By hand");
    assert_eq!(fleet.run("verify").code, Some(1));
    fleet.ok("rerender --merge");
    fleet.assert_sound();
}

#[test]
fn a_release_that_was_deleted_by_hand_goes_and_its_host_stays_with_the_other_environment() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure shop --env staging --set domain=one.example.com --merge");
    fleet.ok("configure shop --env production --set domain=one.example.com --merge");
    fs::remove_file(fleet.dir.join("apps/shop/staging.yaml")).unwrap();
    fleet.commit("By hand");
    fleet.ok("rerender --merge");
    assert!(!fleet.dir.join("rendered/staging/shop").exists());
    assert!(fleet.dir.join("rendered/production/shop/deployment-shop.yaml").exists());
    fleet.assert_sound();
}

#[test]
fn a_held_app_is_left_alone_by_a_rerender_and_audit_tells_who_rerendered() {
    let fleet = Fleet::with_apps();
    fleet.ok("hold shop --env production --reason sale --merge");
    fleet.put(
        "overlays/environments/production/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {team: platform}\n",
    );
    fleet.put(
        "overlays/environments/staging/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {team: platform}\n",
    );
    fleet.commit("Annotate");
    let said = fleet.ok("rerender --merge --actor local:platform");
    assert!(said.contains("left alone, because they are held: shop in production"), "{said}");
    let read = |path: &str| fs::read_to_string(fleet.dir.join(path)).unwrap();
    assert!(read("rendered/staging/shop/deployment-shop.yaml").contains("team: platform"));
    assert!(!read("rendered/production/shop/deployment-shop.yaml").contains("team: platform"));
    let acts = fleet.ok("audit shop");
    assert!(acts.contains("rerender") && acts.contains("local:platform"), "{acts}");
    let acts = fleet.ok("audit blog");
    assert!(acts.contains("rerender"), "{acts}");
}

#[test]
fn an_app_that_cannot_be_rendered_is_a_problem_and_no_drift() {
    let fleet = Fleet::with_apps();
    edit(&fleet, "apps/shop/app.yaml", "framework: flask\n", "framework: flask\nplan: huge\n");
    fleet.commit("By hand");
    let ended = fleet.run("verify");
    assert_eq!(ended.code, Some(1));
    assert_message!(fleet.lab, ended.stderr, @"
    error[spec.plan]: `shop` asks for plan `huge`, which does not exist
     |
     = help: the plans are basic, standard, advanced, professional

    error[spec.plan]: `shop` asks for plan `huge`, which does not exist
     |
     = help: the plans are basic, standard, advanced, professional
    ");
}

#[test]
fn validate_tells_every_problem_at_once() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.lab.run("validate fleet").ok(), @"
    2 apps, 3 renderings: no problems
    24 alerts checked by promtool
    ");
    edit(&fleet, "apps/shop/app.yaml", "replicas: 2", "replcias: 2");
    fleet.put("apps/Bad_Name/app.yaml", "name: x\n");
    fleet.put(
        "apps/twin/app.yaml",
        "name: twin\nframework: go\nimage: registry.example/twin:1\ndomain: blog.example.com\n",
    );
    fleet.put("apps/twin/production.yaml", "");
    fleet.put("apps/blog/production.yaml", "replicas: many\n");
    fleet.put("apps/blog/qa.yaml", "replicas: 1\n");
    // The work tree is looked at, so that it helps before the commit.
    let ended = fleet.lab.run("validate fleet");
    assert_eq!(ended.code, Some(1));
    assert_message!(fleet.lab, ended.stdout + &ended.stderr, @"
    3 apps, 1 rendering: 3 problems
    8 alerts checked by promtool
    error[fleet.stray]: the folder `apps/Bad_Name` is no app's

    error[fleet.unknown_environment]: `apps/blog/qa.yaml` is the release of an environment that fleet.yaml does not have

    error[spec.unknown_field]: unknown field `replcias`
     --> apps/shop/app.yaml:6:1
      |
    6 | replcias: 2
      | ^^^^^^^^
      |
      = help: did you mean `replicas`?
    ");
}

#[test]
fn audit_tells_who_did_what() {
    let fleet = Fleet::with_apps();
    fleet.run_later(60, "scale shop 4 --env staging --actor github:alice --merge").ok();
    fleet.put("apps/shop/app.yaml", &super::SHOP.replace("replicas: 2", "replicas: 3"));
    fleet.git("add --all");
    let output = super::git(&fleet.dir, ["commit", "--quiet", "-m", "By hand"])
        .env("GIT_COMMITTER_DATE", "1750000120 +0000")
        .output()
        .unwrap();
    assert!(output.status.success());
    fn plain(text: &str) -> String {
        let rows = text.lines().map(|line| {
            let mut cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
            if cells.len() > 3 && cells[1] != "COMMIT" {
                cells[1] = "[commit]";
            }
            cells.join(" | ")
        });
        rows.collect::<Vec<_>>().join("\n")
    }
    insta::assert_snapshot!(plain(&fleet.ok("audit")), @"
    WHEN | COMMIT | WHO | WHAT | CHANGE
    2025-06-15T15:08:40Z | [commit] | Test | edit | By hand
    2025-06-15T15:07:40Z | [commit] | github:alice | scale | Scale shop to 4 in staging
    2025-06-15T15:06:40Z | [commit] | local:tester | onboard | Onboard shop to production
    2025-06-15T15:06:40Z | [commit] | local:tester | onboard | Onboard blog to staging
    2025-06-15T15:06:40Z | [commit] | local:tester | onboard | Onboard shop to staging
    2025-06-15T15:06:40Z | [commit] | local:tester | init | Start a fleet
    ");
    insta::assert_snapshot!(plain(&fleet.ok("audit shop --limit 2")), @"
    WHEN | COMMIT | WHO | WHAT | CHANGE
    2025-06-15T15:08:40Z | [commit] | Test | edit | By hand
    2025-06-15T15:07:40Z | [commit] | github:alice | scale | Scale shop to 4 in staging
    ");
    insta::assert_snapshot!(plain(&fleet.ok("audit blog")), @"
    WHEN | COMMIT | WHO | WHAT | CHANGE
    2025-06-15T15:06:40Z | [commit] | local:tester | onboard | Onboard blog to staging
    ");
}

#[test]
fn diff_tells_what_a_branch_changes() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure shop --set env.DEBUG=1 --set port=9000");
    let branch = fleet.branch();
    assert_message!(fleet.lab, fleet.ok(&format!("diff {branch}")), @r#"
    shop in production
      high   NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 9000, TCP 8089 opened
      medium NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 8000, TCP 8089 closed
      medium ConfigMap shop-config: variable GUNICORN_CMD_ARGS "--bind=0.0.0.0:8000 --workers=3 --worker-tmp-dir=/tmp" -> "--bind=0.0.0.0:9000 --workers=3 --worker-tmp-dir=/tmp"
      medium ConfigMap shop-config: variable PORT 8000 -> 9000
      medium ConfigMap shop-config: variable DEBUG set to 1
      medium Deployment shop: spec.template.spec.containers[shop].ports[http].containerPort 8000 -> 9000
      low    Deployment shop: pods restart, their variables changed
    shop in staging
      high   NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 9000, TCP 8089 opened
      medium NetworkPolicy shop-isolation: ingress from namespaces metadata.name=ingress-nginx on TCP 8000, TCP 8089 closed
      medium ConfigMap shop-config: variable GUNICORN_CMD_ARGS "--bind=0.0.0.0:8000 --workers=3 --worker-tmp-dir=/tmp" -> "--bind=0.0.0.0:9000 --workers=3 --worker-tmp-dir=/tmp"
      medium ConfigMap shop-config: variable PORT 8000 -> 9000
      medium ConfigMap shop-config: variable DEBUG set to 1
      medium Deployment shop: spec.template.spec.containers[shop].ports[http].containerPort 8000 -> 9000
      low    Deployment shop: pods restart, their variables changed
    "#);
    assert_message!(fleet.lab, fleet.ok("diff main"), @"nothing that runs differs");
    assert_message!(fleet.lab, fleet.refused("diff HEAD~1"), @"
    error[git.unknown_revision]: `HEAD~1` is neither a branch nor a full commit id
     |
     = help: `git branch --list 'wooo/*'` lists the open changes
    ");
    assert_message!(fleet.lab, fleet.refused("diff 1234567"), @"
    error[git.unknown_revision]: `1234567` is neither a branch nor a full commit id
     |
     = help: `git branch --list 'wooo/*'` lists the open changes
    ");
    let tip = fleet.tip();
    assert_eq!(fleet.ok(&format!("diff main --against {tip}")), fleet.ok("diff main"));
}

#[test]
fn status_tells_what_runs_where() {
    let fleet = Fleet::with_apps();
    fleet.ok("configure blog --set 'autoscale={min: 2, max: 6}' --merge");
    assert_message!(fleet.lab, fleet.ok("status"), @"
    APP   ENV         IMAGE                        PODS  PLAN      HOST                      HOLD
    blog  staging     registry.example/blog:7.0.0  2-6   standard  blog.staging.example.com  -
    shop  staging     registry.example/shop:1.0.0  2     standard  shop.staging.example.com  -
    shop  production  registry.example/shop:1.0.0  2     standard  shop.example.com          -
    ");
    assert_message!(fleet.lab, fleet.ok("status shop --env production"), @"
    APP   ENV         IMAGE                        PODS  PLAN      HOST              HOLD
    shop  production  registry.example/shop:1.0.0  2     standard  shop.example.com  -
    ");
}
