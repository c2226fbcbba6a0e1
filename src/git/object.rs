//! Objects on their way into the repository: their ids and their compressed form.
//!
//! Everything here is pure, so that threads which render files also hash and compress them. Where the bytes go is the
//! business of [`loose`](super::loose) and [`pack`](super::pack).

use std::cell::RefCell;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use flate2::{Compress, Compression, FlushCompress, Status};

use super::BlobId;
use super::names::Sha1;

/// The types of object that are written here, with their number in a pack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }
}

/// The content of a file, hashed and compressed, ready to be written. Making one needs no repository.
#[derive(Clone)]
pub struct PreparedBlob(Prepared);

impl PreparedBlob {
    /// Hashes and compresses `content`.
    #[must_use]
    pub fn new(content: &[u8]) -> Self {
        Self(Prepared::new(Kind::Blob, content))
    }

    /// The id under which the content will be known.
    #[must_use]
    pub fn id(&self) -> BlobId {
        BlobId::from_sha1(self.0.id)
    }

    pub(super) fn into_prepared(self) -> Prepared {
        self.0
    }
}

impl std::fmt::Debug for PreparedBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PreparedBlob({}, {} bytes)", self.0.id, self.0.size)
    }
}

impl BlobId {
    /// The id of a file's content. Comparing it with what stands in a tree costs far less than preparing a blob.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::from_sha1(hash(Kind::Blob, content))
    }
}

/// An object of any kind, hashed and compressed.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) kind: Kind,
    pub(super) id: Sha1,
    pub(super) size: usize,
    /// A zlib stream of the content without Git's header, as it stands in a pack.
    pub(super) deflated: Box<[u8]>,
}

impl Prepared {
    pub(super) fn new(kind: Kind, content: &[u8]) -> Self {
        // Half of a tree are ids, which do not compress. A folder of ten thousand apps (450 kB) takes 7 ms to shrink by
        // less than a half and 0.3 ms to store as it is, and that every time one of them changes. `git gc` makes small
        // deltas of such trees later.
        let worth_deflating = !content.is_empty() && (kind == Kind::Blob || content.len() < STORED_FROM);
        let deflated = worth_deflating.then(|| deflate(content)).flatten().unwrap_or_else(|| store(content));
        Self { kind, id: hash(kind, content), size: content.len(), deflated }
    }

    /// The object as the content of a file of its own: a zlib stream of Git's header and the content.
    ///
    /// The content is not compressed again. A zlib stream is a sequence of blocks that refer back only to what came
    /// before them in the stream, so a stored block with the header can be put in front; only the checksum at the end
    /// has to be made anew.
    pub(super) fn to_loose(&self) -> Vec<u8> {
        let header = header(self.kind, self.size);
        let header = header.as_bytes();
        let (body, checksum) = self.deflated.split_at(self.deflated.len().saturating_sub(CHECKSUM));
        let checksum = checksum.first_chunk().map_or(1, |bytes| u32::from_be_bytes(*bytes));
        let mut loose = Vec::with_capacity(self.deflated.len() + header.len() + 16);
        loose.extend_from_slice(&ZLIB_HEADER);
        push_stored(&mut loose, header, false);
        loose.extend_from_slice(body.get(ZLIB_HEADER.len()..).unwrap_or_default());
        loose.extend_from_slice(&join_adler(adler(header), checksum, self.size).to_be_bytes());
        loose
    }
}

/// From this many bytes on a tree is written without compression.
const STORED_FROM: usize = 64 * 1024;

/// A window of 32 kB, no dictionary, the fastest level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
const CHECKSUM: usize = 4;

/// SHA-1 through `aws-lc`, which uses the processor's own instructions: 0.3 ms for a tree of 450 kB, where libgit2's
/// own implementation (which looks for forged collisions on the way) takes 1.3 ms. Collisions are a danger in what
/// others send, and what they send goes through libgit2.
pub(super) fn hash(kind: Kind, content: &[u8]) -> Sha1 {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(header(kind, content.len()).as_bytes());
    context.update(content);
    sha1(&context.finish())
}

pub(super) fn sha1(digest: &digest::Digest) -> Sha1 {
    Sha1(digest.as_ref().first_chunk().copied().unwrap_or_default())
}

fn header(kind: Kind, size: usize) -> String {
    format!("{} {size}\0", kind.name())
}

thread_local! {
    /// One compressor for each thread: setting one up takes longer than compressing a manifest with it.
    static DEFLATE: RefCell<(Compress, Vec<u8>)> =
        RefCell::new((Compress::new(Compression::fast(), true), Vec::new()));
}

/// `None` if zlib fails, which leaves the content to be stored.
fn deflate(content: &[u8]) -> Option<Box<[u8]>> {
    DEFLATE.with_borrow_mut(|(compress, output)| {
        compress.reset();
        output.clear();
        // The worst case of deflate, so that one call always is enough.
        output.reserve(content.len() + content.len() / 1000 + 64);
        let status = compress.compress_vec(content, output, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then(|| output.as_slice().into())
    })
}

/// A zlib stream that holds `content` as it is.
fn store(content: &[u8]) -> Box<[u8]> {
    let mut stream = Vec::with_capacity(content.len() + content.len() / 8192 + 16);
    stream.extend_from_slice(&ZLIB_HEADER);
    let (chunks, rest) = content.as_chunks::<{ u16::MAX as usize }>();
    for chunk in chunks {
        push_stored(&mut stream, chunk, false);
    }
    push_stored(&mut stream, rest, true);
    stream.extend_from_slice(&adler(content).to_be_bytes());
    stream.into_boxed_slice()
}

/// One stored block of deflate, of at most 65535 bytes.
fn push_stored(stream: &mut Vec<u8>, content: &[u8], is_last: bool) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    stream.push(u8::from(is_last));
    stream.extend_from_slice(&length.to_le_bytes());
    stream.extend_from_slice(&(!length).to_le_bytes());
    stream.extend_from_slice(content);
}

const ADLER_BASE: u32 = 65521;

/// The checksum of zlib, RFC 1950 section 8.
fn adler(content: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    // The most bytes after which the sums still fit 32 bits; the division then is paid once for all of them.
    for chunk in content.chunks(5552) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        low %= ADLER_BASE;
        high %= ADLER_BASE;
    }
    high << 16 | low
}

/// The checksum of two pieces put together, from the checksum of each and the length of the second.
fn join_adler(first: u32, second: u32, second_length: usize) -> u32 {
    let base = u64::from(ADLER_BASE);
    let halves = |sum: u32| (u64::from(sum & 0xffff), u64::from(sum >> 16));
    let ((first_low, first_high), (second_low, second_high)) = (halves(first), halves(second));
    let length = second_length as u64 % base;
    // `second` was counted from a start of 1, here it starts from `first_low`.
    let low = (first_low + second_low + base - 1) % base;
    let high = (first_high + second_high + length * (first_low + base - 1)) % base;
    u32::try_from(high << 16 | low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn inflate(stream: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        flate2::read::ZlibDecoder::new(stream).read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn known_ids() {
        assert_eq!(BlobId::of(b"").to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(hash(Kind::Tree, b"").to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(PreparedBlob::new(b"hello\n").id().to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    proptest! {
        #[test]
        fn both_forms_inflate_to_the_content(
            content in proptest::collection::vec(any::<u8>(), 0..3000),
            times in 1_usize..60,
            is_tree: bool,
        ) {
            let content = content.repeat(times);
            let kind = if is_tree { Kind::Tree } else { Kind::Blob };
            let prepared = Prepared::new(kind, &content);
            prop_assert_eq!(&inflate(&prepared.deflated), &content);
            let mut whole = header(kind, content.len()).into_bytes();
            whole.extend_from_slice(&content);
            prop_assert_eq!(inflate(&prepared.to_loose()), whole);
            prop_assert_eq!(&inflate(&store(&content)), &content);
        }
    }
}
