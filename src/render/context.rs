//! What a template sees: one value per app and environment, made of the resolved app, the cluster profile and the few
//! figures that follow from them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use minijinja::value::{Serde, Value as Context};
use serde::Serialize;

use super::addons::{self, AddonView};
use super::digest;
use super::secrets::{self, SecretReference};
use super::watch::WatchView;
use crate::domain::app_spec::{Autoscale, Port, Worker};
use crate::domain::fleet::{
    Cluster, DnsPrefix, Environment, ExternalSecretsSettings, FleetSettings, Gateway, Ingress, Plan, Repository,
    SecretBackend, SopsSettings,
};
use crate::domain::monitoring::Monitoring;
use crate::domain::release::{ResourceAmounts, Resources};
use crate::domain::{
    App, Cidr, Cpu, EnvironmentName, Framework, ImageRef, Memory, Problem, UrlPath, VariableName, app_spec::EnvValue,
};

/// The top-level names of a template's context.
#[derive(Serialize)]
struct Root<'a> {
    app: AppView<'a>,
    environment: EnvironmentView<'a>,
    cluster: ClusterView<'a>,
    watch: WatchView<'a>,
    labels: BTreeMap<&'static str, &'a str>,
    selector: BTreeMap<&'static str, &'a str>,
    quota: Quota,
    repository: &'a Repository,
    delivery: DeliveryView<'a>,
}

#[derive(Serialize)]
struct AppView<'a> {
    name: &'a str,
    title: &'a str,
    instance: String,
    namespace: &'a str,
    framework: Framework,
    plan: &'a str,
    image: &'a str,
    version_label: String,
    domain: Option<&'a str>,
    allowed_hosts: &'a str,
    port: u16,
    replicas: u16,
    autoscale: Option<Autoscale>,
    env: &'a IndexMap<VariableName, EnvValue>,
    secrets: &'a [VariableName],
    secret_references: Vec<SecretReference<'a>>,
    sealed: BTreeMap<&'a str, &'a str>,
    addons: &'a [AddonView],
    addon_components: Vec<String>,
    command: &'a [String],
    workers: &'a [Worker],
    health_path: &'a str,
    metrics_path: Option<&'a str>,
    egress: bool,
    egress_summary: String,
    egress_ports: Vec<u16>,
    resources: Resources,
    server_workers: u64,
    heap_megabytes: u64,
    go_memory_limit: String,
    restarted_at: Option<String>,
    config_hash: String,
}

#[derive(Serialize)]
struct EnvironmentView<'a> {
    name: &'a str,
    provider: String,
}

#[derive(Serialize)]
struct ClusterView<'a> {
    ingress: Option<&'a Ingress>,
    gateway: Option<&'a Gateway>,
    entry_namespace: Option<&'a str>,
    entry_cidrs: &'a [Cidr],
    entry_annotations: BTreeMap<&'a str, &'a str>,
    issuer: Option<&'a str>,
    storage_class: Option<&'a str>,
    secrets: SecretBackend,
    sops: &'a SopsSettings,
    external_secrets: &'a ExternalSecretsSettings,
    monitoring: &'a Monitoring,
}

#[derive(Serialize)]
struct Quota {
    pods: u64,
    requests_memory: String,
    requests_cpu: String,
    limits_memory: String,
    limits_cpu: String,
    largest: ResourceAmounts,
}

#[derive(Serialize)]
struct DeliveryView<'a> {
    source: String,
    path: String,
    project: &'a str,
    destination: &'a str,
}

/// An app in an environment with everything that rendering needs to know about it, looked up and checked.
pub(super) struct Subject<'a> {
    /// The app.
    pub(super) app: &'a App,
    /// The environment's name.
    pub(super) environment_name: &'a EnvironmentName,
    /// The environment.
    pub(super) environment: &'a Environment,
    /// Its cluster.
    pub(super) cluster: &'a Cluster,
    /// The framework that decides the templates.
    pub(super) framework: Framework,
    /// The namespace, with the environment's suffix.
    pub(super) namespace: String,
    /// The host name here, if the app is public.
    pub(super) domain: Option<String>,
    /// The settings of the fleet.
    pub(super) settings: &'a FleetSettings,
    plan: Plan,
}

impl<'a> Subject<'a> {
    /// Looks up what `app` in `environment` refers to.
    ///
    /// # Errors
    /// What is missing or not allowed: `fleet.unknown_environment`, `spec.image`, `spec.framework`, `spec.plan`,
    /// `secret.stale`, `secret.missing`, `policy.registry`, `policy.replicas`, `fleet.no_entry`.
    pub(super) fn new(
        settings: &'a FleetSettings,
        environment_name: &'a EnvironmentName,
        app: &'a App,
    ) -> Result<Self, Vec<Problem>> {
        let environment = settings.environment(environment_name).map_err(|problem| vec![problem])?;
        let name = &app.spec.name;
        let mut problems = Vec::new();
        let cluster = settings.clusters.get(&environment.cluster);
        let plan = settings.plan(&app.spec.plan);
        if plan.is_none() {
            let known: Vec<_> = settings.plan_names().collect();
            let detail = format!("`{name}` asks for plan `{}`, which does not exist", app.spec.plan);
            problems.push(
                Problem::new("spec.plan", detail).field("plan").hint(format!("the plans are {}", known.join(", "))),
            );
        }
        if app.spec.framework.is_none() {
            let detail = format!("the framework of `{name}` is not known");
            problems.push(
                Problem::new("spec.framework", detail)
                    .field("framework")
                    .hint("add `framework:` to the spec; `wooo detect PATH` finds it in the app's source"),
            );
        }
        match &app.spec.image {
            None => {
                let detail = format!("`{name}` has no image to run in `{environment_name}`");
                problems.push(
                    Problem::new("spec.image", detail).field("image").hint("add `image:` with a tag to the spec"),
                );
            }
            Some(image) => {
                let allowed = &settings.policy.registries;
                if !allowed.is_empty() && !allowed.iter().any(|registry| registry == image.registry()) {
                    let detail =
                        format!("image `{image}` comes from `{}`, which this fleet does not allow", image.registry());
                    let hint = format!("allowed are {} (`policy.registries` in fleet.yaml)", allowed.join(", "));
                    problems.push(Problem::new("policy.registry", detail).field("image").hint(hint));
                }
            }
        }
        if let Some(most) = settings.policy.max_replicas
            && app.spec.max_replicas() > most.get()
        {
            let detail =
                format!("`{name}` asks for {} pods; this fleet allows {most} per app", app.spec.max_replicas());
            problems.push(Problem::new("policy.replicas", detail).field("replicas"));
        }
        let allowed = &settings.policy.registries;
        for kind in app.spec.addons.keys() {
            let image = addons::image(settings, *kind);
            let parsed: Option<ImageRef> = image.parse().ok();
            let registry = parsed.as_ref().map_or("", ImageRef::registry);
            if !allowed.is_empty() && !allowed.iter().any(|known| known == registry) {
                let detail = format!(
                    "the image `{image}` of the add-on {kind} comes from `{registry}`, which this fleet does not allow"
                );
                let hint = "name one of a mirror in fleet.yaml, under `addon_images`";
                problems.push(Problem::new("policy.registry", detail).field("addons").hint(hint));
            }
        }
        if let Some(cluster) = cluster {
            problems.extend(secrets::problems(app, &environment.namespace_of(name), cluster.secrets));
        }
        let domain = match (&app.spec.domain, &environment.domain_suffix) {
            (Some(_), Some(suffix)) if !app.own_domain => Some(format!("{name}.{suffix}")),
            (domain, _) => domain.as_ref().map(ToString::to_string),
        };
        if let (Some(domain), Some(cluster)) = (&domain, cluster)
            && cluster.ingress.is_none()
            && cluster.gateway.is_none()
        {
            let detail = format!(
                "`{domain}` cannot be served: cluster `{}` has neither `ingress` nor `gateway`",
                environment.cluster
            );
            problems.push(Problem::new("fleet.no_entry", detail).field("domain"));
        }
        match (cluster, plan, app.spec.framework) {
            (Some(cluster), Some(plan), Some(framework)) if problems.is_empty() => Ok(Self {
                app,
                environment_name,
                environment,
                cluster,
                framework,
                namespace: environment.namespace_of(name),
                domain,
                settings,
                plan,
            }),
            _ => Err(problems),
        }
    }

    /// The name that is unique across environments: what the controllers call the app.
    #[must_use]
    pub(super) fn instance(&self) -> String {
        format!("{}-{}", self.app.spec.name, self.environment_name)
    }

    /// The path that probes ask for.
    #[must_use]
    pub(super) fn health_path(&self) -> &'a str {
        self.app.spec.health_path.as_ref().map_or(self.framework.default_health_path(), UrlPath::as_str)
    }

    /// Whether the app is served under a certificate of its own.
    #[must_use]
    pub(super) fn has_certificate(&self) -> bool {
        self.domain.is_some() && self.cluster.issuer.is_some()
    }

    /// The context of this app's templates. `addons` are its [`addons::views`].
    #[must_use]
    pub(super) fn context(&self, addons: &[AddonView]) -> Context {
        let spec = &self.app.spec;
        let instance = self.instance();
        let resources = self.app.resources.unwrap_or_else(|| self.plan.resources());
        let image = spec.image.as_ref().map(ToString::to_string).unwrap_or_default();
        let selector = BTreeMap::from([("app.kubernetes.io/name", spec.name.as_str())]);
        let mut labels = common_labels(&instance, spec.name.as_str());
        labels.extend(&selector);
        let mut egress_ports: Vec<u16> = spec.egress.iter().map(|egress| egress.port.get()).collect();
        egress_ports.sort_unstable();
        egress_ports.dedup();
        let egress: Vec<String> = spec.egress.iter().map(|egress| format!("{}:{}", egress.host, egress.port)).collect();
        let root = Root {
            app: AppView {
                name: spec.name.as_str(),
                title: spec.title(),
                instance: instance.clone(),
                namespace: &self.namespace,
                framework: self.framework,
                plan: spec.plan.as_str(),
                image: &image,
                version_label: spec.image.as_ref().map(|image| label_value(image.version())).unwrap_or_default(),
                domain: self.domain.as_deref(),
                allowed_hosts: self.domain.as_deref().unwrap_or("*"),
                port: spec.port.map_or(self.framework.default_port(), Port::get),
                replicas: spec.min_replicas(),
                autoscale: spec.autoscale,
                env: &spec.env,
                secrets: &spec.secrets,
                secret_references: secrets::references(self),
                sealed: secrets::sealed(self.app),
                addons,
                addon_components: spec.addons.keys().map(ToString::to_string).collect(),
                command: &spec.command,
                workers: &spec.workers,
                health_path: self.health_path(),
                metrics_path: spec.metrics_path.as_ref().map(UrlPath::as_str),
                egress: !egress.is_empty(),
                egress_summary: egress.join(", "),
                egress_ports,
                resources,
                // gunicorn's own advice is 2n + 1 for n cores; the limit is what the container can have of them.
                server_workers: (2 * resources.limits.cpu.millicores()).div_ceil(1000) + 1,
                heap_megabytes: resources.limits.memory.bytes() / (1 << 20) * 3 / 4,
                go_memory_limit: format!("{}MiB", resources.limits.memory.bytes() / (1 << 20) * 9 / 10),
                restarted_at: self.app.restarted_at.map(|time| time.to_string()),
                config_hash: self.config_hash(),
            },
            environment: EnvironmentView {
                name: self.environment_name.as_str(),
                provider: self.environment.provider.to_string(),
            },
            cluster: self.cluster_view(),
            watch: WatchView::new(self),
            labels,
            selector,
            quota: self.quota(&resources),
            repository: &self.settings.repository,
            delivery: DeliveryView {
                source: source_name(self.environment_name),
                path: format!("rendered/{}/{}", self.environment_name, spec.name),
                project: &self.cluster.argocd.project,
                destination: &self.cluster.argocd.destination,
            },
        };
        Context::from(Serde(&root))
    }

    fn cluster_view(&self) -> ClusterView<'_> {
        let Cluster { ingress, gateway, .. } = self.cluster;
        let (namespace, cidrs, annotations) = match (gateway, ingress) {
            (Some(gateway), _) => {
                (Some(gateway.namespace.as_str()), gateway.cidrs.as_slice(), Some(&gateway.annotations))
            }
            (None, Some(ingress)) => {
                (Some(ingress.namespace.as_str()), ingress.cidrs.as_slice(), Some(&ingress.annotations))
            }
            (None, None) => (None, [].as_slice(), None),
        };
        let (alpha, ga) = ("external-dns.alpha.kubernetes.io/hostname", "external-dns.kubernetes.io/hostname");
        let prefixes: &[&str] = match self.cluster.dns.map(|dns| dns.prefix) {
            None => &[],
            Some(DnsPrefix::Alpha) => &[alpha],
            Some(DnsPrefix::Ga) => &[ga],
            Some(DnsPrefix::Both) => &[alpha, ga],
        };
        let own = annotations.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
        let dns = prefixes.iter().filter_map(|prefix| Some((*prefix, self.domain.as_deref()?)));
        ClusterView {
            ingress: ingress.as_ref(),
            gateway: gateway.as_ref(),
            entry_namespace: namespace,
            entry_cidrs: cidrs,
            entry_annotations: own.chain(dns).collect(),
            issuer: self.cluster.issuer.as_deref(),
            storage_class: self.cluster.storage_class.as_deref(),
            secrets: self.cluster.secrets,
            sops: &self.cluster.sops,
            external_secrets: &self.cluster.external_secrets,
            monitoring: &self.cluster.monitoring,
        }
    }

    /// Room for every pod that can exist at once: the most replicas, one more of each Deployment while it rolls, and the
    /// one in which cert-manager answers a challenge.
    fn quota(&self, resources: &Resources) -> Quota {
        let spec = &self.app.spec;
        let workers: u64 = spec.workers.iter().map(|worker| u64::from(worker.replicas.get()) + 1).sum();
        let solver = u64::from(self.has_certificate());
        let pods = u64::from(spec.max_replicas()) + 1 + workers + solver;
        let mut room = Room {
            pods,
            requests: ResourceAmounts {
                memory: resources.requests.memory.times(pods),
                cpu: resources.requests.cpu.times(pods),
            },
            limits: ResourceAmounts {
                memory: resources.limits.memory.times(pods),
                cpu: resources.limits.cpu.times(pods),
            },
            largest: resources.limits,
        };
        for (kind, addon) in &spec.addons {
            let resources = addon.resources(*kind);
            room.add(resources.requests, resources.limits);
            if kind.profile().backup {
                room.add(addons::BACKUP, addons::BACKUP);
            }
        }
        Quota {
            pods: room.pods,
            requests_memory: room.requests.memory.to_string(),
            requests_cpu: room.requests.cpu.to_string(),
            limits_memory: room.limits.memory.to_string(),
            limits_cpu: room.limits.cpu.to_string(),
            largest: room.largest,
        }
    }

    /// Changes with what a pod reads when it starts and at no other time: its variables, the secret ones too.
    fn config_hash(&self) -> String {
        let spec = &self.app.spec;
        let variables = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let port = spec.port.map(|port| port.to_string()).unwrap_or_default();
        let sealed: Vec<String> = secrets::fingerprints(self.app);
        let parts = variables.flat_map(|(name, value)| [name, value]).chain([port.as_str()]);
        digest::of(parts.chain(sealed.iter().map(String::as_str)).map(str::as_bytes))[..16].to_owned()
    }
}

/// What all pods of a namespace may take together, and one container at most.
struct Room {
    pods: u64,
    requests: ResourceAmounts,
    limits: ResourceAmounts,
    largest: ResourceAmounts,
}

impl Room {
    /// Makes room for one more pod.
    fn add(&mut self, requests: ResourceAmounts, limits: ResourceAmounts) {
        let sum = |left: ResourceAmounts, right: ResourceAmounts| ResourceAmounts {
            memory: Memory::from_bytes(left.memory.bytes().saturating_add(right.memory.bytes())),
            cpu: Cpu::from_millicores(left.cpu.millicores().saturating_add(right.cpu.millicores())),
        };
        self.pods += 1;
        self.requests = sum(self.requests, requests);
        self.limits = sum(self.limits, limits);
        self.largest =
            ResourceAmounts { memory: self.largest.memory.max(limits.memory), cpu: self.largest.cpu.max(limits.cpu) };
    }
}

/// The context of an environment's own delivery objects.
#[must_use]
pub(super) fn environment_context(settings: &FleetSettings, name: &EnvironmentName) -> Context {
    let source = source_name(name);
    #[derive(Serialize)]
    struct Root<'a> {
        labels: BTreeMap<&'static str, &'a str>,
        repository: &'a Repository,
        delivery: DeliveryView<'a>,
    }
    Context::from(Serde(Root {
        labels: common_labels(&source, "fleet"),
        repository: &settings.repository,
        delivery: DeliveryView {
            source: source.clone(),
            path: format!("delivery/{name}"),
            project: "default",
            destination: "in-cluster",
        },
    }))
}

fn common_labels<'a>(instance: &'a str, part_of: &'a str) -> BTreeMap<&'static str, &'a str> {
    BTreeMap::from([
        ("app.kubernetes.io/instance", instance),
        ("app.kubernetes.io/managed-by", "wooo"),
        ("app.kubernetes.io/part-of", part_of),
    ])
}

fn source_name(environment: &EnvironmentName) -> String {
    format!("fleet-{environment}")
}

/// `text` as a label's value: at most 63 characters of a closed set, with a letter or digit at both ends.
fn label_value(text: &str) -> String {
    let allowed: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .take(63)
        .collect();
    allowed.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_label_values() {
        assert_eq!(label_value("1.4.2"), "1.4.2");
        assert_eq!(label_value("sha256:abc"), "sha256-abc");
        assert_eq!(label_value("_x_"), "x");
        assert_eq!(label_value(&"a".repeat(80)).len(), 63);
    }
}
