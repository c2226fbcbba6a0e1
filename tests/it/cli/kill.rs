//! `kill -9` at any moment: the repository stays sound, and the same command ends where it would have ended.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Ended, Fleet, copy};

/// How many moments of a run are tried for each command.
const MOMENTS: u32 = 20;

fn copied(fleet: &Fleet, name: &str) -> Fleet {
    let other = Fleet { lab: super::Lab::new(), dir: PathBuf::new() };
    for folder in ["shop", "blog"] {
        copy(&fleet.lab.path(folder), &other.lab.path(folder));
    }
    let dir = other.lab.path(name);
    copy(&fleet.dir, &dir);
    Fleet { dir, ..other }
}

/// Runs `words` undisturbed, then again and again with a kill at moments spread evenly over the time that it takes.
fn sweep(start: &Fleet, words: &str) {
    let whole = copied(start, "fleet");
    let began = Instant::now();
    whole.ok(words);
    let takes = began.elapsed();
    let end = whole.tree();
    let proposed = whole.branches();
    let proposed_tree =
        |fleet: &Fleet| fleet.branches().first().map(|branch| fleet.git(&format!("rev-parse {branch}^{{tree}}")));
    let expected = proposed_tree(&whole);
    let mut killed = 0;
    for moment in 0..MOMENTS {
        let fleet = copied(start, "fleet");
        let mut child = fleet.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(takes * moment / (MOMENTS - 4));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());

        let output = super::git(&fleet.dir, ["fsck", "--full", "--strict", "--no-dangling"]).output().unwrap();
        assert!(output.status.success(), "moment {moment} of {words}: {}", String::from_utf8_lossy(&output.stderr));
        age_locks(&fleet);
        let ended = fleet.run(words);
        // A rollback that was merged before the kill is not done a second time, and says so.
        let repeated = words.starts_with("rollback") && ended.stderr.contains("rollback.already");
        if !repeated {
            ended.ok();
        }
        assert_eq!(fleet.tree(), end, "moment {moment} of {words}");
        if !repeated {
            assert_eq!((fleet.branches(), proposed_tree(&fleet)), (proposed.clone(), expected.clone()), "{words}");
        }
        if !fleet.dir.join("HEAD").exists() {
            assert_eq!(fleet.git("status --porcelain"), "", "moment {moment} of {words}");
        }
    }
    assert!(killed > 3, "{words} was killed {killed} times in {takes:?}");
}

/// Makes the locks that a killed process left as old as they would be when somebody comes back to it.
fn age_locks(fleet: &Fleet) {
    let root = if fleet.dir.join("HEAD").exists() { fleet.dir.clone() } else { fleet.dir.join(".git") };
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        // Of a repository that was hardly begun, the folder itself can be missing.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(".lock") {
                let file = fs::File::options().write(true).open(entry.path()).unwrap();
                file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
            }
        }
    }
}

fn start(bare: bool) -> Fleet {
    let fleet = if bare { Fleet::bare() } else { Fleet::new() };
    fleet.ok("onboard shop/wooo.yaml --env production --merge");
    fleet.ok("deploy shop registry.example/shop:1.1.0 --env production --merge");
    fleet
}

#[test]
fn a_deployment_that_was_killed() {
    sweep(&start(true), "deploy shop registry.example/shop:1.2.0 --env production --merge");
    sweep(&start(false), "deploy shop registry.example/shop:1.2.0 --env production --merge");
    sweep(&start(false), "deploy shop registry.example/shop:1.2.0 --env production");
}

#[test]
fn an_onboarding_that_was_killed() {
    sweep(&start(true), "onboard blog/wooo.yaml --env staging");
    sweep(&start(false), "onboard blog/wooo.yaml --env staging --merge");
}

#[test]
fn a_rollback_that_was_killed() {
    sweep(&start(true), "rollback shop --env production");
    sweep(&start(false), "rollback shop --env production --merge");
}

#[test]
fn a_new_fleet_whose_making_was_killed() {
    let whole = Fleet::new();
    let began = Instant::now();
    super::Lab::new().run("init fleet").ok();
    let takes = began.elapsed();
    for moment in 0..MOMENTS {
        let lab = super::Lab::new();
        let mut child = lab.command("init fleet").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(takes * moment / (MOMENTS - 4));
        child.kill().unwrap();
        child.wait().unwrap();
        let fleet = Fleet { dir: lab.path("fleet"), lab };
        if fleet.dir.exists() {
            age_locks(&fleet);
        }
        let ended: Ended = fleet.lab.run("init fleet");
        assert_eq!(ended.code, Some(0), "moment {moment}: {}", ended.stderr);
        assert_eq!((fleet.tree(), fleet.git("status --porcelain")), (whole.tree(), String::new()), "moment {moment}");
        fleet.assert_sound();
    }
}
