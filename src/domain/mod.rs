//! The values that wooo speaks in: names, specs, settings, intents, problems. Values only: nothing here reads a file, a
//! clock or a network, and nothing here knows how a value is rendered, stored or asked for.

pub mod addons;
pub mod alerts;
pub mod app_spec;
mod change;
pub mod credential;
pub mod dns;
pub mod document;
pub mod fleet;
mod framework;
pub mod host;
mod image;
pub mod intent;
pub mod monitoring;
mod names;
mod numbers;
mod outcome;
pub mod problem;
mod quantity;
pub mod release;
mod role;
pub mod secrets;
pub mod text;

pub use app_spec::AppSpec;
pub use change::{ChangeId, ChangeState};
pub use document::Document;
pub use fleet::FleetSettings;
pub use framework::Framework;
pub use image::ImageRef;
pub use intent::{Action, Intent};
pub use names::{
    AppName, Cidr, ClusterName, EnvironmentName, HostName, InvalidName, LabelName, MetricName, PlanName, TenantName,
    UrlPath, VariableName, WorkerName,
};
pub use numbers::Percent;
pub use outcome::Outcome;
pub use problem::{Location, Problem, Problems};
pub use quantity::{Cpu, Memory};
pub use release::{App, Release};
pub use role::Role;
