//! Objects as files of their own, the form for small commits.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Error;
use super::names::Sha1;
use super::object::Prepared;

/// Where the object `id` lies below the folder `objects`.
fn place(objects: &Path, id: Sha1) -> PathBuf {
    let digits = id.to_string();
    let (folder, file) = digits.split_at(2);
    objects.join(folder).join(file)
}

/// Writes an object: whole under its name, or not at all.
///
/// The bytes are not forced to the disk before the rename, which is Git's own default for loose objects
/// (`core.fsync=committed,-loose-object`) and keeps a commit of twenty objects at 1 ms instead of 10. A killed process
/// loses nothing by it; after a power cut the newest commit may be missing, and the forge has it.
pub(super) fn write(objects: &Path, object: &Prepared) -> Result<(), Error> {
    let place = place(objects, object.id);
    let folder = place.parent().unwrap_or(objects);
    // The names `tmp_obj_*` are those that `git prune` clears away after a crash.
    let create = || temporary("tmp_obj_", folder);
    let mut file = create()
        .or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => fs::create_dir_all(folder).and_then(|()| create()),
            _ => Err(error),
        })
        .map_err(Error::io(folder))?;
    file.write_all(&object.to_loose()).map_err(Error::io(&place))?;
    file.persist(&place).map_err(|error| Error::Io { path: place, source: error.error })?;
    Ok(())
}

/// A temporary file that others may read and nobody may write, as Git leaves its objects.
pub(super) fn temporary(prefix: &str, folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o444)).tempfile_in(folder)
}

/// Makes an object that is a file of its own young again. One that nothing refers to yet must not be cleared away as old
/// garbage just before a commit refers to it.
pub(super) fn freshen(objects: &Path, id: Sha1) {
    if let Ok(file) = File::open(place(objects, id)) {
        // Another user's file keeps its time; that user's `git gc` is then the only one that could clear it away.
        let _kept = file.set_modified(SystemTime::now());
    }
}
