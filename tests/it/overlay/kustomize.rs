//! The real kustomize, and copies of folders for it to build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version whose output is the measure.
const VERSION: &str = "5.8.1";

/// The program, if this machine has it in a version that can be compared with. Where it is demanded, it must be there.
pub(super) fn program() -> Option<PathBuf> {
    let program = std::env::var_os("WOOO_TEST_KUSTOMIZE").map_or_else(|| PathBuf::from("kustomize"), PathBuf::from);
    // Distributions build it from source, and then it does not know its version.
    let is_meant = |output: &[u8]| {
        let version = String::from_utf8_lossy(output);
        version.contains(VERSION) || version.contains("(devel)")
    };
    let output = Command::new(&program).arg("version").output();
    let is_there = output.is_ok_and(|output| output.status.success() && is_meant(&output.stdout));
    let is_demanded = std::env::var_os("WOOO_TEST_KUSTOMIZE").is_some();
    assert!(is_there || !is_demanded, "WOOO_TEST_KUSTOMIZE is set, and {} does not run", program.display());
    is_there.then_some(program)
}

/// What `kustomize build` prints for a folder, or its error.
pub(super) fn build(program: &Path, folder: &Path) -> Result<String, String> {
    let output = Command::new(program).arg("build").arg(folder).output().expect("kustomize runs");
    if output.status.success() {
        // Where it knows its version, that is the only difference.
        Ok(String::from_utf8(output.stdout).unwrap().replace("kustomize-v5.8.1", "kustomize-(devel)"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Writes files into a folder.
pub(super) fn write(folder: &Path, files: &[(String, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[expect(clippy::print_stdout, reason = "what was left out must be seen")]
/// Says that a comparison was left out, and with what it would be made.
pub(super) fn absent() {
    println!("left out: there is no kustomize {VERSION} on this machine to compare with; .ci/run brings it");
}
