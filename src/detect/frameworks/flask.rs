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
