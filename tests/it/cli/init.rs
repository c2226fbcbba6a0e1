//! `wooo init`.

use std::fs;

use super::{Fleet, Lab, assert_message, snapshot};

#[test]
fn a_new_fleet_is_committed_and_checked_out() {
    let fleet = Fleet::new();
    assert_eq!(fleet.git("status --porcelain"), "");
    assert_eq!(fleet.commits(), 1);
    assert_message!(fleet.lab, fleet.git("ls-tree -r --name-only main"), @"
    README.md
    delivery/production.yaml
    delivery/staging.yaml
    fleet.yaml
    ");
    assert_message!(fleet.lab, fleet.git("log --format=%an%n%B"), @"
    wooo
    Start a fleet

    Wooo-Action: init
    Wooo-Actor: local:tester
    ");
    fleet.assert_sound();
}

#[test]
fn what_to_do_next_is_said() {
    let lab = Lab::new();
    assert_message!(lab, lab.run("init fleet").ok(), @"
    Made a fleet in fleet, branch main
    Next:
      1. say in fleet/fleet.yaml which clusters there are, and push the repository
      2. apply delivery/staging.yaml and delivery/production.yaml, each to its own cluster, once
      3. wooo onboard wooo.yaml --env staging --fleet fleet
    ");
}

#[test]
fn a_second_time_changes_nothing() {
    let fleet = Fleet::with_apps();
    let before = (snapshot(&fleet.dir), fleet.tip());
    assert_message!(fleet.lab, fleet.lab.run("init fleet --delivery argocd").ok(), @"fleet is a fleet already; nothing was changed");
    assert_eq!((snapshot(&fleet.dir), fleet.tip()), before);
}

#[test]
fn a_run_that_was_cut_short_is_completed() {
    let lab = Lab::new();
    // What is left by a process that dies right after it made the repository.
    fs::create_dir(lab.path("fleet")).unwrap();
    let output = super::git(&lab.path("fleet"), ["init", "--quiet", "-b", "main"]).output().unwrap();
    assert!(output.status.success());
    lab.run("init fleet").ok();
    lab.run("verify --fleet fleet").ok();
    assert!(lab.path("fleet/fleet.yaml").is_file());
}

#[test]
fn a_bare_one_holds_the_same() {
    let (bare, with_tree) = (Fleet::bare(), Fleet::new());
    assert!(bare.dir.join("HEAD").is_file() && !bare.dir.join(".git").exists());
    assert_eq!(bare.tree(), with_tree.tree());
    bare.fill();
    with_tree.fill();
    assert_eq!(bare.tree(), with_tree.tree());
    bare.assert_sound();
}

#[test]
fn branch_controller_and_provider_can_be_chosen() {
    let lab = Lab::new();
    lab.run("init fleet --branch live --delivery argocd --provider eks --url https://git.example.com/a/b.git").ok();
    let settings = fs::read_to_string(lab.path("fleet/fleet.yaml")).unwrap();
    for line in ["branch: \"live\"", "delivery: argocd", "provider: eks", "url: \"https://git.example.com/a/b.git\""] {
        assert!(settings.contains(line), "{settings}");
    }
    let pointer = fs::read_to_string(lab.path("fleet/delivery/production.yaml")).unwrap();
    assert!(pointer.contains("kind: Application") && pointer.contains("targetRevision: live"), "{pointer}");
    lab.write("wooo.yaml", super::SHOP);
    lab.run("onboard wooo.yaml --env staging --fleet fleet --merge").ok();
    lab.run("verify --fleet fleet").ok();
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let lab = Lab::new();
    lab.write("fleet/notes.txt", "mine");
    assert_message!(lab, lab.run("init fleet").refused(), @"
    error[init.occupied]: fleet is not empty and not a Git repository
     |
     = help: choose an empty folder, or `git init` this one first
    ");
    assert_eq!(snapshot(&lab.path("fleet")).len(), 1);
    let output = super::git(&lab.path("fleet"), ["init", "--quiet", "-b", "main"]).output().unwrap();
    assert!(output.status.success());
    for words in [&["add", "."][..], &["commit", "--quiet", "-m", "mine"]] {
        assert!(super::git(&lab.path("fleet"), words.iter().copied()).status().unwrap().success());
    }
    assert_message!(lab, lab.run("init fleet").refused(), @"
    error[init.not_a_fleet]: fleet has commits and no fleet.yaml
     |
     = help: choose an empty folder
    ");
}
