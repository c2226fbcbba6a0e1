//! Whether a host name leads to where an environment is served.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::HostName;
use super::names::InvalidName;

/// Where requests for an environment's apps must arrive: an IP address, or the name of a load balancer.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A name that an app's name is an alias (CNAME) of.
    Name(HostName),
}

impl FromStr for Address {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        text.parse().map(Self::Name).map_err(|_| {
            InvalidName::new(
                "an address is an IP address or a host name, for example `203.0.113.7` or `lb.example.com`",
            )
        })
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 2, "maxLength": 253})
    }
}

/// What happens to a new app whose host name does not lead to its environment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsPolicy {
    /// It is refused.
    Refuse,
    /// It is accepted with a note.
    Warn,
    /// Nobody looks.
    Skip,
}

/// What the name servers say of a host name.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Records {
    /// Its addresses (A and AAAA), behind all aliases.
    pub addresses: Vec<IpAddr>,
    /// The names that it is an alias of (CNAME), nearest first.
    pub aliases: Vec<String>,
}

impl Records {
    /// Whether everything that the name leads to is one of `expected`, and something is. A name that also leads
    /// elsewhere serves some of its visitors from elsewhere.
    #[must_use]
    pub fn lead_to(&self, expected: &[Address]) -> bool {
        let is_alias = expected.iter().any(|one| match one {
            Address::Name(name) => self.aliases.iter().any(|alias| alias == name.as_str()),
            Address::Ip(_) => false,
        });
        let fits = |address: &IpAddr| expected.contains(&Address::Ip(*address));
        is_alias || (!self.addresses.is_empty() && self.addresses.iter().all(fits))
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> =
            self.aliases.iter().cloned().chain(self.addresses.iter().map(ToString::to_string)).collect();
        if all.is_empty() { f.write_str("nothing") } else { f.write_str(&all.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_address_has_to_be_one_that_is_expected() {
        let records = |texts: &[&str]| Records {
            addresses: texts.iter().map(|text| text.parse().unwrap()).collect(),
            aliases: Vec::new(),
        };
        let wanted = expected(&["203.0.113.7", "2001:db8::7"]);
        assert!(records(&["203.0.113.7"]).lead_to(&wanted));
        assert!(records(&["2001:db8::7", "203.0.113.7"]).lead_to(&wanted));
        assert!(!records(&["203.0.113.7", "198.51.100.1"]).lead_to(&wanted));
        assert!(!records(&[]).lead_to(&wanted));
    }

    #[test]
    fn an_alias_of_the_load_balancer_leads_there_whatever_its_addresses_are_today() {
        let records = Records {
            addresses: vec!["198.51.100.1".parse().unwrap()],
            aliases: vec!["www.example.com".to_owned(), "lb.example.com".to_owned()],
        };
        assert!(records.lead_to(&expected(&["lb.example.com"])));
        assert!(!records.lead_to(&expected(&["other.example.com"])));
        assert_eq!(records.to_string(), "www.example.com, lb.example.com, 198.51.100.1");
    }
}
