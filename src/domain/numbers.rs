//! Whole numbers with a range, as types: what is out of range is refused where it is read.

/// Declares a number type with a closed range, whose error says the range.
macro_rules! ranged {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $min:literal..=$max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, serde::Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
        #[serde(try_from = "i64")]
        pub struct $name($inner);

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "integer", "minimum": $min, "maximum": $max})
            }
        }

        impl $name {
            /// The number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = crate::domain::InvalidName;

            fn try_from(number: i64) -> Result<Self, crate::domain::InvalidName> {
                <$inner>::try_from(number)
                    .ok()
                    .filter(|number| ($min..=$max).contains(number))
                    .map(Self)
                    .ok_or_else(|| crate::domain::InvalidName::new(format!(
                        concat!($what, " {} is out of range: {} to {}"), number, $min, $max
                    )))
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::domain::InvalidName;

            fn from_str(text: &str) -> Result<Self, crate::domain::InvalidName> {
                let number: i64 = text
                    .parse()
                    .map_err(|_| crate::domain::InvalidName::new(format!(concat!($what, " `{}` is not a whole number"), text)))?;
                Self::try_from(number)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

pub(super) use ranged;

ranged! {
    /// A share in percent.
    Percent(u8), "percentage", 1..=100
}

impl Percent {
    /// How much of the requested processor time pods should use, where nobody says.
    pub(super) const SEVENTY: Self = Self(70);
}
