//! What someone wants done, and the words for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::app_spec::Replicas;
use super::secrets::Ciphertext;
use super::{AppName, Cpu, EnvironmentName, ImageRef, Memory, PlanName, VariableName};

/// One wish about one app. As JSON it is what the service writes down before it says that it has accepted it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Intent {
    /// The app.
    pub app: AppName,
    /// Where; `None` means the shared spec, and with it every environment that the app is in.
    pub environment: Option<EnvironmentName>,
    /// What.
    pub action: Action,
}

/// The things that can be wished for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
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
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_the_same_after_json() {
        let actions = [
            Action::Onboard { spec: "name: a\n".to_owned(), file: "wooo.yaml".to_owned() },
            Action::Deploy { image: "x/a:1".parse().unwrap() },
            Action::Configure { fields: vec![("env.A".to_owned(), Some("'1'".to_owned())), ("port".to_owned(), None)] },
            Action::Rollback { to: None },
            Action::Restart,
            Action::Resize(Size { memory: Some("1Gi".parse().unwrap()), ..Size::default() }),
            Action::SetSecret {
                name: "A".parse().unwrap(),
                values: vec![(
                    "staging".parse().unwrap(),
                    Ciphertext::Sealed { scope: "a/b".to_owned(), value: "AgBx".to_owned() },
                )],
            },
            Action::Hold { reason: "r".to_owned(), until: Some(Timestamp::UNIX_EPOCH) },
        ];
        for action in actions {
            let intent = Intent { app: "a".parse().unwrap(), environment: Some("staging".parse().unwrap()), action };
            let text = serde_json::to_string(&intent).unwrap();
            assert_eq!(serde_json::from_str::<Intent>(&text).unwrap(), intent, "{text}");
        }
    }
}
