//! Names as types: each is validated once, where it enters, and a function that takes an [`AppName`] cannot be handed
//! an environment. The rules are those of Kubernetes (RFC 1123 labels and subdomains) with room for the prefixes and
//! suffixes that wooo adds.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a name was refused: one sentence that says the rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

impl InvalidName {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Declares a name type: private text, validated by `$check`, shown as it was given.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr, pattern: $pattern:expr, max: $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> Result<(), InvalidName> = $check;
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern, "minLength": 1, "maxLength": $max})
            }
        }
    };
}

const LABEL_PATTERN: &str = "^[a-z]([-a-z0-9]*[a-z0-9])?$";

name_type! {
    /// An app: an RFC 1123 label that starts with a letter (it becomes a Service, and those are DNS names) of at most
    /// 40 characters, so that `app-<name>`, `<name>-<environment>` and a Pod's name all fit into 63.
    AppName, |text| label("an app's name", text, 40), pattern: LABEL_PATTERN, max: 40
}
name_type! {
    /// An environment, such as `production`: a label of at most 20 characters.
    EnvironmentName, |text| label("an environment's name", text, 20), pattern: LABEL_PATTERN, max: 20
}
name_type! {
    /// A cluster profile.
    ClusterName, |text| label("a cluster's name", text, 63), pattern: LABEL_PATTERN, max: 63
}
name_type! {
    /// A plan, such as `standard`.
    PlanName, |text| label("a plan's name", text, 30), pattern: LABEL_PATTERN, max: 30
}
name_type! {
    /// A tenant.
    TenantName, |text| label("a tenant's name", text, 40), pattern: LABEL_PATTERN, max: 40
}
name_type! {
    /// A background worker of an app. At most 20 characters: `<app>-<worker>` is a Deployment.
    WorkerName, |text| label("a worker's name", text, 20), pattern: LABEL_PATTERN, max: 20
}
name_type! {
    /// The name of an environment variable: letters, digits and `_`, not starting with a digit.
    VariableName, variable, pattern: "^[A-Za-z_][A-Za-z0-9_]*$", max: 128
}
name_type! {
    /// A host name: an RFC 1123 subdomain with at least one dot, in lower case, without a port.
    HostName, host, pattern: r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$", max: 253
}
name_type! {
    /// The path of a URL: starts with `/`, printable ASCII without spaces, quotes or a fragment.
    UrlPath, url_path, pattern: r"^/[!$%&()*+,\-./0-9:;=?@A-Z_a-z~]*$", max: 256
}
name_type! {
    /// A range of IP addresses, as `address/length`.
    Cidr, cidr, pattern: "^[0-9a-fA-F.:]+/[0-9]{1,3}$", max: 49
}
name_type! {
    /// The name of a metric in Prometheus.
    MetricName, |text| prometheus_name("a metric's name", text, ":"), pattern: "^[a-zA-Z_:][a-zA-Z0-9_:]*$", max: 200
}
name_type! {
    /// The name of a label in Prometheus.
    LabelName, |text| prometheus_name("a label's name", text, ""), pattern: "^[a-zA-Z_][a-zA-Z0-9_]*$", max: 200
}

impl AppName {
    /// The namespace before an environment's suffix: `app-<name>`.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("app-{self}")
    }
}

impl PlanName {
    /// The plan of an app that names none.
    #[must_use]
    pub fn standard() -> Self {
        Self("standard".to_owned())
    }
}

/// Names that Windows reserves. A fleet repository is checked out on people's laptops too.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

fn label(what: &str, text: &str, max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName(format!("{what} must not be empty")));
    }
    if let Some((position, c)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii()) {
        return Err(InvalidName(format!(
            "{what} must be plain ASCII: character {} is U+{:04X}",
            position + 1,
            u32::from(c)
        )));
    }
    if text.len() > max {
        return Err(InvalidName(format!("{what} has at most {max} characters, this one has {}", text.len())));
    }
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let bytes = text.as_bytes();
    let fits = bytes[0].is_ascii_lowercase() && bytes[bytes.len() - 1] != b'-' && bytes.iter().all(|c| inner(*c));
    if !fits {
        let suggestion = slug(text);
        let example = if suggestion.is_empty() { String::new() } else { format!(", for example `{suggestion}`") };
        return Err(InvalidName(format!(
            "{what} has lower-case letters, digits and `-`, starts with a letter and does not end with `-`{example}"
        )));
    }
    if RESERVED.contains(&text) {
        return Err(InvalidName(format!("`{text}` is reserved by an operating system")));
    }
    Ok(())
}

/// `text` made into a label, as far as that goes: what a person probably meant.
fn slug(text: &str) -> String {
    let lower: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    lower.trim_matches(|c: char| c == '-' || c.is_ascii_digit()).to_owned()
}

fn variable(text: &str) -> Result<(), InvalidName> {
    let first = text.bytes().next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_');
    if first && text.len() <= 128 && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
        return Ok(());
    }
    Err(InvalidName(
        "a variable's name has letters, digits and `_`, at most 128, and does not start with a digit".into(),
    ))
}

fn host(text: &str) -> Result<(), InvalidName> {
    if let Some(c) = text.chars().find(|c| !c.is_ascii()) {
        return Err(InvalidName(format!(
            "a host name must be ASCII (write an international name in its `xn--` form): found U+{:04X}",
            u32::from(c)
        )));
    }
    let part = |part: &str| {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=63).contains(&part.len()) && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    let numeric = text.split('.').all(|part| part.bytes().all(|c| c.is_ascii_digit()));
    if text.len() <= 253 && text.contains('.') && text.split('.').all(part) && !numeric {
        return Ok(());
    }
    Err(InvalidName(
        "a host name has lower-case letters, digits and `-` in parts joined by dots, without scheme, port or path, for example `shop.example.com`"
            .into(),
    ))
}

fn url_path(text: &str) -> Result<(), InvalidName> {
    let plain = |c: u8| {
        c.is_ascii_graphic()
            && !matches!(c, b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | b'^' | b'{' | b'|' | b'}' | b'#' | b'[' | b']')
    };
    if text.starts_with('/') && text.len() <= 256 && text.bytes().all(plain) {
        return Ok(());
    }
    Err(InvalidName("a path starts with `/` and has at most 256 printable characters without spaces or quotes, for example `/health`".into()))
}

fn cidr(text: &str) -> Result<(), InvalidName> {
    let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let fits = text.split_once('/').is_some_and(|(address, length)| {
        let address = address.parse::<IpAddr>().ok();
        let length = length.parse::<u8>().ok();
        address.zip(length).is_some_and(|(address, length)| length <= bits(address))
    });
    if fits {
        return Ok(());
    }
    Err(InvalidName("a range of addresses is an address and the length of its prefix, for example `10.0.0.0/8`".into()))
}

fn prometheus_name(what: &str, text: &str, extra: &str) -> Result<(), InvalidName> {
    let fits = |(index, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || extra.contains(c) || (index > 0 && c.is_ascii_digit())
    };
    if (1..=200).contains(&text.len()) && text.char_indices().all(fits) {
        return Ok(());
    }
    Err(InvalidName(format!("{what} consists of letters, digits and `_`, and does not begin with a digit")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_follow_the_label_rule() {
        for good in ["a", "event-system", "x2"] {
            assert_eq!(good.parse::<AppName>().unwrap().as_str(), good);
        }
        for bad in ["", "Foo_Bar", "-x", "x-", "2x", "con", &"a".repeat(41), "a.b", "a/b"] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
        let error = "Foo_Bar".parse::<AppName>().unwrap_err().to_string();
        assert!(error.ends_with("for example `foo-bar`"), "{error}");
    }

    #[test]
    fn a_hidden_character_is_named_by_its_code_point() {
        let error = "shop\u{202e}x".parse::<AppName>().unwrap_err().to_string();
        assert_eq!(error, "an app's name must be plain ASCII: character 5 is U+202E");
    }

    #[test]
    fn hosts_are_names_and_not_addresses_or_urls() {
        for good in ["event.wooo.work", "xn--fiq228c.example"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in ["localhost", "10.0.0.1", "https://a.b", "a.b:80", "A.b", "a..b", "-a.b", "a.b.", "*.a.b"] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_have_a_length_that_fits_the_address() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::/0"] {
            assert!(good.parse::<Cidr>().is_ok(), "{good}");
        }
        for bad in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "::/129", "x/1", "10.0.0.0/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_prometheus_hold_nothing_that_ends_a_query() {
        assert!("http:requests_total".parse::<MetricName>().is_ok());
        for name in ["", "1x", "a-b", "a{", "a b", "ü", "a\"}"] {
            assert!(name.parse::<MetricName>().is_err(), "{name}");
        }
        assert!("a:b".parse::<LabelName>().is_err());
    }

    #[test]
    fn paths_cannot_hold_what_ends_a_string_elsewhere() {
        assert!("/health?full=1".parse::<UrlPath>().is_ok());
        for bad in ["health", "/a b", "/a\"b", "/a\nb", "/a#b", "/${x}"] {
            assert!(bad.parse::<UrlPath>().is_err(), "{bad}");
        }
    }
}
