//! The health of one workload, by the rules of Argo CD (gitops-engine), so that wooo and Argo CD never say different
//! things of the same Deployment. Pods are not looked at here.

use super::report::{Workload, WorkloadKind};

/// The health of a workload, with a sentence where there is something to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// All pods have the newest template and are available. Wanting none is healthy.
    Healthy,
    /// Not yet.
    Progressing(String),
    /// Its own progress deadline has passed.
    Degraded(String),
    /// A person has paused it.
    Suspended(String),
}

/// The health of a workload.
#[must_use]
pub fn health(workload: &Workload) -> Health {
    match workload.kind {
        WorkloadKind::Deployment => deployment(workload),
        WorkloadKind::StatefulSet => stateful_set(workload),
    }
}

fn deployment(workload: &Workload) -> Health {
    let Workload { desired, total, updated, available, .. } = *workload;
    let title = workload.title();
    if workload.is_paused {
        return Health::Suspended(format!("{title} is paused"));
    }
    if workload.generation > workload.observed_generation {
        return Health::Progressing(format!("{title} has a new spec that the cluster has not looked at yet"));
    }
    if let Some(condition) = workload.condition("Progressing").filter(|one| one.reason == "ProgressDeadlineExceeded") {
        let why = blocked(workload).unwrap_or_else(|| condition.message.clone());
        return Health::Degraded(sentence(format!("{title} made no progress within its deadline"), &why));
    }
    let waits = |text: String| Health::Progressing(sentence(text, &blocked(workload).unwrap_or_default()));
    if updated < desired {
        waits(format!("{title} has {updated} of {desired} pods of the new template"))
    } else if total > updated {
        waits(format!("{title} still has {} pods of an old template", total - updated))
    } else if available < updated {
        waits(format!("{title} has {available} of {updated} pods available"))
    } else {
        Health::Healthy
    }
}

fn stateful_set(workload: &Workload) -> Health {
    let Workload { desired, updated, ready, .. } = *workload;
    let title = workload.title();
    if workload.observed_generation == 0 || workload.generation > workload.observed_generation {
        return Health::Progressing(format!("{title} has a new spec that the cluster has not looked at yet"));
    }
    if ready < desired {
        return Health::Progressing(format!("{title} has {ready} of {desired} pods ready"));
    }
    let Some(update) = &workload.stateful else { return Health::Healthy };
    if update.on_delete {
        return Health::Healthy;
    }
    let wanted = desired.saturating_sub(update.partition);
    if updated < wanted && update.current_revision != workload.template {
        return Health::Progressing(format!("{title} has {updated} of {wanted} pods of the new template"));
    }
    if update.partition == 0 && update.current_revision != workload.template {
        return Health::Progressing(format!("{title} is still being updated"));
    }
    Health::Healthy
}

/// Why no pod can be made, for example because of a quota.
fn blocked(workload: &Workload) -> Option<String> {
    let failure = workload.condition("ReplicaFailure").filter(|condition| condition.status == "True")?;
    Some(failure.message.clone())
}

fn sentence(text: String, why: &str) -> String {
    if why.is_empty() { text } else { format!("{text}: {}", why.trim_end_matches('.')) }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Condition, StatefulUpdate};
    use super::*;

    fn deployment(desired: u32, total: u32, updated: u32, available: u32) -> Workload {
        Workload {
            name: "shop".to_owned(),
            desired,
            total,
            updated,
            ready: available,
            available,
            generation: 3,
            observed_generation: 3,
            ..Workload::default()
        }
    }

    fn stateful(desired: u32, updated: u32, ready: u32) -> Workload {
        let update = StatefulUpdate { current_revision: "db-2".to_owned(), ..StatefulUpdate::default() };
        let template = "db-2".to_owned();
        Workload {
            kind: WorkloadKind::StatefulSet,
            stateful: Some(update),
            template,
            ready,
            ..deployment(desired, desired, updated, ready)
        }
    }

    fn progressing(found: &Health, words: &str) {
        assert!(matches!(found, Health::Progressing(text) if text.contains(words)), "{found:?}");
    }

    #[test]
    fn a_deployment_is_healthy_when_every_pod_is_new_and_available() {
        assert_eq!(health(&deployment(2, 2, 2, 2)), Health::Healthy);
        progressing(&health(&deployment(2, 3, 1, 2)), "1 of 2 pods of the new template");
        progressing(&health(&deployment(2, 3, 2, 2)), "1 pods of an old template");
        progressing(&health(&deployment(2, 2, 2, 1)), "1 of 2 pods available");
    }

    #[test]
    fn wanting_no_pods_is_healthy_once_they_are_gone() {
        assert_eq!(health(&deployment(0, 0, 0, 0)), Health::Healthy);
        progressing(&health(&deployment(0, 1, 0, 1)), "1 pods of an old template");
        assert_eq!(health(&stateful(0, 0, 0)), Health::Healthy);
    }

    #[test]
    fn a_status_about_an_older_spec_proves_nothing() {
        progressing(&health(&Workload { generation: 4, ..deployment(2, 2, 2, 2) }), "not looked at");
        progressing(&health(&Workload { generation: 4, ..stateful(1, 1, 1) }), "not looked at");
        progressing(&health(&Workload { generation: 0, observed_generation: 0, ..stateful(1, 1, 1) }), "not looked at");
    }

    #[test]
    fn the_progress_deadline_is_degraded_and_says_what_stands_in_the_way() {
        let condition = |kind: &str, reason: &str, message: &str| Condition {
            kind: kind.to_owned(),
            status: if kind == "Progressing" { "False" } else { "True" }.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let late = condition("Progressing", "ProgressDeadlineExceeded", "ReplicaSet \"shop-1\" has timed out.");
        let found = health(&Workload { conditions: vec![late.clone()], ..deployment(2, 3, 1, 2) });
        let text = "Deployment shop made no progress within its deadline: ReplicaSet \"shop-1\" has timed out";
        assert_eq!(found, Health::Degraded(text.to_owned()));
        let quota = condition("ReplicaFailure", "FailedCreate", "exceeded quota: app");
        let found = health(&Workload { conditions: vec![late, quota.clone()], ..deployment(2, 3, 1, 2) });
        assert!(matches!(&found, Health::Degraded(text) if text.ends_with("exceeded quota: app")), "{found:?}");
        progressing(&health(&Workload { conditions: vec![quota], ..deployment(2, 1, 0, 1) }), "exceeded quota");
    }

    #[test]
    fn a_paused_deployment_is_suspended_whatever_else() {
        let found = health(&Workload { is_paused: true, generation: 9, ..deployment(2, 2, 2, 2) });
        assert!(matches!(found, Health::Suspended(_)), "{found:?}");
    }

    #[test]
    fn a_stateful_set_follows_its_way_of_updating() {
        assert_eq!(health(&stateful(3, 3, 3)), Health::Healthy);
        progressing(&health(&stateful(3, 3, 2)), "2 of 3 pods ready");
        let rolling = |partition, on_delete, updated| {
            let update = StatefulUpdate { on_delete, partition, current_revision: "db-1".to_owned() };
            health(&Workload { stateful: Some(update), ..stateful(3, updated, 3) })
        };
        progressing(&rolling(0, false, 1), "1 of 3 pods of the new template");
        progressing(&rolling(0, false, 3), "still being updated");
        progressing(&rolling(2, false, 0), "0 of 1 pods of the new template");
        assert_eq!(rolling(2, false, 1), Health::Healthy);
        assert_eq!(rolling(0, true, 0), Health::Healthy);
    }
}
