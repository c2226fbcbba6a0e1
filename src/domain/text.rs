//! Characters that make a text show as something else than it is.

/// Whether a character is not seen at all, or makes others seen in another order. Tabs and line breaks are seen.
#[must_use]
pub fn hides(c: char) -> bool {
    let is_break = matches!(c, '\t' | '\n' | '\r');
    (c.is_control() && !is_break)
        || reorders(c)
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Whether a character changes the order in which others are shown (CVE-2021-42574).
#[must_use]
pub fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
