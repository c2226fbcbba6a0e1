//! Credentials in clear text among rendered objects, from whatever template or overlay they came.

use serde_json::Value;

use super::object::{ObjectId, containers, items_at, pod_template, text_at};
use crate::domain::Problem;
use crate::domain::credential;

/// Every value that gives itself away, named by its place and never repeated.
pub(super) fn problems(objects: &[Value]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects {
        let Some(id) = ObjectId::of(object) else { continue };
        let mut check = |place: &str, name: &str, text: &str| {
            if let Some(kind) = credential::kind_of(text) {
                let detail = format!("{id}: {place} `{name}` looks like {kind}");
                problems.push(
                    Problem::new("render.credential", detail)
                        .hint("name the variable under `secrets:` and store its value with `wooo secret set`"),
                );
            }
        };
        if id.kind == "ConfigMap" {
            for (name, value) in object.get("data").and_then(Value::as_object).into_iter().flatten() {
                check("the entry", name, value.as_str().unwrap_or_default());
            }
        }
        for container in pod_template(object).into_iter().flat_map(containers) {
            for variable in items_at(container, &["env"]) {
                let name = text_at(variable, &["name"]).unwrap_or_default();
                check("the variable", name, text_at(variable, &["value"]).unwrap_or_default());
            }
            for list in ["command", "args"] {
                for word in items_at(container, &[list]).filter_map(Value::as_str) {
                    check("a word of", list, word);
                }
            }
        }
        for (name, value) in object.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten() {
            check("the annotation", name, value.as_str().unwrap_or_default());
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_are_named_and_not_repeated() {
        let objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"URL": "redis://:hunter2@x"}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "annotations": {"k": "AKIAABCDEFGHIJKLMNOP"}},
                "spec": {"template": {"spec": {"containers": [{"args": ["--key=AKIAABCDEFGHIJKLMNOP"],
                    "env": [{"name": "A", "value": "glpat-0123456789abcdefghij"}, {"name": "B", "value": "b"}]}]}}}}),
        ];
        let told: Vec<String> = problems(&objects).iter().map(|problem| problem.detail.clone()).collect();
        assert_eq!(
            told,
            [
                "ConfigMap c: the entry `URL` looks like an address with a password",
                "Deployment d: the variable `A` looks like a forge's access token",
                "Deployment d: a word of `args` looks like an AWS access key",
                "Deployment d: the annotation `k` looks like an AWS access key",
            ]
        );
    }
}
