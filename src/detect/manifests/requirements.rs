//! `requirements.txt` and its relatives.
//!
//! Owns the lines: continuations, comments, options, `-r` includes. Constraints (`-c`) install nothing and are passed
//! over. Following an include is the caller's business.

use super::requirement::{Dependency, Group, parse};

/// What one file names.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Requirements {
    /// The dependencies in the order of the file.
    pub(crate) dependencies: Vec<Dependency>,
    /// The files that it includes, as written.
    pub(crate) includes: Vec<String>,
}

/// What the dependencies in a file of this name are for; `None` if it is no requirements file.
pub(crate) fn group_of(name: &str) -> Option<Group> {
    let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".in"))?;
    let words: Vec<&str> = stem.split(['-', '_', '.']).collect();
    if !words.iter().any(|word| matches!(*word, "requirements" | "reqs" | "requires")) {
        return None;
    }
    let is_main = |word: &&str| {
        matches!(*word, "requirements" | "reqs" | "requires" | "prod" | "production" | "base" | "common" | "main")
    };
    Some(if words.iter().all(is_main) { Group::Main } else { Group::Other })
}

/// What the dependencies in `requirements/<name>` are for; `None` if it is no requirements file.
pub(crate) fn group_in_folder(name: &str) -> Option<Group> {
    let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".in"))?;
    let main = matches!(stem, "prod" | "production" | "base" | "common" | "main" | "requirements" | "default");
    Some(if main { Group::Main } else { Group::Other })
}

/// Reads a requirements file.
pub(crate) fn read(text: &str, group: Group) -> Requirements {
    let mut requirements = Requirements::default();
    let mut lines = text.lines().enumerate();
    while let Some((at, first)) = lines.next() {
        let mut logical = first.to_owned();
        while logical.ends_with('\\') {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next);
        }
        read_line(strip_comment(&logical), group, at + 1, &mut requirements);
    }
    requirements
}

fn read_line(line: &str, group: Group, number: usize, into: &mut Requirements) {
    if !line.starts_with('-') {
        let spec = line.split(" --").next().unwrap_or_default();
        into.dependencies.extend(parse(spec, group, number));
        return;
    }
    let include = ["-r", "--requirement"].iter().find_map(|option| line.strip_prefix(option));
    if let Some(file) = include {
        into.includes.push(file.trim_start_matches(['=', ' ', '\t']).to_owned());
    } else if let Some((_, egg)) = line.split_once("#egg=") {
        into.dependencies.extend(parse(egg, group, number));
    }
}

/// A `#` starts a comment at the start of a line or after a space; elsewhere it is part of an address.
fn strip_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') {
        return "";
    }
    line.find(" #").or_else(|| line.find("\t#")).map_or(line, |at| line[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_hashes_and_includes() {
        let text = "# top\r\nDjango==5.0 \\\r\n    --hash=sha256:aa \\\r\n    --hash=sha256:bb\r\n-r base.txt\n\
                    --requirement=more.txt\n-c constraints.txt\n--index-url https://example.com\n\
                    uvicorn[standard]  # server\n-e git+https://example.com/x.git#egg=Channels\n\n./local\n";
        let read = read(text, Group::Main);
        let names: Vec<_> = read.dependencies.iter().map(|d| (d.name.as_str(), d.line)).collect();
        assert_eq!(names, [("django", 2), ("uvicorn", 9), ("channels", 10)]);
        assert_eq!(read.includes, ["base.txt", "more.txt"]);
    }

    #[test]
    fn the_name_says_what_it_is_for() {
        for name in ["requirements.txt", "requirements.in", "requirements-prod.txt", "requirements_base.txt"] {
            assert_eq!(group_of(name), Some(Group::Main), "{name}");
        }
        for name in ["requirements-dev.txt", "dev-requirements.txt", "requirements.test.txt", "docs_requirements.txt"] {
            assert_eq!(group_of(name), Some(Group::Other), "{name}");
        }
        assert_eq!(group_of("robots.txt"), None);
        assert_eq!((group_in_folder("base.txt"), group_in_folder("dev.txt")), (Some(Group::Main), Some(Group::Other)));
    }
}
