//! The audit trail of people and credentials: who did what, from which address. It holds no secret, and of what somebody
//! typed while they were nobody yet it holds nothing at all, because people type passwords into the wrong field.

use serde_json::Value;

use crate::store::{self, AuditEntry, TenantKey, Tx};
use crate::web::limits::ClientAddress;

/// The actor of what was done by nobody known.
pub const NOBODY: &str = "anonymous";

/// Something that somebody did.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    actor: &'a str,
    action: &'static str,
    address: Option<ClientAddress>,
    tenant: Option<&'a TenantKey>,
    detail: Option<Value>,
}

impl<'a> Deed<'a> {
    /// `action` is a dotted word; the service itself has no address.
    #[must_use]
    pub fn new(actor: &'a str, action: &'static str, address: Option<ClientAddress>) -> Self {
        Self { actor, action, address, tenant: None, detail: None }
    }

    /// Says which tenant it concerns.
    #[must_use]
    pub fn about(self, tenant: &'a TenantKey) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// Says more.
    #[must_use]
    pub fn detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Writes it down together with what was done.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn write(self, tx: &mut Tx) -> Result<(), store::Error> {
        let entry = AuditEntry::service(tx.now().await?, self.actor, self.action);
        tx.append_audit(&AuditEntry {
            address: self.address.map(|address| address.0.to_string()),
            fleet: self.tenant.map(|key| key.fleet.clone()),
            tenant: self.tenant.map(|key| key.tenant.clone()),
            detail: self.detail,
            ..entry
        })
        .await?;
        Ok(())
    }
}
