//! The real kustomize, as `kubectl` has it built in.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::KUSTOMIZATIONS;

/// Runs `kubectl kustomize` on a copy of a folder. `kubectl` sorts the documents, unless the copy is told to keep them
/// `in_order`.
pub(super) fn kustomize(input: &Path, root: &str, in_order: bool) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    copy(input, folder.path());
    let root = folder.path().join(root);
    for file in KUSTOMIZATIONS.iter().map(|name| root.join(name)).filter(|file| file.exists()) {
        let text = fs::read_to_string(&file).unwrap();
        if in_order {
            fs::write(&file, format!("{text}\nsortOptions: {{order: fifo}}\n")).unwrap();
        }
    }
    let output = Command::new("kubectl").arg("kustomize").arg(&root).output().expect("these tests need kubectl");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}
