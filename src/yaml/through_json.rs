//! What kustomize's own detours make of nodes.
//!
//! Owns two that go through JSON: objects that a JSON patch changes are written as JSON and read again, and the patches
//! themselves are read as YAML 1.1 and then as JSON, whose numbers are floats. And one that does not: what a merge does to
//! all the values of an object.

use super::node::{Mapping, Node, NotJson, Scalar, Style, Tag};
use super::scalar_style::truth_in_yaml_1_1;
use super::{go_number, go_writer, resolve};

/// An object after it was written as JSON and read again: numbers are spelled as Go spells them, and texts are in quotes.
///
/// # Errors
/// [`NotJson`] for numbers that JSON does not have.
pub fn normalize(node: &mut Node) -> Result<(), NotJson> {
    match node {
        Node::Scalar(scalar) => {
            *scalar = normalized(scalar)?;
            Ok(())
        }
        Node::Sequence(items) => items.iter_mut().try_for_each(normalize),
        Node::Mapping(mapping) => {
            let entries = std::mem::take(mapping).into_iter().map(|(key, mut node)| {
                normalize(&mut node)?;
                Ok((Scalar::string(key.text()), node))
            });
            *mapping = entries.collect::<Result<Mapping, NotJson>>()?;
            Ok(())
        }
    }
}

fn normalized(scalar: &Scalar) -> Result<Scalar, NotJson> {
    let text = scalar.text();
    let fault = |reason| NotJson::new(text, reason);
    Ok(match scalar.tag() {
        Tag::Null => Scalar::tagged("null", Tag::Null),
        Tag::Bool => Scalar::tagged(text.to_ascii_lowercase(), Tag::Bool),
        Tag::Int => Scalar::tagged(go_number::int(text).ok_or_else(|| fault("is not an integer"))?, Tag::Int),
        Tag::Float => {
            let value = resolve::go_float(text).filter(|value| value.is_finite());
            Scalar::plain(go_number::json(value.ok_or_else(|| fault("is not a number that JSON has"))?))
        }
        Tag::Timestamp => {
            let time = resolve::timestamp(text).ok_or_else(|| fault("is not a time"))?;
            Scalar::string(time).with_style(Style::Quoted)
        }
        Tag::Str if scalar.style() == Style::Exact => scalar.clone(),
        Tag::Str | Tag::Merge => Scalar::string(go_writer::reread(scalar)?).with_style(Style::Quoted),
    })
}

/// What a merge does to every value of an object, whether or not it is in the patch: texts that would be truth values in
/// YAML 1.1 get quotes, and what was put into a field that had to be made becomes a text.
pub fn settle(node: &mut Node) {
    match node {
        Node::Scalar(scalar) => {
            if scalar.style() == Style::Made {
                let time = (scalar.tag() == Tag::Timestamp).then(|| resolve::timestamp(scalar.text())).flatten();
                *scalar = Scalar::string(time.as_deref().unwrap_or(scalar.text()));
            } else if scalar.tag() == Tag::Str
                && scalar.style() == Style::Plain
                && truth_in_yaml_1_1(scalar.text()).is_some()
            {
                *scalar = Scalar::string(scalar.text()).with_style(Style::Quoted);
            }
        }
        Node::Sequence(items) => items.iter_mut().for_each(settle),
        Node::Mapping(mapping) => mapping.values_mut().for_each(settle),
    }
}

/// A node as it is read as YAML 1.1 and then as JSON: `yes` is a truth value, also as a key, and every number is a float.
pub fn from_yaml_1_1(node: &mut Node) {
    match node {
        Node::Scalar(scalar) => match scalar.tag() {
            Tag::Int | Tag::Float => {
                if let Some(number) = scalar.number() {
                    *scalar = Scalar::plain(go_number::json(number));
                }
            }
            // To YAML 1.1, as Go's tools have it, a date is a text.
            Tag::Timestamp => *scalar = Scalar::string(scalar.text()),
            Tag::Str if scalar.style() == Style::Plain => {
                if let Some(value) = truth_in_yaml_1_1(scalar.text()) {
                    *scalar = Scalar::tagged(if value { "true" } else { "false" }, Tag::Bool);
                }
            }
            _ => {}
        },
        Node::Sequence(items) => items.iter_mut().for_each(from_yaml_1_1),
        Node::Mapping(mapping) => {
            let entries = std::mem::take(mapping).into_iter().map(|(key, mut node)| {
                from_yaml_1_1(&mut node);
                let mut key = Node::Scalar(key);
                from_yaml_1_1(&mut key);
                (Scalar::string(key.as_scalar().map(Scalar::text).unwrap_or_default()), node)
            });
            *mapping = entries.collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_nodes, write_go};
    use super::*;

    #[test]
    fn numbers_and_words_change_on_the_way() {
        let mut nodes = read_nodes("y: yes\na: 12345678901234567890\nb: 1.50\nc: 2001-01-01\nd: \"no\"\n").unwrap();
        from_yaml_1_1(&mut nodes[0]);
        assert_eq!(
            write_go(&nodes).unwrap(),
            "a: 12345678901234567000\nb: 1.5\nc: \"2001-01-01\"\nd: \"no\"\n\"true\": true\n"
        );
    }

    #[test]
    fn texts_that_never_were_yaml_stay() {
        let text = "\u{7f} a \u{85} b";
        let mut node = Node::from(serde_json::Value::from(text));
        normalize(&mut node).unwrap();
        assert_eq!(node.text(), Some(text));
        assert!(normalize(&mut Node::string(text)).is_err());
    }

    #[test]
    fn spellings_are_lost() {
        let mut nodes = read_nodes("a: 0x1F\nb: 1.10\nc: True\nd: ~\n").unwrap();
        normalize(&mut nodes[0]).unwrap();
        let texts: Vec<_> =
            nodes[0].as_mapping().unwrap().iter().map(|(_, node)| node.as_scalar().unwrap().text()).collect();
        assert_eq!(texts, ["31", "1.1", "true", "null"]);
    }
}
