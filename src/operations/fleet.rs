//! Reading a fleet: its settings, its apps, and where each thing stands.

use std::collections::BTreeMap;

use crate::domain::document::MAX_DOCUMENT_BYTES;
use crate::domain::release::Release;
use crate::domain::secrets::{Ciphertext, Secrets};
use crate::domain::{App, AppName, AppSpec, Document, EnvironmentName, FleetSettings, Problem, Problems};
use crate::files::{FileTree, Kind, LayeredTree};
use crate::overlay::Overlay;
use crate::render::{RECORD_FILE, Record, Renderer, builtin};

use super::unreadable;

/// The file of a fleet's settings.
pub const SETTINGS_FILE: &str = "fleet.yaml";
/// The most bytes of one rendered file that are read back.
pub const MAX_RENDERED_BYTES: u64 = 4 << 20;

/// `apps/<app>/app.yaml`.
#[must_use]
pub fn spec_path(app: &AppName) -> String {
    format!("apps/{app}/app.yaml")
}

/// `apps/<app>/<env>.yaml`.
#[must_use]
pub fn release_path(app: &AppName, environment: &EnvironmentName) -> String {
    format!("apps/{app}/{environment}.yaml")
}

/// `apps/<app>/overlay/<env>`.
#[must_use]
pub fn overlay_path(app: &AppName, environment: &EnvironmentName) -> String {
    format!("apps/{app}/overlay/{environment}")
}

/// `apps/<app>/secrets/<env>.yaml`.
#[must_use]
pub fn secrets_path(app: &AppName, environment: &EnvironmentName) -> String {
    format!("apps/{app}/secrets/{environment}.yaml")
}

/// `rendered/<env>/<app>`.
#[must_use]
pub fn rendered_path(app: &AppName, environment: &EnvironmentName) -> String {
    format!("rendered/{environment}/{app}")
}

/// `delivery/<env>/<app>.yaml`.
#[must_use]
pub fn delivery_path(app: &AppName, environment: &EnvironmentName) -> String {
    format!("delivery/{environment}/{app}.yaml")
}

/// A file of the fleet with its parsed value.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The text as it stands.
    pub text: String,
    /// What it says.
    pub value: T,
}

/// A fleet at one commit, or in a folder, with its settings read.
pub struct Fleet<'a> {
    /// All of its files.
    pub tree: &'a dyn FileTree,
    /// `fleet.yaml`.
    pub settings: FleetSettings,
}

impl<'a> Fleet<'a> {
    /// Reads the settings.
    ///
    /// # Errors
    /// `fleet.missing` if this is not a fleet, and every problem of its settings.
    pub fn open(tree: &'a dyn FileTree) -> Result<Self, Problems> {
        let text = tree.read_text_if_present(SETTINGS_FILE, MAX_DOCUMENT_BYTES).map_err(|error| unreadable(&error))?;
        let Some(text) = text else {
            let problem =
                Problem::new("fleet.missing", "there is no fleet.yaml here, so this is not a fleet repository");
            return Err(problem.hint("`wooo init DIR` makes one").into());
        };
        let settings = FleetSettings::parse(&Document { file: SETTINGS_FILE, text: &text })?;
        Ok(Self { tree, settings })
    }

    /// The renderer of this fleet: its own templates and overlays over the built-in ones.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn renderer(&self) -> Result<Renderer, Problems> {
        let built_in = builtin::files();
        Renderer::new(self.settings.clone(), &LayeredTree::new(self.tree, &built_in))
    }

    /// The names of all apps, sorted.
    ///
    /// # Errors
    /// `files.unreadable`. A folder whose name no app can have is a `fleet.stray` problem.
    pub fn apps(&self) -> Result<Vec<AppName>, Problems> {
        let (names, strays) = self.apps_and_strays()?;
        Problems::check(strays)?;
        Ok(names)
    }

    /// The names of all apps, sorted, and what is wrong with the other folders beside them.
    ///
    /// # Errors
    /// `files.unreadable`.
    pub fn apps_and_strays(&self) -> Result<(Vec<AppName>, Vec<Problem>), Problems> {
        let mut names = Vec::new();
        let mut problems = Vec::new();
        for entry in self.list("apps")? {
            match entry.name.parse::<AppName>() {
                Ok(name) if entry.kind == Kind::Directory => names.push(name),
                Ok(_) | Err(_) if entry.kind != Kind::Directory => {}
                _ => problems.push(Problem::new(
                    "fleet.stray",
                    format!("the folder `apps/{}` is no app's", entry.name.escape_debug()),
                )),
            }
        }
        Ok((names, problems))
    }

    /// The shared spec of an app, or `None`.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn spec(&self, app: &AppName) -> Result<Option<Parsed<AppSpec>>, Problems> {
        let path = spec_path(app);
        let Some(text) = self.text(&path)? else { return Ok(None) };
        let value = AppSpec::parse(&Document { file: &path, text: &text })?;
        if value.name != *app {
            let detail = format!("`{path}` is the spec of `{}`: folder and name must agree", value.name);
            return Err(Problem::new("spec.name", detail).field("name").into());
        }
        Ok(Some(Parsed { text, value }))
    }

    /// The release of an app in an environment, or `None` if the app is not there.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn release(&self, app: &AppName, environment: &EnvironmentName) -> Result<Option<Parsed<Release>>, Problems> {
        let path = release_path(app, environment);
        let Some(text) = self.text(&path)? else { return Ok(None) };
        let value = Release::parse(&Document { file: &path, text: &text })?;
        Ok(Some(Parsed { text, value }))
    }

    /// The environments that an app is in, in the order of the settings.
    ///
    /// # Errors
    /// `fleet.unknown_environment` for a release file of an environment that does not exist.
    pub fn environments_of(&self, app: &AppName) -> Result<Vec<EnvironmentName>, Problems> {
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for entry in self.list(&format!("apps/{app}"))? {
            let Some(stem) = entry.name.strip_suffix(".yaml").filter(|stem| *stem != "app" && entry.kind == Kind::File)
            else {
                continue;
            };
            match stem.parse::<EnvironmentName>() {
                Ok(name) if self.settings.environments.contains_key(&name) => found.push(name),
                _ => {
                    let detail = format!(
                        "`apps/{app}/{}` is the release of an environment that fleet.yaml does not have",
                        entry.name
                    );
                    problems.push(Problem::new("fleet.unknown_environment", detail));
                }
            }
        }
        Problems::check(problems)?;
        let order: BTreeMap<_, _> =
            self.settings.environments.keys().enumerate().map(|(at, name)| (name, at)).collect();
        found.sort_by_key(|name| order.get(name).copied());
        Ok(found)
    }

    /// An app as it runs in an environment, or `None` if it is not there.
    ///
    /// # Errors
    /// Every problem of its files; `spec.missing` for a release without a spec.
    pub fn app(&self, app: &AppName, environment: &EnvironmentName) -> Result<Option<App>, Problems> {
        let Some(release) = self.release(app, environment)? else { return Ok(None) };
        let Some(spec) = self.spec(app)? else {
            let detail = format!("`{app}` has a release in `{environment}` and no `{}`", spec_path(app));
            return Err(Problem::new("spec.missing", detail).into());
        };
        Ok(Some(App::resolve(&spec.value, &release.value).with_secrets(self.secrets(app, environment)?.value)))
    }

    /// The encrypted values of an app in an environment; none where there is no file.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn secrets(&self, app: &AppName, environment: &EnvironmentName) -> Result<Parsed<Secrets>, Problems> {
        let path = secrets_path(app, environment);
        let Some(text) = self.text(&path)? else {
            return Ok(Parsed { text: String::new(), value: Secrets::default() });
        };
        let value = Document { file: &path, text: &text }.read()?;
        Ok(Parsed { text, value })
    }

    /// Whether the cluster of an environment can open a value as this Secret of an app.
    #[must_use]
    pub fn opens(&self, environment: &EnvironmentName, app: &AppName, secret: &str, value: &Ciphertext) -> bool {
        self.settings.place(environment).is_ok_and(|(settings, cluster)| {
            value.fits(&format!("{}/{secret}", settings.namespace_of(app)), cluster.secrets)
        })
    }

    /// The team's own overlay for an environment, with its folder, or `None`.
    ///
    /// # Errors
    /// `overlay.failed`.
    pub fn own_overlay(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
    ) -> Result<Option<(String, Overlay)>, Problems> {
        let folder = overlay_path(app, environment);
        if self.tree.kind(&folder).map_err(|error| unreadable(&error))? != Some(Kind::Directory) {
            return Ok(None);
        }
        match Overlay::load(self.tree, &folder) {
            Ok(overlay) => Ok(Some((folder, overlay))),
            Err(error) => Err(Problem::new("overlay.failed", format!("overlay `{folder}`: {error}")).into()),
        }
    }

    /// What is recorded beside the rendered files of an app, or `None` if nothing is rendered.
    ///
    /// # Errors
    /// `fleet.record` for a record that cannot be read.
    pub fn record(&self, app: &AppName, environment: &EnvironmentName) -> Result<Option<Record>, Problems> {
        let path = format!("{}/{RECORD_FILE}", rendered_path(app, environment));
        let Some(text) = self.text(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Problem::new("fleet.record", format!("`{path}` cannot be read: {error}"))
                .hint("`wooo rerender` writes it anew")
                .into()
        })
    }

    fn text(&self, path: &str) -> Result<Option<String>, Problems> {
        self.tree.read_text_if_present(path, MAX_DOCUMENT_BYTES).map_err(|error| unreadable(&error).into())
    }

    fn list(&self, path: &str) -> Result<Vec<crate::files::Entry>, Problems> {
        match self.tree.list(path) {
            Ok(entries) => Ok(entries),
            Err(crate::files::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(unreadable(&error).into()),
        }
    }
}
