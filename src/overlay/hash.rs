//! The hash at the end of a generated name.
//!
//! Owns the bytes that are hashed and the alphabet of the result. Both are kustomize's, to the bit: names must not change
//! when one tool takes over from the other. Hence an encoder of its own, which escapes what Go's does.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

/// How many characters a hash has.
const LENGTH: usize = 10;

/// The hash of a ConfigMap or Secret.
pub(super) fn hash(object: &Value) -> String {
    let empty = Value::String(String::new());
    let field = |name: &str| object.get(name).unwrap_or(&empty);
    let kind = field("kind").as_str().unwrap_or_default();
    // The name is left out, so that a prefix does not change the hash. Keys are in the order of their bytes.
    let mut text = String::from("{");
    if kind == "ConfigMap"
        && let Some(binary) = object.get("binaryData").filter(|value| value.is_object())
    {
        text.push_str("\"binaryData\":");
        encode(binary, &mut text);
        text.push(',');
    }
    text.push_str("\"data\":");
    encode(field("data"), &mut text);
    let _ = write!(text, ",\"kind\":\"{kind}\",\"name\":\"\"");
    if kind == "Secret" {
        if let Some(plain) = object.get("stringData").filter(|value| value.is_object()) {
            text.push_str(",\"stringData\":");
            encode(plain, &mut text);
        }
        text.push_str(",\"type\":");
        encode(field("type"), &mut text);
    }
    text.push('}');
    readable(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Hexadecimal, with the digits replaced that could make a word or be mistaken for a letter.
fn readable(bytes: &[u8]) -> String {
    let hex = bytes.iter().take(LENGTH.div_ceil(2)).flat_map(|byte| [byte >> 4, byte & 15]);
    hex.take(LENGTH).map(|digit| char::from(b"gh2k456789mbcdtf"[usize::from(digit)])).collect()
}

fn encode(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (position, (name, value)) in fields.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                encode_text(name, text);
                text.push(':');
                encode(value, text);
            }
            text.push('}');
        }
        Value::String(string) => encode_text(string, text),
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

fn encode_text(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_are_those_of_kustomize() {
        for (object, expected) in [
            (json!({"kind": "ConfigMap", "data": {"a": "b"}}), "4h2mbtbbt6"),
            (json!({"kind": "ConfigMap"}), "6ct58987ht"),
            (json!({"kind": "ConfigMap", "data": {"q": "<a>&\u{2028}é\t\n"}}), "9bbtfdckfc"),
            (json!({"kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}}), "k695gkmbtk"),
            (json!({"kind": "Secret", "type": "Opaque", "data": {}}), "46f8b28mk5"),
        ] {
            assert_eq!(hash(&object), expected, "{object}");
        }
    }
}
