//! The rules by which a report becomes an [`Outcome`]. Pure: they read no clock and no cluster.
//!
//! In this order, each rule only where the ones before it leave the question open:
//! 1. what is not known, or known from too long ago, is unknown, and never healthy;
//! 2. what the controller has not applied is not live, and cannot be healthy;
//! 3. what was seen before the sync ended says nothing about what came after it;
//! 4. a pod of the new template that crashes, runs out of memory or has no image is degraded at once;
//! 5. workloads have the health that Argo CD gives them;
//! 6. what is not settled at wooo's own deadline has timed out.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::faults;
use super::health::{Health, health};
use super::report::{Controller, ControllerHealth, Pod, Report, Workload};
use crate::domain::Outcome;

/// The age from which a report says nothing any more.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// How long a change may take from its merge to its outcome.
pub const DEADLINE: SignedDuration = SignedDuration::from_mins(15);
/// The code of a change that was never synced.
pub const SYNC_STALLED: &str = "sync_stalled";
/// The code of a change that was synced and never settled.
pub const ROLLOUT_STALLED: &str = "rollout_stalled";

/// Whether a commit contains a change with the app's files as the change left them, which only Git can tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Live {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The commit is not known, or could not be looked at.
    #[default]
    Unknown,
}

/// What a change is expected to lead to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Expectation {
    /// Whether the change is part of [`Controller::applied_revision`].
    pub applied: Live,
    /// Whether the change is part of [`Controller::attempted_revision`]. Flux only says that it has applied a commit when
    /// everything is ready, so a change that breaks the app would never be live; this shows that it has begun.
    pub attempted: Live,
    /// When it was merged, by our clock.
    pub merged_at: Timestamp,
    /// How long it may take from then on.
    pub deadline: SignedDuration,
    /// The image that a container of some workload must have; `None` if that does not matter.
    pub image: Option<String>,
    /// When the sync ended, by our clock, if the caller knows better than [`Controller::seen_at`].
    pub synced_at: Option<Timestamp>,
    /// Whether the app is to be gone: then nothing of it may be left.
    pub is_removal: bool,
}

impl Expectation {
    /// A change that was merged at a time, about which nothing else is known yet.
    #[must_use]
    pub fn merged_at(merged_at: Timestamp) -> Self {
        Self {
            applied: Live::Unknown,
            attempted: Live::Unknown,
            merged_at,
            deadline: DEADLINE,
            image: None,
            synced_at: None,
            is_removal: false,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.merged_at) >= self.deadline
    }
}

/// What came of a change, as far as one can say.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Verdict {
    /// Nothing yet. It is asked again when the report changes, and at the deadline.
    Pending {
        /// What is waited for, as a sentence.
        waits_for: String,
    },
    /// This, and it stays.
    Settled {
        /// What came of it.
        outcome: Outcome,
        /// Why, as a sentence that names the object to look at.
        reason: String,
    },
}

impl Verdict {
    fn settled(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self::Settled { outcome, reason: reason.into() }
    }
}

/// What came of a change, by what is known at `now`.
#[must_use]
pub fn judge(report: Option<&Report>, expected: &Expectation, now: Timestamp) -> Verdict {
    let is_over = expected.is_over(now);
    let unknown = |why: String| match is_over {
        true => Verdict::settled(Outcome::Unknown, why),
        false => Verdict::Pending { waits_for: why },
    };
    let Some(report) = report else {
        return unknown("the cluster does not answer".to_owned());
    };
    let age = now.duration_since(report.observed_at);
    if age > STALE_AFTER {
        return unknown(format!("the cluster was last heard {} seconds ago", age.as_secs()));
    }
    if expected.is_removal {
        return removal(report, is_over, expected);
    }
    match expected.applied {
        Live::Yes => {}
        Live::No => return not_applied(report, expected, now),
        Live::Unknown if expected.attempted == Live::Yes => return not_applied(report, expected, now),
        Live::Unknown => return unknown(unknown_revision(report)),
    }
    let synced_at = expected.synced_at.or(report.controller.as_ref().map(|controller| controller.seen_at));
    if synced_at.is_some_and(|synced_at| report.observed_at < synced_at) {
        return unknown("the pods were last seen before the sync ended".to_owned());
    }
    if let Some(reason) = degraded(report, expected, now) {
        return Verdict::settled(Outcome::Degraded, reason);
    }
    let is_syncing = report.controller.as_ref().is_some_and(|controller| controller.is_syncing);
    let syncs = is_syncing.then(|| "the sync has not ended yet".to_owned());
    match syncs.or_else(|| waits_for(report, expected)) {
        Some(waits_for) if is_over => {
            let minutes = expected.deadline.as_mins();
            let reason = format!("{ROLLOUT_STALLED}: not settled within {minutes} minutes of the merge: {waits_for}");
            Verdict::settled(Outcome::TimedOut, reason)
        }
        Some(waits_for) => Verdict::Pending { waits_for },
        None => at_rest(report, is_over),
    }
}

/// Everything that runs is as it should be; the controller may know of something else.
fn at_rest(report: &Report, is_over: bool) -> Verdict {
    let uncertified = report.certificates.iter().find(|certificate| !certificate.is_ready);
    let controller = report.controller.as_ref().filter(|one| one.health == ControllerHealth::Degraded);
    // A certificate that is not issued makes the controller say that the app is degraded. It is no work of this change.
    if let (Some(controller), None) = (controller, uncertified) {
        let reason = with_message("the controller calls the app degraded although its pods are ready", controller);
        return match is_over {
            true => Verdict::settled(Outcome::Degraded, reason),
            false => Verdict::Pending { waits_for: reason },
        };
    }
    let pods: u32 = report.workloads.iter().map(|workload| workload.desired).sum();
    let mut reason = match pods {
        0 => "nothing is to run, and nothing does".to_owned(),
        1 => "its pod is ready".to_owned(),
        _ => format!("all {pods} pods are ready"),
    };
    if let Some(certificate) = uncertified {
        reason = format!("{reason}; Certificate {} is not ready", certificate.name);
        if !certificate.message.is_empty() {
            reason = format!("{reason}: {}", certificate.message.trim_end_matches('.'));
        }
    }
    Verdict::settled(Outcome::Healthy, reason)
}

fn removal(report: &Report, is_over: bool, expected: &Expectation) -> Verdict {
    let workload = report.workloads.first().map(|workload| format!("{} is still there", workload.title()));
    let pod = || report.pods.first().map(|pod| format!("pod {} is still there", pod.name));
    let controller = || report.controller.as_ref().map(|one| with_message("its controller still has it", one));
    match workload.or_else(pod).or_else(controller) {
        None => Verdict::settled(Outcome::Healthy, "nothing of it is left"),
        Some(left) if is_over => {
            let minutes = expected.deadline.as_mins();
            Verdict::settled(Outcome::TimedOut, format!("{SYNC_STALLED}: not removed within {minutes} minutes: {left}"))
        }
        Some(waits_for) => Verdict::Pending { waits_for },
    }
}

/// A change that the controller has not (or not yet) called applied.
fn not_applied(report: &Report, expected: &Expectation, now: Timestamp) -> Verdict {
    // What runs the new image already can be broken already. Without an image to tell new from old nothing is concluded.
    if expected.attempted == Live::Yes
        && expected.image.as_ref().is_some_and(|image| report.workloads.iter().any(|one| one.runs(image)))
        && report.observed_at >= expected.merged_at
        && let Some(reason) = degraded(report, expected, now)
    {
        return Verdict::settled(Outcome::Degraded, reason);
    }
    let waits_for = match &report.controller {
        None => "the controller does not know of the app yet".to_owned(),
        Some(controller) if controller.is_suspended => with_message("syncing of the app is suspended", controller),
        Some(controller) if expected.attempted == Live::Yes => {
            let progress = waits_for(report, expected).unwrap_or_default();
            let text = if progress.is_empty() { "the controller is applying the commit".to_owned() } else { progress };
            with_message(&text, controller)
        }
        Some(controller) => with_message("the controller has not applied the commit yet", controller),
    };
    if !expected.is_over(now) {
        return Verdict::Pending { waits_for };
    }
    let minutes = expected.deadline.as_mins();
    let reason = format!("{SYNC_STALLED}: not live within {minutes} minutes of the merge: {waits_for}");
    Verdict::settled(Outcome::TimedOut, reason)
}

fn unknown_revision(report: &Report) -> String {
    match &report.controller {
        None => "the controller does not know of the app".to_owned(),
        Some(Controller { applied_revision: None, .. }) => "the controller has not applied anything yet".to_owned(),
        Some(Controller { applied_revision: Some(revision), .. }) => {
            let short = revision.get(..12).unwrap_or(revision);
            format!("the commit {short} that the cluster has is not one of the fleet's")
        }
    }
}

/// What is broken, if something certainly is.
fn degraded(report: &Report, expected: &Expectation, now: Timestamp) -> Option<String> {
    let observed = |workload: &&Workload| workload.generation <= workload.observed_generation;
    let faulty = report.workloads.iter().filter(observed).find_map(|workload| {
        let own = |pod: &&Pod| {
            let owner = pod.workload.as_ref();
            pod.is_newest && owner.is_some_and(|owner| workload.is(owner))
        };
        let fault = report.pods.iter().filter(own).find_map(|pod| faults::fault(pod, expected.merged_at, now))?;
        Some(format!("{}: {fault}", workload.title()))
    });
    faulty.or_else(|| {
        report.workloads.iter().find_map(|workload| match health(workload) {
            Health::Degraded(reason) => Some(with_event(reason, report, workload)),
            _ => None,
        })
    })
}

/// What is not ready yet.
fn waits_for(report: &Report, expected: &Expectation) -> Option<String> {
    if report.workloads.is_empty() {
        return Some("no Deployment or StatefulSet of the app is there".to_owned());
    }
    if let Some(image) = &expected.image
        && !report.workloads.iter().any(|workload| workload.runs(image))
    {
        return Some(format!("nothing runs the image {image}"));
    }
    report.workloads.iter().find_map(|workload| match health(workload) {
        Health::Healthy => None,
        Health::Progressing(text) | Health::Degraded(text) | Health::Suspended(text) => {
            Some(with_event(text, report, workload))
        }
    })
}

/// Adds why the newest pods of a workload are not ready, where the cluster says so.
fn with_event(text: String, report: &Report, workload: &Workload) -> String {
    let own =
        |pod: &&Pod| pod.is_newest && !pod.is_ready && pod.workload.as_ref().is_some_and(|owner| workload.is(owner));
    let Some(pod) = report.pods.iter().find(own) else { return text };
    let waiting = pod.containers.iter().find_map(|container| container.waiting.as_ref());
    let event = report.events.iter().find(|event| event.kind == "Pod" && event.name == pod.name);
    let why = match (waiting, event) {
        _ if !pod.message.is_empty() => pod.message.clone(),
        (Some(waiting), _) => waiting.reason.clone(),
        (None, Some(event)) => format!("{}: {}", event.reason, event.message),
        (None, None) => return text,
    };
    format!("{text}; pod {}: {}", pod.name, why.trim_end_matches('.'))
}

fn with_message(text: &str, controller: &Controller) -> String {
    let message = controller.message.trim_end_matches('.');
    if message.is_empty() { text.to_owned() } else { format!("{text}; it says: {message}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::report::{Certificate, Container, ContainerImage, Event, Owner, Waiting, WorkloadKind};
    use super::*;

    const MERGED: Timestamp = Timestamp::constant(1_000_000, 0);

    fn at(seconds: i64) -> Timestamp {
        MERGED + SignedDuration::from_secs(seconds)
    }

    fn expected(applied: Live) -> Expectation {
        Expectation { applied, image: Some("shop:2".to_owned()), ..Expectation::merged_at(MERGED) }
    }

    fn workload(updated: u32, available: u32) -> Workload {
        Workload {
            name: "shop".to_owned(),
            images: vec![ContainerImage { container: "shop".to_owned(), image: "shop:2".to_owned() }],
            desired: 2,
            total: 2,
            updated,
            ready: available,
            available,
            ..Workload::default()
        }
    }

    fn report(workloads: Vec<Workload>) -> Report {
        let controller = Controller { seen_at: at(30), message: "Applied.".to_owned(), ..Controller::default() };
        Report { observed_at: at(60), controller: Some(controller), workloads, ..Report::default() }
    }

    fn crashing(is_newest: bool) -> Pod {
        let waiting = Waiting { reason: "CrashLoopBackOff".to_owned(), ..Waiting::default() };
        let container =
            Container { name: "shop".to_owned(), restarts: 2, waiting: Some(waiting), ..Container::default() };
        let owner = Owner { kind: WorkloadKind::Deployment.to_string(), name: "shop".to_owned() };
        Pod {
            name: "shop-x".to_owned(),
            workload: Some(owner),
            is_newest,
            containers: vec![container],
            ..Pod::default()
        }
    }

    #[track_caller]
    fn pending(verdict: &Verdict, words: &str) {
        assert!(matches!(verdict, Verdict::Pending { waits_for } if waits_for.contains(words)), "{verdict:?}");
    }

    #[track_caller]
    fn settled(verdict: &Verdict, wanted: Outcome, words: &str) {
        let fits = |outcome: &Outcome, reason: &str| *outcome == wanted && reason.contains(words);
        assert!(matches!(verdict, Verdict::Settled { outcome, reason } if fits(outcome, reason)), "{verdict:?}");
    }

    #[test]
    fn nothing_known_is_unknown() {
        pending(&judge(None, &expected(Live::Yes), at(60)), "does not answer");
        settled(&judge(None, &expected(Live::Yes), at(900)), Outcome::Unknown, "does not answer");
    }

    #[test]
    fn what_was_known_two_minutes_ago_is_unknown() {
        let report = report(vec![workload(2, 2)]);
        settled(&judge(Some(&report), &expected(Live::Yes), at(180)), Outcome::Healthy, "all 2 pods are ready");
        pending(&judge(Some(&report), &expected(Live::Yes), at(181)), "last heard 121 seconds ago");
        settled(&judge(Some(&report), &expected(Live::Yes), at(900)), Outcome::Unknown, "last heard 840 seconds ago");
    }

    #[test]
    fn what_is_not_applied_is_pending_and_then_stalled() {
        let mut report = report(vec![workload(2, 2)]);
        pending(&judge(Some(&report), &expected(Live::No), at(60)), "has not applied the commit yet; it says: Applied");
        report.observed_at = at(900);
        let verdict = judge(Some(&report), &expected(Live::No), at(900));
        settled(
            &verdict,
            Outcome::TimedOut,
            "sync_stalled: not live within 15 minutes of the merge: the controller has",
        );
        report.controller = Some(Controller { is_suspended: true, ..Controller::default() });
        let verdict = judge(Some(&report), &expected(Live::No), at(900));
        settled(
            &verdict,
            Outcome::TimedOut,
            "sync_stalled: not live within 15 minutes of the merge: syncing of the app",
        );
        report.controller = None;
        settled(&judge(Some(&report), &expected(Live::No), at(900)), Outcome::TimedOut, "does not know of the app");
    }

    #[test]
    fn a_commit_that_git_does_not_know_is_unknown() {
        let mut report = report(vec![workload(2, 2)]);
        pending(&judge(Some(&report), &expected(Live::Unknown), at(60)), "has not applied anything yet");
        let revision = Some("0123456789abcdef".to_owned());
        report.controller = Some(Controller { applied_revision: revision, ..Controller::default() });
        report.observed_at = at(900);
        let verdict = judge(Some(&report), &expected(Live::Unknown), at(900));
        settled(&verdict, Outcome::Unknown, "the commit 0123456789ab that the cluster has is not one of the fleet's");
    }

    #[test]
    fn health_from_before_the_end_of_the_sync_is_not_trusted() {
        let mut report = report(vec![workload(2, 2)]);
        report.observed_at = at(29);
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "before the sync ended");
        let told = Expectation { synced_at: Some(at(20)), ..expected(Live::Yes) };
        settled(&judge(Some(&report), &told, at(60)), Outcome::Healthy, "ready");
        report.observed_at = at(60);
        let told = Expectation { synced_at: Some(at(61)), ..expected(Live::Yes) };
        pending(&judge(Some(&report), &told, at(62)), "before the sync ended");
    }

    #[test]
    fn a_sync_that_still_runs_may_change_everything() {
        let mut report = report(vec![workload(2, 2)]);
        report.controller = Some(Controller { is_syncing: true, ..Controller::default() });
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "the sync has not ended yet");
        report.observed_at = at(900);
        settled(&judge(Some(&report), &expected(Live::Yes), at(900)), Outcome::TimedOut, "the sync has not ended yet");
    }

    #[test]
    fn a_crash_of_the_new_template_is_degraded_at_once_and_one_of_the_old_is_not() {
        let mut report = report(vec![workload(1, 1)]);
        report.pods = vec![crashing(false)];
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "1 of 2 pods of the new template");
        report.pods = vec![crashing(true)];
        let words = "Deployment shop: pod shop-x, container shop: CrashLoopBackOff after 2 restarts";
        settled(&judge(Some(&report), &expected(Live::Yes), at(60)), Outcome::Degraded, words);
        report.pods[0].workload = None;
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "1 of 2");
        report.pods = vec![crashing(true)];
        report.workloads[0].generation = 5;
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "not looked at");
    }

    #[test]
    fn a_controller_that_waits_for_health_does_not_hide_a_crash() {
        let mut report = report(vec![workload(1, 1)]);
        report.pods = vec![crashing(true)];
        let begun = Expectation { attempted: Live::Yes, ..expected(Live::No) };
        settled(&judge(Some(&report), &begun, at(60)), Outcome::Degraded, "CrashLoopBackOff");
        pending(&judge(Some(&report), &expected(Live::No), at(60)), "has not applied");
        let other = Expectation { image: Some("shop:3".to_owned()), ..begun.clone() };
        pending(&judge(Some(&report), &other, at(60)), "nothing runs the image shop:3");
        let blind = Expectation { image: None, ..begun.clone() };
        pending(&judge(Some(&report), &blind, at(60)), "1 of 2 pods");
        report.pods.clear();
        pending(&judge(Some(&report), &begun, at(60)), "1 of 2 pods");
        report.workloads = vec![workload(2, 2)];
        pending(&judge(Some(&report), &begun, at(60)), "is applying the commit");
    }

    #[test]
    fn what_is_live_and_not_ready_is_pending_and_then_stalled() {
        let mut report = report(vec![workload(2, 1)]);
        let unready = Pod { containers: Vec::new(), message: "0/3 nodes are available.".to_owned(), ..crashing(true) };
        report.pods = vec![unready];
        let words = "Deployment shop has 1 of 2 pods available; pod shop-x: 0/3 nodes are available";
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), words);
        report.observed_at = at(900);
        let verdict = judge(Some(&report), &expected(Live::Yes), at(900));
        settled(&verdict, Outcome::TimedOut, "rollout_stalled: not settled within 15 minutes of the merge: Deployment");
        report.pods[0].message.clear();
        let event = Event { kind: "Pod".to_owned(), name: "shop-x".to_owned(), ..Event::default() };
        report.events = vec![Event { reason: "FailedMount".to_owned(), message: "no volume".to_owned(), ..event }];
        settled(&judge(Some(&report), &expected(Live::Yes), at(900)), Outcome::TimedOut, "FailedMount: no volume");
    }

    #[test]
    fn an_app_of_which_nothing_is_seen_is_not_healthy() {
        pending(&judge(Some(&report(Vec::new())), &expected(Live::Yes), at(60)), "no Deployment or StatefulSet");
    }

    #[test]
    fn an_app_that_wants_no_pods_is_healthy() {
        let none = Workload { desired: 0, total: 0, ..workload(0, 0) };
        settled(&judge(Some(&report(vec![none])), &expected(Live::Yes), at(60)), Outcome::Healthy, "nothing is to run");
    }

    #[test]
    fn a_certificate_is_told_of_and_does_not_decide() {
        let mut report = report(vec![workload(2, 2)]);
        let certificate =
            Certificate { name: "shop-tls".to_owned(), message: "no DNS".to_owned(), ..Certificate::default() };
        report.certificates = vec![certificate];
        report.controller = Some(Controller { health: ControllerHealth::Degraded, ..Controller::default() });
        let words = "all 2 pods are ready; Certificate shop-tls is not ready: no DNS";
        settled(&judge(Some(&report), &expected(Live::Yes), at(60)), Outcome::Healthy, words);
    }

    #[test]
    fn a_controller_that_knows_of_something_else_is_heard_at_the_deadline() {
        let mut report = report(vec![workload(2, 2)]);
        let message = "Ingress has no address".to_owned();
        report.controller = Some(Controller { health: ControllerHealth::Degraded, message, ..Controller::default() });
        pending(&judge(Some(&report), &expected(Live::Yes), at(60)), "no address");
        report.observed_at = at(900);
        settled(&judge(Some(&report), &expected(Live::Yes), at(900)), Outcome::Degraded, "no address");
    }

    #[test]
    fn a_removal_is_done_when_nothing_is_left() {
        let removal = Expectation { is_removal: true, ..expected(Live::Unknown) };
        let mut report = report(vec![workload(2, 2)]);
        pending(&judge(Some(&report), &removal, at(60)), "Deployment shop is still there");
        report.workloads.clear();
        pending(&judge(Some(&report), &removal, at(60)), "its controller still has it");
        report.controller = None;
        settled(&judge(Some(&report), &removal, at(60)), Outcome::Healthy, "nothing of it is left");
        report.pods = vec![crashing(true)];
        report.observed_at = at(900);
        settled(&judge(Some(&report), &removal, at(900)), Outcome::TimedOut, "sync_stalled: not removed");
    }

    fn live() -> impl Strategy<Value = Live> {
        prop_oneof![Just(Live::Yes), Just(Live::No), Just(Live::Unknown)]
    }

    proptest! {
        /// Whatever a report says, and whatever is expected: it is only healthy if it is fresh, from after the sync, the
        /// change is live, and no pod of the new template is known to be broken.
        #[test]
        fn nothing_is_healthy_without_fresh_proof(
            applied in live(),
            attempted in live(),
            observed in 0_i64..2_000,
            age in 0_i64..2_000,
            seen in 0_i64..2_000,
            counts in (0_u32..3, 0_u32..3),
            broken in any::<bool>(),
            removal in any::<bool>(),
        ) {
            let mut report = report(vec![workload(counts.0, counts.1)]);
            report.observed_at = at(observed);
            if let Some(controller) = &mut report.controller {
                controller.seen_at = at(seen);
            }
            if broken {
                report.pods = vec![crashing(true)];
            }
            let expected = Expectation { attempted, is_removal: removal, ..expected(applied) };
            let verdict = judge(Some(&report), &expected, at(observed + age));
            let proven = age <= 120 && applied == Live::Yes && observed >= seen && counts == (2, 2) && !broken && !removal;
            let is_healthy = matches!(verdict, Verdict::Settled { outcome: Outcome::Healthy, .. });
            prop_assert_eq!(is_healthy, proven, "{:?}", verdict);
            let is_over = observed + age >= 900;
            let is_pending = matches!(verdict, Verdict::Pending { .. });
            prop_assert!(!(is_over && is_pending), "nothing is pending behind the deadline: {:?}", verdict);
        }
    }
}
