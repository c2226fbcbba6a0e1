//! The templates and overlays that are part of the binary.

use rust_embed::RustEmbed;

use crate::files::MemoryTree;

#[derive(RustEmbed)]
#[folder = "templates"]
#[prefix = "templates/"]
struct EmbeddedTemplates;

#[derive(RustEmbed)]
#[folder = "overlays"]
#[prefix = "overlays/"]
struct EmbeddedOverlays;

/// The built-in `templates/` and `overlays/`, which a fleet's own shadow by path.
#[must_use]
pub fn files() -> MemoryTree {
    let templates =
        EmbeddedTemplates::iter().filter_map(|path| Some((path.to_string(), EmbeddedTemplates::get(&path)?.data)));
    let overlays =
        EmbeddedOverlays::iter().filter_map(|path| Some((path.to_string(), EmbeddedOverlays::get(&path)?.data)));
    templates.chain(overlays).collect()
}
