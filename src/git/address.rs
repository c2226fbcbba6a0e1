//! Which addresses may be connected to, and the name lookup that enforces it.
//!
//! The check is made on the very addresses that are then connected to. A check of the name before would be worth
//! nothing: a name server can give a public address to the check and a private one to the connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Turns a host name into addresses. The system's way unless a test says otherwise.
pub type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
}

/// Whether an address belongs to the public internet: not to this machine, a private network, a provider's inner
/// network, or to nobody.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0                                   // "this network"
        || (a == 100 && (64..128).contains(&b))     // carrier-grade NAT, where clouds keep their own services too
        || (a == 192 && b == 0 && c == 0)           // protocol assignments
        || (a == 192 && b == 88 && c == 99)         // 6to4 relays
        || (a == 198 && (b == 18 || b == 19))       // benchmarks
        || a >= 240; // reserved, and broadcast
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // An address that carries an IPv4 address is as good as that one: mapped, NAT64, 6to4.
    let segments = address.segments();
    let [a, b, c, _, _, _, g, h] = segments;
    let carried = match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some((g, h)),
        [0x2002, ..] => Some((b, c)),
        _ => None,
    };
    if let Some((high, low)) = carried {
        let [[w, x], [y, z]] = [high.to_be_bytes(), low.to_be_bytes()];
        return is_public_v4(Ipv4Addr::new(w, x, y, z));
    }
    // All of the public internet is in 2000::/3. Within it, 2001::/23 is for protocols (Teredo among them) and
    // 2001:db8::/32 and 3fff::/20 for documentation.
    let is_protocol = a == 0x2001 && b < 0x200;
    let is_documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
    let is_unicast = a & 0xe000 == 0x2000;
    is_unicast && !is_protocol && !is_documentation
}

/// No address of the host may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no public address")]
pub(super) struct Refused(pub(super) String);

/// Looks names up for the HTTP client and keeps back the addresses that must not be reached.
pub(super) struct FilteringResolver {
    lookup: Lookup,
    /// Hosts that an operator trusts, whatever their address.
    trusted: Vec<String>,
}

impl FilteringResolver {
    pub(super) fn new(lookup: Lookup, trusted: Vec<String>) -> Self {
        Self { lookup, trusted }
    }

    /// Every address of a host, allowed or not.
    pub(super) fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.lookup)(host)
    }

    pub(super) fn allows(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.trusted.iter().any(|trusted| trusted == host)
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_trusted = self.trusted.contains(&host);
        let lookup = Arc::clone(&self.lookup);
        // A thread for each lookup, because the system's can block for half a minute, and the client has only one
        // thread of its own, on which everybody's deadlines run.
        Box::pin(on_thread(move || {
            let mut addresses = lookup(&host)?;
            addresses.retain(|address| is_trusted || is_public(*address));
            if addresses.is_empty() {
                return Err(Refused(host).into());
            }
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        }))
    }
}

type Answer = Result<Addrs, Box<dyn std::error::Error + Send + Sync>>;

/// The answer of a thread, as a future.
struct Pending(Arc<Mutex<(Option<Answer>, Option<Waker>)>>);

fn on_thread(work: impl FnOnce() -> Answer + Send + 'static) -> Pending {
    let slot = Arc::new(Mutex::new((None, None)));
    let shared = Arc::clone(&slot);
    let answer = move |answer| {
        let mut slot = shared.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(answer);
        if let Some(waker) = slot.1.take() {
            Waker::wake(waker);
        }
    };
    if let Err(error) = thread::Builder::new().name("dns".to_owned()).spawn(move || answer(work())) {
        slot.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Err(error.into()));
    }
    Pending(slot)
}

impl Future for Pending {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.0.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for address in
            ["1.1.1.1", "140.82.121.4", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1", "64:ff9b::101:101"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
