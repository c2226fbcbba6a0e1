//! What is synced as one: a Flux Kustomization or an Argo CD Application.

use std::time::Duration;

use serde_json::Value;

use super::super::store::{Key, Store};

/// Which controller's words a unit speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    /// A Kustomization of kustomize-controller.
    Flux,
    /// An Application of Argo CD.
    Argo,
}

/// What a unit asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    /// Whose it is.
    pub(super) dialect: Dialect,
    /// The generation of the spec.
    pub(super) generation: i64,
    /// The GitRepository, for Flux.
    pub(super) source: Option<Key>,
    /// The branch, for Argo CD.
    pub(super) branch: String,
    /// The folder.
    pub(super) path: String,
    /// Whether what has left the folder is removed.
    pub(super) prunes: bool,
    /// Whether it is only done when its objects are ready.
    pub(super) waits: bool,
    /// Whether it is left alone.
    pub(super) suspended: bool,
    /// Where objects go that say nothing.
    pub(super) namespace: String,
    /// How often drift is corrected.
    pub(super) interval: f64,
    /// How soon a failure is tried again.
    pub(super) retry: f64,
    /// How long objects may take to become ready.
    pub(super) timeout: f64,
    /// By whom and when a sync was asked for.
    pub(super) requested: String,
}

impl Wish {
    /// Reads a Kustomization or an Application.
    pub(super) fn read(store: &Store, dialect: Dialect, object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let flag = |pointer: &str| object.pointer(pointer).and_then(Value::as_bool).unwrap_or(false);
        let seconds = |pointer: &str, default: f64| seconds(&text(pointer)).unwrap_or(default);
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
        match dialect {
            Dialect::Flux => {
                let interval = seconds("/spec/interval", 600.0);
                let own = text("/metadata/namespace");
                let elsewhere = Some(text("/spec/sourceRef/namespace")).filter(|namespace| !namespace.is_empty());
                let kind = store.kinds().named("source.toolkit.fluxcd.io", "GitRepository");
                let name = text("/spec/sourceRef/name");
                let target = Some(text("/spec/targetNamespace")).filter(|namespace| !namespace.is_empty());
                Self {
                    dialect,
                    generation,
                    source: kind.map(|kind| store.key(kind, &elsewhere.unwrap_or(own), &name)),
                    branch: String::new(),
                    path: text("/spec/path"),
                    prunes: flag("/spec/prune"),
                    waits: flag("/spec/wait"),
                    suspended: flag("/spec/suspend"),
                    namespace: target.unwrap_or_else(|| "default".to_owned()),
                    interval,
                    retry: seconds("/spec/retryInterval", interval),
                    timeout: seconds("/spec/timeout", interval),
                    requested: text("/metadata/annotations/reconcile.fluxcd.io~1requestedAt"),
                }
            }
            Dialect::Argo => Self {
                dialect,
                generation: 0,
                source: None,
                branch: text("/spec/source/targetRevision"),
                path: text("/spec/source/path"),
                prunes: flag("/spec/syncPolicy/automated/prune"),
                waits: false,
                suspended: object.pointer("/spec/syncPolicy/automated").is_none(),
                namespace: text("/spec/destination/namespace"),
                interval: 180.0,
                retry: 60.0,
                timeout: 600.0,
                requested: text("/metadata/annotations/argocd.argoproj.io~1refresh"),
            },
        }
    }
}

/// `1h2m3s` or `500ms` in seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += amount.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty() && Duration::try_from_secs_f64(total).is_ok()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(seconds("10m"), Some(600.0));
        assert_eq!(seconds("1h2m3.5s"), Some(3723.5));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!((seconds(""), seconds("10"), seconds("x")), (None, None, None));
    }
}
