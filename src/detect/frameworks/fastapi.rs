//! FastAPI: an ASGI app object, or a factory.

use super::{Match, python};
use crate::detect::answer::EntryKind;
use crate::detect::claims::Claims;
use crate::detect::facts::Facts;
use crate::domain::Framework;

/// Whether the folder holds a FastAPI app.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    python::recognise(facts, Framework::Fastapi, "fastapi")
}

/// Claims what a FastAPI app's files say.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    python::describe(facts, Framework::Fastapi, EntryKind::Asgi, claims);
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
    fn the_instrumentator_gives_a_metrics_path() {
        let text = "app = FastAPI()\nInstrumentator().instrument(app).expose(app)\n";
        let app = found(&[("requirements.txt", "fastapi"), ("main.py", text)]).unwrap();
        assert_eq!(app.metrics_path.as_deref(), Some("/metrics"));
    }
}
