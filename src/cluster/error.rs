//! Why a cluster cannot be reached at all.

use std::path::PathBuf;

use crate::domain::ClusterName;

/// Why there is no connection to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings say not how to reach it, or say it in several ways.
    #[error("the settings of a cluster name one of `kubeconfig`, `in_cluster` and `url`")]
    Ambiguous,
    /// The URL is none that can be used.
    #[error("the URL of a cluster {0}")]
    Url(&'static str),
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// This is not a pod, or it has no service account.
    #[error("there is no service account of a cluster here: {0}")]
    InCluster(String),
    /// The client cannot be made.
    #[error("no client for the cluster: {0}")]
    Client(String),
    /// No such cluster is followed.
    #[error("no cluster `{0}` is set up")]
    Unknown(ClusterName),
}
