//! What a person or a program may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What someone may do in a tenant. Each role includes the ones before it.
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
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// May look.
    Viewer,
    /// May also change apps.
    Deployer,
    /// May also decide about people and tokens.
    Owner,
}
