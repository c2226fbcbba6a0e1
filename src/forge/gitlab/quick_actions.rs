//! Texts as they are sent to GitLab, which does what a line that begins with a slash says, with the rights of whoever
//! wrote it: `/merge` in a comment merges.
//!
//! wooo writes texts that others had a part in, so no line of them may be one of GitLab's. Its own commands, which GitLab
//! does not know, are left as they are.

/// The one first word that is nobody's but ours.
const OURS: &str = "wooo";

/// The text with a backslash before each slash that GitLab might obey. Markdown shows the slash alone.
pub(super) fn disarmed(text: &str) -> String {
    let mut lines = Vec::new();
    // GitLab ends a line where Ruby does, and reads a lone carriage return as one, too, once it was cleaned up.
    for line in text.split_inclusive(['\n', '\r']) {
        let start = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(start);
        match rest.strip_prefix('/') {
            Some(words) if is_foreign(words) => lines.push(format!("{indent}\\{rest}")),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.concat()
}

fn is_foreign(words: &str) -> bool {
    let end = words.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(words.len());
    let (word, _) = words.split_at(end);
    !word.is_empty() && word != OURS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_an_action_of_gitlab() {
        for (text, sent) in [
            ("/merge", "\\/merge"),
            ("done\n/approve\n/close\r\nend", "done\n\\/approve\n\\/close\r\nend"),
            ("a\r/merge", "a\r\\/merge"),
            ("  \t/label ~x", "  \t\\/label ~x"),
            ("/MERGE", "\\/MERGE"),
            ("/woooo", "\\/woooo"),
            // In code too: whoever wrote the text may have ended the code before.
            ("```\n/merge\n```", "```\n\\/merge\n```"),
        ] {
            assert_eq!(disarmed(text), sent);
        }
        for same in ["", "why", "/wooo deploy shop", "a /merge", "// no", "/", "> /merge", "http://x/y\n\n- /etc"] {
            assert_eq!(disarmed(same), same);
        }
    }
}
