//! Resources that become Secrets in the cluster.
//!
//! Sources: github.com/bitnami-labs/sealed-secrets (bitnami.com/v1alpha1 SealedSecret), external-secrets.io (v1
//! ExternalSecret, generators v1alpha1 Password), fluxcd.io and getsops.io (a Secret with a `sops` section).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Maybe, Metadata, NamedRef, model};

model! {
    /// bitnami.com/v1alpha1 SealedSecret.
    SealedSecretSpec {
        encrypted_data: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")] template: Maybe<SealedTemplate>,
    }
}
model! {
    SealedTemplate {
        #[serde(skip_serializing_if = "Option::is_none")] metadata: Maybe<Metadata>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")] kind: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] immutable: Maybe<bool>,
    }
}

model! {
    /// external-secrets.io/v1 ExternalSecret.
    ExternalSecretSpec {
        #[serde(skip_serializing_if = "Option::is_none")] refresh_policy: Maybe<RefreshPolicy>,
        #[serde(skip_serializing_if = "Option::is_none")] refresh_interval: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] secret_store_ref: Maybe<StoreRef>,
        target: ExternalTarget,
        #[serde(skip_serializing_if = "Option::is_none")] data: Maybe<Vec<ExternalData>>,
        #[serde(skip_serializing_if = "Option::is_none")] data_from: Maybe<Vec<ExternalSource>>,
    }
}
model! {
    StoreRef {
        kind: String,
        name: String,
    }
}
model! {
    ExternalTarget {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")] creation_policy: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] deletion_policy: Maybe<String>,
    }
}
#[derive(Deserialize, Serialize)]
enum RefreshPolicy {
    CreatedOnce,
    Periodic,
    OnChange,
}
model! {
    ExternalData {
        secret_key: String,
        remote_ref: RemoteRef,
    }
}
model! {
    RemoteRef {
        key: String,
        #[serde(skip_serializing_if = "Option::is_none")] property: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] version: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] conversion_strategy: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] decoding_strategy: Maybe<String>,
        #[serde(skip_serializing_if = "Option::is_none")] metadata_policy: Maybe<String>,
    }
}
model! { ExternalSource { source_ref: GeneratorSource, } }
model! { GeneratorSource { generator_ref: GeneratorRef, } }
model! {
    GeneratorRef {
        api_version: String,
        kind: String,
        name: String,
    }
}

model! {
    /// generators.external-secrets.io/v1alpha1 Password.
    PasswordSpec {
        length: u32,
        digits: u32,
        symbols: u32,
        no_upper: bool,
        allow_repeat: bool,
    }
}

model! {
    /// How Flux opens what is encrypted.
    Decryption {
        provider: String,
        secret_ref: NamedRef,
    }
}

/// v1 Secret, encrypted by SOPS: its values are texts, whatever they were.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::render) struct EncryptedSecret {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    secret_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_data: Option<BTreeMap<String, String>>,
    sops: serde_json::Value,
}
