//! Many processes at once on one fleet.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use super::{Ended, Fleet};

const WRITERS: usize = 20;

fn spawn(fleet: &Fleet, words: &str) -> Child {
    fleet.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn all_succeed(children: Vec<Child>) {
    for child in children {
        Ended::from(child.wait_with_output().unwrap()).ok();
    }
}

#[test]
fn twenty_writers_make_twenty_commits() {
    for bare in [true, false] {
        let fleet = if bare { Fleet::bare() } else { Fleet::new() };
        for index in 0..WRITERS {
            let spec = format!(
                "name: app-{index}\nframework: go\nimage: registry.example/app:1\ndomain: app-{index}.example.com\n"
            );
            fleet.lab.write(&format!("app-{index}/wooo.yaml"), &spec);
        }
        all_succeed(
            (0..WRITERS)
                .map(|index| spawn(&fleet, &format!("onboard app-{index}/wooo.yaml --env staging --merge")))
                .collect(),
        );
        assert_eq!(fleet.commits(), 1 + WRITERS, "bare: {bare}");
        // Then all of them on one and the same app, each with another field.
        all_succeed(
            (0..WRITERS)
                .map(|index| {
                    spawn(&fleet, &format!("configure app-0 --env staging --set env.V{index}={index} --merge"))
                })
                .collect(),
        );
        assert_eq!(fleet.commits(), 1 + 2 * WRITERS, "bare: {bare}");
        let release = fleet.file("apps/app-0/staging.yaml");
        for index in 0..WRITERS {
            assert!(release.contains(&format!("V{index}: ")), "V{index} is lost:\n{release}");
            fleet.git(&format!("cat-file -e main:rendered/staging/app-{index}/deployment-app-{index}.yaml"));
        }
        assert_eq!(fleet.branches(), [""; 0]);
        if !bare {
            assert_eq!(fleet.git("status --porcelain"), "");
        }
        fleet.assert_sound();
    }
}

#[test]
fn twenty_proposals_of_one_wish_are_one() {
    let fleet = Fleet::with_apps();
    all_succeed((0..WRITERS).map(|_| spawn(&fleet, "deploy shop registry.example/shop:2.0.0 --env staging")).collect());
    let branch = fleet.branch();
    assert_eq!(fleet.git(&format!("rev-list --count main..{branch}")), "1");
    all_succeed(
        (0..WRITERS).map(|_| spawn(&fleet, "deploy shop registry.example/shop:2.0.0 --env staging --merge")).collect(),
    );
    assert_eq!((fleet.commits(), fleet.branches().len()), (5, 0));
    fleet.assert_sound();
}

#[test]
fn twenty_wishes_of_one_kind_leave_one_branch() {
    let fleet = Fleet::with_apps();
    all_succeed(
        (0..WRITERS)
            .map(|index| spawn(&fleet, &format!("deploy shop registry.example/shop:2.0.{index} --env staging")))
            .collect(),
    );
    assert_eq!(fleet.branches().len(), 1);
    fleet.assert_sound();
}

#[test]
fn one_host_goes_to_one_app() {
    let fleet = Fleet::new();
    for index in 0..WRITERS {
        let spec =
            format!("name: app-{index}\nframework: go\nimage: registry.example/app:1\ndomain: one.example.com\n");
        fleet.lab.write(&format!("app-{index}/wooo.yaml"), &spec);
    }
    let ended: Vec<Ended> = (0..WRITERS)
        .map(|index| spawn(&fleet, &format!("onboard app-{index}/wooo.yaml --env production --merge")))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().into())
        .collect();
    assert_eq!(ended.iter().filter(|ended| ended.code == Some(0)).count(), 1);
    assert!(ended.iter().filter(|ended| ended.code == Some(1)).all(|ended| ended.stderr.contains("route.taken")));
    assert_eq!(fleet.commits(), 2);
    fleet.assert_sound();
}

#[test]
fn a_lock_that_a_dead_process_left_does_not_stay_in_the_way() {
    let fleet = Fleet::with_apps();
    fleet.ok("deploy shop registry.example/shop:2.0.0 --env staging");
    let branch = fleet.branch();
    for name in ["refs/heads/main".to_owned(), format!("refs/heads/{branch}")] {
        let lock = fleet.dir.join(format!(".git/{name}.lock"));
        fs::write(&lock, "").unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
    }
    fleet.ok("deploy shop registry.example/shop:2.0.0 --env staging --merge");
    assert_eq!((fleet.commits(), fleet.branches().len()), (5, 0));
    fleet.assert_sound();
}

#[test]
fn a_fresh_lock_of_another_program_is_respected() {
    let fleet = Fleet::with_apps();
    let lock = fleet.dir.join(".git/refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let told = fleet.refused("scale shop 3 --env staging --merge");
    assert!(told.contains("git.ref_locked") && told.contains("main.lock"), "{told}");
    assert!(lock.exists());
    // As soon as the other program is done, all goes on.
    fs::remove_file(&lock).unwrap();
    fleet.ok("scale shop 3 --env staging --merge");
    fleet.assert_sound();
}
