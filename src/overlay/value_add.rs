//! `ValueAddTransformer`: one value for a field of several objects, or for a part of a path in it.
//!
//! Owns what the value replaces. Which objects are meant is up to a [selector](super::selector).

use super::error::{Error, Origin};
use super::fields;
use super::growth;
use super::resource::Resource;
use super::selector::Selector;
use crate::yaml::Node;

/// The transformer, ready to be applied.
#[derive(Debug)]
pub(super) struct AddValue {
    pub(super) origin: Origin,
    pub(super) value: String,
    pub(super) targets: Vec<Target>,
}

/// One place for the value.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) selector: Option<Selector>,
    /// A path with slashes.
    pub(super) field: String,
    /// Which part of a path in the field is meant, from 1; 0 is the whole field.
    pub(super) position: usize,
}

impl AddValue {
    pub(super) fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        for target in &self.targets {
            let path = fields::split(&target.field, '/');
            growth::check_path(path.len()).map_err(|reason| self.origin.invalid(reason))?;
            let is_meant =
                |resource: &Resource| target.selector.as_ref().is_none_or(|selector| selector.matches(resource));
            for resource in resources.iter_mut().filter(|resource| is_meant(resource)) {
                let result = fields::visit(&mut resource.node, &path, Some(&Node::string("")), &mut |node| {
                    let text = target.put(node.text().unwrap_or_default(), &self.value);
                    *node = Node::string(text);
                    Ok(())
                });
                result.map_err(|reason| self.origin.patch(resource.id(), reason))?;
            }
        }
        Ok(())
    }
}

impl Target {
    fn put(&self, old: &str, value: &str) -> String {
        let Some(index) = self.position.checked_sub(1) else { return value.to_owned() };
        let mut parts: Vec<&str> = old.split('/').collect();
        match parts.get_mut(index) {
            Some(_) => parts.insert(index, value),
            None => parts.push(value),
        }
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_is_added() {
        let put = |position| Target { selector: None, field: String::new(), position }.put("a/b/c", "x");
        assert_eq!([put(0), put(1), put(2), put(9)], ["x", "x/a/b/c", "a/x/b/c", "a/b/c/x"]);
    }
}
