//! What someone wants done, and the words for it.

use jiff::Timestamp;

use super::app_spec::Replicas;
use super::secrets::Ciphertext;
use super::{AppName, Cpu, EnvironmentName, ImageRef, Memory, PlanName, VariableName};

/// One wish about one app.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intent {
    /// The app.
    pub app: AppName,
    /// Where; `None` means the shared spec, and with it every environment that the app is in.
    pub environment: Option<EnvironmentName>,
    /// What.
    pub action: Action,
}

/// The things that can be wished for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Bring an app into an environment. The text is the app spec as its owner wrote it.
    Onboard {
        /// The text of `wooo.yaml`.
        spec: String,
        /// The name of the file that it came from, for messages.
        file: String,
    },
    /// Run another image.
    Deploy {
        /// The image.
        image: ImageRef,
    },
    /// Change fields of the spec.
    Configure {
        /// Dotted fields with their values as YAML text; `None` removes the field.
        fields: Vec<(String, Option<String>)>,
    },
    /// Go back to an earlier release, and stay there.
    Rollback {
        /// A commit or an image tag out of the app's history; the release before this one if absent.
        to: Option<String>,
    },
    /// Replace the pods without changing what they run.
    Restart,
    /// Run another number of pods.
    Scale {
        /// How many.
        replicas: Replicas,
    },
    /// Change the size.
    Resize(Size),
    /// Bring here the release that runs in the environment before this one.
    Promote,
    /// Give a secret variable its value, which is encrypted already.
    SetSecret {
        /// The variable.
        name: VariableName,
        /// The value for each environment.
        values: Vec<(EnvironmentName, Ciphertext)>,
    },
    /// Make the passwords that the app's add-ons lack.
    GenerateSecrets,
    /// Pin the app where it is.
    Hold {
        /// Why.
        reason: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// Lift the pin.
    Unhold,
    /// Take the app out of the environment, or out of all.
    Offboard,
}

/// A wish for another size: another plan, or amounts of its own. What is not named stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Size {
    /// The plan.
    pub plan: Option<PlanName>,
    /// The memory limit; the request keeps its proportion.
    pub memory: Option<Memory>,
    /// The processor limit; the request keeps its proportion.
    pub cpu: Option<Cpu>,
}

impl Action {
    /// The verb, as on the command line, in branch names and in the `Wooo-Action` trailer.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Onboard { .. } => "onboard",
            Self::Deploy { .. } => "deploy",
            Self::Configure { .. } => "configure",
            Self::Rollback { .. } => "rollback",
            Self::Restart => "restart",
            Self::Scale { .. } => "scale",
            Self::Resize(_) => "resize",
            Self::Promote => "promote",
            Self::SetSecret { .. } => "secret",
            Self::GenerateSecrets => "passwords",
            Self::Hold { .. } => "hold",
            Self::Unhold => "unhold",
            Self::Offboard => "offboard",
        }
    }

    /// Whether a hold stands in its way. Only lifting the hold, and going back further, are possible under one.
    #[must_use]
    pub const fn obeys_hold(&self) -> bool {
        !matches!(self, Self::Rollback { .. } | Self::Unhold)
    }
}
