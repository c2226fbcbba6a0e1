//! What the containers of a pod do: a small machine of states over time, without a cluster around it.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::behaviour::{Behaviour, Behaviours};
use super::options::Timings;
use super::store::Key;
use crate::domain::{Cpu, Memory};

/// How many pods that are gone are remembered for what they had measured.
const MAX_ENDED: usize = 2_000;
/// The longest wait of a crash loop.
const MAX_BACKOFF: Duration = Duration::from_secs(300);

/// What a container may use, and asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Container {
    /// Its name.
    pub(super) name: String,
    /// Its image.
    pub(super) image: String,
    /// Cores: request and limit.
    pub(super) cpu: (Option<f64>, Option<f64>),
    /// Bytes: request and limit.
    pub(super) memory: (Option<f64>, Option<f64>),
}

/// Where a pod stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Its containers are being made.
    Creating,
    /// The image could not be pulled; `true` once it waits before the next try.
    Pulling(bool),
    /// It runs, and is not ready.
    Running,
    /// It runs and is ready.
    Ready,
    /// It crashed and waits before it is started again.
    BackOff,
}

/// A pod's life so far. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// The pod.
    pub(super) key: Key,
    /// Its uid, by which a new pod of an old name is told apart.
    pub(super) uid: String,
    /// The label `app.kubernetes.io/name`.
    pub(super) app: String,
    /// All of its containers.
    pub(super) containers: Vec<Container>,
    /// The one that fails if one does.
    pub(super) failing: usize,
    /// What it does.
    pub(super) behaviour: Behaviour,
    /// Where it stands.
    pub(super) step: Step,
    /// When it was made.
    pub(super) created: i64,
    /// When its container was started last.
    pub(super) started: Option<i64>,
    /// Since when it is ready.
    pub(super) ready: Option<i64>,
    /// When it was started again.
    pub(super) restarts: Vec<i64>,
    /// How its container ended last: code and reason.
    pub(super) exit: Option<(i32, &'static str)>,
    /// When it was removed.
    pub(super) ended: Option<i64>,
    /// When something happens next.
    pub(super) due: Option<i64>,
}

/// All pods of a cluster, and some that are gone.
#[derive(Debug, Default)]
pub(super) struct Runs {
    live: HashMap<Key, Run>,
    ended: std::collections::VecDeque<Run>,
}

impl Runs {
    /// The life of a pod that is there.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Run> {
        self.live.get_mut(key)
    }

    /// The life of a pod that is there.
    pub(super) fn get(&self, key: &Key) -> Option<&Run> {
        self.live.get(key)
    }

    /// Notes a new pod.
    pub(super) fn begin(&mut self, run: Run) {
        self.live.insert(run.key.clone(), run);
    }

    /// Notes that a pod is gone.
    pub(super) fn end(&mut self, key: &Key, now: i64) {
        if let Some(mut run) = self.live.remove(key) {
            run.ended = Some(now);
            self.ended.push_back(run);
            if self.ended.len() > MAX_ENDED {
                self.ended.pop_front();
            }
        }
    }

    /// The pods that were there at a time.
    pub(super) fn at(&self, time: i64) -> impl Iterator<Item = &Run> {
        self.live
            .values()
            .chain(&self.ended)
            .filter(move |run| run.created <= time && run.ended.is_none_or(|ended| ended > time))
    }

    /// The names of the pods that are there.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.live.keys().cloned().collect()
    }
}

impl Run {
    /// The life of a pod that was made now.
    pub(super) fn new(key: Key, pod: &Value, now: i64) -> Self {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
        Self {
            key,
            uid: text("/metadata/uid"),
            app: text("/metadata/labels/app.kubernetes.io~1name"),
            containers: containers.into_iter().flatten().map(container).collect(),
            failing: 0,
            behaviour: Behaviour::Healthy,
            step: Step::Creating,
            created: now,
            started: None,
            ready: None,
            restarts: Vec::new(),
            exit: None,
            ended: None,
            due: None,
        }
    }

    /// Looks up how it behaves. Says whether that has changed.
    pub(super) fn listen(&mut self, wishes: &Behaviours) -> bool {
        let of = |container: &Container| wishes.of(&self.key.namespace, &self.app, &container.image);
        let all: Vec<Behaviour> = self.containers.iter().map(of).collect();
        self.failing = all.iter().position(|behaviour| *behaviour != Behaviour::Healthy).unwrap_or(0);
        let behaviour = all.get(self.failing).copied().unwrap_or_default();
        std::mem::replace(&mut self.behaviour, behaviour) != behaviour
    }

    /// Begins its life.
    pub(super) fn begin(&mut self, timings: &Timings) {
        let delay = if self.behaviour == Behaviour::Slow { timings.slow_start } else { timings.pod_start };
        self.due = Some(self.created + millis(delay));
    }

    /// Does what is due. Says whether anything has changed.
    pub(super) fn advance(&mut self, now: i64, timings: &Timings) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        match (self.step, self.behaviour) {
            (Step::Creating | Step::Pulling(_), Behaviour::Missing) => {
                let again = matches!(self.step, Step::Pulling(_));
                self.step = Step::Pulling(again);
                self.due = (!again).then(|| now + millis(timings.crash_backoff));
            }
            (Step::Creating | Step::Pulling(_) | Step::BackOff, _) => self.start(now, timings),
            (Step::Running | Step::Ready, Behaviour::Crash) => self.crash(now, (1, "Error"), timings),
            (Step::Running | Step::Ready, Behaviour::OutOfMemory) => self.crash(now, (137, "OOMKilled"), timings),
            (Step::Ready, Behaviour::MemoryLeak) => {
                self.exit = Some((137, "OOMKilled"));
                self.restarts.push(now);
                self.ready = None;
                self.step = Step::Creating;
                self.due = Some(now + millis(timings.pod_start));
            }
            (Step::Running | Step::Ready, _) => self.start(now, timings),
        }
        true
    }

    /// Takes up a new behaviour at once.
    pub(super) fn change(&mut self, now: i64, timings: &Timings) {
        match (self.step, self.behaviour) {
            (Step::Creating, _) => {}
            (Step::Ready, Behaviour::MemoryLeak) => {
                self.started = Some(now);
                self.due = Some(now + millis(timings.leak));
            }
            (Step::Ready, Behaviour::Healthy | Behaviour::Errors5xx | Behaviour::Slow | Behaviour::Missing) => {
                self.due = None;
            }
            _ => {
                self.due = Some(now);
            }
        }
    }

    fn start(&mut self, now: i64, timings: &Timings) {
        self.started = Some(now);
        self.ready = None;
        self.step = Step::Running;
        match self.behaviour {
            Behaviour::Crash | Behaviour::OutOfMemory => self.due = Some(now + millis(timings.crash_after)),
            Behaviour::Unready => {}
            _ => {
                self.step = Step::Ready;
                self.ready = Some(now);
                self.due = (self.behaviour == Behaviour::MemoryLeak).then(|| now + millis(timings.leak));
            }
        }
    }

    fn crash(&mut self, now: i64, exit: (i32, &'static str), timings: &Timings) {
        self.exit = Some(exit);
        self.restarts.push(now);
        self.ready = None;
        self.step = Step::BackOff;
        let doublings = u32::try_from(self.restarts.len() - 1).unwrap_or(u32::MAX).min(16);
        let wait = timings.crash_backoff.saturating_mul(1 << doublings).min(MAX_BACKOFF);
        self.due = Some(now + millis(wait));
    }

    /// Why its container waits, or nothing.
    pub(super) fn waiting(&self) -> Option<&'static str> {
        match self.step {
            Step::Creating => Some("ContainerCreating"),
            Step::Pulling(false) => Some("ErrImagePull"),
            Step::Pulling(true) => Some("ImagePullBackOff"),
            Step::BackOff => Some("CrashLoopBackOff"),
            Step::Running | Step::Ready => None,
        }
    }
}

fn container(spec: &Value) -> Container {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let amount = |kind: &str, resource: &str| {
        let found = spec.pointer(&format!("/resources/{kind}/{resource}"))?;
        Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
    };
    let cpu = |kind| amount(kind, "cpu")?.parse().ok().map(|cpu: Cpu| as_f64(cpu.millicores()) / 1000.0);
    let memory = |kind| amount(kind, "memory")?.parse().ok().map(|memory: Memory| as_f64(memory.bytes()));
    Container {
        name: text("name"),
        image: text("image"),
        cpu: (cpu("requests"), cpu("limits")),
        memory: (memory("requests"), memory("limits")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no container has 2^53 bytes")]
fn as_f64(amount: u64) -> f64 {
    amount as f64
}

/// A duration in milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
