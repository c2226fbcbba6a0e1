//! Base64 as kustomize writes it into objects: in lines of seventy characters, if there is more than one line of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The length of a line, the line break not counted.
const LINE: usize = 70;

/// Encodes bytes.
pub(super) fn in_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_lines() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in pairs {
            assert_eq!(in_lines(plain.as_bytes()), encoded);
        }
        let long = in_lines(&[0; 60]);
        assert_eq!(long, format!("{}\n{}\n", "A".repeat(70), "A".repeat(10)));
    }
}
