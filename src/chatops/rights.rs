//! Who may do what by a comment. Two questions, and both must be answered with yes: what the forge lets the author do in
//! the repository where the comment stands, asked when the command runs and by the number of the account; and which role
//! they have in the tenant of the app, as the synced branch of the fleet and the accounts of the service say. What a merge
//! request would change about either does not count before it is merged.

use std::collections::BTreeMap;

use super::registry::Entry;
use crate::domain::{AppName, FleetSettings, Problem, Role, TenantName};
use crate::forge::{Permission, User};
use crate::operations::lifecycle::{Accounts, Failure, Service, Source, tenant_of};
use crate::store;

/// What somebody may do.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// In the repository, by the forge.
    permission: Permission,
    /// In each tenant of the fleet.
    roles: BTreeMap<TenantName, Role>,
    /// In every tenant.
    everywhere: Option<Role>,
    /// In a fleet without tenants: the right in the repository as a role. For a linked repository it reaches no further
    /// than the app.
    by_right: Option<(Role, Option<AppName>)>,
    /// All that they go by in the audit trail; the first is who they are here.
    names: Vec<String>,
}

impl Standing {
    /// Asks the forge, the settings and the database about the author of a comment.
    ///
    /// # Errors
    /// [`Failure`]: an answer that did not come is never a right.
    pub(super) async fn of(
        service: &Service,
        source: &Source,
        settings: &FleetSettings,
        author: &User,
    ) -> Result<Self, Failure> {
        let permission = source.forge.permission(&author.id).await?;
        let name = format!("{}:{}", source.accounts, author.login);
        let mut standing = Self {
            permission,
            roles: BTreeMap::new(),
            everywhere: None,
            by_right: as_role(permission)
                .filter(|_| settings.tenants.is_empty())
                .map(|role| (role, source.app.clone())),
            names: vec![name.clone()],
        };
        for (tenant, people) in &settings.tenants {
            let lists =
                [(&people.viewers, Role::Viewer), (&people.deployers, Role::Deployer), (&people.owners, Role::Owner)];
            for (list, role) in lists {
                // Forges do not tell logins apart by case.
                if list.iter().any(|listed| listed.as_str().eq_ignore_ascii_case(&name)) {
                    standing.give(tenant, role);
                }
            }
        }
        standing.add_account(service, source, author).await?;
        if source.accounts == Accounts::Local {
            // The embedded forge has no rights of its own: the roles of the service are what it goes by.
            let best = standing.everywhere.max(standing.roles.values().max().copied());
            standing.permission = standing.permission.max(best.map_or(Permission::None, as_permission));
        }
        Ok(standing)
    }

    /// What the account in this service that the author signs in with may do.
    async fn add_account(&mut self, service: &Service, source: &Source, author: &User) -> Result<(), store::Error> {
        let account = match source.accounts {
            Accounts::Local => match author.id.as_str().parse() {
                Ok(id) => service.store.user(&id).await?,
                Err(_) => None,
            },
            accounts => service.store.user_by_identity(&accounts.to_string(), author.id.as_str()).await?,
        };
        let Some(account) = account else { return Ok(()) };
        if account.is_admin {
            self.everywhere = Some(Role::Owner);
        }
        for membership in service.store.memberships_of(&account.id).await? {
            if membership.tenant.fleet == source.fleet {
                self.give(&membership.tenant.tenant, membership.role);
            }
        }
        self.names.extend(account.email.map(|email| format!("local:{email}")));
        for identity in service.store.identities(&account.id).await? {
            let username = identity.username.unwrap_or(identity.subject);
            self.names.push(format!("{}:{username}", identity.provider));
        }
        Ok(())
    }

    fn give(&mut self, tenant: &TenantName, role: Role) {
        let known = self.roles.entry(tenant.clone()).or_insert(role);
        *known = role.max(*known);
    }

    /// Who they are, as in `github:alice`.
    pub(super) fn actor(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// All that they go by.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether they have nothing to say to wooo here.
    pub(super) fn is_outsider(&self) -> bool {
        let has_role = self.everywhere.is_some() || !self.roles.is_empty() || self.by_right.is_some();
        self.permission < Permission::Read || !has_role
    }

    fn role(&self, settings: &FleetSettings, app: &AppName) -> Option<Role> {
        let of_tenant = tenant_of(settings, app).and_then(|tenant| self.roles.get(&tenant).copied());
        let by_right = self.by_right.as_ref().filter(|(_, only)| only.as_ref().is_none_or(|only| only == app));
        of_tenant.max(self.everywhere).max(by_right.map(|(role, _)| *role))
    }

    /// Whether they may use a command on an app.
    ///
    /// # Errors
    /// `app.not_found` for an app of others, as for one that is not there; `auth.forbidden`.
    pub(super) fn check(&self, settings: &FleetSettings, entry: &Entry, app: &AppName) -> Result<(), Problem> {
        let role = self.role(settings, app).ok_or_else(|| absent(app))?;
        if role < entry.role {
            let detail = format!("`{}` needs the role {} for `{app}`; yours is {role}", entry.verb, entry.role);
            return Err(Problem::new("auth.forbidden", detail));
        }
        if entry.acts() && self.permission < Permission::Write {
            let detail = format!("`{}` needs the right to write to this repository", entry.verb);
            return Err(Problem::new("auth.forbidden", detail));
        }
        Ok(())
    }
}

/// What is said of an app that is not there, or that is not for whoever asks: it does not say which.
pub(super) fn absent(app: &AppName) -> Problem {
    Problem::new("app.not_found", format!("there is no app `{app}` here that you may see"))
}

const fn as_permission(role: Role) -> Permission {
    match role {
        Role::Viewer => Permission::Read,
        Role::Deployer => Permission::Write,
        Role::Owner => Permission::Admin,
    }
}

const fn as_role(permission: Permission) -> Option<Role> {
    match permission {
        Permission::None => None,
        Permission::Read => Some(Role::Viewer),
        Permission::Write => Some(Role::Deployer),
        Permission::Admin => Some(Role::Owner),
    }
}
