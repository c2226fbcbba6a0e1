//! What an app's objects may be: in the app's own namespace, within the pod-security profile, and with the fences that
//! the platform put around it still standing.

use serde_json::Value;

use super::object::{ObjectId, pod_template, text_at};
use super::pod_security;
use crate::domain::Problem;

/// Kinds that a team's overlay may neither change nor remove: the namespace with its labels, and its limits.
const FIXED: [&str; 3] = ["Namespace", "ResourceQuota", "LimitRange"];
/// Kinds of which an app's own objects may be changed, but must stay.
const REQUIRED: [&str; 1] = ["NetworkPolicy"];

/// What an overlay must not touch, as it was before.
pub(super) struct Fence<'a> {
    namespace: &'a str,
    before: Vec<(ObjectId, Option<Value>)>,
}

impl<'a> Fence<'a> {
    /// Remembers what must outlive an overlay. `namespace` is the app's.
    pub(super) fn around(objects: &[Value], namespace: &'a str) -> Self {
        let before = objects
            .iter()
            .filter_map(|object| {
                let id = ObjectId::of(object)?;
                if FIXED.contains(&id.kind.as_str()) {
                    Some((id, Some(object.clone())))
                } else {
                    REQUIRED.contains(&id.kind.as_str()).then_some((id, None))
                }
            })
            .collect();
        Self { namespace, before }
    }

    /// What an overlay named `overlay` did that it must not.
    pub(super) fn check(&self, after: &[Value], overlay: &str) -> Vec<Problem> {
        let scope = |detail: String| Problem::new("overlay.scope", format!("{overlay}: {detail}"));
        let mut problems = Vec::new();
        for (id, fixed) in &self.before {
            match (after.iter().find(|object| ObjectId::of(object).as_ref() == Some(id)), fixed) {
                (None, _) => problems.push(scope(format!("{id} must not be removed or renamed"))),
                (Some(object), Some(before)) if object != before => {
                    problems.push(
                        scope(format!("{id} must not be changed")).hint(
                            "sizes are changed with `plan` or `wooo resize`, limits of the platform in fleet.yaml",
                        ),
                    );
                }
                _ => {}
            }
        }
        for object in after {
            let Some(id) = ObjectId::of(object) else { continue };
            let fixed = FIXED.contains(&id.kind.as_str());
            if fixed && !self.before.iter().any(|(known, _)| *known == id) {
                problems.push(scope(format!("{id} must not be added")));
            } else if !fixed && id.namespace != self.namespace {
                let place = if id.namespace.is_empty() {
                    "no namespace".to_owned()
                } else {
                    format!("namespace `{}`", id.namespace)
                };
                problems.push(scope(format!("{id} has {place}; an app lives in `{}` alone", self.namespace)));
            }
        }
        problems
    }
}

/// The objects that are not in the app's namespace, whoever put them there.
pub(super) fn namespace_problems(objects: &[Value], namespace: &str) -> Vec<Problem> {
    let misplaced = objects.iter().filter_map(ObjectId::of).filter(|id| match id.kind.as_str() {
        "Namespace" => id.name != namespace,
        _ => id.namespace != namespace,
    });
    misplaced
        .map(|id| {
            let detail = format!("{id} is not in `{namespace}`, and an app lives there alone");
            Problem::new("overlay.scope", detail).hint("see which template or overlay sets `metadata.namespace`")
        })
        .collect()
}

/// What is wrong with the pods of `objects`.
pub(super) fn pod_problems(objects: &[Value]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects {
        let Some(pod) = pod_template(object) else { continue };
        let name = text_at(object, &["metadata", "name"]).unwrap_or_default();
        let kind = text_at(object, &["kind"]).unwrap_or_default();
        problems.extend(pod_security::violations(pod).into_iter().map(|violation| {
            Problem::new("policy.pod_security", format!("{kind} {name}: {violation}"))
                .hint("the `restricted` pod-security profile does not allow this; the namespace enforces it")
        }));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, namespace: &str, spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": namespace}, "spec": spec})
    }

    #[test]
    fn an_app_lives_in_its_namespace_alone() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "app-a"}});
        let objects = [namespace, object("Service", "app-a", json!({})), object("Service", "kube-system", json!({}))];
        assert_eq!(namespace_problems(&objects[..2], "app-a"), []);
        let details: Vec<_> = namespace_problems(&objects, "app-a").into_iter().map(|problem| problem.detail).collect();
        assert_eq!(details, ["Service a is not in `app-a`, and an app lives there alone"]);
    }

    #[test]
    fn fences_stay_where_they_are() {
        let before =
            [object("NetworkPolicy", "app-a", json!({})), object("ResourceQuota", "app-a", json!({"hard": 1}))];
        let check = |after: &[Value]| {
            let problems = Fence::around(&before, "app-a").check(after, "overlay x");
            problems.into_iter().map(|problem| problem.detail).collect::<Vec<_>>()
        };
        assert_eq!(check(&before), [""; 0]);
        assert_eq!(check(&before[1..]), ["overlay x: NetworkPolicy a must not be removed or renamed"]);
        let grown = [before[0].clone(), object("ResourceQuota", "app-a", json!({"hard": 2}))];
        assert_eq!(check(&grown), ["overlay x: ResourceQuota a must not be changed"]);
        let mut stranger = before.to_vec();
        stranger.push(object("Service", "app-b", json!({})));
        stranger.push(object("LimitRange", "app-a", json!({})));
        assert_eq!(
            check(&stranger),
            [
                "overlay x: Service a has namespace `app-b`; an app lives in `app-a` alone",
                "overlay x: LimitRange a must not be added"
            ]
        );
    }
}
