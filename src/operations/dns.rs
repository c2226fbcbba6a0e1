//! Asking the name servers whether a new app's host name leads to its environment.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::domain::dns::{DnsPolicy, Records};
use crate::domain::{EnvironmentName, FleetSettings, HostName, Problem};

/// How long one question may take, all its tries together.
const PATIENCE: Duration = Duration::from_secs(5);
/// A chain of aliases that is longer leads nowhere.
const MAX_ALIASES: usize = 8;

/// The way to the name servers. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(TokioResolver);

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolver {
    /// Asks the servers that this machine asks, or only `server`.
    ///
    /// # Errors
    /// `dns.unavailable` if the machine's settings cannot be read.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, Problem> {
        let builder = match server {
            Some(server) => {
                let mut way = NameServerConfig::udp_and_tcp(server.ip());
                way.connections.iter_mut().for_each(|connection| connection.port = server.port());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![way]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(|error| unavailable(&error.to_string()))?,
        };
        builder.build().map(Self).map_err(|error| unavailable(&error.to_string()))
    }

    /// What the name servers say of `host`. A name that does not exist has no records.
    ///
    /// # Errors
    /// `dns.unavailable` if no server answered: then nothing is known.
    pub async fn records(&self, host: &HostName) -> Result<Records, Problem> {
        let mut records = Records::default();
        for kind in [RecordType::A, RecordType::AAAA] {
            // The last dot keeps the resolver from trying the search domains of this machine.
            let question = self.0.lookup(format!("{host}."), kind);
            let answer = match tokio::time::timeout(PATIENCE, question).await {
                Err(_) => return Err(unavailable("no answer in time")),
                Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => continue,
                Ok(Err(error)) => return Err(unavailable(&error.to_string())),
                Ok(Ok(answer)) => answer,
            };
            for record in answer.answers() {
                match &record.data {
                    RData::A(address) => records.addresses.push(address.0.into()),
                    RData::AAAA(address) => records.addresses.push(address.0.into()),
                    RData::CNAME(alias) => {
                        let alias = alias.0.to_ascii().trim_end_matches('.').to_ascii_lowercase();
                        if records.aliases.len() < MAX_ALIASES && !records.aliases.contains(&alias) {
                            records.aliases.push(alias);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(records)
    }
}

fn unavailable(reason: &str) -> Problem {
    Problem::new("dns.unavailable", format!("the name servers could not be asked: {reason}"))
        .hint("try again, or set `policy.dns: skip` in fleet.yaml")
}

/// Checks that `host` leads to `environment`, as far as the fleet says where that is. `Ok` holds a note for the asker
/// where the policy only warns.
///
/// # Errors
/// `dns.elsewhere`, or `dns.unavailable` where nothing could be found out.
pub async fn verify(
    resolver: &Resolver,
    settings: &FleetSettings,
    environment: &EnvironmentName,
    host: &HostName,
) -> Result<Option<String>, Problem> {
    let (place, cluster) = settings.place(environment)?;
    let default = if cluster.dns.is_some() { DnsPolicy::Warn } else { DnsPolicy::Refuse };
    let policy = settings.policy.dns.unwrap_or(default);
    if place.addresses.is_empty() || policy == DnsPolicy::Skip {
        return Ok(None);
    }
    let problem = match resolver.records(host).await {
        Ok(records) if records.lead_to(&place.addresses) => return Ok(None),
        Ok(records) => {
            let wanted: Vec<String> = place.addresses.iter().map(ToString::to_string).collect();
            let detail = format!("`{host}` leads to {records}, and `{environment}` is at {}", wanted.join(", "));
            Problem::new("dns.elsewhere", detail)
                .field("domain")
                .hint(format!("let its A, AAAA or CNAME record lead to {}", wanted.join(" or ")))
        }
        Err(problem) => problem,
    };
    match policy {
        DnsPolicy::Refuse => Err(problem),
        DnsPolicy::Warn | DnsPolicy::Skip => Ok(Some(problem.detail)),
    }
}
