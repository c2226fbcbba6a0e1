//! What to look at in a cluster: one app in one environment, and the object by which its controller syncs it.

use serde::{Deserialize, Serialize};

use crate::domain::fleet::Delivery;
use crate::domain::{AppName, ClusterName, EnvironmentName};

/// The namespace in which Argo CD keeps its Applications, as rendered.
const ARGOCD_NAMESPACE: &str = "argocd";
/// The namespace in which Flux keeps its Kustomizations, as rendered.
const FLUX_NAMESPACE: &str = "flux-system";

/// One app in one environment, as a cluster knows it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Target {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The namespace that the app has for itself.
    pub namespace: String,
    /// The object that syncs it.
    pub controller: ControllerRef,
}

/// The object by which Argo CD or Flux syncs an app.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct ControllerRef {
    /// Whose object it is.
    pub delivery: Delivery,
    /// The cluster that has it, if that is not the one in which the app runs: one Argo CD may sync many clusters.
    pub cluster: Option<ClusterName>,
    /// Its namespace.
    pub namespace: String,
    /// Its name: the app's instance, `<app>-<environment>`.
    pub name: String,
}

impl Target {
    /// The target with the names that rendering gives: the controller's object is called `<app>-<environment>` and lies in
    /// the namespace of its controller, in the cluster of the app.
    #[must_use]
    pub fn new(app: AppName, environment: EnvironmentName, namespace: impl Into<String>, delivery: Delivery) -> Self {
        let name = format!("{app}-{environment}");
        let home = match delivery {
            Delivery::Argocd => ARGOCD_NAMESPACE,
            Delivery::Flux => FLUX_NAMESPACE,
        };
        let controller = ControllerRef { delivery, cluster: None, namespace: home.to_owned(), name };
        Self { app, environment, namespace: namespace.into(), controller }
    }
}
