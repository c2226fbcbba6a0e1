//! What a plain scalar is taken for.
//!
//! Owns the rules of `gopkg.in/yaml.v3` (resolve.go), which is what kustomize reads with: YAML 1.2 truth values, integers
//! of both versions (`0o17` and `017`), dates. `yes` and `off` are texts.

use std::borrow::Cow;

use super::node::Tag;

/// An integer as Go holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Int {
    Signed(i64),
    Unsigned(u64),
}

/// What a text is without quotes and without a tag.
pub(super) fn resolve(text: &str) -> Tag {
    let Some(first) = text.bytes().next() else { return Tag::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'~' => word(text).unwrap_or(Tag::Str),
        b'.' => word(text).unwrap_or_else(|| if go_float(text).is_some() { Tag::Float } else { Tag::Str }),
        b'+' | b'-' | b'0'..=b'9' => word(text).unwrap_or_else(|| number(text)),
        b'<' if text == "<<" => Tag::Merge,
        _ => Tag::Str,
    }
}

fn word(text: &str) -> Option<Tag> {
    Some(match text {
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Tag::Bool,
        "~" | "null" | "Null" | "NULL" => Tag::Null,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => Tag::Float,
        _ => return None,
    })
}

fn number(text: &str) -> Tag {
    // Almost all numbers are a few digits.
    if text.len() < 18 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Tag::Int;
    }
    if is_timestamp(text) {
        return Tag::Timestamp;
    }
    if int(text).is_some() {
        return Tag::Int;
    }
    let plain = without_underscores(text);
    if is_yaml_float(&plain) && go_float(&plain).is_some() { Tag::Float } else { Tag::Str }
}

fn without_underscores(text: &str) -> Cow<'_, str> {
    if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) }
}

/// The integer that a text stands for.
pub(super) fn int(text: &str) -> Option<Int> {
    let plain = without_underscores(text);
    let (is_negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, &*plain),
    };
    // `0o-7` is a number to go-yaml: it takes the prefix off and reads the rest.
    if let (false, Some(radix)) = (
        is_negative,
        match plain.get(..3) {
            Some("0o-" | "0o+") => Some(8),
            Some("0b-" | "0b+") => Some(2),
            _ => None,
        },
    ) {
        return i64::from_str_radix(&plain[2..], radix).ok().map(Int::Signed);
    }
    let lower = digits.get(..2).unwrap_or_default();
    let (radix, digits) = match lower {
        "0x" | "0X" => (16, &digits[2..]),
        "0b" | "0B" => (2, &digits[2..]),
        "0o" | "0O" => (8, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (is_negative, i64::try_from(magnitude)) {
        (false, Ok(value)) => Some(Int::Signed(value)),
        (true, Ok(value)) => Some(Int::Signed(-value)),
        (false, Err(_)) if !plain.starts_with('+') => Some(Int::Unsigned(magnitude)),
        (true, Err(_)) if magnitude == i64::MIN.unsigned_abs() => Some(Int::Signed(i64::MIN)),
        _ => None,
    }
}

/// The pattern of a float: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_yaml_float(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let rest = &rest[whole..];
    let rest = match rest.strip_prefix('.') {
        Some(after) => {
            let fraction = digits(after);
            if whole == 0 && fraction == 0 {
                return false;
            }
            &after[fraction..]
        }
        None if whole == 0 => return false,
        None => rest,
    };
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        None => rest.is_empty(),
    }
}

/// A number as Go's `ParseFloat` reads it: one that is too large is none.
pub(super) fn go_float(text: &str) -> Option<f64> {
    let value = match text {
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        _ => {
            let plain = without_underscores(text);
            return plain.parse().ok().filter(|value: &f64| value.is_finite() && is_yaml_float(&plain));
        }
    };
    Some(value)
}

/// Whether a text is a date (`2001-1-2`) or a date with a time, in one of the four forms that go-yaml takes.
pub(super) fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

/// The time that a text stands for, in the form of RFC 3339 with as many digits of the second as are needed.
pub(super) fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let mut reader = Reader { rest: text };
    let year = reader.digits(4, 4)?;
    reader.expect('-')?;
    let month = reader.digits(1, 2)?;
    reader.expect('-')?;
    let day = reader.digits(1, 2)?;
    let date =
        jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if reader.rest.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let has_zone = match reader.next()? {
        'T' | 't' => true,
        ' ' => false,
        _ => return None,
    };
    let hour = reader.digits(1, 2)?;
    reader.expect(':')?;
    let minute = reader.digits(1, 2)?;
    reader.expect(':')?;
    let second = reader.digits(1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = reader.fraction()?;
    let zone = if has_zone { reader.zone()? } else { "Z".to_owned() };
    reader.rest.is_empty().then(|| format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

/// Takes the parts of a time off a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn expect(&mut self, expected: char) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.parse().ok()
    }

    /// A fraction of a second, without the zeros at its end.
    fn fraction(&mut self) -> Option<String> {
        let Some(rest) = self.rest.strip_prefix(['.', ',']) else { return Some(String::new()) };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        let digits = rest[..count.min(9)].trim_end_matches('0');
        self.rest = &rest[count..];
        Some(if digits.is_empty() { String::new() } else { format!(".{digits}") })
    }

    fn zone(&mut self) -> Option<String> {
        let sign = self.next()?;
        if sign == 'Z' {
            return Some("Z".to_owned());
        }
        let hours = self.digits(2, 2)?;
        self.expect(':')?;
        let minutes = self.digits(2, 2)?;
        match (sign, hours, minutes) {
            ('+' | '-', 0, 0) => Some("Z".to_owned()),
            ('+' | '-', 0..=23, 0..=59) => Some(format!("{sign}{hours:02}:{minutes:02}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_go_yaml_takes_them_for() {
        let table: [(Tag, &[&str]); 7] = [
            (Tag::Null, &["", "~", "null", "NULL"]),
            (Tag::Bool, &["true", "False"]),
            (
                Tag::Int,
                &[
                    "0",
                    "-0",
                    "+1",
                    "0644",
                    "0o17",
                    "0x1F",
                    "-0b11",
                    "1_000",
                    "18446744073709551615",
                    "123456789012345678",
                ],
            ),
            (
                Tag::Float,
                &["1.10", "1e3", ".5", "5.", "+1.5", ".inf", "-.INF", ".NaN", "18446744073709551616", "08.5", "09"],
            ),
            (
                Tag::Timestamp,
                &["2001-01-02", "2001-1-2", "2001-01-02T03:04:05Z", "2001-01-02 03:04:05.25", "2001-01-02t3:4:5+09:00"],
            ),
            (
                Tag::Str,
                &[
                    "yes",
                    "off",
                    "y",
                    "1:30",
                    "nUll",
                    "1e",
                    ".",
                    "-",
                    "0x",
                    "1e400",
                    "2001-13-01",
                    "2001-01-02 03:04:05 +1",
                    "1.2.3",
                ],
            ),
            (Tag::Str, &["a", "tru", "+", "1 2"]),
        ];
        for (tag, texts) in table {
            for text in texts {
                assert_eq!(resolve(text), tag, "{text}");
            }
        }
    }

    #[test]
    fn integers_have_their_values() {
        assert_eq!(int("0644"), Some(Int::Signed(420)));
        assert_eq!(int("-9223372036854775808"), Some(Int::Signed(i64::MIN)));
        assert_eq!(int("18446744073709551615"), Some(Int::Unsigned(u64::MAX)));
        assert_eq!((int("08"), int("1.0"), int("-18446744073709551615")), (None, None, None));
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(timestamp("2001-1-2").as_deref(), Some("2001-01-02T00:00:00Z"));
        assert_eq!(timestamp("2001-01-02 3:4:5.250").as_deref(), Some("2001-01-02T03:04:05.25Z"));
        assert_eq!(timestamp("2001-01-02T03:04:05-07:30").as_deref(), Some("2001-01-02T03:04:05-07:30"));
    }
}
