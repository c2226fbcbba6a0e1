//! Who a request comes from, and what they may do: values only.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{AppName, Role, TenantName};

/// What an API token may be used for. Each includes the ones before it.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// To look.
    Read,
    /// To change apps too.
    Deploy,
    /// For everything that its owner may do, except signing in: people and tokens too.
    Admin,
}

/// The scopes of a token. None of them is a token that may do nothing.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Of somebody who is there in person.
    #[must_use]
    pub fn all() -> Self {
        [Scope::Admin].into()
    }

    /// Whether something that needs this scope may be done.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.last().is_some_and(|most| *most >= scope)
    }

    /// The most that a role comes to with them.
    #[must_use]
    pub fn cap(&self, role: Role) -> Option<Role> {
        let most = match self.0.last()? {
            Scope::Read => Role::Viewer,
            Scope::Deploy => Role::Deployer,
            Scope::Admin => Role::Owner,
        };
        Some(role.min(most))
    }
}

impl Scopes {
    /// The scopes, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl<const N: usize> From<[Scope; N]> for Scopes {
    fn from(scopes: [Scope; N]) -> Self {
        Self(scopes.into())
    }
}

/// A role somewhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The fleet, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// The tenant. Without one the grant is for the named apps, whichever tenant they are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Only these apps. An empty list is no app, and not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apps: Option<BTreeSet<AppName>>,
    /// The role there.
    pub role: Role,
}

impl Grant {
    /// Whether it is about this thing. A grant that names neither tenant nor apps is about nothing: only
    /// administrators have everything.
    #[must_use]
    pub fn covers(&self, resource: &Resource<'_>) -> bool {
        if self.fleet.as_deref().is_some_and(|fleet| fleet != resource.fleet) {
            return false;
        }
        let tenant = self.tenant.as_ref().map(|tenant| Some(tenant) == resource.tenant);
        let app = self.apps.as_ref().map(|apps| resource.app.is_some_and(|app| apps.contains(app)));
        match (tenant, app) {
            (None, None) => false,
            (tenant, app) => tenant.unwrap_or(true) && app.unwrap_or(true),
        }
    }
}

/// What somebody is about to look at or to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resource<'a> {
    /// The fleet.
    pub fleet: &'a str,
    /// The tenant that it belongs to. What belongs to none is for administrators, and for grants that name the app.
    pub tenant: Option<&'a TenantName>,
    /// The app, if it is one or belongs to one.
    pub app: Option<&'a AppName>,
}

/// How somebody has shown who they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// A person who signed in.
    Person {
        /// Their id.
        user: String,
        /// The session.
        session: String,
    },
    /// A program with a person's API token.
    Token {
        /// The token's id.
        token: String,
        /// The person's id.
        user: String,
    },
    /// A pipeline, by its forge's word.
    Pipeline {
        /// The id of the short-lived token.
        id: String,
    },
}

/// Somebody who has shown who they are, with all that they may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// How.
    pub who: Who,
    /// How they are named in commits and in the audit: `github:alice`, `local:alice@example.com`, `ci:github:org/repo`.
    pub display: String,
    /// Runs the installation. Without the scope `admin` it means nothing.
    pub is_admin: bool,
    /// The roles.
    pub grants: Vec<Grant>,
    /// The scopes.
    pub scopes: Scopes,
}

impl Principal {
    /// Whether they run the installation, and do so now.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.is_admin && self.scopes.allow(Scope::Admin) && matches!(self.who, Who::Person { .. } | Who::Token { .. })
    }

    /// Their role there: the highest of the grants about it, within the scopes. Nothing means that for them it does
    /// not exist.
    #[must_use]
    pub fn role(&self, resource: &Resource<'_>) -> Option<Role> {
        let granted = self.grants.iter().filter(|grant| grant.covers(resource)).map(|grant| grant.role).max();
        // An administrator with a token of a smaller scope still sees and deploys everything that the scope allows.
        let own = if self.is_admin && !self.is_restricted() { Some(Role::Owner) } else { granted };
        own.and_then(|role| self.scopes.cap(role))
    }

    /// The person behind it, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.who {
            Who::Person { user, .. } | Who::Token { user, .. } => Some(user),
            Who::Pipeline { .. } => None,
        }
    }

    /// What limits count their requests by.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.who {
            Who::Person { user, .. } => format!("person:{user}"),
            Who::Token { token, .. } => format!("token:{token}"),
            Who::Pipeline { .. } => self.display.clone(),
        }
    }

    /// What they may see of a fleet, for lists.
    #[must_use]
    pub fn visible(&self, fleet: &str) -> Visible {
        if self.scopes.cap(Role::Viewer).is_none() {
            return Visible::default();
        }
        if self.is_admin && !self.is_restricted() {
            return Visible { all: true, ..Visible::default() };
        }
        let mut visible = Visible::default();
        for grant in self.grants.iter().filter(|grant| grant.fleet.as_deref().is_none_or(|of| of == fleet)) {
            match (&grant.tenant, &grant.apps) {
                (Some(tenant), None) => {
                    visible.tenants.insert(tenant.clone());
                }
                (_, Some(apps)) => visible.apps.extend(apps.iter().cloned()),
                (None, None) => {}
            }
        }
        visible
    }

    /// A pipeline is never more than its grants, and [`Principal::narrowed`] makes a token of an administrator for one
    /// tenant an ordinary one.
    fn is_restricted(&self) -> bool {
        matches!(self.who, Who::Pipeline { .. })
    }

    /// The same somebody with less: what a token that was made for one fleet, tenant or role leaves of its owner's
    /// rights as they are now.
    #[must_use]
    pub fn narrowed(mut self, fleet: Option<&str>, tenant: Option<&TenantName>, role: Option<Role>) -> Self {
        if fleet.is_none() && tenant.is_none() && role.is_none() {
            return self;
        }
        if let (true, Some(tenant)) = (self.is_admin, tenant) {
            let all =
                Grant { fleet: fleet.map(str::to_owned), tenant: Some(tenant.clone()), apps: None, role: Role::Owner };
            self.grants = vec![all];
        }
        // A role or a fleet without a tenant would leave an administrator without any grant: no grant says "everything".
        if tenant.is_some() || !self.is_admin || fleet.is_some() {
            self.is_admin = false;
        }
        self.grants.retain_mut(|grant| {
            let fits = |own: Option<&str>, wanted: Option<&str>| match (own, wanted) {
                (Some(own), Some(wanted)) => own == wanted,
                _ => true,
            };
            let tenant_fits = tenant.is_none_or(|tenant| grant.tenant.as_ref() == Some(tenant));
            let keep = fits(grant.fleet.as_deref(), fleet) && tenant_fits;
            if let Some(fleet) = fleet {
                grant.fleet = Some(fleet.to_owned());
            }
            if let Some(role) = role {
                grant.role = grant.role.min(role);
            }
            keep
        });
        if let (true, Some(role)) = (self.is_admin, role) {
            let most = match role {
                Role::Viewer => Scope::Read,
                Role::Deployer => Scope::Deploy,
                Role::Owner => Scope::Admin,
            };
            self.scopes.0 = self.scopes.0.iter().map(|scope| (*scope).min(most)).collect();
        }
        self
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

/// What a list may show of a fleet. A list that is filtered by it asks [`Principal::role`] once more for what it found by
/// the name of an app alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Visible {
    /// Everything, also what belongs to no tenant.
    pub all: bool,
    /// All of these tenants.
    pub tenants: BTreeSet<TenantName>,
    /// These apps.
    pub apps: BTreeSet<AppName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantName {
        name.parse().unwrap()
    }

    fn grant(fleet: Option<&str>, of: Option<&str>, apps: Option<&[&str]>, role: Role) -> Grant {
        let apps = apps.map(|apps| apps.iter().map(|app| app.parse().unwrap()).collect());
        Grant { fleet: fleet.map(str::to_owned), tenant: of.map(tenant), apps, role }
    }

    fn person(is_admin: bool, grants: Vec<Grant>) -> Principal {
        let who = Who::Person { user: "u".to_owned(), session: "s".to_owned() };
        Principal { who, display: "local:a@example.com".to_owned(), is_admin, grants, scopes: Scopes::all() }
    }

    fn role(principal: &Principal, fleet: &str, of: Option<&str>, app: Option<&str>) -> Option<Role> {
        let (of, app): (_, Option<AppName>) = (of.map(tenant), app.map(|app| app.parse().unwrap()));
        principal.role(&Resource { fleet, tenant: of.as_ref(), app: app.as_ref() })
    }

    #[test]
    fn a_role_counts_where_it_was_given() {
        let alice = person(
            false,
            vec![
                grant(Some("main"), Some("growth"), None, Role::Deployer),
                grant(Some("main"), Some("growth"), None, Role::Viewer),
                grant(None, None, Some(&["shop"]), Role::Deployer),
                grant(None, None, None, Role::Owner),
                grant(None, None, Some(&[]), Role::Owner),
                grant(None, Some("core"), Some(&["blog"]), Role::Owner),
            ],
        );
        assert_eq!(role(&alice, "main", Some("growth"), Some("x")), Some(Role::Deployer));
        assert_eq!(role(&alice, "other", Some("growth"), Some("x")), None);
        assert_eq!(role(&alice, "main", Some("finance"), Some("x")), None);
        assert_eq!(role(&alice, "main", None, Some("x")), None, "what belongs to no tenant");
        assert_eq!(role(&alice, "any", None, Some("shop")), Some(Role::Deployer));
        assert_eq!(role(&alice, "any", Some("core"), Some("blog")), Some(Role::Owner));
        assert_eq!(role(&alice, "any", Some("growth"), Some("blog")), None, "the app is in another tenant");
        assert_eq!(role(&alice, "any", Some("core"), None), None);
        assert!(!alice.administers());
    }

    #[test]
    fn scopes_bound_everybody() {
        let root = person(true, Vec::new());
        assert_eq!(role(&root, "main", None, None), Some(Role::Owner));
        for (scopes, expected) in [
            (Scopes::from([Scope::Read]), Some(Role::Viewer)),
            (Scopes::from([Scope::Read, Scope::Deploy]), Some(Role::Deployer)),
            (Scopes::default(), None),
        ] {
            let root = Principal { scopes, ..root.clone() };
            assert_eq!(role(&root, "main", None, None), expected);
            assert!(!root.administers());
            assert_eq!(root.visible("main").all, expected.is_some());
        }
        assert!(root.administers());
    }

    #[test]
    fn a_pipeline_is_never_more_than_its_grants() {
        let grants = vec![grant(Some("main"), None, Some(&["shop"]), Role::Deployer)];
        let who = Who::Pipeline { id: "1".to_owned() };
        let pipeline = Principal { who, is_admin: true, ..person(true, grants) };
        assert!(!pipeline.administers());
        assert_eq!(role(&pipeline, "main", None, Some("shop")), Some(Role::Deployer));
        assert_eq!(role(&pipeline, "main", None, Some("blog")), None);
        assert!(!pipeline.visible("main").all);
    }

    #[test]
    fn a_narrowed_token_has_at_most_what_its_owner_has() {
        let alice = person(false, vec![grant(Some("main"), Some("growth"), None, Role::Deployer)]);
        let owner = alice.clone().narrowed(None, Some(&tenant("growth")), Some(Role::Owner));
        assert_eq!(role(&owner, "main", Some("growth"), None), Some(Role::Deployer));
        let viewer = alice.clone().narrowed(None, None, Some(Role::Viewer));
        assert_eq!(role(&viewer, "main", Some("growth"), None), Some(Role::Viewer));
        let elsewhere = alice.clone().narrowed(None, Some(&tenant("core")), None);
        assert_eq!(role(&elsewhere, "main", Some("growth"), None), None);
        assert_eq!(role(&alice.narrowed(Some("other"), None, None), "main", Some("growth"), None), None);
    }

    #[test]
    fn a_narrowed_token_of_an_administrator_administers_nothing_more() {
        let root = person(true, Vec::new());
        let of_tenant = root.clone().narrowed(Some("main"), Some(&tenant("growth")), Some(Role::Deployer));
        assert!(!of_tenant.administers());
        assert_eq!(role(&of_tenant, "main", Some("growth"), None), Some(Role::Deployer));
        assert_eq!(role(&of_tenant, "main", Some("core"), None), None);
        assert_eq!(role(&of_tenant, "main", None, None), None);
        assert_eq!(role(&of_tenant, "other", Some("growth"), None), None);
        let viewer = root.clone().narrowed(None, None, Some(Role::Viewer));
        assert!(!viewer.administers());
        assert_eq!(role(&viewer, "main", Some("growth"), None), Some(Role::Viewer));
        assert!(root.narrowed(None, None, None).administers());
    }

    #[test]
    fn lists_are_filtered_by_what_is_granted() {
        let alice = person(
            false,
            vec![
                grant(Some("main"), Some("growth"), None, Role::Viewer),
                grant(Some("other"), Some("core"), None, Role::Owner),
                grant(None, None, Some(&["shop"]), Role::Deployer),
                grant(None, None, None, Role::Owner),
            ],
        );
        let visible = alice.visible("main");
        assert!(!visible.all);
        assert_eq!(visible.tenants, BTreeSet::from([tenant("growth")]));
        assert_eq!(visible.apps, BTreeSet::from(["shop".parse().unwrap()]));
    }
}
