//! What a command is carried out in: who says it where, about which app and environment, and how it becomes a wish.

use super::command::Command;
use super::registry::entry;
use super::reply::{Said, sentence};
use super::rights::{Standing, absent};
use crate::domain::{
    Action, AppName, ChangeId, ChangeState, EnvironmentName, FleetSettings, Intent, Problem, Problems,
};
use crate::forge::{Comment, MergeRequest};
use crate::git::BlobId;
use crate::operations::fleet::Fleet;
use crate::operations::lifecycle::{self, Accepted, Service, Source, Wish};
use crate::operations::tell::plain;
use crate::store::Change;

/// One comment's command, with everything that is known of its circumstances.
pub(super) struct Scene<'a> {
    pub(super) service: &'a Service,
    pub(super) source: &'a Source,
    pub(super) found: &'a MergeRequest,
    pub(super) comment: &'a Comment,
    /// The newest change of the merge request; none on a linked repository, and for a merge request of a person's own.
    pub(super) change: Option<Change>,
    /// The settings of the fleet, as its synced branch has them.
    pub(super) settings: FleetSettings,
    pub(super) standing: Standing,
    /// Which command of the comment it is.
    pub(super) place: usize,
    /// How many characters its answer may have.
    pub(super) room: usize,
}

impl Scene<'_> {
    /// Who says it, as in `github:alice`.
    pub(super) fn actor(&self) -> &str {
        self.standing.actor()
    }

    /// What a change that this command makes is called: the same however often the command is carried out.
    pub(super) fn id(&self, part: &str) -> ChangeId {
        let words = format!("{} {} {} {part}", self.source.name, self.comment.id, self.place);
        let digits = BlobId::of(words.as_bytes()).to_string();
        let number = digits.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok()).unwrap_or_default();
        uuid::Builder::from_custom_bytes(number.to_be_bytes()).into_uuid().into()
    }

    /// The app that a command is about, which its author may use it on.
    pub(super) fn app(&self, command: &Command) -> Result<AppName, Problem> {
        let own = self.source.app.as_ref().or(self.change.as_ref().map(|change| &change.app));
        let Some(app) = command.arguments.app.as_ref().or(own) else {
            let problem = Problem::new("comment.no_app", "this merge request is about no app of the fleet");
            return Err(problem.hint(format!("name one: `/wooo {} APP`", command.verb)));
        };
        self.standing.check(&self.settings, entry(command.verb), app)?;
        Ok(app.clone())
    }

    /// The environment that a command is about: the one that it names, that of the merge request if it is about the same
    /// app, or the only one that the app is in.
    pub(super) async fn environment(&self, command: &Command, app: &AppName) -> Result<EnvironmentName, Problems> {
        if let Some(named) = &command.arguments.env {
            self.settings.environment(named)?;
            return Ok(named.clone());
        }
        let own = self.change.as_ref().filter(|change| change.app == *app);
        if let Some(environment) = own.and_then(|change| change.environment.clone()) {
            return Ok(environment);
        }
        let places = self.environments(app).await?;
        match places.as_slice() {
            [] => Err(absent(app).into()),
            [only] => Ok(only.clone()),
            several => {
                let names: Vec<String> = several.iter().map(|name| format!("`env={name}`")).collect();
                let problem = Problem::new("comment.no_environment", format!("`{app}` is in several environments"));
                Err(problem.hint(format!("say which: {}", names.join(", "))).into())
            }
        }
    }

    /// The environments that an app is in, on the synced branch.
    pub(super) async fn environments(&self, app: &AppName) -> Result<Vec<EnvironmentName>, Problems> {
        let app = app.clone();
        let fleet = self.service.fleet(&self.source.fleet)?;
        fleet.with_place(move |place| Fleet::open(&place.tree()?)?.environments_of(&app)).await
    }

    /// The change that a command about an app looks at: that of the merge request, or the app's newest one.
    pub(super) async fn change_of(&self, command: &Command, app: &AppName) -> Result<Option<Change>, Problems> {
        let environment = command.arguments.env.as_ref();
        let fits = |change: &&Change| {
            change.app == *app && environment.is_none_or(|own| change.environment.as_ref().is_none_or(|at| at == own))
        };
        if let Some(change) = self.change.as_ref().filter(fits) {
            return Ok(Some(change.clone()));
        }
        let filter = crate::store::ChangeFilter {
            fleet: Some(self.source.fleet.clone()),
            app: Some(app.clone()),
            environment: environment.cloned(),
            ..crate::store::ChangeFilter::default()
        };
        let one = crate::store::Paging { limit: crate::store::Limit::new(1), after: None };
        Ok(self.service.store.changes(&filter, &one).await?.items.into_iter().next())
    }

    /// Asks for something about an app, and answers with what came of it. `part` tells apart what one command asks for.
    pub(super) async fn ask(
        &self,
        command: &Command,
        app: AppName,
        environment: EnvironmentName,
        action: Action,
        part: &str,
    ) -> Result<Accepted, Problems> {
        let intent = Intent { app: app.clone(), environment: Some(environment), action };
        let wish = Wish {
            fleet: self.source.fleet.clone(),
            intent,
            actor: self.actor().to_owned(),
            reason: command.reason.clone(),
            notes: vec![format!("asked for on {}", self.found.url)],
        };
        let accepted = lifecycle::accept_once(self.service, &wish, self.id(part)).await;
        // The names of other apps, which a suggestion may hold, are not for everybody.
        accepted.map_err(|problems| match problems.as_slice() {
            [only] if only.code == "app.not_found" => absent(&app).into(),
            _ => problems,
        })
    }

    /// As [`ask`](Self::ask), for a command that asks for one thing where it says.
    pub(super) async fn wish(&self, command: &Command, action: Action) -> Result<Said, Problems> {
        let app = self.app(command)?;
        let environment = self.environment(command, &app).await?;
        let accepted = self.ask(command, app, environment, action, "").await?;
        Ok(Said::done(self.accepted(&accepted.change, "")))
    }

    /// What is said of a change that was asked for. The same when it is asked again, but for how far it has come.
    pub(super) fn accepted(&self, change: &Change, part: &str) -> String {
        let subject =
            change.subject.as_deref().map_or_else(|| "The change".to_owned(), |subject| sentence(&plain(subject)));
        let is_new = change.id == self.id(part);
        let more = match &change.merge_request_url {
            Some(url) => format!("see {url}"),
            None => "its merge request will be opened".to_owned(),
        };
        match (is_new, change.state) {
            (_, ChangeState::Unchanged) => format!("{subject}: nothing to do, the fleet says so already."),
            (true, _) => format!("{subject}: accepted as change `{}`, {more}.", change.id),
            (false, ChangeState::Merged | ChangeState::Settled) => {
                format!("{subject}: nothing to do, change `{}` has seen to it.", change.id)
            }
            (false, _) => format!("{subject}: on its way already as change `{}`, {more}.", change.id),
        }
    }
}
