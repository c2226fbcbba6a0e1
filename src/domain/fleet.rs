//! `fleet.yaml`: environments, cluster profiles, plans, policy and tenants of one fleet.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::addons::AddonKind;
use super::alerts::Language;
use super::app_spec::{Owner, Replicas};
use super::dns::{Address, DnsPolicy};
use super::document::Document;
use super::monitoring::Monitoring;
use super::problem::{Problem, Problems, did_you_mean};
use super::release::{ResourceAmounts, Resources};
use super::{AppName, Cidr, ClusterName, Cpu, EnvironmentName, HostName, ImageRef, Memory, PlanName, TenantName};
use crate::yaml::Step;

/// The settings of a fleet repository.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSettings {
    /// Where the controllers find this repository.
    pub repository: Repository,
    /// The targets, by name.
    pub environments: IndexMap<EnvironmentName, Environment>,
    /// The cluster profiles, by name.
    pub clusters: IndexMap<ClusterName, Cluster>,
    /// Sizes that replace or add to `basic`, `standard`, `advanced` and `professional`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub plans: IndexMap<PlanName, Plan>,
    /// The images of add-ons, instead of the built-in ones: of a mirror, or by digest.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub addon_images: IndexMap<AddonKind, ImageRef>,
    /// The language of alerts and dashboards, where an app's spec does not say one.
    #[serde(default)]
    pub language: Language,
    /// What is allowed.
    #[serde(default)]
    pub policy: Policy,
    /// Who may see and change which apps.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tenants: IndexMap<TenantName, Tenant>,
}

/// Where the controllers find the fleet repository.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its URL, as Argo CD or Flux reads it.
    #[schemars(length(min = 1, max = 500))]
    pub url: String,
    /// The branch that they sync.
    #[serde(default = "main_branch")]
    #[schemars(length(min = 1, max = 200))]
    pub branch: String,
}

fn main_branch() -> String {
    "main".to_owned()
}

/// A target: one cluster, one overlay stack, one policy.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The cluster profile.
    pub cluster: ClusterName,
    /// Which overlay of `overlays/providers` applies.
    pub provider: Provider,
    /// The environment whose releases `promote` brings here.
    #[serde(default)]
    pub promote_from: Option<EnvironmentName>,
    /// Whether changes wait for a person.
    #[serde(default)]
    pub merge: MergeMode,
    /// Apps without a host name of their own here get `<app>.<suffix>`, instead of the shared spec's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_suffix: Option<HostName>,
    /// Added to `app-<name>`, so that two environments can share a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^-[a-z0-9]+$"))]
    pub namespace_suffix: Option<String>,
    /// Where requests for apps here have to arrive: addresses, or names of load balancers. A new app's host name is
    /// checked against them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
}

impl Provider {
    /// The StorageClass that its clusters usually have for volumes of one pod.
    #[must_use]
    pub const fn storage_class(self) -> &'static str {
        match self {
            Self::K3s => "local-path",
            Self::Eks => "gp3",
            Self::Gke => "standard-rwo",
            Self::Aks => "managed-csi",
        }
    }
}

impl Environment {
    /// The namespace of an app here: `app-<name>` with the suffix.
    #[must_use]
    pub fn namespace_of(&self, app: &AppName) -> String {
        app.namespace() + self.namespace_suffix.as_deref().unwrap_or_default()
    }
}

/// Whose Kubernetes it is.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Provider {
    /// K3s.
    K3s,
    /// Amazon EKS.
    Eks,
    /// Google GKE.
    Gke,
    /// Azure AKS.
    Aks,
}

/// Whether changes wait for a person.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeMode {
    /// A person merges.
    #[default]
    Propose,
    /// wooo merges when every check is green.
    Auto,
}

/// The conventions of one cluster.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The controller that syncs.
    pub delivery: Delivery,
    /// How Argo CD knows this cluster; for `delivery: argocd`.
    #[serde(default)]
    pub argocd: Argocd,
    /// Expose apps through Ingress objects of this class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// Expose apps through HTTPRoutes on this Gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The cert-manager ClusterIssuer that signs; without it no Certificate is rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub issuer: Option<String>,
    /// The StorageClass of volumes; the cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class: Option<String>,
    /// How external-dns is told about host names; without it nothing is annotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// How the cluster is watched.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// How secrets reach the cluster.
    #[serde(default)]
    pub secrets: SecretBackend,
    /// The controller's certificate; for `secrets: sealed-secrets`.
    #[serde(default)]
    pub sealed_secrets: SealedSecretsSettings,
    /// Whom values are encrypted for; for `secrets: sops`.
    #[serde(default)]
    pub sops: SopsSettings,
    /// Where values are kept; for `secrets: external-secrets`.
    #[serde(default)]
    pub external_secrets: ExternalSecretsSettings,
}

/// The controller that syncs.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Delivery {
    /// Argo CD.
    Argocd,
    /// Flux.
    Flux,
}

/// How Argo CD knows a cluster.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Argocd {
    /// The AppProject of the apps.
    #[schemars(length(min = 1, max = 63))]
    pub project: String,
    /// The cluster's name in Argo CD.
    #[schemars(length(min = 1, max = 63))]
    pub destination: String,
}

impl Default for Argocd {
    fn default() -> Self {
        Self { project: "default".to_owned(), destination: "in-cluster".to_owned() }
    }
}

/// Exposure through Ingress objects.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// The IngressClass.
    #[schemars(length(min = 1, max = 63))]
    pub class: String,
    /// The namespace of the ingress controller's pods, which are let in.
    #[serde(default = "ingress_namespace")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Annotations of every Ingress, for the load balancer in front of it.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, String>,
    /// The addresses that requests come from, where a load balancer sends them to pods directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<Cidr>,
}

fn ingress_namespace() -> String {
    "ingress-nginx".to_owned()
}

/// Exposure through HTTPRoutes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The Gateway.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its namespace, whose pods are let in.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Annotations of every HTTPRoute.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, String>,
    /// The addresses that requests come from, where a load balancer sends them to pods directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<Cidr>,
}

/// How external-dns is told about host names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Which annotation prefix its version reads.
    pub prefix: DnsPrefix,
}

/// The annotation prefix of external-dns, which changed in v0.22.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsPrefix {
    /// `external-dns.alpha.kubernetes.io`.
    Alpha,
    /// `external-dns.kubernetes.io`.
    Ga,
    /// Both, while a cluster migrates.
    Both,
}

/// How secrets reach the cluster.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SecretBackend {
    /// Bitnami SealedSecrets.
    #[default]
    SealedSecrets,
    /// SOPS with age.
    Sops,
    /// External Secrets.
    ExternalSecrets,
}

/// The certificate of a SealedSecrets controller.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealedSecretsSettings {
    /// The file in the fleet repository, as `kubeseal --fetch-cert` prints it; `keys/<cluster>.pem` if absent.
    pub certificate: Option<String>,
}

/// Whom SOPS encrypts for.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SopsSettings {
    /// The public keys of age: `age1...`. The first is the cluster's, the others may be people's.
    pub age: Vec<String>,
    /// The Secret in Flux's namespace with the private key.
    #[schemars(length(min = 1, max = 253))]
    pub decryption_secret: String,
}

impl Default for SopsSettings {
    fn default() -> Self {
        Self { age: Vec::new(), decryption_secret: "sops-age".to_owned() }
    }
}

/// Where External Secrets finds values.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalSecretsSettings {
    /// The store.
    #[schemars(length(min = 1, max = 253))]
    pub store: String,
    /// What kind of store it is.
    pub kind: StoreKind,
    /// What stands before the name of a value: an app's values are `<prefix><app>/<env>/<NAME>`.
    #[schemars(length(max = 200))]
    pub prefix: String,
    /// How often the cluster looks for new values.
    #[schemars(regex(pattern = "^[0-9]+[smh]$"))]
    pub refresh: String,
}

impl Default for ExternalSecretsSettings {
    fn default() -> Self {
        Self {
            store: "default".to_owned(),
            kind: StoreKind::default(),
            prefix: String::new(),
            refresh: "1h".to_owned(),
        }
    }
}

/// The kind of a store of External Secrets.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum StoreKind {
    /// One for the whole cluster.
    #[default]
    ClusterSecretStore,
    /// One in each app's namespace.
    SecretStore,
}

/// A named resource size: what the container requests, and its limits if they are not twice that.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Requested memory.
    pub memory: Memory,
    /// Requested processor time.
    pub cpu: Cpu,
    /// The limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

impl Plan {
    /// The built-in plan of that name.
    fn built_in(name: &str) -> Option<Self> {
        let (mebibytes, millicores) = match name {
            "basic" => (256, 250),
            "standard" => (512, 500),
            "advanced" => (1024, 1000),
            "professional" => (2048, 2000),
            _ => return None,
        };
        Some(Self { memory: Memory::from_bytes(mebibytes << 20), cpu: Cpu::from_millicores(millicores), limits: None })
    }

    /// Requests and limits of a container on this plan.
    #[must_use]
    pub fn resources(&self) -> Resources {
        let limits = self.limits.unwrap_or(ResourceAmounts { memory: self.memory.times(2), cpu: self.cpu.times(2) });
        Resources { requests: ResourceAmounts { memory: self.memory, cpu: self.cpu }, limits }
    }
}

/// The names of the built-in plans, smallest first.
pub const BUILT_IN_PLANS: [&str; 4] = ["basic", "standard", "advanced", "professional"];

/// What is allowed in this fleet.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Registries that images may come from; any if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// The most pods that one app may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<Replicas>,
    /// What happens to a new app whose host name does not lead to the `addresses` of its environment. If absent:
    /// `warn` where external-dns makes the records, `refuse` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsPolicy>,
    /// How many merge requests people are asked to look at.
    #[serde(skip_serializing_if = "MergeRequestLimits::is_usual")]
    pub merge_requests: MergeRequestLimits,
}

/// How many merge requests people are asked to look at. Rollbacks, restarts and holds are never counted, nor is what is
/// merged without a person.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MergeRequestLimits {
    /// Open ones of one tenant. What is over waits until one is merged or closed.
    #[schemars(range(min = 1, max = 200))]
    pub open: u32,
    /// Ones that pipelines and automation open for one tenant in an hour. What a person asks for is not counted.
    #[schemars(range(min = 1, max = 200))]
    pub per_hour: u32,
    /// Days without a sign of life after which an open one is closed, with the reason.
    #[schemars(range(min = 1, max = 366))]
    pub stale_days: u32,
}

impl Default for MergeRequestLimits {
    fn default() -> Self {
        Self { open: 10, per_hour: 2, stale_days: 30 }
    }
}

impl MergeRequestLimits {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// A group of people with their apps.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Its apps.
    pub apps: Vec<AppName>,
    /// Who may look.
    pub viewers: Vec<Owner>,
    /// Who may also change.
    pub deployers: Vec<Owner>,
    /// Who may also decide about people.
    pub owners: Vec<Owner>,
}

impl FleetSettings {
    /// Reads the settings and checks that what they name exists.
    ///
    /// # Errors
    /// Every problem of settings that could be read, or the one that made them unreadable.
    pub fn parse(document: &Document<'_>) -> Result<Self, Problems> {
        let settings: Self = document.read()?;
        let mut problems = Vec::new();
        for (name, environment) in &settings.environments {
            let place = |problem, field| {
                document.place(problem, &[Step::Key("environments"), Step::Key(name.as_str()), Step::Key(field)])
            };
            problems.extend(
                settings
                    .environment_faults(name, environment)
                    .into_iter()
                    .map(|(problem, field)| place(problem, field)),
            );
        }
        for (name, cluster) in &settings.clusters {
            if cluster.ingress.is_some() && cluster.gateway.is_some() {
                let detail = format!("cluster `{name}` has both `ingress` and `gateway`: keep one");
                let path = [Step::Key("clusters"), Step::Key(name.as_str()), Step::Key("gateway")];
                problems.push(document.place(Problem::new("fleet.conflict", detail), &path));
            }
            if cluster.delivery == Delivery::Argocd && cluster.secrets == SecretBackend::Sops {
                let detail = format!("cluster `{name}` is synced by Argo CD, which cannot open what SOPS encrypted");
                let path = [Step::Key("clusters"), Step::Key(name.as_str()), Step::Key("secrets")];
                let problem = Problem::new("fleet.conflict", detail);
                problems.push(document.place(problem.hint("use `sealed-secrets`, or `external-secrets`"), &path));
            }
        }
        Problems::check(problems)?;
        Ok(settings)
    }

    fn environment_faults(&self, name: &EnvironmentName, environment: &Environment) -> Vec<(Problem, &'static str)> {
        let mut faults = Vec::new();
        if !self.clusters.contains_key(&environment.cluster) {
            let problem =
                Problem::new("fleet.unknown_cluster", format!("there is no cluster `{}`", environment.cluster));
            let known = self.clusters.keys().map(ClusterName::as_str);
            faults.push((with_suggestion(problem, environment.cluster.as_str(), known), "cluster"));
        }
        let mut seen = vec![name];
        let mut from = environment.promote_from.as_ref();
        while let Some(source) = from {
            let Some(next) = self.environments.get(source) else {
                let problem = Problem::new("fleet.unknown_environment", format!("there is no environment `{source}`"));
                let known = self.environments.keys().map(EnvironmentName::as_str);
                faults.push((with_suggestion(problem, source.as_str(), known), "promote_from"));
                break;
            };
            if seen.contains(&source) {
                let chain: Vec<_> = seen.iter().map(|name| name.as_str()).collect();
                let detail = format!("promotion goes in a circle: {} <- {source}", chain.join(" <- "));
                faults.push((Problem::new("fleet.cycle", detail), "promote_from"));
                break;
            }
            seen.push(source);
            from = next.promote_from.as_ref();
        }
        if let Some(suffix) = &environment.namespace_suffix {
            let fits = suffix.strip_prefix('-').is_some_and(|rest| {
                (1..=15).contains(&rest.len()) && rest.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            });
            if !fits {
                let detail =
                    "a namespace suffix is `-` and up to 15 lower-case letters or digits, for example `-staging`";
                faults.push((Problem::new("fleet.value", detail), "namespace_suffix"));
            }
        }
        let twin = self.environments.iter().take_while(|(other, _)| *other != name).find(|(_, other)| {
            other.cluster == environment.cluster && other.namespace_suffix == environment.namespace_suffix
        });
        if let Some((twin, _)) = twin {
            let detail = format!(
                "`{twin}` and `{name}` share cluster `{}`: their namespaces would be the same",
                environment.cluster
            );
            let hint = format!("give one of them a suffix, for example `namespace_suffix: -{name}`");
            faults.push((Problem::new("fleet.conflict", detail).hint(hint), "cluster"));
        }
        faults
    }

    /// The environment of that name.
    ///
    /// # Errors
    /// `fleet.unknown_environment`, with the names there are.
    pub fn environment(&self, name: &EnvironmentName) -> Result<&Environment, Problem> {
        self.environments.get(name).ok_or_else(|| {
            let known: Vec<_> = self.environments.keys().map(EnvironmentName::as_str).collect();
            let problem =
                Problem::new("fleet.unknown_environment", format!("there is no environment `{name}` in fleet.yaml"));
            with_suggestion(problem, name.as_str(), known.iter().copied())
                .hint(format!("the environments are {}", known.join(", ")))
        })
    }

    /// The environment of that name with its cluster.
    ///
    /// # Errors
    /// As [`environment`](Self::environment), and `fleet.unknown_cluster`, which settings that were parsed rule out.
    pub fn place(&self, name: &EnvironmentName) -> Result<(&Environment, &Cluster), Problem> {
        let environment = self.environment(name)?;
        let cluster = self.clusters.get(&environment.cluster).ok_or_else(|| {
            Problem::new("fleet.unknown_cluster", format!("there is no cluster `{}`", environment.cluster))
        })?;
        Ok((environment, cluster))
    }

    /// The size of that name: the fleet's own, or a built-in one.
    #[must_use]
    pub fn plan(&self, name: &PlanName) -> Option<Plan> {
        self.plans.get(name).copied().or_else(|| Plan::built_in(name.as_str()))
    }

    /// The names of all plans.
    pub fn plan_names(&self) -> impl Iterator<Item = &str> {
        let own = self.plans.keys().map(PlanName::as_str);
        BUILT_IN_PLANS.into_iter().chain(own.filter(|name| !BUILT_IN_PLANS.contains(name)))
    }
}

fn with_suggestion<'a>(problem: Problem, word: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    match did_you_mean(word, known) {
        Some(name) => problem.hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTERS: &str =
        "repository: {url: https://git.example.com/fleet.git}\nclusters:\n  k3s-taipei: {delivery: flux}\n";

    fn problems(environments: &str) -> String {
        let text = format!("{CLUSTERS}{environments}");
        FleetSettings::parse(&Document { file: "fleet.yaml", text: &text }).unwrap_err().to_string()
    }

    #[test]
    fn what_settings_name_must_exist() {
        let text = problems("environments:\n  a: {cluster: k3s-taipe, provider: k3s, promote_from: nope}\n");
        assert!(text.contains("fleet.yaml:5:16: there is no cluster `k3s-taipe` [fleet.unknown_cluster]"), "{text}");
        assert!(text.contains("there is no environment `nope` [fleet.unknown_environment]"), "{text}");
    }

    #[test]
    fn promotion_cannot_go_in_a_circle() {
        let text = problems(
            "environments:\n  a: {cluster: k3s-taipei, provider: k3s, promote_from: b}\n  b: {cluster: k3s-taipei, provider: k3s, promote_from: a, namespace_suffix: -b}\n",
        );
        assert!(text.contains("promotion goes in a circle: a <- b <- a [fleet.cycle]"), "{text}");
    }

    #[test]
    fn environments_on_one_cluster_need_a_suffix() {
        let text = problems(
            "environments:\n  a: {cluster: k3s-taipei, provider: k3s}\n  b: {cluster: k3s-taipei, provider: k3s}\n",
        );
        assert!(text.contains("`a` and `b` share cluster `k3s-taipei`: their namespaces would be the same"), "{text}");
    }

    #[test]
    fn plans_can_be_replaced_and_added() {
        let text = format!(
            "{CLUSTERS}environments: {{}}\nplans: {{basic: {{memory: 1Gi, cpu: 1}}, huge: {{memory: 8Gi, cpu: 4}}}}\n"
        );
        let settings = FleetSettings::parse(&Document { file: "fleet.yaml", text: &text }).unwrap();
        let limits = |name: &str| settings.plan(&name.parse().unwrap()).unwrap().resources().limits.memory.to_string();
        assert_eq!((limits("basic"), limits("huge"), limits("standard")), ("2Gi".into(), "16Gi".into(), "1Gi".into()));
        assert_eq!(
            settings.plan_names().collect::<Vec<_>>(),
            ["basic", "standard", "advanced", "professional", "huge"]
        );
    }
}
