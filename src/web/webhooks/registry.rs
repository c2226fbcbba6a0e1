//! Which secret is for which repository. A secret proves what it is for and nothing else.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use axum::body::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::receive::LARGE_BODIES;
use super::signature::{Claim, Secret};
use crate::domain::Problem;
use crate::forge::RepositoryId;
use crate::forge::hooks::ForgeKind;
use crate::store::FleetName;

/// A repository whose forge sends deliveries here.
#[derive(Clone, Debug)]
pub struct HookSource {
    /// Which forge.
    pub kind: ForgeKind,
    /// The forge's name in the settings, under which its deliveries are kept.
    pub source: String,
    /// The repository on that forge.
    pub repository: RepositoryId,
    /// The fleet that it is.
    pub fleet: FleetName,
    /// The secrets of its webhook, each of which counts: two of them while one takes the other's place. On GitLab a secret
    /// that begins with `whsec_` signs deliveries, and any other one is sent along with them.
    pub secrets: Vec<SecretString>,
}

/// A source as a delivery is bound to it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) source: String,
    pub(super) repository: RepositoryId,
    pub(super) fleet: FleetName,
}

/// A secret with all that it is for. A GitHub App has one for all its repositories, which is then tried once.
struct Group {
    kind: ForgeKind,
    secret: Secret,
    sources: Vec<Arc<Bound>>,
}

/// Everything that may send deliveries here.
pub struct Hooks {
    groups: Vec<Group>,
    room: Arc<Semaphore>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { groups: Vec::new(), room: Arc::new(Semaphore::new(LARGE_BODIES)) }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("secrets", &self.groups.len()).finish_non_exhaustive()
    }
}

impl Hooks {
    /// These sources. Without any, every delivery is refused.
    ///
    /// # Errors
    /// `hook.secret` for a secret that proves nothing, or a source without one; `auth.keys` if the system has no
    /// randomness.
    pub fn new(sources: impl IntoIterator<Item = HookSource>) -> Result<Self, Problem> {
        let blind = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| Problem::new("auth.keys", "the system gives no random numbers"))?;
        let mut texts: Vec<(ForgeKind, SecretString)> = Vec::new();
        let mut hooks = Self::default();
        for source in sources {
            let place = |problem: Problem| problem.field(format!("{}/{}", source.source, source.repository));
            if source.secrets.is_empty() {
                return Err(place(Problem::new("hook.secret", "a webhook without a secret proves nothing")));
            }
            let bound = Arc::new(Bound {
                source: source.source.clone(),
                repository: source.repository.clone(),
                fleet: source.fleet.clone(),
            });
            for text in &source.secrets {
                let is_same = |(kind, known): &(ForgeKind, SecretString)| {
                    *kind == source.kind && known.expose_secret() == text.expose_secret()
                };
                let at = match texts.iter().position(is_same) {
                    Some(at) => at,
                    None => {
                        let secret = Secret::new(source.kind, &blind, text).map_err(place)?;
                        texts.push((source.kind, text.clone()));
                        hooks.groups.push(Group { kind: source.kind, secret, sources: Vec::new() });
                        hooks.groups.len() - 1
                    }
                };
                if let Some(group) = hooks.groups.get_mut(at) {
                    group.sources.push(Arc::clone(&bound));
                }
            }
        }
        Ok(hooks)
    }

    /// Whether anything of this kind may send.
    pub(super) fn has(&self, kind: ForgeKind) -> bool {
        self.groups.iter().any(|group| group.kind == kind)
    }

    /// Room for large bodies.
    pub(super) fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    /// What the signature of a delivery is for. Every secret is tried, so that it does not show which one it was.
    pub(super) fn signed(&self, kind: ForgeKind, claim: &Claim, body: &Bytes) -> Vec<Arc<Bound>> {
        let groups = self.groups.iter().filter(|group| group.kind == kind);
        groups.filter(|group| group.secret.proves(claim, body)).flat_map(|group| group.sources.clone()).collect()
    }
}
