//! How the program comes onto the machine: a release with its checksum, or a build.

use std::path::Path;
use std::process::Command;

use super::runner::{Job, root, with_program};

/// A program that takes what it is asked for from a folder, and writes down what that was. The last two words of curl are
/// `--` and the URL.
const CURL: &str = "#!/usr/bin/env bash\nset -eu\nurl=${*: -1}\nwhile [ \"$1\" != --output ]; do shift; done\n\
                    printf '%s\\n' \"$url\" >>\"$ASKED\"\ncp \"$RELEASE/${url##*/}\" \"$2\"\n";

/// What stands in for cargo: it builds a program that says which words it was built with.
const CARGO: &str = "#!/usr/bin/env bash\nset -eu\nprintf '%s\\n' \"$*\" >\"$ASKED\"\nmkdir -p \"${*: -1}/bin\"\n\
                     printf '#!/bin/sh\\necho built\\n' >\"${*: -1}/bin/wooo\"\nchmod +x \"${*: -1}/bin/wooo\"\n";

/// The program of a release, which leaves no report.
const RELEASED: &str = "#!/bin/sh\necho released \"$1\"\n";

fn machine() -> &'static str {
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" }
}

/// A release in a folder. Returns the archive's checksum.
fn release(folder: &Path) -> String {
    let archive = format!("wooo-1.2.3-{}.tar.gz", machine());
    with_program(folder, "wooo", RELEASED);
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("tar", &["-czf", &archive, "wooo"]);
    let sums = run("sha256sum", &[&archive]);
    std::fs::write(folder.join("SHA256SUMS"), format!("{}  another.tar.gz\n{sums}", "0".repeat(64))).unwrap();
    sums.split_whitespace().next().unwrap().to_owned()
}

fn job() -> (Job, String) {
    let job = Job::new();
    let folder = job.path("release");
    std::fs::create_dir(&folder).unwrap();
    let sum = release(&folder);
    with_program(&job.programs(), "curl", CURL);
    with_program(&job.programs(), "cargo", CARGO);
    let (asked, folder) = (job.path("asked").display().to_string(), folder.display().to_string());
    let job = job.variable("ASKED", &asked).variable("RELEASE", &folder);
    (job.with("server", "https://wooo.example.com").with("mode", "status").with("name", "shop"), sum)
}

fn asked(job: &Job) -> String {
    std::fs::read_to_string(job.path("asked")).unwrap_or_default()
}

#[test]
fn a_release_is_used_if_it_is_what_its_checksum_says() {
    let (job, sum) = job();
    let mut job = job.with("version", "v1.2.3").with("checksum", &sum);
    let ended = job.run();
    assert!(ended.code == 0 && ended.log.contains("released --color=never"), "{}", ended.log);
    let url = "https://github.example/platform/wooo/releases/download/v1.2.3";
    assert_eq!(asked(&job), format!("{url}/wooo-1.2.3-{}.tar.gz\n", machine()));
    let (job, _) = self::job();
    let mut job = job.with("version", "1.2.3").with("releases", "https://mirror.example/wooo");
    assert!(job.run().log.contains("released --color=never"));
    assert!(asked(&job).ends_with("https://mirror.example/wooo/v1.2.3/SHA256SUMS\n"), "{}", asked(&job));
}

#[test]
fn what_is_not_what_its_checksum_says_is_never_run() {
    for change in ["the input", "the list", "the archive", "nothing in the list"] {
        let (mut job, _) = job();
        let (folder, mut checksum) = (job.path("release"), String::new());
        match change {
            "the input" => checksum = "0".repeat(64),
            "the list" => std::fs::write(
                folder.join("SHA256SUMS"),
                format!("{}  wooo-1.2.3-{}.tar.gz\n", "0".repeat(64), machine()),
            )
            .unwrap(),
            "nothing in the list" => std::fs::write(folder.join("SHA256SUMS"), "").unwrap(),
            _ => std::fs::write(folder.join(format!("wooo-1.2.3-{}.tar.gz", machine())), "other").unwrap(),
        }
        job = job.with("version", "1.2.3").with("checksum", &checksum);
        let ended = job.run();
        assert_eq!(ended.code, 2, "{change}: {}", ended.log);
        assert!(ended.log.contains("has the checksum") && !ended.log.contains("released"), "{change}: {}", ended.log);
    }
}

#[test]
fn a_version_is_a_version() {
    for bad in ["1.2.3/../../evil", "latest", "1.2", "1.2.3 --insecure", "v", "../1.2.3"] {
        let (job, _) = job();
        let mut job = job.with("version", bad);
        let ended = job.run();
        assert!(ended.code == 2 && ended.log.contains("version is not one"), "{bad}: {}", ended.log);
        assert_eq!(asked(&job), "", "{bad}");
    }
}

#[test]
fn a_build_is_made_from_the_source_that_the_action_is_in() {
    let (job, _) = job();
    let mut job = job.with("build", "true");
    let ended = job.run();
    assert!(ended.code == 0 && ended.log.contains("built"), "{}", ended.log);
    let root = root().display().to_string();
    let expected = format!("install --locked --quiet --path {root} --root ");
    assert!(asked(&job).starts_with(&expected), "{}", asked(&job));
}
