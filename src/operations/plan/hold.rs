//! Pinning an app where it is, and lifting the pin.

use jiff::Timestamp;

use super::{Plan, Request, Target, data};
use crate::domain::release::Hold;
use crate::domain::{Problem, Problems};

pub(super) fn hold(
    target: &Target<'_>,
    reason: &str,
    until: Option<Timestamp>,
    request: &Request,
) -> Result<Plan, Problems> {
    let (environment, _) = target.here()?;
    if reason.trim().is_empty() || reason.chars().count() > 500 {
        let problem = Problem::new("hold.reason", "a hold needs a reason of at most 500 characters");
        return Err(problem.hint("whoever meets the hold will read it").into());
    }
    if until.is_some_and(|until| until <= request.now) {
        return Err(Problem::new("hold.until", "the hold would end before it begins").into());
    }
    let hold = new(reason, until, request);
    let subject = format!("Hold {} in {environment}", target.name);
    target.set(&[(&["hold"], Some(data(hold)))], subject)
}

/// A hold from now on.
pub(super) fn new(reason: &str, until: Option<Timestamp>, request: &Request) -> Hold {
    Hold { reason: reason.trim().to_owned(), actor: request.actor.clone(), since: request.now, until }
}

pub(super) fn unhold(target: &Target<'_>) -> Result<Plan, Problems> {
    let (environment, _) = target.here()?;
    let subject = format!("Lift the hold on {} in {environment}", target.name);
    target.set(&[(&["hold"], None)], subject)
}
