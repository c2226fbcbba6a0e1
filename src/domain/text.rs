//! Characters that make a text show as something else than it is.

/// Whether a character changes the order in which others are shown (CVE-2021-42574).
#[must_use]
pub fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
