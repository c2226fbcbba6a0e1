//! Credentials in clear text among rendered objects, from whatever template, overlay or setting they came.

use serde_json::Value;

use super::object::ObjectId;
use crate::domain::Problem;
use crate::domain::credential;

/// Every value that gives itself away, named by its place and never repeated. What is encrypted is left out.
pub(super) fn problems(objects: &[Value]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects {
        let Some(id) = ObjectId::of(object) else { continue };
        if matches!(id.kind.as_str(), "SealedSecret" | "Secret") {
            continue;
        }
        walk(object, &mut String::new(), &mut |place, kind| {
            let detail = format!("{id}: {place} looks like {kind}");
            problems.push(
                Problem::new("render.credential", detail)
                    .hint("name the variable under `secrets:` and store its value with `wooo secret set`"),
            );
        });
    }
    problems
}

/// Calls `report` with the place and the kind of each credential below `value`.
fn walk(value: &Value, path: &mut String, report: &mut impl FnMut(String, &'static str)) {
    let length = path.len();
    match value {
        Value::String(text) => {
            if let Some(kind) = credential::kind_of(text) {
                report(format!("`{path}`"), kind);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                walk(item, path, report);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            // A variable is known by its name and not by its number.
            if let (Some(Value::String(name)), Some(Value::String(text)), 2) =
                (map.get("name"), map.get("value"), map.len())
            {
                if let Some(kind) = credential::kind_of(text) {
                    report(format!("the variable `{name}`"), kind);
                }
                return;
            }
            for (key, item) in map {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                walk(item, path, report);
                path.truncate(length);
            }
        }
        _ => {}
    }
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
                "ConfigMap c: `data.URL` looks like an address with a password",
                "Deployment d: `metadata.annotations.k` looks like an AWS access key",
                "Deployment d: `spec.template.spec.containers[0].args[0]` looks like an AWS access key",
                "Deployment d: the variable `A` looks like a forge's access token",
            ]
        );
    }
}
