//! The frameworks that wooo has templates for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an app is built with. It decides the templates, the default port and the default health path.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Framework {
    /// Python, WSGI, served by gunicorn.
    Flask,
    /// Python, WSGI or ASGI.
    Django,
    /// Python, ASGI, served by uvicorn.
    Fastapi,
    /// Any Node.js server.
    Nodejs,
    /// Next.js.
    Nextjs,
    /// Files only, served by a web server.
    Static,
    /// Go.
    Go,
}

impl Framework {
    /// The TCP port that the framework's server listens on unless it is told otherwise.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Flask | Self::Django | Self::Fastapi => 8000,
            Self::Nodejs | Self::Nextjs => 3000,
            Self::Static | Self::Go => 8080,
        }
    }

    /// The path that probes ask for unless the spec names another. Files have no health endpoint: their root page is
    /// what there is to ask for.
    #[must_use]
    pub const fn default_health_path(self) -> &'static str {
        match self {
            Self::Static => "/",
            _ => "/health",
        }
    }
}
