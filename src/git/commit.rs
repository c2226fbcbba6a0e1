//! Commits: making them and reading them.

use jiff::Timestamp;

use super::object::{Kind, Prepared};
use super::{CommitId, Error, Repository, Trailers, TreeId};

/// Who commits, and when. Given by the caller, never read from a configuration or a clock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    /// The name that people read.
    pub name: String,
    /// The address, which need not exist.
    pub email: String,
    /// When, to the second.
    pub when: Timestamp,
}

/// Who made a commit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// What a commit says about itself. Text that is not UTF-8 has its faulty bytes replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommitInfo {
    /// The commit.
    pub id: CommitId,
    /// What it builds on; two or more for a merge, none for a first commit.
    pub parents: Vec<CommitId>,
    /// Who wrote the change.
    pub author: Person,
    /// Whether it was made in one go: the same person wrote and committed it, at the same time. Amending, rebasing and
    /// picking a commit leave its author and change its committer.
    pub is_original: bool,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The whole message.
    pub message: String,
    /// The trailers at the end of the message.
    pub trailers: Trailers,
}

impl CommitInfo {
    /// The first line of the message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

impl Repository {
    /// Writes a commit. No ref moves: that is [`Repository::update_branch`], which can find that it came too late.
    ///
    /// # Errors
    /// [`Error::NoObject`] if the tree or a parent is missing, [`Error::Io`] if the object cannot be written.
    pub fn commit(
        &self,
        tree: TreeId,
        parents: &[CommitId],
        signature: &Signature,
        message: &str,
    ) -> Result<CommitId, Error> {
        if !self.git2().odb()?.exists(tree.to_oid()?) {
            return Err(Error::NoObject { kind: "tree", id: tree.to_string() });
        }
        for parent in parents {
            self.find_commit(*parent)?;
        }
        let object = Prepared::new(Kind::Commit, content(tree, parents, signature, message).as_bytes());
        let id = CommitId::from_sha1(object.id);
        let mut writer = self.writer();
        writer.push(object)?;
        writer.flush()?;
        Ok(id)
    }

    /// What a commit says about itself.
    ///
    /// # Errors
    /// [`Error::NoObject`] if there is no such commit.
    pub fn commit_info(&self, id: CommitId) -> Result<CommitInfo, Error> {
        let commit = self.find_commit(id)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let message = text(commit.message_bytes());
        let (author, committer) = (commit.author(), commit.committer());
        Ok(CommitInfo {
            id,
            parents: commit.parent_ids().map(CommitId::from_oid).collect(),
            author: Person { name: text(author.name_bytes()), email: text(author.email_bytes()) },
            is_original: author.name_bytes() == committer.name_bytes()
                && author.email_bytes() == committer.email_bytes()
                && author.when().seconds() == committer.when().seconds(),
            // A time that no calendar holds was made up by whoever made the commit.
            committed_at: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
            trailers: Trailers::parse(&message),
            message,
        })
    }
}

fn content(tree: TreeId, parents: &[CommitId], signature: &Signature, message: &str) -> String {
    let name = Some(plain(&signature.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    let person = format!("{name} <{}> {} +0000", plain(&signature.email), signature.when.as_second());
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let message = message.replace('\0', "");
    format!("tree {tree}\n{parents}author {person}\ncommitter {person}\n\n{}\n", message.trim_end_matches('\n'))
}

/// Without what delimits the parts of a person's line, as `git commit` does it.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    kept.trim_matches(|c: char| c.is_whitespace() || ".,:;\"'\\".contains(c)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_header() {
        let signature = Signature {
            name: "Eve> 0 +0000\nparent 1 <x".to_owned(),
            email: "<eve@example.org>\n".to_owned(),
            when: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().unwrap();
        let text = content(tree, &[], &signature, "Subject\0\n\n");
        assert_eq!(
            text,
            "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
             author Eve 0 +0000parent 1 x <eve@example.org> 1700000000 +0000\n\
             committer Eve 0 +0000parent 1 x <eve@example.org> 1700000000 +0000\n\nSubject\n"
        );
        assert_eq!(plain(" \"...\" "), "");
    }
}
