//! Where the host of a URL is.

use url::{Host, Url};

/// Whether the host of a URL is this very machine: a loopback address, or `localhost`. `None` if it has no host.
#[must_use]
pub fn is_this_machine(url: &Url) -> Option<bool> {
    Some(match url.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    })
}
