//! SOPS with age: a whole Secret is encrypted for the holders of some age identities, one of which is the cluster's.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Backend, Error, Place, check, sops_file};
use crate::domain::secrets::Ciphertext;

/// Whom Secrets of one cluster are encrypted for.
pub struct Sops {
    recipients: Vec<String>,
    /// The time that the files bear.
    now: String,
}

impl Sops {
    /// Takes age recipients (`age1...`), and the time.
    ///
    /// # Errors
    /// [`Error::Recipient`].
    pub fn new(recipients: &[String], now: Timestamp) -> Result<Self, Error> {
        if recipients.is_empty() || recipients.iter().any(|text| sops_file::check_recipient(text).is_err()) {
            return Err(Error::Recipient);
        }
        Ok(Self { recipients: recipients.to_vec(), now: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() })
    }
}

impl Backend for Sops {
    fn encrypt(&self, place: &Place<'_>, value: &SecretString) -> Result<Ciphertext, Error> {
        check(value.expose_secret())?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": place.name,
                "namespace": place.namespace,
                "labels": {
                    "app.kubernetes.io/managed-by": "wooo",
                    "app.kubernetes.io/name": place.app,
                    "app.kubernetes.io/part-of": place.app,
                },
            },
            "type": "Opaque",
            "stringData": {place.key: value.expose_secret()},
        });
        let encrypted = sops_file::encrypt(&secret, &self.recipients, &self.now).map_err(|_| Error::Failed)?;
        Ok(Ciphertext::Sops(encrypted))
    }
}
