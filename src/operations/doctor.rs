//! Whether the parts that wooo works with are as they should be, and what to do about those that are not. Everything here
//! only reads.

use std::process::Command;

use serde::Serialize;

use super::place::Place;
use super::promtool::Checked;
use super::{git_problems, validate, verify};
use crate::cluster::profile::{Presence, Probe};
use crate::cluster::{ClusterSettings, Error};
use crate::domain::fleet::{Cluster, Delivery, SecretBackend};
use crate::domain::{FleetSettings, Problem, Problems};
use crate::operations::fleet::Fleet;
use crate::store;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// Something works less well than it could, or could not be looked at.
    Warn,
    /// Something does not work.
    Fail,
}

/// One check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Check {
    /// What was looked at, as in `cluster k3s-taipei`.
    pub about: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found, in one sentence.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

impl Check {
    fn new(about: &str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { about: about.to_owned(), verdict, found: found.into(), then: None }
    }

    /// It is as it should be.
    pub fn ok(about: &str, found: impl Into<String>) -> Self {
        Self::new(about, Verdict::Ok, found)
    }

    /// It works less well than it could.
    pub fn warn(about: &str, found: impl Into<String>) -> Self {
        Self::new(about, Verdict::Warn, found)
    }

    /// It does not work.
    pub fn fail(about: &str, found: impl Into<String>) -> Self {
        Self::new(about, Verdict::Fail, found)
    }

    /// Says what to do.
    #[must_use]
    pub fn then(mut self, then: impl Into<String>) -> Self {
        self.then = Some(then.into());
        self
    }

    /// One failed check for each problem.
    #[must_use]
    pub fn problems(about: &str, problems: &[Problem]) -> Vec<Self> {
        let one =
            |problem: &Problem| Self { then: problem.hints.first().cloned(), ..Self::fail(about, problem.to_string()) };
        problems.iter().map(one).collect()
    }
}

/// The programs that are called where they are needed.
#[must_use]
pub fn programs() -> Vec<Check> {
    let needs = [
        ("git", "--version", "the embedded forge serves repositories with it (Debian package git)"),
        ("promtool", "--version", "without it alert rules are not checked (Debian package prometheus)"),
        ("ssh", "-V", "without it fleets behind ssh URLs cannot be reached (Debian package openssh-client)"),
    ];
    needs.iter().map(|(name, flag, need)| program(name, flag, need)).collect()
}

fn program(name: &str, flag: &str, need: &str) -> Check {
    let about = format!("program {name}");
    match Command::new(name).arg(flag).output() {
        Ok(output) => {
            // ssh says its version on the other stream.
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            Check::ok(&about, said.lines().next().unwrap_or("it runs").to_owned())
        }
        Err(_) => Check::warn(&about, "it is not installed").then(need),
    }
}

/// A fleet: its settings, its apps, and whether its files are what would be rendered. The settings are returned for
/// checks of its clusters.
#[must_use]
pub fn fleet(name: &str, place: &Place) -> (Vec<Check>, Option<FleetSettings>) {
    let about = format!("fleet {name}");
    match look_at(&about, place) {
        Ok((checks, settings)) => (checks, Some(settings)),
        Err(problems) => (Check::problems(&about, problems.as_slice()), None),
    }
}

fn look_at(about: &str, place: &Place) -> Result<(Vec<Check>, FleetSettings), Problems> {
    let tip = place.tip()?;
    let tree = place.repository.tree(tip).map_err(git_problems)?;
    let settings = Fleet::open(&tree)?.settings;
    let mut checks = vec![Check::ok(about, format!("it opens: branch {}, commit {}", place.base, tip.short()))];
    match validate::run(&tree, || {}) {
        Ok(report) if report.problems.is_empty() => {
            checks.push(Check::ok(about, format!("{} apps, {} renderings, no problems", report.apps, report.rendered)));
            if let Checked { alerts: 1.., promtool: false } = report.rules {
                checks.push(Check::warn(about, "its alert rules were not checked").then("install promtool"));
            }
        }
        Ok(report) => checks.extend(Check::problems(about, &report.problems)),
        Err(problems) => checks.extend(Check::problems(about, problems.as_slice())),
    }
    match verify::run(&tree, || {}) {
        Ok(report) if report.is_clean() => checks.push(Check::ok(about, "every rendered byte is as it should be")),
        Ok(report) => {
            let found = format!("{} files are not as rendered", report.findings.len());
            checks.push(Check::fail(about, found).then("`wooo verify` lists them, and `wooo rerender` writes them"));
        }
        Err(problems) => checks.extend(Check::problems(about, problems.as_slice())),
    }
    Ok((checks, settings))
}

/// The database of a service.
pub async fn database(address: &str) -> Check {
    let about = "database";
    match store::peek(address).await {
        Ok(None) => Check::ok(about, "it is not there yet; the service makes it"),
        Ok(Some(seen)) => {
            let schema = format!("it answers, and has schema {}", seen.version);
            let user = if seen.is_in_use { "; a service has it in use" } else { "" };
            match seen.version.cmp(&seen.newest) {
                std::cmp::Ordering::Equal => Check::ok(about, schema + user),
                std::cmp::Ordering::Less => {
                    Check::ok(about, format!("{schema}{user}; the service brings it to {}", seen.newest))
                }
                std::cmp::Ordering::Greater => {
                    Check::fail(about, format!("{schema}{user}, and this program knows schemas up to {}", seen.newest))
                        .then("run the newer version of wooo")
                }
            }
        }
        // What the driver says can hold the address, and with it a password.
        Err(error) => Check::fail(about, crate::domain::Problems::from(error.problem()).to_string())
            .then("check `database` in the settings, and that the server runs"),
    }
}

/// A cluster against its profile in a fleet.
pub async fn cluster(name: &str, settings: &ClusterSettings, profile: &Cluster) -> Vec<Check> {
    let about = format!("cluster {name}");
    let mut checks = Vec::new();
    if let Err(error) = compare(&about, settings, profile, &mut checks).await {
        checks.push(
            Check::fail(&about, error.to_string())
                .then(format!("check `clusters.{name}` in the settings of the service")),
        );
    }
    checks
}

/// What a profile needs of a cluster: kinds that it serves, and objects that are there.
#[derive(Debug, Default, Eq, PartialEq)]
struct Needs {
    /// What for, group, plural, what to do.
    kinds: Vec<(String, &'static str, &'static str, String)>,
    /// What, path, what to do.
    objects: Vec<(String, String, String)>,
}

fn needs(profile: &Cluster) -> Needs {
    let mut needs = Needs::default();
    let mut kind =
        |what: &str, group, plural, then: &str| needs.kinds.push((what.to_owned(), group, plural, then.to_owned()));
    match profile.delivery {
        Delivery::Argocd => kind("Argo CD", "argoproj.io", "applications", "install Argo CD, or set `delivery: flux`"),
        Delivery::Flux => {
            kind("Flux", "kustomize.toolkit.fluxcd.io", "kustomizations", "install Flux, or set `delivery: argocd`");
        }
    }
    if profile.issuer.is_some() {
        kind("cert-manager", "cert-manager.io", "certificates", "install cert-manager, or remove `issuer`");
    }
    if profile.monitoring.operator {
        let then = "install the Prometheus operator, or set `monitoring.operator: false`";
        kind("the Prometheus operator", "monitoring.coreos.com", "prometheusrules", then);
        kind("AlertmanagerConfig", "monitoring.coreos.com", "alertmanagerconfigs", then);
    }
    match profile.secrets {
        SecretBackend::SealedSecrets => {
            kind(
                "SealedSecrets",
                "bitnami.com",
                "sealedsecrets",
                "install the SealedSecrets controller, or change `secrets`",
            );
        }
        SecretBackend::ExternalSecrets => {
            let then = "install External Secrets, or change `secrets`";
            kind("External Secrets", "external-secrets.io", "externalsecrets", then);
        }
        // The controller that syncs decrypts by itself.
        SecretBackend::Sops => {}
    }
    if profile.gateway.is_some() {
        kind("the Gateway API", "gateway.networking.k8s.io", "httproutes", "install the Gateway API, or use `ingress`");
    }
    let mut object = |what: String, path: String, then: String| needs.objects.push((what, path, then));
    if let Some(issuer) = &profile.issuer {
        let path = format!("/apis/cert-manager.io/v1/clusterissuers/{issuer}");
        object(format!("ClusterIssuer `{issuer}`"), path, "make it, or name another one in `issuer`".to_owned());
    }
    if let Some(ingress) = &profile.ingress {
        let class = &ingress.class;
        let path = format!("/apis/networking.k8s.io/v1/ingressclasses/{class}");
        object(
            format!("IngressClass `{class}`"),
            path,
            "install its controller, or name another `ingress.class`".to_owned(),
        );
    }
    if let Some(gateway) = &profile.gateway {
        let (name, namespace) = (&gateway.name, &gateway.namespace);
        let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}");
        object(format!("Gateway `{namespace}/{name}`"), path, "make it, or name another one in `gateway`".to_owned());
    }
    if let Some(class) = &profile.storage_class {
        let path = format!("/apis/storage.k8s.io/v1/storageclasses/{class}");
        object(format!("StorageClass `{class}`"), path, "make it, or name another `storage_class`".to_owned());
    }
    needs
}

async fn compare(
    about: &str,
    settings: &ClusterSettings,
    profile: &Cluster,
    checks: &mut Vec<Check>,
) -> Result<(), Error> {
    let probe = Probe::new(settings).await?;
    checks.push(Check::ok(about, format!("it answers, and is Kubernetes {}", probe.version().await?)));
    let needs = needs(profile);
    let mut absent = Vec::new();
    for (what, group, plural, then) in needs.kinds {
        if probe.serves(group, plural).await? {
            checks.push(Check::ok(about, format!("{what} is there ({plural}.{group})")));
        } else {
            absent.push(group);
            checks.push(Check::fail(about, format!("{what} is not there ({plural}.{group})")).then(then));
        }
    }
    for (what, path, then) in needs.objects {
        // Where a kind is missing, none of its objects can be there, and one line says it.
        if absent.iter().any(|group| path.starts_with(&format!("/apis/{group}/"))) {
            continue;
        }
        checks.push(match probe.has(&path).await? {
            Presence::There => Check::ok(about, format!("{what} is there")),
            Presence::Absent => Check::fail(about, format!("{what} is not there")).then(then),
            Presence::Hidden => Check::warn(about, format!("{what} may not be read"))
                .then("let wooo's service account get it, or look yourself"),
        });
    }
    Ok(())
}

/// A Prometheus.
pub async fn prometheus(name: &str, url: &str, token: Option<secrecy::SecretString>) -> Check {
    let about = format!("prometheus of {name}");
    let asked = match crate::metrics::Prometheus::new(url, token) {
        Ok(client) => client.query("vector(1)", jiff::Timestamp::now()).await.map(drop),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => Check::ok(&about, "it answers"),
        Err(error) => Check::fail(&about, error.to_string())
            .then(format!("check `prometheus.{name}` in the settings of the service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Needs {
        let cluster: Cluster = crate::yaml::read(text).unwrap();
        needs(&cluster)
    }

    #[test]
    fn a_profile_needs_what_would_be_rendered_for_it() {
        let found = profile(
            "delivery: flux\nissuer: le\ningress: {class: nginx}\nsecrets: sops\nmonitoring: {operator: false}\n",
        );
        let groups: Vec<&str> = found.kinds.iter().map(|(_, group, ..)| *group).collect();
        assert_eq!(groups, ["kustomize.toolkit.fluxcd.io", "cert-manager.io"]);
        let paths: Vec<&str> = found.objects.iter().map(|(_, path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["/apis/cert-manager.io/v1/clusterissuers/le", "/apis/networking.k8s.io/v1/ingressclasses/nginx"]
        );
        let found = profile("delivery: argocd\ngateway: {name: public, namespace: gateways}\n");
        assert_eq!(found.kinds.len(), 5, "{found:?}");
        assert_eq!(found.objects[0].1, "/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways/public");
    }
}
