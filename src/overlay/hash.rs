//! The hash at the end of a generated name.
//!
//! Owns what is hashed and the alphabet of the result. Both are kustomize's, to the bit: names must not change when one
//! tool takes over from the other.

use aws_lc_rs::digest::{SHA256, digest};

use crate::yaml::{self, Mapping, Node, NotJson, Scalar};

/// How many characters a hash has.
const LENGTH: usize = 10;

/// The hash of a ConfigMap, a Secret, or any other object.
///
/// # Errors
/// [`NotJson`] if the object has something that JSON has not.
pub(super) fn hash(object: &Node) -> Result<String, NotJson> {
    let kind = object.get("kind").and_then(Node::text).unwrap_or_default();
    let hashed = match kind {
        "ConfigMap" | "Secret" => content(object, kind),
        _ => object.clone(),
    };
    Ok(readable(digest(&SHA256, yaml::write_go_json(&hashed)?.as_bytes()).as_ref()))
}

/// The parts that make the content. The name is left out, so that a prefix does not change the hash.
fn content(object: &Node, kind: &str) -> Node {
    let mut hashed = Mapping::default();
    let mut put = |name: &str, node: Node| hashed.push(Scalar::string(name), node);
    let field = |name: &str| object.get(name).cloned().unwrap_or_else(|| Node::string(""));
    put("kind", Node::string(kind));
    put("name", Node::string(""));
    put("data", field("data"));
    if kind == "Secret" {
        put("type", field("type"));
    }
    let optional = if kind == "Secret" { "stringData" } else { "binaryData" };
    if let Some(node @ Node::Mapping(_)) = object.get(optional) {
        put(optional, node.clone());
    }
    Node::Mapping(hashed)
}

/// Hexadecimal, with the digits replaced that could make a word or be mistaken for a letter.
fn readable(bytes: &[u8]) -> String {
    let hex = bytes.iter().take(LENGTH.div_ceil(2)).flat_map(|byte| [byte >> 4, byte & 15]);
    hex.take(LENGTH).map(|digit| char::from(b"gh2k456789mbcdtf"[usize::from(digit)])).collect()
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
            assert_eq!(hash(&Node::from(object.clone())).unwrap(), expected, "{object}");
        }
    }
}
