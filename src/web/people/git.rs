//! Who may use a fleet repository over Git.
//!
//! A fleet repository holds the apps of all tenants, and its branches are what clusters run, so a role in one tenant is
//! no right to it:
//!
//! - Administrators may read, with any scope; with the scope `admin` they may push. What branch protection forbids it
//!   forbids them too.
//! - People with a role in every tenant of the fleet may read, as long as every app of it belongs to a tenant.
//! - The service's own token may do both.
//!
//! Git's password is an API token; the user's name does not matter. A token that is limited to a tenant or role counts as
//! its owner would with that little. Pipelines and cookies count for nothing here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::{RepositoryName, User};
use crate::store::FleetName;
use crate::web::auth::session::same;
use crate::web::auth::{Auth, Identity, Principal, Resource, Who};
use crate::web::git_http::{Authorise, Question, Service, Verdict};
use crate::web::limits::Caller;
use crate::web::problem::Answer;

/// Decides about requests of Git. `fleets` says which repository is whose; others are for administrators. `service` is the
/// password of the service itself, if it uses its own repositories over HTTP at all.
#[must_use]
pub fn authorise_git(
    auth: Auth,
    fleets: BTreeMap<RepositoryName, FleetName>,
    service: Option<SecretString>,
) -> Authorise {
    let gate = Arc::new(Gate { auth, fleets, service });
    Arc::new(move |question| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.decide(&question).await.unwrap_or_else(|answer| {
                tracing::warn!(code = answer.code(), "who may use a repository cannot be found out");
                Verdict::Unavailable
            })
        })
    })
}

struct Gate {
    auth: Auth,
    fleets: BTreeMap<RepositoryName, FleetName>,
    service: Option<SecretString>,
}

impl Gate {
    async fn decide(&self, question: &Question) -> Result<Verdict, Answer> {
        if let Some(user) = self.is_service(&question.headers) {
            return Ok(Verdict::Allowed { user, is_service: true });
        }
        // Only what Git itself was told to send: a browser sends cookies along with whatever a page makes it ask.
        let mut headers = HeaderMap::new();
        for value in question.headers.get_all(header::AUTHORIZATION) {
            headers.append(header::AUTHORIZATION, value.clone());
        }
        let Identity::Known { principal, .. } = self.auth.identify(&Method::GET, &headers).await? else {
            return Ok(Verdict::Unknown);
        };
        self.auth.limits().count(Caller::Known(principal.key()))?;
        let fleet = self.fleets.get(&question.repository);
        let may = match question.service {
            Service::Push => principal.administers(),
            Service::Fetch => self.may_read(&principal, fleet).await?,
        };
        let id = principal.user().and_then(|id| id.parse().ok());
        Ok(match id {
            Some(id) if may => {
                let user = User { id, login: principal.display.clone() };
                Verdict::Allowed { user, is_service: false }
            }
            _ => Verdict::Refused,
        })
    }

    async fn may_read(&self, principal: &Principal, fleet: Option<&FleetName>) -> Result<bool, Answer> {
        if matches!(principal.who, Who::Pipeline { .. }) {
            return Ok(false);
        }
        let Some(fleet) = fleet else { return Ok(principal.visible("").all) };
        if principal.visible(fleet.as_str()).all {
            return Ok(true);
        }
        let store = self.auth.store();
        let tenants = store.tenants(fleet).await?;
        let sees =
            |tenant| principal.role(&Resource { fleet: fleet.as_str(), tenant: Some(tenant), app: None }).is_some();
        Ok(!tenants.is_empty() && tenants.iter().all(sees) && !store.has_apps_of_nobody(fleet).await?)
    }

    /// The service, if its own password was sent.
    fn is_service(&self, headers: &HeaderMap) -> Option<User> {
        let own = self.service.as_ref().filter(|own| !own.expose_secret().is_empty())?;
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
        let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (_, password) = text.split_once(':')?;
        let is_own = scheme.eq_ignore_ascii_case("basic") && same(own, password);
        is_own.then(|| "wooo".parse().ok())?.map(|id| User { id, login: "wooo".to_owned() })
    }
}
