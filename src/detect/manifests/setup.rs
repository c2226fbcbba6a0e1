//! `setup.cfg` and `setup.py`, where `install_requires` is a plain list.
//!
//! No Python is run or parsed: a list that is computed is not seen.

use super::requirement::{Dependency, Group, parse};
use crate::detect::pattern::Pattern;

/// The dependencies of `[options] install_requires` in `setup.cfg`.
pub(crate) fn read_cfg(text: &str) -> Vec<Dependency> {
    let mut dependencies = Vec::new();
    let (mut in_options, mut in_list) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let indented = line.starts_with([' ', '\t']);
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            in_options = trimmed == "[options]";
            in_list = false;
        } else if in_options && !indented {
            let Some((key, value)) = trimmed.split_once('=') else { continue };
            in_list = key.trim() == "install_requires";
            if in_list {
                dependencies.extend(parse(value, Group::Main, at + 1));
            }
        } else if in_list && !trimmed.starts_with('#') {
            dependencies.extend(parse(trimmed, Group::Main, at + 1));
        }
    }
    dependencies
}

/// The dependencies of a literal `install_requires=[…]` in `setup.py`.
pub(crate) fn read_py(text: &str) -> Vec<Dependency> {
    static QUOTED: Pattern = Pattern::new(r#"["']([^"']+)["']"#);
    let mut dependencies = Vec::new();
    let mut in_list = false;
    for (at, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default();
        let mut rest = code;
        if let Some((_, after)) = code.split_once("install_requires") {
            let Some(list) = after.trim_start().strip_prefix('=').and_then(|list| list.trim_start().strip_prefix('['))
            else {
                continue;
            };
            (in_list, rest) = (true, list);
        }
        if in_list {
            let (inside, ended) = close(rest);
            dependencies.extend(QUOTED.all(inside).into_iter().filter_map(|spec| parse(spec, Group::Main, at + 1)));
            in_list = !ended;
        }
    }
    dependencies
}

/// The text before the list's closing bracket, and whether it closes; brackets of extras stand inside quotes.
fn close(text: &str) -> (&str, bool) {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ']') => return (&text[..at], true),
            _ => {}
        }
    }
    (text, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lists_are_read() {
        let cfg = "[metadata]\nname = x\n[options]\npackages = find:\ninstall_requires =\n    Flask>=3\n    # no\n    gunicorn\n\
                   [options.extras_require]\ndev =\n    fastapi\n";
        let names = |list: Vec<Dependency>| list.into_iter().map(|d| (d.name, d.line)).collect::<Vec<_>>();
        assert_eq!(names(read_cfg(cfg)), [("flask".to_owned(), 6), ("gunicorn".to_owned(), 8)]);
        let py = "setup(\n  install_requires=['Django>=5',\n    \"uvicorn[standard]\",  # server\n  ],\n  extras_require={'x': ['flask']},\n)\n";
        assert_eq!(names(read_py(py)), [("django".to_owned(), 2), ("uvicorn".to_owned(), 3)]);
        assert!(read_py("setup(install_requires=read('requirements.txt'))").is_empty());
    }
}
