//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::refusal::Refusal;

/// What a list or watch is narrowed to. All of its terms must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Term>,
    fields: Vec<Term>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Term {
    key: String,
    rule: Rule,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Term {
    fn holds(&self, found: Option<&str>) -> bool {
        match &self.rule {
            Rule::In(values) => found.is_some_and(|found| values.iter().any(|value| value == found)),
            Rule::NotIn(values) => found.is_none_or(|found| values.iter().all(|value| value != found)),
            Rule::Exists => found.is_some(),
            Rule::Absent => found.is_none(),
        }
    }
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, Refusal> {
        Ok(Self { labels: terms(labels)?, fields: terms(fields)? })
    }

    /// Whether it narrows nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is meant.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.labels.iter().all(|term| term.holds(label(&term.key)))
            && self.fields.iter().all(|term| term.holds(Some(&field(object, &term.key))))
    }
}

/// A field as text; a field that is absent is the empty text, as the real server has it.
fn field(object: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(object, |object, key| object.get(key));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn terms(text: &str) -> Result<Vec<Term>, Refusal> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        // A comma inside parentheses does not end a term.
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            *c == ',' && depth == 0
        });
        let (term, after) = match end {
            Some((at, _)) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        found
            .push(one(term.trim()).ok_or_else(|| {
                Refusal::bad_request(format!("unable to parse requirement: {}", term.escape_debug()))
            })?);
        rest = after;
    }
    Ok(found)
}

fn one(term: &str) -> Option<Term> {
    let make = |key: &str, rule| {
        let key = key.trim();
        (!key.is_empty() && !key.contains(char::is_whitespace)).then(|| Term { key: key.to_owned(), rule })
    };
    let value = |text: &str| vec![text.trim().to_owned()];
    if let Some((key, text)) = term.split_once("!=") {
        return make(key, Rule::NotIn(value(text)));
    }
    if let Some((key, text)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return make(key, Rule::In(value(text)));
    }
    if let Some((head, list)) = term.split_once('(') {
        let values = list.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => make(key, Rule::In(values)),
            "notin" => make(key, Rule::NotIn(values)),
            _ => None,
        };
    }
    match term.strip_prefix('!') {
        Some(key) => make(key, Rule::Absent),
        None => make(term, Rule::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_a_requirement_is_read() {
        let object = json!({"metadata": {"name": "web", "labels": {"app": "shop", "tier": "web"}}, "type": "Warning"});
        let matches = |labels: &str, fields: &str| Selector::parse(labels, fields).unwrap().matches(&object);
        for labels in ["app=shop", "app==shop,tier!=db", "app in (a, shop),tier", "tier notin (db),!gone", "none!=x"] {
            assert!(matches(labels, ""), "{labels}");
        }
        for labels in ["app=blog", "app!=shop", "app in (a,b)", "tier notin (web)", "!app", "gone"] {
            assert!(!matches(labels, ""), "{labels}");
        }
        assert!(matches("", "metadata.name=web,type=Warning") && !matches("", "metadata.name!=web"));
        assert!(Selector::parse("app of (a)", "").is_err() && Selector::parse("a b", "").is_err());
    }
}
