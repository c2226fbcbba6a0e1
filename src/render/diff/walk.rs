//! Where two values differ: a walk that knows lists by their items' keys.

use serde_json::Value;

/// One difference between two values.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    /// The way to it; an item of a keyed list is its key.
    pub(super) path: Vec<Segment<'a>>,
    pub(super) before: Option<&'a Value>,
    pub(super) after: Option<&'a Value>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Segment<'a> {
    Key(&'a str),
    /// An item of a list, by what tells it from its siblings.
    Item(String),
}

impl Difference<'_> {
    /// The path in dotted form: `spec.template.spec.containers[web].image`.
    pub(super) fn dotted(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if text.is_empty() => text.push_str(key),
                Segment::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
                Segment::Item(item) => text.push_str(&format!("[{item}]")),
            }
        }
        text
    }

    /// The keys of the path, without list items.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.path
            .iter()
            .filter_map(|segment| match segment {
                Segment::Key(key) => Some(*key),
                Segment::Item(_) => None,
            })
            .collect()
    }

    /// What tells the innermost list item from its siblings.
    pub(super) fn item(&self) -> Option<&str> {
        self.path.iter().rev().find_map(|segment| match segment {
            Segment::Item(item) => Some(item.as_str()),
            Segment::Key(_) => None,
        })
    }
}

/// The differences, in the order of `before`, additions behind.
pub(super) fn differences<'a>(before: &'a Value, after: &'a Value) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    walk(before, after, &mut Vec::new(), &mut found);
    found
}

/// The fields that tell list items apart, most telling first.
const ITEM_KEYS: [&str; 8] = ["name", "host", "mountPath", "containerPort", "topologyKey", "ip", "type", "secretName"];

fn walk<'a>(before: &'a Value, after: &'a Value, path: &mut Vec<Segment<'a>>, found: &mut Vec<Difference<'a>>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            for key in keys {
                path.push(Segment::Key(key));
                step(old.get(key), new.get(key), path, found);
                path.pop();
            }
        }
        (Value::Array(old), Value::Array(new)) => match items(old, new) {
            Some(pairs) => {
                for (name, old, new) in pairs {
                    path.push(Segment::Item(name));
                    step(old, new, path, found);
                    path.pop();
                }
            }
            None => record(Some(before), Some(after), path, found),
        },
        _ => record(Some(before), Some(after), path, found),
    }
}

fn step<'a>(
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    path: &mut Vec<Segment<'a>>,
    found: &mut Vec<Difference<'a>>,
) {
    match (before, after) {
        (Some(before), Some(after)) => walk(before, after, path, found),
        (before, after) => record(before, after, path, found),
    }
}

fn record<'a>(
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    path: &[Segment<'a>],
    found: &mut Vec<Difference<'a>>,
) {
    found.push(Difference { path: path.to_vec(), before, after });
}

type Pair<'a> = (String, Option<&'a Value>, Option<&'a Value>);

/// The items of two lists side by side, or `None` if they are compared as a whole (lists of plain values).
fn items<'a>(old: &'a [Value], new: &'a [Value]) -> Option<Vec<Pair<'a>>> {
    let both = || old.iter().chain(new);
    if !both().all(Value::is_object) {
        return None;
    }
    let keyed = ITEM_KEYS.iter().find(|key| unique(old, key) && unique(new, key));
    let Some(key) = keyed else {
        // Rules without a name (of a NetworkPolicy, say) are the same or they are not.
        let gone = old.iter().filter(|item| !new.contains(item)).map(|item| (String::new(), Some(item), None));
        let come = new.iter().filter(|item| !old.contains(item)).map(|item| (String::new(), None, Some(item)));
        return Some(gone.chain(come).collect());
    };
    let named = |list: &'a [Value], name: &Value| list.iter().find(|item| item.get(key) == Some(name));
    let mut pairs = Vec::new();
    for item in old {
        let name = item.get(key)?;
        pairs.push((plain(name), Some(item), named(new, name)));
    }
    for item in new {
        let name = item.get(key)?;
        if named(old, name).is_none() {
            pairs.push((plain(name), None, Some(item)));
        }
    }
    Some(pairs)
}

fn unique(list: &[Value], key: &str) -> bool {
    list.iter().enumerate().all(|(index, item)| {
        item.get(key).is_some_and(|name| !list[..index].iter().any(|other| other.get(key) == Some(name)))
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
