//! Changing one value in a text that a person wrote, leaving their comments, order and quoting alone.

use serde_json::{Map, Value};

use super::spans::{Content, Node, parse};
use super::{read, write};

/// `text` with the value at `path` (keys of nested mappings) set to `value`, or removed where `value` is `None`.
///
/// Comments and layout outside the entry that changes stay as they are. Where the text cannot be edited in place (it
/// uses flow style, anchors or is not a mapping), the document is written anew: the value is always right, the layout
/// is kept where it can be.
///
/// # Errors
/// [`super::Error`] if `text` is not a YAML mapping.
pub fn set(text: &str, path: &[&str], value: Option<&Value>) -> Result<String, super::Error> {
    let mut wanted: Value = if text.trim().is_empty() { Value::Object(Map::new()) } else { read(text)? };
    if wanted.is_null() {
        // A file of comments only.
        wanted = Value::Object(Map::new());
    }
    assign(&mut wanted, path, value);
    if let Some(edited) = splice(text, path, value)
        && read::<Value>(&edited)
            .is_ok_and(|found| found == wanted || (found.is_null() && wanted == Value::Object(Map::new())))
    {
        return Ok(edited);
    }
    write(&wanted).map_err(|_| super::Error {
        message: "the document cannot be written".to_owned(),
        line: 0,
        column: 0,
        kind: super::ErrorKind::Value,
    })
}

fn assign(target: &mut Value, path: &[&str], value: Option<&Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    if !rest.is_empty() {
        if value.is_some() || map.contains_key(*key) {
            assign(map.entry((*key).to_owned()).or_insert(Value::Null), rest, value);
        }
    } else if let Some(value) = value {
        map.insert((*key).to_owned(), value.clone());
    } else {
        map.shift_remove(*key);
    }
}

/// The edited text, or `None` where the layout does not allow it. The caller checks the result by reading it.
fn splice(text: &str, path: &[&str], value: Option<&Value>) -> Option<String> {
    let Some(root) = parse(text) else {
        // No document: nothing but comments and blank lines.
        let mut edited = with_line_break(text);
        edited.push_str(&entry_text(path, value?, 0)?);
        return Some(edited);
    };
    let mut mapping = &root;
    let mut indent = 0;
    let mut depth = 0;
    loop {
        let Content::Mapping { entries, flow: false } = &mapping.content else { return None };
        if let Some((key, _)) = entries.first() {
            indent = key.column - 1;
        }
        let (key, rest) = path.get(depth..)?.split_first()?;
        match mapping.entry(key) {
            Some((key, current)) if rest.is_empty() => return replace(text, key, current, path, value, indent),
            Some((_, next)) if matches!(&next.content, Content::Mapping { flow: false, entries } if !entries.is_empty()) =>
            {
                mapping = next;
            }
            Some(_) => return None,
            None => return insert(text, mapping, &path[depth..], value, indent),
        }
        depth += 1;
    }
}

fn replace(
    text: &str,
    key: &Node,
    current: &Node,
    path: &[&str],
    value: Option<&Value>,
    indent: usize,
) -> Option<String> {
    let start = line_start(text, key.start);
    if !text.get(start..key.start)?.trim().is_empty() {
        return None;
    }
    let end = line_end(text, current.end.max(key.end));
    let Some(value) = value else {
        return Some(format!("{}{}", &text[..start], &text[end..]));
    };
    // A comment behind a one-line value is kept behind the new one.
    let last_line = text.get(current.end.max(key.end)..end)?;
    let comment = last_line.trim_start().starts_with('#').then(|| last_line.trim_end());
    let mut entry = entry_text(&path[path.len() - 1..], value, indent)?;
    if let Some(comment) = comment
        && entry.lines().count() == 1
    {
        entry.insert_str(entry.len() - 1, comment);
    }
    Some(format!("{}{entry}{}", &text[..start], &text[end..]))
}

fn insert(text: &str, mapping: &Node, path: &[&str], value: Option<&Value>, indent: usize) -> Option<String> {
    let Some(value) = value else { return Some(text.to_owned()) };
    let end = line_end(text, mapping.end);
    let before = with_line_break(&text[..end]);
    Some(format!("{before}{}{}", entry_text(path, value, indent)?, &text[end..]))
}

fn entry_text(path: &[&str], value: &Value, indent: usize) -> Option<String> {
    let nested =
        path.iter().rev().fold(value.clone(), |inner, key| Value::Object(Map::from_iter([((*key).to_owned(), inner)])));
    let pad = " ".repeat(indent);
    let written = write(&nested).ok()?;
    Some(written.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") }).collect())
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// The offset behind the line break that ends the line of the character before `offset`.
fn line_end(text: &str, offset: usize) -> usize {
    if offset > 0 && text[..offset].ends_with('\n') {
        return offset;
    }
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

fn with_line_break(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "# ours\nimage: a:1   # pinned\n\nreplicas: 2\n# sizes\nresources:\n  memory: 1Gi # big\n  cpu: 500m\nlast: x\n";

    #[test]
    fn comments_and_order_outlive_an_edit() {
        let edited = set(TEXT, &["image"], Some(&json!("a:2"))).unwrap();
        assert_eq!(edited, TEXT.replace("a:1", "a:2"));
        let edited = set(TEXT, &["resources", "memory"], Some(&json!("2Gi"))).unwrap();
        assert_eq!(edited, TEXT.replace("1Gi", "2Gi"));
        let edited = set(TEXT, &["replicas"], None).unwrap();
        assert_eq!(edited, TEXT.replace("replicas: 2\n", ""));
        let edited = set(TEXT, &["resources"], None).unwrap();
        assert_eq!(edited, "# ours\nimage: a:1   # pinned\n\nreplicas: 2\n# sizes\nlast: x\n");
    }

    #[test]
    fn new_keys_go_behind_their_siblings() {
        let edited = set(TEXT, &["hold", "reason"], Some(&json!("no: really"))).unwrap();
        assert_eq!(edited, format!("{TEXT}hold:\n  reason: \"no: really\"\n"));
        let edited = set(TEXT, &["resources", "disk"], Some(&json!("1Gi"))).unwrap();
        assert_eq!(edited, TEXT.replace("  cpu: 500m\n", "  cpu: 500m\n  disk: 1Gi\n"));
        assert_eq!(set("", &["a"], Some(&json!(1))).unwrap(), "a: 1\n");
        assert_eq!(set("# only words\n", &["a"], Some(&json!(1))).unwrap(), "# only words\na: 1\n");
    }

    #[test]
    fn layouts_that_cannot_be_spliced_still_get_the_value() {
        let edited = set("{a: 1, b: {c: 2}}\n", &["b", "c"], Some(&json!(3))).unwrap();
        assert_eq!(read::<Value>(&edited).unwrap(), json!({"a": 1, "b": {"c": 3}}));
        let edited = set("a: &x {b: 1}\nc: *x\n", &["a", "b"], Some(&json!(2))).unwrap();
        assert_eq!(read::<Value>(&edited).unwrap(), json!({"a": {"b": 2}, "c": {"b": 1}}));
        let edited = set("a: |\n  text\n  more\nb: 1\n", &["a"], Some(&json!("x"))).unwrap();
        assert_eq!(edited, "a: x\nb: 1\n");
        let edited = set("a:\n- 1\n- 2\n\n# about b\nb: 1\n", &["a"], Some(&json!([3]))).unwrap();
        assert_eq!(edited, "a:\n- 3\n\n# about b\nb: 1\n");
    }
}
