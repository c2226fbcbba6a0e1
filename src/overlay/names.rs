//! `namePrefix` and `nameSuffix`.
//!
//! Owns which objects are renamed. References to them are in [`references`](super::references).

use super::resource::Resource;

/// The two settings.
#[derive(Debug)]
pub(super) struct Affix {
    pub(super) prefix: String,
    pub(super) suffix: String,
}

impl Affix {
    /// Renames the object unless its name has a meaning beyond itself.
    pub(super) fn apply(&self, resource: &mut Resource) {
        let id = resource.id();
        let is_fixed = matches!(
            (id.group, id.kind),
            ("apiextensions.k8s.io", "CustomResourceDefinition")
                | ("apiregistration.k8s.io", "APIService")
                | ("", "Namespace")
        );
        if is_fixed || (self.prefix.is_empty() && self.suffix.is_empty()) {
            return;
        }
        let name = format!("{}{}{}", self.prefix, id.name, self.suffix);
        if !self.prefix.is_empty() {
            resource.affixes.prefixes.push(self.prefix.clone());
        }
        if !self.suffix.is_empty() {
            resource.affixes.suffixes.push(self.suffix.clone());
        }
        resource.rename(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_that_others_depend_on_stay() {
        let affix = Affix { prefix: "p-".into(), suffix: "-s".into() };
        let named = |api: &str, kind: &str| {
            let mut resource = Resource::new(json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}}));
            affix.apply(&mut resource);
            resource.id().name.to_owned()
        };
        assert_eq!(named("v1", "ConfigMap"), "p-a-s");
        assert_eq!(named("v1", "Namespace"), "a");
        assert_eq!(named("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "a");
    }
}
