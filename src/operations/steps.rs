//! How far a new app has come, in the six steps that the API names. Each follows the real change: none is done because
//! somebody was asked to do it.

use serde::{Deserialize, Serialize};

use crate::domain::{ChangeState, Outcome};

/// What has to be there before an app is served, watched and cared for.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, strum::Display, strum::EnumIter, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// Its namespace with quotas and isolation is there.
    CreateNamespace,
    /// Its pods are ready.
    DeployApp,
    /// Requests for its host name reach it.
    ConfigureIngress,
    /// Its certificate is issued.
    SetupSsl,
    /// It is scraped and has alerts and a dashboard.
    ConfigureMonitoring,
    /// Its alerts say what may be repaired.
    SetupAutoRepair,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It has not begun.
    Pending,
    /// The cluster is at it.
    Running,
    /// It is done.
    Done,
    /// It will not be done without somebody's help.
    Failed,
    /// The app has no need of it.
    Skipped,
}

/// What is known of an app's change in one environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// How far the change has come; none before there was one.
    pub state: Option<ChangeState>,
    /// What the cluster answered.
    pub outcome: Option<Outcome>,
    /// Whether the controller has applied the change.
    pub is_live: bool,
    /// Whether the app has a host name.
    pub has_host: bool,
    /// Whether its certificate is issued; none if it has no certificate.
    pub certificate: Option<bool>,
}

/// The steps, in the order of the API, with how far each is.
#[must_use]
pub fn steps(facts: &Facts) -> [(Step, StepStatus); 6] {
    // What is applied together is there together.
    let applied = match facts.state {
        _ if facts.is_live => StepStatus::Done,
        Some(ChangeState::Failed | ChangeState::Closed) => StepStatus::Failed,
        Some(ChangeState::Settled) => match facts.outcome {
            Some(Outcome::TimedOut) => StepStatus::Failed,
            _ => StepStatus::Pending,
        },
        Some(ChangeState::Merged) => StepStatus::Running,
        _ => StepStatus::Pending,
    };
    let running = |is_done: bool| match (is_done, facts.outcome) {
        _ if applied != StepStatus::Done => applied,
        (true, _) => StepStatus::Done,
        (false, Some(Outcome::Degraded | Outcome::TimedOut)) => StepStatus::Failed,
        (false, _) => StepStatus::Running,
    };
    let with_host = |status| if facts.has_host { status } else { StepStatus::Skipped };
    [
        (Step::CreateNamespace, applied),
        (Step::DeployApp, running(facts.outcome == Some(Outcome::Healthy))),
        (Step::ConfigureIngress, with_host(applied)),
        (Step::SetupSsl, facts.certificate.map_or(StepStatus::Skipped, |issued| with_host(running(issued)))),
        (Step::ConfigureMonitoring, applied),
        (Step::SetupAutoRepair, applied),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: Facts) -> String {
        steps(&facts).map(|(step, status)| format!("{step} {status:?}")).join(", ")
    }

    #[test]
    fn nothing_is_done_before_the_controller_has_applied_it() {
        for state in [ChangeState::Accepted, ChangeState::Proposed] {
            let facts = Facts { state: Some(state), has_host: true, certificate: Some(false), ..Facts::default() };
            assert!(steps(&facts).iter().all(|(_, status)| *status == StepStatus::Pending), "{}", told(facts));
        }
        let merged = Facts { state: Some(ChangeState::Merged), has_host: true, ..Facts::default() };
        assert_eq!(steps(&merged)[0].1, StepStatus::Running);
        let stalled = Facts { state: Some(ChangeState::Settled), outcome: Some(Outcome::TimedOut), ..Facts::default() };
        assert_eq!(steps(&stalled)[0].1, StepStatus::Failed);
    }

    #[test]
    fn a_certificate_and_pods_take_their_own_time() {
        let live = Facts {
            state: Some(ChangeState::Merged),
            is_live: true,
            has_host: true,
            certificate: Some(false),
            outcome: None,
        };
        assert_eq!(
            told(live),
            "create_namespace Done, deploy_app Running, configure_ingress Done, setup_ssl Running, \
             configure_monitoring Done, setup_auto_repair Done"
        );
        let settled = Facts { state: Some(ChangeState::Settled), outcome: Some(Outcome::Degraded), ..live };
        assert_eq!((steps(&settled)[1].1, steps(&settled)[3].1), (StepStatus::Failed, StepStatus::Failed));
        let healthy = Facts { outcome: Some(Outcome::Healthy), certificate: Some(true), ..settled };
        assert!(steps(&healthy).iter().all(|(_, status)| *status == StepStatus::Done), "{}", told(healthy));
    }

    #[test]
    fn an_app_without_a_host_name_has_no_ingress_to_wait_for() {
        let facts = Facts { state: Some(ChangeState::Merged), is_live: true, ..Facts::default() };
        assert_eq!((steps(&facts)[2].1, steps(&facts)[3].1), (StepStatus::Skipped, StepStatus::Skipped));
    }
}
