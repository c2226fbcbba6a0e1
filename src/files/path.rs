//! Paths inside a tree: joining, and refusing those that lead out of it.

use super::Error;

/// `relative` as seen from the folder `base`, with `.` and `..` resolved.
///
/// # Errors
/// [`Error::OutsideTree`] if the result would lie above the tree's root, or if `relative` is absolute or holds a
/// backslash or NUL (which mean a separator or an end on some systems, and a name on others).
pub fn join(base: &str, relative: &str) -> Result<String, Error> {
    let outside = || Error::OutsideTree { path: relative.to_owned() };
    if relative.starts_with('/') || relative.contains(['\\', '\0']) {
        return Err(outside());
    }
    let mut segments: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in relative.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or_else(outside)?;
            }
            name => segments.push(name),
        }
    }
    Ok(segments.join("/"))
}

/// The folder that holds `path`; `""` for a name at the root.
#[must_use]
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The segments of a path that is already relative and normal.
///
/// # Errors
/// [`Error::OutsideTree`] for anything else.
pub(super) fn segments(path: &str) -> Result<Vec<&str>, Error> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<&str> = path.split('/').collect();
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..") || segment.contains(['\\', '\0'])) {
        return Err(Error::OutsideTree { path: path.to_owned() });
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_resolves_dots_and_refuses_to_leave_the_tree() {
        assert_eq!(join("a/b", "../c.yaml").unwrap(), "a/c.yaml");
        assert_eq!(join("", "./x").unwrap(), "x");
        assert_eq!(join("a", ".").unwrap(), "a");
        for hostile in ["../../x", "/etc/passwd", "..\\x", "a\0b"] {
            assert!(matches!(join("a", hostile), Err(Error::OutsideTree { .. })), "{hostile:?}");
        }
    }

    #[test]
    fn segments_take_normal_paths_only() {
        assert_eq!(segments("a/b").unwrap(), ["a", "b"]);
        assert!(segments("").unwrap().is_empty());
        for path in ["/a", "a/", "a//b", "a/../b", "./a"] {
            assert!(segments(path).is_err(), "{path:?}");
        }
    }
}
