//! What a push wants to do to refs, read before the program gets to see it, and the rules that it must keep.
//!
//! Nobody writes outside branches and tags. The default branch and every branch that asks for something before a merge
//! are neither deleted nor moved back, and what asks for checks or approvals is moved by merge requests only. A push in
//! which one command is refused does nothing at all.

use axum::body::Bytes;

use super::input::{Failure, Input};
use crate::forge::Protection;
use crate::git::{BranchName, RefName};

/// A push of more refs than this is no push of ours; neither is a longer list of them.
const MOST: usize = 1000;
const LONGEST: usize = 1024 * 1024;

/// One wish: `refs/heads/x` from one commit to another.
struct Command {
    new: String,
    name: String,
}

impl Command {
    fn is_deletion(&self) -> bool {
        self.new.bytes().all(|digit| digit == b'0')
    }
}

/// The wishes of one push.
pub(super) struct Commands {
    commands: Vec<Command>,
    capabilities: Vec<String>,
    /// Everything that was read, which the program is to read too.
    bytes: Vec<u8>,
}

impl Commands {
    /// Reads up to the end of the list. What follows it stays in the input, or is part of the bytes that are handed on.
    pub(super) async fn read(input: &mut Input) -> Result<Self, Failure> {
        let mut read = Self { commands: Vec::new(), capabilities: Vec::new(), bytes: Vec::new() };
        let mut at = 0;
        loop {
            let Some(header) = read.bytes.get(at..at + 4) else {
                read.more(input).await?;
                continue;
            };
            let digits = str::from_utf8(header).ok().filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
            let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            match length {
                Some(0) => return Ok(read),
                Some(length) if length > 4 => {
                    let Some(line) = read.bytes.get(at + 4..at + length) else {
                        read.more(input).await?;
                        continue;
                    };
                    let line = String::from_utf8(line.to_vec()).map_err(|_| Failure::garbled("a ref is not UTF-8"))?;
                    read.take(&line)?;
                    at += length;
                }
                _ => return Err(Failure::garbled("it does not begin with Git's packets")),
            }
        }
    }

    async fn more(&mut self, input: &mut Input) -> Result<(), Failure> {
        if self.bytes.len() > LONGEST {
            return Err(Failure::garbled("the list of refs is too long"));
        }
        let bytes = input.next().await?.ok_or_else(|| Failure::garbled("it ends within the list of refs"))?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn take(&mut self, line: &str) -> Result<(), Failure> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.starts_with("shallow ") {
            return Ok(());
        }
        let (wish, capabilities) = line.split_once('\0').unwrap_or((line, ""));
        let mut words = wish.splitn(3, ' ');
        let (old, new, name) = (words.next(), words.next(), words.next());
        let is_id =
            |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match (old, new, name) {
            (Some(old), Some(new), Some(name)) if is_id(old) && is_id(new) && self.commands.len() < MOST => {
                self.commands.push(Command { new: new.to_owned(), name: name.to_owned() });
            }
            // Signed pushes come here too: they are not offered.
            _ => return Err(Failure::garbled("it holds something else than refs to update, or too many of them")),
        }
        if self.commands.len() == 1 {
            self.capabilities = capabilities.split_whitespace().map(str::to_owned).collect();
        }
        Ok(())
    }

    /// Whether a branch that is only ever fast-forwarded is among the wishes.
    pub(super) fn touch(&self, branches: &[(BranchName, Protection)]) -> bool {
        self.commands.iter().any(|command| protection(command, branches).is_some())
    }

    /// What the program is to read first.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes)
    }

    /// The answer to a push that breaks a rule, in Git's own form; `None` if it breaks none.
    pub(super) fn refusal(&self, branches: &[(BranchName, Protection)], is_service: bool) -> Option<Vec<u8>> {
        let reasons: Vec<Option<&str>> =
            self.commands.iter().map(|command| broken_rule(command, branches, is_service)).collect();
        if reasons.iter().all(Option::is_none) {
            return None;
        }
        let mut report = packet(b"unpack ok\n");
        for (command, reason) in self.commands.iter().zip(reasons) {
            let reason = reason.unwrap_or("another ref of this push is refused");
            report.extend(packet(format!("ng {} {reason}\n", command.name).as_bytes()));
        }
        report.extend(b"0000");
        let has = |name: &str| self.capabilities.iter().any(|capability| capability == name);
        if !has("report-status") && !has("report-status-v2") {
            return Some(Vec::new());
        }
        // A packet of the first band may have 999 bytes of content in the older form of it.
        let size = match (has("side-band-64k"), has("side-band")) {
            (true, _) => 60_000,
            (false, true) => 990,
            (false, false) => return Some(report),
        };
        let mut banded = Vec::new();
        for part in report.chunks(size) {
            banded.extend(packet(&[&[1], part].concat()));
        }
        banded.extend(b"0000");
        Some(banded)
    }
}

fn packet(content: &[u8]) -> Vec<u8> {
    [format!("{:04x}", content.len() + 4).as_bytes(), content].concat()
}

fn protection<'a>(command: &Command, branches: &'a [(BranchName, Protection)]) -> Option<&'a Protection> {
    let branch = command.name.strip_prefix("refs/heads/")?;
    branches.iter().find(|(name, _)| name.as_str() == branch).map(|(_, protection)| protection)
}

fn broken_rule(command: &Command, branches: &[(BranchName, Protection)], is_service: bool) -> Option<&'static str> {
    if command.name.parse::<RefName>().is_err() {
        return Some("this is no name of a ref");
    }
    let is_theirs = ["refs/heads/", "refs/tags/"].iter().any(|prefix| command.name.starts_with(prefix));
    let is_ours = is_service && command.name == "refs/notes/wooo";
    if !(is_theirs || is_ours) {
        return Some("only branches and tags can be pushed");
    }
    let protection = protection(command, branches)?;
    if command.is_deletion() {
        return Some("this branch is not deleted");
    }
    let asks = !protection.required_checks.is_empty() || protection.required_approvals > 0;
    asks.then_some("this branch is changed by merge requests only")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn pushed(wishes: &[(&str, &str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, (old, new, name)) in wishes.iter().enumerate() {
            let capabilities = if index == 0 { "\0 report-status side-band-64k agent=git/2" } else { "" };
            bytes.extend(packet(format!("{old} {new} {name}{capabilities}").as_bytes()));
        }
        bytes.extend(b"0000PACK...");
        bytes
    }

    async fn read(bytes: &[u8]) -> Result<Commands, Failure> {
        Commands::read(&mut Input::new(Body::from(bytes.to_vec()).into_data_stream(), false, 1 << 30)).await
    }

    fn branches() -> Vec<(BranchName, Protection)> {
        let strict = Protection { required_approvals: 1, ..Protection::default() };
        vec![("main".parse().unwrap(), Protection::default()), ("live".parse().unwrap(), strict)]
    }

    async fn verdict(name: &str, new: &str, is_service: bool) -> Option<String> {
        let commands = read(&pushed(&[(ONE, new, name)])).await.unwrap();
        commands.refusal(&branches(), is_service).map(|report| String::from_utf8_lossy(&report).into_owned())
    }

    #[tokio::test]
    async fn people_push_branches_and_tags_and_nothing_else() {
        for name in ["refs/heads/main", "refs/heads/wooo/shop/production/deploy-1", "refs/tags/v1"] {
            assert_eq!(verdict(name, TWO, false).await, None, "{name}");
        }
        for name in ["refs/notes/wooo", "refs/merge-requests/1", "HEAD", "refs/heads/../x", "refs/heads/-x y"] {
            let report = verdict(name, TWO, false).await.unwrap();
            assert!(report.contains("unpack ok") && report.contains(&format!("ng {name} ")), "{report}");
        }
        assert_eq!(verdict("refs/notes/wooo", TWO, true).await, None);
        assert!(verdict("refs/notes/commits", TWO, true).await.is_some());
    }

    #[tokio::test]
    async fn what_is_protected_stays() {
        assert!(verdict("refs/heads/main", ZERO, true).await.unwrap().contains("not deleted"));
        assert!(verdict("refs/heads/live", TWO, true).await.unwrap().contains("merge requests only"));
        assert_eq!(verdict("refs/heads/mine", ZERO, false).await, None);
        let commands = read(&pushed(&[(ONE, TWO, "refs/heads/a"), (ONE, TWO, "refs/heads/main")])).await.unwrap();
        assert!(commands.touch(&branches()));
        assert!(!read(&pushed(&[(ONE, TWO, "refs/heads/a")])).await.unwrap().touch(&branches()));
    }

    #[tokio::test]
    async fn one_bad_wish_refuses_the_whole_push() {
        let commands = read(&pushed(&[(ONE, TWO, "refs/heads/a"), (ONE, TWO, "refs/notes/wooo")])).await.unwrap();
        let report = String::from_utf8(commands.refusal(&branches(), false).unwrap()).unwrap();
        assert!(report.contains("ng refs/heads/a another ref"), "{report}");
        assert!(report.starts_with("00") && report.ends_with("00000000"), "{report}");
    }

    #[tokio::test]
    async fn everything_that_was_read_is_handed_on() {
        let bytes = pushed(&[(ONE, TWO, "refs/heads/a")]);
        assert_eq!(read(&bytes).await.unwrap().into_bytes(), bytes);
        assert_eq!(read(b"0000").await.unwrap().into_bytes(), "0000");
    }

    #[tokio::test]
    async fn what_is_no_push_is_refused() {
        let endless = [packet(format!("{ONE} {TWO} refs/heads/a").as_bytes()).repeat(2000), b"0000".to_vec()].concat();
        for bad in [&b""[..], b"00", b"zzzz", b"0004", b"0003", b"+001", b"0010short", b"000ahello\n0000", &endless] {
            assert!(matches!(read(bad).await, Err(Failure::Garbled { .. })), "{:?}", bad.get(..20));
        }
    }
}
