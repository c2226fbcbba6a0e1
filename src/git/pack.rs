//! Objects as one pack, the form for large commits: two files instead of two hundred thousand.
//!
//! Objects are appended as they come and nothing of them is kept but 32 bytes each. There are no deltas: they would
//! take longer to find than a first commit should last, and `git gc` makes them later.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use flate2::Crc;

use super::Error;
use super::loose::temporary;
use super::names::Sha1;
use super::object::{Prepared, sha1};

const HEADER_LENGTH: u64 = 12;

/// A pack that is being written. Dropped before [`PackWriter::finish`] it leaves nothing behind.
pub(super) struct PackWriter {
    folder: PathBuf,
    file: BufWriter<tempfile::NamedTempFile>,
    length: u64,
    entries: Vec<Place>,
}

/// What the index says about an object.
struct Place {
    id: Sha1,
    crc: u32,
    offset: u64,
}

impl PackWriter {
    pub(super) fn create(objects: &Path) -> Result<Self, Error> {
        let folder = objects.join("pack");
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        // The names `tmp_pack_*` are those that `git prune` clears away after a crash.
        let file = temporary("tmp_pack_", &folder).map_err(Error::io(&folder))?;
        let mut pack = Self {
            folder,
            file: BufWriter::with_capacity(256 * 1024, file),
            length: HEADER_LENGTH,
            entries: Vec::new(),
        };
        // The number of objects comes when it is known.
        pack.file.write_all(&header(0)).map_err(Error::io(&pack.folder))?;
        Ok(pack)
    }

    pub(super) fn append(&mut self, object: &Prepared) -> Result<(), Error> {
        let mut head = [0; 10];
        let head = entry_header(object, &mut head);
        let mut crc = Crc::new();
        crc.update(head);
        crc.update(&object.deflated);
        self.entries.push(Place { id: object.id, crc: crc.sum(), offset: self.length });
        self.length += (head.len() + object.deflated.len()) as u64;
        let written = self.file.write_all(head).and_then(|()| self.file.write_all(&object.deflated));
        written.map_err(Error::io(&self.folder))
    }

    /// Writes the end of the pack and its index and gives both their names, the index last: Git sees a pack by its
    /// index, so it never sees half of one.
    pub(super) fn finish(self) -> Result<(), Error> {
        let folder = self.folder.clone();
        self.write_end().map_err(Error::io(folder))
    }

    fn write_end(self) -> io::Result<()> {
        let Self { folder, file, mut entries, .. } = self;
        let mut pack = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let count = u32::try_from(entries.len()).map_err(io::Error::other)?;
        pack.seek(SeekFrom::Start(0))?;
        pack.write_all(&header(count))?;
        // The checksum covers the number of objects at the front, so it is made in a second pass, out of the page
        // cache: 0.1 s for a pack of 100 MB.
        let checksum = checksum(pack.as_file_mut())?;
        pack.seek(SeekFrom::End(0))?;
        pack.write_all(&checksum.0)?;
        entries.sort_unstable_by_key(|entry| entry.id);
        let mut index = temporary("tmp_idx_", &folder)?;
        index.write_all(&index_bytes(&entries, checksum))?;
        // Git forces packs to the disk too, as `core.fsync=committed` says.
        pack.as_file().sync_all()?;
        index.as_file().sync_all()?;
        let name = |extension| folder.join(format!("pack-{checksum}.{extension}"));
        pack.persist(name("pack"))?;
        index.persist(name("idx"))?;
        Ok(())
    }
}

/// Writes a pack of `count` objects to a stream, for a remote to index.
pub(super) fn stream(
    stream: &mut impl Write,
    count: usize,
    objects: impl Iterator<Item = Result<Prepared, Error>>,
) -> Result<(), Error> {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut write = |bytes: &[u8]| {
        context.update(bytes);
        stream.write_all(bytes).map_err(Error::io(std::env::temp_dir()))
    };
    write(&header(u32::try_from(count).unwrap_or(u32::MAX)))?;
    for object in objects {
        let object = object?;
        let mut head = [0; 10];
        write(entry_header(&object, &mut head))?;
        write(&object.deflated)?;
    }
    let checksum = sha1(&context.finish());
    stream.write_all(&checksum.0).map_err(Error::io(std::env::temp_dir()))
}

fn header(count: u32) -> [u8; HEADER_LENGTH as usize] {
    let mut header = *b"PACK\0\0\0\x02\0\0\0\0";
    if let Some(field) = header.last_chunk_mut() {
        *field = count.to_be_bytes();
    }
    header
}

/// Type and size: three bits of type and four of size in the first byte, then seven of size in each that follows.
fn entry_header<'a>(object: &Prepared, buffer: &'a mut [u8; 10]) -> &'a [u8] {
    let mut rest = object.size >> 4;
    let mut byte = (object.kind as u8) << 4 | (object.size & 0xf) as u8;
    let mut length = 0;
    for slot in buffer.iter_mut() {
        length += 1;
        if rest == 0 {
            *slot = byte;
            break;
        }
        *slot = byte | 0x80;
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    buffer.get(..length).unwrap_or_default()
}

fn checksum(file: &mut File) -> io::Result<Sha1> {
    file.seek(SeekFrom::Start(0))?;
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(sha1(&context.finish()));
        }
        context.update(buffer.get(..length).unwrap_or_default());
    }
}

/// The index, version 2: ids sorted, with a table of how many begin with each byte or less.
fn index_bytes(entries: &[Place], pack: Sha1) -> Vec<u8> {
    const LARGE: u32 = 1 << 31;
    let mut bytes = Vec::with_capacity(8 + 4 * 256 + 28 * entries.len() + 40);
    bytes.extend_from_slice(b"\xfftOc\0\0\0\x02");
    for first in 0..=u8::MAX {
        let until = entries.partition_point(|entry| entry.id.0.first().is_some_and(|byte| *byte <= first));
        bytes.extend_from_slice(&u32::try_from(until).unwrap_or(u32::MAX).to_be_bytes());
    }
    bytes.extend(entries.iter().flat_map(|entry| entry.id.0));
    bytes.extend(entries.iter().flat_map(|entry| entry.crc.to_be_bytes()));
    // An offset of 2 GiB and more stands in a table of its own, and here its place in that table.
    let mut large = Vec::new();
    for entry in entries {
        let offset = u32::try_from(entry.offset).ok().filter(|offset| *offset < LARGE).unwrap_or_else(|| {
            large.extend_from_slice(&entry.offset.to_be_bytes());
            LARGE | u32::try_from(large.len() / 8 - 1).unwrap_or(u32::MAX)
        });
        bytes.extend_from_slice(&offset.to_be_bytes());
    }
    bytes.extend_from_slice(&large);
    bytes.extend_from_slice(&pack.0);
    let checksum = sha1(&digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes));
    bytes.extend_from_slice(&checksum.0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::object::Kind;

    #[test]
    fn sizes_are_written_in_groups_of_seven_bits() {
        let mut object = Prepared::new(Kind::Blob, b"");
        let mut buffer = [0; 10];
        object.size = 15;
        assert_eq!(entry_header(&object, &mut buffer), [0x3f]);
        object.size = 16;
        assert_eq!(entry_header(&object, &mut buffer), [0xb0, 0x01]);
        object.size = 1 << 11;
        assert_eq!(entry_header(&object, &mut buffer), [0xb0, 0x80, 0x01]);
    }

    #[test]
    fn offsets_beyond_two_gigabytes_stand_in_their_own_table() {
        let entries = [10, 1 << 31, 1 << 40].map(|offset| Place { id: Sha1([7; 20]), crc: 0, offset });
        let bytes = index_bytes(&entries, Sha1([1; 20]));
        let offsets = &bytes[8 + 1024 + 24 * 3..bytes.len() - 40];
        assert_eq!(offsets[..12], [0, 0, 0, 10, 0x80, 0, 0, 0, 0x80, 0, 0, 1]);
        assert_eq!(offsets[12..], [[0, 0, 0, 0, 0x80, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]].concat());
    }

    #[test]
    fn a_pack_that_is_not_finished_leaves_nothing_behind() {
        let objects = tempfile::tempdir().unwrap();
        let mut pack = PackWriter::create(objects.path()).unwrap();
        pack.append(&Prepared::new(Kind::Blob, b"x")).unwrap();
        drop(pack);
        assert_eq!(std::fs::read_dir(objects.path().join("pack")).unwrap().count(), 0);
    }
}
