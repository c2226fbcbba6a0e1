//! Flask: a WSGI app object, or a factory.

use super::{Match, python};
use crate::detect::answer::EntryKind;
use crate::detect::claims::Claims;
use crate::detect::facts::Facts;
use crate::domain::Framework;

/// Whether the folder holds a Flask app.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    python::recognise(facts, Framework::Flask, "flask")
        .or_else(|| python::recognise(facts, Framework::Flask, "apiflask"))
}

/// Claims what a Flask app's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    python::describe(facts, Framework::Flask, EntryKind::Wsgi, claims);
    python::describe_sources(facts, &facts.python_source.routes, claims);
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detection, detect};
    use crate::files::MemoryTree;

    fn found(files: &[(&'static str, &'static str)]) -> Option<Detection> {
        let tree: MemoryTree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        detect(&tree, "").ok()
    }

    #[test]
    fn apiflask_is_flask() {
        let app = found(&[("requirements.txt", "apiflask"), ("main.py", "app = APIFlask(__name__)")]).unwrap();
        assert_eq!(app.framework, crate::domain::Framework::Flask);
        assert_eq!(app.entry_point.unwrap().target, "main:app");
    }
}
