//! One reader for each kind of file that says what an app is or how it runs.
//!
//! Owns the formats. A reader takes text and gives values with the lines they stand in; it reads no other file and
//! concludes nothing. What follows from the values is the business of [`facts`](super::facts) and
//! [`frameworks`](super::frameworks).

pub(super) mod dockerfile;
pub(super) mod go_mod;
pub(super) mod gunicorn;
pub(super) mod next_config;
pub(super) mod package_json;
pub(super) mod pipfile;
pub(super) mod procfile;
pub(super) mod pyproject;
pub(super) mod requirement;
pub(super) mod requirements;
pub(super) mod setup;
pub(super) mod toml;
