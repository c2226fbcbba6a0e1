//! Rendering many apps: read in turn, render side by side, hand over in order.
//!
//! A Git tree is read from one thread, rendering needs none: so apps are read in chunks, each chunk is rendered on all
//! cores, and the results are consumed before the next chunk is read. Memory follows the chunk, not the fleet.

use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use tracing::debug_span;

use super::fleet::Fleet;
use crate::domain::{App, AppName, EnvironmentName, Problem, Problems};
use crate::overlay::Overlay;
use crate::render::{OwnOverlay, Rendered, Renderer};

/// How many apps are in memory at once.
const CHUNK: usize = 256;

/// One app in one environment.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Unit {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// Which apps are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these apps; all if empty.
    pub apps: Vec<AppName>,
    /// Only these environments; all if empty.
    pub environments: Vec<EnvironmentName>,
}

impl Selection {
    /// Every selected app with every selected environment that it is in.
    ///
    /// # Errors
    /// `app.not_found` for a selected app that does not exist, and what is wrong with the fleet's folders.
    pub fn units(&self, fleet: &Fleet<'_>) -> Result<Vec<Unit>, Problems> {
        let mut problems = Vec::new();
        for environment in &self.environments {
            problems.extend(fleet.settings.environment(environment).err());
        }
        let names = if self.apps.is_empty() { fleet.apps()? } else { self.apps.clone() };
        let mut units = Vec::new();
        for app in names {
            match fleet.environments_of(&app) {
                Ok(environments) if environments.is_empty() && !self.apps.is_empty() => {
                    problems.push(Problem::new(
                        "app.not_found",
                        format!("there is no app `{app}` in any environment of this fleet"),
                    ));
                }
                Ok(environments) => {
                    let wanted =
                        |name: &EnvironmentName| self.environments.is_empty() || self.environments.contains(name);
                    units.extend(
                        environments
                            .into_iter()
                            .filter(wanted)
                            .map(|environment| Unit { app: app.clone(), environment }),
                    );
                }
                Err(found) => problems.extend(found.into_vec()),
            }
        }
        Problems::check(problems)?;
        Ok(units)
    }
}

/// An app as it was read.
struct Loaded {
    unit: Unit,
    app: Result<(App, Option<(String, Overlay)>), Problems>,
}

/// Renders every unit. `work` turns a rendering into whatever is needed of it, on any thread; `consume` gets the results
/// in the order of the units.
///
/// # Errors
/// What `consume` fails with. What is wrong with an app is handed to `consume`.
pub fn render_each<T: Send, E>(
    fleet: &Fleet<'_>,
    renderer: &Renderer,
    units: Vec<Unit>,
    work: impl Fn(&Unit, &App, Rendered) -> T + Sync,
    mut consume: impl FnMut(Unit, Result<T, Problems>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = units.into_iter();
    loop {
        let reading = debug_span!("read specs").entered();
        let loaded: Vec<Loaded> = rest.by_ref().take(CHUNK).map(|unit| load(fleet, unit)).collect();
        reading.exit();
        if loaded.is_empty() {
            return Ok(());
        }
        let rendering = debug_span!("render").entered();
        let rendered: Vec<(Unit, Result<T, Problems>)> = loaded
            .into_par_iter()
            .map(|Loaded { unit, app }| {
                let result = app.and_then(|(app, own)| {
                    let own = own.as_ref().map(|(folder, overlay)| OwnOverlay { folder, overlay });
                    let rendered = renderer.render(&app, &unit.environment, own)?;
                    Ok(work(&unit, &app, rendered))
                });
                (unit, result)
            })
            .collect();
        rendering.exit();
        let _comparing = debug_span!("compare with what stands there").entered();
        for (unit, result) in rendered {
            consume(unit, result)?;
        }
    }
}

fn load(fleet: &Fleet<'_>, unit: Unit) -> Loaded {
    let app = fleet.app(&unit.app, &unit.environment).and_then(|app| {
        let Some(app) = app else {
            let detail = format!("`{}` is not in `{}`", unit.app, unit.environment);
            return Err(Problem::new("app.not_there", detail).into());
        };
        Ok((app, fleet.own_overlay(&unit.app, &unit.environment)?))
    });
    Loaded { unit, app }
}
