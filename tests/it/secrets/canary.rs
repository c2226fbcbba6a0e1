//! A value that was planted is looked for everywhere that anyone could look.

use std::fs;
use std::path::Path;

use super::{Controller, Fleet, said};

const CANARY: &str = "canary-9f1c2e7ab04d";

/// The value as it is, and as it would look in Base64 at each of the three offsets.
fn forms() -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let encoded = (0..3).map(|offset| {
        let text = STANDARD_NO_PAD.encode(format!("{}{CANARY}", "x".repeat(offset)));
        // What stands at the ends depends on the neighbours.
        text.as_bytes()[4..text.len() - 4].to_vec()
    });
    [CANARY.as_bytes().to_vec(), CANARY.to_uppercase().into_bytes()].into_iter().chain(encoded).collect()
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    for form in forms() {
        assert!(!bytes.windows(form.len()).any(|window| window == form), "the value is in {what}");
    }
}

fn assert_folder_clean(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_folder_clean(&path);
        } else {
            assert_clean(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_planted_value_is_nowhere_but_in_the_cluster() {
    let identity = age::x25519::Identity::generate();
    let controller = Controller::new();
    let sops = format!("    secrets: sops\n    sops: {{age: [{}]}}\n", identity.to_public());
    for clusters in ["", sops.as_str()] {
        let fleet = Fleet::new(clusters, &[("keys/staging.pem", &controller.certificate)]);
        let mut heard = Vec::new();
        let mut hear = |what: &str, arguments: &[&str], input: Option<&str>| {
            heard.push((what.to_owned(), said(&fleet.wooo(arguments, input))));
        };
        let set = ["secret", "set", "ledger", "API_KEY", "--env", "staging"];
        hear("a dry run", &[&set[..], &["--dry-run"]].concat(), Some(CANARY));
        hear("a proposal", &set, Some(CANARY));
        hear("its data", &[&set[..], &["--output", "json"]].concat(), Some(CANARY));
        hear("a merge", &[&set[..], &["--merge"]].concat(), Some(CANARY));
        hear("another value", &[&set[..], &["--output", "yaml"]].concat(), Some(&format!("{CANARY}-2")));
        hear("the differences", &["diff", "main", "--raw"], None);
        hear("an unknown app", &["secret", "set", "nobody", "API_KEY", "--env", "staging"], Some(CANARY));
        hear("a name that is taken", &["secret", "set", "ledger", "bad-name", "--env", "staging"], Some(CANARY));
        hear("a cluster without a key", &["secret", "set", "ledger", "API_KEY", "--env", "production"], Some(CANARY));
        hear("a value with a NUL", &set, Some(&format!("{CANARY}\0")));
        hear("a value that is too long", &set, Some(&CANARY.repeat(10_000)));
        hear("a rerendering", &["rerender", "--merge"], None);
        hear("a check", &["validate", "."], None);
        hear("a status", &["status", "--output", "json"], None);
        hear("the history", &["audit", "--output", "json"], None);
        for (what, text) in &heard {
            assert!(!text.is_empty(), "{what} says nothing");
            assert_clean(what, text.as_bytes());
        }
        assert_folder_clean(fleet.folder.path());
        // Objects of the repository are compressed: each is unpacked.
        let ids = fleet.git(&["rev-list", "--all", "--objects", "--no-object-names", "--reflog"]);
        let ids = String::from_utf8(ids).unwrap();
        assert!(ids.lines().count() > 40, "{ids}");
        for id in ids.lines() {
            let kind = String::from_utf8(fleet.git(&["cat-file", "-t", id])).unwrap();
            assert_clean(&format!("object {id}"), &fleet.git(&["cat-file", kind.trim(), id]));
        }
    }
    assert_folder_clean(&Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
}

/// A value that gives itself away is refused, wherever it stands, and not repeated.
#[test]
fn a_credential_in_clear_text_is_refused_and_not_repeated() {
    let token = "glpat-c4n4ryc4n4ryc4n4ry";
    let folder = tempfile::tempdir().unwrap();
    let base = "name: shop\nframework: go\nimage: x/shop:1\n";
    for (name, spec) in [
        ("a variable", format!("{base}env: {{KEY: {token}}}\n")),
        ("an address", format!("{base}env: {{URL: 'postgres://u:{token}@db/x'}}\n")),
        ("a command", format!("{base}command: [run, --token={token}]\n")),
        ("a worker", format!("{base}workers: [{{name: w, command: [run, {token}]}}]\n")),
        ("a value of the wrong type", format!("{base}port: {token}\n")),
        ("an unknown field", format!("{base}api_token: {token}\n")),
    ] {
        let path = folder.path().join("wooo.yaml");
        fs::write(&path, &spec).unwrap();
        for output in ["text", "json"] {
            let result = std::process::Command::new(env!("CARGO_BIN_EXE_wooo"))
                .args(["render", path.to_str().unwrap(), "--env", "staging", "--output", output])
                .env("WOOO_LOG", "trace")
                .output()
                .unwrap();
            assert_eq!(result.status.code(), Some(1), "{name}: {}", said(&result));
            assert!(!said(&result).contains(token), "{name}: {}", said(&result));
        }
    }
}
