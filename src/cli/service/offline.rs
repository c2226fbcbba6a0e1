//! A service that does not run: its database and its fleets, for work on the index. Nothing that is not there is made,
//! but for the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::assemble::copy_folder;
use super::forges::Forges;
use super::settings::ServiceSettings;
use crate::cluster::{self, Clusters};
use crate::domain::{Problem, Problems};
use crate::forge::{LocalForge, LocalForges, User};
use crate::operations::lifecycle::{FleetSource, ServedFleet, Service, Timing};
use crate::store::{FleetName, Store};

/// Opens the fleets that are on the embedded forge.
///
/// # Errors
/// `forge.not_found` for one that is not there.
pub(crate) fn local_fleets(settings: &ServiceSettings) -> Result<Vec<(FleetName, LocalForge)>, Problems> {
    let url = settings.url(settings.listen);
    let forges = LocalForges::new(settings.data.join("repositories"), &url, Arc::new(Timestamp::now));
    let mut found = Vec::new();
    for (name, fleet) in settings.fleets()?.into_iter().filter(|(_, fleet)| fleet.forge.is_none()) {
        let repository = fleet.repository.parse().map_err(Problem::from)?;
        let me = User { id: "wooo".parse().map_err(Problem::from)?, login: "wooo".to_owned() };
        found.push((name, forges.open(&repository, me).map_err(Problem::from)?));
    }
    Ok(found)
}

/// The database and the fleets, with no cluster and no worker.
///
/// # Errors
/// `store.in_use` if a service runs on the database, and what stands in the way of a fleet.
pub(crate) async fn offline(settings: &ServiceSettings) -> Result<Service, Problems> {
    let remote = Forges::new(settings).await?;
    let own = settings.clone();
    let opening = tokio::task::spawn_blocking(move || local_fleets(&own));
    let opened = opening.await.map_err(|error| Problem::new("service.interrupted", error.to_string()))??;
    let store = Store::open(&settings.database()).await?;
    let mut fleets = BTreeMap::new();
    for (name, forge) in opened {
        let source = FleetSource::Folder(forge.path().to_owned());
        fleets.insert(name.clone(), ServedFleet::new(name, Arc::new(forge), source));
    }
    for (name, fleet) in settings.fleets()? {
        let Some(forge) = &fleet.forge else { continue };
        let opened = remote.open(forge, &fleet.repository, fleet.id).await?;
        let source = remote.source(&opened, copy_folder(settings, &name))?;
        fleets.insert(name.clone(), ServedFleet::new(name, Arc::clone(&opened.forge), source));
    }
    Ok(Service {
        store,
        fleets,
        links: Vec::new(),
        clusters: Clusters::start([], cluster::Timing::default(), &CancellationToken::new()),
        committer: (settings.committer.name.clone(), settings.committer.email.clone()),
        timing: Timing::default(),
    })
}
