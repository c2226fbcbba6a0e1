//! Addresses of remote repositories, and what may be one.
//!
//! A URL is taken apart here, checked part by part, and put together again; only that form is ever used. Two programs
//! that read one hostile URL (`https://good\@evil/x`) can see two different hosts in it, and the one that is checked
//! must be the one that is called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Host;

use super::address::is_public;
use crate::domain::Problem;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    Https,
    Http,
    Ssh,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Ssh => 22,
        }
    }
}

/// Why a text is not the address of a repository. None of these repeats the text, which may hold a credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Another scheme, or a local path.
    #[error("the address of a repository begins with https:// or ssh://")]
    Scheme,
    /// Parts that different programs read differently.
    #[error("the address of a repository has no backslash, `?` or `#`")]
    Ambiguous,
    /// Characters, or a leading dash, that mean something to some program on the way.
    #[error("the address of a repository holds {0}")]
    Characters(&'static str),
    /// A user name or password.
    #[error("the address of a repository holds no user name or password; store them as a credential")]
    UserInfo,
    /// A port other than the scheme's own.
    #[error("port {0} is not the usual one of its scheme, and the operator has not allowed it")]
    Port(u16),
    /// A host inside some network.
    #[error("`{0}` is not a host of the public internet, and the operator has not allowed it")]
    Host(String),
    /// No host, or no path.
    #[error("the address of a repository has a host and a path")]
    Incomplete,
}

impl UrlError {
    /// A stable, dotted name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme => "git.scheme",
            Self::Ambiguous => "git.url_ambiguous",
            Self::Characters(_) | Self::Incomplete => "git.url_chars",
            Self::UserInfo => "git.userinfo",
            Self::Port(_) => "git.port",
            Self::Host(_) => "git.host_not_allowed",
        }
    }
}

impl From<UrlError> for Problem {
    fn from(error: UrlError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A scheme, host and port that the operator of an installation trusts, whatever network the host is in: a forge on
/// premises, or one on this machine. Written as `https://git.example.org:8443` or `http://127.0.0.1:3000`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedOrigin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl TrustedOrigin {
    /// The host, as it is looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for TrustedOrigin {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        refuse_characters(text)?;
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = host_and_port(scheme, authority)?;
        Ok(Self { scheme, host: text_of(&host), port })
    }
}

/// What an installation allows beyond https and ssh to the public internet.
#[derive(Clone, Debug, Default)]
pub struct UrlPolicy {
    /// Origins that are allowed as they stand, also over plain HTTP, on any port, and at private addresses.
    pub trusted: Vec<TrustedOrigin>,
}

impl UrlPolicy {
    fn trusts(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.trusted.iter().any(|origin| (origin.scheme, origin.host.as_str(), origin.port) == (scheme, host, port))
    }
}

/// The address of a remote repository: `https://host/path`, `ssh://user@host/path` or `user@host:path`. It never holds a
/// password.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct RemoteUrl {
    text: String,
    is_ssh: bool,
    host: String,
    port: u16,
    path: String,
}

impl RemoteUrl {
    /// Reads an address by the rules of an installation. [`FromStr`] reads it by the strictest ones.
    ///
    /// # Errors
    /// [`UrlError`] says which rule it breaks.
    pub fn parse(text: &str, policy: &UrlPolicy) -> Result<Self, UrlError> {
        if let Some((scheme, rest)) = split_scheme(text) {
            refuse_characters(text)?;
            let (authority, path) = rest.split_once('/').ok_or(UrlError::Incomplete)?;
            let (user, authority) = split_user(authority, scheme)?;
            let (host, port) = host_and_port(scheme, authority)?;
            let host = allowed(scheme, &host, port, policy)?;
            let path = checked_path(path)?;
            let user = user.map(|user| format!("{user}@")).unwrap_or_default();
            let port_text = if port == scheme.default_port() { String::new() } else { format!(":{port}") };
            let text = format!("{}://{user}{}{port_text}/{path}", scheme.name(), bracketed(&host));
            return Ok(Self { text, is_ssh: scheme == Scheme::Ssh, host, port, path: path.to_owned() });
        }
        // `user@host:path`. One letter before the colon is a drive, two colons are a remote helper.
        let (authority, path) = text.split_once(':').ok_or(UrlError::Scheme)?;
        if authority.len() < 2 || authority.contains('/') || path.starts_with([':', '/']) || text.contains("://") {
            return Err(UrlError::Scheme);
        }
        refuse_characters(text)?;
        let (user, authority) = split_user(authority, Scheme::Ssh)?;
        let user = user.ok_or(UrlError::Scheme)?;
        let (host, port) = host_and_port(Scheme::Ssh, authority)?;
        let host = allowed(Scheme::Ssh, &host, port, policy)?;
        let path = checked_path(path)?;
        Ok(Self { text: format!("{user}@{host}:{path}"), is_ssh: true, host, port, path: path.to_owned() })
    }

    /// The address as it is used.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is not written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, without the leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is reached over ssh.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        self.is_ssh
    }
}

impl FromStr for RemoteUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text, &UrlPolicy::default())
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({})", self.text)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = text.split_once("://")?;
    let scheme =
        [Scheme::Https, Scheme::Http, Scheme::Ssh].into_iter().find(|s| name.eq_ignore_ascii_case(s.name()))?;
    Some((scheme, rest))
}

fn refuse_characters(text: &str) -> Result<(), UrlError> {
    if text.contains(['\\', '?', '#']) {
        return Err(UrlError::Ambiguous);
    }
    let is_harmless = |c: char| !c.is_control() && !c.is_whitespace() && !"%$`'\"<>|;&(){}^!*".contains(c);
    if text.chars().all(is_harmless) {
        Ok(())
    } else {
        Err(UrlError::Characters("a character that is neither letter, digit nor one of - . _ ~ + @ : , = [ ]"))
    }
}

/// The user name in front of a host, which only ssh has, and the rest.
fn split_user(authority: &str, scheme: Scheme) -> Result<(Option<&str>, &str), UrlError> {
    let Some((user, host)) = authority.split_once('@') else { return Ok((None, authority)) };
    if scheme != Scheme::Ssh || user.contains(':') || host.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let is_plain = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_plain || user.starts_with('-') {
        return Err(UrlError::Characters("a user name that is not plain"));
    }
    Ok((Some(user), host))
}

fn host_and_port(scheme: Scheme, authority: &str) -> Result<(Host<String>, u16), UrlError> {
    if authority.is_empty() {
        return Err(UrlError::Incomplete);
    }
    if authority.starts_with('-') {
        return Err(UrlError::Characters("a host that begins with a dash"));
    }
    // The rules of https for every scheme: they turn `0x7f.1` and `2130706433` into the addresses that they are.
    let parsed =
        url::Url::parse(&format!("https://{authority}/")).map_err(|_| UrlError::Characters("a faulty host"))?;
    let is_whole = parsed.path() == "/" && parsed.username().is_empty() && parsed.password().is_none();
    let host = match parsed.host() {
        Some(Host::Domain(name)) => Host::Domain(name.trim_end_matches('.').to_owned()),
        Some(Host::Ipv4(address)) => Host::Ipv4(address),
        Some(Host::Ipv6(address)) => Host::Ipv6(address),
        None => return Err(UrlError::Incomplete),
    };
    let is_named = !matches!(&host, Host::Domain(name) if name.is_empty() || name.starts_with('-'));
    if !is_whole || !is_named {
        return Err(UrlError::Characters("a faulty host"));
    }
    // `Url` leaves out the port where it is that of https.
    let is_https_port = authority.ends_with(":443");
    let port = parsed.port().or(is_https_port.then_some(443)).unwrap_or_else(|| scheme.default_port());
    Ok((host, port))
}

fn text_of(host: &Host<String>) -> String {
    match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The host's text, if it may be called. A name is looked at again when it is resolved; this refuses early what can be
/// seen without asking anybody.
fn allowed(scheme: Scheme, host: &Host<String>, port: u16, policy: &UrlPolicy) -> Result<String, UrlError> {
    let text = text_of(host);
    if policy.trusts(scheme, &text, port) {
        return Ok(text);
    }
    let is_inner = match host {
        Host::Domain(name) => is_local_name(name),
        Host::Ipv4(address) => !is_public(IpAddr::V4(*address)),
        Host::Ipv6(address) => !is_public(IpAddr::V6(*address)),
    };
    if is_inner {
        Err(UrlError::Host(text))
    } else if scheme == Scheme::Http {
        Err(UrlError::Scheme)
    } else if port != scheme.default_port() {
        Err(UrlError::Port(port))
    } else {
        Ok(text)
    }
}

/// Names that no public name server answers for.
fn is_local_name(name: &str) -> bool {
    !name.contains('.')
        || [".localhost", ".local", ".internal", ".svc", ".cluster.local", ".home.arpa"]
            .iter()
            .any(|end| name.ends_with(end))
}

fn checked_path(path: &str) -> Result<&str, UrlError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Err(UrlError::Incomplete);
    }
    for segment in path.split('/') {
        if segment.starts_with('-') {
            return Err(UrlError::Characters("a part that begins with a dash"));
        }
        if matches!(segment, "" | "." | "..") {
            return Err(UrlError::Characters("an empty part, `.` or `..`"));
        }
        if !segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+@:,=".contains(&byte)) {
            return Err(UrlError::Characters("a part that is not plain ASCII"));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        text.parse::<RemoteUrl>().map_or_else(|error| error.code(), |_| "ok")
    }

    #[test]
    fn addresses_are_rebuilt_from_their_parts() {
        for (text, expected) in [
            ("https://github.com/wooo/fleet.git", "https://github.com/wooo/fleet.git"),
            ("HTTPS://GitHub.COM:443/wooo/fleet/", "https://github.com/wooo/fleet"),
            ("ssh://git@gitlab.com/a/b/c.git", "ssh://git@gitlab.com/a/b/c.git"),
            ("git@gitlab.com:a/b.git", "git@gitlab.com:a/b.git"),
            ("https://git.例え.jp/a", "https://git.xn--r8jz45g.jp/a"),
            ("https://git.example.org./a", "https://git.example.org/a"),
        ] {
            let url: RemoteUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(expected.parse::<RemoteUrl>().unwrap(), url);
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        for (text, expected) in [
            ("file:///etc", "git.scheme"),
            ("/srv/x", "git.scheme"),
            ("C:\\x", "git.scheme"),
            ("x", "git.scheme"),
            ("git://github.com/a/b", "git.scheme"),
            ("ext::sh -c id", "git.scheme"),
            ("http://github.com/a/b", "git.scheme"),
            ("../x:y", "git.scheme"),
            ("github.com:a/b", "git.scheme"),
            ("", "git.scheme"),
            ("https://127.0.0.1/a", "git.host_not_allowed"),
            ("https://2130706433/a", "git.host_not_allowed"),
            ("https://0x7f.1/a", "git.host_not_allowed"),
            ("https://[::1]/a", "git.host_not_allowed"),
            ("https://[::ffff:169.254.169.254]/a", "git.host_not_allowed"),
            ("https://localhost./a", "git.host_not_allowed"),
            ("https://a.svc.cluster.local/a", "git.host_not_allowed"),
            ("git@localhost:a", "git.host_not_allowed"),
            ("http://127.0.0.1:3000/a", "git.host_not_allowed"),
            ("https://１２７.0.0.1/a", "git.host_not_allowed"),
            ("http://good.invalid\\@evil.invalid/x", "git.url_ambiguous"),
            ("https://good.invalid#@evil.invalid/x", "git.url_ambiguous"),
            ("https://evil.invalid?@good.invalid/x", "git.url_ambiguous"),
            ("https://a.org/b?c", "git.url_ambiguous"),
            ("https://user:tok@h.org/x", "git.userinfo"),
            ("https://tok@h.org/x", "git.userinfo"),
            ("ssh://u:p@h.org/x", "git.userinfo"),
            ("https://a.org@b.org/x", "git.userinfo"),
            ("ssh://-oProxyCommand=x/y", "git.url_chars"),
            ("ssh://-u@h.org/y", "git.url_chars"),
            ("ssh://h.org/$(id)", "git.url_chars"),
            ("-x@h.org:y", "git.url_chars"),
            ("https://h.org/a\nb", "git.url_chars"),
            ("https://h.org/-x/y", "git.url_chars"),
            ("https://h.org/a%2f..", "git.url_chars"),
            ("https://h.org/a/../b", "git.url_chars"),
            ("https://h.org/a//b", "git.url_chars"),
            ("https://h.org/`id`", "git.url_chars"),
            ("https://h.org/a'b", "git.url_chars"),
            ("https://h.org", "git.url_chars"),
            ("https://h.org/", "git.url_chars"),
            ("https:///x", "git.url_chars"),
            ("https://h%2eorg/x", "git.url_chars"),
            ("https://h.org/\u{202e}x", "git.url_chars"),
            ("https://h.org:22/x", "git.port"),
            ("https://h.org:6379/x", "git.port"),
            ("ssh://git@h.org:443/x", "git.port"),
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
        assert!(!"https://user:hunter2@h.org/x".parse::<RemoteUrl>().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn an_operator_can_trust_one_origin_and_no_other() {
        let policy = UrlPolicy {
            trusted: vec!["http://127.0.0.1:3000".parse().unwrap(), "ssh://git.corp:2222".parse().unwrap()],
        };
        for text in ["http://127.0.0.1:3000/a/b", "http://0x7f.1:3000/a/b", "ssh://git@git.corp:2222/a"] {
            RemoteUrl::parse(text, &policy).unwrap();
        }
        for text in
            ["http://127.0.0.1:3001/a/b", "https://127.0.0.1:3000/a/b", "http://127.0.0.2:3000/a", "http://git.corp/a"]
        {
            assert!(RemoteUrl::parse(text, &policy).is_err(), "{text}");
        }
        for text in ["127.0.0.1:3000", "http://u@h:1", "http://h/path", "ftp://h"] {
            assert!(text.parse::<TrustedOrigin>().is_err(), "{text}");
        }
    }
}
