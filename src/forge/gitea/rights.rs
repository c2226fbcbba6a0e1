//! Who may do what, who approved what, and what the branches ask for.

use std::collections::BTreeMap;

use super::call::{Call, Failure};
use super::{Place, wire};
use crate::forge::calls::Effect;
use crate::forge::{Approval, Error, MergeRequestNumber, Permission, Protection, User, UserId};
use crate::git::BranchName;

/// What a branch asks for that wants checks without naming one: all that there are, and at least one.
const ANY_CHECK: &str = "*";

impl Place<'_> {
    pub(super) async fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        // Rights are asked for by login, and a login can have become somebody else's: the answer must be about the id.
        let call = Call::get("users/search").query("uid", user.as_str()).query("limit", 1);
        let found: wire::Found =
            self.client.ask(Effect::Read, &call).await.map_err(|failure| failure.about("the user"))?;
        let found = found.data.unwrap_or_default().into_iter().find(|found| found.is(user.as_str()));
        let Some(found) = found else { return Ok(Permission::None) };
        let call = self.read("collaborators").part(&found.login).path("permission");
        match self.client.ask::<wire::CollaboratorPermission>(Effect::Read, &call).await {
            Ok(answer) if answer.user.is(user.as_str()) => Ok(answer.permission()),
            Ok(_) => Ok(Permission::None),
            Err(failure) if failure.is_absence() => Ok(Permission::None),
            Err(Failure::Refused(refusal)) if refusal.status == 403 => Err(Error::Forbidden {
                reason: "the owner of the token is no administrator of the repository, so it may not ask for rights"
                    .to_owned(),
            }),
            Err(failure) => Err(failure.about("the user")),
        }
    }

    pub(super) async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        let reviews = self.standing_reviews(number).await?;
        let approval =
            |(user, review): (User, wire::Review)| Approval { user, commit: review.commit(), at: review.submitted_at };
        Ok(reviews.into_iter().map(approval).collect())
    }

    /// The reviews that are a yes still: of each person the last word, if nobody has dismissed it.
    pub(super) async fn standing_reviews(
        &self,
        number: MergeRequestNumber,
    ) -> Result<Vec<(User, wire::Review)>, Error> {
        let what = format!("merge request {number}");
        let call = self.read(&format!("pulls/{number}/reviews"));
        let reviews: Vec<wire::Review> = self.client.all(&call).await.map_err(|failure| failure.about(&what))?;
        let mut last: BTreeMap<UserId, (User, wire::Review)> = BTreeMap::new();
        for mut review in reviews {
            // A comment, or being asked, changes nobody's mind.
            let is_word = matches!(review.state.as_str(), "APPROVED" | "REQUEST_CHANGES");
            let Some(user) = review.user.take().filter(|_| is_word) else { continue };
            let user = user.into_user()?;
            if last.get(&user.id).is_none_or(|(_, known)| known.id < review.id) {
                last.insert(user.id.clone(), (user, review));
            }
        }
        let is_yes = |review: &wire::Review| review.state == "APPROVED" && !review.dismissed;
        let mut standing: Vec<_> = last.into_values().filter(|(_, review)| is_yes(review)).collect();
        standing.sort_by_key(|(_, review)| review.id);
        Ok(standing)
    }

    pub(super) async fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        let call = self.read("branches").path(branch.as_str());
        match self.client.ask::<wire::Branch>(Effect::Read, &call).await {
            Ok(branch) => asked_for(branch),
            Err(failure) if failure.is_absence() => Ok(Protection::default()),
            Err(failure) => Err(failure.about("the branch")),
        }
    }
}

/// What a branch asks for. Its checks may be patterns.
pub(super) fn asked_for(branch: wire::Branch) -> Result<Protection, Error> {
    let mut checks = branch.status_check_contexts.unwrap_or_default();
    if !branch.enable_status_check {
        checks.clear();
    } else if checks.is_empty() {
        checks.push(ANY_CHECK.to_owned());
    }
    let required_checks = checks.iter().map(|check| check.parse()).collect::<Result<_, Error>>()?;
    let required_approvals = u32::try_from(branch.required_approvals.max(0)).unwrap_or(u32::MAX);
    Ok(Protection { required_checks, required_approvals })
}
