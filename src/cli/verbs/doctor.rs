//! `wooo doctor`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;

use super::follow::text;
use super::place;
use crate::cli::args::DoctorArgs;
use crate::cli::client::{Service, Target};
use crate::cli::output::{Printer, counted};
use crate::cli::service::{Forges, Opened, ServiceSettings, copy_folder, local_fleets};
use crate::domain::{FleetSettings, Problem, Problems};
use crate::forge::{Permission, StatusContext};
use crate::operations::doctor::{self, Check, Verdict};
use crate::operations::lifecycle::ServedFleet;
use crate::operations::place::Place;

pub(in crate::cli) fn run(args: &DoctorArgs, printer: &Printer) -> Result<bool, Problems> {
    let named = args.target.fleet.is_some() || args.target.server.server.is_some() || args.target.server.data.is_some();
    let usual = || std::env::var_os("WOOO_CONFIG").map(PathBuf::from).filter(|_| !named);
    let mut checks = doctor::programs();
    match args.config.clone().or_else(usual) {
        Some(path) => match ServiceSettings::read(&path) {
            Ok(settings) => checks.extend(service(&path, &settings)?),
            Err(problems) => checks.extend(Check::problems("settings", problems.as_slice())),
        },
        None => match Target::of(&args.target)? {
            Target::Service(service) => checks.extend(server(&service)),
            Target::Fleet(fleet) => match place(&fleet) {
                Ok(place) => checks.extend(doctor::fleet(&fleet.fleet, &place).0),
                Err(problems) => checks.extend(Check::problems(&format!("fleet {}", fleet.fleet), problems.as_slice())),
            },
        },
    }
    printer.answer(&checks, |page| {
        for check in &checks {
            page.check(&check.verdict.to_string(), &format!("{}: {}", check.about, check.found));
            if let Some(then) = &check.then {
                page.line(format!("      {then}"));
            }
        }
        let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (warned, failed) = (count(Verdict::Warn), count(Verdict::Fail));
        page.line(format!(
            "{}, {}, {}",
            counted(checks.len(), "check"),
            counted(warned, "warning"),
            counted(failed, "failure")
        ));
    });
    Ok(checks.iter().all(|check| check.verdict != Verdict::Fail))
}

/// A service by its settings: what it keeps, and what it reaches.
fn service(path: &Path, settings: &ServiceSettings) -> Result<Vec<Check>, Problems> {
    let mut checks = vec![Check::ok("settings", format!("{} can be read", path.display()))];
    let mut fleets: Vec<FleetSettings> = Vec::new();
    match local_fleets(settings) {
        Ok(found) => {
            for (name, forge) in found {
                match Place::open(forge.path()) {
                    Ok(place) => {
                        let (found, settings) = doctor::fleet(name.as_str(), &place);
                        checks.extend(found);
                        fleets.extend(settings);
                    }
                    Err(problems) => checks.extend(Check::problems(&format!("fleet {name}"), problems.as_slice())),
                }
            }
        }
        Err(_) if !settings.data.join("repositories").exists() => {
            let found = format!("{} holds no fleet yet; `wooo serve` makes it", settings.data.display());
            checks.push(Check::ok("data", found));
        }
        Err(problems) => checks.extend(Check::problems("data", problems.as_slice())),
    }
    let rest = super::serve::runtime()?.block_on(async {
        let mut checks = vec![doctor::database(&settings.database()).await];
        match remote_fleets(settings, &mut fleets).await {
            Ok(found) => checks.extend(found),
            Err(problem) => checks.extend(Check::problems("forges", &[problem])),
        }
        for fleet in &fleets {
            for (name, profile) in &fleet.clusters {
                match settings.clusters.get(name) {
                    Some(reached) => checks.extend(doctor::cluster(name.as_str(), reached, profile).await),
                    None => checks.push(
                        Check::warn(
                            &format!("cluster {name}"),
                            "the settings do not say how to reach it: it is a sandbox",
                        )
                        .then(format!(
                            "name it under `clusters` if it is real: `{name}: {{kubeconfig: FILE, context: NAME}}`"
                        )),
                    ),
                }
            }
        }
        for (name, one) in &settings.prometheus {
            let token = one.token_file.as_deref().map(secret).transpose();
            checks.push(match token {
                Ok(token) => doctor::prometheus(name.as_str(), &one.url, token).await,
                Err(problem) => Check::fail(&format!("prometheus of {name}"), problem.to_string()),
            });
        }
        checks
    });
    checks.extend(rest);
    Ok(checks)
}

/// The fleets on other forges: whether the credential opens them, and what their branches ask for.
async fn remote_fleets(settings: &ServiceSettings, known: &mut Vec<FleetSettings>) -> Result<Vec<Check>, Problem> {
    crate::cluster::install_crypto_provider();
    let mut checks = Vec::new();
    let remote = Forges::new(settings).await?;
    for (name, fleet) in settings.fleets()? {
        let Some(forge) = &fleet.forge else { continue };
        let about = format!("fleet {name}");
        match remote.open(forge, &fleet.repository, fleet.id).await {
            Ok(opened) => {
                checks.extend(on_forge(&about, &opened, fleet.id).await);
                let source = remote.source(&opened, copy_folder(settings, &name))?;
                match ServedFleet::new(name, Arc::clone(&opened.forge), source).settings().await {
                    Ok(settings) => known.push(settings),
                    Err(problems) => checks.extend(Check::problems(&about, problems.as_slice())),
                }
            }
            Err(problem) => checks.extend(Check::problems(&about, &[problem])),
        }
    }
    Ok(checks)
}

/// What a forge says of a fleet's repository, as wooo's account sees it.
async fn on_forge(about: &str, opened: &Opened, id: Option<u64>) -> Vec<Check> {
    let asked = async {
        let identity = opened.forge.identity().await?;
        let me = opened.forge.myself().await?;
        let permission = opened.forge.permission(&me.id).await?;
        let branch = opened.forge.default_branch().await?;
        let protection = opened.forge.protection(&branch).await?;
        Ok::<_, crate::forge::Error>((identity, me, permission, branch, protection))
    };
    let (identity, me, permission, branch, protection) = match asked.await {
        Ok(answers) => answers,
        Err(error) => return Check::problems(about, &[error.into()]),
    };
    let mut checks = vec![match id {
        Some(_) => Check::ok(about, format!("{} is reached as {}", identity.name, me.login)),
        None => Check::warn(about, format!("{} is reached as {}, by its name alone", identity.name, me.login))
            .then(format!("add `id: {}`, so that no other repository takes its name", identity.id)),
    }];
    if permission < Permission::Write {
        let found = format!("{} may not push to {}: its right is `{permission}`", me.login, identity.name);
        checks.push(Check::fail(about, found).then("give it the right to push branches and to merge".to_owned()));
    }
    let names: Vec<&str> = protection.required_checks.iter().map(StatusContext::as_str).collect();
    checks.push(if names.is_empty() && protection.required_approvals == 0 {
        Check::warn(about, format!("`{branch}` asks for no check and no approval before a merge"))
            .then("protect it, and require `wooo/render` and `wooo/policy`".to_owned())
    } else {
        let approvals = protection.required_approvals;
        Check::ok(about, format!("`{branch}` asks for [{}] and {approvals} approvals", names.join(", ")))
    });
    checks
}

fn secret(path: &Path) -> Result<SecretString, Problem> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::new("files.unreadable", format!("{}: {error}", path.display())))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

/// A service that runs: whether it answers, is ready, and knows the token.
fn server(service: &Service) -> Vec<Check> {
    let about = format!("service {}", service.url());
    let mut checks = Vec::new();
    for (path, found) in [("healthz", "it answers"), ("readyz", "it is ready")] {
        match service.text(&[path]) {
            Ok(_) => checks.push(Check::ok(&about, found)),
            Err(problems) => {
                checks.extend(Check::problems(&about, problems.as_slice()));
                return checks;
            }
        }
    }
    if !service.has_token() {
        checks.push(
            Check::warn(&about, "there is no token, so nothing can be asked for")
                .then("set WOOO_TOKEN, or give `--token-file`"),
        );
        return checks;
    }
    match service.list(&["api", "fleets"], &[], 200) {
        Ok(fleets) => {
            let names: Vec<&str> = fleets.iter().map(|fleet| text(fleet, "name")).collect();
            checks.push(match names.as_slice() {
                [] => Check::warn(&about, "the token is valid, and sees no fleet")
                    .then("whoever runs the service gives it a role in a tenant"),
                names => Check::ok(&about, format!("the token is valid, and sees {}", names.join(", "))),
            });
        }
        Err(problems) => checks.extend(Check::problems(&about, problems.as_slice())),
    }
    // Only an administrator sees the clusters of a service.
    if let Ok(clusters) = service.list(&["api", "monitor", "clusters"], &[], 200) {
        for cluster in &clusters {
            let about = format!("cluster {}", text(cluster, "cluster"));
            let version = cluster.pointer("/status/version").and_then(Value::as_str).unwrap_or("of an unknown version");
            checks.push(match cluster.get("is_stale").and_then(Value::as_bool) {
                Some(true) => Check::fail(&about, "what the service knows of it is too old to be trusted")
                    .then("look at its errors under /api/monitor/clusters"),
                _ => Check::ok(&about, format!("the service hears it: {version}")),
            });
        }
    }
    checks
}
