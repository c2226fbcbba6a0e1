//! One rule for each framework: whether a folder's facts fit it, and what they then answer.
//!
//! Owns what each framework's files look like. Choosing between frameworks that fit is the business of
//! [`choose`](super::choose).

pub(super) mod django;
pub(super) mod fastapi;
pub(super) mod flask;
pub(super) mod go;
pub(super) mod nextjs;
pub(super) mod nodejs;
pub(super) mod python;
pub(super) mod static_files;

use super::claims::Claims;
use super::command::Family;
use super::facts::Facts;
use super::place::Place;
use crate::domain::Framework;

/// How much a match is worth beside others.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Tier {
    /// Files that could be served, or could belong to something else.
    Files,
    /// It uses the framework, and nothing in it can be started: perhaps a library.
    Library,
    /// It can be run.
    App,
}

/// A framework that fits a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Match {
    /// The framework.
    pub(super) framework: Framework,
    /// What the match is worth.
    pub(super) tier: Tier,
    /// Whether the very thing that is run was found: an app object, a main function, a start script.
    pub(super) is_proven: bool,
    /// Why, the strongest reason first.
    pub(super) reasons: Vec<(Place, String)>,
}

/// The frameworks that fit the folder, in the order of [`Framework`].
pub(super) fn recognise(facts: &Facts<'_>) -> Vec<Match> {
    let rules = [
        flask::recognise,
        django::recognise,
        fastapi::recognise,
        nodejs::recognise,
        nextjs::recognise,
        static_files::recognise,
        go::recognise,
    ];
    rules.into_iter().filter_map(|rule| rule(facts)).collect()
}

/// Makes the claims on how the app is started that stand outside the container's own files.
pub(super) fn describe_start(framework: Framework, facts: &Facts<'_>, claims: &mut Claims) {
    match family(framework) {
        Family::Python => python::describe_start(facts, claims),
        Family::Node => nodejs::describe_start(facts, claims),
        Family::Files | Family::Program => {}
    }
}

/// Makes the claims that the framework's own files support.
pub(super) fn describe(framework: Framework, facts: &Facts<'_>, claims: &mut Claims) {
    match framework {
        Framework::Flask => flask::describe(facts, claims),
        Framework::Django => django::describe(facts, claims),
        Framework::Fastapi => fastapi::describe(facts, claims),
        Framework::Nodejs => nodejs::describe(facts, claims),
        Framework::Nextjs => nextjs::describe(facts, claims),
        Framework::Static => static_files::describe(facts, claims),
        Framework::Go => go::describe(facts, claims),
    }
}

/// The language of a framework's command lines.
pub(super) fn family(framework: Framework) -> Family {
    match framework {
        Framework::Flask | Framework::Django | Framework::Fastapi => Family::Python,
        Framework::Nodejs | Framework::Nextjs => Family::Node,
        Framework::Static => Family::Files,
        Framework::Go => Family::Program,
    }
}
