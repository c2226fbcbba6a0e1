//! How containers behave: by their image's tag, and as somebody asks at run time.

use serde::{Deserialize, Serialize};

/// How a container behaves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Behaviour {
    /// It becomes ready and stays so.
    #[default]
    Healthy,
    /// It ends with the exit code 1 soon after each start.
    Crash,
    /// It is killed soon after each start because it uses too much memory.
    OutOfMemory,
    /// Its image cannot be pulled.
    Missing,
    /// It takes long to become ready.
    Slow,
    /// It runs and never becomes ready.
    Unready,
    /// Its memory grows until it is killed, again and again.
    MemoryLeak,
    /// It answers every third request with an error.
    #[serde(rename = "errors_5xx")]
    #[strum(serialize = "errors_5xx")]
    Errors5xx,
}

/// A wish about containers. Those that it fits behave as it says, whatever their image is called; the newest wish wins.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourRule {
    /// The image, with its tag; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The app, as the label `app.kubernetes.io/name` of its pods has it; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The namespace; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What they do.
    #[serde(default)]
    pub behaviour: Behaviour,
}

impl BehaviourRule {
    fn fits(&self, namespace: &str, app: &str, image: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.namespace, namespace) && is(&self.app, app) && is(&self.image, image)
    }

    /// Whether two wishes are about the same containers.
    fn is_about(&self, other: &Self) -> bool {
        (&self.image, &self.app, &self.namespace) == (&other.image, &other.app, &other.namespace)
    }
}

/// The wishes of one cluster.
#[derive(Debug, Default)]
pub(super) struct Behaviours {
    rules: Vec<BehaviourRule>,
}

impl Behaviours {
    /// Adds a wish, in place of one about the same containers.
    pub(super) fn add(&mut self, rule: BehaviourRule) {
        self.rules.retain(|old| !old.is_about(&rule));
        self.rules.push(rule);
    }

    /// Takes back the wish about the same containers; all, if `rule` names none.
    pub(super) fn remove(&mut self, rule: &BehaviourRule) {
        let is_any = rule.image.is_none() && rule.app.is_none() && rule.namespace.is_none();
        self.rules.retain(|old| !is_any && !old.is_about(rule));
    }

    /// All wishes, the newest last.
    pub(super) fn all(&self) -> &[BehaviourRule] {
        &self.rules
    }

    /// How a container behaves.
    pub(super) fn of(&self, namespace: &str, app: &str, image: &str) -> Behaviour {
        let asked = self.rules.iter().rev().find(|rule| rule.fits(namespace, app, image));
        asked.map_or_else(|| of_image(image), |rule| rule.behaviour)
    }
}

/// What the tag of an image asks for.
fn of_image(image: &str) -> Behaviour {
    let image = image.split('@').next().unwrap_or_default();
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag);
    match tag.rsplit('-').next() {
        Some("crash") => Behaviour::Crash,
        Some("oom") => Behaviour::OutOfMemory,
        Some("missing") => Behaviour::Missing,
        Some("slow") => Behaviour::Slow,
        Some("unready") => Behaviour::Unready,
        _ => Behaviour::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wish_wins_over_the_image() {
        let mut wishes = Behaviours::default();
        assert_eq!(wishes.of("ns", "shop", "registry.example:5000/shop:1.2-crash"), Behaviour::Crash);
        assert_eq!(wishes.of("ns", "shop", "registry.example:5000/shop-crash"), Behaviour::Healthy);
        let rule = |text: &str| serde_json::from_str::<BehaviourRule>(text).unwrap();
        wishes.add(rule(r#"{"app": "shop", "behaviour": "memory_leak"}"#));
        wishes.add(rule(r#"{"namespace": "ns", "behaviour": "errors_5xx"}"#));
        assert_eq!(wishes.of("ns", "shop", "a:1-oom"), Behaviour::Errors5xx);
        wishes.remove(&rule(r#"{"namespace": "ns"}"#));
        assert_eq!(wishes.of("ns", "shop", "a:1-oom"), Behaviour::MemoryLeak);
        wishes.remove(&rule("{}"));
        assert_eq!(wishes.of("ns", "shop", "a:1-oom"), Behaviour::OutOfMemory);
    }
}
