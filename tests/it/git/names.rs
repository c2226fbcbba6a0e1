//! Names and trailers, as the `git` program judges them.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use proptest::prelude::*;
use wooo::git::{BranchName, Key, RefName, Trailers, message};

use super::git;

fn git_accepts(name: &str) -> bool {
    git(Path::new("/"), ["check-ref-format", name]).status().unwrap().success()
}

#[test]
fn ref_names_are_those_of_git_check_ref_format() {
    for name in [
        "refs/heads/main",
        "refs/heads/a.b",
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a.",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/@",
        "refs/heads/@{-1}",
        "refs/heads/a@{b",
        "refs/heads/a b",
        "refs/heads/a~b",
        "refs/heads/a^b",
        "refs/heads/a:b",
        "refs/heads/a?b",
        "refs/heads/a*b",
        "refs/heads/a[b",
        "refs/heads/a\\b",
        "refs/heads/a\tb",
        "refs/heads/a\u{7f}b",
        "refs/heads//a",
        "refs/heads/a//b",
        "refs/heads/a/",
        "refs/heads/",
        "refs/heads/a/.b",
        "refs/heads/-a",
        "refs/heads/活動",
        "refs/notes/wooo",
        "refs/heads/../../x",
        "refs/heads/$(id)",
        "refs/heads/\"; rm -rf",
    ] {
        assert_eq!(name.parse::<RefName>().is_ok(), git_accepts(name), "{name:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_accepted_branch_is_refused_by_git(name in "[-a.@{}~^:/\\\\?* lock]{1,8}") {
        let accepted = name.parse::<BranchName>().is_ok();
        let by_git = git(Path::new("/"), ["check-ref-format", "--branch", &name]).output().unwrap();
        // `--branch` also looks up expressions such as `-` and `@{-1}`; what it prints unchanged is a name.
        let is_name = by_git.status.success() && String::from_utf8_lossy(&by_git.stdout).trim_end() == name;
        prop_assert_eq!(accepted, is_name, "{:?}", name);
    }
}

fn interpreted(text: &str) -> Vec<String> {
    let mut child = git(Path::new("/"), ["interpret-trailers", "--parse"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    output.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn ours(text: &str) -> Vec<String> {
    Trailers::parse(text).iter().map(|(key, value)| format!("{key}: {value}").trim_end().to_owned()).collect()
}

#[test]
fn trailers_are_read_as_git_reads_them() {
    for text in [
        "subject\n\nbody\n\nKey: value\nOther-Key : x : y\n",
        "subject\n\nKey: value\n  goes on\n\tand on\nNext: 1\n\n\n",
        "subject\n\nnot a trailer\nKey: value\n",
        "subject\n\nsome text\nSigned-off-by: A <a@b>\nKey: value\n",
        "subject\n\na\nb\nc\nd\nSigned-off-by: A <a@b>\n",
        "subject\n\nThis reverts commit 1.\n\n(cherry picked from commit 1)\nKey: v\n",
        "Key: value\n",
        "Key: value\n\nKey: other\n",
        "Key: value\nSecond: line\n",
        "subject\nKey: value\n",
        "subject\n\nKey: value\n---\nOther: x\n",
        "subject\n\nKey: value\n--- a/file\nOther: x\n",
        "subject\n\nKey: value\n---x\nOther: x\n",
        "subject\n\nKey: value\n# comment\nOther: x\n",
        "subject\n\nKey: value\n\n# comment\n",
        "subject\n\nUngültig: x\n",
        "subject\n\nTwo words: x\n",
        "subject\n\n: x\n",
        "subject\n\nEmpty:\nKey:value\n",
        "subject\r\n\r\nKey: value\r\n",
        "",
        "\n\n",
    ] {
        assert_eq!(ours(text), interpreted(text), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn git_finds_exactly_the_trailers_that_were_written(
        subject in "[a-zA-Z:\n -]{0,90}",
        body in "(Wooo-App: x|---|#|\n|text|Key: v| |Signed-off-by: a|\t|\r){0,12}",
        value in "[a-z:\n\r\t#-]{0,20}",
    ) {
        let trailers = Trailers::new().with(Key::APP, "shop").with(Key::ALERT, &value).with(Key::ACTION, "deploy");
        let text = message(&subject, &body, &trailers);
        let written: Vec<_> = trailers.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        prop_assert_eq!(&interpreted(&text), &written, "{:?}", &text);
        prop_assert_eq!(&ours(&text), &written, "{:?}", &text);
    }
}
