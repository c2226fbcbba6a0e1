//! The backing services that can run beside an app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::release::{ResourceAmounts, Resources};
use super::{Cpu, Memory};

/// The backing services that wooo knows.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum AddonKind {
    /// PostgreSQL.
    Postgresql,
    /// Redis.
    Redis,
    /// MongoDB.
    Mongodb,
    /// Elasticsearch.
    Elasticsearch,
}

/// Settings of a backing service.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Addon {
    /// The size of its volume; the kind's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Memory>,
    /// Its memory; the kind's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What becomes of the volume when the add-on is taken out of the spec.
    #[serde(default, skip_serializing_if = "OnRemoval::is_default")]
    pub on_removal: OnRemoval,
}

impl Addon {
    /// What it requests and may use at most: all of its memory from the start, and four times its processor time.
    #[must_use]
    pub fn resources(&self, kind: AddonKind) -> Resources {
        let AddonProfile { memory, cpu, .. } = kind.profile();
        let memory = self.memory.unwrap_or(memory);
        Resources { requests: ResourceAmounts { memory, cpu }, limits: ResourceAmounts { memory, cpu: cpu.times(4) } }
    }
}

/// What becomes of the volume of an add-on that goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRemoval {
    /// It stays, with everything in it, until someone deletes it.
    #[default]
    Retain,
    /// It goes with the add-on.
    Delete,
}

impl OnRemoval {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What an add-on of one kind is made of.
#[derive(Clone, Copy, Debug)]
pub struct AddonProfile {
    /// The image, by tag; a fleet can name another one, by digest.
    pub image: &'static str,
    /// The port that it listens on.
    pub port: u16,
    /// The user that it runs as, and the group that owns its volume.
    pub user: u32,
    /// The size of its volume.
    pub storage: Memory,
    /// Its memory, requested and at most.
    pub memory: Memory,
    /// The processor time that it requests.
    pub cpu: Cpu,
    /// The variable that tells the app where it is, where the app's owner does not set it.
    pub variable: &'static str,
    /// Whether it is backed up.
    pub backup: bool,
}

impl AddonKind {
    /// The facts about the kind.
    ///
    /// Users are those of the official images; sizes are the least with which each is of use.
    #[must_use]
    pub const fn profile(self) -> AddonProfile {
        const GI: u64 = 1 << 30;
        const MI: u64 = 1 << 20;
        match self {
            Self::Postgresql => AddonProfile {
                image: "docker.io/library/postgres:17.5",
                port: 5432,
                user: 999,
                storage: Memory::from_bytes(10 * GI),
                memory: Memory::from_bytes(512 * MI),
                cpu: Cpu::from_millicores(250),
                variable: "DATABASE_URL",
                backup: true,
            },
            Self::Redis => AddonProfile {
                image: "docker.io/library/redis:7.4.4",
                port: 6379,
                user: 999,
                storage: Memory::from_bytes(GI),
                memory: Memory::from_bytes(256 * MI),
                cpu: Cpu::from_millicores(100),
                variable: "REDIS_URL",
                backup: false,
            },
            Self::Mongodb => AddonProfile {
                image: "docker.io/library/mongo:7.0.21",
                port: 27017,
                user: 999,
                storage: Memory::from_bytes(10 * GI),
                memory: Memory::from_bytes(GI),
                cpu: Cpu::from_millicores(250),
                variable: "MONGODB_URL",
                backup: true,
            },
            Self::Elasticsearch => AddonProfile {
                image: "docker.elastic.co/elasticsearch/elasticsearch:8.18.2",
                port: 9200,
                user: 1000,
                storage: Memory::from_bytes(20 * GI),
                memory: Memory::from_bytes(2 * GI),
                cpu: Cpu::from_millicores(500),
                variable: "ELASTICSEARCH_URL",
                backup: false,
            },
        }
    }

    /// The word for it in a spec.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// The address of the add-on of an app, as its variable says it. The password is another variable, which the kubelet
    /// puts in.
    #[must_use]
    pub fn address(self, host: &str) -> String {
        let (port, password) = (self.profile().port, self.password_variable());
        match self {
            Self::Postgresql => format!("postgresql://app:$({password})@{host}:{port}/app"),
            Self::Redis => format!("redis://:$({password})@{host}:{port}/0"),
            Self::Mongodb => format!("mongodb://app:$({password})@{host}:{port}/app?authSource=admin"),
            Self::Elasticsearch => format!("http://elastic:$({password})@{host}:{port}"),
        }
    }

    /// The variable with the password.
    #[must_use]
    pub fn password_variable(self) -> String {
        format!("{}_PASSWORD", self.to_string().to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    #[test]
    fn every_image_is_pinned_and_every_address_has_no_password_in_it() {
        for kind in AddonKind::iter() {
            let image: crate::domain::ImageRef = kind.profile().image.parse().unwrap();
            assert!(image.tag().is_some(), "{kind}");
            assert_eq!(crate::domain::credential::kind_of(&kind.address("shop-x")), None, "{kind}");
        }
    }
}
