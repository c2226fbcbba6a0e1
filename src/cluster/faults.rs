//! What is wrong with a pod that a rollout's own deadline would only show minutes later: crash loops, kills for memory,
//! images that cannot be pulled.

use jiff::{SignedDuration, Timestamp};

use super::report::{Container, Pod, Termination};

/// How long pulling an image may fail before it counts: a registry that hiccups is asked again after ten seconds.
pub const PULL_GRACE: SignedDuration = SignedDuration::from_secs(10);
/// How long a container may fail to be made, for example because its Secret is not there yet: controllers that make
/// Secrets take a moment.
pub const CREATE_GRACE: SignedDuration = SignedDuration::from_secs(60);
/// How many restarts of a container that is not ready are a crash loop, even between two crashes.
const CRASHES: u32 = 3;

/// What is wrong with a pod, in a sentence that begins with the pod; `None` if nothing is, or not for certain yet.
///
/// A kill for memory counts if it happened after `since`, or if the container is not ready now.
#[must_use]
pub fn fault(pod: &Pod, since: Timestamp, now: Timestamp) -> Option<String> {
    if pod.is_deleting {
        return None;
    }
    pod.containers.iter().find_map(|container| {
        let what = container_fault(container, since, now)?;
        let name = &pod.name;
        // One container is the rule; where it has a name of its own, the name says which.
        Some(format!("pod {name}, container {}: {what}", container.name))
    })
}

fn container_fault(container: &Container, since: Timestamp, now: Timestamp) -> Option<String> {
    let restarts = container.restarts;
    let ended = container.terminated.as_ref().or(container.last_termination.as_ref());
    let how = ended.map(|end| format!(", last exit code {} ({})", end.exit_code, end.reason)).unwrap_or_default();
    let times = if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts") };
    if let Some(waiting) = &container.waiting {
        let waited = now.duration_since(waiting.since);
        match class(&waiting.reason) {
            Class::Crash => return Some(format!("CrashLoopBackOff after {times}{how}")),
            Class::Pull if waited >= PULL_GRACE => return Some(explained(&waiting.reason, &waiting.message)),
            Class::Create if waited >= CREATE_GRACE => return Some(explained(&waiting.reason, &waiting.message)),
            Class::Pull | Class::Create | Class::Ordinary => {}
        }
    }
    if let Some(end) = ended.filter(|end| is_out_of_memory(end)) {
        let is_new = end.finished_at.is_none_or(|time| time >= since);
        if is_new || !container.is_ready {
            return Some(format!(
                "killed for using more memory than its limit (OOMKilled, exit code {}), {times}",
                end.exit_code
            ));
        }
    }
    let crashed = ended.is_some_and(|end| end.exit_code != 0);
    (crashed && !container.is_ready && restarts >= CRASHES).then(|| format!("it crashes: {times}{how}"))
}

fn is_out_of_memory(end: &Termination) -> bool {
    end.reason == "OOMKilled"
}

fn explained(reason: &str, message: &str) -> String {
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {}", message.trim_end_matches('.')) }
}

/// Reasons to wait that have one cause. The time of waiting is counted over all reasons of a class, because the kubelet
/// goes to and fro between trying and backing off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// The container ends again and again.
    Crash,
    /// Its image cannot be had.
    Pull,
    /// It cannot be made.
    Create,
    /// Anything that passes, such as `ContainerCreating`.
    Ordinary,
}

/// The class of a reason.
pub(super) fn class(reason: &str) -> Class {
    match reason {
        "CrashLoopBackOff" => Class::Crash,
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => Class::Pull,
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "PreCreateHookError"
        | "PostStartHookError" => Class::Create,
        _ => Class::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Waiting;
    use super::*;

    const SINCE: Timestamp = Timestamp::constant(1_000, 0);

    fn at(seconds: i64) -> Timestamp {
        SINCE + SignedDuration::from_secs(seconds)
    }

    fn end(reason: &str, exit_code: i32, seconds: i64) -> Option<Termination> {
        Some(Termination { reason: reason.to_owned(), exit_code, finished_at: Some(at(seconds)) })
    }

    fn waiting(reason: &str, message: &str) -> Option<Waiting> {
        Some(Waiting { reason: reason.to_owned(), message: message.to_owned(), since: at(0) })
    }

    fn told(container: Container, seconds: i64) -> Option<String> {
        let container = Container { name: "shop".to_owned(), ..container };
        fault(&Pod { name: "shop-1".to_owned(), containers: vec![container], ..Pod::default() }, SINCE, at(seconds))
    }

    #[test]
    fn a_crash_loop_counts_at_once_and_says_how_it_ended() {
        let container = Container {
            restarts: 3,
            waiting: waiting("CrashLoopBackOff", "back-off 40s"),
            last_termination: end("OOMKilled", 137, 5),
            ..Container::default()
        };
        let text = "pod shop-1, container shop: CrashLoopBackOff after 3 restarts, last exit code 137 (OOMKilled)";
        assert_eq!(told(container, 0).as_deref(), Some(text));
    }

    #[test]
    fn a_crash_counts_between_two_crashes_once_there_were_several() {
        let container = |restarts, is_ready, code| Container {
            restarts,
            is_ready,
            last_termination: end("Error", code, 5),
            ..Container::default()
        };
        assert_eq!(told(container(2, false, 1), 60), None);
        assert_eq!(told(container(3, true, 1), 60), None);
        assert_eq!(told(container(3, false, 0), 60), None);
        let text = "pod shop-1, container shop: it crashes: 3 restarts, last exit code 1 (Error)";
        assert_eq!(told(container(3, false, 1), 60).as_deref(), Some(text));
    }

    #[test]
    fn a_kill_for_memory_counts_if_it_is_new_or_if_it_hurts() {
        let container = |is_ready, seconds| Container {
            restarts: 1,
            is_ready,
            last_termination: end("OOMKilled", 137, seconds),
            ..Container::default()
        };
        assert!(told(container(true, 1), 2).is_some_and(|text| text.contains("more memory than its limit")));
        assert!(told(container(false, -9), 2).is_some());
        assert_eq!(told(container(true, -9), 2), None);
        let now = Container { terminated: end("OOMKilled", 137, 1), ..Container::default() };
        assert!(told(now, 2).is_some());
    }

    #[test]
    fn a_registry_may_hiccup_and_a_secret_may_be_late() {
        for (reason, grace) in [("ErrImagePull", 10), ("ImagePullBackOff", 10), ("CreateContainerConfigError", 60)] {
            let container = Container { waiting: waiting(reason, "no such thing."), ..Container::default() };
            assert_eq!(told(container.clone(), grace - 1), None, "{reason}");
            let text = format!("pod shop-1, container shop: {reason}: no such thing");
            assert_eq!(told(container, grace), Some(text));
        }
    }

    #[test]
    fn what_passes_by_itself_is_no_fault() {
        let container = Container { waiting: waiting("ContainerCreating", ""), ..Container::default() };
        assert_eq!(told(container, 600), None);
        let crashed = Container { waiting: waiting("CrashLoopBackOff", ""), ..Container::default() };
        let pod = Pod { is_deleting: true, containers: vec![crashed], ..Pod::default() };
        assert_eq!(fault(&pod, SINCE, at(1)), None);
    }
}
