//! Which kinds of object are followed: where they are, which of them are asked for, and where they are kept.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cache::{Cache, Kind, Table};
use super::delivery::{Application, Kustomization};
use super::report::{Certificate, Controller, Event, Pod, Workload, WorkloadKind};
use super::wire::{Meta, ReplicaSet, WireCertificate, WireEvent, WirePod, WireReplicaSet, WireWorkload};

/// The label that everything that wooo renders has: workloads, the pods and ReplicaSets made from their templates,
/// certificates, and the controllers' objects.
const OURS: Selector = Selector::Labels("app.kubernetes.io/managed-by=wooo");

/// An object as it comes over the wire, and how it is remembered.
pub(super) trait Watched: DeserializeOwned + Clone + Send + 'static {
    /// What is kept of it.
    type Row: PartialEq + Send;
    /// Its kind.
    const KIND: Kind;
    /// Where all of them are.
    const PATH: &'static str;
    /// Those that are asked for.
    const SELECTOR: Selector;

    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// What is kept of it; `None` if it is of no interest. `old` is what was kept before.
    fn keep(self, old: Option<&Self::Row>, now: Timestamp) -> Option<Self::Row>;
    /// Where it is kept.
    fn table(cache: &mut Cache) -> &mut Table<Self::Row>;
}

/// A choice that the API server makes for us.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selector {
    /// By labels.
    Labels(&'static str),
    /// By fields.
    Fields(&'static str),
}

/// A Deployment on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct WireDeployment(WireWorkload);

/// A StatefulSet on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct WireStatefulSet(WireWorkload);

impl AsRef<Meta> for WireDeployment {
    fn as_ref(&self) -> &Meta {
        &self.0.metadata
    }
}

impl AsRef<Meta> for WireStatefulSet {
    fn as_ref(&self) -> &Meta {
        &self.0.metadata
    }
}

macro_rules! has_metadata {
    ($($wire:ident),+) => {
        $(impl AsRef<Meta> for $wire {
            fn as_ref(&self) -> &Meta {
                &self.metadata
            }
        })+
    };
}

has_metadata!(WireReplicaSet, WirePod, WireEvent, WireCertificate, Application, Kustomization);

macro_rules! watched {
    ($wire:ident in $table:ident: $row:ty, $kind:ident at $path:literal, $selector:expr, $keep:expr) => {
        impl Watched for $wire {
            type Row = $row;
            const KIND: Kind = Kind::$kind;
            const PATH: &'static str = $path;
            const SELECTOR: Selector = $selector;

            fn meta(&self) -> &Meta {
                self.as_ref()
            }

            fn keep(self, old: Option<&$row>, now: Timestamp) -> Option<$row> {
                let keep: fn(Self, Option<&$row>, Timestamp) -> Option<$row> = $keep;
                keep(self, old, now)
            }

            fn table(cache: &mut Cache) -> &mut Table<$row> {
                &mut cache.$table
            }
        }
    };
}

watched!(WireDeployment in deployments: Workload, Deployments at "/apis/apps/v1/deployments", OURS,
    |wire, _, _| Some(wire.0.keep(WorkloadKind::Deployment)));
watched!(WireStatefulSet in stateful_sets: Workload, StatefulSets at "/apis/apps/v1/statefulsets", OURS,
    |wire, _, _| Some(wire.0.keep(WorkloadKind::StatefulSet)));
watched!(WireReplicaSet in replica_sets: ReplicaSet, ReplicaSets at "/apis/apps/v1/replicasets", OURS,
    |wire, _, _| Some(wire.keep()));
watched!(WirePod in pods: Pod, Pods at "/api/v1/pods", OURS, |wire, old, now| Some(wire.keep(old, now)));
// Events have no labels of ours; the cache takes those of our namespaces.
watched!(WireEvent in events: Event, Events at "/api/v1/events", Selector::Fields("type=Warning"),
    |wire, _, now| wire.keep(now));
watched!(WireCertificate in certificates: Certificate, Certificates at "/apis/cert-manager.io/v1/certificates", OURS,
    |wire, _, _| Some(wire.keep()));
watched!(Application in applications: Controller, Applications at "/apis/argoproj.io/v1alpha1/applications", OURS,
    |wire, old, now| Some(wire.keep(old, now)));
watched!(Kustomization in kustomizations: Controller, Kustomizations at "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    OURS, |wire, old, now| Some(wire.keep(old, now)));
