//! Remotes over ssh, through the `git` and `ssh` programs.
//!
//! They run with an environment and a configuration of their own, so that nothing of the user's or the system's can
//! make them do more: no hooks, no helpers, no other protocol, no agent, no question to a terminal.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::network::Network;
use super::push::{PushRef, plain, rejection};
use super::remote::{FetchRef, RemoteBranches};
use super::{Access, BranchName, CommitId, Error, RemoteUrl, Repository};

/// How to call the programs for one remote.
pub(super) struct Program<'a> {
    network: &'a Network,
    url: &'a RemoteUrl,
    ssh: String,
}

/// What a program said.
struct Said {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

impl<'a> Program<'a> {
    /// Looks the host up, by the same rules as for https, and lets `ssh` connect to the address that was found.
    pub(super) fn new(network: &'a Network, url: &'a RemoteUrl, access: &Access) -> Result<Self, Error> {
        let Access::SshKey { key, known_hosts } = access else {
            return Err(Error::Auth { host: url.host().to_owned() });
        };
        let address = network.address(url.host())?;
        let alias = if url.port() == 22 { url.host().to_owned() } else { format!("[{}]:{}", url.host(), url.port()) };
        let options = [
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "ForwardAgent=no".to_owned(),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            format!("UserKnownHostsFile={}", plain_path(known_hosts)?),
            format!("IdentityFile={}", plain_path(key)?),
            format!("ConnectTimeout={}", network.limits().connect.as_secs().max(1)),
            format!("HostName={address}"),
            format!("HostKeyAlias={alias}"),
        ];
        let options: String = options.iter().map(|option| format!(" -o '{option}'")).collect();
        Ok(Self { network, url, ssh: format!("ssh -F /dev/null{options}") })
    }

    pub(super) fn branches(&self) -> Result<RemoteBranches, Error> {
        let said = self.run(None, &["ls-remote", "--symref", "--", self.url.as_str(), "HEAD", "refs/heads/*"])?;
        if !said.succeeded {
            return Err(self.failed(&said.stderr));
        }
        let mut branches = RemoteBranches::default();
        for (first, name) in said.stdout.lines().filter_map(|line| line.split_once('\t')) {
            let branch = |name: &str| name.strip_prefix("refs/heads/").and_then(|name| name.parse::<BranchName>().ok());
            if let Some(target) = first.strip_prefix("ref: ") {
                branches.default = branch(target);
            } else if let (Some(branch), Ok(id)) = (branch(name), first.parse::<CommitId>()) {
                branches.all.push((branch, id));
            }
        }
        Ok(branches)
    }

    pub(super) fn fetch(&self, repository: &Repository, refs: &[FetchRef], depth: Option<u16>) -> Result<(), Error> {
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let refspecs: Vec<String> = refs.iter().map(|one| format!("+{}:{}", one.from, one.to)).collect();
        let mut arguments =
            vec!["fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
        arguments.extend(depth.as_deref());
        arguments.extend(["--", self.url.as_str()]);
        arguments.extend(refspecs.iter().map(String::as_str));
        let said = self.run(Some(repository.path()), &arguments)?;
        if said.succeeded {
            return repository.refresh();
        }
        match said.stderr.split_once("couldn't find remote ref ") {
            Some((_, name)) => Err(Error::NoBranch { name: plain(name.lines().next().unwrap_or_default()) }),
            None => Err(self.failed(&said.stderr)),
        }
    }

    pub(super) fn push(&self, repository: &Repository, updates: &[PushRef]) -> Result<(), Error> {
        let id = |id: Option<CommitId>| id.map(|id| id.to_string()).unwrap_or_default();
        let leases: Vec<String> = updates
            .iter()
            .map(|update| format!("--force-with-lease={}:{}", update.name, id(update.expected)))
            .collect();
        let refspecs: Vec<String> =
            updates.iter().map(|update| format!("{}:{}", id(update.new), update.name)).collect();
        let mut arguments = vec!["push", "--porcelain", "--no-verify", "--recurse-submodules=no"];
        arguments.extend(leases.iter().map(String::as_str));
        arguments.extend(["--", self.url.as_str()]);
        arguments.extend(refspecs.iter().map(String::as_str));
        let said = self.run(Some(repository.path()), &arguments)?;
        if said.succeeded {
            return Ok(());
        }
        // `!<tab>from:to<tab>[rejected] (reason)`
        for line in said.stdout.lines().filter(|line| line.starts_with('!')) {
            let mut parts = line.split('\t').skip(1);
            let (names, reason) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let name = names.rsplit_once(':').map_or(names, |(_, to)| to);
            if let Some(update) = updates.iter().find(|update| update.name.as_str() == name) {
                return Err(rejection(repository, update, reason, &said.stderr));
            }
        }
        Err(self.failed(&said.stderr))
    }

    fn failed(&self, stderr: &str) -> Error {
        let host = self.url.host().to_owned();
        let is_refused = ["permission denied", "host key verification failed", "not found", "access denied"]
            .iter()
            .any(|phrase| stderr.to_ascii_lowercase().contains(phrase));
        if is_refused { Error::Auth { host } } else { Error::Unreachable { host, reason: plain(stderr) } }
    }

    fn command(&self, repository: Option<&Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", &self.ssh).env("LC_ALL", "C");
        match repository {
            Some(path) => command.arg("--git-dir").arg(path),
            None => command.env("GIT_DIR", "/dev/null"),
        };
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "credential.helper=",
            "protocol.allow=never",
            "protocol.ssh.allow=always",
            "protocol.version=2",
            "transfer.fsckObjects=true",
        ] {
            command.args(["-c", setting]);
        }
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, repository: Option<&Path>, arguments: &[&str]) -> Result<Said, Error> {
        let failed = |reason: std::io::Error| Error::Unreachable {
            host: self.url.host().to_owned(),
            reason: format!("the git program cannot be run: {reason}"),
        };
        let limits = self.network.limits();
        let deadline = Instant::now() + limits.total;
        let mut child = self.command(repository, arguments).spawn().map_err(failed)?;
        // Both are read while the program runs, lest it waits for a reader.
        let stdout = child.stdout.take().map(|stream| thread::spawn(move || text(stream)));
        let stderr = child.stderr.take().map(|stream| thread::spawn(move || text(stream)));
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if Instant::now() >= deadline {
                end(&mut child);
                return Err(Error::Timeout { seconds: limits.total.as_secs() });
            }
            thread::sleep(Duration::from_millis(10));
        };
        let joined = |reader: Option<thread::JoinHandle<String>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        Ok(Said { succeeded: status.success(), stdout: joined(stdout), stderr: joined(stderr) })
    }
}

fn end(child: &mut Child) {
    // Both fail only if it has ended by itself.
    let _ended = child.kill().and_then(|()| child.wait());
}

fn text(stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _what_was_read_before_an_error_counts = stream.take(16 * 1024 * 1024).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path as it can stand in a value for `ssh`, which is read by a shell, and then by `ssh` itself.
fn plain_path(path: &Path) -> Result<&str, Error> {
    let is_plain = |text: &&str| {
        text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@=,:".contains(&byte))
    };
    path.to_str().filter(is_plain).ok_or_else(|| Error::Path {
        path: path.to_string_lossy().into_owned(),
        reason: "the path of a key or of known hosts is absolute and of plain characters",
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::*;
    use crate::git::NetworkPolicy;

    fn network(address: &'static str) -> Network {
        let lookup: super::super::address::Lookup = Arc::new(move |_| Ok(vec![address.parse::<IpAddr>().unwrap()]));
        Network::new(NetworkPolicy { lookup: Some(lookup), ..NetworkPolicy::default() }).unwrap()
    }

    fn access(key: &str) -> Access {
        Access::SshKey { key: key.into(), known_hosts: "/etc/wooo/known_hosts".into() }
    }

    #[test]
    fn the_programs_see_nothing_of_the_environment() {
        let (network, url) = (network("140.82.121.4"), "git@github.com:a/b.git".parse().unwrap());
        let program = Program::new(&network, &url, &access("/etc/wooo/key")).unwrap();
        assert!(program.ssh.contains("-o 'HostName=140.82.121.4' -o 'HostKeyAlias=github.com'"), "{}", program.ssh);
        assert!(program.ssh.contains("-o 'StrictHostKeyChecking=yes'"), "{}", program.ssh);
        let command = program.command(None, &["ls-remote", "--", url.as_str()]);
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert_eq!(
            names,
            [
                "GIT_CONFIG_GLOBAL",
                "GIT_CONFIG_NOSYSTEM",
                "GIT_DIR",
                "GIT_SSH_COMMAND",
                "GIT_TERMINAL_PROMPT",
                "LC_ALL",
                "PATH"
            ]
        );
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        assert!(arguments.contains(&"protocol.allow=never".to_owned()));
        assert_eq!(arguments[arguments.len() - 2..], ["--", "git@github.com:a/b.git"]);
    }

    #[test]
    fn private_addresses_missing_keys_and_odd_paths_are_refused() {
        let url: RemoteUrl = "git@github.com:a/b.git".parse().unwrap();
        let refused = Program::new(&network("10.0.0.1"), &url, &access("/key")).err();
        assert!(matches!(refused, Some(Error::HostNotAllowed { .. })), "{refused:?}");
        let public = network("140.82.121.4");
        assert!(matches!(Program::new(&public, &url, &Access::Anonymous), Err(Error::Auth { .. })));
        for key in ["relative", "/a b", "/a'b", "/a\"b", "/$(id)", "/a\nb", "/a%h"] {
            assert!(matches!(Program::new(&public, &url, &access(key)), Err(Error::Path { .. })), "{key}");
        }
    }
}
