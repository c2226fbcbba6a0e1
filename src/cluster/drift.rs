//! What was changed in a cluster behind Git's back. Pure: a report is compared with what Git says.

use serde::{Deserialize, Serialize};

use super::report::{ContainerImage, Report, WorkloadKind};

/// A workload as Git wants it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Intended {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// The containers of its template with their images.
    pub images: Vec<ContainerImage>,
    /// How many pods; `None` where an autoscaler decides.
    pub replicas: Option<u32>,
}

impl Intended {
    /// What a manifest wants, if it is that of a workload.
    #[must_use]
    pub fn of(manifest: &serde_json::Value) -> Option<Self> {
        let kind = manifest.get("kind")?.as_str()?.parse().ok()?;
        let spec = manifest.get("spec")?;
        let image = |container: &serde_json::Value| {
            let text = |key: &str| container.get(key)?.as_str().map(str::to_owned);
            Some(ContainerImage { container: text("name")?, image: text("image")? })
        };
        Some(Self {
            kind,
            name: manifest.pointer("/metadata/name")?.as_str()?.to_owned(),
            images: spec.pointer("/template/spec/containers")?.as_array()?.iter().filter_map(image).collect(),
            replicas: spec.get("replicas").and_then(serde_json::Value::as_u64).and_then(|n| u32::try_from(n).ok()),
        })
    }
}

/// One thing that is not as Git says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drift {
    /// The kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What differs.
    #[serde(flatten)]
    pub what: Difference,
}

/// How an object differs from Git.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "difference")]
pub enum Difference {
    /// It is not in the cluster.
    Missing,
    /// It is in the cluster, with wooo's labels, and not in Git.
    Unwanted,
    /// A container has another image.
    Image {
        /// The container.
        container: String,
        /// What Git says; `None` if it has no such container.
        git: Option<String>,
        /// What the cluster has; `None` if it has no such container.
        cluster: Option<String>,
    },
    /// It has another number of pods.
    Replicas {
        /// What Git says.
        git: u32,
        /// What the cluster wants.
        cluster: u32,
    },
    /// The controller says that it differs and not in what.
    OutOfSync,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, name, what } = self;
        match what {
            Difference::Missing => write!(f, "{kind} {name} is not in the cluster"),
            Difference::Unwanted => write!(f, "{kind} {name} is in the cluster and not in Git"),
            Difference::Image { container, git: Some(git), cluster: Some(cluster) } => {
                write!(f, "{kind} {name} runs {cluster} in container {container}, and Git says {git}")
            }
            Difference::Image { container, git: Some(_), .. } => write!(f, "{kind} {name} lacks container {container}"),
            Difference::Image { container, .. } => {
                write!(f, "{kind} {name} has a container {container} that Git does not have")
            }
            Difference::Replicas { git, cluster } => {
                write!(f, "{kind} {name} is set to {cluster} pods, and Git says {git}")
            }
            Difference::OutOfSync => write!(f, "{kind} {name} differs from Git"),
        }
    }
}

/// What of a report is not as Git says. It only means drift if the commit that `intended` comes from is the one that the
/// controller applied, and if no sync is running; the caller knows the first, and where the second is the case the answer
/// is empty.
#[must_use]
pub fn drift(report: &Report, intended: &[Intended]) -> Vec<Drift> {
    if report.controller.as_ref().is_some_and(|controller| controller.is_syncing) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for wanted in intended {
        let mut add = |what| found.push(Drift { kind: wanted.kind.to_string(), name: wanted.name.clone(), what });
        let is_same = |name: &str, kind| name == wanted.name && kind == wanted.kind;
        let Some(workload) = report.workloads.iter().find(|one| is_same(&one.name, one.kind)) else {
            add(Difference::Missing);
            continue;
        };
        images(&wanted.images, &workload.images).into_iter().for_each(&mut add);
        if let Some(git) = wanted.replicas.filter(|git| *git != workload.desired) {
            add(Difference::Replicas { git, cluster: workload.desired });
        }
    }
    for workload in &report.workloads {
        if !intended.iter().any(|wanted| wanted.name == workload.name && wanted.kind == workload.kind) {
            let kind = workload.kind.to_string();
            found.push(Drift { kind, name: workload.name.clone(), what: Difference::Unwanted });
        }
    }
    let controller = report.controller.iter().filter(|controller| controller.is_out_of_sync);
    for object in controller.flat_map(|controller| &controller.out_of_sync) {
        if !found.iter().any(|drift| drift.kind == object.kind && drift.name == object.name) {
            found.push(Drift { kind: object.kind.clone(), name: object.name.clone(), what: Difference::OutOfSync });
        }
    }
    found
}

fn images(git: &[ContainerImage], cluster: &[ContainerImage]) -> Vec<Difference> {
    let image =
        |of: &[ContainerImage], name: &str| of.iter().find(|one| one.container == name).map(|one| one.image.clone());
    let mut names: Vec<&str> = git.iter().chain(cluster).map(|one| one.container.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let differences = names.into_iter().map(|name| (name, image(git, name), image(cluster, name)));
    differences
        .filter(|(_, git, cluster)| git != cluster)
        .map(|(name, git, cluster)| Difference::Image { container: name.to_owned(), git, cluster })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::{Controller, ObjectRef, Workload};
    use super::*;

    fn image(image: &str) -> Vec<ContainerImage> {
        vec![ContainerImage { container: "shop".to_owned(), image: image.to_owned() }]
    }

    fn wanted() -> Vec<Intended> {
        let name = "shop".to_owned();
        vec![Intended { kind: WorkloadKind::Deployment, name, images: image("shop:1"), replicas: Some(2) }]
    }

    fn report(run: &str, desired: u32) -> Report {
        let workload = Workload { name: "shop".to_owned(), images: image(run), desired, ..Workload::default() };
        Report { workloads: vec![workload], controller: Some(Controller::default()), ..Report::default() }
    }

    fn told(report: &Report, intended: &[Intended]) -> Vec<String> {
        drift(report, intended).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_as_git_says_is_no_drift() {
        assert!(drift(&report("shop:1", 2), &wanted()).is_empty());
    }

    #[test]
    fn images_and_replicas_are_compared() {
        let told = told(&report("shop:2", 5), &wanted());
        let image = "Deployment shop runs shop:2 in container shop, and Git says shop:1";
        assert_eq!(told, [image, "Deployment shop is set to 5 pods, and Git says 2"]);
    }

    #[test]
    fn an_autoscaler_may_choose_the_number_of_pods() {
        let wanted = wanted().into_iter().map(|one| Intended { replicas: None, ..one }).collect::<Vec<_>>();
        assert!(drift(&report("shop:1", 5), &wanted).is_empty());
    }

    #[test]
    fn what_only_one_of_the_two_has_is_named() {
        let mut seen = report("shop:1", 2);
        seen.workloads[0].name = "other".to_owned();
        let missing = "Deployment shop is not in the cluster";
        assert_eq!(told(&seen, &wanted()), [missing, "Deployment other is in the cluster and not in Git"]);
        let mut seen = report("shop:1", 2);
        seen.workloads[0].images[0].container = "side".to_owned();
        let lacks = "Deployment shop lacks container shop";
        assert_eq!(told(&seen, &wanted()), [lacks, "Deployment shop has a container side that Git does not have"]);
    }

    #[test]
    fn the_controllers_list_adds_what_is_not_looked_at_here() {
        let mut seen = report("shop:2", 2);
        let object =
            |kind: &str| ObjectRef { kind: kind.to_owned(), namespace: "app-shop".to_owned(), name: "shop".to_owned() };
        let out_of_sync = vec![object("Service"), object("Deployment")];
        seen.controller = Some(Controller { is_out_of_sync: true, out_of_sync, ..Controller::default() });
        let told = told(&seen, &wanted());
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[1], "Service shop differs from Git");
    }

    #[test]
    fn nothing_has_drifted_while_a_sync_runs() {
        let mut seen = report("shop:2", 5);
        seen.controller = Some(Controller { is_syncing: true, ..Controller::default() });
        assert!(drift(&seen, &wanted()).is_empty());
    }
}
