//! What templates see of the add-ons of an app: backing services that run beside it.

use serde::Serialize;

use super::context::Subject;
use super::digest;
use crate::domain::addons::{AddonKind, OnRemoval};
use crate::domain::app_spec::AppSpec;
use crate::domain::release::{ResourceAmounts, Resources};
use crate::domain::secrets::{Ciphertext, PASSWORD_KEY, addon_secret};
use crate::domain::{Cpu, FleetSettings, Memory, VariableName};

/// One add-on, as `addon` in its templates and in `app.addons`.
#[derive(Serialize)]
pub(super) struct AddonView {
    /// The kind.
    pub(super) kind: AddonKind,
    name: String,
    component: &'static str,
    image: String,
    port: u16,
    user: u32,
    storage: Memory,
    resources: Resources,
    heap_megabytes: u64,
    data_megabytes: u64,
    volumes: Vec<&'static str>,
    secret: String,
    key: &'static str,
    sealed: Option<String>,
    retain: bool,
    /// Whether it is backed up.
    pub(super) backup: bool,
    backup_schedule: String,
    clients: Vec<String>,
    variables: Vec<AddonVariable>,
}

/// A variable that tells the app where the add-on is. The password's has no value here.
#[derive(Serialize)]
struct AddonVariable {
    name: String,
    value: Option<String>,
}

/// What a backup may use: it reads a database and compresses it.
pub(super) const BACKUP: ResourceAmounts =
    ResourceAmounts { memory: Memory::from_bytes(512 << 20), cpu: Cpu::from_millicores(500) };

/// The add-ons of an app in the order of its spec.
pub(super) fn views(subject: &Subject<'_>) -> Vec<AddonView> {
    let spec = &subject.app.spec;
    spec.addons
        .iter()
        .map(|(kind, addon)| {
            let profile = kind.profile();
            let name = addon_secret(&spec.name, *kind);
            let resources = addon.resources(*kind);
            let megabytes = resources.limits.memory.bytes() / (1 << 20);
            AddonView {
                kind: *kind,
                component: kind.key(),
                image: image(subject.settings, *kind),
                port: profile.port,
                user: profile.user,
                storage: addon.storage.unwrap_or(profile.storage),
                resources,
                heap_megabytes: megabytes / 2,
                data_megabytes: megabytes * 3 / 4,
                volumes: std::iter::once("data").chain(profile.backup.then_some("backup")).collect(),
                secret: name.clone(),
                key: PASSWORD_KEY,
                sealed: match subject.app.secrets.addons.get(kind) {
                    Some(Ciphertext::Sealed { value, .. }) => Some(value.clone()),
                    _ => None,
                },
                retain: addon.on_removal == OnRemoval::Retain,
                backup: profile.backup,
                backup_schedule: schedule(&name, &subject.namespace),
                clients: clients(spec, *kind),
                variables: variables(spec, *kind, &name),
                name,
            }
        })
        .collect()
}

/// The image of a kind of add-on: the fleet's own choice, or the built-in one.
pub(super) fn image(settings: &FleetSettings, kind: AddonKind) -> String {
    settings.addon_images.get(&kind).map_or_else(|| kind.profile().image.to_owned(), ToString::to_string)
}

/// What the variables of an add-on are, where the app's owner does not set them.
fn variables(spec: &AppSpec, kind: AddonKind, host: &str) -> Vec<AddonVariable> {
    let password = AddonVariable { name: kind.password_variable(), value: None };
    let address = AddonVariable { name: kind.profile().variable.to_owned(), value: Some(kind.address(host)) };
    let is_free = |variable: &AddonVariable| {
        let is = |name: &VariableName| name.as_str() == variable.name;
        !spec.env.keys().any(is) && !spec.secrets.iter().any(is)
    };
    [password, address].into_iter().filter(is_free).collect()
}

/// The components that may reach the add-on: the app's own, and its backup.
fn clients(spec: &AppSpec, kind: AddonKind) -> Vec<String> {
    let workers = spec.workers.iter().map(|worker| format!("worker-{}", worker.name));
    let backup = kind.profile().backup.then(|| format!("{kind}-backup"));
    std::iter::once("web".to_owned()).chain(workers).chain(backup).collect()
}

/// Once a night, at a minute of its own: a cluster's backups must not all begin at once.
fn schedule(name: &str, namespace: &str) -> String {
    let digest = digest::of([namespace.as_bytes(), name.as_bytes()]);
    let minutes = u16::from_str_radix(&digest[..4], 16).unwrap_or_default() % 240;
    format!("{} {} * * *", minutes % 60, 1 + minutes / 60)
}
