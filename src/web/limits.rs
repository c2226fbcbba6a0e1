//! How many requests one caller may make, and which address a request comes from.
//!
//! Counts live in this process. Lockout after wrong passwords is another matter and survives restarts: see
//! [`super::auth`].

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};

use super::problem::{Answer, internal};
use crate::domain::Problem;

/// Below these paths no limit holds: a forge and an Alertmanager take 429 for "never again" where they would retry a
/// 503, and a health check must not fail because it is asked often.
const UNLIMITED: [&str; 4] = ["/webhooks/", "/healthz", "/readyz", "/metrics"];
/// After so many checks the counters of callers who have been silent long enough are dropped.
const SWEEP_EVERY: u64 = 4096;

/// A range of addresses, `10.0.0.0/8` or one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressRange {
    network: IpAddr,
    length: u32,
}

impl AddressRange {
    /// Whether an address is in it. An IPv4 address written as IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.length).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let invalid = || InvalidRange(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let network: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(most), str::parse).map_err(|_| invalid())?;
        if length > most { Err(invalid()) } else { Ok(Self { network, length }) }
    }
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no range of addresses such as 10.0.0.0/8")]
pub struct InvalidRange(String);

/// The proxies in front of the service. Only what they add to `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<AddressRange>);

impl TrustedProxies {
    /// These ranges; an empty list trusts nobody, and then the peer of the connection is the client.
    #[must_use]
    pub fn new(ranges: Vec<AddressRange>) -> Self {
        Self(ranges)
    }

    /// The address of the client. The header is read from the right, where our own proxies write: the first address
    /// that is not one of them is the client, and what stands left of it is only what the client claims.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let trusted = |address: &IpAddr| self.0.iter().any(|range| range.contains(*address));
        let mut client = peer.to_canonical();
        if !trusted(&client) {
            return client;
        }
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
            let Ok(address) = hop.trim().parse::<IpAddr>() else { return client };
            client = address.to_canonical();
            if !trusted(&client) {
                break;
            }
        }
        client
    }
}

/// The address that a request comes from. The middleware of [`super::auth`] puts it into the request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Answer> {
        parts.extensions.get::<Self>().copied().ok_or_else(internal)
    }
}

impl ClientAddress {
    /// Works the address out. A request that came over no connection, which only a test makes, comes from `::`.
    #[must_use]
    pub fn of(request: &Request, proxies: &TrustedProxies) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Self(proxies.client(peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), request.headers()))
    }

    /// What limits and lockout count by: an IPv4 address, or the /64 that one IPv6 customer has.
    #[must_use]
    pub fn key(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Caller {
    /// Someone who has shown who they are, by the id of the person, token or pipeline.
    Known(String),
    /// Everybody else at one address.
    Address(IpAddr),
}

/// The limits, in requests a minute; as many again may come at once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// For who is signed in.
    pub known: NonZeroU32,
    /// For an address from which nobody is signed in.
    pub unknown: NonZeroU32,
    /// For an address that signs in, exchanges tokens or shows credentials that are refused.
    pub sign_in: NonZeroU32,
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { known: rate(1200), unknown: rate(300), sign_in: rate(60) }
    }
}

/// The counters of this process. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Counters>);

struct Counters {
    known: DefaultKeyedRateLimiter<Caller>,
    unknown: DefaultKeyedRateLimiter<Caller>,
    sign_in: DefaultKeyedRateLimiter<Caller>,
    checks: AtomicU64,
    clock: DefaultClock,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

impl Limits {
    /// Fresh counters.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        let limiter = |rate| RateLimiter::keyed(Quota::per_minute(rate));
        Self(Arc::new(Counters {
            known: limiter(rates.known),
            unknown: limiter(rates.unknown),
            sign_in: limiter(rates.sign_in),
            checks: AtomicU64::new(0),
            clock: DefaultClock::default(),
        }))
    }

    /// Whether a path is free of limits.
    #[must_use]
    pub fn exempts(path: &str) -> bool {
        UNLIMITED.iter().any(|free| path == *free || (free.ends_with('/') && path.starts_with(free)))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `rate.limited` with the time to wait.
    pub fn count(&self, caller: Caller) -> Result<(), Answer> {
        let limiter = if matches!(caller, Caller::Known(_)) { &self.0.known } else { &self.0.unknown };
        self.check(limiter, caller)
    }

    /// Counts an attempt to sign in, and a credential that was refused.
    ///
    /// # Errors
    /// `rate.limited` with the time to wait.
    pub fn count_sign_in(&self, address: ClientAddress) -> Result<(), Answer> {
        self.check(&self.0.sign_in, Caller::Address(address.key()))
    }

    fn check(&self, limiter: &DefaultKeyedRateLimiter<Caller>, caller: Caller) -> Result<(), Answer> {
        if self.0.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.0.known.retain_recent();
            self.0.unknown.retain_recent();
            self.0.sign_in.retain_recent();
        }
        limiter.check_key(&caller).map_err(|refused| {
            let wait = refused.wait_time_from(self.0.clock.now());
            limited(wait)
        })
    }
}

fn limited(wait: Duration) -> Answer {
    Answer::from(Problem::new("rate.limited", "too many requests").hint("wait as long as Retry-After says"))
        .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(ranges: &[&str]) -> TrustedProxies {
        TrustedProxies::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    fn client(proxies: &TrustedProxies, peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let none = proxies(&[]);
        let ours = proxies(&["10.0.0.0/8", "fd00::/8"]);
        for (trust, peer, forwarded, expected) in [
            (&none, "203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            (&ours, "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            (&ours, "10.1.2.3", &[], "10.1.2.3"),
            (&ours, "10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            (&ours, "::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            // The client wrote the first one itself.
            (&ours, "10.1.2.3", &["127.0.0.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (&ours, "10.1.2.3", &["127.0.0.1", "198.51.100.1"], "198.51.100.1"),
            (&ours, "10.1.2.3", &["198.51.100.1, nonsense, 10.9.9.9"], "10.9.9.9"),
            (&ours, "fd00::1", &["2001:db8::7"], "2001:db8::7"),
        ] {
            assert_eq!(client(trust, peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn ranges_end_where_they_say() {
        let range: AddressRange = "192.0.2.128/25".parse().unwrap();
        assert!(range.contains("192.0.2.128".parse().unwrap()) && !range.contains("192.0.2.127".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<AddressRange>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!("::/0".parse::<AddressRange>().unwrap().contains("::1".parse().unwrap()));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129"] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_caller_is_limited_and_the_next_is_not() {
        let two = NonZeroU32::new(2).unwrap();
        let limits = Limits::new(Rates { known: two, unknown: two, sign_in: NonZeroU32::MIN });
        let alice = || Caller::Known("alice".to_owned());
        assert!(limits.count(alice()).is_ok() && limits.count(alice()).is_ok());
        let refused = limits.count(alice()).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (429, "rate.limited"));
        assert!(limits.count(Caller::Known("bob".to_owned())).is_ok());
        let near = |last: &str| ClientAddress(format!("2001:db8::{last}").parse().unwrap());
        assert!(limits.count_sign_in(near("1")).is_ok());
        assert!(limits.count_sign_in(near("2")).is_err(), "one customer has a whole /64");
        assert!(limits.count_sign_in(ClientAddress("192.0.2.1".parse().unwrap())).is_ok());
    }

    #[test]
    fn hooks_and_health_are_never_limited() {
        for path in ["/webhooks/github", "/healthz", "/readyz", "/metrics"] {
            assert!(Limits::exempts(path), "{path}");
        }
        for path in ["/api/apps", "/healthz/x", "/api/webhooks/x", "/webhooks"] {
            assert!(!Limits::exempts(path), "{path}");
        }
    }
}
