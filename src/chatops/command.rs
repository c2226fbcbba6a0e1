//! What can be said: the verbs, their arguments, and one command as it was understood. A closed set: what is not one of
//! these is not understood, so no text of a comment reaches anything as it stands but a reason.

use jiff::Timestamp;

use crate::domain::app_spec::Replicas;
use crate::domain::{AppName, Cpu, EnvironmentName, ImageRef, Memory, PlanName, Problem};

/// What a command does.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Verb {
    /// List the commands.
    Help,
    /// Show how an app is.
    Status,
    /// Show what a change renders.
    Diff,
    /// Run another image.
    Deploy,
    /// Go back to an earlier release.
    Rollback,
    /// Replace the pods.
    Restart,
    /// Run another number of pods.
    Scale,
    /// Change the size.
    Resize,
    /// Bring a release to the next environment.
    Promote,
    /// Pin an app in an environment.
    Hold,
    /// Lift a pin.
    Unhold,
    /// Agree to a change.
    Approve,
    /// Take up a change that failed.
    Retry,
    /// Pin an app everywhere.
    Pause,
    /// Lift what `pause` has pinned.
    Resume,
    /// Say why a change is where it is.
    Explain,
}

/// The name of an argument.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Key {
    /// The app, as a word of its own can say it too.
    App,
    /// The environment.
    Env,
    /// An image.
    Image,
    /// An earlier release.
    To,
    /// How many pods.
    Replicas,
    /// A size by its name.
    Plan,
    /// A memory limit.
    Memory,
    /// A processor limit.
    Cpu,
    /// When a pin ends.
    Until,
}

/// The arguments of a command, each of its own type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    /// The app; that of the merge request if it is not named.
    pub app: Option<AppName>,
    /// The environment; that of the merge request if it is not named.
    pub env: Option<EnvironmentName>,
    /// The image.
    pub image: Option<ImageRef>,
    /// A commit or tag out of the app's history.
    pub to: Option<String>,
    /// How many pods.
    pub replicas: Option<Replicas>,
    /// The size.
    pub plan: Option<PlanName>,
    /// The memory limit.
    pub memory: Option<Memory>,
    /// The processor limit.
    pub cpu: Option<Cpu>,
    /// When a pin ends.
    pub until: Option<Timestamp>,
}

/// One command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// What.
    pub verb: Verb,
    /// With what.
    pub arguments: Arguments,
    /// Why, in the words behind `--`.
    pub reason: Option<String>,
    /// The line as it was written.
    pub line: String,
}

impl Arguments {
    /// Whether an argument is there.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        match key {
            Key::App => self.app.is_some(),
            Key::Env => self.env.is_some(),
            Key::Image => self.image.is_some(),
            Key::To => self.to.is_some(),
            Key::Replicas => self.replicas.is_some(),
            Key::Plan => self.plan.is_some(),
            Key::Memory => self.memory.is_some(),
            Key::Cpu => self.cpu.is_some(),
            Key::Until => self.until.is_some(),
        }
    }

    /// Reads the value of an argument that is not there yet.
    ///
    /// # Errors
    /// `comment.argument`.
    pub(super) fn set(&mut self, key: Key, value: &str) -> Result<(), Problem> {
        if self.has(key) {
            return Err(Problem::new("comment.argument", format!("`{key}` is there twice")).field(key.to_string()));
        }
        match key {
            Key::App => self.app = Some(read(key, value)?),
            Key::Env => self.env = Some(read(key, value)?),
            Key::Image => self.image = Some(read(key, value)?),
            Key::To => self.to = Some(revision(value)?),
            Key::Replicas => self.replicas = Some(read(key, value)?),
            Key::Plan => self.plan = Some(read(key, value)?),
            Key::Memory => self.memory = Some(read(key, value)?),
            Key::Cpu => self.cpu = Some(read(key, value)?),
            Key::Until => self.until = Some(read(key, value)?),
        }
        Ok(())
    }
}

fn read<T: std::str::FromStr>(key: Key, value: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|error: T::Err| {
        let problem = Problem::new("comment.argument", format!("`{key}` cannot be `{}`: {error}", shown(value)));
        problem.field(key.to_string())
    })
}

/// What a release is called by: it is looked for among those that the app has had, and never given to a program.
fn revision(value: &str) -> Result<String, Problem> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if (1..=128).contains(&value.len()) && value.bytes().all(fits) && !value.starts_with('-') {
        return Ok(value.to_owned());
    }
    let detail = format!("`to` cannot be `{}`: it is a tag or a commit out of the app's history", shown(value));
    Err(Problem::new("comment.argument", detail).field("to"))
}

/// A piece of what somebody wrote, for a message: short, on one line, with nothing hidden in it.
pub(super) fn shown(text: &str) -> String {
    const MAX: usize = 80;
    let short: String = text.chars().take(MAX).collect();
    let more = if text.chars().nth(MAX).is_some() { "…" } else { "" };
    let safe: String = short
        .chars()
        .flat_map(|c| {
            if c == '`' {
                vec!['\'']
            } else if crate::domain::text::hides(c) {
                c.escape_unicode().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    format!("{}{more}", safe.replace(['\n', '\r', '\t'], " "))
}
