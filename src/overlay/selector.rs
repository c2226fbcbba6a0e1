//! Which objects a patch is for.
//!
//! Owns the `target` of a patch: anchored regular expressions over group, version, kind, name and namespace, and label
//! selectors as `kubectl` reads them. Does not own what is done with the objects.

use regex::Regex;

use super::error::{Error, Origin};
use super::resource::{Id, Resource};
use super::settings;
use crate::yaml::Node;

/// A compiled `target`.
#[derive(Debug)]
pub(super) struct Selector {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: Requirements,
    annotations: Requirements,
}

impl Selector {
    pub(super) fn new(target: &settings::Target, origin: &Origin) -> Result<Self, Error> {
        let pattern = |text: &str| Pattern::new(text).map_err(|reason| origin.invalid(reason));
        let requirements = |text: &str| Requirements::parse(text).map_err(|reason| origin.invalid(reason));
        Ok(Self {
            group: pattern(&target.group)?,
            version: pattern(&target.version)?,
            kind: pattern(&target.kind)?,
            name: pattern(&target.name)?,
            namespace: pattern(&target.namespace)?,
            labels: requirements(&target.label_selector)?,
            annotations: requirements(&target.annotation_selector)?,
        })
    }

    /// Name and namespace may be the present ones or those that the object came in with.
    pub(super) fn matches(&self, resource: &Resource) -> bool {
        let id = resource.id();
        if !self.matches_kind(&id) {
            return false;
        }
        if self.name.is_some() || self.namespace.is_some() {
            let original = resource.original_id();
            let namespace = |id: &Id<'_>| id.effective_namespace().unwrap_or(CLUSTER_WIDE).to_owned();
            if !(matches(&self.name, id.name) || matches(&self.name, original.name)) {
                return false;
            }
            let is_there =
                || matches(&self.namespace, &namespace(&id)) || matches(&self.namespace, &namespace(&original));
            if self.namespace.is_some() && !is_there() {
                return false;
            }
        }
        self.matches_pairs(resource)
    }

    /// The same for the targets of replacements: any identity that the object has or had may be the one that is meant, and
    /// an object without a namespace is in none.
    pub(super) fn matches_any_id(&self, resource: &Resource) -> bool {
        resource.ids().any(|id| self.matches_id(&id)) && self.matches_pairs(resource)
    }

    /// Whether an object is rejected: by what it is called, or by its labels or annotations. Each suffices.
    pub(super) fn rejects(&self, resource: &Resource) -> bool {
        let has_id =
            [&self.group, &self.version, &self.kind, &self.name, &self.namespace].iter().any(|word| word.is_some());
        let has_pairs = !(self.labels.0.is_empty() && self.annotations.0.is_empty());
        (has_id && resource.ids().any(|id| self.matches_id(&id))) || (has_pairs && self.matches_pairs(resource))
    }

    fn matches_kind(&self, id: &Id<'_>) -> bool {
        matches(&self.kind, id.kind) && matches(&self.group, id.group) && matches(&self.version, id.version)
    }

    fn matches_id(&self, id: &Id<'_>) -> bool {
        self.matches_kind(id) && matches(&self.name, id.name) && matches(&self.namespace, id.namespace)
    }

    fn matches_pairs(&self, resource: &Resource) -> bool {
        self.labels.match_map(resource, "labels") && self.annotations.match_map(resource, "annotations")
    }
}

fn matches(pattern: &Option<Pattern>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
}

/// What kustomize compares with the namespace pattern for an object that has no namespace.
const CLUSTER_WIDE: &str = "_non_namespaceable_";

/// A regular expression that must match the whole text. Most are plain words, which need no automaton.
#[derive(Debug)]
enum Pattern {
    Word(String),
    Regex(Regex),
}

impl Pattern {
    /// An empty pattern is no pattern.
    fn new(text: &str) -> Result<Option<Self>, String> {
        let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        Ok(match text {
            "" => None,
            _ if is_word => Some(Self::Word(text.to_owned())),
            _ => {
                let regex = Regex::new(&format!("^(?:{text})$"));
                Some(Self::Regex(regex.map_err(|_| format!("`{text}` is not a regular expression"))?))
            }
        })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Word(word) => word == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A label selector: all of its requirements must hold.
#[derive(Debug, Default)]
struct Requirements(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Eq, PartialEq)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    /// Holds where the label is missing, too.
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Requirements {
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        split_outside_parentheses(text).map(Requirement::parse).collect::<Result<_, _>>().map(Self)
    }

    fn match_map(&self, resource: &Resource, field: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let map = resource.node.get("metadata").and_then(|metadata| metadata.get(field));
        self.0.iter().all(|requirement| {
            requirement.test.holds(map.and_then(|map| map.get(&requirement.key)).and_then(Node::text))
        })
    }
}

fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

impl Requirement {
    fn parse(text: &str) -> Result<Self, String> {
        let made = |key: &str, test: Test| {
            let key = key.trim();
            let values = match &test {
                Test::In(values) | Test::NotIn(values) => values.as_slice(),
                _ => &[],
            };
            if !is_key(key) || !values.iter().all(|value| value.is_empty() || is_name(value)) {
                return Err(format!("`{text}` is not a requirement of a selector"));
            }
            Ok(Self { key: key.to_owned(), test })
        };
        let one = |value: &str| vec![value.trim().to_owned()];
        if let Some(key) = text.strip_prefix('!') {
            return made(key, Test::Missing);
        }
        if let Some((key, value)) = text.split_once("!=") {
            return made(key, Test::NotIn(one(value)));
        }
        if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            return made(key, Test::In(one(value)));
        }
        if let Some((left, values)) = text.split_once('(') {
            let values = values.strip_suffix(')').ok_or_else(|| format!("`{text}` has no closing parenthesis"))?;
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            return match left.split_whitespace().collect::<Vec<_>>()[..] {
                [key, "in"] => made(key, Test::In(values)),
                [key, "notin"] => made(key, Test::NotIn(values)),
                _ => Err(format!("`{text}` is not a requirement of a selector")),
            };
        }
        let number = |value: &str| {
            value.trim().parse().map_err(|_| format!("`{text}` compares with something that is no integer"))
        };
        if let Some((key, value)) = text.split_once('>') {
            return made(key, Test::Above(number(value)?));
        }
        if let Some((key, value)) = text.split_once('<') {
            return made(key, Test::Below(number(value)?));
        }
        made(text, Test::Exists)
    }
}

/// Whether a text is the key of a label: a name, behind the name of a domain if there is a slash.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => {
            let is_of_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let is_label = |label: &str| is_name(label) && label.chars().all(is_of_label);
            domain.len() <= 253 && domain.split('.').all(is_label) && is_name(name)
        }
        None => is_name(text),
    }
}

/// Whether a text can be the value of a label, or the name in its key, but for the empty value.
fn is_name(text: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 63 && is_edge(text.chars().next()) && is_edge(text.chars().last()) && text.chars().all(is_inner)
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::Missing => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.iter().any(|known| known == value)),
            Self::NotIn(values) => value.is_none_or(|value| values.iter().all(|known| known != value)),
            Self::Above(bound) => number().is_some_and(|number| number > *bound),
            Self::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(target: &settings::Target) -> bool {
        let resource = Resource::new(Node::from(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web", "n": "5"}, "annotations": {"a": "b"}}})));
        Selector::new(target, &Origin::new("k.yaml", "patches[0]")).unwrap().matches(&resource)
    }

    #[test]
    fn patterns_are_anchored() {
        let name = |text: &str| matches(&settings::Target { name: text.into(), ..Default::default() });
        assert!(name("web") && name("w.*") && name("a|web") && name(""));
        assert!(!name("we") && !name("we|b") && !name("eb.*"));
        let target = settings::Target { namespace: "default".into(), group: "app.".into(), ..Default::default() };
        assert!(matches(&target));
    }

    #[test]
    fn label_selectors_read_as_kubectl_reads_them() {
        let labels = |text: &str| matches(&settings::Target { label_selector: text.into(), ..Default::default() });
        for holds in ["app=web", "app==web", "app in (web, api),!x", "app", "x!=1", "x notin (a)", "n>4", "n<6", ""] {
            assert!(labels(holds), "{holds}");
        }
        for fails in ["app=api", "app!=web", "!app", "x", "n>5", "app notin (web)"] {
            assert!(!labels(fails), "{fails}");
        }
        for broken in [
            "app in web",
            "app in (web",
            "a b",
            "n>x",
            "a=b=c",
            "a,,b",
            "a=b,",
            "-a=b",
            "A/b=c",
            "a=\"b\"",
            "x in (-a)",
        ] {
            assert!(Requirements::parse(broken).is_err(), "{broken}");
        }
    }
}
