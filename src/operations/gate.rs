//! Whether a change waits for a person. Pure: what it decides on is all in its arguments.

use serde::Serialize;

use super::change::EnvironmentDiff;
use crate::domain::FleetSettings;
use crate::domain::fleet::MergeMode;
use crate::render::diff::Risk;

/// What may be done with a change that could be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A person merges it.
    Propose,
    /// wooo merges it as soon as every check is green.
    Auto,
}

/// A decision with what led to it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// What may be done.
    pub decision: Decision,
    /// Why a person is needed, one sentence each; empty for [`Decision::Auto`].
    pub reasons: Vec<String>,
}

/// Decides on a change that somebody asked for and that was planned and rendered.
#[must_use]
pub fn decide(settings: &FleetSettings, diffs: &[EnvironmentDiff]) -> Verdict {
    let mut reasons = Vec::new();
    for diff in diffs {
        let mode = settings.environments.get(&diff.environment).map_or(MergeMode::Propose, |place| place.merge);
        if mode == MergeMode::Propose {
            reasons.push(format!("changes to {} are merged by a person", diff.environment));
        }
        // The diff is sorted by risk, so that the first tells.
        if let Some(entry) = diff.entries.first().filter(|entry| entry.risk == Risk::High) {
            reasons.push(format!("in {} there is a change of high risk: {entry}", diff.environment));
        }
    }
    let decision = if reasons.is_empty() && !diffs.is_empty() { Decision::Auto } else { Decision::Propose };
    if diffs.is_empty() {
        reasons.push("the change touches no environment whose settings could allow it".to_owned());
    }
    Verdict { decision, reasons }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Document;
    use crate::render::diff;

    const FLEET: &str = "repository: {url: https://git.example.com/fleet.git}
environments:
  staging: {cluster: a, provider: k3s, merge: auto}
  production: {cluster: b, provider: k3s, merge: propose}
clusters: {a: {delivery: flux}, b: {delivery: flux}}
";

    fn decided(environments: &[(&str, &[serde_json::Value])]) -> Verdict {
        let settings = FleetSettings::parse(&Document { file: "fleet.yaml", text: FLEET }).unwrap();
        let diffs: Vec<EnvironmentDiff> = environments
            .iter()
            .map(|(name, gone)| EnvironmentDiff {
                environment: name.parse().unwrap(),
                entries: diff::compare(gone, &[]),
                digest: None,
            })
            .collect();
        decide(&settings, &diffs)
    }

    #[test]
    fn only_environments_that_allow_it_are_merged_without_a_person() {
        assert_eq!(decided(&[("staging", &[])]).decision, Decision::Auto);
        assert_eq!(decided(&[("staging", &[]), ("production", &[])]).decision, Decision::Propose);
        assert_eq!(decided(&[]).decision, Decision::Propose);
        assert_eq!(decided(&[("production", &[])]).reasons, ["changes to production are merged by a person"]);
    }

    #[test]
    fn what_is_of_high_risk_waits_for_a_person_everywhere() {
        let volume = serde_json::json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "app-a"},
        });
        let verdict = decided(&[("staging", &[volume])]);
        assert_eq!(verdict.decision, Decision::Propose);
        assert!(verdict.reasons[0].starts_with("in staging there is a change of high risk"), "{:?}", verdict.reasons);
    }
}
