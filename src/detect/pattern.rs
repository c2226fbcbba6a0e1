//! Constant patterns over lines of source text.
//!
//! Owns when a pattern is compiled: once, at its first use. The engine's time is linear in the text, whatever the
//! text, so hostile files cost no more than others.

use std::sync::OnceLock;

use regex::{Captures, Regex};

/// A pattern that is part of the program.
pub(super) struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The pattern `source`, not yet compiled.
    pub(super) const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(self.source).ok()).as_ref()
    }

    /// The first match in `text`.
    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex()?.captures(text)
    }

    /// The first group of the first match in `text`.
    pub(super) fn first<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.captures(text)?.get(1)?.as_str())
    }

    /// Whether `text` holds a match.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// The first group of every match in `text`.
    pub(super) fn all<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let Some(regex) = self.regex() else { return Vec::new() };
        regex.captures_iter(text).filter_map(|captures| captures.get(1)).map(|group| group.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_groups_and_nothing_for_a_pattern_that_does_not_compile() {
        static DIGITS: Pattern = Pattern::new(r"(\d+)");
        static WRONG: Pattern = Pattern::new(r"(");
        assert_eq!(DIGITS.first("a 12 b 3"), Some("12"));
        assert_eq!(DIGITS.all("a 12 b 3"), ["12", "3"]);
        assert!(!WRONG.matches("("));
    }
}
