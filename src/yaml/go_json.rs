//! JSON as Go writes it.
//!
//! Owns the bytes of `encoding/json`: no blanks, keys in the order of their bytes, what could end a script in a page
//! escaped. Names of generated objects are hashes of these bytes.

use std::fmt::Write as _;

use super::node::{Node, NotJson, Scalar, Tag};
use super::{go_number, resolve};

/// A node as compact JSON.
///
/// # Errors
/// [`NotJson`] for a number that JSON does not have.
pub fn write_go_json(node: &Node) -> Result<String, NotJson> {
    let mut text = String::new();
    encode(node, &mut text)?;
    Ok(text)
}

fn encode(node: &Node, text: &mut String) -> Result<(), NotJson> {
    match node {
        Node::Mapping(mapping) => {
            let mut fields: Vec<_> = mapping.iter().map(|(name, node)| (name.text(), node)).collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (position, (name, node)) in fields.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                encode_text(name, text);
                text.push(':');
                encode(node, text).map_err(|error| error.below(name))?;
            }
            text.push('}');
        }
        Node::Sequence(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                encode(item, text).map_err(|error| error.below(position))?;
            }
            text.push(']');
        }
        Node::Scalar(scalar) => encode_scalar(scalar, text)?,
    }
    Ok(())
}

fn encode_scalar(scalar: &Scalar, text: &mut String) -> Result<(), NotJson> {
    let fault = |reason| NotJson::new(scalar.text(), reason);
    match scalar.tag() {
        Tag::Null => text.push_str("null"),
        Tag::Bool => text.push_str(if scalar.text().eq_ignore_ascii_case("true") { "true" } else { "false" }),
        Tag::Int => text.push_str(&go_number::int(scalar.text()).ok_or_else(|| fault("is not an integer"))?),
        Tag::Float => {
            let value = resolve::go_float(scalar.text()).filter(|value| value.is_finite());
            text.push_str(&go_number::json(value.ok_or_else(|| fault("is not a number that JSON has"))?));
        }
        Tag::Timestamp => encode_text(&resolve::timestamp(scalar.text()).ok_or_else(|| fault("is not a time"))?, text),
        Tag::Str | Tag::Merge => encode_text(scalar.text(), text),
    }
    Ok(())
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
    fn keys_are_sorted_and_signs_escaped() {
        let node = Node::from(json!({"b": [1, 1.5, true, null], "a": "<\u{2028}\t\u{1}é\""}));
        let expected = "{\"a\":\"\\u003c\\u2028\\t\\u0001é\\\"\",\"b\":[1,1.5,true,null]}";
        assert_eq!(write_go_json(&node).unwrap(), expected);
    }
}
