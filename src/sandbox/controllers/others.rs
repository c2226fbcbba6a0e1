//! What else becomes ready by itself: certificates, volume claims, and the Secrets that sealed ones stand for.

use serde_json::{Map, Value, json};

use super::super::cluster::Cluster;
use super::super::store::{Key, SANDBOX_LABEL, Store};
use super::{Memory, owner_reference};

/// What stands in a Secret of a sandbox: nothing is ever decrypted here. It is base64 of `sandbox placeholder`.
const PLACEHOLDER: &str = "c2FuZGJveCBwbGFjZWhvbGRlcg==";

/// Brings an object to where its controller would bring it.
pub(super) fn step(cluster: &Cluster, memory: &Memory, key: &Key) {
    let mut store = cluster.store();
    let Some(object) = store.value(key) else { return };
    let ids = memory.ids;
    if key.kind == ids.claim {
        store.set_status(key, json!({"phase": "Bound", "accessModes": object.pointer("/spec/accessModes")}));
    } else if Some(key.kind) == ids.certificate {
        let name = object.pointer("/spec/secretName").and_then(Value::as_str).unwrap_or_default().to_owned();
        make_secret(&mut store, memory, key, &object, &name, "kubernetes.io/tls", ["tls.crt", "tls.key"].into_iter());
        let expiry = cluster.clock.now() + jiff::SignedDuration::from_hours(24 * 90);
        let mut status = ready(&store, &object, "Ready", "Ready", "Certificate is up to date and has not expired");
        let fields = super::super::patch::as_object(&mut status);
        fields.insert("notAfter".to_owned(), json!(super::super::store::timestamp(expiry)));
        if let Some(before) = object.pointer("/status/notAfter") {
            fields.insert("notAfter".to_owned(), before.clone());
        }
        store.set_status(key, status);
    } else if Some(key.kind) == ids.sealed_secret {
        let keys = object.pointer("/spec/encryptedData").and_then(Value::as_object).cloned().unwrap_or_default();
        make_secret(&mut store, memory, key, &object, &key.name, "Opaque", keys.keys().map(String::as_str));
        let status = ready(&store, &object, "Synced", "", "");
        store.set_status(key, status);
    } else if Some(key.kind) == ids.external_secret {
        let name = object.pointer("/spec/target/name").and_then(Value::as_str).unwrap_or(&key.name).to_owned();
        let data = object.pointer("/spec/data").and_then(Value::as_array).cloned().unwrap_or_default();
        let keys = data.iter().filter_map(|entry| entry.get("secretKey").and_then(Value::as_str));
        make_secret(&mut store, memory, key, &object, &name, "Opaque", keys);
        let status = ready(&store, &object, "Ready", "SecretSynced", "secret synced");
        store.set_status(key, status);
    }
}

/// A status that says that all is well.
fn ready(store: &Store, object: &Value, condition: &str, reason: &str, message: &str) -> Value {
    let generation = object.pointer("/metadata/generation");
    let before = object.pointer("/status/conditions/0/lastTransitionTime").cloned();
    json!({
        "observedGeneration": generation,
        "conditions": [{
            "type": condition,
            "status": "True",
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": before.unwrap_or_else(|| json!(store.timestamp())),
        }],
    })
}

/// Makes a Secret whose values are placeholders.
fn make_secret<'a>(
    store: &mut Store,
    memory: &Memory,
    key: &Key,
    owner: &Value,
    name: &str,
    kind: &str,
    keys: impl Iterator<Item = &'a str>,
) {
    if name.is_empty() {
        return;
    }
    let data: Map<String, Value> = keys.map(|key| (key.to_owned(), json!(PLACEHOLDER))).collect();
    let secret = json!({
        "metadata": {"name": name, "labels": {SANDBOX_LABEL: "true"}, "ownerReferences": owner_reference(owner)},
        "type": kind,
        "data": data,
    });
    let _made = store.put_whole(memory.ids.secret, &key.namespace, secret);
}
