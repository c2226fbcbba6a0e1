//! The framing of Git's protocol: packets with a length in front, and what a server says first.

use std::io::{self, Read};

use super::names::Sha1;

/// One packet. There are also packets without content that stand for a gap; all of them end a list.
pub(super) enum Packet {
    Data(Vec<u8>),
    End,
}

/// The next packet, or `None` at the end of the stream.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Packet>> {
    let mut length = [0; 4];
    let mut filled = 0;
    while let Some(rest) = length.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest)? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    let digits = str::from_utf8(&length).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match digits {
        Some(0..=3) => Ok(Some(Packet::End)),
        Some(length) => {
            let mut content = vec![0; length - 4];
            stream.read_exact(&mut content)?;
            Ok(Some(Packet::Data(content)))
        }
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "not a packet")),
    }
}

/// A packet with this line.
pub(super) fn line(content: &str) -> Vec<u8> {
    format!("{:04x}{content}", content.len() + 4).into_bytes()
}

/// Ends a list.
pub(super) const END: &[u8] = b"0000";

/// The refs and abilities that a server has.
#[derive(Debug, Default)]
pub(super) struct Advertisement {
    pub(super) refs: Vec<(String, Sha1)>,
    pub(super) capabilities: Vec<String>,
}

impl Advertisement {
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let faulty = |text| io::Error::new(io::ErrorKind::InvalidData, text);
        let mut found = Self::default();
        // `# service=...` comes first, in a list of its own.
        let Some(Packet::Data(service)) = read(stream)? else { return Err(faulty("no service")) };
        if !service.starts_with(b"# service=git-") || !matches!(read(stream)?, Some(Packet::End)) {
            return Err(faulty("no service"));
        }
        while let Some(Packet::Data(content)) = read(stream)? {
            let text = String::from_utf8_lossy(&content);
            let text = text.trim_end_matches('\n');
            if let Some(message) = text.strip_prefix("ERR ") {
                return Err(io::Error::new(io::ErrorKind::InvalidData, message.to_owned()));
            }
            let (entry, capabilities) = text.split_once('\0').unwrap_or((text, ""));
            found.capabilities.extend(capabilities.split(' ').filter(|name| !name.is_empty()).map(str::to_owned));
            let (id, name) = entry.split_once(' ').ok_or_else(|| faulty("not a ref"))?;
            // An empty repository says `capabilities^{}` with an id of zeros.
            if let Some(id) = Sha1::parse(id) {
                found.refs.push((name.to_owned(), id));
            }
        }
        Ok(found)
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|found| found == capability)
    }

    pub(super) fn find(&self, name: &str) -> Option<Sha1> {
        self.refs.iter().find(|(found, _)| found == name).map(|(_, id)| *id)
    }

    /// The ref that `HEAD` points to.
    pub(super) fn head(&self) -> Option<&str> {
        self.capabilities.iter().find_map(|capability| capability.strip_prefix("symref=HEAD:"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_is_read() {
        let id = "1".repeat(40);
        let mut stream = line("# service=git-upload-pack\n");
        stream.extend_from_slice(END);
        stream.extend(line(&format!("{id} HEAD\0symref=HEAD:refs/heads/main side-band-64k\n")));
        stream.extend(line(&format!("{id} refs/heads/main\n")));
        stream.extend_from_slice(END);
        let found = Advertisement::read(&mut stream.as_slice()).unwrap();
        assert_eq!((found.head(), found.refs.len()), (Some("refs/heads/main"), 2));
        assert!(found.has("side-band-64k") && found.find("refs/heads/main").is_some());
        for end in 0..stream.len() - 4 {
            let _no_panic = Advertisement::read(&mut &stream[..end]);
        }
        for faulty in [&b"zzzz"[..], b"0000", b"0005", b"0008ERR x", b""] {
            assert!(Advertisement::read(&mut &faulty[..]).is_err());
        }
    }
}
