//! Strict models of the custom resources that wooo renders: exactly the fields that it uses, so that a misspelt one is
//! an error here and not an object that a cluster takes and ignores.
//!
//! Sources: gateway-api.sigs.k8s.io (v1 HTTPRoute, v1beta1 ReferenceGrant), cert-manager.io (v1 Certificate),
//! argo-cd.readthedocs.io (v1alpha1 Application), fluxcd.io (kustomize.toolkit v1 Kustomization, source.toolkit v1
//! GitRepository). Every struct refuses unknown fields; what a team's overlay may add is listed too.

pub(super) mod monitoring;
pub(super) mod secrets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Declares models: public nothing, optional fields left out when absent, unknown fields refused.
macro_rules! model {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident $(as $rename:literal)?: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(in crate::render) struct $name {
            $($(#[$meta])* $(#[serde(rename = $rename)])? $field: $kind,)*
        }
    };
}

use model;

/// A field that may be left out.
type Maybe<T> = Option<T>;

model! {
    /// The metadata that a rendered object has.
    Metadata {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")] namespace: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] labels: Maybe<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "Option::is_none")] annotations: Maybe<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "Option::is_none")] finalizers: Maybe<Vec<String>>,
    }
}

/// A custom resource with the spec `S`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Resource<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

model! {
    /// gateway.networking.k8s.io/v1 HTTPRoute.
    HttpRouteSpec {
        parent_refs: Vec<ParentRef>,
        #[serde(skip_serializing_if = "Option::is_none")] hostnames: Maybe<Vec<String>>,
        rules: Vec<HttpRouteRule>,
    }
}
model! {
    ParentRef {
        #[serde(skip_serializing_if = "Option::is_none")] group: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] kind: Maybe<String>,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")] namespace: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] section_name: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] port: Maybe<u16>,
    }
}
model! {
    HttpRouteRule {
        #[serde(skip_serializing_if = "Option::is_none")] name: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] matches: Maybe<Vec<HttpRouteMatch>>,
        #[serde(skip_serializing_if = "Option::is_none")] backend_refs: Maybe<Vec<BackendRef>>,
        #[serde(skip_serializing_if = "Option::is_none")] timeouts: Maybe<HttpRouteTimeouts>,
    }
}
model! {
    HttpRouteMatch {
        #[serde(skip_serializing_if = "Option::is_none")] path: Maybe<PathMatch>,
        #[serde(skip_serializing_if = "Option::is_none")] method: Maybe<String>,
    }
}
model! {
    PathMatch {
        #[serde(rename = "type")] kind: PathMatchType,
        value: String,
    }
}
#[derive(Deserialize, Serialize)]
enum PathMatchType {
    Exact,
    PathPrefix,
    RegularExpression,
}
model! {
    BackendRef {
        #[serde(skip_serializing_if = "Option::is_none")] group: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] kind: Maybe<String>,
        name: String,
        port: u16,
        #[serde(skip_serializing_if = "Option::is_none")] weight: Maybe<u32>,
    }
}
model! {
    HttpRouteTimeouts {
        #[serde(skip_serializing_if = "Option::is_none")] request: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] backend_request: Maybe<String>,
    }
}

model! {
    /// gateway.networking.k8s.io/v1beta1 ReferenceGrant.
    ReferenceGrantSpec { from: Vec<GrantFrom>, to: Vec<GrantTo>, }
}
model! { GrantFrom { group: String, kind: String, namespace: String, } }
model! {
    GrantTo {
        group: String,
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")] name: Maybe<String>,
    }
}

model! {
    /// cert-manager.io/v1 Certificate.
    CertificateSpec {
        secret_name: String,
        dns_names: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")] common_name: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] duration: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] renew_before: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] usages: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] private_key: Maybe<CertificateKey>,
        #[serde(skip_serializing_if = "Option::is_none")] revision_history_limit: Maybe<u32>,
        issuer_ref: IssuerRef,
    }
}
model! {
    CertificateKey {
        #[serde(skip_serializing_if = "Option::is_none")] algorithm: Maybe<KeyAlgorithm>,
        #[serde(skip_serializing_if = "Option::is_none")] encoding: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] rotation_policy: Maybe<RotationPolicy>,
        #[serde(skip_serializing_if = "Option::is_none")] size: Maybe<u16>,
    }
}
#[derive(Deserialize, Serialize)]
enum KeyAlgorithm {
    #[serde(rename = "RSA")]
    Rsa,
    #[serde(rename = "ECDSA")]
    Ecdsa,
    Ed25519,
}
#[derive(Deserialize, Serialize)]
enum RotationPolicy {
    Never,
    Always,
}
model! {
    IssuerRef {
        #[serde(skip_serializing_if = "Option::is_none")] group: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] kind: Maybe<String>,
        name: String,
    }
}

model! {
    /// argoproj.io/v1alpha1 Application.
    ApplicationSpec {
        project: String,
        source: ApplicationSource,
        destination: ApplicationDestination,
        #[serde(skip_serializing_if = "Option::is_none")] sync_policy: Maybe<SyncPolicy>,
        #[serde(skip_serializing_if = "Option::is_none")] ignore_differences: Maybe<Vec<IgnoreDifference>>,
        #[serde(skip_serializing_if = "Option::is_none")] revision_history_limit: Maybe<u32>,
    }
}
model! {
    ApplicationSource {
        repo_url as "repoURL": String,
        target_revision: String,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")] directory: Maybe<ApplicationDirectory>,
    }
}
model! { ApplicationDirectory { recurse: bool, } }
model! {
    ApplicationDestination {
        #[serde(skip_serializing_if = "Option::is_none")] name: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] server: Maybe<String>,
        namespace: String,
    }
}
model! {
    SyncPolicy {
        #[serde(skip_serializing_if = "Option::is_none")] automated: Maybe<AutomatedSync>,
        #[serde(skip_serializing_if = "Option::is_none")] sync_options: Maybe<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")] retry: Maybe<SyncRetry>,
    }
}
model! {
    AutomatedSync {
        #[serde(skip_serializing_if = "Option::is_none")] prune: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] self_heal: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] allow_empty: Maybe<bool>,
    }
}
model! {
    SyncRetry {
        limit: u32,
        #[serde(skip_serializing_if = "Option::is_none")] backoff: Maybe<SyncBackoff>,
    }
}
model! {
    SyncBackoff {
        duration: String,
        #[serde(skip_serializing_if = "Option::is_none")] factor: Maybe<u32>,
        #[serde(skip_serializing_if = "Option::is_none")] max_duration: Maybe<String>,
    }
}
model! {
    IgnoreDifference {
        #[serde(skip_serializing_if = "Option::is_none")] group: Maybe<String>,
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")] name: Maybe<String>,
        json_pointers: Vec<String>,
    }
}

model! {
    /// kustomize.toolkit.fluxcd.io/v1 Kustomization.
    FluxKustomizationSpec {
        interval: String,
        #[serde(skip_serializing_if = "Option::is_none")] retry_interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] timeout: Maybe<String>,
        path: String,
        prune: bool,
        #[serde(skip_serializing_if = "Option::is_none")] wait: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] suspend: Maybe<bool>,
        #[serde(skip_serializing_if = "Option::is_none")] service_account_name: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] decryption: Maybe<secrets::Decryption>,
        source_ref: SourceRef,
    }
}
model! { SourceRef { kind: String, name: String, } }

model! {
    /// source.toolkit.fluxcd.io/v1 GitRepository.
    GitRepositorySpec {
        interval: String,
        #[serde(skip_serializing_if = "Option::is_none")] timeout: Maybe<String>,
        url: String,
        #[serde(rename = "ref")] reference: GitReference,
        #[serde(skip_serializing_if = "Option::is_none")] secret_ref: Maybe<NamedRef>,
    }
}
model! { GitReference { branch: String, } }
model! { NamedRef { name: String, } }
