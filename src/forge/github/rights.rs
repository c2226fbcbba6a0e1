//! Who may do what: asked live, by the numeric id of an account.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;

use super::address::segment;
use super::repository::Repository;
use super::wire::{Account, CollaboratorPermission, Opinion, Review};
use crate::forge::{Approval, Error, MergeRequestNumber, Permission, Rights, User, UserId};

#[derive(Debug, Deserialize)]
struct App {
    slug: String,
}

impl Repository {
    pub(super) async fn reviews(&self, number: MergeRequestNumber) -> Result<Vec<Review>, Error> {
        let path = self.path(&format!("/pulls/{number}/reviews"));
        self.connection.all(&path, &format!("merge request {number}"), |reviews: Vec<Review>| reviews).await
    }
}

#[async_trait]
impl Rights for Repository {
    async fn myself(&self) -> Result<User, Error> {
        let Some(app) = &self.app else {
            return self.connection.get("/user").await?.json::<Account>("the token's own account")?.user();
        };
        // An App acts as an account of its own, which has its name.
        let App { slug } = app.get("/app").await?.json("the App itself")?;
        let path = format!("/users/{}", segment(&format!("{slug}[bot]")));
        self.connection.get(&path).await?.json::<Account>("the App's own account")?.user()
    }

    async fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        let Ok(id) = user.as_str().parse::<u64>() else { return Ok(Permission::None) };
        let answer = self.connection.get(&format!("/user/{id}")).await?;
        if answer.is_absent() {
            return Ok(Permission::None);
        }
        let account: Account = answer.json(&format!("the user {id}"))?;
        let path = self.path(&format!("/collaborators/{}/permission", segment(&account.login)));
        let answer = self.connection.get(&path).await?;
        if answer.is_absent() {
            return Ok(Permission::None);
        }
        let found: CollaboratorPermission = answer.json(&format!("the rights of the user {id}"))?;
        // Between the two questions the login may have become somebody else's.
        if found.user.is_none_or(|user| user.id != id) {
            return Ok(Permission::None);
        }
        Ok(match found.permission.as_str() {
            "admin" => Permission::Admin,
            "write" | "maintain" => Permission::Write,
            "read" | "triage" => Permission::Read,
            _ => Permission::None,
        })
    }

    async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        // The latest yes or no of each person is what they say.
        let mut said: BTreeMap<String, Opinion> = BTreeMap::new();
        for review in self.reviews(number).await? {
            if let Some((user, opinion)) = review.opinion()? {
                said.insert(user.id.into(), opinion);
            }
        }
        let approved = |opinion| match opinion {
            Opinion::Approved(approval) => Some(approval),
            Opinion::Other => None,
        };
        Ok(said.into_values().filter_map(approved).collect())
    }
}
