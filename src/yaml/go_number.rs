//! Numbers as Go prints them.
//!
//! Owns the road of a number from a resource to the output of kustomize: it is written as JSON (`encoding/json`), read
//! back by go-yaml and written as YAML (`strconv.FormatFloat` with the format `g`).

use super::resolve::{self, Int};

/// The largest exponent below which a float is written without one, as JSON.
const PLAIN_BELOW: f64 = 1e21;

/// The number that an integer or a float stands for.
pub(super) fn value(text: &str) -> Option<f64> {
    match int(text) {
        Some(decimal) => decimal.parse().ok(),
        None => resolve::go_float(text),
    }
}

/// An integer in decimal. `None` if the text is no integer.
pub(super) fn int(text: &str) -> Option<String> {
    Some(match resolve::int(text)? {
        Int::Signed(value) => value.to_string(),
        Int::Unsigned(value) => value.to_string(),
    })
}

/// A float as it comes out in YAML. `None` for what JSON cannot write: infinities and no numbers.
pub(super) fn float(text: &str) -> Option<String> {
    let value = resolve::go_float(text).filter(|value| value.is_finite())?;
    let json = json(value);
    match resolve::int(&json) {
        Some(_) => int(&json),
        None => Some(shortest(value)),
    }
}

/// A float as `encoding/json` writes it.
pub(super) fn json(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..PLAIN_BELOW).contains(&magnitude) {
        // Go writes at least two digits of exponent and JSON takes the zero of a negative one out again.
        let text = exponential(value);
        match text.split_once("e-0") {
            Some((digits, exponent)) => format!("{digits}e-{exponent}"),
            None => text,
        }
    } else {
        format!("{value}")
    }
}

/// The shortest form that reads back, with an exponent where it is below -4, or 6 and above.
fn shortest(value: f64) -> String {
    let text = exponential(value);
    let exponent: i32 = text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    if (-4..6).contains(&exponent) { format!("{value}") } else { text }
}

/// One digit, the others behind a point, and an exponent with its sign and at least two digits.
fn exponential(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        for (text, expected) in [
            ("1.10", "1.1"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("1e21", "1e+21"),
            ("1e20", "1e+20"),
            ("1e-7", "1e-07"),
            ("0.00001", "1e-05"),
            ("123456.5", "123456.5"),
            ("123456789.5", "1.234567895e+08"),
            ("12345678901234567890123", "1.2345678901234568e+22"),
            (".5", "0.5"),
            ("-0.0", "0"),
            ("08", "8"),
        ] {
            assert_eq!(float(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(float(".inf"), None);
        assert_eq!(int("0x1F").as_deref(), Some("31"));
    }
}
