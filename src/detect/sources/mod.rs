//! What source files say: app objects, ports and routes, found line by line.
//!
//! Owns the scans. There is no parser of any language here: patterns over single lines, with comments passed over. A
//! scan takes text and gives findings with their places; it reads nothing.

pub(super) mod go;
pub(super) mod javascript;
pub(super) mod python;
pub(super) mod routes;

/// A port in a source file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PortFound {
    /// The port.
    pub(super) port: u16,
    /// Where it stands.
    pub(super) place: super::place::Place,
    /// How it is meant, as evidence says it.
    pub(super) why: &'static str,
}

/// The first of `ports` in the files that `matters` takes, else the first of all.
pub(super) fn best_port(ports: &[PortFound], matters: impl Fn(&str) -> bool) -> Option<&PortFound> {
    ports.iter().find(|found| matters(&found.place.file)).or_else(|| ports.first())
}
