//! Which paths may be written into a tree.
//!
//! The rules for reading are those of [`files`](crate::files); these are stricter, because what is written here is
//! checked out by other people's Git on file systems that fold case or ignore characters. They follow `git fsck`,
//! which a forge runs on every push.

use super::Error;

const MAX_SEGMENT: usize = 250;
const MAX_PATH: usize = 2048;
const MAX_DEPTH: usize = 64;

/// The segments of a path that may be written, at least one.
pub(super) fn segments(path: &str) -> Result<impl Iterator<Item = &str>, Error> {
    let refuse = |reason| Err(Error::Path { path: path.chars().take(MAX_PATH).collect(), reason });
    if path.len() > MAX_PATH {
        return refuse("it is too long");
    }
    if path.split('/').count() > MAX_DEPTH {
        return refuse("it has too many folders");
    }
    for segment in path.split('/') {
        if let Some(reason) = fault(segment) {
            return refuse(reason);
        }
    }
    Ok(path.split('/'))
}

fn fault(segment: &str) -> Option<&'static str> {
    if segment.is_empty() {
        Some("a segment is empty")
    } else if segment == "." || segment == ".." {
        Some("`.` and `..` are not names")
    } else if segment.len() > MAX_SEGMENT {
        Some("a segment is too long")
    } else if segment.contains('\\') {
        Some("a backslash separates folders on some systems")
    } else if segment.contains(char::is_control) {
        Some("it holds a control character")
    } else if is_dot_git(segment) {
        Some("`.git` belongs to Git itself")
    } else {
        None
    }
}

/// Whether a file system somewhere takes the name for `.git`: NTFS drops trailing dots and spaces, cuts at a colon and
/// knows the short name `git~1`; HFS+ ignores a range of invisible characters; both fold case.
fn is_dot_git(segment: &str) -> bool {
    let visible: String = segment
        .chars()
        .filter(
            |c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'),
        )
        .collect();
    let stem = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    stem.eq_ignore_ascii_case(".git") || stem.eq_ignore_ascii_case("git~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass_and_dangerous_ones_do_not() {
        for path in ["a", "apps/shop/app.yaml", ".gitignore", ".github/x", "git", "a b", "活動/x", "...", "a.git"] {
            assert_eq!(segments(path).unwrap().collect::<Vec<_>>().join("/"), path);
        }
        let long = "x".repeat(251);
        let deep = ["d"; 65].join("/");
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "./a",
            "a\\b",
            "a\0",
            "a\nb",
            ".git",
            "a/.GIT/config",
            "git~1",
            ".git ",
            ".git.",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            &long,
            &deep,
        ] {
            assert!(segments(path).is_err(), "{path:?}");
        }
    }
}
