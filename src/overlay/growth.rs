//! How far objects may grow.
//!
//! Reading bounds what comes out of a file. Copies and made fields could outgrow that: a few lines that copy an object into
//! itself again and again nest it without end, or double it each time. Does not own the bounds on the number of objects.

use crate::yaml::Node;

/// How deep values may nest: as deep as in what is read. Walking over them is recursive.
const MAX_DEPTH: usize = 250;

/// How many values an object may have once something large was copied into it.
const MAX_VALUES: usize = 200_000;

/// From how many values on a copy is large. Counting a whole object for every small one would take long.
const LARGE: usize = 64;

/// Fails if a path is too long for its fields to be made.
pub(super) fn check_path(length: usize) -> Result<(), String> {
    if length > MAX_DEPTH { Err(format!("the path has more than {MAX_DEPTH} segments")) } else { Ok(()) }
}

/// Fails if a value would nest too deep at the end of a path.
pub(super) fn check_depth(length: usize, value: &Node) -> Result<(), String> {
    if length + value.depth() > MAX_DEPTH {
        Err(format!("values would nest more than {MAX_DEPTH} deep"))
    } else {
        Ok(())
    }
}

/// Fails if an object that such a value is about to be copied into, a number of times, would become too large.
pub(super) fn check_size(object: &Node, value: &Node, times: usize) -> Result<(), String> {
    let added = value.count().saturating_mul(times);
    if added > LARGE && object.count() + added > MAX_VALUES {
        return Err(format!("the object would have more than {MAX_VALUES} values"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depth_and_size_are_bounded() {
        let value = Node::from(json!({"a": {"b": [1, 2]}}));
        assert_eq!((value.depth(), value.count()), (4, 7));
        assert!(check_depth(246, &value).is_ok() && check_depth(247, &value).is_err());
        assert!(check_size(&value, &value, 20_000).is_ok() && check_size(&value, &value, 30_000).is_err());
        assert!(check_path(250).is_ok() && check_path(251).is_err());
    }
}
