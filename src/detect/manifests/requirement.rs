//! One Python requirement: `Flask[async]>=3 ; python_version > "3.9"`.
//!
//! Owns the part of PEP 508 that matters here: the name, and whether a marker makes it optional.

/// What a dependency is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Group {
    /// The app needs it to run.
    Main,
    /// Only its authors need it, or only those who ask for it.
    Other,
}

/// One dependency of a Python app.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Dependency {
    /// The name as PEP 503 writes it: lower case, with single dashes.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) group: Group,
    /// The line in its file, counted from 1.
    pub(crate) line: usize,
}

/// The dependency that `text` names, if it names one.
pub(crate) fn parse(text: &str, group: Group, line: usize) -> Option<Dependency> {
    let text = text.trim();
    let (spec, marker) = text.split_once(';').unwrap_or((text, ""));
    let named = match spec.split_once("#egg=") {
        Some((_, egg)) => egg,
        None if spec.contains("://") && !spec.contains('@') => return None,
        None => spec,
    };
    let end = named.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(named.len());
    let name = normal(&named[..end]);
    if name.is_empty() || !named[end..].trim_start().starts_with(is_after_name) && !named[end..].trim().is_empty() {
        return None;
    }
    let group = if marker.contains("extra") { Group::Other } else { group };
    Some(Dependency { name, group, line })
}

fn is_after_name(c: char) -> bool {
    "[(<>=!~@;,&".contains(c)
}

/// `name` as PEP 503 writes it.
pub(crate) fn normal(name: &str) -> String {
    let mut normal = String::new();
    for c in name.chars() {
        match c {
            '.' | '_' | '-' if normal.ends_with('-') => {}
            '.' | '_' | '-' => normal.push('-'),
            c => normal.push(c.to_ascii_lowercase()),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_form() {
        let name = |text: &str| parse(text, Group::Main, 1).map(|dependency| dependency.name);
        for text in [
            "Flask",
            "flask==3.0.0",
            "Flask [async] >= 3, < 4",
            "flask~=3.0 ; python_version >= '3.9'",
            "flask @ https://example.com/flask.tar.gz",
            "git+https://example.com/pallets/flask.git@main#egg=Flask",
            "flask (>=3)",
        ] {
            assert_eq!(name(text).as_deref(), Some("flask"), "{text}");
        }
        assert_eq!(name("ruamel.yaml__x").as_deref(), Some("ruamel-yaml-x"));
        for text in ["", "https://example.com/x.whl", "<<<<<<< HEAD", "the quick fox", "{{ cookiecutter }}"] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(parse("fastapi ; extra == 'api'", Group::Main, 1).unwrap().group, Group::Other);
    }
}
