//! A change without `--merge`: one branch, one commit, nothing else.

use super::{Fleet, assert_message, snapshot};

const DEPLOY: &str = "deploy shop registry.example/shop:1.1.0 --env staging";

#[test]
fn every_verb_makes_one_branch_with_one_commit() {
    for (verb, words) in [
        ("onboard", "onboard blog/wooo.yaml --env production"),
        ("deploy", DEPLOY),
        ("configure", "configure shop --env staging --set env.DEBUG=1"),
        ("configure", "configure shop --set env.DEBUG=1"),
        ("restart", "restart shop --env staging"),
        ("scale", "scale shop 5 --env staging"),
        ("resize", "resize shop --env staging --memory 1536Mi"),
        ("promote", "promote blog --env production"),
        ("hold", "hold shop --env staging --reason 'sale'"),
        ("offboard", "offboard shop --env staging"),
        ("offboard", "offboard shop"),
    ] {
        let fleet = Fleet::with_apps();
        let before = (fleet.tip(), snapshot(&fleet.dir).into_iter().filter(is_outside_git).collect::<Vec<_>>());
        let told = fleet.ok(words);
        let branch = fleet.branch();
        assert!(told.contains(&format!("on branch {branch}")), "{told}");
        let (app, rest) = branch.strip_prefix("wooo/").unwrap().split_once('/').unwrap();
        let (environment, kind) = rest.split_once('/').unwrap();
        assert!(words.contains(app), "{branch}");
        assert_eq!(environment, words.split("--env ").nth(1).map_or("all", |rest| rest.split(' ').next().unwrap()));
        let hash = kind.strip_prefix(&format!("{verb}-")).unwrap();
        assert!(hash.len() == 8 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{branch}");
        assert_eq!(fleet.git(&format!("rev-list main..{branch} --count")), "1", "{words}");
        assert_eq!(fleet.git(&format!("rev-parse {branch}^")), before.0, "{words}");
        let trailers = fleet.git(&format!("log -1 --format=%(trailers:unfold) {branch}"));
        for key in ["App", "Env", "Action", "Actor", "Change-Id"] {
            assert!(trailers.contains(&format!("Wooo-{key}: ")), "{words}: {trailers}");
        }
        assert!(trailers.contains(&format!("Wooo-Action: {verb}\n")), "{trailers}");
        let after = (fleet.tip(), snapshot(&fleet.dir).into_iter().filter(is_outside_git).collect::<Vec<_>>());
        assert_eq!(after, before, "{words}");
        assert_eq!(fleet.git("status --porcelain"), "");
        fleet.ok(&format!("verify --branch {branch}"));

        // Once more: nothing new, whatever the time.
        let commit = fleet.git(&format!("rev-parse {branch}"));
        fleet.ok(words);
        assert_eq!((fleet.branch(), fleet.git(&format!("rev-parse {branch}"))), (branch.clone(), commit), "{words}");
        fleet.assert_sound();

        // And merged, it is the branch's commit that the base is moved to.
        fleet.ok(&format!("{words} --merge"));
        assert_eq!((fleet.branches().len(), fleet.commits()), (0, 5), "{words}");
        assert_eq!(fleet.git("status --porcelain"), "", "{words}");
        fleet.assert_sound();
    }
}

fn is_outside_git((path, _): &(String, Vec<u8>)) -> bool {
    !path.starts_with(".git/")
}

#[test]
fn a_proposal_says_what_it_does_and_what_comes_next() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.ok(&format!("{DEPLOY} --reason 'fixes the basket'")), @"
    Deploy shop 1.1.0 to staging
    staging:
      medium Deployment shop: image registry.example/shop:1.0.0 -> registry.example/shop:1.1.0
    commit [commit] on branch wooo/shop/staging/deploy-[hash]
    next: review it with `wooo diff wooo/shop/staging/deploy-[hash] --fleet [lab]/fleet --raw`, then push the branch and open a merge request,
          or run the same command with --merge
    ");
    let branch = fleet.branch();
    assert_message!(fleet.lab, fleet.git(&format!("log -1 --format=%an,%ae,%ad%n%B {branch}")), @"
    wooo,wooo@localhost,Sun Jun 15 15:06:40 2025 +0000
    Deploy shop 1.1.0 to staging

    fixes the basket

    staging:
    - Deployment shop: image registry.example/shop:1.0.0 -> registry.example/shop:1.1.0

    Wooo-App: shop
    Wooo-Env: staging
    Wooo-Action: deploy
    Wooo-Actor: local:tester
    Wooo-Change-Id: [change-id]
    Wooo-Render-Digest: d1bb125f7d911cea0a381cdb1d6db34f183f3aeec4b7c106d72e45d358d67615
    ");
    assert_message!(fleet.lab, fleet.ok(&format!("diff {branch} --raw")), @r#"
    shop in staging
      medium Deployment shop: image registry.example/shop:1.0.0 -> registry.example/shop:1.1.0
    --- a/rendered/staging/shop
    +++ b/rendered/staging/shop
    @@ -134,7 +134,7 @@
         app.kubernetes.io/managed-by: wooo
         app.kubernetes.io/name: shop
         app.kubernetes.io/part-of: shop
    -    app.kubernetes.io/version: "1.0.0"
    +    app.kubernetes.io/version: "1.1.0"
       annotations:
         wooo.work/framework: flask
         wooo.work/plan: standard
    @@ -159,7 +159,7 @@
             app.kubernetes.io/managed-by: wooo
             app.kubernetes.io/name: shop
             app.kubernetes.io/part-of: shop
    -        app.kubernetes.io/version: "1.0.0"
    +        app.kubernetes.io/version: "1.1.0"
           annotations:
             wooo.work/config-hash: 6a5e975f374b71ec
         spec:
    @@ -195,7 +195,7 @@
                 app.kubernetes.io/name: shop
           containers:
           - name: shop
    -        image: registry.example/shop:1.0.0
    +        image: registry.example/shop:1.1.0
             imagePullPolicy: IfNotPresent
             ports:
             - name: http
    "#);
}

#[test]
fn the_same_wish_later_keeps_its_branch_and_identity() {
    let fleet = Fleet::with_apps();
    fleet.ok(DEPLOY);
    let (branch, commit) = (fleet.branch(), fleet.git("log -1 --format=%H --branches=wooo/*"));
    fleet.run_later(3600, DEPLOY).ok();
    assert_eq!((fleet.branch(), fleet.git("log -1 --format=%H --branches=wooo/*")), (branch.clone(), commit));
    // The base moves on: the change is made anew on top of it, and is still the same change.
    let id = |fleet: &Fleet| fleet.git(&format!("log -1 --format=%(trailers:key=Wooo-Change-Id) {branch}"));
    let before = id(&fleet);
    fleet.ok("scale blog 3 --env staging --merge");
    fleet.run_later(7200, DEPLOY).ok();
    assert_eq!(fleet.git(&format!("rev-parse {branch}^")), fleet.tip());
    assert_eq!(id(&fleet), before);
}

#[test]
fn another_wish_of_the_same_kind_replaces_the_first() {
    let fleet = Fleet::with_apps();
    fleet.ok(DEPLOY);
    let first = fleet.branch();
    fleet.ok("deploy shop registry.example/shop:1.2.0 --env staging");
    let second = fleet.branch();
    assert_ne!(first, second);
    assert!(fleet.git(&format!("show {second}:apps/shop/staging.yaml")).contains("shop:1.2.0"));
    // Another kind, another app and another environment have branches of their own.
    fleet.ok("scale shop 4 --env staging");
    fleet.ok("deploy shop registry.example/shop:1.2.0 --env production");
    fleet.ok("deploy blog registry.example/blog:8 --env staging");
    assert_eq!(fleet.branches().len(), 4);
}

#[test]
fn a_persons_commit_on_the_branch_means_hands_off() {
    let fleet = Fleet::with_apps();
    fleet.ok(DEPLOY);
    let branch = fleet.branch();
    fleet.git(&format!("checkout --quiet {branch}"));
    fleet.put("apps/shop/staging.yaml", "image: registry.example/shop:1.1.0\nreplicas: 9\n");
    fleet.commit("More of them");
    fleet.git("checkout --quiet main");
    let theirs = fleet.git(&format!("rev-parse {branch}"));
    let merging = format!("{DEPLOY} --merge");
    for words in [DEPLOY, &merging, "deploy shop registry.example/shop:1.2.0 --env staging --merge"] {
        let told = fleet.refused(words);
        assert!(told.contains("change.hands_off"), "{told}");
        assert_eq!(fleet.git(&format!("rev-parse {branch}")), theirs);
    }
    assert_message!(fleet.lab, fleet.refused(DEPLOY), @"
    error[change.hands_off]: the branch `wooo/shop/staging/deploy-[hash]` holds commit [commit] that wooo did not make
     |
     = help: merge it or delete it: `git branch -D wooo/shop/staging/deploy-[hash]`
    ");
    assert_eq!(fleet.commits(), 4);
}

#[test]
fn a_person_who_amends_wooos_commit_is_respected_too() {
    let fleet = Fleet::with_apps();
    fleet.ok(DEPLOY);
    let branch = fleet.branch();
    fleet.git(&format!("checkout --quiet {branch}"));
    fleet.put("apps/shop/staging.yaml", "image: registry.example/shop:1.1.0\nreplicas: 9\n");
    fleet.git("add --all");
    fleet.git("commit --quiet --amend --no-edit");
    fleet.git("checkout --quiet main");
    let theirs = fleet.git(&format!("rev-parse {branch}"));
    let told = fleet.refused(&format!("{DEPLOY} --merge"));
    assert!(told.contains("change.hands_off"), "{told}");
    assert_eq!(fleet.git(&format!("rev-parse {branch}")), theirs);
}

#[test]
fn a_branch_that_was_merged_elsewhere_is_cleared_away() {
    let fleet = Fleet::with_apps();
    fleet.ok(DEPLOY);
    let branch = fleet.branch();
    fleet.git(&format!("merge --quiet --no-ff -m Merge {branch}"));
    let told = fleet.ok(DEPLOY);
    assert!(told.contains("nothing to change"), "{told}");
    assert_eq!(fleet.branches(), [""; 0]);
    fleet.ok("deploy shop registry.example/shop:1.2.0 --env staging");
    assert_eq!(fleet.branches().len(), 1);
}
