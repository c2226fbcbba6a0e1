//! The routing of alerts of a whole environment, for an Alertmanager without an operator.

use serde_json::Value;

use super::batch::{Selection, render_each};
use super::fleet::Fleet;
use crate::domain::{EnvironmentName, Problem, Problems};
use crate::render::alertmanager::{self, MatcherStrategy};
use crate::render::object::ObjectId;

/// One configuration for every app in `environment`, in the order of their names.
///
/// # Errors
/// Every app that cannot be rendered, and `routing.none` if no alert goes anywhere.
pub fn of_environment(fleet: &Fleet<'_>, environment: &EnvironmentName, secrets: &str) -> Result<Value, Problems> {
    let renderer = fleet.renderer()?;
    let units = Selection { apps: Vec::new(), environments: vec![environment.clone()] }.units(fleet)?;
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    render_each::<_, Problems>(
        fleet,
        &renderer,
        units,
        |_, _, rendered| rendered.objects.into_iter().filter(is_routing).collect::<Vec<_>>(),
        |_, result| {
            match result {
                Ok(found) => objects.extend(found),
                Err(found) => problems.extend(found.into_vec()),
            }
            Ok(())
        },
    )?;
    Problems::check(problems)?;
    configuration(&objects, environment, secrets)
}

/// One configuration for the routing among `objects`.
///
/// # Errors
/// `routing.none` if there is none.
pub fn configuration(objects: &[Value], environment: &EnvironmentName, secrets: &str) -> Result<Value, Problems> {
    if !objects.iter().any(is_routing) {
        let detail = format!("no app in `{environment}` has alerts that are sent anywhere");
        return Err(Problem::new("routing.none", detail)
            .hint("say where in fleet.yaml: `monitoring.webhook` of the cluster, or `monitoring.channels`")
            .into());
    }
    Ok(alertmanager::configuration(objects, &MatcherStrategy::None, secrets))
}

fn is_routing(object: &Value) -> bool {
    ObjectId::of(object).is_some_and(|id| id.kind == "AlertmanagerConfig")
}
