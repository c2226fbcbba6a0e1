//! Who has which role in which tenant: given here, or said in the fleet's settings.

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments};
use super::{Error, FleetName, Store, TenantKey, Tx, UserId};
use crate::domain::Role;

/// Where a role comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum MembershipSource {
    /// It was given in this service.
    Local,
    /// `fleet.yaml` says it.
    Fleet,
}

arguments! { Text: MembershipSource => |source| source.to_string() }

/// A role of a person in a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantKey,
    /// The person.
    pub user_id: UserId,
    /// The role.
    pub role: Role,
    /// Where it comes from. Of roles from several places the highest counts.
    pub source: MembershipSource,
}

fn read(row: &Row) -> Result<Membership, Error> {
    Ok(Membership {
        tenant: TenantKey { fleet: row.parse("fleet")?, tenant: row.parse("tenant")? },
        user_id: row.parse("user_id")?,
        role: row.parse("role")?,
        source: row.parse("source")?,
    })
}

fn select() -> Statement {
    Statement::new("SELECT fleet, tenant, user_id, role, source FROM memberships WHERE ")
}

impl Store {
    /// The roles of a person, by tenant.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn memberships_of(&self, user: &UserId) -> Result<Vec<Membership>, Error> {
        let statement = select().sql("user_id = ").arg(user).sql(" ORDER BY fleet, tenant, source");
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// The people of a tenant.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn members(&self, tenant: &TenantKey) -> Result<Vec<Membership>, Error> {
        let statement = select().sql("fleet = ").arg(&tenant.fleet).and_equal("tenant", Some(&tenant.tenant));
        statement.sql(" ORDER BY user_id, source").all(self.read()).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// Gives a role, in the place of the one from the same source.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such person.
    pub async fn put_membership(&mut self, membership: &Membership) -> Result<(), Error> {
        let fields = vec![
            ("fleet", arg(&membership.tenant.fleet)),
            ("tenant", arg(&membership.tenant.tenant)),
            ("user_id", arg(&membership.user_id)),
            ("role", arg(membership.role)),
            ("source", arg(membership.source)),
        ];
        let statement = Statement::insert("memberships", fields);
        statement.or_replace("fleet, tenant, user_id, source", &["role"]).run(self.on()).await?;
        Ok(())
    }

    /// Takes the role that was given in this service.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    pub async fn remove_membership(&mut self, tenant: &TenantKey, user: &UserId) -> Result<(), Error> {
        let statement = Statement::new("DELETE FROM memberships WHERE user_id = ")
            .arg(user)
            .and_equal("fleet", Some(&tenant.fleet))
            .and_equal("tenant", Some(&tenant.tenant))
            .and_equal("source", Some(MembershipSource::Local));
        match statement.run(self.on()).await? {
            0 => Err(Error::NotFound { what: "membership" }),
            _ => Ok(()),
        }
    }

    /// Makes `memberships` the roles that the settings of a fleet give. Their source and fleet have to be those.
    ///
    /// # Errors
    /// [`Error::Conflict`] if one of the people is not known.
    pub async fn replace_fleet_memberships(
        &mut self,
        fleet: &FleetName,
        memberships: &[Membership],
    ) -> Result<(), Error> {
        let statement = Statement::new("DELETE FROM memberships WHERE fleet = ").arg(fleet);
        statement.and_equal("source", Some(MembershipSource::Fleet)).run(self.on()).await?;
        for membership in memberships {
            self.put_membership(membership).await?;
        }
        Ok(())
    }
}
