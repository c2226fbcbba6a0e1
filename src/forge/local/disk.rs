//! The files that the local forge keeps beside Git's own, and how several processes share them.
//!
//! Readers take no lock: a file is replaced as a whole, or not at all. Writers hold one lock for the whole repository,
//! which the system takes off a process that dies. So a process can be killed at any moment, and what it leaves behind
//! is a temporary file that nobody reads.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::forge::Error;

/// A writer holds the lock for some milliseconds. One that was stopped holds it until it goes on.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file beyond this was not written here.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The folder `wooo` in a bare repository.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    root: PathBuf,
}

/// The right to write, which one process has at a time.
pub(super) struct Writing<'a> {
    disk: &'a Disk,
    _lock: File,
}

impl Disk {
    pub(super) fn in_repository(repository: &Path) -> Self {
        Self { root: repository.join("wooo") }
    }

    /// What a file holds; `None` if there is none.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.root.join(name);
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(&path, error)),
        };
        if size > LARGEST {
            return Err(broken(&path, "it is too large"));
        }
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| broken(&path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(&path, error)),
        }
    }

    /// The numbers that are the names of marks in a folder, the highest first.
    pub(super) fn marks(&self, folder: &str) -> Result<Vec<u64>, Error> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(&path, error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| broken(&path, error))?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// Waits until nobody else writes.
    pub(super) fn lock(&self) -> Result<Writing<'_>, Error> {
        make_folder(&self.root)?;
        let path = self.root.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| broken(&path, error))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::unavailable("another process keeps the repository's merge requests locked"));
                }
                Err(TryLockError::Error(error)) => return Err(broken(&path, error)),
            }
        }
        let writing = Writing { disk: self, _lock: lock };
        writing.clear_temporary_files();
        Ok(writing)
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("temporary")
    }
}

impl Writing<'_> {
    /// Puts a value in the place of what the file holds. When this returns, it outlives a power cut.
    pub(super) fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let path = self.disk.root.join(name);
        let folder = path.parent().unwrap_or(&self.disk.root);
        make_folder(folder)?;
        let temporary = self.disk.temporary();
        make_folder(&temporary)?;
        let bytes = serde_json::to_vec(value).map_err(|error| broken(&path, error))?;
        let mut file = tempfile::NamedTempFile::new_in(&temporary).map_err(|error| broken(&temporary, error))?;
        let written = file.write_all(&bytes).and_then(|()| file.as_file().sync_all());
        written.map_err(|error| broken(&path, error))?;
        fail::fail_point!("forge_local_before_rename");
        file.persist(&path).map_err(|error| broken(&path, error.error))?;
        sync_folder(folder)
    }

    /// Makes an empty file that stands for a number.
    pub(super) fn mark(&self, folder: &str, number: u64) -> Result<(), Error> {
        let folder = self.disk.root.join(folder);
        make_folder(&folder)?;
        let path = folder.join(number.to_string());
        File::create(&path).map_err(|error| broken(&path, error))?;
        sync_folder(&folder)
    }

    /// Takes a mark away, if it is there.
    pub(super) fn unmark(&self, folder: &str, number: u64) -> Result<(), Error> {
        let path = self.disk.root.join(folder).join(number.to_string());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken(&path, error)),
            _ => Ok(()),
        }
    }

    /// Only writers make them, and this is the only writer: each is of a process that died.
    fn clear_temporary_files(&self) {
        let Ok(entries) = fs::read_dir(self.disk.temporary()) else { return };
        for entry in entries.flatten() {
            // One that cannot be removed only takes up room.
            let _stays = fs::remove_file(entry.path());
        }
    }
}

fn make_folder(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|error| broken(path, error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| broken(path, error))
}

/// The folder's place on this machine is the operator's business, so only the end of the path is told.
fn broken(path: &Path, reason: impl ToString) -> Error {
    let name = path.file_name().unwrap_or_default().display();
    Error::unavailable(format!("`{name}`: {}", reason.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_writer_leaves_is_not_read_and_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::in_repository(folder.path());
        disk.lock().unwrap().write("a/1.json", &1).unwrap();
        let left = disk.temporary().join(".tmpdead");
        fs::write(&left, "{\"half").unwrap();
        assert_eq!(disk.read::<u32>("a/1.json").unwrap(), Some(1));
        disk.lock().unwrap().write("a/1.json", &2).unwrap();
        assert_eq!(disk.read::<u32>("a/1.json").unwrap(), Some(2));
        assert!(!left.exists());
        assert_eq!(disk.read::<u32>("a/2.json").unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::in_repository(folder.path());
        disk.lock().unwrap().mark("open", 7).unwrap();
        fs::write(folder.path().join("wooo/x.json"), "{").unwrap();
        assert!(matches!(disk.read::<u32>("x.json"), Err(Error::Unavailable { .. })));
        assert_eq!(disk.marks("open").unwrap(), [7]);
        assert!(disk.marks("none").unwrap().is_empty());
        let writing = disk.lock().unwrap();
        writing.unmark("open", 7).unwrap();
        writing.unmark("open", 7).unwrap();
        assert!(disk.marks("open").unwrap().is_empty());
    }
}
