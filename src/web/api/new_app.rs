//! The body of `POST /api/apps` as an app spec: the same fields, the same checks and the same messages as `wooo.yaml`.

use serde_json::{Map, Value};

use crate::domain::{AppSpec, Document, EnvironmentName, FleetSettings, Framework, Location, Problem, Problems};
use crate::web::problem::Answer;
use crate::yaml;

/// What the file is called in messages, and in the fleet's history.
pub(super) const FILE: &str = "wooo.yaml";
/// How many characters a reason may have.
const MAX_REASON: usize = 1000;

/// What was sent: a spec, and where it is to go.
#[derive(Clone, Debug, Default)]
pub(super) struct NewApp {
    fields: Map<String, Value>,
    /// The fleet; the only one if absent.
    pub fleet: Option<String>,
    /// The environment; the first without another before it if absent.
    pub environment: Option<EnvironmentName>,
    /// The tenant that the sender believes it belongs to.
    pub tenant: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl NewApp {
    /// Takes the body apart.
    ///
    /// # Errors
    /// `spec.value` for what is not text where text has to be.
    pub(super) fn read(mut fields: Map<String, Value>) -> Result<Self, Problem> {
        let mut text = |name: &str| match fields.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::new("spec.value", format!("`{name}` has to be text")).field(name)),
        };
        let (fleet, environment, tenant, reason) =
            (text("fleet")?, text("environment")?, text("tenant")?, text("reason")?);
        let environment = environment.map(|name| name.parse::<EnvironmentName>()).transpose();
        let environment =
            environment.map_err(|error| Problem::new("spec.value", error.to_string()).field("environment"))?;
        // Null is how forms say that a field is not there.
        fields.retain(|_, value| !value.is_null());
        Ok(Self { fields, fleet, environment, tenant, reason: reason.map(|reason| checked(&reason)).transpose()? })
    }

    /// The spec and its text, which is what will be committed.
    ///
    /// # Errors
    /// What is wrong with the spec, by field.
    pub(super) fn spec(&self) -> Result<(AppSpec, String), Answer> {
        let text = yaml::write(&Value::Object(self.ordered()))
            .map_err(|error| Problem::new("spec.value", error.to_string()))?;
        match AppSpec::parse(&Document { file: FILE, text: &text }) {
            Ok(spec) => Ok((spec, text)),
            Err(problems) => Err(by_field(problems, &text).into()),
        }
    }

    /// Fills in what was found out.
    pub(super) fn set_framework(&mut self, framework: Framework) {
        self.fields.insert("framework".to_owned(), Value::String(framework.to_string()));
    }

    /// The fields in the order in which people write them; what a spec does not know keeps its place at the end, to be
    /// complained about.
    fn ordered(&self) -> Map<String, Value> {
        const ORDER: [&str; 24] = [
            "name",
            "display_name",
            "domain",
            "source_type",
            "source_url",
            "framework",
            "plan",
            "image",
            "port",
            "replicas",
            "autoscale",
            "env",
            "secrets",
            "addons",
            "workers",
            "command",
            "health_path",
            "metrics_path",
            "egress",
            "owners",
            "notification_channels",
            "alerts",
            "metrics",
            "language",
        ];
        let mut rest = self.fields.clone();
        let mut ordered: Map<String, Value> =
            ORDER.iter().filter_map(|name| rest.shift_remove(*name).map(|value| ((*name).to_owned(), value))).collect();
        ordered.extend(rest);
        ordered
    }
}

/// A reason that fits into a commit.
///
/// # Errors
/// `intent.reason`.
pub(super) fn checked(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.contains('\0') {
        let detail = format!("a reason has 1 to {MAX_REASON} characters");
        return Err(Problem::new("intent.reason", detail).field("reason"));
    }
    Ok(reason.to_owned())
}

/// Where an app goes if nobody says: the first environment that nothing is promoted to.
///
/// # Errors
/// `fleet.unknown_environment` if there is none.
pub(super) fn first_environment(settings: &FleetSettings) -> Result<EnvironmentName, Problem> {
    let first = settings.environments.iter().find(|(_, environment)| environment.promote_from.is_none());
    first.map(|(name, _)| name.clone()).ok_or_else(|| {
        Problem::new("fleet.unknown_environment", "the fleet has no environment to begin in").field("environment")
    })
}

/// Names the field of each problem instead of the place in a text that the sender has never seen.
fn by_field(problems: Problems, text: &str) -> Problems {
    let named: Vec<Problem> = problems
        .into_vec()
        .into_iter()
        .map(|mut problem| {
            if let Some(place) = problem.location.take()
                && problem.field.is_none()
            {
                // What is missing stands nowhere.
                problem.field = match problem.detail.split('`').nth(1) {
                    Some(missing) if problem.code == "spec.missing_field" => Some(missing.to_owned()),
                    _ => field_at(text, &place),
                };
            }
            problem
        })
        .collect();
    Problems::check(named).err().unwrap_or_else(|| Problem::new("spec.value", "the spec is not possible").into())
}

/// The dotted field that stands at a place of a text that we wrote, by indentation.
fn field_at(text: &str, place: &Location) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = place.line.checked_sub(1).filter(|at| *at < lines.len())?;
    let (mut depth, mut path) = (usize::MAX, Vec::new());
    for line in lines[..=at].iter().rev() {
        let content = line.trim_start_matches([' ', '-']);
        let indent = line.len() - content.len();
        let Some((key, _)) = content.split_once(':') else { continue };
        if indent < depth {
            depth = indent;
            path.push(key.trim_matches(['"', '\'']).to_owned());
        }
        if depth == 0 {
            break;
        }
    }
    path.reverse();
    (!path.is_empty()).then(|| path.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> NewApp {
        NewApp::read(value.as_object().unwrap().clone()).unwrap()
    }

    fn refused(value: Value) -> (String, Option<String>, Vec<String>) {
        let answer = read(value).spec().unwrap_err();
        let problem = &answer.problems()[0];
        (problem.code.to_owned(), problem.field.clone(), problem.hints.clone())
    }

    #[test]
    fn the_committed_text_is_the_one_that_a_person_would_write() {
        let new = read(json!({
            "plan": "standard", "domain": "event.wooo.work", "name": "event-system", "display_name": "活動報名網站",
            "environment": "staging", "fleet": "main", "env": {"TZ": "Asia/Taipei", "A": "no", "B": 8},
            "replicas": null, "workers": [{"name": "celery", "command": ["celery", "-A", "app"]}],
        }));
        assert_eq!(new.environment.as_ref().map(EnvironmentName::as_str), Some("staging"));
        let (spec, text) = new.spec().unwrap();
        assert_eq!(spec.env.get(&"A".parse::<crate::domain::VariableName>().unwrap()).unwrap().as_str(), "no");
        assert_eq!(
            text,
            "name: event-system\ndisplay_name: 活動報名網站\ndomain: event.wooo.work\nplan: standard\nenv:\n  TZ: Asia/Taipei\n  \
             A: \"no\"\n  B: 8\nworkers:\n- name: celery\n  command:\n  - celery\n  - -A\n  - app\n"
        );
    }

    #[test]
    fn a_mistake_names_its_field() {
        let (code, field, hints) = refused(json!({"name": "a", "replcias": 3}));
        assert_eq!((code.as_str(), field.as_deref()), ("spec.unknown_field", Some("replcias")));
        assert_eq!(hints, ["did you mean `replicas`?"]);
        let (code, field, _) = refused(json!({"name": "a", "workers": [{"name": "w", "command": []}]}));
        assert_eq!((code.as_str(), field.as_deref()), ("spec.value", Some("workers[0].command")));
        let (_, field, _) = refused(json!({"name": "a", "autoscale": {"min": 1, "max": "x"}}));
        assert_eq!(field.as_deref(), Some("autoscale.max"));
        let (code, field, _) = refused(json!({"name": "Foo_Bar"}));
        assert_eq!((code.as_str(), field.as_deref()), ("spec.value", Some("name")));
        assert_eq!(refused(json!({"domain": "a.example.com"})).0, "spec.missing_field");
    }

    #[test]
    fn what_stands_beside_the_spec_has_to_be_text() {
        let problem = NewApp::read(json!({"name": "a", "environment": 3}).as_object().unwrap().clone()).unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), ("spec.value", Some("environment")));
        assert_eq!(checked(" ").unwrap_err().code, "intent.reason");
        assert_eq!(checked(" why ").unwrap(), "why");
    }
}
