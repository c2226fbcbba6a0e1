//! The routing of AlertmanagerConfigs as one configuration file, for an Alertmanager that no operator looks after.
//!
//! It is made of the rendered objects and not of the specs, so that both ways route the same. The operator makes its own
//! file in the same manner; what it adds to each route and each inhibition is a [`MatcherStrategy`].
//!
//! Sources: prometheus-operator.dev (`alertmanagerConfigMatcherStrategy`), prometheus.io/docs/alerting (configuration).

use serde_json::{Map, Value, json};

use super::object::{ObjectId, at, items_at, text_at};

/// The receiver of alerts that are no app's.
const NOBODY: &str = "nobody";

/// What the operator adds to the routes of an AlertmanagerConfig, by the names that it gives them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MatcherStrategy {
    /// A matcher for the namespace of the AlertmanagerConfig.
    OnNamespace,
    /// The same, except for those in the namespace of Alertmanager itself.
    OnNamespaceExceptForAlertmanagerNamespace(String),
    /// Nothing. This is also what a file without an operator has.
    None,
}

/// One configuration with the routes of every AlertmanagerConfig among `objects`. Secrets are read from
/// `<secrets>/<name>/<key>`, where the operator mounts them too.
#[must_use]
pub fn configuration<'a>(
    objects: impl IntoIterator<Item = &'a Value>,
    strategy: &MatcherStrategy,
    secrets: &str,
) -> Value {
    let (mut routes, mut receivers, mut inhibitions) = (Vec::new(), vec![json!({"name": NOBODY})], Vec::new());
    for object in objects {
        let Some(id) = ObjectId::of(object).filter(|id| id.kind == "AlertmanagerConfig") else { continue };
        let config = Config { prefix: format!("{}/{}/", id.namespace, id.name), secrets };
        let added = strategy.matcher(&id.namespace);
        if let Some(route) = at(object, &["spec", "route"]) {
            let mut route = config.route(route);
            add_matcher(&mut route, "matchers", added.as_deref());
            // Every AlertmanagerConfig is asked, whichever comes first.
            route.insert("continue".to_owned(), json!(true));
            routes.push(Value::Object(route));
        }
        receivers.extend(items_at(object, &["spec", "receivers"]).map(|receiver| config.receiver(receiver)));
        for rule in items_at(object, &["spec", "inhibitRules"]) {
            let mut inhibition = Map::new();
            inhibition.insert("source_matchers".to_owned(), matchers(rule, "sourceMatch"));
            inhibition.insert("target_matchers".to_owned(), matchers(rule, "targetMatch"));
            for key in ["source_matchers", "target_matchers"] {
                add_matcher(&mut inhibition, key, added.as_deref());
            }
            if let Some(equal) = rule.get("equal") {
                inhibition.insert("equal".to_owned(), equal.clone());
            }
            inhibitions.push(Value::Object(inhibition));
        }
    }
    json!({
        "route": {"receiver": NOBODY, "group_by": ["namespace", "alertname"], "routes": routes},
        "inhibit_rules": inhibitions,
        "receivers": receivers,
    })
}

impl MatcherStrategy {
    fn matcher(&self, namespace: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::OnNamespaceExceptForAlertmanagerNamespace(own) if own == namespace => None,
            Self::OnNamespace | Self::OnNamespaceExceptForAlertmanagerNamespace(_) => {
                Some(format!("namespace=\"{namespace}\""))
            }
        }
    }
}

fn add_matcher(holder: &mut Map<String, Value>, key: &str, matcher: Option<&str>) {
    if let Some(matcher) = matcher
        && let Some(list) = holder.entry(key).or_insert_with(|| json!([])).as_array_mut()
    {
        list.push(json!(matcher));
    }
}

/// One AlertmanagerConfig on its way.
struct Config<'a> {
    /// Receivers of different ones may have the same name.
    prefix: String,
    secrets: &'a str,
}

impl Config<'_> {
    fn route(&self, route: &Value) -> Map<String, Value> {
        let mut made = Map::new();
        let receiver = text_at(route, &["receiver"]).unwrap_or_default();
        made.insert("receiver".to_owned(), json!(format!("{}{receiver}", self.prefix)));
        for (key, name) in [
            ("groupBy", "group_by"),
            ("groupWait", "group_wait"),
            ("groupInterval", "group_interval"),
            ("repeatInterval", "repeat_interval"),
            ("continue", "continue"),
        ] {
            if let Some(value) = route.get(key) {
                made.insert(name.to_owned(), value.clone());
            }
        }
        if route.get("matchers").is_some() {
            made.insert("matchers".to_owned(), matchers(route, "matchers"));
        }
        let children: Vec<Value> = items_at(route, &["routes"]).map(|child| Value::Object(self.route(child))).collect();
        if !children.is_empty() {
            made.insert("routes".to_owned(), json!(children));
        }
        made
    }

    fn receiver(&self, receiver: &Value) -> Value {
        let name = text_at(receiver, &["name"]).unwrap_or_default();
        let mut made = Map::new();
        made.insert("name".to_owned(), json!(format!("{}{name}", self.prefix)));
        for (kind, value) in receiver.as_object().into_iter().flatten().filter(|(key, _)| *key != "name") {
            let configs: Vec<Value> =
                value.as_array().into_iter().flatten().map(|config| self.settings(config)).collect();
            made.insert(snake_case(kind), json!(configs));
        }
        Value::Object(made)
    }

    /// The settings of a receiver: the same names in the other spelling, and files in place of keys of Secrets.
    fn settings(&self, settings: &Value) -> Value {
        let mut made = Map::new();
        for (key, value) in settings.as_object().into_iter().flatten() {
            let secret = text_at(value, &["name"]).zip(text_at(value, &["key"]));
            match (key.as_str(), secret) {
                ("headers", _) => {
                    let pair = |header: &Value| {
                        Some((text_at(header, &["key"])?.to_owned(), json!(text_at(header, &["value"])?)))
                    };
                    let headers: Map<String, Value> = value.as_array().into_iter().flatten().filter_map(pair).collect();
                    made.insert(key.clone(), Value::Object(headers));
                }
                (key, Some((name, secret))) => {
                    let key = snake_case(key.strip_suffix("Secret").unwrap_or(key));
                    made.insert(format!("{key}_file"), json!(format!("{}/{name}/{secret}", self.secrets)));
                }
                (key, None) if value.is_object() => {
                    made.insert(snake_case(key), self.settings(value));
                }
                (key, None) => {
                    made.insert(snake_case(key), value.clone());
                }
            }
        }
        Value::Object(made)
    }
}

fn matchers(holder: &Value, key: &str) -> Value {
    let written = items_at(holder, &[key]).map(|matcher| {
        let text = |key| text_at(matcher, &[key]).unwrap_or_default();
        // JSON's escapes are those of a matcher's quotes.
        format!("{}{}{}", text("name"), text("matchType"), json!(text("value")))
    });
    json!(written.collect::<Vec<_>>())
}

/// `apiURL` as `api_url`, `botToken` as `bot_token`.
fn snake_case(name: &str) -> String {
    let mut made = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && was_lower {
            made.push('_');
        }
        was_lower = !c.is_ascii_uppercase();
        made.push(c.to_ascii_lowercase());
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_spelling() {
        let names = ["apiURL", "botToken", "chatID", "webhookConfigs", "requireTLS", "groupBy"].map(snake_case);
        assert_eq!(names, ["api_url", "bot_token", "chat_id", "webhook_configs", "require_tls", "group_by"]);
    }

    #[test]
    fn a_secret_becomes_a_file() {
        let object = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "AlertmanagerConfig",
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"route": {"receiver": "r", "matchers": [{"name": "x", "matchType": "=~", "value": "a\"b"}]},
                "receivers": [{"name": "r", "webhookConfigs": [{"urlSecret": {"name": "s", "key": "k"},
                    "httpConfig": {"authorization": {"type": "Bearer", "credentials": {"name": "s", "key": "t"}}}}]}]}});
        let made = configuration([&object], &MatcherStrategy::OnNamespace, "/etc/s");
        assert_eq!(
            made["receivers"][1],
            json!({"name": "n/a/r", "webhook_configs": [{"url_file": "/etc/s/s/k",
                "http_config": {"authorization": {"type": "Bearer", "credentials_file": "/etc/s/s/t"}}}]})
        );
        assert_eq!(made["route"]["routes"][0]["matchers"], json!(["x=~\"a\\\"b\"", "namespace=\"n\""]));
    }
}
