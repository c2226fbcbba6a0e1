//! `--merge` and `--dry-run`.

use std::fs;

use super::{Fleet, assert_message, snapshot};

const VERBS: [&str; 12] = [
    "onboard blog/wooo.yaml --env production",
    "deploy shop registry.example/shop:1.1.0 --env staging",
    "configure shop --env staging --set env.DEBUG=1",
    "configure shop --set env.DEBUG=1",
    "restart shop --env staging",
    "scale shop 5 --env staging",
    "resize shop --env staging --plan advanced",
    "resize shop --env staging --memory 1536Mi --cpu 750m",
    "promote blog --env production",
    "hold shop --env staging --reason 'sale'",
    "offboard shop --env staging",
    "offboard shop",
];

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let fleet = Fleet::with_apps();
    fleet.ok("deploy shop registry.example/shop:1.0.1 --env production --merge");
    let before = snapshot(&fleet.dir);
    for words in VERBS.iter().copied().chain(["rollback shop --env production", "rerender"]) {
        let told = fleet.ok(&format!("{words} --dry-run"));
        assert!(words == "rerender" || told.contains("dry run: nothing was written"), "{words}: {told}");
        assert!(snapshot(&fleet.dir) == before, "{words} wrote something");
    }
    assert_message!(fleet.lab, fleet.ok("scale shop 5 --env staging --dry-run"), @"
    Scale shop to 5 in staging
    staging:
      low    ResourceQuota shop: quota pods 4 -> 7
      low    ResourceQuota shop: quota requests.memory 2Gi -> 3584Mi
      low    ResourceQuota shop: quota requests.cpu 2 -> 3500m
      low    ResourceQuota shop: quota limits.memory 4Gi -> 7Gi
      low    ResourceQuota shop: quota limits.cpu 4 -> 7
      low    Deployment shop: replicas 2 -> 5
    dry run: nothing was written; it would be one commit on wooo/shop/staging/scale-[hash]
    ");
    assert_message!(fleet.lab, fleet.ok("scale shop 2 --env staging --dry-run"), @"
    Scale shop in staging
    nothing to change: the fleet says so already
    ");
}

#[test]
fn a_merge_moves_the_base_by_one_commit_and_the_work_tree_with_it() {
    for bare in [false, true] {
        let fleet = if bare { Fleet::bare() } else { Fleet::new() };
        fleet.fill();
        for words in VERBS {
            if words.starts_with("promote blog") {
                fleet.ok("offboard blog --env production --merge");
            }
            if words.starts_with("offboard shop") && words.contains("env") {
                fleet.ok("unhold shop --env staging --merge");
            }
            let (tip, commits) = (fleet.tip(), fleet.commits());
            let told = fleet.ok(&format!("{words} --merge"));
            assert!(told.contains("merged into main as "), "{words}: {told}");
            assert_eq!((fleet.git("rev-parse main^"), fleet.commits()), (tip, commits + 1), "{words}");
            assert_eq!(fleet.branches(), [""; 0], "{words}");
            if !bare {
                assert_eq!(fleet.git("status --porcelain"), "", "{words}");
            }
        }
        fleet.assert_sound();
    }
}

#[test]
fn what_is_there_already_makes_no_commit() {
    let fleet = Fleet::with_apps();
    fleet.ok("resize shop --env staging --plan advanced --merge");
    let tip = fleet.tip();
    for words in [
        "deploy shop registry.example/shop:1.0.0 --env staging",
        "scale shop 2 --env staging",
        "configure shop --set env.TZ=Asia/Taipei",
        "configure shop --env staging --set plan=advanced",
        "resize shop --env staging --plan advanced",
        "promote shop --env production",
        "unhold shop --env staging",
    ] {
        for options in ["", " --merge", " --dry-run"] {
            let told = fleet.ok(&format!("{words}{options}"));
            assert!(told.contains("nothing to change: the fleet says so already"), "{words}: {told}");
        }
    }
    assert_eq!((fleet.tip(), fleet.branches().len()), (tip, 0));
}

#[test]
fn a_persons_local_edits_are_never_lost() {
    let fleet = Fleet::with_apps();
    fleet.put("apps/blog/app.yaml", "name: blog\n# half an edit\n");
    fleet.put("notes.txt", "mine");
    fleet.put("staged.txt", "mine");
    fleet.git("add staged.txt");
    let status = fleet.git("status --porcelain");
    fleet.ok("scale shop 5 --env staging --merge");
    assert_eq!(fleet.git("status --porcelain"), status);
    assert_eq!(fs::read_to_string(fleet.dir.join("apps/blog/app.yaml")).unwrap(), "name: blog\n# half an edit\n");

    // In the way of the change itself they stop it.
    fleet.put("apps/shop/staging.yaml", "image: registry.example/shop:mine\n");
    let tip = fleet.tip();
    assert_message!(fleet.lab, fleet.refused("scale shop 6 --env staging --merge"), @"error[git.local_changes]: local changes would be overwritten in apps/shop/staging.yaml; commit or stash them first");
    assert_eq!(fleet.tip(), tip);
    let mine = fs::read_to_string(fleet.dir.join("apps/shop/staging.yaml")).unwrap();
    assert_eq!(mine, "image: registry.example/shop:mine\n");
    // A proposal does not touch the work tree, and goes through.
    fleet.ok("scale shop 6 --env staging");
}

#[test]
fn another_branch_that_is_checked_out_is_the_one_that_is_synced() {
    let fleet = Fleet::with_apps();
    fleet.git("checkout --quiet --detach");
    assert_message!(fleet.lab, fleet.refused("scale shop 6 --env staging --merge"), @"
    error[git.no_branch]: `HEAD` of [lab]/fleet is not a branch
     |
     = help: check out the branch that the controllers sync
    ");
}
