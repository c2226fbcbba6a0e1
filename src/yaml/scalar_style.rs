//! How a scalar is written: plain, in quotes, or as a block.
//!
//! Owns the analysis of libyaml's emitter (`yaml_emitter_analyze_scalar`) and the resolution of plain scalars by
//! `gopkg.in/yaml.v2`, which is YAML 1.1's: `yes`, `1:30` and `0b1` would be read as something else, so they get quotes.

use super::resolve;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The style of a text. `may_be_plain` says whether it reads back as what it is without quotes.
pub(super) fn choose(text: &str, may_be_plain: bool, is_key: bool) -> Style {
    let has_line_feed = text.contains('\n');
    if !has_line_feed && may_be_plain && is_simple(text) {
        return Style::Plain;
    }
    let analysis = Analysis::of(text);
    if is_key && analysis.is_multiline {
        return Style::Double;
    }
    if has_line_feed {
        return if analysis.block && !is_key { Style::Literal } else { Style::Double };
    }
    if !may_be_plain {
        return Style::Double;
    }
    match (analysis.plain, analysis.single) {
        (true, _) if !text.is_empty() || !is_key => Style::Plain,
        (_, true) => Style::Single,
        _ => Style::Double,
    }
}

/// Words, names, paths and numbers, which are plain without any further look.
fn is_simple(text: &str) -> bool {
    let first = text.as_bytes().first();
    first.is_some_and(u8::is_ascii_alphanumeric)
        && !text.starts_with("---")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/' | b'=' | b'+'))
}

/// What a text allows.
struct Analysis {
    is_multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let mut has_indicator = text.starts_with("---") || text.starts_with("...");
        let (mut is_multiline, mut is_special) = (false, false);
        let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut was_space, mut was_break, mut after_blank) = (false, false, true);
        let mut characters = text.char_indices().peekable();
        while let Some((position, character)) = characters.next() {
            let before_blank = characters.peek().is_none_or(|(_, next)| is_blank(*next));
            let is_last = characters.peek().is_none();
            has_indicator |= match character {
                ':' => before_blank,
                '#' => position == 0 || after_blank,
                '-' | '?' if position == 0 => before_blank,
                _ => position == 0 && is_indicator(character),
            };
            is_special |= !is_printable(character);
            if character == ' ' {
                leading |= position == 0;
                trailing_space |= is_last;
                break_space |= was_break;
                (was_space, was_break) = (true, false);
            } else if is_break(character) {
                is_multiline = true;
                leading |= position == 0;
                trailing_break |= is_last;
                space_break |= was_space;
                (was_space, was_break) = (false, true);
            } else {
                (was_space, was_break) = (false, false);
            }
            after_blank = is_blank(character);
        }
        let is_broken = space_break || is_special;
        let edges = leading || trailing_space || trailing_break;
        Self {
            is_multiline,
            plain: !(has_indicator || edges || break_space || is_broken || is_multiline),
            single: !(break_space || is_broken),
            block: !(trailing_space || is_broken),
        }
    }
}

fn is_indicator(character: char) -> bool {
    matches!(character, ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`')
}

/// A line break of YAML 1.1.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\0') || is_break(character)
}

/// What the emitter writes as it is. Tabs and what lies beyond the basic plane are not among it.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && character != '\u{feff}'
}

/// What is written as an escape within double quotes.
pub(super) fn needs_escape(character: char) -> bool {
    !is_printable(character) || is_break(character) || matches!(character, '"' | '\\')
}

/// Whether a text without quotes is a text to a reader of YAML 1.1.
pub(super) fn is_text_in_yaml_1_1(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => !is_word(text),
        b'.' => !(is_word(text) || resolve::go_float(text).is_some()),
        b'+' | b'-' | b'0'..=b'9' => {
            !(is_word(text) || is_number(text) || resolve::is_timestamp(text) || is_base_60(text))
        }
        _ => true,
    }
}

/// The truth value that a word without quotes is in YAML 1.1.
pub(super) fn truth_in_yaml_1_1(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    truth_in_yaml_1_1(text).is_some()
        || matches!(
            text,
            "~" | "null"
                | "Null"
                | "NULL"
                | ".nan"
                | ".NaN"
                | ".NAN"
                | ".inf"
                | ".Inf"
                | ".INF"
                | "+.inf"
                | "+.Inf"
                | "+.INF"
                | "-.inf"
                | "-.Inf"
                | "-.INF"
        )
}

fn is_number(text: &str) -> bool {
    resolve::int(text).is_some() || resolve::go_float(text).is_some()
}

/// `1:30` was a number in YAML 1.1: `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = whole.split(':');
    let is_head = parts.next().is_some_and(|head| {
        head.starts_with(|first: char| first.is_ascii_digit())
            && head.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    });
    let mut count = 0;
    let are_minutes = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [digit] => digit.is_ascii_digit(),
            [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        }
    });
    is_head && are_minutes && count > 0 && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_those_of_libyaml() {
        let style = |text: &str| choose(text, is_text_in_yaml_1_1(text), false);
        for plain in ["a", "a b", "a:b", "-a", "?a", "a#b", "é", "nginx:1.2", "<a>", "1.2.3", "a,b", "=", "<<"] {
            assert_eq!(style(plain), Style::Plain, "{plain}");
        }
        for single in
            ["a: b", "a:", "- a", "-", "?", "#a", "a #b", "[a", "*", "!x", " a", "a ", "---", "...x", "@a", "'"]
        {
            assert_eq!(style(single), Style::Single, "{single}");
        }
        for double in ["", "yes", "1", "1.5", "1:30", "0x1", "null", "2001-01-01", "a\tb", "a\rb", "\u{1}", "~"] {
            assert_eq!(style(double), Style::Double, "{double:?}");
        }
        assert_eq!((style("a\nb"), style("a \nb")), (Style::Literal, Style::Double));
    }

    #[test]
    fn base_60_is_what_the_pattern_says() {
        for text in ["1:30", "190:20:30.15", "+1:2", "1_0:5"] {
            assert!(is_base_60(text), "{text}");
        }
        for text in ["1:60", "1", ":30", "1:", "a:30", "1:300"] {
            assert!(!is_base_60(text), "{text}");
        }
    }
}
