//! What the cluster says after a change.

use serde::{Deserialize, Serialize};

/// The answer of a cluster to a change, of one app in one environment.
///
/// The order is from best to worst, so that the outcome of a change that touches several environments is the greatest
/// of theirs.
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
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The change is live and everything that it runs is ready.
    Healthy,
    /// Nothing trustworthy is known: the cluster is unreachable, or what it says is old.
    Unknown,
    /// It was not synced, or not settled, within wooo's own deadline.
    TimedOut,
    /// The change is live and something that it runs is not.
    Degraded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_outcomes_is_the_greatest() {
        assert_eq!([Outcome::Healthy, Outcome::Degraded, Outcome::Unknown].into_iter().max(), Some(Outcome::Degraded));
    }
}
