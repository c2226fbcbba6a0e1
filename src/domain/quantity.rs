//! Amounts of memory and processor time, written as Kubernetes quantities.
//!
//! The notation is Kubernetes' own (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>),
//! narrowed to what makes sense for a pod: memory in whole bytes, processor time in whole thousandths of a core.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::names::InvalidName;

/// An amount of memory in bytes, at least one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(u64);

/// An amount of processor time in thousandths of a core, at least one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpu(u64);

/// Suffixes with their factors, largest first so that printing takes the shortest form.
const BINARY: [(&str, u64); 5] = [("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
const DECIMAL: [(&str, u64); 5] =
    [("P", 10u64.pow(15)), ("T", 10u64.pow(12)), ("G", 10u64.pow(9)), ("M", 10u64.pow(6)), ("k", 1000)];

impl Memory {
    /// An amount of `bytes`.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The amount `times` over, at most what fits.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Cpu {
    /// An amount of `thousandths` of a core.
    #[must_use]
    pub const fn from_millicores(thousandths: u64) -> Self {
        Self(thousandths)
    }

    /// The amount in thousandths of a core.
    #[must_use]
    pub const fn millicores(self) -> u64 {
        self.0
    }

    /// The amount `times` over, at most what fits.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// A decimal number as (digits without the point, number of digits behind it).
fn number(text: &str) -> Option<(u64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty()) {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    Some((format!("{whole}{fraction}").parse().ok()?, places))
}

/// `text` times `factor`, if that is a whole number above zero.
fn scaled(text: &str, factor: u64) -> Option<u64> {
    let (digits, places) = number(text)?;
    let product = u128::from(digits) * u128::from(factor);
    let divisor = 10u128.checked_pow(places)?;
    let value = (product % divisor == 0).then_some(product / divisor)?;
    u64::try_from(value).ok().filter(|value| *value > 0)
}

impl FromStr for Memory {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (digits, factor) = BINARY
            .iter()
            .chain(&DECIMAL)
            .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
            .unwrap_or((text, 1));
        scaled(digits, factor).map(Self).ok_or_else(|| {
            InvalidName::new(format!("`{text}` is not an amount of memory, write for example `256Mi` or `1Gi`"))
        })
    }
}

impl FromStr for Cpu {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let millicores = match text.strip_suffix('m') {
            Some(digits) => scaled(digits, 1),
            None => scaled(text, 1000),
        };
        millicores.map(Self).ok_or_else(|| {
            InvalidName::new(format!("`{text}` is not an amount of processor time, write for example `250m` or `2`"))
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |factor: u64| self.0 > 0 && self.0.is_multiple_of(factor);
        match BINARY.iter().find(|(_, factor)| fits(*factor)) {
            Some((suffix, factor)) => write!(f, "{}{suffix}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

macro_rules! text_quantity {
    ($name:ident, $pattern:literal, $example:literal) => {
        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(amount: $name) -> Self {
                amount.to_string()
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
                json_schema!({"type": ["string", "number"], "pattern": $pattern, "exclusiveMinimum": 0, "examples": [$example]})
            }
        }
    };
}

text_quantity!(Memory, r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$", "256Mi");
text_quantity!(Cpu, r"^[0-9]+(\.[0-9]+)?m?$", "250m");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_and_printed_short() {
        for (text, bytes, printed) in [
            ("256Mi", 256 << 20, "256Mi"),
            ("1024Mi", 1 << 30, "1Gi"),
            ("1.5Gi", 3 << 29, "1536Mi"),
            ("1G", 1_000_000_000, "1000000000"),
            ("512", 512, "512"),
        ] {
            let memory: Memory = text.parse().unwrap();
            assert_eq!((memory.bytes(), memory.to_string().as_str()), (bytes, printed), "{text}");
        }
        for (text, millicores, printed) in
            [("250m", 250, "250m"), ("1000m", 1000, "1"), ("0.5", 500, "500m"), ("2", 2000, "2")]
        {
            let cpu: Cpu = text.parse().unwrap();
            assert_eq!((cpu.millicores(), cpu.to_string().as_str()), (millicores, printed), "{text}");
        }
    }

    #[test]
    fn near_misses_are_refused() {
        for text in ["1O0m", "1e", "", "0", "-1Mi", "1 Gi", "1GB", "1.Gi", ".5Gi", "0.3", "1e3", "99999999999Pi", "Mi"]
        {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
        for text in ["1O0m", "0.0001", "0m", "m", "1.5m", "-1", "100k"] {
            assert!(text.parse::<Cpu>().is_err(), "{text}");
        }
    }
}
