//! The overlay build, against cases and against kustomize itself.
//!
//! A case is a folder under `cases/`, named by the feature and the aspect of it: `input/` with a kustomization (or one in
//! `input/overlay/`), and either `expected.yaml`, to the byte, or `expected_error`. A file `stricter` says why wooo refuses
//! what kustomize takes. `UPDATE_CASES=1` writes the errors anew, which a reviewer reads; what is built is never taken from
//! wooo, only from kustomize.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod kustomize;
mod limits;
mod properties;
mod random;

use std::fs;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use wooo::files::DirectoryTree;
use wooo::overlay::{self, BuildOptions, Error};

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/overlay/cases");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 200, "there are only {} cases", cases.len());
    cases
}

/// The folder that a case builds, within its input.
fn root(case: &Path) -> &'static str {
    let input = case.join("input");
    if KUSTOMIZATIONS.iter().any(|name| input.join(name).exists()) { "" } else { "overlay" }
}

/// What the build prints for a folder of a tree on the disk.
fn build(tree: &Path, directory: &str) -> Result<String, Error> {
    overlay::write(&overlay::build(&DirectoryTree::new(tree), directory, &BuildOptions::default())?)
}

/// What is wrong with a case, or nothing.
fn check(case: &Path) -> Option<String> {
    let result = build(&case.join("input"), root(case));
    let read = |name: &str| fs::read_to_string(case.join(name)).ok();
    match (result, read("expected.yaml"), read("expected_error")) {
        (Ok(found), Some(expected), None) if found == expected => None,
        (Ok(found), expected, _) => {
            Some(format!("built\n{found}\nexpected\n{}", expected.unwrap_or("an error".into())))
        }
        (Err(error), None, Some(expected)) if error.to_string() == expected.trim_end() => None,
        (Err(error), None, Some(_)) if std::env::var_os("UPDATE_CASES").is_some() => {
            fs::write(case.join("expected_error"), format!("{error}\n")).unwrap();
            None
        }
        (Err(error), _, expected) => {
            Some(format!("error\n{error}\nexpected\n{}", expected.unwrap_or("a result".into())))
        }
    }
}

fn assert_no_faults(faults: &[(String, String)]) {
    let text: Vec<_> = faults.iter().map(|(case, fault)| format!("=== {case}\n{fault}")).collect();
    assert!(faults.is_empty(), "{} cases failed\n{}", faults.len(), text.join("\n"));
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn cases_build_as_expected() {
    let faults: Vec<_> = cases().iter().filter_map(|case| check(case).map(|fault| (name(case), fault))).collect();
    assert_no_faults(&faults);
}

#[test]
fn cases_build_as_kustomize_builds_them() {
    let Some(program) = kustomize::program() else { return kustomize::absent() };
    let faults: Vec<_> = cases()
        .par_iter()
        .filter_map(|case| {
            let is_stricter = case.join("stricter").exists();
            let expected = fs::read_to_string(case.join("expected.yaml"));
            let found = kustomize::build(&program, &case.join("input").join(root(case)));
            let fault = match (found, expected) {
                (Ok(found), Ok(expected)) if found == expected => return None,
                (Ok(_), Err(_)) if is_stricter => return None,
                (Err(_), Err(_)) if !is_stricter => return None,
                (Ok(found), _) => format!("kustomize builds\n{found}"),
                (Err(error), _) => format!("kustomize fails\n{error}"),
            };
            Some((name(case), fault))
        })
        .collect();
    assert_no_faults(&faults);
}
