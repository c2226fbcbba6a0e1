//! What a cluster has, asked once: its version, the kinds that it serves, single objects by name. Nothing is followed,
//! and nothing is written.

use std::time::Duration;

use kube::Client;
use kube::api::GetParams;
use kube::core::Request;
use serde_json::Value;

use super::follow::told;
use super::{ClusterSettings, Error, Timing};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that answers single questions.
pub struct Probe {
    client: Client,
}

/// Whether an object is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not.
    Absent,
    /// Whoever asks may not read it.
    Hidden,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

impl Probe {
    /// A connection. Nothing is asked yet.
    ///
    /// # Errors
    /// Settings that name no cluster.
    pub async fn new(settings: &ClusterSettings) -> Result<Self, Error> {
        let timing = Timing { request: PATIENCE, ..Timing::default() };
        Ok(Self { client: settings.connect(&timing).await? })
    }

    /// The version, as `v1.34.1`.
    ///
    /// # Errors
    /// [`Error::Client`] if the cluster does not answer.
    pub async fn version(&self) -> Result<String, Error> {
        Ok(self.ask("/version").await?.map(|found| text(&found, "gitVersion")).unwrap_or_default())
    }

    /// Whether the cluster serves a kind, by the group and the plural name of its resource.
    ///
    /// # Errors
    /// [`Error::Client`] if the cluster does not answer.
    pub async fn serves(&self, group: &str, plural: &str) -> Result<bool, Error> {
        let Some(found) = self.ask(&format!("/apis/{group}")).await? else { return Ok(false) };
        for version in found.get("versions").and_then(Value::as_array).into_iter().flatten() {
            let path = format!("/apis/{}", text(version, "groupVersion"));
            let Some(found) = self.ask(&path).await? else { continue };
            let mut resources = found.get("resources").and_then(Value::as_array).into_iter().flatten();
            if resources.any(|resource| text(resource, "name") == plural) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an object is there, by its path below the URL of the cluster.
    ///
    /// # Errors
    /// [`Error::Client`] if the cluster does not answer.
    pub async fn has(&self, path: &str) -> Result<Presence, Error> {
        match self.request(path).await? {
            Ok(_) => Ok(Presence::There),
            Err(404) => Ok(Presence::Absent),
            Err(401 | 403) => Ok(Presence::Hidden),
            Err(code) => Err(Error::Client(format!("the cluster answers {code}"))),
        }
    }

    async fn ask(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.request(path).await? {
            Ok(found) => Ok(Some(found)),
            Err(404) => Ok(None),
            Err(code) => Err(Error::Client(format!("the cluster answers {code}"))),
        }
    }

    /// The answer, or the status of a refusal.
    async fn request(&self, path: &str) -> Result<Result<Value, u16>, Error> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let request = Request::new(folder).get(name, &GetParams::default());
        let request = request.map_err(|error| Error::Client(error.to_string()))?;
        match tokio::time::timeout(PATIENCE, self.client.request::<Value>(request)).await {
            Ok(Ok(found)) => Ok(Ok(found)),
            Ok(Err(kube::Error::Api(status))) => Ok(Err(status.code)),
            Ok(Err(error)) => Err(Error::Client(told(&error))),
            Err(_) => Err(Error::Client("the cluster does not answer in time".to_owned())),
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
