//! What becomes of a folded block when kustomize writes it and reads it again.
//!
//! Owns the arithmetic of a fault in `gopkg.in/yaml.v3` (`yaml_emitter_write_folded_scalar`): whether a line break must be
//! doubled is decided by the first character of the whole text, where it should be by the one that follows. So blocks
//! with indented lines, or that begin with a blank, come out with a line break more or less. Names of generated objects
//! and values in clusters follow from it, so it is kept.

/// A text after it was written as a folded block and read again.
pub(super) fn again(text: &str) -> String {
    let is_doubling = text.chars().find(|character| *character != '\n').is_some_and(|first| !is_blank(first));
    let mut result = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut before: Option<char> = None;
    while !rest.is_empty() {
        let breaks = rest.bytes().take_while(|byte| *byte == b'\n').count();
        let line_end = rest[breaks..].find('\n').map_or(rest.len(), |end| breaks + end);
        let line = &rest[breaks..line_end];
        rest = &rest[line_end..];
        let next = line.chars().next();
        push_breaks(&mut result, breaks, before, next, is_doubling);
        result.push_str(line);
        before = next.or(before);
    }
    result
}

fn push_breaks(result: &mut String, breaks: usize, before: Option<char>, next: Option<char>, is_doubling: bool) {
    let is_folding = before.is_some_and(|first| !is_blank(first));
    let written = breaks + usize::from(is_folding && is_doubling && breaks > 0);
    let read = match next {
        // One line break at the end stays one; with more of them, all are kept.
        None => {
            if breaks == 1 {
                1
            } else {
                written
            }
        }
        Some(first) if is_folding && !is_blank(first) && breaks > 0 => {
            if written == 1 {
                result.push(' ');
            }
            written - 1
        }
        Some(_) => written,
    };
    result.extend(std::iter::repeat_n('\n', read));
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paragraphs_are_kept() {
        for text in ["", "a", "a\nb\n", "a\n\nb", "one two\n"] {
            assert_eq!(again(text), text);
        }
    }

    #[test]
    fn indented_lines_gain_a_break_and_a_blank_at_the_beginning_loses_some() {
        assert_eq!(again("a\n  b\nc\n"), "a\n\n  b\nc\n");
        assert_eq!(again("  a\none\ntwo"), "  a\none two");
        assert_eq!(again("a\n\n"), "a\n\n\n");
    }
}
